//! Scalar expressions: parsed from text or built with operators, differentiated, evaluated in f64, emitted as WGSL.
//!
//! The way of an expression: text → [`Ast`] (or operators → [`Expr`]) → [`Graph`], a hash-consed arena in which every
//! subexpression exists once → [`gradient`], graph to graph → [`Rewrites`] → [`Tape`] (f64 on the host) or
//! [`wgsl::emit`] (straight-line shader code). [`RowExpression`] reads the same text as a formula over the rows of one
//! data set, with reductions such as `max(y)` and look-ups such as `x[argmax(y)]`.
//!
//! Nothing here recurses on the depth of an expression, so no text can overflow the stack.

mod ast;
mod diff;
mod error;
mod eval;
mod graph;
mod lexer;
mod operators;
mod ops;
mod parse;
mod rewrite;
mod rows;
mod schedule;
mod suggest;
#[cfg(test)]
mod tests;
pub mod wgsl;

pub use ast::{Ast, Symbol};
pub use diff::gradient;
pub use error::{NameError, ParseError, ParseErrorKind, check_name};
pub use eval::Tape;
pub use graph::{Constant, Graph, Node, NodeId, RangeError};
pub use operators::Expr;
pub use ops::{BinaryOp, UnaryOp};
pub use rewrite::{Rewrite, RewriteError, Rewrites};
pub use rows::{RowError, RowExpression, RowValue};
pub use suggest::did_you_mean;
