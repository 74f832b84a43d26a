//! `natgrad plan`: what a sweep will take, before anything runs.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::calibration::{Calibration, calibrate};
use super::failure::Failure;
use super::plan::Plan;
use super::shard::Shard;
use super::spec::{Keep, PrecisionChoice, read_file};
use super::{output, run};
use crate::engine::{Engine, bytes_each};
use crate::report::{TextTable, count, significant};
use crate::sweep::Job;

/// Say what a sweep will take, before anything runs: memory, dispatches, time.
#[derive(Debug, Args)]
#[command(
    after_help = "Sizes are worked out from the request. The time is an estimate: some of the problems, evenly spread, \
                        are run for about two seconds. Nothing is written."
)]
pub(super) struct Arguments {
    /// The spec, a TOML file; paths in it are relative to its folder
    #[arg(value_name = "SPEC.toml")]
    spec: PathBuf,
    /// auto, gpu, cpu, or the index or name of an adapter [default: the spec's, else auto] [env: NATGRAD_DEVICE]
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// The precision of the steps [default: the spec's, else auto]
    #[arg(long, value_name = "auto|f32|f64", hide_possible_values = true)]
    precision: Option<PrecisionChoice>,
    /// Of the i-th of n shards alone
    #[arg(long, value_name = "i/n")]
    shard: Option<Shard>,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
}

/// Runs `natgrad plan`.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let (request, _) = read_file(&arguments.spec)?;
    let job = request.resolve()?;
    let device = arguments.device.as_deref().or(request.device.as_deref());
    let engine = run::open_engine(device, arguments.precision.unwrap_or(request.precision), &job)?;
    let plan = Plan::new(engine.plan(&job), &job, request.output.clone(), request.saving.part, arguments.shard);
    let forecast = Forecast::new(&engine, &job, &plan)?;
    output::results(|writer| match arguments.format {
        Format::Table => forecast.write_table(writer),
        Format::Json => {
            serde_json::to_writer_pretty(&mut *writer, &forecast)?;
            writeln!(writer)
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

/// What a sweep, or a shard of it, will take.
#[derive(Serialize)]
struct Forecast {
    device: String,
    precision: String,
    mapping: String,
    problems: u64,
    data_sets: u64,
    starts: u64,
    step_rules: u64,
    points: u64,
    parameters: u64,
    parts: u64,
    problems_a_part: u64,
    chunks: u64,
    problems_a_chunk: u64,
    /// Bytes of the largest chunk on the device; none on the CPU.
    device_bytes: u64,
    host_bytes: u64,
    host: HostBytes,
    /// Steps of all chunks, each a dispatch or a few, if all take as long as those that were measured; none on the CPU.
    dispatches: u64,
    calibration: Calibration,
    estimated_seconds: f64,
}

/// What the bytes on the host are taken by.
#[derive(Serialize)]
struct HostBytes {
    data: u64,
    starts: u64,
    /// The part that runs, the one that is written, and its columns.
    results: u64,
}

impl Forecast {
    fn new(engine: &Engine, job: &Job, plan: &Plan) -> Result<Self, Failure> {
        let first = plan.parts().first().map_or(0, |part| part.problems.start);
        let problems = plan.problems();
        let calibration = calibrate(engine, job, first..first + problems)?;
        let largest = plan.parts().iter().map(super::plan::Part::len).max().unwrap_or(0);
        // Of a part of which the best are kept, a piece at a time is in memory.
        let held = match plan.output.keep {
            Keep::All => largest,
            Keep::Best => largest.min(plan.part_size()),
        };
        let (chunk, device_bytes) = engine.chunk(job, held.max(1));
        let info = engine.plan(job);
        let points = (0..job.sets()).map(|set| job.rows(set).len() as u64).sum::<u64>();
        let parameters = job.model().parameters().len() as u64;
        let chunks = plan.parts().iter().map(|part| part.len().div_ceil(chunk.max(1))).sum();
        // Of a file that is mapped into memory the data sets of the chunks in flight, and their starts.
        let share = if job.is_windowed() { (2.0 * chunk as f64 / job.len() as f64).min(1.0) } else { 1.0 };
        // In f64: response and sigma; the inputs by column and by row, where they are not the same for all data sets, whose
        // places and keys are then counted and not kept.
        let inputs = 2 * job.model().row_inputs() as u64;
        let data = match job.shared_grid() {
            Some(rows) => 16 * points + 8 * rows as u64 * inputs,
            None => 8 * points * (inputs + 2) + 48 * job.sets() as u64,
        };
        let of_share = |bytes: u64| (bytes as f64 * share).ceil() as u64;
        // A value that may be missing takes up to 16 bytes as a column, and 8 more as it is encoded.
        let columns = 24 * (21 + if job.model().as_network().is_some() { 0 } else { 2 * parameters });
        let host = HostBytes {
            data: of_share(data),
            starts: of_share(8 * job.starts() as u64 * parameters),
            results: held * (2 * bytes_each(job) + columns),
        };
        let dispatches = if device_bytes == 0 { 0.0 } else { chunks as f64 * calibration.longest_steps };
        Ok(Self {
            device: engine.description().to_owned(),
            precision: info.precision,
            mapping: info.mapping,
            problems,
            data_sets: job.sets() as u64,
            starts: job.starts() as u64,
            step_rules: job.rules().len() as u64,
            points,
            parameters,
            parts: plan.parts().len() as u64,
            problems_a_part: largest,
            chunks,
            problems_a_chunk: chunk,
            device_bytes,
            host_bytes: host.data + host.starts + host.results,
            host,
            dispatches: dispatches.ceil() as u64,
            estimated_seconds: calibration.seconds_of(problems),
            calibration,
        })
    }

    fn write_table(&self, writer: &mut impl Write) -> std::io::Result<()> {
        let mut table = TextTable::default();
        table.row(["device".to_owned(), format!("{} ({})", self.device, self.precision)]);
        table.row(["mapping".to_owned(), self.mapping.clone()]);
        table.row(["problems".to_owned(), format!("{} ({} step rules)", count(self.problems), count(self.step_rules))]);
        table.row(["data sets".to_owned(), format!("{} ({} points)", count(self.data_sets), count(self.points))]);
        table.row(["parts".to_owned(), pieces(self.parts, self.problems_a_part)]);
        table.row(["chunks".to_owned(), pieces(self.chunks, self.problems_a_chunk)]);
        if self.device_bytes > 0 {
            table
                .row(["device memory".to_owned(), format!("up to {}, of the largest chunk", bytes(self.device_bytes))]);
            let steps = significant(self.calibration.longest_steps, 3);
            let shown =
                format!("about {} steps of chunks ({steps} a chunk), one or a few each", count(self.dispatches));
            table.row(["dispatches".to_owned(), shown]);
        }
        let HostBytes { data, starts, results } = self.host;
        let shares = format!("data {}, starts {}, results {}", bytes(data), bytes(starts), bytes(results));
        table.row(["host memory".to_owned(), format!("{} ({shares})", bytes(self.host_bytes))]);
        let measured = &self.calibration;
        let from = format!("{} of the problems in {}", count(measured.problems), time(measured.seconds));
        table.row(["time".to_owned(), format!("about {}, an estimate from {from}", time(self.estimated_seconds))]);
        table.write(&mut *writer)
    }
}

fn pieces(pieces: u64, problems: u64) -> String {
    format!("{} of up to {} problems", count(pieces), count(problems))
}

/// Bytes in the unit that reads well.
fn bytes(bytes: u64) -> String {
    let units = [(1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    let unit = units.into_iter().find(|&(size, _)| bytes as f64 >= size);
    unit.map_or(format!("{bytes} bytes"), |(size, name)| format!("{} {name}", significant(bytes as f64 / size, 3)))
}

/// A time in the unit that reads well.
fn time(seconds: f64) -> String {
    let units = [(86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")];
    // Two of a unit, before it is one.
    let unit = units.into_iter().find(|&(size, _)| seconds >= 2.0 * size);
    let (size, name) = unit.unwrap_or((1.0, "s"));
    format!("{} {name}", significant(seconds / size, 3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_read_well() {
        assert_eq!(bytes(999), "999 bytes");
        assert_eq!(bytes(65_536), "65.5 kB");
        assert_eq!(bytes(10_200_000_000), "10.2 GB");
        assert_eq!(
            [0.034, 100.0, 600.0, 90_000.0, 400_000.0].map(time).join(", "),
            "0.034 s, 100 s, 10 minutes, 25 hours, 4.63 days"
        );
    }
}
