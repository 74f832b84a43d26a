//! Binding: what a model sees of columns, data sets, keys, guesses and starts.

use super::*;
use crate::expr::RowExpression;

fn csv(text: &str) -> Data {
    Data::from_reader("a.csv", text.as_bytes()).unwrap()
}

fn refusal(data: &Data, inputs: &[&str]) -> String {
    let message = data.bind(inputs).unwrap_err().to_string();
    assert!(!message.contains('\n'), "{message:?}");
    message
}

fn lines(bound: &BoundData) -> Vec<u64> {
    (0..bound.rows()).map(|row| bound.line(row)).collect()
}

fn guess(text: &str) -> RowExpression {
    RowExpression::parse(text).unwrap()
}

#[test]
fn rows_of_a_set_are_brought_together_in_their_order() {
    let data = csv("cell,x,y\nb,1,10\na,2,20\nb,3,30\na,4,40\nc,5,50\n").group_by(&["cell"]);
    let bound = data.bind(&["x"]).unwrap();
    assert_eq!(bound.sets, [0..2, 2..4, 4..5]);
    assert_eq!(bound.inputs, [[1.0, 3.0, 2.0, 4.0, 5.0]]);
    assert_eq!(bound.response, [10.0, 30.0, 20.0, 40.0, 50.0]);
    assert_eq!(lines(&bound), [2, 4, 3, 5, 6]);
    let names = ["b", "a", "c"].map(str::to_owned);
    assert_eq!(bound.keys[0].values, KeyValues::Text(names.to_vec()));
}

#[test]
fn without_groups_all_rows_are_one_set() {
    let bound = csv("x,y\n1,2\n3,4\n").bind(&["x"]).unwrap();
    assert_eq!((bound.sets.len(), bound.sets.get(0)), (1, 0..2));
    assert!(bound.keys.is_empty());
    assert_eq!(bound.set_label(0), "all rows");
    assert_eq!(bound.sigma, None);
    assert_eq!(bound.dropped, 0);
}

#[test]
fn several_group_columns_make_a_set_of_each_combination() {
    let data = csv("cell,dye,y\n3,red,1\n3,blue,2\n4,red,3\n3,red,4\n").group_by(&["cell", "dye"]);
    let bound = data.bind(&[]).unwrap();
    assert_eq!(bound.sets, [0..2, 2..3, 3..4]);
    assert_eq!(bound.response, [1.0, 4.0, 2.0, 3.0]);
    assert_eq!(bound.set_label(0), "cell=3, dye=red");
    assert_eq!(bound.set_label(2), "cell=4, dye=red");
    assert_eq!(bound.keys[0].values, KeyValues::Integer(vec![3, 3, 4]));
}

#[test]
fn keys_have_the_narrowest_type_that_keeps_them_apart() {
    let keys = |cells: &str| {
        let text: String = cells.split(' ').map(|cell| format!("{cell},1\n")).collect();
        let data = csv(&format!("k,y\n{text}")).group_by(&["k"]);
        data.bind(&[]).unwrap().keys.remove(0).values
    };
    assert_eq!(keys("2 1 2"), KeyValues::Integer(vec![2, 1]));
    assert_eq!(keys("2 1.5 2.0"), KeyValues::Number(vec![2.0, 1.5]));
    assert_eq!(keys("0.0 -0.0 0.5"), KeyValues::Number(vec![0.0, 0.5]));
    let text = |cells: &[&str]| KeyValues::Text(cells.iter().map(|&c| c.to_owned()).collect());
    assert_eq!(keys("2 two"), text(&["2", "two"]));
    // As f64 these two would be one; as i64 the second does not fit.
    assert_eq!(keys("9223372036854775807 9223372036854775808"), text(&["9223372036854775807", "9223372036854775808"]));
    assert_eq!(keys("9007199254740993 0.5"), text(&["9007199254740993", "0.5"]));
}

#[test]
fn keys_written_unlike_are_one_where_they_are_the_same_number() {
    let data = csv("k,y\n7,1\n007,2\n+7,3\n8,4\n7,5\n").group_by(&["k"]);
    let bound = data.bind(&[]).unwrap();
    assert_eq!(bound.keys[0].values, KeyValues::Integer(vec![7, 8]));
    assert_eq!(bound.sets, [0..4, 4..5]);
    assert_eq!(lines(&bound), [2, 3, 4, 6, 5]);
}

#[test]
fn rows_are_grouped_as_one_after_the_other_however_many_there_are() {
    // More rows than a core takes at a time, runs over the ends of what it takes, and sets in several runs; in one column
    // each, of numbers and of text, in two, and with some rows left out.
    let rows = 70_000;
    let cases = [(1, 7), (5, 20_000), (16_384, 3), (100_000, 1)];
    for ((length, sets), every) in cases.into_iter().flat_map(|case| [(case, 1000), (case, rows + 1)]) {
        let is_left_out = |row: usize| row % every == every - 1;
        let key = |row: usize| (row / length) % sets;
        let mut expected: Vec<Vec<f64>> = Vec::new();
        let mut known: Vec<usize> = Vec::new();
        let mut at = std::collections::HashMap::new();
        for row in (0..rows).filter(|&row| !is_left_out(row)) {
            let set = *at.entry(key(row)).or_insert_with(|| {
                known.push(key(row));
                expected.push(Vec::new());
                known.len() - 1
            });
            expected[set].push(row as f64);
        }
        let y: Vec<f64> = (0..rows).map(|row| if is_left_out(row) { f64::NAN } else { row as f64 }).collect();
        let keys: Vec<f64> = (0..rows).map(|row| key(row) as f64 - 2.0).collect();
        let halves =
            [keys.iter().map(|k| (k / 2.0).floor()).collect(), keys.iter().map(|k| k.rem_euclid(2.0)).collect()];
        let text: String = keys.iter().zip(&y).map(|(k, y)| format!("s{k},{y}\n")).collect();
        let [a, b]: [Vec<f64>; 2] = halves;
        let all = [
            Data::from_columns([("k", keys), ("y", y.clone())]).unwrap().group_by(&["k"]),
            Data::from_columns([("a", a), ("b", b), ("y", y)]).unwrap().group_by(&["a", "b"]),
            csv(&format!("k,y\n{text}")).group_by(&["k"]),
        ];
        for data in all {
            let bound = data.missing(Missing::Drop).bind(&[]).unwrap();
            let found: Vec<Vec<f64>> = bound.sets.iter().map(|rows| bound.response.slice(rows).into_owned()).collect();
            assert!(found == expected, "runs of {length}, {sets} sets: {} sets", found.len());
        }
    }
}

#[test]
fn a_column_nobody_uses_may_hold_anything() {
    let bound = csv("x,note,y\n1,fine,2\n2,,4\n3,NaN,6\n").bind(&["x"]).unwrap();
    assert_eq!(bound.response, [2.0, 4.0, 6.0]);
    assert_eq!(bound.column("note"), None);
}

#[test]
fn every_spelling_of_a_missing_value_is_refused_or_dropped() {
    for cell in ["", " ", "NA", "na", "NaN", "nan", "Inf", "-inf", "1e999"] {
        let data = csv(&format!("x,y\n1,2\n3,{cell}\n5,6\n"));
        let message = refusal(&data, &["x"]);
        let start = "a.csv, line 3, column \"y\": ";
        assert!(message.starts_with(start) && message.ends_with("--missing drop"), "{message}");
        let bound = data.missing(Missing::Drop).bind(&["x"]).unwrap();
        assert_eq!((bound.dropped, bound.response.to_vec()), (1, vec![2.0, 6.0]));
        assert_eq!(lines(&bound), [2, 4]);
    }
}

#[test]
fn a_missing_key_or_input_counts_as_the_response_does() {
    let data = csv("k,x,y\n1,1,1\n,2,2\n1,NA,3\n2,4,4\n").group_by(&["k"]);
    assert!(refusal(&data, &["x"]).contains("line 3, column \"k\": an empty cell"));
    let bound = data.missing(Missing::Drop).bind(&["x"]).unwrap();
    assert_eq!((bound.dropped, lines(&bound)), (2, vec![2, 5]));
    assert_eq!(bound.keys[0].values, KeyValues::Integer(vec![1, 2]));
}

#[test]
fn the_first_fault_in_the_file_is_the_one_named() {
    let data = csv("x,y\n1,2\n3,NA\nNA,6\n");
    assert!(refusal(&data, &["x"]).contains("line 3, column \"y\""));
}

#[test]
fn text_for_a_number_is_an_error_even_when_missing_values_are_dropped() {
    let data = csv("x,y\n1,2\n3,n/k\n").missing(Missing::Drop);
    assert_eq!(
        refusal(&data, &["x"]),
        "a.csv, line 3, column \"y\": \"n/k\" is text where a number should be; mend it or use another column"
    );
}

#[test]
fn dropping_every_row_is_an_error() {
    let data = csv("x,y\n1,NA\n3,NA\n").missing(Missing::Drop);
    assert!(refusal(&data, &["x"]).contains("all 2 rows"));
}

#[test]
fn a_mistyped_column_gets_a_suggestion() {
    let data = csv("time,y\n1,2\n");
    let message = refusal(&data, &["tiem"]);
    assert!(message.contains("no column \"tiem\"") && message.contains("did you mean \"time\"?"), "{message}");
    assert!(refusal(&data, &["voltage"]).contains("its columns are time, y"));
    assert!(refusal(&data.clone().group_by(&["cell"]), &["time"]).contains("no column \"cell\""));
    let message = refusal(&data.response("log(z)"), &["time"]);
    assert!(message.contains("no column \"z\" (used by the response)"), "{message}");
}

#[test]
fn the_response_may_be_an_expression_of_columns() {
    let bound = csv("x,y\n1,2\n3,4\n").response("log(y)").bind(&["x"]).unwrap();
    assert_eq!(bound.response, [2_f64.ln(), 4_f64.ln()]);
}

/// A reduction in a response sees the rows of its own data set, as one in a guess does.
#[test]
fn a_response_is_evaluated_set_by_set() {
    let data = csv("k,y\n1,2\n2,5\n1,4\n2,10\n").group_by(&["k"]).response("y/max(y)");
    assert_eq!(data.bind(&[]).unwrap().response, [0.5, 1.0, 0.5, 1.0]);
}

#[test]
fn a_response_outside_its_domain_is_refused_or_dropped() {
    // The first row of set 1 goes, so set 2 comes first.
    let data = csv("k,y\n1,0\n2,1\n1,1\n2,1\n").group_by(&["k"]).response("log(y)");
    let message = refusal(&data, &[]);
    assert!(message.starts_with("a.csv, line 2: the response \"log(y)\" is -inf"), "{message}");
    let bound = data.missing(Missing::Drop).bind(&[]).unwrap();
    assert_eq!(bound.keys[0].values, KeyValues::Integer(vec![2, 1]));
    assert_eq!(bound.sets, [0..2, 2..3]);
    assert_eq!(lines(&bound), [3, 5, 4]);
    assert_eq!(bound.response, [0.0; 3]);
    assert_eq!(*bound.column("y").unwrap(), [1.0; 3]);
    assert_eq!(bound.dropped, 1);
}

#[test]
fn sigma_may_be_a_number_a_column_or_an_expression() {
    let data = csv("y,s\n4,1\n0.5,2\n");
    let sigma = |text: &str| data.clone().sigma(text).bind(&[]).unwrap().sigma.unwrap();
    assert_eq!(sigma("0.5"), [0.5, 0.5]);
    assert_eq!(sigma("s"), [1.0, 2.0]);
    assert_eq!(sigma("sqrt(max(y, 1))"), [2.0, 1.0]);
}

#[test]
fn a_sigma_that_is_not_positive_is_refused_with_its_line() {
    for value in ["0", "-0.25"] {
        let data = csv(&format!("y,s\n4,1\n1,{value}\n")).sigma("s").missing(Missing::Drop);
        let message = refusal(&data, &[]);
        assert!(message.starts_with(&format!("a.csv, line 3: sigma \"s\" is {value},")), "{message}");
    }
}

#[test]
fn renamed_columns_answer_to_both_names() {
    let data = csv("Time [s],y\n1,2\n3,4\n").rename(&[("t", "Time [s]")]);
    assert_eq!(data.bind(&["t"]).unwrap().inputs, [[1.0, 3.0]]);
    assert_eq!(data.bind(&["Time [s]"]).unwrap().inputs, [[1.0, 3.0]]);
    assert_eq!(data.clone().response("2*t").bind(&["t"]).unwrap().response, [2.0, 6.0]);
    assert_eq!(data.response("Time [s]").bind(&[]).unwrap().response, [1.0, 3.0]);
}

#[test]
fn a_new_name_must_be_free_and_mean_a_column() {
    let data = csv("a,b,y\n1,2,3\n");
    assert!(refusal(&data.clone().rename(&[("t", "c")]), &["a"]).contains("no column \"c\""));
    assert!(refusal(&data.clone().rename(&[("a", "b")]), &["a"]).contains("already has that name"));
    assert!(refusal(&data.clone().rename(&[("t", "a"), ("t", "b")]), &["t"]).contains("already has that name"));
    assert!(data.rename(&[("a", "a"), ("t", "b")]).bind(&["t"]).is_ok());
}

#[test]
fn a_name_is_claimed_by_the_column_that_was_given_it_and_by_its_own_column_until_that_has_another() {
    let data = csv("A,k,y\n1,2,3\n").rename(&[("t", "k"), ("y", "y")]);
    assert_eq!(
        ["A", "k", "t", "y", "z"].map(|name| data.claimant(name)),
        [Some("A"), None, Some("k"), Some("y"), None]
    );
}

#[test]
fn grouping_twice_by_one_column_is_refused() {
    let data = csv("k,y\n1,2\n").group_by(&["k", "k"]);
    assert!(refusal(&data, &[]).contains("named twice"));
}

#[test]
fn guesses_see_the_rows_of_their_set_and_the_response_by_name() {
    let data = csv("k,x,y,w\n1,0,1,a\n1,1,4,b\n2,5,9,c\n2,6,2,d\n").group_by(&["k"]).response("sqrt(y)");
    let bound = data.bind(&["x"]).unwrap();
    assert_eq!(bound.guesses(&guess("max(y)")).unwrap(), [4.0, 9.0]);
    assert_eq!(bound.guesses(&guess("max(response)")).unwrap(), [2.0, 3.0]);
    assert_eq!(bound.guesses(&guess("x[argmax(y)]")).unwrap(), [1.0, 5.0]);
    assert_eq!(bound.guess(1, &guess("min(x)")).unwrap(), 5.0);
    assert_eq!(bound.guesses(&guess("3.5")).unwrap(), [3.5, 3.5]);
    let message = |text: &str| bound.guess(0, &guess(text)).unwrap_err().to_string();
    assert!(message("y").contains("gives a value for each row"));
    assert!(message("max(z)").contains("no column \"z\""));
    assert!(message("max(w)").contains("line 2, column \"w\": \"a\" is text"));
}

/// A column that only a guess uses: its rows are left out where the guess was announced, and the fault is named where
/// it was not.
#[test]
fn missing_values_in_a_guess_are_named_or_dropped() {
    let data = csv("y,w\n1,10\n2,NA\n3,30\n").missing(Missing::Drop);
    let message = data.bind(&[]).unwrap().guess(0, &guess("max(w)")).unwrap_err().to_string();
    assert!(message.starts_with("a.csv, line 3, column \"w\": \"NA\""), "{message}");
    let bound = data.bind_with(&[], &["w", "response"]).unwrap();
    assert_eq!((bound.dropped, bound.guess(0, &guess("max(w)")).unwrap()), (1, 30.0));
}

#[test]
fn a_column_named_response_is_that_column() {
    let bound = csv("y,response\n1,7\n2,8\n").bind(&[]).unwrap();
    assert_eq!(*bound.column("response").unwrap(), [7.0, 8.0]);
}

#[test]
fn an_array_becomes_values_and_coordinates() {
    let values: Vec<f32> = (0..12_u8).map(f32::from).collect();
    let data = Data::from_array(&values, &[2, 2, 3], &["set", "py", "px"]).unwrap();
    let bound = data.bind(&["px", "py"]).unwrap();
    assert_eq!(*bound.inputs[0].slice(0..6), [0.0, 1.0, 2.0, 0.0, 1.0, 2.0]);
    assert_eq!(*bound.inputs[1].slice(0..6), [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
    assert_eq!(bound.inputs[0].slice(0..6), bound.inputs[0].slice(6..12));
    assert_eq!(bound.shared_grid(), Some(6));
    assert_eq!(bound.sets, [0..6, 6..12]);
    assert_eq!(bound.keys[0].values, KeyValues::Integer(vec![0, 1]));
    assert_eq!(bound.response, (0..12_u8).map(f64::from).collect::<Vec<_>>());
}

/// The set axis need not be the slowest: elements of one set are gathered.
#[test]
fn any_axis_can_be_the_sets() {
    let values: Vec<f32> = (0..6_u8).map(f32::from).collect();
    let data = Data::from_array(&values, &[3, 2], &["x", "set"]).unwrap();
    let bound = data.bind(&["x"]).unwrap();
    assert_eq!(bound.response, [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]);
    assert_eq!(bound.inputs, [[0.0, 1.0, 2.0, 0.0, 1.0, 2.0]]);
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let message = |len: usize, shape: &[usize], axes: &[&str]| {
        Data::from_array(&vec![0.0; len], shape, axes).unwrap_err().to_string()
    };
    assert!(message(6, &[2, 3], &["set"]).contains("has 2 axes, but 1 are named"));
    assert!(message(5, &[2, 3], &["set", "x"]).contains("has 6 elements, but there are 5 values"));
    assert!(message(6, &[2, 3], &["x", "x"]).contains("two columns named \"x\""));
    assert!(message(6, &[2, 3], &["set", "y"]).contains("two columns named \"y\""));
    assert!(message(0, &[0, 3], &["set", "x"]).contains("no rows"));
    let overflow = Data::from_array(&[], &[usize::MAX, 2], &["set", "x"]).unwrap_err();
    assert!(matches!(overflow, DataError::TooLarge { .. }), "{overflow}");
}

#[test]
fn columns_in_memory_are_checked_and_their_rows_counted_from_one() {
    let unequal = Data::from_columns([("x", vec![1.0]), ("y", vec![1.0, 2.0])]).unwrap_err();
    assert!(unequal.to_string().contains("column \"y\" has 2 rows, but \"x\" has 1"));
    let none: [(&str, Vec<f64>); 0] = [];
    assert!(matches!(Data::from_columns(none), Err(DataError::NoRows { .. })));
    let data = Data::from_columns([("x", vec![1.0, 2.0]), ("y", vec![0.0, f64::NAN])]).unwrap();
    assert!(refusal(&data, &["x"]).starts_with("the data, row 2, column \"y\": NaN is no finite number"));
}

#[cfg(feature = "ndarray")]
#[test]
fn an_ndarray_view_is_read_in_its_own_order_of_axes() {
    let array = ndarray::Array2::from_shape_vec((2, 3), vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
    let data = Data::from_ndarray(&array.t(), &["x", "set"]).unwrap();
    let bound = data.bind(&["x"]).unwrap();
    assert_eq!(bound.response, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!(bound.sets, [0..3, 3..6]);
}

#[test]
fn the_digest_follows_content_and_reading_and_not_the_file() {
    let text = "x,y\n1,2\n3,4\n";
    let data = csv(text);
    let same = Data::from_reader("b.csv", text.replace('\n', "\r\n").as_bytes()).unwrap();
    assert_eq!(data.digest(), same.digest());
    assert_eq!(data.digest().len(), 64);
    let others = [
        csv("x,y\n1,2\n3,5\n"),
        csv("x,z\n1,2\n3,4\n"),
        csv("x,y\n12,\n3,4\n"),
        csv(text).response("log(y)"),
        csv(text).sigma("x"),
        csv(text).group_by(&["x"]),
        csv(text).missing(Missing::Drop),
        csv(text).rename(&[("t", "x")]),
    ];
    for other in others {
        assert_ne!(data.digest(), other.digest(), "{other:?}");
    }
}

fn starts(text: &str, groups: &[&str]) -> Result<StartTable, DataError> {
    StartTable::from_reader("s.csv", text.as_bytes(), &["a", "b"], groups)
}

fn of_set(joined: &JoinedStarts, set: usize) -> Vec<Vec<f64>> {
    joined.of_set(set).map(<[f64]>::to_vec).collect()
}

#[test]
fn starts_without_group_columns_serve_every_set() {
    let bound = csv("k,y\n1,1\n2,2\n").group_by(&["k"]).bind(&[]).unwrap();
    let joined = starts("b,a\n1,2\n3,4\n", &["k"]).unwrap().join(&bound).unwrap();
    for set in 0..2 {
        assert_eq!(of_set(&joined, set), [[2.0, 1.0], [4.0, 3.0]]);
    }
}

#[test]
fn starts_are_joined_on_their_group_columns() {
    let data = csv("k,dye,y\n1,red,1\n2,red,2\n1,blue,3\n").group_by(&["k", "dye"]);
    let bound = data.bind(&[]).unwrap();
    // `2.0` means the data's 2; the row of cell 7 belongs to no set; cell 1 has two starts for both its dyes.
    let text = "a,k,b\n1,1,10\n2,2.0,20\n3,7,30\n4,1,40\n";
    let joined = starts(text, &["k", "dye"]).unwrap().join(&bound).unwrap();
    assert_eq!(of_set(&joined, 0), [[1.0, 10.0], [4.0, 40.0]]);
    assert_eq!(of_set(&joined, 1), [[2.0, 20.0]]);
    assert_eq!(of_set(&joined, 2), [[1.0, 10.0], [4.0, 40.0]]);
    let text = "a,dye,b\n1,blue,10\n2,red,20\n";
    let joined = starts(text, &["k", "dye"]).unwrap().join(&bound).unwrap();
    assert_eq!(of_set(&joined, 2), [[1.0, 10.0]]);
}

#[test]
fn what_is_wrong_with_a_start_file_is_named() {
    let bound = csv("k,y\n1,1\n2,2\n3,3\n").group_by(&["k"]).bind(&[]).unwrap();
    let message = |text: &str| {
        let joined = starts(text, &["k"]).and_then(|table| table.join(&bound));
        let message = joined.unwrap_err().to_string();
        assert!(!message.contains('\n'), "{message:?}");
        message
    };
    assert_eq!(
        message("a,b,k\n1,2,2\n"),
        "s.csv has no start for 2 data sets, the first of them k=1; add a row for each"
    );
    assert!(message("a,k\n1,2\n").contains("no column for the parameter \"b\""));
    assert!(
        message("a,b,bb\n1,2,2\n").contains("\"bb\" is neither a parameter nor a group column; did you mean \"b\"?")
    );
    assert!(message("a,a,b\n1,2,2\n").contains("two columns named \"a\""));
    assert!(message("a,b\n1,2\n1,NaN\n").starts_with("s.csv, line 3: the start of \"b\" is \"NaN\""));
    assert!(message("a,b\n1,two\n").contains("line 2, column \"b\": \"two\" is text"));
    assert!(message("a,b\n").contains("no rows"));
}

#[test]
fn errors_can_be_sent_between_threads() {
    fn sendable<T: Send + Sync + 'static>() {}
    sendable::<DataError>();
    sendable::<BoundData>();
    sendable::<Data>();
}
