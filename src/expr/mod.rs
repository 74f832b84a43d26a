//! Scalar expressions: parsed from text or built with operators, differentiated, evaluated in f64, emitted as WGSL.
//!
//! The way of an expression: text → [`Ast`] (or operators → [`Expr`]) → [`Graph`], a hash-consed arena in which every
//! subexpression exists once → [`gradient`], graph to graph → [`Rewrites`] → [`Tape`] (f64 on the host) or
//! [`wgsl::emit`] (straight-line shader code). [`RowExpression`] reads the same text as a formula over the rows of one
//! data set, with reductions such as `max(y)` and look-ups such as `x[argmax(y)]`.
//!
//! ```
//! use natgrad::expr::{Ast, Expr, Graph, Symbol, Tape, gradient};
//!
//! let mut graph = Graph::new();
//! let mut resolve = |name: &str| match name {
//!     "b1" => Some(Symbol::Parameter(0)),
//!     "b2" => Some(Symbol::Parameter(1)),
//!     "x" => Some(Symbol::Input(0)),
//!     _ => None,
//! };
//! let names = ["b1", "b2", "x"];
//! let f = Ast::parse("b1*(1 - exp(-b2*x))")?.lower(&mut graph, &mut resolve, &names)?;
//! // The same from operators is the same node.
//! let (b1, b2, x) = (Expr::parameter("b1"), Expr::parameter("b2"), Expr::input("x"));
//! assert_eq!((b1 * (1.0 - (-b2 * x).exp())).lower(&mut graph, &mut resolve, &names)?, f);
//!
//! let derivatives = gradient(&mut graph, f, 2);
//! let tape = Tape::new(&graph, &[f, derivatives[0], derivatives[1]]);
//! let mut out = [0.0; 3];
//! tape.evaluate(&[2.0, 0.0], &[5.0], &mut Vec::new(), &mut out);
//! assert_eq!(out, [0.0, 0.0, 10.0]);
//!
//! let error = Ast::parse("b1*exp(b4*x)")?.lower(&mut graph, &mut resolve, &names).unwrap_err();
//! assert_eq!(error.to_string(), r#"column 8: unknown name "b4" in "b1*exp(b4*x)": did you mean "b2"?"#);
//! # Ok::<(), natgrad::expr::ParseError>(())
//! ```
//!
//! Nothing here recurses on the depth of an expression, so no text can overflow the stack.

mod ast;
mod diff;
mod error;
mod eval;
pub(crate) mod factors;
mod graph;
mod lexer;
mod names;
mod operators;
mod ops;
mod parse;
mod rewrite;
mod rows;
mod schedule;
pub(crate) mod separate;
mod simplify;
mod suggest;
#[cfg(test)]
mod tests;
pub(crate) mod unrolled;
pub mod wgsl;

pub use ast::{Ast, Symbol};
pub use diff::gradient;
pub use error::{ParseError, ParseErrorKind};
pub use eval::{SIDE_BY_SIDE, Tape};
pub use graph::{Constant, Graph, Node, NodeId, RangeError};
pub use names::{NameError, check_name};
pub use operators::Expr;
pub use ops::{BinaryOp, UnaryOp};
pub use rewrite::{Rewrite, RewriteError, Rewrites};
pub use rows::{RowError, RowExpression, RowValue};
pub use suggest::did_you_mean;
