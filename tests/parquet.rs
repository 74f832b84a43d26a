//! The Parquet files, read back with a reader that shares no code with the writer: Apache Arrow's C++ library, through
//! Python. `scripts/test` sets it up and names its Python in `NATGRAD_TEST_PYTHON`.

use std::path::{Path, PathBuf};
use std::process::Command;

use common::program::Place;
use serde_json::Value;

mod common;

/// The Python that has pyarrow; without one the test says so and stands aside.
fn python() -> Option<PathBuf> {
    let python = std::env::var_os("NATGRAD_TEST_PYTHON").map(PathBuf::from);
    if python.is_none() {
        eprintln!("NATGRAD_TEST_PYTHON is not set: the Parquet files are not read back (run scripts/test)");
    }
    python
}

fn read(python: &Path, file: &Path) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/read_parquet.py");
    let output = Command::new(python).arg(script).arg(file).output().expect("NATGRAD_TEST_PYTHON names a Python");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Lines with a group column of each type; the last cell's data are the same point twice, so that its slope and
/// constant cannot be told apart.
const LINES: &str = "\
cell,dose,run,y,x
\"A, left\",0.5,1,1.1,0
\"A, left\",0.5,1,2.9,1
\"A, left\",0.5,1,5.2,2
größe,1,2,3,0
größe,1,2,2.1,1
größe,1,2,0.9,2
C,2,3,1,1
C,2,3,1,1
";

#[test]
fn an_independent_reader_finds_the_columns_types_nulls_and_numbers_of_a_fit() {
    let Some(python) = python() else { return };
    let place = Place::new();
    place.write("lines.csv", LINES);
    let csv = place
        .run(&[
            "fit",
            "--model",
            "a*x + c",
            "--parameters",
            "a,c",
            "--data",
            "lines.csv",
            "--group",
            "cell,dose,run",
            "--start",
            "a=1,c=0",
            "--format",
            "csv",
            "--out",
            "fit.parquet",
        ])
        .good()
        .stdout;
    let file = read(&python, &place.path("fit.parquet"));

    let column = |name: &str, kind: &str, nullable: bool| serde_json::json!([name, kind, nullable]);
    let expected = [
        column("problem", "uint64", false),
        column("set", "uint64", false),
        column("cell", "string", true),
        column("dose", "double", true),
        column("run", "int64", false),
        column("start", "uint64", false),
        column("seed", "uint64", true),
        column("method", "string", true),
        column("step_size", "double", true),
        column("damping", "double", true),
        column("filter", "string", true),
        column("scaling", "string", true),
        column("cutoff", "double", true),
        column("status", "string", true),
        column("reason", "string", true),
        column("steps", "uint32", false),
        column("points", "uint32", false),
        column("loss", "double", true),
        column("residual_sum_of_squares", "double", true),
        column("gradient_norm", "double", true),
        column("rank", "uint32", true),
        column("sigma_max", "double", true),
        column("sigma_min", "double", true),
        column("gn_sharpness", "double", true),
        column("a", "double", true),
        column("a_se", "double", true),
        column("c", "double", true),
        column("c_se", "double", true),
    ];
    assert_eq!(file["columns"].as_array().unwrap().as_slice(), expected);

    // Cell by cell the CSV of the same run.
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let header = reader.headers().unwrap().clone();
    let rows = file["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 3);
    for (row, record) in rows.iter().zip(reader.records().map(Result::unwrap)) {
        for (name, cell) in header.iter().zip(&record) {
            match &row[name] {
                Value::Null => assert_eq!(cell, "", "{name}"),
                Value::String(text) if text.parse::<f64>().is_ok() => {
                    assert_eq!(cell.parse::<f64>(), text.parse::<f64>(), "{name}");
                }
                Value::String(text) => assert_eq!(cell, text, "{name}"),
                Value::Number(number) => assert_eq!(cell.parse::<f64>().ok(), number.as_f64(), "{name}"),
                other => panic!("{name}: {other}"),
            }
        }
    }

    // The straight line of cell A by hand: slope Sxy/Sxx = 4.1/2, constant ȳ − x̄·slope = 46/15 − 2.05.
    let number = |row: usize, name: &str| rows[row][name].as_str().unwrap().parse::<f64>().unwrap();
    assert!((number(0, "a") - 2.05).abs() < 1e-9);
    assert!((number(0, "c") - (46.0 / 15.0 - 2.05)).abs() < 1e-9);
    // s² = rss/(n − 2), and the slope's standard error √(s²/Sxx).
    let squares: f64 =
        [1.1, 2.9, 5.2].iter().enumerate().map(|(x, y)| (y - number(0, "c") - 2.05 * x as f64).powi(2)).sum();
    assert!((number(0, "residual_sum_of_squares") / squares - 1.0).abs() < 1e-9);
    assert!((number(0, "a_se") / (squares / 2.0).sqrt() - 1.0).abs() < 1e-9);
    assert_eq!(rows[1]["cell"], "größe");
    assert!(rows[0]["damping"].is_null() && rows[0]["seed"].is_null());
    // Rank 1: neither parameter is determined, so neither has a standard error.
    assert_eq!(rows[2]["rank"], 1);
    assert!(rows[2]["a_se"].is_null() && rows[2]["c_se"].is_null());
}

#[test]
fn an_independent_reader_finds_every_problem_of_a_sweep_that_was_merged_from_parts() {
    let Some(python) = python() else { return };
    let place = Place::new();
    let spec = r#"
[model]
expression = "b1*(1 - exp(-b2*x))"
parameters = ["b1", "b2"]
[data]
file = "data.csv"
[start]
random = { distribution = "uniform", scale = 1e-3, seeds = { from = 5, count = 40000 } }
[[step]]
size = [0.5, 1]
damping = 1e-6
[stop]
steps = 1
tests = false
"#;
    place.write("sweep.toml", spec);
    place.run(&["sweep", "sweep.toml", "--out", "run"]).good();
    let file = read(&python, &place.path("run/results.parquet"));
    assert_eq!(file["row_groups"], serde_json::json!([65536, 80000 - 65536]));
    let rows = file["rows"].as_array().unwrap();
    for (k, row) in rows.iter().enumerate() {
        assert_eq!(row["problem"].as_u64(), Some(k as u64));
        assert_eq!(row["start"].as_u64(), Some(k as u64 / 2));
        assert_eq!(row["seed"].as_u64(), Some(5 + k as u64 / 2));
        assert_eq!(row["step_size"], if k % 2 == 0 { "0.5" } else { "1.0" });
        assert_eq!((row["damping"].as_str(), row["filter"].as_str()), (Some("1e-06"), Some("tikhonov")));
    }
    let summary: Value = serde_json::from_slice(&place.read("run/summary.json")).unwrap();
    for (status, count) in summary["status"].as_object().unwrap() {
        let found = rows.iter().filter(|row| row["status"] == status.as_str()).count() as u64;
        assert_eq!(count.as_u64(), Some(found), "{status}");
    }
    assert_eq!(rows.len() as u64, summary["problems"].as_u64().unwrap());
}
