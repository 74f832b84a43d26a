use super::*;

const X: [f64; 4] = [0.0, 1.0, 2.0, 3.0];
const Y: [f64; 4] = [1.0, 5.0, -2.0, 5.0];
const GAPS: [f64; 4] = [f64::NAN, 5.0, -2.0, f64::NAN];
const NOTHING: [f64; 4] = [f64::NAN; 4];

fn column(name: &str) -> Option<&'static [f64]> {
    match name {
        "x" => Some(&X),
        "y" => Some(&Y),
        "gaps" => Some(&GAPS),
        "nothing" => Some(&NOTHING),
        "count" | "Time [s]" => Some(&X),
        "short" => Some(&X[..2]),
        _ => None,
    }
}

fn evaluate(text: &str) -> Result<RowValue, RowError> {
    RowExpression::parse(text).unwrap().evaluate(4, &column, &["x", "y", "gaps"])
}

fn scalar(text: &str) -> f64 {
    match evaluate(text).unwrap() {
        RowValue::Scalar(value) => value,
        RowValue::Vector(values) => panic!("{text} is {values:?}"),
    }
}

#[test]
fn reductions_and_indices_agree_with_values_by_hand() {
    for (text, value) in [
        ("min(y)", -2.0),
        ("max(y)", 5.0),
        ("mean(y)", 2.25),
        ("sum(y)", 9.0),
        ("first(y)", 1.0),
        ("last(y)", 5.0),
        ("count(y)", 4.0),
        ("median(y)", 3.0),
        ("argmax(y)", 1.0),
        ("argmin(y)", 2.0),
        ("x[argmax(y)]", 1.0),
        ("x[argmin(y)]", 2.0),
        ("y[0]", 1.0),
        ("y[-1]", 5.0),
        ("-y[2]**2", -4.0),
        ("(x+y)[1]", 6.0),
        ("x[count(x)-1]", 3.0),
        ("max(y) - min(y)", 7.0),
        ("max(abs(y - mean(y)))", 4.25),
        ("max(max(y), 10)", 10.0),
        ("sqrt(2)*pi", 2f64.sqrt() * std::f64::consts::PI),
        ("count(`count`)", 4.0),
    ] {
        assert_eq!(scalar(text), value, "{text}");
    }
}

#[test]
fn columns_combine_row_by_row() {
    assert_eq!(evaluate("x*y + 1").unwrap(), RowValue::Vector(vec![1.0, 6.0, -3.0, 16.0]));
    assert_eq!(evaluate("2 - x").unwrap(), RowValue::Vector(vec![2.0, 1.0, 0.0, -1.0]));
    assert_eq!(evaluate("max(y, 0)").unwrap(), RowValue::Vector(vec![1.0, 5.0, 0.0, 5.0]));
    assert_eq!(evaluate("y - min(y)").unwrap(), RowValue::Vector(vec![3.0, 7.0, 0.0, 7.0]));
    assert_eq!(evaluate("`Time [s]`").unwrap(), RowValue::Vector(X.to_vec()));
}

#[test]
fn extrema_ignore_nan_rows_and_the_others_do_not() {
    assert_eq!(scalar("min(gaps)"), -2.0);
    assert_eq!(scalar("max(gaps)"), 5.0);
    assert_eq!(scalar("argmax(gaps)"), 1.0);
    assert_eq!(scalar("count(gaps)"), 4.0);
    for text in ["mean(gaps)", "sum(gaps)", "median(gaps)", "first(gaps)", "max(nothing)"] {
        assert!(scalar(text).is_nan(), "{text}");
    }
    let error = evaluate("x[argmax(nothing)]").unwrap_err();
    assert!(error.to_string().contains("nothing but NaN"), "{error}");
}

#[test]
fn what_has_no_value_is_an_error_of_one_line() {
    assert_eq!(
        evaluate("max(z) + yy").unwrap_err().to_string(),
        "column 5: unknown name \"z\" in \"max(z) + yy\": known are x, y, gaps"
    );
    assert_eq!(
        evaluate("x[4]").unwrap_err().to_string(),
        "index 4 in \"x[4]\" is no row of a data set of 4: whole numbers from -4 to 4-1 are"
    );
    assert!(matches!(evaluate("x[-5]"), Err(RowError::Index { .. })));
    assert!(matches!(evaluate("x[0.5]"), Err(RowError::Index { .. })));
    assert!(matches!(evaluate("x[0/0]"), Err(RowError::Index { .. })));
    assert!(matches!(evaluate("short"), Err(RowError::Length { found: 2, rows: 4, .. })));
    let none: &[f64] = &[];
    let over = |text: &str| RowExpression::parse(text).unwrap().evaluate(0, &|_| Some(none), &[]);
    assert!(matches!(over("max(y)"), Err(RowError::NoRows { what: "max", .. })));
    assert!(matches!(over("y[0]"), Err(RowError::NoRows { .. })));
    assert_eq!(over("sum(y) + count(y)"), Ok(RowValue::Scalar(0.0)));
    assert_eq!(over("y"), Ok(RowValue::Vector(vec![])));
}

#[test]
fn kinds_are_checked_when_the_text_is_read() {
    for (text, message) in [
        ("mean(3)", "column 6: mean needs a column, not one number in \"mean(3)\""),
        ("max(max(y))", "column 5: max needs a column, not one number in \"max(max(y))\""),
        ("2[0]", "column 1: an index needs a column, not one number in \"2[0]\""),
        ("x[y]", "column 3: an index must be one number, not a column in \"x[y]\": write x[argmax(y)] or x[0]"),
    ] {
        assert_eq!(RowExpression::parse(text).unwrap_err().to_string(), message);
    }
}

#[test]
fn a_long_formula_needs_no_stack_and_frees_what_it_has_used() {
    let text = vec!["y"; 100_000].join("+");
    assert_eq!(evaluate(&text).unwrap(), RowValue::Vector(Y.iter().map(|y| y * 1e5).collect()));
}
