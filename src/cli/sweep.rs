//! `natgrad sweep`: from a spec to a folder of results.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::Args;

use super::failure::Failure;
use super::folder::{Existing, Folder};
use super::interruption::Interruption;
use super::lasting::Lasting;
use super::parts::Parts;
use super::plan::Plan;
use super::shard::Shard;
use super::spec::{PrecisionChoice, read_file};
use super::{checks, conclude, neighbours, output, run};
use crate::ngd::Status;

/// Run every combination of data sets, starts and steps that a TOML file asks for.
#[derive(Debug, Args)]
#[command(after_help = "Every key of a spec, its default and an example stand in docs/spec.md; `natgrad fit … \
                        --emit-spec` prints a spec to begin with.")]
pub(super) struct Arguments {
    /// The spec, a TOML file; paths in it are relative to its folder
    #[arg(value_name = "SPEC.toml")]
    spec: PathBuf,
    /// The folder for the results: results.parquet, summary.json, plan.json, the spec as run, pictures, and what the
    /// spec's [output] and [history] add
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Replace results that the folder already holds
    #[arg(long, conflicts_with = "resume")]
    force: bool,
    /// Go on with a run that was cut off, on the same device with the same spec
    #[arg(long)]
    resume: bool,
    /// Run the i-th of n shards; `natgrad merge` puts them together
    #[arg(long, value_name = "i/n")]
    shard: Option<Shard>,
    /// auto, gpu, cpu, or the index or name of an adapter [default: the spec's, else auto] [env: NATGRAD_DEVICE]
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// The precision of the steps [default: the spec's, else auto]
    #[arg(long, value_name = "auto|f32|f64", hide_possible_values = true)]
    precision: Option<PrecisionChoice>,
}

/// Runs `natgrad sweep`.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let (request, text) = read_file(&arguments.spec)?;
    checks::check_verify(&request)?;
    let existing = match (arguments.force, arguments.resume) {
        (true, _) => Existing::Replace,
        (_, true) => Existing::Resume,
        _ => Existing::Keep,
    };
    let folder = Folder::open(&arguments.out, arguments.shard, existing, true)?;
    neighbours::check(&folder, existing)?;
    let job = request.resolve()?;
    let device = arguments.device.as_deref().or(request.device.as_deref());
    let precision = arguments.precision.unwrap_or(request.precision);
    let engine = thread::scope(|scope| {
        // The plan needs it, and a device takes as long to open.
        scope.spawn(|| job.digest());
        run::open_engine(device, precision, &job)
    })?;
    // No problems, but every check that a run begins with: nothing is written for a request that cannot run.
    let nothing = engine.run_job(&job, 0..0, &mut |_| std::ops::ControlFlow::Continue(()))?;
    let nothing = if request.output.parameters { nothing.with_parameter_lists() } else { nothing };
    let saving = request.saving;
    let plan = Plan::new(engine.plan(&job), &job, request.output.clone(), saving.part, arguments.shard);
    neighbours::check_plan(&folder, &plan)?;

    if existing == Existing::Resume && folder.is_begun() {
        folder.check_resumable(&plan)?;
        folder.go_on()?;
    } else {
        folder.begin(&plan, &text)?;
    }
    request.notices().iter().for_each(|notice| output::note(notice));
    run::tell_dropped_rows(nothing.context());
    run::tell_reduction(&job);
    let mut device = Lasting::new(engine, || run::open_quietly(device, precision, &job));
    if !folder.results().exists() {
        let parts = Parts { job: &job, plan: &plan, folder: &folder, nothing: &nothing };
        let interruption = Interruption::watch()?;
        parts.run(&mut device, &interruption, Duration::from_secs_f64(saving.seconds))?;
        interruption.let_go();
        parts.merge().map_err(|failure| Failure {
            message: format!("{} (all parts are complete; --resume puts them together)", failure.message),
            ..failure
        })?;
    }
    let parameters = job.model().parameters().len();
    let summary = if arguments.shard.is_some() {
        // Pictures are of the whole.
        conclude::summary(&folder, parameters)?
    } else {
        conclude::whole(&folder, parameters, job.rules(), job.history())?
    };
    folder.remove_parts()?;

    output::results(|writer| {
        summary.write_table(&mut *writer)?;
        writeln!(writer, "\nresults: {}", folder.results().display())
    })?;
    if let Some(count) = request.verify.filter(|&count| count > 0) {
        checks::verify_some(device.solver(), &job, &folder.results(), count)?;
    }
    Ok(checks::require_converged(&request, summary.count(Status::Converged), summary.problems))
}
