//! Exponentials of sums over a grid: exp(a + b) with a of one axis and b of another is a product of a factor for each
//! column and one for each row, so that a grid of m × n points takes m + n exponentials in the place of m·n.
//!
//! This is the rewrite [`Rewrite::GridExponential`](super::Rewrite::GridExponential).

use super::graph::{Graph, Node, NodeId};
use super::ops::{BinaryOp, UnaryOp};

/// Which inputs a node depends on: bit k for input k.
pub(crate) type Inputs = u64;

/// Terms of a sum, each with the inputs that it depends on; no two depend on the same ones.
type Terms = Vec<(Inputs, NodeId)>;

/// Sums of more kinds of terms than this are left as they are: no grid has so many axes that it would pay.
const MOST_TERMS: usize = 4;

/// For every node of the graph the inputs that it depends on; those beyond the 63rd count as one.
pub(crate) fn inputs_of(graph: &Graph) -> Vec<Inputs> {
    let mut all: Vec<Inputs> = Vec::with_capacity(graph.len());
    for index in 0..graph.len() {
        let node = graph.node(NodeId(index as u32));
        let own = match node {
            Node::Input(input) => 1 << input.min(63),
            _ => 0,
        };
        all.push(node.arguments().fold(own, |inputs, argument| inputs | all[argument.index()]));
    }
    all
}

/// Rewrites what the outputs need, adding to the graph, and gives the new outputs in the same order.
pub(crate) fn separate_exponentials(graph: &mut Graph, outputs: &[NodeId]) -> Vec<NodeId> {
    let reached = graph.reachable(outputs);
    let count = reached.len();
    let mut map: Vec<NodeId> = (0..count as u32).map(NodeId).collect();
    let mut inputs = inputs_of(graph);
    let mut terms: Vec<Terms> = vec![Terms::new(); count];
    for index in (0..count).filter(|&index| reached[index]) {
        let node = graph.node(NodeId(index as u32));
        map[index] = match node {
            Node::Unary(UnaryOp::Exp, a) if are_apart(&terms[a.index()]) => {
                let (fixed, mut varying): (Terms, Terms) =
                    terms[a.index()].iter().partition(|(inputs, _)| *inputs == 0);
                if let (Some(&(_, constant)), Some((_, first))) = (fixed.first(), varying.first_mut()) {
                    *first = graph.add(*first, constant);
                }
                let factors: Vec<NodeId> = varying.iter().map(|&(_, term)| graph.unary(UnaryOp::Exp, term)).collect();
                factors.into_iter().reduce(|a, b| graph.mul(a, b)).unwrap_or(map[index])
            }
            _ => graph.rebuild(node, |id| map[id.index()]),
        };
        let own = vec![(inputs[index], map[index])];
        terms[index] = terms_of(graph, node, (&map, &inputs[..count], &terms)).unwrap_or(own);
        inputs.truncate(count);
    }
    outputs.iter().map(|id| map[id.index()]).collect()
}

/// Whether there are terms of several axes, and none of two: then each has a grid line of its own. A term of no input goes
/// with the first.
fn are_apart(terms: &Terms) -> bool {
    let varying = || terms.iter().filter(|(inputs, _)| *inputs != 0);
    let mut seen = 0;
    let apart = varying().all(|(inputs, _)| {
        let new = seen & inputs == 0;
        seen |= inputs;
        new
    });
    apart && varying().count() > 1
}

/// The terms of a sum, a difference, or one of them times or over something that depends on no input; `None` where the node
/// is none of these, or has but one term.
fn terms_of(graph: &mut Graph, node: Node, (map, inputs, terms): (&[NodeId], &[Inputs], &[Terms])) -> Option<Terms> {
    let of = |id: NodeId| &terms[id.index()];
    let is_fixed = |id: NodeId| inputs[id.index()] == 0;
    let all: Terms = match node {
        Node::Unary(UnaryOp::Neg, a) => of(a).iter().map(|&(inputs, term)| (inputs, graph.neg(term))).collect(),
        Node::Binary(BinaryOp::Mul, a, b) if is_fixed(a) != is_fixed(b) => {
            let (fixed, sum) = if is_fixed(a) { (a, b) } else { (b, a) };
            of(sum).iter().map(|&(inputs, term)| (inputs, graph.mul(map[fixed.index()], term))).collect()
        }
        Node::Binary(BinaryOp::Div, a, b) if is_fixed(b) => {
            of(a).iter().map(|&(inputs, term)| (inputs, graph.div(term, map[b.index()]))).collect()
        }
        Node::Binary(op @ (BinaryOp::Add | BinaryOp::Sub), a, b) => {
            let mut all = of(a).clone();
            for &(inputs, term) in of(b) {
                let signed = if op == BinaryOp::Sub { graph.neg(term) } else { term };
                match all.iter_mut().find(|(others, _)| *others == inputs) {
                    Some((_, sum)) => *sum = graph.add(*sum, signed),
                    None => all.push((inputs, signed)),
                }
            }
            all
        }
        _ => return None,
    };
    ((2..=MOST_TERMS).contains(&all.len())).then_some(all)
}
