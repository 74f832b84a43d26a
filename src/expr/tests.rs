//! Text into expressions: precedence, errors and their places, depth, and a round trip through random trees.

use proptest::prelude::*;

use super::*;

/// The value of a text with x = 3, y = 0.5, parameters b1 = 2, b2 = −1, b3 = 0.25, b4 = 7.
fn value(text: &str) -> f64 {
    evaluate(text).unwrap_or_else(|error| panic!("{error}"))
}

fn evaluate(text: &str) -> Result<f64, ParseError> {
    let mut graph = Graph::new();
    let id = lower(text, &mut graph)?;
    let (mut scratch, mut out) = (Vec::new(), [0.0]);
    Tape::new(&graph, &[id]).evaluate(&[2.0, -1.0, 0.25, 7.0], &[3.0, 0.5], &mut scratch, &mut out);
    Ok(out[0])
}

fn lower(text: &str, graph: &mut Graph) -> Result<NodeId, ParseError> {
    let mut resolve = |name: &str| match name {
        "b1" => Some(Symbol::Parameter(0)),
        "b2" => Some(Symbol::Parameter(1)),
        "b3" => Some(Symbol::Parameter(2)),
        "b4" => Some(Symbol::Parameter(3)),
        "x" | "Time [s]" | "σ₁" | "a.b_c" => Some(Symbol::Input(0)),
        "y" => Some(Symbol::Input(1)),
        "k" => Some(Symbol::Number(10.0)),
        _ => None,
    };
    Ast::parse(text)?.lower(graph, &mut resolve, &["b1", "b2", "b3", "b4", "x", "y"])
}

fn message(text: &str) -> String {
    let error = evaluate(text).expect_err(text);
    assert!(!error.to_string().contains('\n'));
    error.to_string()
}

#[test]
fn precedence_and_association_follow_the_table() {
    let e = std::f64::consts::E;
    for (text, expected) in [
        ("1 + 2*3", 7.0),
        ("(1 + 2)*3", 9.0),
        ("10 - 4 - 3", 3.0),
        ("24/4/2", 3.0),
        ("24/4*2", 12.0),
        ("2**3**2", 512.0),
        ("2^3^2", 512.0),
        ("2^3**2", 512.0),
        ("(2**3)**2", 64.0),
        ("-x^2", -9.0),
        ("-x**2", -9.0),
        ("(-x)**2", 9.0),
        ("2^-x", 0.125),
        ("2**-x**2", 2f64.powi(-9)),
        ("2^-x*8", 1.0),
        ("2*-x", -6.0),
        ("2--x", 5.0),
        ("- - x", 3.0),
        ("---x", -3.0),
        ("+x", 3.0),
        ("-+-x", 3.0),
        ("-x*2 + 1", -5.0),
        ("x*-2^2", -12.0),
        ("1 - -x**2", 10.0),
        ("-2^0.5", -(2f64.sqrt())),
        ("x/-y", -6.0),
        ("1e-3*1.5E+3", 1.5),
        (".5 + 1.", 1.5),
        ("2*pi", 2.0 * std::f64::consts::PI),
        ("k*x", 30.0),
        ("\n x\t+ 1 ", 4.0),
        ("((((x))))", 3.0),
        ("`Time [s]` + `x`", 6.0),
        ("σ₁ + a.b_c", 6.0),
        ("exp(1)", e),
        ("ln(x) - log(x)", 0.0),
        ("log10(1000)", 3.0),
        ("log2(8)", 3.0),
        ("pow(x, 2)", 9.0),
        ("pow(2, x)", 8.0),
        ("(x - 5)**2", 4.0),
        ("(x - 5)**2.0", 4.0),
        ("(x - 5)**-3", -0.125),
        ("atan2(1, -1)", 0.75 * std::f64::consts::PI),
        ("min(x, y)", 0.5),
        ("max(x, y, 10, 4)", 10.0),
        ("min(x, y, -1, 4)", -1.0),
        ("sign(-x) + sign(0) + abs(-x)", 2.0),
        ("sqrt(x+1) + tanh(0) + cosh(0)", 3.0),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn textbook_models_agree_with_the_same_formula_in_rust() {
    let (x, y): (f64, f64) = (3.0, 0.5);
    let (b1, b2, b3, b4): (f64, f64, f64, f64) = (2.0, -1.0, 0.25, 7.0);
    for (text, expected) in [
        ("b1*(1-exp(-b2*x))", b1 * (1.0 - (-b2 * x).exp())),
        ("b1*(x**2+x*b2)/(x**2+x*b3+b4)", b1 * (x * x + x * b2) / (x * x + x * b3 + b4)),
        ("exp(-b1*x)/(b2+b3*x)", (-b1 * x).exp() / (b2 + b3 * x)),
        ("b1 - b2*x * exp(-b3*y)", b1 - b2 * x * (-b3 * y).exp()),
        ("b1*exp(-(x-b2)**2/b3**2)", b1 * (-((x - b2) * (x - b2)) / (b3 * b3)).exp()),
        ("b1*b3**x", b1 * b3.powf(x)),
        ("b1*(b4+x)**(-1/b3)", b1 * (b4 + x).powf(-4.0)),
        ("b1 - b2*x - atan(b3/(x-b4))/pi", b1 - b2 * x - (b3 / (x - b4)).atan() / std::f64::consts::PI),
        ("b1 + b2*cos(2*pi*x/12) + b3*sin( 2*pi*x/12 )", {
            let angle = 2.0 * std::f64::consts::PI * x / 12.0;
            b1 + b2 * angle.cos() + b3 * angle.sin()
        }),
        ("(b1/b2) * exp(-0.5*((x-b3)/b2)**2)", (b1 / b2) * (-0.5 * ((x - b3) / b2).powi(2)).exp()),
    ] {
        // A handful of operations in either order of association: a few units in the last place.
        let found = value(text);
        assert!((found - expected).abs() <= 8.0 * f64::EPSILON * expected.abs(), "{text}: {found} and {expected}");
    }
}

#[test]
fn names_come_once_each_in_order_with_their_places() {
    let ast = Ast::parse("b1*exp(x) + pi - `Time [s]`*b1 + x").unwrap();
    let names: Vec<_> = ast.names().collect();
    assert_eq!(names, [("b1", 0..2), ("x", 7..8), ("Time [s]", 17..27)]);
}

#[test]
fn errors_name_the_column_the_fault_and_the_mend() {
    for (text, expected) in [
        ("b1*exp(b7*x)", "column 8: unknown name \"b7\" in \"b1*exp(b7*x)\": did you mean \"b4\"?"),
        ("", "column 1: the expression is empty: write one such as b1*exp(-b2*x)"),
        ("  \t", "column 1: the expression is empty: write one such as b1*exp(-b2*x)"),
        ("b1*expp(x)", "column 4: unknown function \"expp\" in \"b1*expp(x)\": did you mean \"exp\"?"),
        ("b1(x)", "column 1: unknown function \"b1\" in \"b1(x)\": a product needs a \"*\" before the parenthesis"),
        ("(x + 1", "column 1: unbalanced \"(\" in \"(x + 1\": it is never closed"),
        ("2*exp(x", "column 3: unbalanced \"(\" in \"2*exp(x\": it is never closed"),
        ("x + 1)", "column 6: unbalanced \")\" in \"x + 1)\": it closes nothing"),
        ("x[1", "column 2: unbalanced \"[\" in \"x[1\": it is never closed"),
        ("(x]", "column 1: unbalanced \"(\" in \"(x]\": it is never closed"),
        ("x]", "column 2: unbalanced \"]\" in \"x]\": it closes nothing"),
        ("x y", "column 3: expected an operator but found \"y\" in \"x y\": write a product with \"*\""),
        ("2x", "column 2: expected an operator but found \"x\" in \"2x\": write a product with \"*\""),
        ("(x)(y)", "column 4: expected an operator but found \"(\" in \"(x)(y)\": write a product with \"*\""),
        ("x +", "column 4: expected a value but found the end of the text in \"x +\""),
        ("x + * y", "column 5: expected a value but found \"*\" in \"x + * y\""),
        ("()", "column 2: expected a value but found \")\" in \"()\""),
        (
            "exp + 1",
            "column 1: the function \"exp\" without its arguments in \"exp + 1\": \
          write exp(…), or `exp` in backticks for a column of that name",
        ),
        ("pow(x)", "column 1: pow takes 2 arguments but was given 1 in \"pow(x)\""),
        ("1 + exp(x, y)", "column 5: exp takes 1 argument but was given 2 in \"1 + exp(x, y)\""),
        ("atan2()", "column 1: atan2 takes 2 arguments but was given 0 in \"atan2()\""),
        ("x, y", "column 2: a comma outside a function's arguments in \"x, y\": write decimals with a point"),
        ("x # y", "column 3: unexpected character '#' in \"x # y\""),
        ("x² + 1", "column 2: unexpected character '²' in \"x² + 1\": write a power as x**2"),
        ("σ₁ − 1", "column 4: unexpected character '−' in \"σ₁ − 1\": write \"-\""),
        ("1e999*x", "column 1: \"1e999\" is no number that f64 can hold in \"1e999*x\": write one such as 1.5e-3"),
        ("x*.", "column 3: \".\" is no number that f64 can hold in \"x*.\": write one such as 1.5e-3"),
        ("`x", "column 1: a backtick without a name and its partner in \"`x\": write `a column's name`"),
        ("x + ``", "column 5: a backtick without a name and its partner in \"x + ``\": write `a column's name`"),
        ("q", "unknown name \"q\": known are b1, b2, b3, b4, x, y"),
        (
            "2*min(x)",
            "column 3: min(…) with one argument is a reduction over rows in \"2*min(x)\": \
             allowed in guesses, not in a model",
        ),
        ("mean(x)", "column 1: mean(…) is a reduction over rows in \"mean(x)\": allowed in guesses, not in a model"),
        ("b1*x[0]", "column 4: an index picks a row in \"b1*x[0]\": allowed in guesses, not in a model"),
    ] {
        assert_eq!(message(text), expected);
    }
}

#[test]
fn the_nearest_parameter_is_suggested_for_an_unknown_one() {
    let ast = Ast::parse("b1*exp(b4*x)").unwrap();
    let mut resolve = |name: &str| (name != "b4").then_some(Symbol::Number(1.0));
    let error = ast.lower(&mut Graph::new(), &mut resolve, &["b1", "b2", "b3", "x"]).unwrap_err();
    assert_eq!(error.to_string(), "column 8: unknown name \"b4\" in \"b1*exp(b4*x)\": did you mean \"b3\"?");
    assert_eq!((error.column(), error.span()), (8, 7..9));
    assert_eq!(error.pretty(), "b1*exp(b4*x)\n       ^^");
}

#[test]
fn columns_count_characters_and_long_texts_are_cut_round_the_fault() {
    let error = evaluate("σ₁ + zz").unwrap_err();
    assert_eq!((error.column(), error.span()), (6, 8..10));
    let text = format!("{}zz{}", "x + ".repeat(1000), " + x".repeat(1000));
    let error = evaluate(&text).unwrap_err();
    assert_eq!(error.column(), 4001);
    let pretty = error.pretty();
    let (line, carets) = pretty.split_once('\n').unwrap();
    let at = carets.chars().count() - 2;
    assert!(line.chars().skip(at).take(2).eq("zz".chars()), "{pretty}");
    assert!(line.chars().count() < 80 && error.to_string().chars().count() < 200);
}

#[test]
fn a_line_break_in_the_text_does_not_break_the_message() {
    assert_eq!(message("x +\n zz"), "column 6: unknown name \"zz\" in \"x +  zz\": known are b1, b2, b3, b4, x, y");
}

#[test]
fn expressions_and_errors_cross_threads() {
    fn check<T: Send + Sync + 'static>() {}
    check::<Ast>();
    check::<Expr>();
    check::<Graph>();
    check::<Tape>();
    check::<RowExpression>();
    check::<ParseError>();
    check::<RowError>();
    check::<RangeError>();
    check::<RewriteError>();
    check::<NameError>();
}

#[test]
fn reserved_names_are_refused_and_others_are_not() {
    for name in ["pi", "exp", "max", "mean", "ln", "", "a`b", "a\nb"] {
        let error = check_name(name).expect_err(name).to_string();
        assert!(!error.contains('\n'));
    }
    for name in ["b1", "x", "Time [s]", "e", "σ₁", "expo"] {
        assert_eq!(check_name(name), Ok(()));
    }
    assert_eq!(check_name("exp").unwrap_err().to_string(), "the name \"exp\" is taken by a function: choose another");
}

#[test]
fn any_depth_of_nesting_is_read_or_refused_without_a_stack_overflow() {
    let deep = 1_000_000;
    assert_eq!(value(&format!("{}x{}", "(".repeat(deep), ")".repeat(deep))), 3.0);
    let error = evaluate(&"(".repeat(deep)).unwrap_err();
    assert_eq!(error.column(), deep + 1);
    let error = evaluate(&format!("{}x", "(".repeat(deep))).unwrap_err();
    assert!(matches!(error.kind(), ParseErrorKind::Unclosed('(')));
    let error = evaluate(&format!("x{}", ")".repeat(deep))).unwrap_err();
    assert_eq!(error.column(), 2);
    assert_eq!(value(&format!("{}x", "-".repeat(deep))), 3.0);
    assert_eq!(value(&format!("{}x", "-".repeat(deep + 1))), -3.0);
    assert_eq!(value(&format!("{}x{}", "abs(-".repeat(deep), ")".repeat(deep))), 3.0);
    // 1 to any power is 1; the chain associates to the right.
    assert_eq!(value(&vec!["1"; deep].join("**")), 1.0);
    assert_eq!(value(&format!("x{}", "**y".repeat(100_000))), reference_tower(3.0, 0.5, 100_000));
    assert_eq!(value(&vec!["x"; 100_000].join("+")), 300_000.0);
    assert_eq!(value(&vec!["x*b1"; 100_000].join(" - ")), 6.0 - 6.0 * 99_999.0);
    assert_eq!(value(&format!("max({})", vec!["x"; 100_000].join(","))), 3.0);
    assert!(evaluate(&format!("x{}", "[0".repeat(deep))).is_err());
    let long = "x+".repeat(8 << 20) + "x";
    assert!(matches!(evaluate(&long).unwrap_err().kind(), ParseErrorKind::TooLong { .. }));
}

/// base**(y**(y**(…))) with `n` exponents, from the right.
fn reference_tower(base: f64, y: f64, n: usize) -> f64 {
    let mut tower = y;
    for _ in 1..n {
        tower = y.powf(tower);
    }
    base.powf(tower)
}

/// A tree for the round trip, with a printer and an evaluator of its own.
#[derive(Clone, Debug)]
enum Tree {
    Number(f64),
    Name(&'static str),
    Negative(Box<Tree>),
    Infix(Box<Tree>, char, Box<Tree>),
    Call(&'static str, Vec<Tree>),
}

impl Tree {
    /// Prints with the fewest parentheses that Python's rules need; `least` is the precedence the place asks for.
    fn print(&self, least: u8, out: &mut String) {
        let own = match self {
            Tree::Number(_) | Tree::Name(_) | Tree::Call(..) => 5,
            Tree::Infix(_, '^', _) => 4,
            Tree::Negative(_) => 3,
            Tree::Infix(_, '*' | '/', _) => 2,
            Tree::Infix(..) => 1,
        };
        if own < least {
            out.push('(');
        }
        match self {
            Tree::Number(value) => out.push_str(&format!("{value:?}")),
            Tree::Name(name) => out.push_str(name),
            Tree::Negative(a) => {
                out.push('-');
                a.print(3, out);
            }
            Tree::Infix(a, op, b) => {
                let (left, right) = match op {
                    '^' => (5, 3),
                    _ => (own, own + 1),
                };
                a.print(left, out);
                match op {
                    '^' => out.push_str("**"),
                    _ => out.push(*op),
                }
                b.print(right, out);
            }
            Tree::Call(name, arguments) => {
                out.push_str(name);
                for (index, argument) in arguments.iter().enumerate() {
                    out.push(if index == 0 { '(' } else { ',' });
                    argument.print(0, out);
                }
                out.push(')');
            }
        }
        if own < least {
            out.push(')');
        }
    }

    /// The value, and that of every part on the way.
    fn value(&self, parts: &mut Vec<f64>) -> f64 {
        let value = match self {
            Tree::Number(value) => *value,
            Tree::Name(name) => match *name {
                "b1" => 2.0,
                "b2" => -1.0,
                "b3" => 0.25,
                "x" => 3.0,
                _ => 0.5,
            },
            Tree::Negative(a) => -a.value(parts),
            Tree::Infix(a, op, b) => {
                let (a, b) = (a.value(parts), b.value(parts));
                match op {
                    '+' => a + b,
                    '-' => a - b,
                    '*' => a * b,
                    '/' => a / b,
                    _ => a.powf(b),
                }
            }
            Tree::Call(name, arguments) => {
                let a: Vec<f64> = arguments.iter().map(|a| a.value(parts)).collect();
                match *name {
                    "sin" => a[0].sin(),
                    "atan" => a[0].atan(),
                    "tanh" => a[0].tanh(),
                    "abs" => a[0].abs(),
                    "atan2" => a[0].atan2(a[1]),
                    _ => a.iter().copied().fold(f64::INFINITY, f64::min),
                }
            }
        };
        parts.push(value);
        value
    }
}

fn trees() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        (0.0..100.0f64).prop_map(Tree::Number),
        (0..4u8).prop_map(|n| Tree::Number(f64::from(n))),
        prop::sample::select(vec!["b1", "b2", "b3", "x", "y"]).prop_map(Tree::Name),
    ];
    leaf.prop_recursive(6, 48, 3, |inner| {
        let boxed = || inner.clone().prop_map(Box::new);
        prop_oneof![
            boxed().prop_map(Tree::Negative),
            (boxed(), prop::sample::select(vec!['+', '-', '*', '/', '^']), boxed())
                .prop_map(|(a, op, b)| Tree::Infix(a, op, b)),
            (prop::sample::select(vec!["sin", "atan", "tanh", "abs"]), inner.clone())
                .prop_map(|(name, a)| Tree::Call(name, vec![a])),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Tree::Call("atan2", vec![a, b])),
            prop::collection::vec(inner, 2..4).prop_map(|a| Tree::Call("min", a)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn a_printed_tree_reads_back_to_the_same_value(tree in trees()) {
        let mut text = String::new();
        tree.print(0, &mut text);
        let found = value(&text);
        let mut parts = Vec::new();
        let expected = tree.value(&mut parts);
        // Simplification keeps the bits of finite results up to the sign of zeros, which atan2 and division would
        // show. Powers by products differ from powf in the last places, and what follows may magnify that without
        // bound: the structure of trees with powers is the next property's business.
        let ordinary = parts.iter().all(|part| part.is_finite() && *part != 0.0);
        if ordinary && !text.contains("**") {
            prop_assert_eq!(found, expected, "{}", text);
        }
    }

    #[test]
    fn a_power_in_a_tree_reads_back_to_the_same_structure(a in trees(), b in trees()) {
        // Fully parenthesised against minimally parenthesised: the same node, by hash-consing.
        let tree = Tree::Infix(Box::new(a), '^', Box::new(b));
        let (mut few, mut many) = (String::new(), String::new());
        tree.print(0, &mut few);
        parenthesise(&tree, &mut many);
        let mut graph = Graph::new();
        let (few_id, many_id) = (lower(&few, &mut graph).unwrap(), lower(&many, &mut graph).unwrap());
        prop_assert_eq!(few_id, many_id, "{} and {}", few, many);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[-+*/^()\\[\\],.`a-e0-9π ]{0,40}|\\PC{0,40}") {
        if let Err(error) = evaluate(&text) {
            prop_assert!(!error.to_string().contains('\n'));
            prop_assert!(error.pretty().lines().count() == 2);
        }
        if let Err(error) = RowExpression::parse(&text) {
            prop_assert!(error.column() <= text.chars().count() + 1);
        }
    }
}

fn parenthesise(tree: &Tree, out: &mut String) {
    out.push('(');
    match tree {
        Tree::Number(_) | Tree::Name(_) => tree.print(0, out),
        Tree::Negative(a) => {
            out.push('-');
            parenthesise(a, out);
        }
        Tree::Infix(a, op, b) => {
            parenthesise(a, out);
            out.push(*op);
            parenthesise(b, out);
        }
        Tree::Call(name, arguments) => {
            out.push_str(name);
            for (index, argument) in arguments.iter().enumerate() {
                out.push(if index == 0 { '(' } else { ',' });
                parenthesise(argument, out);
            }
            out.push(')');
        }
    }
    out.push(')');
}
