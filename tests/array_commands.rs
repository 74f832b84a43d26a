//! Image stacks and Parquet files at the command line: fitted, swept, and refused in one line.

use common::program::Place;

mod common;

#[allow(dead_code, reason = "each test file takes what it needs")]
#[path = "common/npy.rs"]
mod npy;

const PEAK: &str = "a*exp(-((px - 2)**2 + (py - 2)**2)/2) + b";

/// Peaks of height 100 + 10·set on a ground of 3, without noise.
fn peaks(sets: usize) -> Vec<u8> {
    let value = |set: usize, k: usize| {
        let (x, y) = ((k % 5) as f64 - 2.0, (k / 5) as f64 - 2.0);
        (100.0 + 10.0 * set as f64) * (-(x * x + y * y) / 2.0).exp() + 3.0
    };
    let values: Vec<f64> = (0..sets).flat_map(|set| (0..25).map(move |k| value(set, k))).collect();
    npy::of_f64(&[sets, 5, 5], &values)
}

fn place() -> Place {
    let place = Place::new();
    std::fs::write(place.path("stack.npy"), peaks(4)).unwrap();
    place
}

const FIT: [&str; 7] = ["fit", "--model", PEAK, "--parameters", "a,b", "--format", "jsonl"];

#[test]
fn a_stack_is_fitted_set_by_set_by_the_names_of_its_axes() {
    let place = place();
    let run =
        place.run(&[&FIT[..], &["--data", "stack.npy", "--axes", "set,py,px", "--start", "a=50,b=0"]].concat()).good();
    let problems: Vec<serde_json::Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(problems.len(), 4);
    for (set, problem) in problems.iter().enumerate() {
        assert_eq!(problem["set"], set);
        assert!((problem["parameters"]["a"].as_f64().unwrap() - (100.0 + 10.0 * set as f64)).abs() < 1e-6, "{problem}");
        assert!((problem["parameters"]["b"].as_f64().unwrap() - 3.0).abs() < 1e-6, "{problem}");
    }
}

#[test]
fn a_spec_names_the_axes_and_an_array_of_starts_and_gives_the_fits_of_the_command_line() {
    let place = place();
    std::fs::write(place.path("starts.npy"), npy::of_f64(&[4, 2], &[50.0, 0.0].repeat(4))).unwrap();
    let options = ["--data", "stack.npy", "--axes", "set,py,px", "--starts", "starts.npy", "--sigma", "2"];
    let fit = place.run(&[&FIT[..], &options].concat()).good().stdout;
    let spec = place.run(&[&FIT[..], &options, &["--emit-spec"]].concat()).good().stdout;
    assert!(spec.contains("axes = [\"set\", \"py\", \"px\"]"), "{spec}");
    place.write("sweep.toml", &format!("{spec}\n[output]\nformats = [\"jsonl\"]\ncurves = true\n"));
    place.run(&["sweep", "sweep.toml", "--out", "out"]).good();
    assert_eq!(String::from_utf8(place.read("out/results.jsonl")).unwrap(), fit);
    assert_eq!(String::from_utf8(place.read("out/curves.csv")).unwrap().lines().count(), 1 + 4 * 25);
}

#[test]
fn axes_without_an_array_and_an_array_without_axes_are_refused() {
    let place = place();
    let refusal = |more: &[&str]| {
        let run = place.run(&[&FIT[..], &["--start", "a=50,b=0"], more].concat());
        assert_eq!((run.code, run.stderr.lines().count()), (2, 1), "{}", run.stderr);
        run.stderr
    };
    assert!(refusal(&["--data", "stack.npy"]).contains("--axes set,py,px"));
    assert!(refusal(&["--data", "data.csv", "--axes", "set,x"]).contains("only an array has axes"));
    assert!(refusal(&["--data", "stack.npy", "--axes", "set,px"]).contains("has 3 axes, but 2 are named"));
    let spec = |data: &str| {
        let model = format!("[model]\nexpression = \"{PEAK}\"\nparameters = [\"a\", \"b\"]\n");
        place.write("sweep.toml", &format!("{model}[data]\n{data}\n[start]\nvalues = [{{ a = 50, b = 0 }}]\n"));
        let run = place.run(&["sweep", "sweep.toml", "--out", "refused"]);
        assert_eq!((run.code, run.stderr.lines().count()), (2, 1), "{}", run.stderr);
        run.stderr
    };
    assert!(spec("file = \"stack.npy\"").contains("sweep.toml, line 5, data.file"));
    assert!(spec("file = \"data.csv\"\naxes = [\"set\"]").contains("sweep.toml, line 6, data.axes"));
}

#[test]
fn results_in_parquet_are_data_again() {
    let place = Place::new();
    place.fit(&["--out", "fit.parquet"]).good();
    let run = place.run(&[
        "fit",
        "--model",
        "c*steps",
        "--parameters",
        "c",
        "--data",
        "fit.parquet",
        "--response",
        "b1",
        "--group",
        "status",
        "--start",
        "c=1",
        "--format",
        "jsonl",
    ]);
    let problem: serde_json::Value = serde_json::from_str(run.good().stdout.trim()).unwrap();
    assert_eq!((&problem["status"], &problem["points"]), (&"converged".into(), &1.into()), "{problem}");
}
