//! The order of work that the tape and the shader share: reachable nodes only, powers as products, and a line between
//! what is computed once a data set and what is computed once a row.

use super::graph::{Graph, Node, NodeId};
use super::ops::BinaryOp;

/// A graph with nothing but what the outputs need, and without integer powers.
pub(crate) struct Schedule {
    pub(crate) graph: Graph,
    /// The outputs, as nodes of `graph`.
    pub(crate) results: Vec<NodeId>,
    /// For each node of `graph`, whether it depends on an input and so changes from row to row.
    pub(crate) varying: Vec<bool>,
}

impl Schedule {
    pub(crate) fn new(from: &Graph, outputs: &[NodeId]) -> Self {
        let reached = from.reachable(outputs);
        let mut graph = Graph::new();
        let mut map = vec![NodeId(0); from.len()];
        for index in (0..from.len()).filter(|&index| reached[index]) {
            let new = |id: NodeId| map[id.index()];
            map[index] = match from.node(NodeId(index as u32)) {
                Node::PowInt(a, n) => products(&mut graph, new(a), n),
                Node::Number(_) | Node::Parameter(_) | Node::Input(_) => graph.intern(from.node(NodeId(index as u32))),
                // Interned as they are: nothing is simplified a second time.
                Node::Unary(op, a) => graph.intern(Node::Unary(op, new(a))),
                Node::Binary(op, a, b) => graph.intern(Node::Binary(op, new(a), new(b))),
                Node::Select(ids) => graph.intern(Node::Select(ids.map(new))),
            };
        }
        let results: Vec<NodeId> = outputs.iter().map(|id| map[id.index()]).collect();
        let varying = graph.dependent_on(|node| matches!(node, Node::Input(_)));
        Schedule { graph, results, varying }
    }
}

/// aⁿ by repeated squaring from the highest bit down: the order of [`super::ops::power`]. Powers of one base share
/// their squares.
fn products(graph: &mut Graph, a: NodeId, n: i32) -> NodeId {
    let magnitude = n.unsigned_abs();
    if magnitude == 0 {
        return graph.number(1.0);
    }
    let mut result = a;
    for bit in (0..magnitude.ilog2()).rev() {
        result = graph.intern(Node::Binary(BinaryOp::Mul, result, result));
        if magnitude >> bit & 1 == 1 {
            result = graph.intern(Node::Binary(BinaryOp::Mul, result, a));
        }
    }
    if n < 0 {
        let one = graph.number(1.0);
        result = graph.intern(Node::Binary(BinaryOp::Div, one, result));
    }
    result
}
