//! `natgrad fit`: from options to results.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use super::failure::Failure;
use super::options::{Arguments, Format};
use super::progress::Bar;
use super::spec::{DataSource, Keep};
use super::{checks, output, run};
use crate::report::{self, ReportError};
use crate::sweep::{Job, Outcome};

/// Runs `natgrad fit`.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let request = arguments.request()?;
    checks::check_verify(&request)?;
    let piped = |path: &Path| path == Path::new("-");
    let data_are_piped = matches!(&request.data.source, DataSource::File(file) if piped(file));
    if arguments.emit_spec && (data_are_piped || request.start.file.as_deref().is_some_and(piped)) {
        let problem =
            "--emit-spec needs --data and --starts to name files: standard input is gone when the spec is run";
        return Err(Failure::request(problem));
    }
    let job = request.resolve()?;
    if arguments.emit_spec {
        let spec = request.with_absolute_paths()?.to_toml();
        output::results(|writer| writer.write_all(spec.as_bytes()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let engine = run::open_engine(request.device.as_deref(), request.precision, &job)?;
    let bar = Bar::new(job.len());
    let outcome = engine.run_job(&job, 0..job.len(), &mut |progress| bar.report(progress))?;
    bar.finish();
    let outcome = match request.output.keep {
        Keep::Best => outcome.keep_best(),
        Keep::All => outcome,
    };
    request.notices().iter().for_each(|notice| output::note(notice));
    run::tell_dropped_rows(outcome.context());
    write_files(arguments, &job, &outcome)?;
    output::results(|writer| match arguments.format {
        Format::Table => report::write_table(&outcome, writer),
        Format::Jsonl => report::write_jsonl(&outcome, writer),
        Format::Csv => report::write_csv(&outcome, writer),
    })?;
    if let Some(count) = request.verify.filter(|&count| count > 0) {
        checks::verify(&job, &outcome, count)?;
    }
    let converged = outcome.count(crate::ngd::Status::Converged) as u64;
    Ok(checks::require_converged(&request, converged, outcome.len() as u64))
}

fn write_files(arguments: &Arguments, job: &Job, outcome: &Outcome) -> Result<(), Failure> {
    if let Some(out) = &arguments.out {
        let failed = |source| ReportError::write(&out.path, source);
        match out.form {
            None => report::write_parquet(outcome, &out.path)?,
            Some(form) => report::write_whole(&out.path, |writer| form.write(outcome, writer).map_err(failed))?,
        }
    }
    if let Some(path) = &arguments.curves {
        let failed = |source| ReportError::write(path, source);
        report::write_whole(path, |writer| report::write_curves(job, outcome, writer).map_err(failed))?;
    }
    Ok(())
}
