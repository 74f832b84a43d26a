use proptest::prelude::*;

use super::*;
use crate::expr::{Ast, Symbol, Tape};

/// A graph with one expression in parameters a (0), b (1), c (2) and input x.
fn build(text: &str) -> (Graph, NodeId) {
    let mut graph = Graph::new();
    let mut resolve = |name: &str| match name {
        "a" => Some(Symbol::Parameter(0)),
        "b" => Some(Symbol::Parameter(1)),
        "c" => Some(Symbol::Parameter(2)),
        "x" => Some(Symbol::Input(0)),
        _ => None,
    };
    let id = Ast::parse(text).unwrap().lower(&mut graph, &mut resolve, &[]).unwrap();
    (graph, id)
}

fn run(graph: &Graph, outputs: &[NodeId], at: [f64; 3], x: f64) -> Vec<f64> {
    let (mut scratch, mut out) = (Vec::new(), vec![0.0; outputs.len()]);
    Tape::new(graph, outputs).evaluate(&at, &[x], &mut scratch, &mut out);
    out
}

/// The derivatives of `text` in a, b and c, at a point.
fn derivatives(text: &str, at: [f64; 3], x: f64) -> Vec<f64> {
    let (mut graph, f) = build(text);
    let gradient = gradient(&mut graph, f, 3);
    run(&graph, &gradient, at, x)
}

/// Checks every derivative of node `f` against central differences.
///
/// With step h the difference has the truncation error h²|f‴|/6 and the rounding error ε·|f|·k/h, k counting the
/// condition of the function (values of at most some tens here, in smooth regions). At h = 2⁻¹⁷ ≈ 7.6e-6 that is
/// 1e-11·|f‴| + 3e-11·k|f|. Richardson's combination of h and 2h removes the first: what is left is of the size of
/// the rounding error, for which 1e-8·(1 + |f| + |f′|) leaves room for k up to a hundred.
fn agrees_with_differences(graph: &mut Graph, f: NodeId, at: [f64; 3], x: f64) -> Result<(), TestCaseError> {
    let exact = gradient(graph, f, 3);
    let exact = run(graph, &exact, at, x);
    let value = run(graph, &[f], at, x)[0];
    for k in 0..3 {
        let difference = |h: f64| {
            let (mut up, mut down) = (at, at);
            up[k] += h;
            down[k] -= h;
            (run(graph, &[f], up, x)[0] - run(graph, &[f], down, x)[0]) / (up[k] - down[k])
        };
        let h = 2f64.powi(-17);
        let estimate = (4.0 * difference(h) - difference(2.0 * h)) / 3.0;
        let bound = 1e-8 * (1.0 + value.abs() + exact[k].abs());
        prop_assert!(
            (exact[k] - estimate).abs() <= bound,
            "derivative {k} is {} and by differences {estimate}",
            exact[k]
        );
    }
    Ok(())
}

/// Every function, with arguments that stay inside its domain for a, b, c and x in [0.3, 0.7].
const SMOOTH: [&str; 38] = [
    "a + b*x",
    "a - b",
    "-a*b",
    "a/b",
    "x/(a+b)",
    "exp(a*x)",
    "log(a*b)",
    "log2(a + x)",
    "log10(a*x)",
    "sqrt(a*b)",
    "sin(a*b)",
    "cos(a - x)",
    "tan(a*b)",
    "asin(a*x)",
    "acos(a*x)",
    "atan(a/b)",
    "sinh(a*b)",
    "cosh(a*b)",
    "tanh(a - 2*b)",
    "abs(a - 2)",
    "abs(a + 2)",
    "sign(a - 2)*b",
    "atan2(a, b)",
    "atan2(a - 1, x - b - 1)",
    "min(a, b + 1)",
    "max(a, b + 1)",
    "max(a, b + 1, c*x)*c",
    "a**b",
    "a**x",
    "x**a",
    "(a - 1)**2",
    "(a - 1)**3.0",
    "(a - 1)**-3",
    "a**0.5",
    "a**1.7",
    "a**-0.3",
    "(a*x)**(b - c)",
    "pow(a + b, c)",
];

const MODELS: [&str; 8] = [
    "a*(1 - exp(-b*x))",
    "a*(x**2+x*b)/(x**2+x*c+a)",
    "exp(-a*x)/(b+c*x)",
    "a - b*x*exp(-c*x)",
    "a*exp(-(x-b)**2/(2*c**2))",
    "a/(1+exp(b-c*x))",
    "a/((1+exp(b-c*x))**(1/b))",
    "a - b*x - atan(c/(x-a))/pi",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn first_derivatives_agree_with_differences(
        at in prop::array::uniform3(0.3..0.7f64), x in 0.3..0.7f64,
    ) {
        for text in SMOOTH.iter().chain(&MODELS) {
            // atan has its pole at x = a, where differences mean nothing.
            prop_assume!((x - at[0]).abs() > 0.02);
            let (mut graph, f) = build(text);
            agrees_with_differences(&mut graph, f, at, x).map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        }
    }

    #[test]
    fn second_derivatives_agree_with_differences_of_the_first(
        at in prop::array::uniform3(0.3..0.7f64), x in 0.3..0.7f64,
    ) {
        prop_assume!((x - at[0]).abs() > 0.05);
        for text in SMOOTH.iter().chain(&MODELS) {
            let (mut graph, f) = build(text);
            for first in gradient(&mut graph, f, 3) {
                agrees_with_differences(&mut graph, first, at, x)
                    .map_err(|error| TestCaseError::fail(format!("second derivative of {text}: {error}")))?;
            }
        }
    }

    #[test]
    fn forward_and_reverse_derivatives_agree(at in prop::array::uniform3(0.3..0.7f64), x in 0.3..0.7f64) {
        for text in SMOOTH.iter().chain(&MODELS) {
            let (mut graph, f) = build(text);
            let reached = graph.reachable(&[f]);
            let depends = graph.dependent_on(|node| matches!(node, Node::Parameter(_)));
            let back = reverse(&mut graph, f, 3, &depends);
            let ahead: Vec<NodeId> = (0..3).map(|p| forward(&mut graph, f, p, &reached)).collect();
            let (back, ahead) = (run(&graph, &back, at, x), run(&graph, &ahead, at, x));
            for (r, t) in back.iter().zip(&ahead) {
                // The same sum of products in another order: some tens of roundings, mild cancellation.
                prop_assert!((r - t).abs() <= 1e-12 * (1.0 + r.abs()), "{text}: {r} and {t}");
            }
        }
    }
}

#[test]
fn the_derivative_of_an_exponential_is_the_exponential_itself() {
    let (mut graph, f) = build("exp(a)");
    assert_eq!(gradient(&mut graph, f, 1), [f]);
}

#[test]
fn derivatives_share_what_the_value_has_computed() {
    let (mut graph, f) = build("a*(1 - exp(-b*x))");
    let mut outputs = gradient(&mut graph, f, 2);
    outputs.push(f);
    let exponentials = graph
        .reachable(&outputs)
        .iter()
        .enumerate()
        .filter(|(index, reached)| {
            **reached && matches!(graph.node(NodeId(*index as u32)), Node::Unary(UnaryOp::Exp, _))
        })
        .count();
    assert_eq!(exponentials, 1);
    // Leaves a, b, x; b·x, its negative, 1, exp, 1−exp, a·(1−exp); for the derivative in b: three more at most.
    let (once, per_row) = Tape::new(&graph, &outputs).operations();
    assert!(once + per_row <= 12, "{once} and {per_row}");
}

#[test]
fn all_derivatives_together_cost_a_few_operations_a_node() {
    // A chain of 200 functions with three parameters at its bottom: sixteen times that, forwards, for p = 16.
    let text = format!("{}a*x+b*x**2+c{}", "sin(".repeat(200), ")".repeat(200));
    let (mut graph, f) = build(&text);
    let gradient = gradient(&mut graph, f, 3);
    let (once, per_row) = Tape::new(&graph, &gradient).operations();
    assert!(once + per_row <= 3 * 200 + 20, "{once} and {per_row}");
}

#[test]
fn a_tie_takes_the_first_argument_and_a_kink_has_slope_zero() {
    let at = [0.5, 0.5, 2.0];
    assert_eq!(derivatives("min(a, b)", at, 0.0), [1.0, 0.0, 0.0]);
    assert_eq!(derivatives("max(a, b)", at, 0.0), [1.0, 0.0, 0.0]);
    assert_eq!(derivatives("max(b, a)", at, 0.0), [0.0, 1.0, 0.0]);
    assert_eq!(derivatives("abs(a - b)", at, 0.0), [0.0, 0.0, 0.0]);
    assert_eq!(derivatives("sign(a)*c", at, 0.0), [0.0, 0.0, 1.0]);
}

#[test]
fn the_branch_not_taken_cannot_spoil_the_derivative() {
    // 1/x is infinite at 0, its derivative NaN in parts; the minimum takes the other branch.
    assert_eq!(derivatives("min(a, b/x)", [2.0, 1.0, 0.0], 0.0), [1.0, 0.0, 0.0]);
    // The logarithm's argument is the guard.
    assert_eq!(derivatives("log(max(a, 0.25))", [-1.0, 0.0, 0.0], 0.0), [0.0, 0.0, 0.0]);
    assert_eq!(derivatives("max(1, b*exp(a))", [-1e4, 1e-3, 0.0], 0.0), [0.0, 0.0, 0.0]);
}

#[test]
fn squares_of_negative_numbers_have_their_derivatives() {
    for text in ["(x - a)**2", "(x - a)^2.0", "pow(x - a, 2)"] {
        assert_eq!(derivatives(text, [3.0, 0.0, 0.0], 1.0)[0], 4.0, "{text}");
    }
    assert_eq!(derivatives("(x - a)**-3", [3.0, 0.0, 0.0], 1.0)[0], 3.0 / 16.0);
}

#[test]
fn powers_and_roots_of_zero_have_the_derivative_that_the_model_has() {
    // Hill's and Weibull's curves at x = 0 are 0 whatever the parameters: so are their derivatives.
    for text in ["a*x**b", "(x/a)**b", "a*x**b/(c**b + x**b)", "sqrt(a*x)", "a*(b*x)**0.3", "1 - exp(-(x/a)**b)"] {
        for b in [0.5, 1.0, 1.5, 2.0] {
            assert_eq!(derivatives(text, [1.5, b, 0.7], 0.0), [0.0, 0.0, 0.0], "{text} with b = {b}");
        }
    }
    // Where the derivative is finite at zero it is what it is: d/da of a¹ and of a².
    assert_eq!(derivatives("a**b", [0.0, 1.0, 0.0], 0.0), [1.0, 0.0, 0.0]);
    assert_eq!(derivatives("a**b", [0.0, 2.0, 0.0], 0.0), [0.0, 0.0, 0.0]);
}

#[test]
fn a_power_of_a_negative_base_is_no_number_in_its_exponent() {
    let found = derivatives("a**b", [-1.0, 2.0, 0.0], 0.0);
    assert_eq!(found[0], -2.0);
    assert!(found[1].is_nan());
}

#[test]
fn a_wide_sum_and_a_deep_chain_are_differentiated_without_recursion() {
    let wide = vec!["a*x"; 20_000].join("+");
    assert_eq!(derivatives(&wide, [1.0, 0.0, 0.0], 3.0), [60_000.0, 0.0, 0.0]);
    let deep = format!("{}a{}", "abs(1+".repeat(100_000), ")".repeat(100_000));
    assert_eq!(derivatives(&deep, [1.0, 0.0, 0.0], 0.0), [1.0, 0.0, 0.0]);
    let choices = format!("{}a{}", "max(b,1+".repeat(20_000), ")".repeat(20_000));
    assert_eq!(derivatives(&choices, [1.0, 0.0, 0.0], 0.0), [1.0, 0.0, 0.0]);
}
