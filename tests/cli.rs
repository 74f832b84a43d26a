//! The command line as its users meet it: the built program, its output, its exit codes and the files it leaves.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

const MISRA1A: &str = include_str!("../examples/misra1a.csv");
const MODEL: [&str; 4] = ["--model", "b1*(1 - exp(-b2*x))", "--parameters", "b1,b2"];
const START: [&str; 2] = ["--start", "b1=250,b2=5e-4"];

/// A folder of its own with `data.csv` in it; the program runs there, on the CPU.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.write("data.csv", MISRA1A);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_natgrad"));
        command.current_dir(self.0.path()).args(arguments).env("NATGRAD_DEVICE", "cpu").stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Run {
        Run::of(self.command(arguments).output().unwrap())
    }

    /// `fit` with the usual model, start and data.
    fn fit(&self, more: &[&str]) -> Run {
        let data = ["--data", "data.csv"];
        self.run(&[&["fit"], &MODEL[..], &START[..], &data[..], more].concat())
    }

    /// Names in a folder, sorted.
    fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Run {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().expect("no signal ended it"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// It went well and had nothing to remark.
    fn good(self) -> Self {
        assert_eq!((self.code, self.stderr.as_str()), (0, ""), "{}", self.stdout);
        self
    }

    /// It was refused with this code, in one line that holds all of these words, and printed no results.
    fn refused(self, code: i32, words: &[&str]) {
        assert_eq!((self.code, self.stdout.as_str()), (code, ""), "{}", self.stderr);
        assert!(self.stderr.starts_with("natgrad: ") && self.stderr.ends_with('\n'), "{:?}", self.stderr);
        assert_eq!(self.stderr.lines().count(), 1, "{}", self.stderr);
        assert!(self.stderr.len() < 400, "{}", self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "{:?} lacks {word:?}", self.stderr);
        }
    }

    fn json(&self) -> Vec<serde_json::Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

const SPEC: &str = r#"[model]
expression = "b1*(1 - exp(-b2*x))"
parameters = ["b1", "b2"]
[data]
file = "data.csv"
[start]
values = [{ b1 = 250, b2 = 5e-4 }]
[[step]]
size = [0.5, 1]
"#;

/// 150,000 problems of one step each: three parts.
const MANY: &str = r#"[model]
expression = "b1*(1 - exp(-b2*x))"
parameters = ["b1", "b2"]
[data]
file = "data.csv"
[start]
random = { distribution = "uniform", scale = 1e-3, seeds = { from = 0, count = 150000 } }
[[step]]
size = 1
[stop]
steps = 1
tests = false
"#;

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
fn bad_data_are_refused_with_file_line_and_mend() {
    let place = Place::new();
    let cases: [(&str, &[&str]); 9] = [
        ("y,x\n1,2\n3\n", &["bad.csv, line 3", "fields", "header"]),
        ("y,x\n1,2\nthree,4\n", &["bad.csv, line 3", "\"three\"", "number"]),
        ("y,x\n1,2\nNaN,4\n", &["bad.csv, line 3", "NaN", "--missing drop"]),
        ("y,x\n1,2\n3,inf\n", &["bad.csv, line 3", "inf", "--missing drop"]),
        ("y,x\n1,2\n3,\n", &["bad.csv, line 3", "empty cell", "--missing drop"]),
        ("y,z\n1,2\n", &["\"x\"", "known are"]),
        ("x\n2\n", &["bad.csv", "\"y\""]),
        ("y,x\n", &["bad.csv", "no rows"]),
        ("", &["bad.csv", "header"]),
    ];
    for (text, words) in cases {
        place.write("bad.csv", text);
        place.run(&[&["fit"], &MODEL[..], &START[..], &["--data", "bad.csv"]].concat()).refused(2, words);
    }
    place.write("bad.csv", "y,x,s\n1,2,1\n3,4,-1\n");
    place
        .run(&[&["fit"], &MODEL[..], &START[..], &["--data", "bad.csv", "--sigma", "s"]].concat())
        .refused(2, &["bad.csv, line 3", "sigma", "-1", "positive"]);
    place
        .run(&[&["fit"], &MODEL[..], &START[..], &["--data", "nowhere.csv"]].concat())
        .refused(2, &["nowhere.csv", "check the path"]);
    place.fit(&["--group", "cell"]).refused(2, &["data.csv", "\"cell\""]);
    assert_eq!(place.names("."), ["bad.csv", "data.csv"]);
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
fn a_request_that_cannot_be_meant_is_refused_in_one_line() {
    let place = Place::new();
    let data = ["--data", "data.csv"];
    let model = |expression: &str, parameters: &str, more: &[&str]| {
        place.run(&[&["fit", "--model", expression, "--parameters", parameters], &data[..], more].concat())
    };
    model("b1*(1 - exp(-b2*x)", "b1,b2", &START).refused(2, &["--model", "column"]);
    model("b1*(1 - exp(-b4*x))", "b1,b2", &START).refused(2, &["\"b4\"", "b2"]);
    model("b1*x", "b1,b1", &["--start", "b1=1"]).refused(2, &["\"b1\"", "twice"]);
    model("b1*x", "b1,b7", &["--start", "b1=1"]).refused(2, &["\"b7\""]);
    model("b1*x", "", &[]).refused(2, &["parameter"]);
    model("b1*x + b2", "b1,b2", &["--start", "b1=1,b3=2"]).refused(2, &["\"b3\"", "not a parameter"]);
    model("b1*x + b2", "b1,b2", &["--start", "b1=1"]).refused(2, &["b2", "no start"]);
    model("b1*x + b2", "b1,b2", &["--start", "b1=1,b1=2,b2=1"]).refused(2, &["b1", "twice"]);
    model("b1*x + b2", "b1,b2", &["--guess", "b1=max(z)", "--guess", "b2=0"]).refused(2, &["\"z\""]);
    model("b1*x + b2", "b1,b2", &["--start", "b1=1,b2=1", "--fix", "b3=2"]).refused(2, &["--fix", "\"b3\""]);
    model("b1*x", "b1", &["--fix", "b1=2"]).refused(2, &["--fix", "leave one free"]);
    place.fit(&["--start", "b1:3"]).refused(2, &["--start", "b1:3", "NAME=VALUE"]);
    place
        .fit(&["--step-size", "0.5", "--damping", "adaptive"])
        .refused(2, &["--step-size 0.5", "leave one of them out"]);
    place.fit(&["--damping", "-1"]).refused(2, &["--damping", "0 or more, or adaptive"]);
    place.fit(&["--require-converged", "99"]).refused(2, &["--require-converged", "from 0 to 1"]);
    place.fit(&["--out", "results.txt"]).refused(2, &["--out", ".parquet, .csv or .jsonl"]);
    place.fit(&["--formt", "csv"]).refused(2, &["--formt", "--format"]);
    place.fit(&["--precision", "f32"]).refused(2, &["f32", "CPU", "--device gpu"]);
    place.fit(&["--out", "nowhere/results.csv"]).refused(2, &["nowhere/results.csv", "folder does not exist"]);
    assert_eq!(place.names("."), ["data.csv"]);
}

#[test]
fn a_device_that_is_not_there_exits_with_3() {
    let place = Place::new();
    let run = place.fit(&["--device", "no such adapter"]);
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.lines().count()), (3, "", 1), "{}", run.stderr);
    let mut command = place.command(&[&["fit"], &MODEL[..], &START[..], &["--data", "data.csv"]].concat());
    let run = Run::of(command.env("NATGRAD_DEVICE", "no such adapter").output().unwrap());
    assert_eq!(run.code, 3);
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

#[test]
fn an_emitted_spec_runs_to_the_results_of_the_fit() {
    let place = Place::new();
    let options =
        ["--start", "b1=500", "--guess", "b2=1/mean(x)", "--damping", "1e-9", "--step-size", "0.75", "--steps", "50"];
    let fit = [&["fit"], &MODEL[..], &["--data", "data.csv"], &options[..]].concat();
    let spec = place.run(&[&fit[..], &["--emit-spec"]].concat()).good().stdout;
    place.write("spec.toml", &spec);
    place.run(&[&fit[..], &["--out", "fit.parquet"]].concat()).good();
    place.run(&["sweep", "spec.toml", "--out", "run"]).good();
    assert_eq!(rows(&place.path("run/results.parquet")), rows(&place.path("fit.parquet")));
}

/// Every row of a Parquet file as text.
fn rows(path: &Path) -> Vec<String> {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    let reader = SerializedFileReader::new(fs::File::open(path).unwrap()).unwrap();
    reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect()
}

#[test]
fn a_sweep_leaves_its_files_and_equal_sweeps_give_equal_bytes() {
    let place = Place::new();
    place.write("sweep.toml", SPEC);
    let run = place.run(&["sweep", "sweep.toml", "--out", "one"]).good();
    assert!(run.stdout.starts_with("status     problems  share\nconverged         2   100%\n"), "{}", run.stdout);
    place.run(&["sweep", "sweep.toml", "--out", "two"]).good();
    let files = ["converged.svg", "plan.json", "results.parquet", "spec.toml", "steps.svg", "summary.json"];
    assert_eq!(place.names("one"), files);
    for file in files {
        assert_eq!(place.read(&format!("one/{file}")), place.read(&format!("two/{file}")), "{file}");
    }
    assert_eq!(place.read("one/spec.toml"), SPEC.as_bytes());
    let summary: serde_json::Value = serde_json::from_slice(&place.read("one/summary.json")).unwrap();
    assert_eq!((summary["problems"].as_u64(), summary["status"]["converged"].as_u64()), (Some(2), Some(2)));
}

#[test]
fn a_bad_spec_is_refused_with_file_line_and_key_and_nothing_is_written() {
    let place = Place::new();
    let cases: [(&str, &str, &[&str]); 12] = [
        ("size =", "siez =", &["sweep.toml, line 9", "\"siez\"", "did you mean \"size\"?"]),
        ("[0.5, 1]", "[]", &["sweep.toml, line 9", "step.size", "empty grid"]),
        ("[0.5, 1]", "{ from = 0.1, to = 1, count = 100_000_000_000_000 }", &["line 9", "100000000000000", "too many"]),
        ("[0.5, 1]", "[0.5, 1", &["sweep.toml, line", "not valid TOML"]),
        ("data.csv", "nowhere.csv", &["nowhere.csv", "check the path"]),
        ("exp(-b2*x)", "exp(-b2*z)", &["sweep.toml, line 2, model.expression", "\"z\""]),
        ("exp(-b2*x)", "exp(-b2*x", &["sweep.toml, line 2, model.expression", "column"]),
        ("[\"b1\", \"b2\"]", "[\"b1\", \"b1\"]", &["sweep.toml, line 3, model.parameters", "\"b1\"", "twice"]),
        ("b2 = 5e-4", "b3 = 5e-4", &["sweep.toml, line 7", "\"b3\"", "not a parameter"]),
        (", b2 = 5e-4", "", &["sweep.toml", "b2", "no start"]),
        ("[[step]]", "[[step]]\nmethod = \"gd\"", &["line 9", "step.method", "not supported yet"]),
        ("[[step]]", "[history]\nevery = 10\n[[step]]", &["line 9", "history.every", "not supported yet"]),
    ];
    for (old, new, words) in cases {
        assert!(SPEC.contains(old));
        place.write("sweep.toml", &SPEC.replace(old, new));
        place.run(&["sweep", "sweep.toml", "--out", "run"]).refused(2, words);
    }
    place.run(&["sweep", "nowhere.toml", "--out", "run"]).refused(2, &["nowhere.toml", "check the path"]);
    place.write("sweep.toml", SPEC);
    place.run(&["sweep", "sweep.toml", "--out", "data.csv"]).refused(2, &["data.csv", "is a file"]);
    let run = place.run(&["sweep", "sweep.toml", "--out", "run", "--device", "no such adapter"]);
    assert_eq!((run.code, run.stderr.lines().count()), (3, 1), "{}", run.stderr);
    assert_eq!(place.names("."), ["data.csv", "sweep.toml"]);
}

#[test]
fn results_that_are_there_are_kept_replaced_or_gone_on_with_as_asked() {
    let place = Place::new();
    place.write("sweep.toml", SPEC);
    let sweep = ["sweep", "sweep.toml", "--out", "run"];
    let first = place.run(&sweep).good().stdout;
    let before = place.read("run/results.parquet");
    place.run(&sweep).refused(2, &["run", "already holds results", "--force", "--resume"]);
    place.run(&[&sweep[..], &["--force", "--resume"]].concat()).refused(2, &["--force", "--resume"]);
    // Nothing is left to do.
    assert_eq!(place.run(&[&sweep[..], &["--resume"]].concat()).good().stdout, first);
    assert_eq!(place.read("run/results.parquet"), before);

    place.write("run/notes.txt", "mine");
    place.write("sweep.toml", &SPEC.replace("[0.5, 1]", "[0.25, 0.5, 1]"));
    place
        .run(&[&sweep[..], &["--resume"]].concat())
        .refused(2, &["cannot resume", "plan.json", "problems was 2 and is 3"]);
    assert_eq!(place.read("run/results.parquet"), before);
    place.run(&[&sweep[..], &["--force"]].concat()).good();
    assert_ne!(place.read("run/results.parquet"), before);
    assert_eq!(place.read("run/notes.txt"), b"mine");
}

#[test]
fn a_sweep_that_was_killed_goes_on_and_ends_with_the_same_bytes() {
    let place = Place::new();
    place.write("sweep.toml", MANY);
    place.run(&["sweep", "sweep.toml", "--out", "whole"]).good();

    let mut child = place
        .command(&["sweep", "sweep.toml", "--out", "killed"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let first = place.path("killed/parts/part-00000000.parquet");
    while !first.exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!place.path("killed/results.parquet").exists(), "it was killed too late to show anything");
    let part = fs::metadata(&first).unwrap().modified().unwrap();

    place.run(&["sweep", "sweep.toml", "--out", "other", "--resume"]).good();
    // A file that was being written when the run was killed.
    place.write("killed/parts/.part-00000001.parquet.unfinished", "half");
    let mut resumed =
        place.command(&["sweep", "sweep.toml", "--out", "killed", "--resume"]).stdout(Stdio::null()).spawn().unwrap();
    // The finished part is not run again: its file is the one of before for as long as it is there.
    while resumed.try_wait().unwrap().is_none() {
        if let Ok(meta) = fs::metadata(&first) {
            assert_eq!(meta.modified().unwrap(), part);
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert!(resumed.wait().unwrap().success());
    for file in ["results.parquet", "summary.json", "plan.json"] {
        assert_eq!(place.read(&format!("killed/{file}")), place.read(&format!("whole/{file}")), "{file}");
        assert_eq!(place.read(&format!("other/{file}")), place.read(&format!("whole/{file}")), "{file}");
    }
    assert!(!place.path("killed/parts").exists());
}

/// A limit on the size of files stands in for a full disk: the same calls fail, and any user can set it.
#[cfg(unix)]
#[test]
fn a_disk_that_fills_up_is_told_in_one_line_and_finished_parts_are_kept() {
    let place = Place::new();
    place.write("sweep.toml", MANY);
    let limited = |kibibytes: u32, out: &str| {
        let program = env!("CARGO_BIN_EXE_natgrad");
        // Blocks of 512 bytes in every POSIX shell.
        let blocks = 2 * kibibytes;
        let line = format!("trap '' XFSZ; ulimit -f {blocks}; exec {program} sweep sweep.toml --out {out}");
        let mut shell = Command::new("sh");
        shell.current_dir(place.0.path()).args(["-c", &line]).env("NATGRAD_DEVICE", "cpu");
        Run::of(shell.output().unwrap())
    };
    // A part takes about 5 MB, and all three together more than 10.
    limited(1024, "early").refused(2, &["early/parts/part-00000000.parquet", "0 of 3 parts", "--resume"]);
    assert_eq!(place.names("early"), ["parts", "plan.json", "spec.toml"]);
    assert!(place.names("early/parts").is_empty());

    limited(8 * 1024, "late").refused(2, &["late/results.parquet", "all parts are complete", "--resume"]);
    assert_eq!(place.names("late"), ["parts", "plan.json", "spec.toml"]);
    assert_eq!(place.names("late/parts").len(), 3);

    place.run(&["sweep", "sweep.toml", "--out", "late", "--resume"]).good();
    place.run(&["sweep", "sweep.toml", "--out", "early", "--resume"]).good();
    assert_eq!(place.read("late/results.parquet"), place.read("early/results.parquet"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_standard_output_or_a_results_file_is_told_in_one_line() {
    let place = Place::new();
    let full = || fs::File::options().write(true).open("/dev/full").unwrap();
    let arguments = [&["fit"], &MODEL[..], &START[..], &["--data", "data.csv", "--format", "jsonl"]].concat();
    let output = place.command(&arguments).stdout(full()).output().unwrap();
    Run::of(output).refused(2, &["cannot write the results", "disk is full"]);
    std::os::unix::fs::symlink("/dev/full", place.path("full.csv")).unwrap();
    std::os::unix::fs::symlink("/dev/full", place.path("full.parquet")).unwrap();
    place.fit(&["--out", "full.csv"]).refused(2, &["full.csv", "disk is full"]);
    place.fit(&["--out", "full.parquet"]).refused(2, &["full.parquet", "disk is full"]);
    place.fit(&["--curves", "full.csv"]).refused(2, &["full.csv", "disk is full"]);
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
fn f64_on_a_gpu_is_refused_in_one_line() {
    let place = Place::new();
    if !place.run(&["devices"]).stdout.lines().any(|line| line.starts_with("0 ")) {
        println!("no adapter: nothing to refuse");
        return;
    }
    place.fit(&["--device", "0", "--precision", "f64"]).refused(2, &["f64", "--device cpu"]);
}

#[test]
fn without_an_adapter_auto_takes_the_cpu_with_one_line_of_notice_and_gpu_exits_with_3() {
    let place = Place::new();
    let hidden = |arguments: &[&str]| {
        let mut command = place.command(arguments);
        // No Vulkan driver, no EGL vendor.
        for variable in ["VK_DRIVER_FILES", "VK_ICD_FILENAMES", "__EGL_VENDOR_LIBRARY_FILENAMES"] {
            command.env(variable, "/nonexistent");
        }
        Run::of(command.env("NATGRAD_DEVICE", "auto").output().unwrap())
    };
    if hidden(&["devices"]).stdout.lines().any(|line| line.starts_with("0 ")) {
        println!("the adapters of this machine cannot be hidden");
        return;
    }
    let fit = [&["fit"], &MODEL[..], &START[..], &["--data", "data.csv", "--format", "csv"]].concat();
    let run = hidden(&fit);
    assert_eq!((run.code, run.stderr.lines().count()), (0, 1), "{}", run.stderr);
    assert!(run.stderr.contains("CPU"), "{}", run.stderr);
    assert_eq!(run.stdout, place.fit(&["--format", "csv"]).good().stdout);
    let run = hidden(&[&fit[..], &["--device", "gpu"]].concat());
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.lines().count()), (3, "", 1), "{}", run.stderr);
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
