//! What f is: a model with named parameters and inputs, from an expression.

mod check;
mod error;
mod model;

pub use check::{DerivativeCheck, WorstDerivative};
pub use error::ModelError;
pub(crate) use model::Compiled;
pub use model::Model;
