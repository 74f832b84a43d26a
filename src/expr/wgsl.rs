//! Straight-line WGSL from a graph.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::graph::{Graph, Node, NodeId};
use super::ops::{BinaryOp, UnaryOp};
use super::schedule::Schedule;

/// How the surrounding shader calls the leaves: any WGSL expression of type `Real`, evaluated once each.
pub trait Names {
    /// The parameter of this index.
    fn parameter(&self, index: u32) -> String;
    /// The input of this index.
    fn input(&self, index: u32) -> String;
}

/// Straight-line code: `let` statements, one operation each, named `t` and a number.
///
/// The scalar type is the alias `Real`, which the shader declares; elementary functions are called as `ng_exp` and so
/// on, and the shader imports those listed in `functions` from `natgrad::elementary`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Code {
    /// What depends on parameters and constants only: to stand before a loop over rows.
    pub hoisted: String,
    /// The rest, which uses the names of `hoisted`.
    pub body: String,
    /// An expression of type `Real` for each output, valid after `body`.
    pub results: Vec<String>,
    /// The elementary functions (`ng_*`) that are called.
    pub functions: BTreeSet<&'static str>,
}

/// Emits the code of `outputs`, each shared subexpression once, in time linear in the graph.
///
/// The graph must have passed [`Graph::check_range_f32`] on the same outputs: a constant that is not finite has no
/// literal in WGSL, and is emitted as an expression that the shader compiler refuses.
pub fn emit(graph: &Graph, outputs: &[NodeId], names: &dyn Names) -> Code {
    let schedule = Schedule::new(graph, outputs);
    let mut code = Code::default();
    for index in 0..schedule.graph.len() {
        let node = schedule.graph.node(NodeId(index as u32));
        let Some(value) = right_side(&schedule.graph, node, names, &plain_name, &mut code.functions) else {
            continue;
        };
        let text = if schedule.varying[index] { &mut code.body } else { &mut code.hoisted };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "let t{index}: Real = {value};");
    }
    let result = |&id: &NodeId| match schedule.graph.constant(id) {
        Some(value) => format!("Real({})", literal(value)),
        None => plain_name(id),
    };
    code.results = schedule.results.iter().map(result).collect();
    code
}

/// What a node is called where there is one value of it.
pub(super) fn plain_name(id: NodeId) -> String {
    format!("t{}", id.0)
}

/// What a call of an elementary function counts as in [`operations`]: about the length of natgrad's own version, which
/// drivers put in the place of every call.
const FUNCTION: u64 = 40;

/// The same for a power of two numbers, whose logarithm takes two words.
const POWER: u64 = 100;

/// How many operations [`emit`] makes of these outputs: 1 for arithmetic, 40 for an elementary function, 100 for a power
/// that is no product. Linear in the graph, as the code is; what a driver makes of the code is not (see
/// [`Model::operations`](crate::Model::operations)).
#[must_use]
pub fn operations(graph: &Graph, outputs: &[NodeId]) -> u64 {
    let schedule = Schedule::new(graph, outputs);
    (0..schedule.graph.len())
        .map(|index| match schedule.graph.node(NodeId(index as u32)) {
            Node::Number(_) | Node::Parameter(_) | Node::Input(_) => 0,
            Node::Unary(UnaryOp::Neg | UnaryOp::Abs | UnaryOp::Sign | UnaryOp::Sqrt, _) => 1,
            Node::Unary(..) | Node::Binary(BinaryOp::Atan2, ..) => FUNCTION,
            Node::Binary(BinaryOp::Pow, ..) | Node::PowInt(..) => POWER,
            Node::Binary(..) | Node::Select(_) => 1,
        })
        .sum()
}

/// The value of a node in terms of earlier names; None for constants, which are written where they are used.
pub(super) fn right_side(
    graph: &Graph,
    node: Node,
    names: &dyn Names,
    called: &dyn Fn(NodeId) -> String,
    functions: &mut BTreeSet<&'static str>,
) -> Option<String> {
    let operand = |id: NodeId| match graph.constant(id) {
        Some(value) => literal(value),
        None => called(id),
    };
    // With only constants to choose from, the type would be settled before `Real` is known.
    let typed = |id: NodeId| match graph.constant(id) {
        Some(value) => format!("Real({})", literal(value)),
        None => called(id),
    };
    let mut call = |name: &'static str, arguments: &[NodeId]| {
        functions.insert(name);
        let arguments: Vec<String> = arguments.iter().map(|&id| typed(id)).collect();
        format!("{name}({})", arguments.join(", "))
    };
    Some(match node {
        Node::Number(_) => return None,
        Node::Parameter(index) => names.parameter(index),
        Node::Input(index) => names.input(index),
        Node::Unary(op, a) => match op {
            UnaryOp::Neg => format!("-{}", typed(a)),
            UnaryOp::Abs => format!("abs({})", typed(a)),
            UnaryOp::Sign => format!("sign({})", typed(a)),
            UnaryOp::Exp => call("ng_exp", &[a]),
            UnaryOp::Log => call("ng_log", &[a]),
            UnaryOp::Log2 => call("ng_log2", &[a]),
            UnaryOp::Log10 => call("ng_log10", &[a]),
            UnaryOp::Sqrt => call("ng_sqrt", &[a]),
            UnaryOp::Sin => call("ng_sin", &[a]),
            UnaryOp::Cos => call("ng_cos", &[a]),
            UnaryOp::Tan => call("ng_tan", &[a]),
            UnaryOp::Asin => call("ng_asin", &[a]),
            UnaryOp::Acos => call("ng_acos", &[a]),
            UnaryOp::Atan => call("ng_atan", &[a]),
            UnaryOp::Sinh => call("ng_sinh", &[a]),
            UnaryOp::Cosh => call("ng_cosh", &[a]),
            UnaryOp::Tanh => call("ng_tanh", &[a]),
        },
        Node::Binary(op, a, b) => match op {
            BinaryOp::Add => format!("{} + {}", operand(a), operand(b)),
            BinaryOp::Sub => format!("{} - {}", operand(a), operand(b)),
            BinaryOp::Mul => format!("{} * {}", operand(a), operand(b)),
            BinaryOp::Div => format!("{} / {}", operand(a), operand(b)),
            BinaryOp::Pow => call("ng_pow", &[a, b]),
            BinaryOp::Atan2 => call("ng_atan2", &[a, b]),
            BinaryOp::Min => format!("min({}, {})", typed(a), typed(b)),
            BinaryOp::Max => format!("max({}, {})", typed(a), typed(b)),
        },
        Node::PowInt(a, n) => {
            // The schedule has turned these into products.
            let exponent = literal(f64::from(n));
            functions.insert("ng_pow");
            format!("ng_pow({}, Real({exponent}))", typed(a))
        }
        Node::Select([a, b, x, y]) => format!("select({}, {}, {} <= {})", typed(y), typed(x), operand(a), operand(b)),
    })
}

/// A number as a WGSL literal without a type (an abstract float, f64 inside): reads back to the same bits.
pub(super) fn literal(value: f64) -> String {
    if !value.is_finite() {
        return "(0.0 / 0.0)".into();
    }
    // Debug prints the shortest text that reads back to the same f64, always with a point or an exponent.
    if value < 0.0 { format!("({value:?})") } else { format!("{value:?}") }
}

#[cfg(test)]
#[path = "wgsl_tests.rs"]
mod tests;
