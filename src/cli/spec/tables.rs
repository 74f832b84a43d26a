//! The tables of a spec: what was asked for, each in its own terms.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::builtin::Teacher;
use crate::data::Missing;
use crate::model::Network;
use crate::report;
use crate::stability::StabilityOptions;
use crate::sweep::{Detail, Errors, Outcome, RandomStarts, linspace};

/// What is fitted.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cli) enum ModelRequest {
    Expression(ExpressionRequest),
    Network(Network),
}

impl ModelRequest {
    pub(in crate::cli) fn parameters(&self) -> &[String] {
        match self {
            Self::Expression(expression) => &expression.parameters,
            Self::Network(network) => network.parameters(),
        }
    }

    pub(in crate::cli) fn constants(&self) -> &[(String, f64)] {
        match self {
            Self::Expression(expression) => &expression.constants,
            Self::Network(_) => &[],
        }
    }

    /// The text that messages quote from.
    pub(in crate::cli) fn text(&self) -> &str {
        match self {
            Self::Expression(expression) => &expression.expression,
            Self::Network(_) => "",
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(in crate::cli) struct ExpressionRequest {
    pub(in crate::cli) expression: String,
    pub(in crate::cli) parameters: Vec<String>,
    pub(in crate::cli) constants: Vec<(String, f64)>,
}

/// Where the data come from.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cli) enum DataSource {
    File(PathBuf),
    Chebyshev { degree: u32, points: usize },
    Teacher(Teacher),
}

#[derive(Clone, Debug, PartialEq)]
pub(in crate::cli) struct DataRequest {
    pub(in crate::cli) source: DataSource,
    /// The axes of an array in a file.
    pub(in crate::cli) axes: Vec<String>,
    /// One for each output of the model; none: the model's own names.
    pub(in crate::cli) responses: Vec<String>,
    pub(in crate::cli) sigma: Option<String>,
    pub(in crate::cli) group: Vec<String>,
    pub(in crate::cli) missing: Missing,
    /// New name, column.
    pub(in crate::cli) columns: Vec<(String, String)>,
    pub(in crate::cli) errors: Errors,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::cli) struct StartRequest {
    pub(in crate::cli) values: Vec<Vec<(String, f64)>>,
    pub(in crate::cli) guesses: Vec<(String, String)>,
    pub(in crate::cli) file: Option<PathBuf>,
    pub(in crate::cli) random: Option<RandomStarts>,
}

/// How often a run saves what it has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::cli) struct SavingRequest {
    /// Problems a part; what is not given is as many as memory holds well.
    pub(in crate::cli) part: Option<u64>,
    /// Seconds after which a part that goes on is saved as far as it is.
    pub(in crate::cli) seconds: f64,
}

impl Default for SavingRequest {
    fn default() -> Self {
        Self { part: None, seconds: 1.0 }
    }
}

/// What is kept of a run, and in which forms it is written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::cli) struct OutputRequest {
    pub(in crate::cli) keep: Keep,
    /// How much is told of every problem.
    pub(in crate::cli) detail: Detail,
    /// Forms beside the Parquet file.
    pub(in crate::cli) formats: Vec<TextForm>,
    /// Whether data, fit and residual are written row by row.
    pub(in crate::cli) curves: bool,
    /// Whether a network's parameters stand in the results.
    pub(in crate::cli) parameters: bool,
}

/// What `natgrad stability` is to find out.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cli) struct StabilityRequest {
    pub(in crate::cli) points: Points,
    pub(in crate::cli) options: StabilityOptions,
    /// Step sizes of the map of contraction.
    pub(in crate::cli) map_sizes: Vec<f64>,
    /// Dampings of it; none: minimisers instead.
    pub(in crate::cli) map_dampings: Vec<f64>,
}

impl Default for StabilityRequest {
    fn default() -> Self {
        Self {
            points: Points::Minimisers,
            options: StabilityOptions::default(),
            // Past both sides of the critical step of the theorem, and never exactly on it.
            map_sizes: linspace(0.05, 2.95, 30),
            map_dampings: Vec::new(),
        }
    }
}

/// Which points are certified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Points {
    /// Those that the sweep ends at.
    Minimisers,
    /// Those that it would start from, as they are.
    Starts,
}

/// Which problems are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(in crate::cli) enum Keep {
    /// Every problem.
    #[default]
    All,
    /// The best start of each data set and step rule.
    Best,
}

impl Keep {
    pub(in crate::cli) const WORDS: [(&'static str, Self); 2] = [("all", Self::All), ("best", Self::Best)];
}

/// A form of results as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::cli) enum TextForm {
    Csv,
    Jsonl,
}

impl TextForm {
    /// How names of files end.
    pub(in crate::cli) fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
        }
    }

    /// Writes an outcome in this form.
    pub(in crate::cli) fn write(self, outcome: &Outcome, writer: impl std::io::Write) -> std::io::Result<()> {
        match self {
            Self::Csv => report::write_csv(outcome, writer),
            Self::Jsonl => report::write_jsonl(outcome, writer),
        }
    }

    /// Writes the records of its problems in this form.
    pub(in crate::cli) fn write_history(self, outcome: &Outcome, writer: impl std::io::Write) -> std::io::Result<()> {
        match self {
            Self::Csv => report::write_history_csv(outcome, writer),
            Self::Jsonl => report::write_history_jsonl(outcome, writer),
        }
    }
}

/// The precision asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum PrecisionChoice {
    /// The device's own: f32 on a GPU, f64 on the CPU.
    #[default]
    Auto,
    /// f32, on a GPU.
    F32,
    /// f64, on the CPU.
    F64,
}

impl PrecisionChoice {
    pub(in crate::cli) const WORDS: [(&'static str, Self); 3] =
        [("auto", Self::Auto), ("f32", Self::F32), ("f64", Self::F64)];
}
