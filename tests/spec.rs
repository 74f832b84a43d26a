//! Specs: what `--emit-spec` prints runs to the results of the fit, wherever it is saved.

use common::program::{MODEL, Place, Run, rows};

mod common;

/// A fit of the usual model to the usual data with these options, and the sweep of the spec that they emit, saved in
/// a folder of its own.
fn fit_and_sweep(place: &Place, fit: &[&str]) -> (Run, Run) {
    let spec = place.run(&[fit, &["--emit-spec"]].concat()).good().stdout;
    place.write("elsewhere/spec.toml", &spec);
    (place.run(fit), place.run(&["sweep", "elsewhere/spec.toml", "--out", "run"]))
}

#[test]
fn an_emitted_spec_runs_to_the_results_of_the_fit() {
    let place = Place::new();
    let options =
        ["--start", "b1=500", "--guess", "b2=1/mean(x)", "--damping", "1e-9", "--step-size", "0.75", "--steps", "50"];
    let out = ["--out", "fit.parquet"];
    let (fit, sweep) =
        fit_and_sweep(&place, &[&["fit"], &MODEL[..], &["--data", "data.csv"], &options[..], &out].concat());
    fit.good();
    sweep.good();
    assert_eq!(rows(&place.path("run/results.parquet")), rows(&place.path("fit.parquet")));
    assert_eq!(place.names("run"), ["plan.json", "results.parquet", "spec.toml", "summary.json"]);
}

/// Two cells of lines with a little noise.
const LINES: &str = "cell,y,\"Time [s]\"\nA,1,0\nA,3.1,1\nB,3,0\nA,5,2\nB,2,1\nA,7,3\nB,1.2,2\n";

#[test]
fn an_emitted_spec_keeps_checks_and_writes_what_the_fit_did() {
    let place = Place::new();
    place.write("lines.csv", LINES);
    place.write("starts/lines.csv", "cell,a,c\nA,0,0\nB,1,1\nA,2,1\nB,-1,3\n");
    let fit = [
        &["fit", "--model", "a*`Time [s]` + c + d", "--parameters", "a,c", "--constant", "d=0.5"][..],
        &["--data", "lines.csv", "--group", "cell", "--sigma", "2", "--errors", "absolute"],
        &["--starts", "starts/lines.csv", "--keep", "best", "--steps", "2", "--damping", "0.1"],
        &["--verify", "2", "--require-converged", "0.9", "--out", "fit.csv", "--curves", "fit-curves.csv"],
    ]
    .concat();
    let (fit, sweep) = fit_and_sweep(&place, &fit);
    // Two damped steps do not converge: both say so and end with 1.
    assert_eq!((fit.code, sweep.code), (1, 1), "{} {}", fit.stderr, sweep.stderr);
    let lines = |run: &Run| run.stderr.lines().map(str::to_owned).collect::<Vec<_>>();
    let (fit, sweep) = (lines(&fit), lines(&sweep));
    assert_eq!((fit.len(), sweep.len()), (2, 2), "{fit:?} {sweep:?}");
    assert!(fit[0].contains("2 problems repeated in f64"), "{fit:?}");
    assert_eq!(sweep[0], fit[0]);
    assert!(fit[1].contains("0 of 2 problems converged"), "{fit:?}");
    assert!(sweep[1].contains("0 of 2 problems converged") && sweep[1].contains("run.require_converged"), "{sweep:?}");
    assert_eq!(place.read("run/results.csv"), place.read("fit.csv"));
    assert_eq!(place.read("run/curves.csv"), place.read("fit-curves.csv"));
    assert_eq!(rows(&place.path("run/results.parquet")).len(), 2);
}

#[test]
fn an_emitted_spec_asks_for_json_lines_where_the_fit_did() {
    let place = Place::new();
    let fit =
        [&["fit"], &MODEL[..], &["--data", "data.csv", "--start", "b1=250,b2=5e-4", "--out", "fit.jsonl"]].concat();
    let (fit, sweep) = fit_and_sweep(&place, &fit);
    fit.good();
    sweep.good();
    assert_eq!(place.read("run/results.jsonl"), place.read("fit.jsonl"));
}

#[test]
fn standard_input_makes_no_spec() {
    let place = Place::new();
    let fit = [&["fit"], &MODEL[..], &["--data", "-", "--start", "b1=250,b2=5e-4", "--emit-spec"]].concat();
    place.run(&fit).refused(2, &["--emit-spec", "--data", "standard input"]);
}
