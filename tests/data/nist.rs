//! The NIST problems beside this file; see README.md there.

use std::path::{Path, PathBuf};

use natgrad::data::Data;

/// One problem with its certified answers.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "each test that includes this file reads some of the fields")]
pub(crate) struct Problem {
    pub(crate) name: String,
    pub(crate) file: PathBuf,
    pub(crate) difficulty: String,
    pub(crate) response: String,
    pub(crate) inputs: Vec<String>,
    pub(crate) model: String,
    pub(crate) parameters: Vec<String>,
    pub(crate) start1: Vec<f64>,
    pub(crate) start2: Vec<f64>,
    pub(crate) certified: Vec<f64>,
    pub(crate) standard_deviations: Vec<f64>,
    pub(crate) residual_sum_of_squares: f64,
    pub(crate) residual_standard_deviation: f64,
    pub(crate) degrees_of_freedom: usize,
    pub(crate) observations: usize,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

/// All problems, in the order of the manifest.
pub(crate) fn problems() -> Vec<Problem> {
    let text = std::fs::read_to_string(folder().join("nist.json")).expect("the manifest");
    serde_json::from_str(&text).expect("a list of problems")
}

#[allow(dead_code, reason = "each test that includes this file reads some of the fields")]
impl Problem {
    /// The problem's data with its response.
    pub(crate) fn data(&self) -> Data {
        Data::read_csv(folder().join(&self.file)).expect("the data").response(self.response.as_str())
    }
}
