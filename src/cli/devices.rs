//! `natgrad devices` and `natgrad selftest`.

use std::process::ExitCode;

use clap::Args;

use super::failure::Failure;

/// Check that a device computes as natgrad needs it.
#[derive(Debug, Args)]
pub(super) struct SelftestArguments {
    /// auto, gpu, or the index or name of an adapter; all of them unless given [env: NATGRAD_DEVICE]
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
}

pub(super) fn list() -> Result<ExitCode, Failure> {
    Err(Failure::request("not yet"))
}

pub(super) fn selftest(arguments: &SelftestArguments) -> Result<ExitCode, Failure> {
    Err(Failure::request(format!("not yet {:?}", arguments.device)))
}
