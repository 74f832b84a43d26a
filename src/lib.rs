#![doc = include_str!("../README.md")]
//!
//! # The modules
//!
//! [`data`], [`builtin`] and [`starts`] say what is fitted and from where, [`expr`] and [`model`] say what f is, [`ngd`] how a step is taken and
//! when it stops, [`sweep`] which problems there are and what came out, [`stability`] what becomes of perturbations there; [`Engine`] runs them on a [`gpu`] or the CPU,
//! and [`report`] writes the results.

// What ships never panics on a user and never writes to their standard output; tests may do both.
#![warn(clippy::unwrap_used, clippy::print_stdout)]

pub mod builtin;
#[cfg(feature = "cli")]
pub mod cli;
pub mod data;
pub mod error;
pub mod expr;
pub mod gpu;
pub mod linalg;
pub mod model;
pub mod ngd;
pub mod report;
pub mod stability;
pub mod starts;
pub mod sweep;

mod backend;
mod curvature;
mod engine;
mod kernels;
mod memory;
mod selftest;
mod verify;

pub use data::{Data, DataError, Missing};
pub use engine::{Choice, Engine, PlanInfo, Progress, Resident};
pub use error::{Error, RequestError};
pub use expr::{Expr, ParseError, Rewrites};
pub use gpu::{Device, DeviceError};
#[doc(hidden)]
pub use kernels::{
    Specialisation, matrix_specialisations, peak_specialisations, selftest_specialisations, specialisations,
};
pub use model::{Activation, Model, ModelError, Network, Parametrisation};
pub use ngd::{Damping, Filter, Precision, Reason, Scaling, Status, Stop};
pub use pollster::block_on;
pub use selftest::{selftest, selftest_on};
pub use stability::{Certificate, FilterRule, Minimiser, Stability, StabilityOptions, Verdict};
pub use starts::{Distribution, Initialisation, Initialiser, Spacing, StartRange, random_start};
pub use sweep::{
    Context, Detail, Draw, Errors, History, Job, Outcome, Problem, RandomStarts, Record, Reduction, SizeUnit,
    StepBlock, StepRule, Sweep, linspace, logspace,
};
pub use verify::{Disagreement, Verification, verify};
pub use wgpu;
