//! Sweeps: the product of data sets, starts and step rules, how it is cut into chunks, and what came out.

mod axes;
mod outcome;

pub use axes::{StepBlock, StepRule, linspace, logspace};
pub(crate) use outcome::Row;
pub use outcome::{Context, Errors, KeyValues, Outcome, Problem};
