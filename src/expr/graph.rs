//! A hash-consed arena: every distinct subexpression is one node, and arguments have lower numbers than their users.

use std::collections::HashMap;

use super::ops::{BinaryOp, UnaryOp};

/// A node's number; comparable within one graph only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(super) u32);

impl NodeId {
    /// The number as an index: nodes are numbered from 0 in topological order.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// An f64 compared and hashed by its bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Constant(u64);

impl Constant {
    /// The number.
    #[must_use]
    pub fn value(self) -> f64 {
        f64::from_bits(self.0)
    }
}

impl From<f64> for Constant {
    fn from(value: f64) -> Self {
        Constant(value.to_bits())
    }
}

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Node {
    /// A constant.
    Number(Constant),
    /// The parameter of this index.
    Parameter(u32),
    /// The input of this index.
    Input(u32),
    /// A function of one argument.
    Unary(UnaryOp, NodeId),
    /// A function of two arguments.
    Binary(BinaryOp, NodeId, NodeId),
    /// An integer power, always computed by products.
    PowInt(NodeId, i32),
    /// `[a, b, x, y]`: x where a ≤ b, else y (also where a or b is NaN). Made by derivatives only.
    Select([NodeId; 4]),
}

impl Node {
    /// The arguments, in order.
    pub fn arguments(self) -> impl Iterator<Item = NodeId> {
        let (ids, count) = match self {
            Node::Number(_) | Node::Parameter(_) | Node::Input(_) => ([NodeId(0); 4], 0),
            Node::Unary(_, a) | Node::PowInt(a, _) => ([a; 4], 1),
            Node::Binary(_, a, b) => ([a, b, b, b], 2),
            Node::Select(ids) => (ids, 4),
        };
        ids.into_iter().take(count)
    }
}

/// A number that the device's scalar type cannot hold.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RangeError {
    /// Infinite or NaN already in f64: the constant part of the expression has no value.
    #[error(
        "a constant part of the expression is {value}: check divisions by zero and logarithms or roots of constants"
    )]
    NotFinite {
        /// The value.
        value: f64,
    },
    /// Finite in f64, infinite in f32.
    #[error("the constant {value:e} in the expression is beyond f32's largest (3.4e38): rescale, or compute in f64")]
    TooLarge {
        /// The value.
        value: f64,
    },
    /// Not zero in f64, but below f32's normal range, where devices may flush it to zero.
    #[error("the constant {value:e} in the expression is below f32's smallest (1.2e-38): rescale, or compute in f64")]
    TooSmall {
        /// The value.
        value: f64,
    },
}

/// A hash-consed arena: every distinct subexpression is one node, and arguments have lower numbers than their users.
///
/// # Simplifications at construction
///
/// Only those that change no bit of any finite result, up to the sign of a zero:
/// constants are folded in f64; x+0, 0+x, x−0, x·1, x/1, x¹ are x; 0−x, x·(−1), x/(−1) are −x; x·0 is 0 and x⁰ is 1
/// (also where x would be infinite or NaN); −(−x) is x; signs move outwards (a+(−b) = a−b, (−a)·b = −(a·b),
/// (−a)/b = −(a/b), |−a| = |a|, (−a)ⁿ = ±aⁿ); arguments of + and · are put in one order, both being commutative in
/// IEEE arithmetic; x·x is x²; division by a power of two is multiplication by its reciprocal, exact as long as nothing
/// underflows; a constant exponent that is an integer makes a product and ½ a square root.
///
/// x−x and x/x are left alone: they are 0 and 1 only where x is finite, and a NaN or infinity there is the sign of a
/// start outside the model's domain, which must not be hidden. Sums and products are never reassociated.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    nodes: Vec<Node>,
    ids: HashMap<Node, NodeId>,
}

impl Graph {
    /// An empty graph.
    #[must_use]
    pub fn new() -> Self {
        Graph::default()
    }

    /// How many nodes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The operation of a node.
    ///
    /// # Panics
    /// If the id is of another, larger graph.
    #[must_use]
    pub fn node(&self, id: NodeId) -> Node {
        self.nodes[id.index()]
    }

    /// The value of a node that is a constant.
    #[must_use]
    pub fn constant(&self, id: NodeId) -> Option<f64> {
        match self.node(id) {
            Node::Number(constant) => Some(constant.value()),
            _ => None,
        }
    }

    /// The node as it is, or the one that already is the same.
    pub(crate) fn intern(&mut self, node: Node) -> NodeId {
        let next = NodeId(self.nodes.len() as u32);
        let id = *self.ids.entry(node).or_insert(next);
        if id == next {
            self.nodes.push(node);
        }
        id
    }

    /// A constant.
    pub fn number(&mut self, value: f64) -> NodeId {
        // One zero, and one NaN, for all.
        let value = if value == 0.0 {
            0.0
        } else if value.is_nan() {
            f64::NAN
        } else {
            value
        };
        self.intern(Node::Number(value.into()))
    }

    /// The parameter of this index.
    pub fn parameter(&mut self, index: u32) -> NodeId {
        self.intern(Node::Parameter(index))
    }

    /// The input of this index.
    pub fn input(&mut self, index: u32) -> NodeId {
        self.intern(Node::Input(index))
    }

    /// The same operation on other arguments, simplified as at construction.
    pub(crate) fn rebuild(&mut self, node: Node, map: impl Fn(NodeId) -> NodeId) -> NodeId {
        match node {
            Node::Number(_) | Node::Parameter(_) | Node::Input(_) => self.intern(node),
            Node::Unary(op, a) => self.unary(op, map(a)),
            Node::Binary(op, a, b) => self.binary(op, map(a), map(b)),
            Node::PowInt(a, n) => self.powi(map(a), n),
            Node::Select([a, b, x, y]) => self.select(map(a), map(b), map(x), map(y)),
        }
    }

    /// For each node, whether one of the outputs needs it.
    #[must_use]
    pub fn reachable(&self, outputs: &[NodeId]) -> Vec<bool> {
        let mut reached = vec![false; self.nodes.len()];
        for output in outputs {
            reached[output.index()] = true;
        }
        for index in (0..self.nodes.len()).rev() {
            if reached[index] {
                for argument in self.nodes[index].arguments() {
                    reached[argument.index()] = true;
                }
            }
        }
        reached
    }

    /// For each node, whether its value depends on a leaf that `leaf` picks.
    pub(crate) fn dependent_on(&self, leaf: impl Fn(Node) -> bool) -> Vec<bool> {
        let mut dependent: Vec<bool> = Vec::with_capacity(self.nodes.len());
        for &node in &self.nodes {
            let depends = leaf(node) || node.arguments().any(|a| dependent[a.index()]);
            dependent.push(depends);
        }
        dependent
    }

    /// Whether every constant that the outputs need is finite and, unless zero, in f32's normal range.
    ///
    /// # Errors
    /// Names the first constant that is not.
    pub fn check_range_f32(&self, outputs: &[NodeId]) -> Result<(), RangeError> {
        let reached = self.reachable(outputs);
        for (node, _) in self.nodes.iter().zip(reached).filter(|(_, reached)| *reached) {
            let Node::Number(constant) = node else {
                continue;
            };
            let value = constant.value();
            if !value.is_finite() {
                return Err(RangeError::NotFinite { value });
            } else if !(value as f32).is_finite() {
                return Err(RangeError::TooLarge { value });
            } else if value != 0.0 && (value as f32).abs() < f32::MIN_POSITIVE {
                return Err(RangeError::TooSmall { value });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(graph: &mut Graph) -> (NodeId, NodeId) {
        (graph.parameter(0), graph.input(0))
    }

    #[test]
    fn equal_expressions_are_one_node_and_arguments_come_first() {
        let mut graph = Graph::new();
        let (b, x) = leaves(&mut graph);
        let (bx, xb) = (graph.mul(b, x), graph.mul(x, b));
        assert_eq!(bx, xb);
        let e = graph.unary(UnaryOp::Exp, bx);
        let sum = graph.add(e, bx);
        assert_eq!(graph.add(bx, e), sum);
        for index in 0..graph.len() {
            assert!(graph.nodes[index].arguments().all(|a| a.index() < index));
        }
    }

    #[test]
    fn constants_beyond_f32_are_found_only_where_they_are_needed() {
        let mut graph = Graph::new();
        let (b, _) = leaves(&mut graph);
        let (huge, tiny, fine) = (graph.number(1e39), graph.number(1e-39), graph.number(0.0));
        let (with_huge, with_tiny) = (graph.mul(b, huge), graph.mul(b, tiny));
        assert_eq!(graph.check_range_f32(&[b, fine]), Ok(()));
        assert_eq!(graph.check_range_f32(&[with_huge]), Err(RangeError::TooLarge { value: 1e39 }));
        assert_eq!(graph.check_range_f32(&[b, with_tiny]), Err(RangeError::TooSmall { value: 1e-39 }));
        let minus = graph.number(-1.0);
        let root = graph.unary(UnaryOp::Sqrt, minus);
        assert!(matches!(graph.check_range_f32(&[root]), Err(RangeError::NotFinite { .. })));
    }
}
