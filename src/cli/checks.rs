//! What is asked of results once they are there: a second opinion in f64, and a share that converged.

use std::fs::File;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;

use arrow_array::{Array, UInt64Array};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;

use super::failure::Failure;
use super::output;
use super::spec::Request;
use crate::engine::Engine;
use crate::report;
use crate::sweep::{Detail, Job, Outcome};

/// Refuses to compare what is not told.
pub(super) fn check_verify(request: &Request) -> Result<(), Failure> {
    if request.output.detail == Detail::Essential && request.verify.is_some_and(|count| count > 0) {
        let (verify, detail) = (request.origin.place("run.verify"), request.origin.place("output.detail"));
        return Err(Failure::request(format!(
            "{verify} compares in standard errors, and {detail} \"essential\" tells none; leave one of them out"
        )));
    }
    Ok(())
}

/// Says how the same problems in f64 on the CPU compare, `count` of them taken at random.
pub(super) fn verify(job: &Job, outcome: &Outcome, count: usize) -> Result<(), Failure> {
    output::note(&crate::verify::verify(job, outcome, count)?.to_string());
    Ok(())
}

/// The same for results that are in a file: the problems chosen are run once more on the same device, where a problem
/// ends with the same bits however many run beside it.
pub(super) fn verify_some(engine: &Engine, job: &Job, results: &Path, count: usize) -> Result<(), Failure> {
    let rows = report::parts::row_count(results)?;
    let rows = usize::try_from(rows).unwrap_or(usize::MAX);
    let chosen = problems_at(results, &crate::verify::choose(rows, count))
        .map_err(|error| Failure::request(format!("cannot read {}: {error}", results.display())))?;
    let mut outcome = engine.run_job(job, 0..0, &mut |_| ControlFlow::Continue(()))?;
    for run in chosen.chunk_by(|a, b| a + 1 == *b) {
        if let [first, ..] = *run {
            let range = first..first + run.len() as u64;
            outcome.append(vec![engine.run_job(job, range, &mut |_| ControlFlow::Continue(()))?]);
        }
    }
    verify(job, &outcome, outcome.len())
}

/// The problems in these rows of a result file; the rows ascend.
fn problems_at(results: &Path, rows: &[usize]) -> Result<Vec<u64>, ParquetError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(results)?)?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), ["problem"]);
    let mut problems = Vec::with_capacity(rows.len());
    let mut first = 0;
    for batch in builder.with_projection(mask).build()? {
        let batch = batch?;
        let missing = || ParquetError::General("it has no column \"problem\"".to_owned());
        let column: &UInt64Array =
            batch.columns().first().and_then(|c| c.as_any().downcast_ref()).ok_or_else(missing)?;
        let end = first + batch.num_rows();
        let waiting = &rows[problems.len()..];
        let here = waiting.partition_point(|&row| row < end);
        problems.extend(waiting[..here].iter().map(|&row| column.value(row - first)));
        first = end;
    }
    Ok(problems)
}

/// The exit code of a run of which `converged` of `all` problems converged, with a line where that is too few.
pub(super) fn require_converged(request: &Request, converged: u64, all: u64) -> ExitCode {
    let share = if all == 0 { 1.0 } else { converged as f64 / all as f64 };
    match request.require_converged {
        Some(required) if share < required => {
            let place = request.origin.place("run.require_converged");
            output::note(&format!("{converged} of {all} problems converged, less than {place} {required}"));
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}
