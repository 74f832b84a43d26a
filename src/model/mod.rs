//! What f is: a model with named parameters and inputs, from an expression.

mod check;
mod definition;
mod error;

pub use check::{DerivativeCheck, WorstDerivative};
pub use definition::Model;
pub use error::ModelError;
