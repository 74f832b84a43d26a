use naga::valid::{Capabilities, ValidationFlags, Validator};

use super::*;
use crate::expr::{Ast, Rewrites, Symbol, gradient};

struct Plain;

impl Names for Plain {
    fn parameter(&self, index: u32) -> String {
        format!("data[{index}u]")
    }

    fn input(&self, index: u32) -> String {
        format!("data[8u + {index}u + row]")
    }
}

const STUBS: [(&str, usize); 16] = [
    ("ng_exp", 1),
    ("ng_log", 1),
    ("ng_log2", 1),
    ("ng_log10", 1),
    ("ng_sqrt", 1),
    ("ng_pow", 2),
    ("ng_sin", 1),
    ("ng_cos", 1),
    ("ng_tan", 1),
    ("ng_asin", 1),
    ("ng_acos", 1),
    ("ng_atan", 1),
    ("ng_atan2", 2),
    ("ng_sinh", 1),
    ("ng_cosh", 1),
    ("ng_tanh", 1),
];

/// The code in a small shader, with only those stubs that it says it calls.
fn wrap(code: &Code, scalar: &str) -> String {
    let mut text =
        format!("alias Real = {scalar};\n@group(0) @binding(0) var<storage, read_write> data: array<Real>;\n");
    for (name, arguments) in STUBS.iter().filter(|(name, _)| code.functions.contains(name)) {
        let second = if *arguments == 2 { ", b: Real" } else { "" };
        writeln!(text, "fn {name}(a: Real{second}) -> Real {{ return a; }}").unwrap();
    }
    text.push_str("@compute @workgroup_size(1) fn main() {\n");
    text.push_str(&code.hoisted);
    text.push_str("for (var row = 0u; row < 10u; row++) {\n");
    text.push_str(&code.body);
    for (index, result) in code.results.iter().enumerate() {
        writeln!(text, "data[100u + {index}u] = {result};").unwrap();
    }
    text.push_str("}\n}\n");
    text
}

fn check(code: &Code) {
    for scalar in ["f32", "f64"] {
        let text = wrap(code, scalar);
        let module =
            naga::front::wgsl::parse_str(&text).unwrap_or_else(|e| panic!("{}\n{text}", e.emit_to_string(&text)));
        let capabilities = if scalar == "f64" { Capabilities::FLOAT64 } else { Capabilities::empty() };
        Validator::new(ValidationFlags::all(), capabilities)
            .validate(&module)
            .unwrap_or_else(|e| panic!("{}\n{text}", e.emit_to_string(&text)));
    }
}

fn lower(text: &str, graph: &mut Graph) -> NodeId {
    let mut resolve = |name: &str| match name {
        "a" => Some(Symbol::Parameter(0)),
        "b" => Some(Symbol::Parameter(1)),
        "c" => Some(Symbol::Parameter(2)),
        "x" => Some(Symbol::Input(0)),
        _ => None,
    };
    Ast::parse(text).unwrap().lower(graph, &mut resolve, &[]).unwrap()
}

/// The code of a formula and its derivatives in a, b and c.
fn with_derivatives(text: &str, rewrites: Rewrites) -> Code {
    let mut graph = Graph::new();
    let f = lower(text, &mut graph);
    let mut outputs = vec![f];
    outputs.extend(gradient(&mut graph, f, 3));
    let outputs = rewrites.apply(&mut graph, &outputs);
    graph.check_range_f32(&outputs).unwrap();
    emit(&graph, &outputs, &Plain)
}

#[test]
fn every_function_and_its_derivatives_pass_the_validator_as_f32_and_as_f64() {
    for text in [
        "exp(a*x)",
        "log(a*x)",
        "log2(a*x)",
        "log10(a*x)",
        "sqrt(a*x)",
        "a**x",
        "x**b",
        "x**1.7",
        "sin(a*x)",
        "cos(a*x)",
        "tan(a*x)",
        "asin(a*x)",
        "acos(a*x)",
        "atan(a*x)",
        "atan2(a, x)",
        "atan2(a, -1)",
        "sinh(a*x)",
        "cosh(a*x)",
        "tanh(a*x)",
        "abs(a*x)",
        "sign(a*x)*b",
        "min(a, x, -1)",
        "max(0.1, b*x)",
        "(x - a)**-5",
        "1.5",
        "a",
        "-x",
        "x",
        "2 - -a*x",
        "1e-30*a + 3e30*x",
        "a**b",
        "(-2)**x*a",
        "a*0 + x/3 - 1/x",
    ] {
        for rewrites in [Rewrites::none(), Rewrites::all()] {
            check(&with_derivatives(text, rewrites));
        }
    }
}

#[test]
fn the_code_of_a_small_model_is_what_one_would_write() {
    let code = with_derivatives("a*(1 - exp(-b*x))", Rewrites::all());
    insta::assert_snapshot!(
        format!("{}--\n{}--\n{}\n{:?}", code.hoisted, code.body, code.results.join(" "), code.functions),
        @r#"
    let t0: Real = data[0u];
    let t1: Real = data[1u];
    --
    let t2: Real = data[8u + 0u + row];
    let t4: Real = t1 * t2;
    let t5: Real = -t4;
    let t6: Real = ng_exp(t5);
    let t7: Real = 1.0 - t6;
    let t8: Real = t0 * t7;
    let t10: Real = t0 * t6;
    let t11: Real = t2 * t10;
    --
    t8 t7 t11 Real(0.0)
    {"ng_exp"}
    "#
    );
}

#[test]
fn powers_are_products_and_share_their_squares() {
    let mut graph = Graph::new();
    let f = lower("x**4 + x**3 + x**-2", &mut graph);
    let code = emit(&graph, &[f], &Plain);
    assert!(code.functions.is_empty());
    // x², x⁴, x³.
    assert_eq!(code.body.matches(" * ").count(), 3, "{}", code.body);
    check(&code);
}

#[test]
fn literals_read_back_to_the_same_bits() {
    for value in [0.1, 1.0, 1e-7, 1e21, 123_456_789.125, std::f64::consts::PI, f64::from(f32::MAX), 1.1754944e-38] {
        let text = literal(value);
        assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits());
        assert!(text.contains(['.', 'e']), "{text} would be an integer");
        assert_eq!(literal(-value), format!("(-{text})"));
    }
}

#[test]
fn a_constant_without_a_value_is_refused_by_the_compiler_and_not_passed_over() {
    let mut graph = Graph::new();
    let f = lower("a*log(-1)", &mut graph);
    assert!(graph.check_range_f32(&[f]).is_err());
    let text = wrap(&emit(&graph, &[f], &Plain), "f32");
    assert!(naga::front::wgsl::parse_str(&text).is_err());
}

#[test]
fn long_code_is_three_lines_an_operation_and_each_line_is_short() {
    for terms in [10, 1_000, 100_000] {
        let mut graph = Graph::new();
        let sum = lower(&format!("{}x{}", "sin(a + b*".repeat(terms), ")".repeat(terms)), &mut graph);
        let code = emit(&graph, &[sum], &Plain);
        assert_eq!(code.body.lines().count(), 3 * terms + 1);
        assert!(code.body.lines().all(|line| line.len() < 60), "subexpressions are written out again");
    }
}

#[test]
fn operations_count_each_shared_subexpression_once_and_a_function_by_its_length() {
    let count = |text: &str| {
        let mut graph = Graph::new();
        let f = lower(text, &mut graph);
        operations(&graph, &[f])
    };
    assert_eq!((count("b"), count("3")), (0, 0));
    // A square is one product, a cube two.
    assert_eq!((count("b^2"), count("b^3"), count("-b")), (1, 2, 1));
    assert_eq!((count("exp(b)"), count("exp(b) + x*exp(b)"), count("b^x")), (40, 42, 100));
}

#[test]
fn a_tower_of_powers_with_its_derivative_grows_by_the_same_code_with_every_level() {
    let tower = |levels: usize| {
        let mut graph = Graph::new();
        let f = lower(&vec!["b"; levels].join("**"), &mut graph);
        let outputs = [vec![f], gradient(&mut graph, f, 2)].concat();
        (operations(&graph, &outputs), emit(&graph, &outputs, &Plain).hoisted.lines().count())
    };
    let (short, middle, long) = (tower(100), tower(500), tower(900));
    assert_eq!((long.0 - middle.0, long.1 - middle.1), (middle.0 - short.0, middle.1 - short.1));
    // A level: its own power and the one in its derivative, and 10 operations of arithmetic at most.
    assert!((900 * 200..=900 * 210).contains(&long.0), "{}", long.0);
}

/// Runs straight-line code in f64, reading each right side with the parser of expressions.
fn interpret(code: &Code, parameters: &[f64], input: f64) -> Vec<f64> {
    let mut values = std::collections::HashMap::new();
    let plain = |text: &str| text.replace("Real(", "(").replace("ng_", "");
    let evaluate = |text: &str, values: &std::collections::HashMap<String, f64>| {
        let mut graph = Graph::new();
        let mut resolve = |name: &str| values.get(name).copied().map(Symbol::Number);
        let id = Ast::parse(&plain(text)).unwrap().lower(&mut graph, &mut resolve, &[]).unwrap();
        graph.constant(id).unwrap()
    };
    for line in code.hoisted.lines().chain(code.body.lines()) {
        let (name, value) = line.strip_prefix("let ").and_then(|l| l.split_once(": Real = ")).unwrap();
        let value = value.strip_suffix(';').unwrap();
        let number = if let Some(inside) = value.strip_prefix("select(") {
            let mut parts = inside.strip_suffix(')').unwrap().split(", ");
            let (otherwise, then) = (parts.next().unwrap(), parts.next().unwrap());
            let (low, high) = parts.next().unwrap().split_once(" <= ").unwrap();
            let taken = evaluate(low, &values) <= evaluate(high, &values);
            evaluate(if taken { then } else { otherwise }, &values)
        } else if let Some(index) = value.strip_prefix("data[8u") {
            assert_eq!(index, " + 0u + row]");
            input
        } else if let Some(index) = value.strip_prefix("data[") {
            parameters[index.trim_end_matches("u]").parse::<usize>().unwrap()]
        } else {
            evaluate(value, &values)
        };
        assert!(values.insert(name.to_owned(), number).is_none(), "{name} is declared twice");
    }
    code.results.iter().map(|result| evaluate(result, &values)).collect()
}

#[test]
fn the_emitted_code_computes_what_the_tape_computes_to_the_bit() {
    for text in [
        "a*(1 - exp(-b*x))",
        "a*(x**2+x*b)/(x**2+x*c+a)",
        "a*exp(-(x-b)**2/(2*c**2))",
        "a/((1+exp(b-c*x))**(1/b))",
        "a - b*x - atan(c/(x-a))/pi",
        "sqrt(a*x) + a**b - (x-a)**-5 + x**1.7",
        "min(a, b*x, c) - max(x, sign(a - b)*abs(c)) + atan2(a, x)",
        "log(a*x) + log2(b) + log10(x) + tan(a) + asin(b*x/9) + acos(c/9) + sinh(a) + cosh(x) + tanh(b)",
        "x*0 + 3",
    ] {
        for rewrites in [Rewrites::none(), Rewrites::all()] {
            let mut graph = Graph::new();
            let f = lower(text, &mut graph);
            let mut outputs = vec![f];
            outputs.extend(gradient(&mut graph, f, 3));
            let outputs = rewrites.apply(&mut graph, &outputs);
            let code = emit(&graph, &outputs, &Plain);
            let tape = crate::expr::Tape::new(&graph, &outputs);
            for (parameters, x) in [([0.7, 0.4, 1.3], 0.9), ([2.5, -0.3, 0.2], -1.5), ([1.0, 1.0, 1.0], 1.0)] {
                let mut expected = [0.0; 4];
                tape.evaluate(&parameters, &[x], &mut Vec::new(), &mut expected);
                for (found, expected) in interpret(&code, &parameters, x).iter().zip(&expected) {
                    assert!(found == expected || (found.is_nan() && expected.is_nan()), "{text}: {found} {expected}");
                }
            }
        }
    }
}
