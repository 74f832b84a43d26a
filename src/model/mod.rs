//! What f is: an expression of named parameters and inputs, or a network.

mod check;
mod definition;
mod error;
mod expression;
mod network;

pub use check::{DerivativeCheck, WorstDerivative};
pub(crate) use definition::Kind;
pub use definition::Model;
pub use error::ModelError;
pub(crate) use expression::Expression;
pub use network::{Activation, Layer, Network, Parametrisation};
