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

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::expr::unrolled::{Grid, GridNames, emit_rows};
    use crate::expr::{Ast, Rewrite, Symbol, Tape};
    use proptest::prelude::*;

    /// A function of parameters a, b and inputs x, y, in a graph of its own.
    pub(in crate::expr) fn lowered(text: &str) -> (Graph, NodeId) {
        let mut graph = Graph::new();
        let output = lower(&mut graph, text);
        (graph, output)
    }

    /// The same added to a graph.
    pub(in crate::expr) fn lower(graph: &mut Graph, text: &str) -> NodeId {
        let mut resolve = |name: &str| match name {
            "a" => Some(Symbol::Parameter(0)),
            "b" => Some(Symbol::Parameter(1)),
            "x" => Some(Symbol::Input(0)),
            "y" => Some(Symbol::Input(1)),
            _ => None,
        };
        Ast::parse(text).unwrap().lower(graph, &mut resolve, &[]).unwrap()
    }

    struct Plain;

    impl GridNames for Plain {
        fn parameter(&self, index: u32) -> String {
            format!("p{index}")
        }

        fn input(&self, index: u32, value: u32) -> String {
            format!("g{index}_{value}")
        }
    }

    /// Exponentials in the code for a grid of 5 columns and 4 rows, as written and separated.
    fn exponentials(text: &str) -> [usize; 2] {
        let (mut graph, output) = lowered(text);
        let grid = Grid::of(20, 2, |row, input| if input == 0 { (row % 5) as f64 } else { (row / 5) as f64 });
        let separated = separate_exponentials(&mut graph, &[output]);
        [vec![output], separated].map(|outputs| {
            emit_rows(&graph, &outputs, &grid, &Plain, |_, _| String::new()).text.matches("ng_exp(").count()
        })
    }

    #[test]
    fn a_grid_takes_an_exponential_for_each_column_and_each_row() {
        for sum in ["-((x - a)**2 + (y - b)**2)/(2*a*a)", "a*x - b*y", "x + a + y", "(x - a)/b - (y*y + y)"] {
            assert_eq!(exponentials(&format!("exp({sum})")), [20, 9], "{sum}");
        }
    }

    #[test]
    fn what_mixes_the_axes_or_lies_along_one_stays_as_it_is() {
        for (sum, count) in [("a*x*y", 20), ("(x + y)**2", 20), ("x + y + a*x*y", 20), ("a*x + b", 5), ("a - b", 1)] {
            assert_eq!(exponentials(&format!("exp({sum})")), [count; 2], "{sum}");
        }
    }

    proptest! {
        /// The product is within its bound of exp(a)·exp(b), and the exponential of the sum is off by half a unit for its own
        /// rounding and by |a + b|·u for that of the sum. Exponentials are good to a unit in f64 here.
        #[test]
        fn the_product_stays_in_its_bound(x in -9.0..9.0f64, y in -9.0..9.0f64, a in -3.0..3.0f64, b in -3.0..3.0f64) {
            let (mut graph, output) = lowered("exp(a*x + b*y)");
            let separated = separate_exponentials(&mut graph, &[output]);
            prop_assert!(separated != [output]);
            let mut out = [0.0; 2];
            let outputs = [output, separated[0]];
            Tape::new(&graph, &outputs).evaluate(&[a, b], &[x, y], &mut Vec::new(), &mut out);
            let units = f64::from(Rewrite::GridExponential.bound_ulps()) + 3.0 + (a * x + b * y).abs();
            prop_assert!((out[0] - out[1]).abs() <= units * f64::EPSILON * out[0], "{} and {}", out[0], out[1]);
        }
    }
}
