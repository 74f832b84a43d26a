//! The NIST problems as the project holds them agree with what NIST certifies of them.

#[path = "data/nist.rs"]
mod nist;

use natgrad::expr::{Ast, Graph, Symbol, Tape};
use nist::Problem;

/// The residual sum of squares at these parameters, in f64, with the model as its text says.
fn residual_sum_of_squares(problem: &Problem, parameters: &[f64]) -> f64 {
    let place = |names: &[String], name: &str| names.iter().position(|n| n == name).map(|k| k as u32);
    let mut resolve = |name: &str| {
        let parameter = place(&problem.parameters, name).map(Symbol::Parameter);
        parameter.or_else(|| place(&problem.inputs, name).map(Symbol::Input))
    };
    let mut graph = Graph::new();
    let node =
        Ast::parse(&problem.model).expect("an expression").lower(&mut graph, &mut resolve, &[]).expect("known names");
    let tape = Tape::new(&graph, &[node]);

    let inputs: Vec<&str> = problem.inputs.iter().map(String::as_str).collect();
    let bound = problem.data().bind(&inputs).expect("numbers");
    let (mut scratch, mut value) = (Vec::new(), [0.0]);
    (0..bound.rows())
        .map(|row| {
            let inputs: Vec<f64> = bound.inputs.iter().map(|column| column.get(row)).collect();
            tape.evaluate(parameters, &inputs, &mut scratch, &mut value);
            (value[0] - bound.response.get(row)).powi(2)
        })
        .sum()
}

#[test]
fn there_are_eighteen_problems_each_of_one_piece() {
    let problems = nist::problems();
    assert_eq!(problems.len(), 18);
    for problem in problems {
        let p = problem.parameters.len();
        for values in [&problem.start1, &problem.start2, &problem.certified, &problem.standard_deviations] {
            assert_eq!(values.len(), p, "{}", problem.name);
        }
        assert_eq!(problem.data().rows(), problem.observations, "{}", problem.name);
        assert_eq!(problem.degrees_of_freedom, problem.observations - p, "{}", problem.name);
        // s² = RSS / (n - p), both printed to 11 digits: half a unit of the last is 5e-11 at most, relatively; once
        // for the sum of squares and twice for the squared deviation.
        let square = problem.residual_standard_deviation.powi(2) * problem.degrees_of_freedom as f64;
        let error = (square / problem.residual_sum_of_squares - 1.0).abs();
        assert!(error < 1.5e-10, "{}: {error:e}", problem.name);
    }
}

/// The certified sum of squares is printed to 11 digits, so rounded by 5e-11 of itself at most; the rounding of the
/// certified parameters enters in second order only, since the sum is at its minimum there. Twice the rounding is
/// allowed.
#[test]
fn the_models_reproduce_the_certified_residual_sums_of_squares() {
    for problem in nist::problems().iter().filter(|problem| problem.name != "Lanczos1") {
        let found = residual_sum_of_squares(problem, &problem.certified);
        let error = (found / problem.residual_sum_of_squares - 1.0).abs();
        assert!(error < 1e-10, "{}: {found:e}, relative error {error:e}", problem.name);
    }
}

/// Lanczos1's residuals are 1e-13, below what its parameters say when rounded to 11 digits: half a unit of the last
/// is 5e-13 in b1, 5e-12 in b3 and 5e-11 in b2, b4, b5, b6; with |∂f/∂b| at most 1 for b1, b3, b5 and b/(e·rate) for
/// the rates b2, b4, b6 (0.035, 0.106, 0.115) each residual moves by up to 6.9e-11, and 24 squares make 1.2e-19.
#[test]
fn lanczos1_is_as_near_as_its_printed_parameters_allow() {
    let problems = nist::problems();
    let problem = problems.iter().find(|problem| problem.name == "Lanczos1").unwrap();
    let found = residual_sum_of_squares(problem, &problem.certified);
    assert!(found < 1.2e-19, "{found:e}");
}

/// Every start is a start: farther from the data than the certified answer.
#[test]
fn the_starts_fit_worse_than_the_certified_parameters() {
    for problem in nist::problems() {
        for start in [&problem.start1, &problem.start2] {
            let found = residual_sum_of_squares(&problem, start);
            assert!(found > 1.01 * problem.residual_sum_of_squares, "{}: {found:e}", problem.name);
        }
    }
}
