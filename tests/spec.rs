//! Specs: what `--emit-spec` prints runs to the results of the fit.

use common::program::{MODEL, Place, rows};

mod common;

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
