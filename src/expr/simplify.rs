//! How nodes are made: the exact simplifications that [`Graph`] documents.

use super::graph::{Graph, Node, NodeId};
use super::ops::{BinaryOp, UnaryOp, integer_exponent, power};

impl Graph {
    /// −a.
    pub fn neg(&mut self, a: NodeId) -> NodeId {
        match self.node(a) {
            Node::Number(c) => self.number(-c.value()),
            Node::Unary(UnaryOp::Neg, inner) => inner,
            Node::Binary(BinaryOp::Sub, x, y) => self.intern(Node::Binary(BinaryOp::Sub, y, x)),
            Node::Binary(BinaryOp::Mul, x, y) => match (self.constant(x), self.constant(y)) {
                (Some(c), _) => {
                    let c = self.number(-c);
                    self.mul(c, y)
                }
                (_, Some(c)) => {
                    let c = self.number(-c);
                    self.mul(x, c)
                }
                _ => self.intern(Node::Unary(UnaryOp::Neg, a)),
            },
            _ => self.intern(Node::Unary(UnaryOp::Neg, a)),
        }
    }

    /// A function of one argument.
    pub fn unary(&mut self, op: UnaryOp, a: NodeId) -> NodeId {
        if op == UnaryOp::Neg {
            return self.neg(a);
        }
        if let Some(c) = self.constant(a) {
            return self.number(op.apply(c));
        }
        match (op, self.negated(a)) {
            (UnaryOp::Abs, Some(inner)) => self.intern(Node::Unary(op, inner)),
            _ => self.intern(Node::Unary(op, a)),
        }
    }

    /// A function of two arguments.
    pub fn binary(&mut self, op: BinaryOp, a: NodeId, b: NodeId) -> NodeId {
        if let (Some(x), Some(y)) = (self.constant(a), self.constant(b)) {
            return self.number(op.apply(x, y));
        }
        match op {
            BinaryOp::Add => self.add(a, b),
            BinaryOp::Sub => self.sub(a, b),
            BinaryOp::Mul => self.mul(a, b),
            BinaryOp::Div => self.div(a, b),
            BinaryOp::Pow => self.pow(a, b),
            BinaryOp::Min | BinaryOp::Max if a == b => a,
            BinaryOp::Atan2 | BinaryOp::Min | BinaryOp::Max => self.intern(Node::Binary(op, a, b)),
        }
    }

    /// What a node is the negative of.
    fn negated(&self, a: NodeId) -> Option<NodeId> {
        match self.node(a) {
            Node::Unary(UnaryOp::Neg, inner) => Some(inner),
            _ => None,
        }
    }

    fn commutative(&mut self, op: BinaryOp, a: NodeId, b: NodeId) -> NodeId {
        self.intern(Node::Binary(op, a.min(b), a.max(b)))
    }

    /// a + b.
    pub fn add(&mut self, a: NodeId, b: NodeId) -> NodeId {
        match (self.constant(a), self.constant(b)) {
            (Some(x), Some(y)) => return self.number(x + y),
            (Some(0.0), _) => return b,
            (_, Some(0.0)) => return a,
            _ => {}
        }
        match (self.negated(a), self.negated(b)) {
            (Some(x), Some(y)) => {
                let sum = self.add(x, y);
                self.neg(sum)
            }
            (Some(x), None) => self.sub(b, x),
            (None, Some(y)) => self.sub(a, y),
            (None, None) => self.commutative(BinaryOp::Add, a, b),
        }
    }

    /// a − b.
    pub fn sub(&mut self, a: NodeId, b: NodeId) -> NodeId {
        match (self.constant(a), self.constant(b)) {
            (Some(x), Some(y)) => return self.number(x - y),
            (Some(0.0), _) => return self.neg(b),
            (_, Some(0.0)) => return a,
            _ => {}
        }
        match (self.negated(a), self.negated(b)) {
            (Some(x), Some(y)) => self.sub(y, x),
            (Some(x), None) => {
                let sum = self.add(x, b);
                self.neg(sum)
            }
            (None, Some(y)) => self.add(a, y),
            (None, None) => self.intern(Node::Binary(BinaryOp::Sub, a, b)),
        }
    }

    /// a · b.
    pub fn mul(&mut self, a: NodeId, b: NodeId) -> NodeId {
        match (self.constant(a), self.constant(b)) {
            (Some(x), Some(y)) => return self.number(x * y),
            (Some(c), _) => return self.scale(c, a, b),
            (_, Some(c)) => return self.scale(c, b, a),
            _ => {}
        }
        match (self.negated(a), self.negated(b)) {
            (Some(x), Some(y)) => self.mul(x, y),
            (Some(x), None) => {
                let product = self.mul(x, b);
                self.neg(product)
            }
            (None, Some(y)) => {
                let product = self.mul(a, y);
                self.neg(product)
            }
            (None, None) if a == b => self.powi(a, 2),
            (None, None) => self.commutative(BinaryOp::Mul, a, b),
        }
    }

    /// c · a, where `number` is the node of the constant c.
    fn scale(&mut self, c: f64, number: NodeId, a: NodeId) -> NodeId {
        if c == 0.0 {
            return self.number(0.0);
        } else if c == 1.0 {
            return a;
        } else if c == -1.0 {
            return self.neg(a);
        }
        match self.negated(a) {
            Some(inner) => {
                let number = self.number(-c);
                self.commutative(BinaryOp::Mul, number, inner)
            }
            None => self.commutative(BinaryOp::Mul, number, a),
        }
    }

    /// a / b.
    pub fn div(&mut self, a: NodeId, b: NodeId) -> NodeId {
        match (self.constant(a), self.constant(b)) {
            (Some(x), Some(y)) => return self.number(x / y),
            (_, Some(c)) if exact_reciprocal(c) => {
                let reciprocal = self.number(1.0 / c);
                return self.mul(a, reciprocal);
            }
            _ => {}
        }
        match (self.negated(a), self.negated(b)) {
            (Some(x), Some(y)) => self.div(x, y),
            (Some(x), None) => {
                let quotient = self.div(x, b);
                self.neg(quotient)
            }
            (None, Some(y)) => {
                let quotient = self.div(a, y);
                self.neg(quotient)
            }
            (None, None) => self.intern(Node::Binary(BinaryOp::Div, a, b)),
        }
    }

    /// aᵇ: a product where b is a constant integer of at most 65,536 in size, a square root where it is ½.
    pub fn pow(&mut self, a: NodeId, b: NodeId) -> NodeId {
        match (self.constant(a), self.constant(b)) {
            (Some(x), Some(y)) => self.number(BinaryOp::Pow.apply(x, y)),
            (_, Some(0.5)) => self.unary(UnaryOp::Sqrt, a),
            (_, Some(y)) if integer_exponent(y).is_some() => self.powi(a, y as i32),
            _ => self.intern(Node::Binary(BinaryOp::Pow, a, b)),
        }
    }

    /// aⁿ by products.
    pub fn powi(&mut self, a: NodeId, n: i32) -> NodeId {
        if let Some(c) = self.constant(a) {
            return self.number(power(c, n));
        }
        match (n, self.negated(a)) {
            (0, _) => self.number(1.0),
            (1, _) => a,
            (_, Some(inner)) => {
                let positive = self.powi(inner, n);
                if n % 2 == 0 { positive } else { self.neg(positive) }
            }
            _ => self.intern(Node::PowInt(a, n)),
        }
    }

    /// x where a ≤ b, else y.
    pub fn select(&mut self, a: NodeId, b: NodeId, x: NodeId, y: NodeId) -> NodeId {
        if x == y {
            return x;
        }
        match (self.constant(a), self.constant(b)) {
            (Some(p), Some(q)) => {
                if p <= q {
                    x
                } else {
                    y
                }
            }
            _ => self.intern(Node::Select([a, b, x, y])),
        }
    }
}

/// Whether 1/c is exact and both are far inside f32's range: powers of two from 2⁻⁶⁴ to 2⁶⁴.
fn exact_reciprocal(c: f64) -> bool {
    let fraction = c.to_bits() & ((1 << 52) - 1);
    fraction == 0 && (2f64.powi(-64)..=2f64.powi(64)).contains(&c.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(graph: &mut Graph) -> (NodeId, NodeId) {
        (graph.parameter(0), graph.input(0))
    }

    #[test]
    fn neutral_elements_vanish_and_signs_move_outwards() {
        let mut graph = Graph::new();
        let (b, x) = leaves(&mut graph);
        let (zero, one) = (graph.number(0.0), graph.number(1.0));
        assert_eq!(graph.add(b, zero), b);
        assert_eq!(graph.sub(b, zero), b);
        assert_eq!(graph.mul(one, b), b);
        assert_eq!(graph.div(b, one), b);
        assert_eq!(graph.mul(b, zero), zero);
        let minus = graph.neg(b);
        assert_eq!(graph.neg(minus), b);
        assert_eq!(graph.sub(zero, b), minus);
        let (product, quotient) = (graph.mul(b, x), graph.div(b, x));
        let (minus_product, minus_quotient) = (graph.neg(product), graph.neg(quotient));
        assert_eq!(graph.mul(minus, x), minus_product);
        assert_eq!(graph.div(minus, x), minus_quotient);
        let difference = graph.sub(x, b);
        assert_eq!(graph.add(x, minus), difference);
        assert_eq!(graph.powi(minus, 2), graph.powi(b, 2));
    }

    #[test]
    fn a_difference_and_a_quotient_of_equals_are_not_folded() {
        let mut graph = Graph::new();
        let (b, _) = leaves(&mut graph);
        let (difference, quotient) = (graph.sub(b, b), graph.div(b, b));
        assert_eq!(graph.node(difference), Node::Binary(BinaryOp::Sub, b, b));
        assert_eq!(graph.node(quotient), Node::Binary(BinaryOp::Div, b, b));
    }

    #[test]
    fn whole_exponents_are_products_and_a_half_is_a_root() {
        let mut graph = Graph::new();
        let (b, x) = leaves(&mut graph);
        let (two, minus_three, half, odd) =
            (graph.number(2.0), graph.number(-3.0), graph.number(0.5), graph.number(1.5));
        let square = graph.pow(b, two);
        assert_eq!(graph.node(square), Node::PowInt(b, 2));
        assert_eq!(graph.mul(b, b), square);
        let cube = graph.pow(b, minus_three);
        assert_eq!(graph.node(cube), Node::PowInt(b, -3));
        let root = graph.pow(b, half);
        assert_eq!(graph.node(root), Node::Unary(UnaryOp::Sqrt, b));
        let power = graph.pow(b, odd);
        assert_eq!(graph.node(power), Node::Binary(BinaryOp::Pow, b, odd));
        let variable = graph.pow(b, x);
        assert_eq!(graph.node(variable), Node::Binary(BinaryOp::Pow, b, x));
    }
}
