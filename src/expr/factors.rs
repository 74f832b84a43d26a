//! Functions on a grid as sums of products F·G, F a factor along one axis and G one across it: sums over the grid of such
//! functions, and of products of two, are products of sums over a line each.
//!
//! This is what the rewrite [`Rewrite::GridSums`](super::Rewrite::GridSums) stands on.

use super::graph::{Graph, Node, NodeId};
use super::ops::{BinaryOp, UnaryOp};
use super::separate::{Inputs, inputs_of};

/// Functions of more terms than this are left whole: with t terms a sum of products of two takes up to t² products.
const MOST_TERMS: usize = 3;

/// Functions as sums of products.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Factors {
    /// The factors that vary along the axis, or not at all.
    pub(crate) along: Vec<NodeId>,
    /// The factors that vary across it, or not at all.
    pub(crate) across: Vec<NodeId>,
    /// Of each function its terms: which of `along`, and which of `across`.
    pub(crate) functions: Vec<Vec<(usize, usize)>>,
}

/// A product of what varies nowhere, along the axis and across it; `None` for 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Term {
    fixed: Option<NodeId>,
    along: Option<NodeId>,
    across: Option<NodeId>,
}

impl Term {
    /// Part by part.
    fn with(self, other: Self, mut join: impl FnMut(Option<NodeId>, Option<NodeId>) -> Option<NodeId>) -> Self {
        Self {
            fixed: join(self.fixed, other.fixed),
            along: join(self.along, other.along),
            across: join(self.across, other.across),
        }
    }

    fn times(self, other: Self, graph: &mut Graph) -> Self {
        self.with(other, |a, b| match (a, b) {
            (Some(a), Some(b)) => Some(graph.mul(a, b)),
            (one, other) => one.or(other),
        })
    }

    fn over(self, other: Self, graph: &mut Graph) -> Self {
        self.with(other, |a, b| b.map_or(a, |b| Some(quotient(graph, a, b))))
    }

    fn negative(self, graph: &mut Graph) -> Self {
        let one = graph.number(1.0);
        Self { fixed: Some(graph.neg(self.fixed.unwrap_or(one))), ..self }
    }
}

fn quotient(graph: &mut Graph, a: Option<NodeId>, b: NodeId) -> NodeId {
    let one = graph.number(1.0);
    graph.div(a.unwrap_or(one), b)
}

/// The functions with their factors, which are added to the graph: F of the inputs `along`, G of all others. `None` where one
/// of them is no sum of a few such products, or a factor has a constant that f32 cannot hold, as (10¹⁰·xy)⁴ has.
pub(crate) fn factors(graph: &mut Graph, functions: &[NodeId], along: Inputs) -> Option<Factors> {
    let reached = graph.reachable(functions);
    let inputs = inputs_of(graph);
    let mut terms: Vec<Option<Vec<Term>>> = vec![None; reached.len()];
    for index in (0..reached.len()).filter(|&index| reached[index]) {
        let id = Some(NodeId(index as u32));
        let none = Term { fixed: None, along: None, across: None };
        terms[index] = match inputs[index] {
            0 => Some(vec![Term { fixed: id, ..none }]),
            own if own & !along == 0 => Some(vec![Term { along: id, ..none }]),
            own if own & along == 0 => Some(vec![Term { across: id, ..none }]),
            _ => terms_of(graph, index, &terms),
        };
    }
    let found: Option<Vec<Vec<Term>>> = functions.iter().map(|id| terms[id.index()].clone()).collect();
    let found = gathered(graph, &found?);
    let factors: Vec<NodeId> = found.along.iter().chain(&found.across).copied().collect();
    graph.check_range_f32(&factors).is_ok().then_some(found)
}

/// The terms of a node of both kinds of inputs from those of its arguments.
fn terms_of(graph: &mut Graph, index: usize, terms: &[Option<Vec<Term>>]) -> Option<Vec<Term>> {
    let of = |id: NodeId| terms[id.index()].as_deref();
    let mut found = Vec::new();
    match graph.node(NodeId(index as u32)) {
        Node::Unary(UnaryOp::Neg, a) => of(a)?.iter().for_each(|term| found.push(term.negative(graph))),
        Node::Binary(op @ (BinaryOp::Add | BinaryOp::Sub), a, b) => {
            found.extend_from_slice(of(a)?);
            for &term in of(b)? {
                let signed = if op == BinaryOp::Sub { term.negative(graph) } else { term };
                join(graph, &mut found, signed);
            }
        }
        Node::Binary(BinaryOp::Mul, a, b) => multiply(graph, of(a)?, of(b)?, &mut found),
        Node::PowInt(a, 2) => multiply(graph, of(a)?, of(a)?, &mut found),
        Node::PowInt(a, n) => {
            let &[term] = of(a)? else { return None };
            found.push(term.with(term, |a, _| a.map(|a| graph.powi(a, n))));
        }
        Node::Binary(BinaryOp::Div, a, b) => {
            let &[divisor] = of(b)? else { return None };
            of(a)?.iter().for_each(|term| found.push(term.over(divisor, graph)));
        }
        _ => return None,
    }
    (1..=MOST_TERMS).contains(&found.len()).then_some(found)
}

fn multiply(graph: &mut Graph, a: &[Term], b: &[Term], found: &mut Vec<Term>) {
    for term in a {
        for other in b {
            let product = term.times(*other, graph);
            join(graph, found, product);
        }
    }
}

/// One term more, or more of one that is there already.
fn join(graph: &mut Graph, found: &mut Vec<Term>, term: Term) {
    match found.iter_mut().find(|other| (other.along, other.across) == (term.along, term.across)) {
        Some(other) => {
            let one = graph.number(1.0);
            other.fixed = Some(graph.add(other.fixed.unwrap_or(one), term.fixed.unwrap_or(one)));
        }
        None => found.push(term),
    }
    // As xy − xy of (x + y)(x − y).
    found.retain(|term| term.fixed.and_then(|id| graph.constant(id)) != Some(0.0));
}

/// What varies nowhere goes with the factor of a term that fewer terms have, so that there are few factors; and no sum is of
/// factors without it, which could be far from 1 where their product is not.
fn gathered(graph: &mut Graph, functions: &[Vec<Term>]) -> Factors {
    let all = || functions.iter().flatten();
    let mut found = Factors { along: Vec::new(), across: Vec::new(), functions: Vec::new() };
    let one = graph.number(1.0);
    for terms in functions {
        let mut places = Vec::new();
        for term in terms {
            let with_along = all().filter(|other| other.along == term.along).count();
            let with_across = all().filter(|other| other.across == term.across).count();
            let mut pair = [term.along.unwrap_or(one), term.across.unwrap_or(one)];
            if let Some(fixed) = term.fixed {
                let less = usize::from(with_across < with_along);
                pair[less] = graph.mul(pair[less], fixed);
            }
            places.push((place(&mut found.along, pair[0]), place(&mut found.across, pair[1])));
        }
        found.functions.push(places);
    }
    found
}

fn place(factors: &mut Vec<NodeId>, factor: NodeId) -> usize {
    factors.iter().position(|&other| other == factor).unwrap_or_else(|| {
        factors.push(factor);
        factors.len() - 1
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::Tape;
    use crate::expr::separate::{separate_exponentials, tests::lower, tests::lowered};
    use proptest::prelude::*;

    /// A function of parameters a, b and inputs x, y, its exponentials separated.
    fn separated(text: &str) -> (Graph, NodeId) {
        let (mut graph, output) = lowered(text);
        let output = separate_exponentials(&mut graph, &[output])[0];
        (graph, output)
    }

    /// The number of terms, and at a point the function, the sum of its terms, and the sum of their moduli.
    fn at(text: &str, theta: [f64; 2], x: [f64; 2]) -> Option<(usize, [f64; 3])> {
        let (mut graph, function) = separated(text);
        let Factors { along, across, functions } = factors(&mut graph, &[function], 1)?;
        let outputs: Vec<NodeId> = [function].into_iter().chain(along.clone()).chain(across.clone()).collect();
        let inputs = inputs_of(&graph);
        assert!(
            along.iter().all(|id| inputs[id.index()] & !1 == 0) && across.iter().all(|id| inputs[id.index()] & 1 == 0)
        );
        let mut values = vec![0.0; outputs.len()];
        Tape::new(&graph, &outputs).evaluate(&theta, &x, &mut Vec::new(), &mut values);
        let term = |&(f, g): &(usize, usize)| values[1 + f] * values[1 + along.len() + g];
        let terms: Vec<f64> = functions[0].iter().map(term).collect();
        Some((terms.len(), [values[0], terms.iter().sum(), terms.iter().map(|term| term.abs()).sum()]))
    }

    /// Functions, and of how many terms they are.
    const SEPARABLE: [(&str, usize); 11] = [
        ("a*b", 1),
        ("x*y", 1),
        ("a*exp(-((x - a)**2 + (y - b)**2)/(2*b*b))", 1),
        ("exp(x - y)*((x - a)**2 + (y - b)**2)/b**3", 2),
        ("a*x + b*y", 2),
        ("(x + y)**2", 3),
        ("(x + y)*(x - y)", 2),
        ("(a*x*y)**3", 1),
        ("-(x*y)/(b*(3 + x)*(1 + y*y))", 1),
        ("cos(a*x)*sin(b*y)", 1),
        ("3*(x*y) - b*(x*y)", 1),
    ];

    #[test]
    fn functions_are_sums_of_as_few_products_as_they_have() {
        for (text, terms) in SEPARABLE {
            assert_eq!(at(text, [1.5, 0.75], [0.3, 0.6]).map(|(found, _)| found), Some(terms), "{text}");
        }
    }

    #[test]
    fn what_is_no_sum_of_a_few_products_or_no_number_of_f32_is_left_whole() {
        for text in [
            "sqrt(x*x + y*y)",
            "1/(x + y)",
            "cos(x + y)",
            "(x + y)**3",
            "(x + y)**2*(x - a*y)",
            "max(x, y)",
            "(x*y*1e10)**4",
        ] {
            assert_eq!(at(text, [1.5, 0.75], [0.3, 0.6]), None, "{text}");
        }
    }

    #[test]
    fn what_varies_nowhere_goes_where_it_makes_no_factor_more() {
        let (mut graph, e) = separated("exp(-(x - a)**2 - (y - b)**2)");
        let [v, u] = ["b*(y - b)", "a*(x - a)"].map(|text| lower(&mut graph, text));
        let a = graph.parameter(0);
        let by_hand = [e, graph.mul(e, u), graph.mul(e, v)];
        let scaled = graph.mul(by_hand[1], a);
        let found = factors(&mut graph, &[by_hand[0], by_hand[1], scaled, by_hand[2]], 1).unwrap();
        // X, Xu and Xua along; Y and Yv across.
        assert_eq!((found.along.len(), found.across.len()), (3, 2));
        assert_eq!(found.functions, [vec![(0, 0)], vec![(1, 0)], vec![(2, 0)], vec![(0, 1)]]);
    }

    proptest! {
        /// Each of the two ways is off by a rounding of half ε an operation, at most 20 of them, of what it adds up: five
        /// times the moduli of the terms where 3 − b ≥ 1 was 3 and −b of up to 2, and these otherwise. Exponents of up to
        /// 2·4²/(2·0.25²) = 256, which are off by 6 roundings of them, add as much to their exponentials.
        #[test]
        fn the_sum_of_the_products_is_the_function(
            x in -2.0..2.0f64, y in -2.0..2.0f64, a in -2.0..2.0f64, b in 0.25..2.0f64
        ) {
            for (text, _) in SEPARABLE {
                let (_, [function, sum, moduli]) = at(text, [a, b], [x, y]).unwrap();
                let most = 2.0 * (20.0 * 5.0 + 6.0 * 256.0) * (0.5 * f64::EPSILON) * moduli;
                prop_assert!((function - sum).abs() <= most, "{text}: {function} and {sum}");
            }
        }
    }
}
