//! `natgrad stability`: from a spec to certificates of its minimisers.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::failure::Failure;
use super::folder::{Existing, Folder};
use super::plan::Plan;
use super::progress::Bar;
use super::spec::{Points, PrecisionChoice, Request, read_file};
use super::{checks, output, run};
use crate::engine::Engine;
use crate::ngd::Status;
use crate::report::{self, ReportError};
use crate::stability::Minimiser;
use crate::sweep::{History, Job};

/// Certify the minimisers that a spec finds: what becomes of perturbations of them.
#[derive(Debug, Args)]
#[command(
    after_help = "The spec is that of a sweep, with a [stability] table where its defaults do not suit; every key \
                        stands in docs/spec.md."
)]
pub(super) struct Arguments {
    /// The spec, a TOML file; paths in it are relative to its folder
    #[arg(value_name = "SPEC.toml")]
    spec: PathBuf,
    /// The folder for the results: stability.json, stability.parquet, pictures, results.parquet, plan.json, the spec as run
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Replace results that the folder already holds
    #[arg(long)]
    force: bool,
    /// auto, gpu, cpu, or the index or name of an adapter [default: the spec's, else auto] [env: NATGRAD_DEVICE]
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// The precision of the steps [default: the spec's, else auto]
    #[arg(long, value_name = "auto|f32|f64", hide_possible_values = true)]
    precision: Option<PrecisionChoice>,
}

/// Runs `natgrad stability`.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let (mut request, text) = read_file(&arguments.spec)?;
    // What the way was like is nothing to a minimiser.
    request.history = History::default();
    let existing = if arguments.force { Existing::Replace } else { Existing::Keep };
    let folder = Folder::open(&arguments.out, None, existing, false)?;
    let job = request.resolve()?;
    let device = arguments.device.as_deref().or(request.device.as_deref());
    let engine = run::open_engine(device, arguments.precision.unwrap_or(request.precision), &job)?;
    // No problems, but every check that a run begins with: nothing is written for a request that cannot run.
    let nothing = engine.run_job(&job, 0..0, &mut |_| std::ops::ControlFlow::Continue(()))?;
    engine.certify_points(&job, &[], &request.stability.options)?;
    folder.begin(&Plan::new(engine.plan(&job), &job, request.output.clone(), None, None), &text)?;
    request.notices().iter().for_each(|notice| output::note(notice));
    run::tell_dropped_rows(nothing.context());
    run::tell_reduction(&job);
    let (points, converged) = points(&request, &engine, &job, &folder)?;
    let options = &request.stability.options;
    let found = engine.certify_points(&job, &points, options)?;
    found.notices.iter().for_each(|notice| output::note(notice));
    let [json, parquet] = folder.certificates();
    let failed = |source| ReportError::write(&json, source);
    report::write_whole(&json, |writer| report::write_stability_json(&found, writer).map_err(failed))?;
    report::write_stability_parquet(&found, &parquet)?;
    let (sizes, dampings) = (&request.stability.map_sizes, &request.stability.map_dampings);
    let map = engine.contraction_map(&job, &found, options, sizes, dampings)?;
    report::write_stability_plots(&found, map.as_ref(), folder.path())?;
    folder.remove_parts()?;
    output::results(|writer| {
        report::write_stability_table(&found, &mut *writer)?;
        writeln!(writer, "\nresults: {}", json.display())
    })?;
    Ok(checks::require_converged(&request, converged, points.len() as u64))
}

/// The points to certify, and how many of them converged: the sweep's minimisers, whose results are written beside, or its
/// starts as they are.
fn points(request: &Request, engine: &Engine, job: &Job, folder: &Folder) -> Result<(Vec<Minimiser>, u64), Failure> {
    if request.stability.points == Points::Starts {
        let points = Minimiser::of_starts(job);
        let count = points.len() as u64;
        return Ok((points, count));
    }
    let bar = Bar::new(job.len());
    let outcome = engine.run_job(job, 0..job.len(), &mut |progress| bar.report(progress))?;
    bar.finish();
    let outcome = if request.output.parameters { outcome.with_parameter_lists() } else { outcome };
    report::write_parquet(&outcome, &folder.results())?;
    Ok((Minimiser::of_outcome(&outcome), outcome.count(Status::Converged) as u64))
}
