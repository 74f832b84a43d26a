//! What a text says: an arena of nodes in which arguments come before what uses them.

use std::ops::Range;
use std::sync::Arc;

use super::error::{ParseError, ParseErrorKind};
use super::graph::{Graph, NodeId};
use super::ops::{BinaryOp, UnaryOp};
use super::parse;

/// What a name stands for in a model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Symbol {
    /// The parameter of this index.
    Parameter(u32),
    /// The input (column of data) of this index.
    Input(u32),
    /// A named constant.
    Number(f64),
}

/// A reduction of a column to one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reduction {
    Min,
    Max,
    Mean,
    Sum,
    First,
    Last,
    Count,
    Median,
    Argmin,
    Argmax,
}

impl Reduction {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Reduction::Min => "min",
            Reduction::Max => "max",
            Reduction::Mean => "mean",
            Reduction::Sum => "sum",
            Reduction::First => "first",
            Reduction::Last => "last",
            Reduction::Count => "count",
            Reduction::Median => "median",
            Reduction::Argmin => "argmin",
            Reduction::Argmax => "argmax",
        }
    }
}

/// A function as text names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Unary(UnaryOp),
    Binary(BinaryOp),
    /// `min` or `max`: a reduction with one argument, the smallest or largest of several otherwise.
    Extremum(BinaryOp, Reduction),
    Reduce(Reduction),
}

/// Every name that can be called, in the order in which suggestions prefer them.
pub(crate) const FUNCTIONS: [(&str, Function); 29] = [
    ("exp", Function::Unary(UnaryOp::Exp)),
    ("log", Function::Unary(UnaryOp::Log)),
    ("ln", Function::Unary(UnaryOp::Log)),
    ("log10", Function::Unary(UnaryOp::Log10)),
    ("log2", Function::Unary(UnaryOp::Log2)),
    ("sqrt", Function::Unary(UnaryOp::Sqrt)),
    ("pow", Function::Binary(BinaryOp::Pow)),
    ("sin", Function::Unary(UnaryOp::Sin)),
    ("cos", Function::Unary(UnaryOp::Cos)),
    ("tan", Function::Unary(UnaryOp::Tan)),
    ("asin", Function::Unary(UnaryOp::Asin)),
    ("acos", Function::Unary(UnaryOp::Acos)),
    ("atan", Function::Unary(UnaryOp::Atan)),
    ("atan2", Function::Binary(BinaryOp::Atan2)),
    ("sinh", Function::Unary(UnaryOp::Sinh)),
    ("cosh", Function::Unary(UnaryOp::Cosh)),
    ("tanh", Function::Unary(UnaryOp::Tanh)),
    ("abs", Function::Unary(UnaryOp::Abs)),
    ("min", Function::Extremum(BinaryOp::Min, Reduction::Min)),
    ("max", Function::Extremum(BinaryOp::Max, Reduction::Max)),
    ("sign", Function::Unary(UnaryOp::Sign)),
    ("mean", Function::Reduce(Reduction::Mean)),
    ("sum", Function::Reduce(Reduction::Sum)),
    ("first", Function::Reduce(Reduction::First)),
    ("last", Function::Reduce(Reduction::Last)),
    ("count", Function::Reduce(Reduction::Count)),
    ("median", Function::Reduce(Reduction::Median)),
    ("argmin", Function::Reduce(Reduction::Argmin)),
    ("argmax", Function::Reduce(Reduction::Argmax)),
];

/// The function of this name.
pub(crate) fn function(name: &str) -> Option<Function> {
    FUNCTIONS.iter().find(|(known, _)| *known == name).map(|&(_, function)| function)
}

/// One node; arguments are indices of earlier nodes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum AstKind {
    Number(f64),
    /// An index into the names.
    Name(u32),
    Unary(UnaryOp, u32),
    Binary(BinaryOp, u32, u32),
    Reduce(Reduction, u32),
    /// Column and index.
    Index(u32, u32),
}

/// A node and where it stands in the text (bytes).
#[derive(Clone, Copy, Debug)]
pub(crate) struct AstNode {
    pub(crate) kind: AstKind,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl AstNode {
    pub(crate) fn span(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A distinct name and the span of its first appearance.
#[derive(Clone, Debug)]
pub(crate) struct AstName {
    pub(crate) text: String,
    pub(crate) span: Range<usize>,
}

/// A parsed expression: a tree held in a `Vec`, so that neither dropping nor walking it recurses.
#[derive(Clone, Debug)]
pub struct Ast {
    pub(crate) text: Arc<str>,
    /// Arguments before what uses them; the last node is the whole expression, and every other one is used once.
    pub(crate) nodes: Vec<AstNode>,
    pub(crate) names: Vec<AstName>,
}

impl Ast {
    /// Reads an expression.
    ///
    /// `**` and `^` are the same, bind to the right and tighter than a sign on their left (`-x^2` is −(x²), `2^-x` is
    /// allowed); then signs; then `*` and `/`; then `+` and `-`, these four to the left. A name is letters, digits,
    /// `_` and `.`, or anything in backticks. The text may be 16 MiB long and nested to any depth.
    ///
    /// # Errors
    /// A [`ParseError`] with the place of the fault, when the text is no expression.
    pub fn parse(text: &str) -> Result<Ast, ParseError> {
        parse::parse(text)
    }

    /// The text as it was given.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The distinct free names (not `pi`, not functions) in order of first appearance, each with the byte range of
    /// that appearance; a quoted name without its backticks (the range includes them).
    pub fn names(&self) -> impl ExactSizeIterator<Item = (&str, Range<usize>)> {
        self.names.iter().map(|name| (name.text.as_str(), name.span.clone()))
    }

    /// Builds the expression in a graph; `resolve` says what each distinct name stands for and is asked once a name.
    ///
    /// # Errors
    /// For a name that `resolve` does not know (with the nearest of the `candidates` suggested), and for reductions
    /// and indices, which have no meaning row by row.
    pub fn lower(
        &self,
        graph: &mut Graph,
        resolve: &mut dyn FnMut(&str) -> Option<Symbol>,
        candidates: &[&str],
    ) -> Result<NodeId, ParseError> {
        let mut symbols = Vec::with_capacity(self.names.len());
        for name in &self.names {
            let symbol = resolve(&name.text)
                .ok_or_else(|| ParseError::unknown_name(&self.text, name.span.clone(), &name.text, candidates))?;
            symbols.push(match symbol {
                Symbol::Parameter(index) => graph.parameter(index),
                Symbol::Input(index) => graph.input(index),
                Symbol::Number(value) => graph.number(value),
            });
        }
        let mut built: Vec<NodeId> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let at = |index: u32| built[index as usize];
            let id = match node.kind {
                AstKind::Number(value) => graph.number(value),
                AstKind::Name(index) => symbols[index as usize],
                AstKind::Unary(op, a) => graph.unary(op, at(a)),
                AstKind::Binary(op, a, b) => graph.binary(op, at(a), at(b)),
                AstKind::Reduce(reduction, _) => {
                    let kind = ParseErrorKind::ReductionInModel(reduction.name());
                    return Err(ParseError::new(&self.text, node.span(), kind));
                }
                AstKind::Index(..) => {
                    return Err(ParseError::new(&self.text, node.span(), ParseErrorKind::IndexInModel));
                }
            };
            built.push(id);
        }
        match built.last() {
            Some(&root) => Ok(root),
            None => Err(ParseError::new(&self.text, 0..0, ParseErrorKind::Empty)),
        }
    }
}
