//! `natgrad fit` as its users meet it: the built program, its output, its exit codes and the files it leaves.

use std::io::Write;
use std::process::Stdio;

use common::program::{MISRA1A, MODEL, Place, Run, START};

mod common;

#[test]
fn a_fit_finds_the_certified_parameters_and_standard_errors_of_misra1a() {
    let run = Place::new().fit(&["--format", "jsonl"]).good();
    let line = &run.json()[0];
    // NIST's certified values; a converged fit in f64 has far more digits than these six.
    let certified = [("b1", 2.3894212918E+02, 2.7070075241E+00), ("b2", 5.5015643181E-04, 7.2668688436E-06)];
    for (name, value, error) in certified {
        assert!((line["parameters"][name].as_f64().unwrap() / value - 1.0).abs() < 1e-6);
        assert!((line["standard_errors"][name].as_f64().unwrap() / error - 1.0).abs() < 1e-6);
    }
    assert_eq!((line["points"].as_u64(), line["rank"].as_u64()), (Some(14), Some(2)));
    assert_eq!((line["status"].as_str(), line["precision"].as_str()), (Some("converged"), Some("f64")));
    let keys = [
        "set",
        "start",
        "status",
        "reason",
        "steps",
        "points",
        "loss",
        "residual_sum_of_squares",
        "reduced_chi_square",
        "parameters",
        "standard_errors",
        "covariance",
        "rank",
        "unresolved",
        "singular_values",
        "scaling",
        "device",
        "precision",
    ];
    let places: Vec<usize> = keys.iter().map(|key| run.stdout.find(&format!("\"{key}\":")).expect(key)).collect();
    assert!(places.is_sorted(), "{}", run.stdout);
}

#[test]
fn every_form_of_output_holds_the_same_numbers() {
    let place = Place::new();
    let json = &place.fit(&["--format", "jsonl", "--out", "results.csv"]).good().json()[0];
    let csv = place.fit(&["--format", "csv"]).good().stdout;
    assert_eq!(csv.as_bytes(), place.read("results.csv"));
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let header = reader.headers().unwrap().clone();
    let row = reader.records().next().unwrap().unwrap();
    let cell = |name: &str| row[header.iter().position(|h| h == name).unwrap()].parse::<f64>().unwrap();
    // The last bit may go in this test's JSON reader, which does not round exactly.
    let same = |json: &serde_json::Value, cell: f64| (json.as_f64().unwrap() / cell - 1.0).abs() <= f64::EPSILON;
    assert!(same(&json["loss"], cell("loss")));
    assert!(same(&json["parameters"]["b2"], cell("b2")));
    assert!(same(&json["standard_errors"]["b1"], cell("b1_se")));
    let table = place.fit(&[]).good().stdout;
    assert!(table.contains("b1             238.9421292           2.707"), "{table}");
}

#[test]
fn data_from_standard_input_fit_as_well() {
    let place = Place::new();
    let arguments = [&["fit"], &MODEL[..], &START[..], &["--data", "-", "--format", "csv"]].concat();
    let mut child =
        place.command(&arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(MISRA1A.as_bytes()).unwrap();
    let run = Run::of(child.wait_with_output().unwrap()).good();
    assert_eq!(run.stdout, place.fit(&["--format", "csv"]).good().stdout);
}

#[test]
fn rows_with_missing_values_are_dropped_and_counted_where_asked() {
    let place = Place::new();
    place.write("gaps.csv", &format!("{MISRA1A}NaN,1\n,2\n3,inf\n"));
    let arguments =
        [&["fit"], &MODEL[..], &START[..], &["--data", "gaps.csv", "--missing", "drop", "--format", "csv"]].concat();
    let run = place.run(&arguments);
    assert_eq!((run.code, run.stderr.as_str()), (0, "natgrad: 3 rows with missing values were left out\n"));
    assert_eq!(run.stdout, place.fit(&["--format", "csv"]).good().stdout);
}

#[test]
fn too_few_converged_problems_exit_with_1_and_their_results_are_printed_all_the_same() {
    let place = Place::new();
    let run = place.fit(&["--steps", "1", "--require-converged", "0.5", "--format", "csv"]);
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("0 of 1 problems converged"), "{}", run.stderr);
    assert_eq!(run.stdout.lines().count(), 2);
    assert_eq!(place.fit(&["--require-converged", "1"]).code, 0);
}

#[test]
fn a_start_outside_the_models_domain_spoils_that_problem_only() {
    let place = Place::new();
    place.write("data.csv", "y,x\n0,1\n0.7,2\n1.1,3\n1.4,4\n");
    let arguments = [
        "fit",
        "--model",
        "a + log(b*x)",
        "--parameters",
        "a,b",
        "--data",
        "data.csv",
        "--fix",
        "a=0.0",
        "--start",
        "b=-1",
        "--start",
        "b=2",
        "--format",
        "jsonl",
    ];
    let lines = place.run(&arguments).good().json();
    assert_eq!((lines[0]["status"].as_str(), lines[1]["status"].as_str()), (Some("non_finite"), Some("converged")));
    assert!(lines[0]["loss"].is_null());
    assert!((lines[1]["parameters"]["b"].as_f64().unwrap() - 1.0).abs() < 0.05);
}

#[test]
fn data_sets_starts_and_fixed_parameters_make_the_problems_that_were_asked_for() {
    let place = Place::new();
    // y = a·x + c, exactly: cell A has a = 2, c = 1 (four points), cell B a = -1, c = 3 (three points).
    place.write("lines.csv", "cell,y,x\nA,1,0\nA,3,1\nB,3,0\nA,5,2\nB,2,1\nA,7,3\nB,1,2\n");
    place.write("starts.csv", "cell,a,c\nB,0,0\nA,1,1\n");
    let line = ["fit", "--model", "a*x + c", "--parameters", "a,c", "--data", "lines.csv", "--group", "cell"];
    let run = |more: &[&str]| place.run(&[&line[..], &["--format", "jsonl"], more].concat()).good().json();
    let a = |line: &serde_json::Value| line["parameters"]["a"].as_f64().unwrap();

    let lines = run(&["--starts", "starts.csv"]);
    assert_eq!(lines.len(), 2);
    assert_eq!((lines[0]["cell"].as_str(), lines[0]["points"].as_u64()), (Some("A"), Some(4)));
    assert_eq!((lines[1]["cell"].as_str(), lines[1]["points"].as_u64()), (Some("B"), Some(3)));
    assert!((a(&lines[0]) - 2.0).abs() < 1e-9 && (a(&lines[1]) + 1.0).abs() < 1e-9);

    let starts = ["--start", "a=0,c=0", "--start", "a=5,c=5"];
    assert_eq!(run(&starts).len(), 4);
    let best = run(&[&starts[..], &["--keep", "best"]].concat());
    assert_eq!(best.iter().map(|line| line["set"].as_u64().unwrap()).collect::<Vec<_>>(), [0, 1]);

    // With the slope held at 2, cell B's constant is the mean of y - 2x: 0.
    let held = run(&["--fix", "a=2", "--guess", "c=mean(y)"]);
    assert!(held[1]["parameters"].get("a").is_none());
    assert!(held[1]["parameters"]["c"].as_f64().unwrap().abs() < 1e-9);
}

#[test]
fn curves_hold_data_fit_and_residual_of_every_row() {
    let place = Place::new();
    place.fit(&["--curves", "curves.csv"]).good();
    let text = String::from_utf8(place.read("curves.csv")).unwrap();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    assert_eq!(reader.headers().unwrap(), vec!["problem", "start", "line", "x", "response", "fit", "residual"]);
    let rows: Vec<Vec<f64>> =
        reader.records().map(|row| row.unwrap().iter().map(|cell| cell.parse().unwrap()).collect()).collect();
    assert_eq!(rows.len(), 14);
    let squares: f64 = rows.iter().map(|row| row[6] * row[6]).sum();
    // NIST's certified residual sum of squares.
    assert!((squares / 1.2455138894E-01 - 1.0).abs() < 1e-9);
    for (k, row) in rows.iter().enumerate() {
        assert_eq!(row[2], k as f64 + 2.0);
        assert!((row[5] - row[4] - row[6]).abs() < 1e-12);
    }
}

#[test]
fn verify_says_on_standard_error_how_far_f64_differs() {
    let run = Place::new().fit(&["--verify", "5"]);
    assert_eq!(run.code, 0);
    assert!(
        run.stderr.contains("1 problem repeated in f64") && run.stderr.contains("standard errors"),
        "{}",
        run.stderr
    );
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_is_silent() {
    let place = Place::new();
    // 2,000 data sets: far more lines than a pipe holds.
    let mut data = String::from("cell,y,x\n");
    for cell in 0..2000 {
        data += &format!("{cell},1,0\n{cell},3,1\n{cell},5,2\n");
    }
    place.write("lines.csv", &data);
    let arguments = [
        "fit",
        "--model",
        "a*x + c",
        "--parameters",
        "a,c",
        "--data",
        "lines.csv",
        "--group",
        "cell",
        "--start",
        "a=1,c=0",
        "--format",
        "jsonl",
    ];
    let mut child = place.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
    let mut help = place.command(&["fit", "--help"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(help.stdout.take());
    assert_eq!(help.wait_with_output().unwrap().stderr, b"");
}

#[test]
fn a_long_table_shows_twenty_rows_and_counts_the_rest() {
    let place = Place::new();
    let mut data = String::from("cell,y,x\n");
    for cell in 0..50 {
        data += &format!("c{cell},1,0\nc{cell},3,1\nc{cell},5,2\n");
    }
    place.write("lines.csv", &data);
    let arguments = [
        "fit",
        "--model",
        "a*x + c",
        "--parameters",
        "a,c",
        "--data",
        "lines.csv",
        "--group",
        "cell",
        "--start",
        "a=1,c=0",
    ];
    let run = place.run(&arguments).good();
    assert_eq!(run.stdout.lines().count(), 22);
    assert!(run.stdout.lines().last().unwrap().starts_with("… and 30 more: --format csv"), "{}", run.stdout);
}

#[test]
fn devices_lists_the_cpu_at_least_and_help_and_version_are_results() {
    let place = Place::new();
    let devices = place.run(&["devices"]);
    assert_eq!(devices.code, 0);
    assert!(devices.stdout.lines().any(|line| line.starts_with("cpu ")), "{}", devices.stdout);
    assert!(place.run(&["--help"]).good().stdout.contains("sweep"));
    assert!(place.run(&["--version"]).good().stdout.starts_with("natgrad "));
    assert_eq!(place.run(&[]).code, 2);
    place.run(&["swep"]).refused(2, &["swep", "sweep"]);
}

#[test]
fn help_states_the_default_of_every_option_that_may_be_left_out_and_where_the_rest_is_told() {
    let help = Place::new().run(&["fit", "--help"]).good().stdout;
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let about = |option: &str| {
        let from = words.find(&format!("--{option} ")).unwrap_or_else(|| panic!("--{option}"));
        let text = &words[from + 2..];
        text[..text.find(" --").unwrap_or(text.len())].to_owned()
    };
    let defaults = [
        ("fix", "none"),
        ("constant", "none"),
        ("response", "y"),
        ("sigma", "1"),
        ("group", "all rows are one data set"),
        ("columns", "the file's own names"),
        ("missing", "error"),
        ("errors", "scaled"),
        ("damping", "adaptive, or 0 with --step-size"),
        ("step-size", "1"),
        ("cutoff", "max(n, p) times the precision's epsilon"),
        ("scaling", "columns"),
        ("steps", "200"),
        ("require-converged", "0"),
        ("keep", "all"),
        ("device", "auto"),
        ("precision", "auto"),
        ("verify", "0"),
        ("format", "table"),
        ("out", "none"),
        ("curves", "none"),
    ];
    for (option, default) in defaults {
        let default = format!("[default: {default}]");
        assert!(about(option).contains(default.split(" --").next().unwrap()), "{}", about(option));
        assert!(words.contains(&default), "{option}: {default}");
    }
    for function in ["exp", "log", "sqrt", "atan2", "sign", "argmax", "median", "pi"] {
        assert!(words.contains(function), "{function}");
    }
    assert!(about("curves").contains("fit − response"), "{}", about("curves"));
    assert!(words.contains("docs/spec.md"));
    let sweep = Place::new().run(&["sweep", "--help"]).good().stdout;
    assert!(sweep.contains("docs/spec.md") && sweep.contains("relative to its folder"), "{sweep}");
}
