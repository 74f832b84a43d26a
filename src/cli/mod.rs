//! The command line: `fit`, `sweep`, `plan`, `merge`, `stability`, `starts`, `devices` and `selftest`.
//!
//! Results go to standard output, everything else to standard error. Exit codes: 0 the command ran and the statuses
//! tell the rest, 1 fewer problems converged than `--require-converged` asked for, 2 the request is wrong, 3 there is
//! no usable device, 130 a sweep was interrupted and has saved what it had.

mod arguments;
mod calibration;
mod checks;
mod conclude;
mod devices;
mod failure;
mod fit;
mod folder;
mod forecast;
mod interruption;
mod lasting;
mod merge;
mod neighbours;
mod options;
mod output;
mod parts;
#[cfg(test)]
mod parts_tests;
mod plan;
mod progress;
mod run;
mod runner;
mod shard;
mod spec;
mod stability;
mod starts;
mod sweep;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Fits and sweeps of many small nonlinear least-squares problems at once, on the GPU or the CPU.
#[derive(Debug, Parser)]
#[command(name = "natgrad", version, arg_required_else_help = true, max_term_width = 120)]
#[command(after_help = "Exit codes: 0 ran, 1 fewer problems converged than asked for, 2 the request is wrong, 3 no \
                        usable device, 130 interrupted.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Fit a model to the data sets of a CSV file
    Fit(Box<options::Arguments>),
    /// Run every combination of data sets, starts and steps that a TOML file asks for
    Sweep(sweep::Arguments),
    /// Say what a sweep will take, before anything runs: memory, dispatches, time
    Plan(forecast::Arguments),
    /// Put the shards of a sweep together, when they are whole
    Merge(merge::Arguments),
    /// Certify the minimisers that a spec finds: what becomes of perturbations of them
    Stability(stability::Arguments),
    /// Write the starting points of a spec to a file
    Starts(starts::Arguments),
    /// List the devices there are
    Devices,
    /// Check that a device computes as natgrad needs it
    Selftest(devices::SelftestArguments),
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return arguments::explain(&error),
    };
    crate::memory::keep_what_is_freed();
    let result = match cli.command {
        Command::Fit(arguments) => fit::run(&arguments),
        Command::Sweep(arguments) => sweep::run(&arguments),
        Command::Plan(arguments) => forecast::run(&arguments),
        Command::Merge(arguments) => merge::run(&arguments),
        Command::Stability(arguments) => stability::run(&arguments),
        Command::Starts(arguments) => starts::run(&arguments),
        Command::Devices => devices::list(),
        Command::Selftest(arguments) => devices::selftest(&arguments),
    };
    match result {
        Ok(code) => code,
        Err(failure) => {
            output::note(&failure.message);
            ExitCode::from(failure.code)
        }
    }
}
