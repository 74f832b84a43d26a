//! Sweeps: the product of data sets, starts and step rules, resolved into a job, and what came out.

mod axes;
mod check;
#[cfg(any(feature = "ndarray", feature = "nalgebra"))]
mod convert;
mod detail;
mod edge;
mod grid;
mod history;
mod index;
mod job;
#[cfg(test)]
mod job_tests;
mod outcome;
mod problem;
mod request;
mod resolve;
mod start_values;

pub use axes::{Reduction, SizeUnit, StepBlock, StepRule, linspace, logspace};
pub use detail::Detail;
pub use history::{History, Record};
pub(crate) use history::{Moment, Records};
pub(crate) use index::ProblemId;
pub use job::Job;
pub use outcome::{Context, Errors, Outcome};
pub(crate) use outcome::{Row, Slopes};
pub use problem::Problem;
pub use request::{Draw, RandomStarts, Sweep};
pub(crate) use start_values::StartValues;
