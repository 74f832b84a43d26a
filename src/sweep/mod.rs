//! Sweeps: the product of data sets, starts and step rules, resolved into a job, and what came out.

mod axes;
mod outcome;
mod resolve;
#[allow(clippy::module_inception, reason = "the module is named for what it holds: the request")]
mod sweep;

pub use axes::{StepBlock, StepRule, linspace, logspace};
pub(crate) use outcome::Row;
pub use outcome::{Context, Errors, Outcome, Problem};
pub use resolve::Job;
pub(crate) use resolve::ProblemId;
pub use sweep::{RandomStarts, Sweep};
