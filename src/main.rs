//! The command line of natgrad.

use std::process::ExitCode;

fn main() -> ExitCode {
    natgrad::cli::main()
}
