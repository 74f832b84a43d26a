//! Derivatives, graph to graph.
//!
//! A model has one output and several parameters, so derivatives run backwards: one sweep from the output to the
//! leaves yields all of them in a few operations a node, whatever the number of parameters, and shares what they have
//! in common. Where the expression chooses a branch on parameters (min, max, and the choices inside first derivatives)
//! they run forwards instead, once a parameter: then the derivative of the branch *not* taken is never multiplied by
//! anything, and an infinity or NaN in it stays out of the result.

use super::graph::{Graph, Node, NodeId};
use super::ops::{BinaryOp, UnaryOp};

/// The derivatives of `of` with respect to parameters 0 … `parameters` − 1, as nodes of the same graph.
///
/// They can be differentiated again.
///
/// # Conventions at points without a derivative
///
/// - |a| has the derivative sign(a), 0 at a = 0; sign has 0 everywhere.
/// - min(a, b) and max(a, b) take the derivative of a where the two are equal.
/// - √a and aᵇ with b < 1 have an infinite derivative at a = 0. It is taken as 0 there: nearly always a is zero because
///   a factor in it is zero data (√(b·x) at x = 0), the true derivative is 0, and ∞·0 would poison the whole problem.
/// - aᵇ has the derivative aᵇ·log(a) in b, with 0 at a = 0 (its limit for b > 0), and NaN at a < 0, as the value
///   itself is for all but integer b. Constant integer powers are products and have no such trouble.
pub fn gradient(graph: &mut Graph, of: NodeId, parameters: u32) -> Vec<NodeId> {
    let reached = graph.reachable(&[of]);
    let depends = graph.dependent_on(|node| matches!(node, Node::Parameter(_)));
    let on_path: Vec<bool> = reached.iter().zip(depends).map(|(&reached, depends)| reached && depends).collect();
    let chooses = (0..on_path.len()).any(|index| {
        let choice = matches!(
            graph.node(NodeId(index as u32)),
            Node::Binary(BinaryOp::Min | BinaryOp::Max, ..) | Node::Select(_)
        );
        choice && on_path[index]
    });
    if chooses {
        (0..parameters).map(|parameter| forward(graph, of, parameter, &reached)).collect()
    } else {
        reverse(graph, of, parameters, &on_path)
    }
}

/// Adjoints from the output down; `on_path` marks the nodes between the output and a parameter.
fn reverse(graph: &mut Graph, of: NodeId, parameters: u32, on_path: &[bool]) -> Vec<NodeId> {
    let zero = graph.number(0.0);
    let mut gradient = vec![zero; parameters as usize];
    let mut adjoints: Vec<Option<NodeId>> = vec![None; of.index() + 1];
    adjoints[of.index()] = Some(graph.number(1.0));
    for index in (0..=of.index()).rev() {
        let Some(adjoint) = adjoints[index].filter(|_| on_path[index]) else {
            continue;
        };
        let id = NodeId(index as u32);
        let node = graph.node(id);
        if let Node::Parameter(parameter) = node {
            if let Some(slot) = gradient.get_mut(parameter as usize) {
                *slot = adjoint;
            }
            continue;
        }
        for (slot, argument) in node.arguments().enumerate() {
            if !on_path[argument.index()] || is_condition(node, slot) {
                continue;
            }
            let part = chain(graph, id, slot, adjoint);
            adjoints[argument.index()] = Some(match adjoints[argument.index()] {
                Some(sum) => graph.add(sum, part),
                None => part,
            });
        }
    }
    gradient
}

/// The tangent of the output with respect to one parameter, from the leaves up.
fn forward(graph: &mut Graph, of: NodeId, parameter: u32, reached: &[bool]) -> NodeId {
    let zero = graph.number(0.0);
    // None: does not depend on the parameter.
    let mut tangents: Vec<Option<NodeId>> = vec![None; of.index() + 1];
    for index in 0..=of.index() {
        if !reached[index] {
            continue;
        }
        let id = NodeId(index as u32);
        let node = graph.node(id);
        if node == Node::Parameter(parameter) {
            tangents[index] = Some(graph.number(1.0));
            continue;
        }
        let tangent_of = |argument: NodeId| tangents[argument.index()];
        let branches = match node {
            Node::Binary(BinaryOp::Min, a, b) => Some((a, b, a, b)),
            Node::Binary(BinaryOp::Max, a, b) => Some((b, a, a, b)),
            Node::Select([a, b, x, y]) => Some((a, b, x, y)),
            _ => None,
        };
        let tangent = if let Some((a, b, x, y)) = branches {
            match (tangent_of(x), tangent_of(y)) {
                (None, None) => None,
                (dx, dy) => Some(graph.select(a, b, dx.unwrap_or(zero), dy.unwrap_or(zero))),
            }
        } else {
            let mut sum: Option<NodeId> = None;
            for (slot, argument) in node.arguments().enumerate() {
                if let Some(seed) = tangent_of(argument) {
                    let part = chain(graph, id, slot, seed);
                    sum = Some(sum.map_or(part, |sum| graph.add(sum, part)));
                }
            }
            sum
        };
        tangents[index] = tangent.filter(|&t| t != zero);
    }
    tangents[of.index()].unwrap_or(zero)
}

/// Whether an argument only decides which branch is taken.
fn is_condition(node: Node, slot: usize) -> bool {
    matches!(node, Node::Select(_)) && slot < 2
}

/// `seed` times the partial derivative of node `id` in its argument number `slot`.
fn chain(graph: &mut Graph, id: NodeId, slot: usize, seed: NodeId) -> NodeId {
    match graph.node(id) {
        Node::Number(_) | Node::Parameter(_) | Node::Input(_) => graph.number(0.0),
        Node::Unary(op, a) => chain_unary(graph, op, id, a, seed),
        Node::Binary(op, a, b) => chain_binary(graph, op, id, (a, b), slot, seed),
        Node::PowInt(a, n) => {
            let lower = match n.checked_sub(1) {
                Some(lower) => graph.powi(a, lower),
                None => {
                    let exponent = graph.number(f64::from(n) - 1.0);
                    graph.pow(a, exponent)
                }
            };
            let factor = graph.number(f64::from(n));
            let partial = graph.mul(factor, lower);
            graph.mul(seed, partial)
        }
        Node::Select([a, b, ..]) => {
            let zero = graph.number(0.0);
            if slot == 2 { graph.select(a, b, seed, zero) } else { graph.select(a, b, zero, seed) }
        }
    }
}

fn chain_unary(graph: &mut Graph, op: UnaryOp, id: NodeId, a: NodeId, seed: NodeId) -> NodeId {
    let one = graph.number(1.0);
    match op {
        UnaryOp::Neg => graph.neg(seed),
        UnaryOp::Exp => graph.mul(seed, id),
        UnaryOp::Log => graph.div(seed, a),
        UnaryOp::Log2 | UnaryOp::Log10 => {
            let scale = if op == UnaryOp::Log2 { std::f64::consts::LOG2_E } else { std::f64::consts::LOG10_E };
            let scale = graph.number(scale);
            let scaled = graph.mul(seed, scale);
            graph.div(scaled, a)
        }
        UnaryOp::Sqrt => {
            let (half, zero) = (graph.number(0.5), graph.number(0.0));
            let slope = graph.div(half, id);
            let partial = graph.select(id, zero, zero, slope);
            graph.mul(seed, partial)
        }
        UnaryOp::Sin => {
            let cos = graph.unary(UnaryOp::Cos, a);
            graph.mul(seed, cos)
        }
        UnaryOp::Cos => {
            let sin = graph.unary(UnaryOp::Sin, a);
            let product = graph.mul(seed, sin);
            graph.neg(product)
        }
        UnaryOp::Tan => {
            let square = graph.powi(id, 2);
            let partial = graph.add(one, square);
            graph.mul(seed, partial)
        }
        UnaryOp::Asin | UnaryOp::Acos => {
            // (1−a)(1+a) keeps its relative accuracy near ±1, where 1−a² loses it.
            let product = one_minus_square(graph, a);
            let root = graph.unary(UnaryOp::Sqrt, product);
            let quotient = graph.div(seed, root);
            if op == UnaryOp::Asin { quotient } else { graph.neg(quotient) }
        }
        UnaryOp::Atan => {
            let square = graph.powi(a, 2);
            let sum = graph.add(one, square);
            graph.div(seed, sum)
        }
        UnaryOp::Sinh => {
            let cosh = graph.unary(UnaryOp::Cosh, a);
            graph.mul(seed, cosh)
        }
        UnaryOp::Cosh => {
            let sinh = graph.unary(UnaryOp::Sinh, a);
            graph.mul(seed, sinh)
        }
        UnaryOp::Tanh => {
            let partial = one_minus_square(graph, id);
            graph.mul(seed, partial)
        }
        UnaryOp::Abs => {
            let sign = graph.unary(UnaryOp::Sign, a);
            graph.mul(seed, sign)
        }
        UnaryOp::Sign => graph.number(0.0),
    }
}

/// (1−a)(1+a).
fn one_minus_square(graph: &mut Graph, a: NodeId) -> NodeId {
    let one = graph.number(1.0);
    let (less, more) = (graph.sub(one, a), graph.add(one, a));
    graph.mul(less, more)
}

fn chain_binary(
    graph: &mut Graph,
    op: BinaryOp,
    id: NodeId,
    (a, b): (NodeId, NodeId),
    slot: usize,
    seed: NodeId,
) -> NodeId {
    let first = slot == 0;
    match op {
        BinaryOp::Add => seed,
        BinaryOp::Sub => {
            if first {
                seed
            } else {
                graph.neg(seed)
            }
        }
        BinaryOp::Mul => graph.mul(seed, if first { b } else { a }),
        BinaryOp::Div => {
            let over = graph.div(seed, b);
            if first {
                over
            } else {
                let product = graph.mul(over, id);
                graph.neg(product)
            }
        }
        BinaryOp::Pow => {
            let partial = if first { power_in_base(graph, a, b) } else { power_in_exponent(graph, id, a) };
            graph.mul(seed, partial)
        }
        BinaryOp::Atan2 => {
            // ∂/∂y = x/(x²+y²), ∂/∂x = −y/(x²+y²), with (y, x) = (a, b).
            let (aa, bb) = (graph.powi(a, 2), graph.powi(b, 2));
            let sum = graph.add(aa, bb);
            let over = graph.div(seed, sum);
            if first {
                graph.mul(over, b)
            } else {
                let product = graph.mul(over, a);
                graph.neg(product)
            }
        }
        BinaryOp::Min | BinaryOp::Max => {
            let zero = graph.number(0.0);
            let (low, high) = if op == BinaryOp::Min { (a, b) } else { (b, a) };
            if first { graph.select(low, high, seed, zero) } else { graph.select(low, high, zero, seed) }
        }
    }
}

/// ∂aᵇ/∂a = b·aᵇ⁻¹, with 0 where a = 0 and b < 1.
fn power_in_base(graph: &mut Graph, a: NodeId, b: NodeId) -> NodeId {
    let (zero, one) = (graph.number(0.0), graph.number(1.0));
    let lower = graph.sub(b, one);
    let lower = graph.pow(a, lower);
    let partial = graph.mul(b, lower);
    let at_zero = graph.select(one, b, partial, zero);
    let size = graph.unary(UnaryOp::Abs, a);
    graph.select(size, zero, at_zero, partial)
}

/// ∂aᵇ/∂b = aᵇ·log(a), with 0 where a = 0.
fn power_in_exponent(graph: &mut Graph, id: NodeId, a: NodeId) -> NodeId {
    let zero = graph.number(0.0);
    let log = graph.unary(UnaryOp::Log, a);
    let partial = graph.mul(id, log);
    let size = graph.unary(UnaryOp::Abs, a);
    graph.select(size, zero, zero, partial)
}

#[cfg(test)]
#[path = "diff_tests.rs"]
mod tests;
