//! `natgrad starts`: the starting points of a spec, written out.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::failure::Failure;
use super::output;
use super::spec::read_file;
use crate::report::{self, ReportError};

/// Write the starts of a spec to a file, which `start.file` reads.
#[derive(Debug, Args)]
#[command(after_help = "A row a start and a column a parameter; numbers read back as the same bits.")]
pub(super) struct Arguments {
    /// The spec, a TOML file; paths in it are relative to its folder
    #[arg(value_name = "SPEC.toml")]
    spec: PathBuf,
    /// The file, CSV
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Runs `natgrad starts`.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let (request, _) = read_file(&arguments.spec)?;
    let job = request.resolve()?;
    let out = &arguments.out;
    let failed = |source| ReportError::write(out, source);
    report::write_whole(out, |writer| report::write_starts(&job, writer).map_err(failed))?;
    output::note(&format!(
        "{} starts of {} parameters: {}",
        job.starts(),
        job.model().parameters().len(),
        out.display()
    ));
    Ok(ExitCode::SUCCESS)
}
