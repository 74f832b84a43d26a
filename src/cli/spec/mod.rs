//! What a fit or a sweep is asked to do, read from the command line or from a TOML file, and written as TOML.

mod emit;
mod hints;
mod origin;
mod read;
mod read_stability;
mod read_start;
mod reader;
#[cfg(test)]
mod reference_tests;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::failure::Failure;
use crate::data::{Data, DataError, Missing};
use crate::error::Error;
use crate::expr::ParseError;
use crate::model::{Model, ModelError};
use crate::ngd::Stop;
use crate::report;
use crate::stability::StabilityOptions;
use crate::sweep::{Errors, Job, Outcome, RandomStarts, StepBlock, Sweep, linspace};

pub(super) use origin::Origin;
pub(super) use read::read_spec;

/// A fit or a sweep as it was asked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Request {
    pub(super) model: ModelRequest,
    pub(super) data: DataRequest,
    pub(super) start: StartRequest,
    pub(super) blocks: Vec<StepBlock>,
    pub(super) stop: Stop,
    pub(super) device: Option<String>,
    pub(super) precision: PrecisionChoice,
    /// Problems to repeat in f64 on the CPU.
    pub(super) verify: Option<usize>,
    /// The least share of problems that have to converge.
    pub(super) require_converged: Option<f64>,
    pub(super) output: OutputRequest,
    pub(super) stability: StabilityRequest,
    pub(super) origin: Origin,
    /// The folder that relative paths are relative to.
    pub(super) folder: PathBuf,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct ModelRequest {
    pub(super) expression: String,
    pub(super) parameters: Vec<String>,
    pub(super) constants: Vec<(String, f64)>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct DataRequest {
    pub(super) file: PathBuf,
    pub(super) response: Option<String>,
    pub(super) sigma: Option<String>,
    pub(super) group: Vec<String>,
    pub(super) missing: Missing,
    /// New name, column.
    pub(super) columns: Vec<(String, String)>,
    pub(super) errors: Errors,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct StartRequest {
    pub(super) values: Vec<Vec<(String, f64)>>,
    pub(super) guesses: Vec<(String, String)>,
    pub(super) file: Option<PathBuf>,
    pub(super) random: Option<RandomStarts>,
}

/// What is kept of a run, and in which forms it is written.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct OutputRequest {
    pub(super) keep: Keep,
    /// Forms beside the Parquet file.
    pub(super) formats: Vec<TextForm>,
    /// Whether data, fit and residual are written row by row.
    pub(super) curves: bool,
}

/// What `natgrad stability` is to find out.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct StabilityRequest {
    pub(super) points: Points,
    pub(super) options: StabilityOptions,
    /// Step sizes of the map of contraction.
    pub(super) map_sizes: Vec<f64>,
    /// Dampings of it; none: minimisers instead.
    pub(super) map_dampings: Vec<f64>,
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
pub(super) enum Points {
    /// Those that the sweep ends at.
    Minimisers,
    /// Those that it would start from, as they are.
    Starts,
}

/// Which problems are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(super) enum Keep {
    /// Every problem.
    #[default]
    All,
    /// The best start of each data set and step rule.
    Best,
}

impl Keep {
    const WORDS: [(&'static str, Self); 2] = [("all", Self::All), ("best", Self::Best)];
}

/// A form of results as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum TextForm {
    Csv,
    Jsonl,
}

impl TextForm {
    /// How names of files end.
    pub(super) fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
        }
    }

    /// Writes an outcome in this form.
    pub(super) fn write(self, outcome: &Outcome, writer: impl std::io::Write) -> std::io::Result<()> {
        match self {
            Self::Csv => report::write_csv(outcome, writer),
            Self::Jsonl => report::write_jsonl(outcome, writer),
        }
    }
}

/// The precision asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum PrecisionChoice {
    /// The device's own: f32 on a GPU, f64 on the CPU.
    #[default]
    Auto,
    /// f32, on a GPU.
    F32,
    /// f64, on the CPU.
    F64,
}

impl PrecisionChoice {
    const WORDS: [(&'static str, Self); 3] = [("auto", Self::Auto), ("f32", Self::F32), ("f64", Self::F64)];
}

impl Request {
    /// Reads the data and checks everything that was asked for.
    pub(super) fn resolve(&self) -> Result<Job, Failure> {
        let model = match self.parse_model() {
            // A parameter that is not used is mostly one that was misspelt in the expression: name the stranger there.
            Err(ModelError::Unused { kind, name }) => {
                let error = self.stranger()?.map_or(ModelError::Unused { kind, name }, ModelError::Parse);
                return Err(self.model_failure(error));
            }
            parsed => parsed.map_err(|error| self.model_failure(error))?,
        };
        let data = self.read_data()?;
        self.sweep(&model, &data).resolve().map_err(|error| self.place(error, &data))
    }

    fn model_failure(&self, error: ModelError) -> Failure {
        let mut failure = Failure::from(error).at(&self.origin.place("model.expression"));
        // Data that cannot be read have nothing to add.
        if let Ok(data) = self.read_data() {
            failure.message += &hints::quoting(&self.model.expression, data.column_names(), &self.origin);
        }
        failure
    }

    fn parse_model(&self) -> Result<Model, ModelError> {
        let model = &self.model;
        Model::parse(&model.expression, &model.parameters)?.with_constants(&model.constants)
    }

    /// Lines for the user about the request: what was asked for, and may not have been meant.
    pub(super) fn notices(&self) -> Vec<String> {
        let unweighted = self.data.errors == Errors::Absolute && self.data.sigma.is_none();
        let notice = match &self.origin {
            Origin::CommandLine => "--errors absolute without --sigma: every sigma is taken as 1".to_owned(),
            Origin::Spec { name, .. } => {
                format!("{name}: data.errors = \"absolute\" without data.sigma: every sigma is taken as 1")
            }
        };
        unweighted.then_some(notice).into_iter().collect()
    }

    /// The first name in the expression that is neither parameter nor constant nor column.
    fn stranger(&self) -> Result<Option<ParseError>, Failure> {
        let ModelRequest { expression, parameters, constants, .. } = &self.model;
        let data = self.read_data()?;
        let used: Vec<&String> = parameters.iter().filter(|name| Model::parse(expression, &[name]).is_ok()).collect();
        let Ok(model) = Model::parse(expression, &used) else { return Ok(None) };
        let constants = || constants.iter().map(|(name, _)| name.as_str());
        // The model names its own parameters.
        let unused = parameters.iter().filter(|name| !used.contains(name)).map(String::as_str);
        let further: Vec<&str> = unused.chain(constants()).chain(data.names()).collect();
        let known = |name: &str| data.has_column(name) || constants().any(|constant| constant == name);
        Ok(model.first_unknown(&known, &further))
    }

    fn read_data(&self) -> Result<Data, DataError> {
        let request = &self.data;
        let groups: Vec<&str> = request.group.iter().map(String::as_str).collect();
        let columns: Vec<(&str, &str)> = request.columns.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        let mut data =
            Data::read_csv(self.path(&request.file))?.group_by(&groups).missing(request.missing).rename(&columns);
        if let Some(response) = &request.response {
            data = data.response(response.as_str());
        }
        if let Some(sigma) = &request.sigma {
            data = data.sigma(sigma.as_str());
        }
        Ok(data)
    }

    fn sweep(&self, model: &Model, data: &Data) -> Sweep {
        let mut sweep = Sweep::new(model, data).stop(self.stop).errors(self.data.errors);
        for values in &self.start.values {
            sweep = sweep.start_named(values.iter().map(|(name, value)| (name.as_str(), *value)));
        }
        for (parameter, expression) in &self.start.guesses {
            sweep = sweep.guess(parameter.as_str(), expression.as_str());
        }
        if let Some(file) = &self.start.file {
            sweep = sweep.starts_from_csv(self.path(file));
        }
        if let Some(random) = &self.start.random {
            sweep = sweep.random_starts(random.clone());
        }
        self.blocks.iter().fold(sweep, |sweep, block| sweep.block(block.clone()))
    }

    /// The same request with paths that hold in every folder.
    ///
    /// # Errors
    /// The folder of the process is not known, or a path is not UTF-8 and so cannot be written as TOML.
    pub(super) fn with_absolute_paths(&self) -> Result<Self, Failure> {
        let absolute = |path: &Path| {
            let shown = path.display();
            let path = std::path::absolute(self.path(path))
                .map_err(|error| Failure::request(format!("cannot make the path {shown} absolute: {error}")))?;
            if path.to_str().is_none() {
                return Err(Failure::request(format!("the path {shown} is not UTF-8, as a spec is; rename it")));
            }
            Ok(path)
        };
        let mut request = self.clone();
        request.data.file = absolute(&self.data.file)?;
        request.start.file = self.start.file.as_deref().map(absolute).transpose()?;
        Ok(request)
    }

    /// A path of the request, as the process has to open it; `-` is standard input.
    fn path(&self, path: &Path) -> PathBuf {
        if path == Path::new("-") { path.to_path_buf() } else { self.folder.join(path) }
    }

    /// Where the response or the sigma was asked for.
    fn data_place(&self, role: &str) -> String {
        let place = self.origin.place(&format!("data.{role}"));
        let by_default = role == "response" && self.data.response.is_none();
        if by_default { format!("{place} (y unless given)") } else { place }
    }

    /// Puts the place in front of messages that do not name a file of their own, and a hint behind those about an
    /// expression.
    fn place(&self, error: Error, data: &Data) -> Failure {
        let (place, message, expression) = match &error {
            Error::Parse(_) => {
                (self.origin.place("model.expression"), error.to_string(), Some(self.model.expression.as_str()))
            }
            Error::Guess { parameter, source } => {
                let guess = self.start.guesses.iter().find(|(name, _)| name == parameter);
                let place = self.origin.place(&format!("start.guess.{parameter}"));
                (place, source.to_string(), guess.map(|(_, text)| text.as_str()))
            }
            Error::Data(DataError::Parse { role, source, .. }) => {
                (self.data_place(role), source.to_string(), self.data_expression(role))
            }
            Error::Data(DataError::Names { role, source }) => {
                (self.data_place(role), source.to_string(), self.data_expression(role))
            }
            Error::Data(DataError::Evaluate { role, .. }) => (self.data_place(role), error.to_string(), None),
            Error::Data(_) | Error::Device(_) => (String::new(), error.to_string(), None),
            _ => (self.origin.name().to_owned(), error.to_string(), None),
        };
        let hint = expression.map(|text| hints::quoting(text, data.column_names(), &self.origin));
        let message = message + &hint.unwrap_or_default();
        let failure = Failure { message, ..Failure::from(error) };
        if place.is_empty() { failure } else { failure.at(&place) }
    }

    fn data_expression(&self, role: &str) -> Option<&str> {
        if role == "response" { self.data.response.as_deref() } else { self.data.sigma.as_deref() }
    }
}
