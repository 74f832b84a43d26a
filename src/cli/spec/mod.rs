//! What a fit or a sweep is asked to do, read from the command line or from a TOML file, and written as TOML.

mod emit;
mod file_form;
mod hints;
mod origin;
mod read;
mod read_data;
mod read_model;
mod read_stability;
mod read_start;
mod reader;
#[cfg(test)]
mod reference_tests;
mod tables;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use super::failure::Failure;
use crate::builtin;
use crate::data::{Data, DataError};
use crate::error::Error;
use crate::expr::ParseError;
use crate::model::{Model, ModelError};
use crate::ngd::Stop;
use crate::sweep::{Errors, History, Job, Reduction, StepBlock, StepRule, Sweep};

pub(super) use file_form::{FileForm, ending};
pub(super) use origin::Origin;
use read::read_spec;
pub(super) use tables::{
    DataRequest, DataSource, ExpressionRequest, Keep, ModelRequest, OutputRequest, Points, PrecisionChoice,
    SavingRequest, StabilityRequest, StartRequest, TextForm,
};

/// Reads a spec from its file; the request, and the text.
pub(super) fn read_file(path: &Path) -> Result<(Request, String), Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::request(format!("cannot read the spec {}: {error}; check the path", path.display()))
    })?;
    Ok((read_spec(path, &text)?, text))
}

/// A fit or a sweep as it was asked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Request {
    pub(super) model: ModelRequest,
    pub(super) data: DataRequest,
    pub(super) start: StartRequest,
    pub(super) blocks: Vec<StepBlock>,
    pub(super) reduction: Reduction,
    pub(super) stop: Stop,
    pub(super) history: History,
    pub(super) device: Option<String>,
    pub(super) precision: PrecisionChoice,
    /// Problems to repeat in f64 on the CPU.
    pub(super) verify: Option<usize>,
    /// The least share of problems that have to converge.
    pub(super) require_converged: Option<f64>,
    pub(super) saving: SavingRequest,
    pub(super) output: OutputRequest,
    pub(super) stability: StabilityRequest,
    pub(super) origin: Origin,
    /// The folder that relative paths are relative to.
    pub(super) folder: PathBuf,
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
            failure.message += &hints::quoting(self.model.text(), data.column_names(), &self.origin);
        }
        failure
    }

    /// The step rules, of a loss that averages so many residuals, where it does.
    pub(super) fn rules(&self, averaged: Option<usize>) -> Result<Vec<StepRule>, Failure> {
        let scaling = self.parse_model().map_err(|error| self.model_failure(error))?.default_scaling();
        let rules = self.blocks.iter().flat_map(|block| block.rules(scaling));
        Ok(rules.map(|rule| averaged.map_or(rule, |points| rule.of_mean(points as f64))).collect())
    }

    fn parse_model(&self) -> Result<Model, ModelError> {
        match &self.model {
            ModelRequest::Expression(model) => {
                Model::parse(&model.expression, &model.parameters)?.with_constants(&model.constants)
            }
            ModelRequest::Network(network) => Ok(Model::from(network.clone())),
        }
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
        let ModelRequest::Expression(ExpressionRequest { expression, parameters, constants }) = &self.model else {
            return Ok(None);
        };
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

    fn read_source(&self) -> Result<Data, Failure> {
        Ok(match &self.data.source {
            DataSource::File(file) => file_form::read(&self.path(file), &self.data.axes)?,
            DataSource::Chebyshev { degree, points } => builtin::chebyshev(*degree, *points)?,
            DataSource::Teacher(teacher) => {
                teacher.data().map_err(|error| Failure::from(error).at(&self.origin.place("data.builtin.teacher")))?
            }
        })
    }

    fn read_data(&self) -> Result<Data, Failure> {
        let request = &self.data;
        let groups: Vec<&str> = request.group.iter().map(String::as_str).collect();
        let columns: Vec<(&str, &str)> = request.columns.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        let mut data = self.read_source()?.missing(request.missing).rename(&columns);
        if !groups.is_empty() {
            data = data.group_by(&groups);
        }
        if !request.responses.is_empty() {
            data = data.responses(&request.responses);
        }
        if let Some(sigma) = &request.sigma {
            data = data.sigma(sigma.as_str());
        }
        Ok(data)
    }

    fn sweep(&self, model: &Model, data: &Data) -> Sweep {
        let mut sweep = Sweep::new(model, data).reduction(self.reduction).stop(self.stop).errors(self.data.errors);
        sweep = sweep.history(self.history).detail(self.output.detail);
        for values in &self.start.values {
            sweep = sweep.start_named(values.iter().map(|(name, value)| (name.as_str(), *value)));
        }
        for (parameter, expression) in &self.start.guesses {
            sweep = sweep.guess(parameter.as_str(), expression.as_str());
        }
        if let Some(file) = &self.start.file {
            let path = self.path(file);
            sweep = match ending(&path) {
                FileForm::Npy => sweep.starts_from_npy(path),
                FileForm::Csv | FileForm::Parquet => sweep.starts_from_csv(path),
            };
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
        if let DataSource::File(file) = &mut request.data.source {
            *file = absolute(file)?;
        }
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
        let by_default = role == "response" && self.data.responses.is_empty();
        if by_default { format!("{place} (y unless given)") } else { place }
    }

    /// Puts the place in front of messages that do not name a file of their own, and a hint behind those about an
    /// expression.
    fn place(&self, error: Error, data: &Data) -> Failure {
        let (place, message, expression) = match &error {
            Error::Parse(_) => (self.origin.place("model.expression"), error.to_string(), Some(self.model.text())),
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
        match (role, self.data.responses.as_slice()) {
            ("response", [one]) => Some(one),
            ("response", _) => None,
            _ => self.data.sigma.as_deref(),
        }
    }
}
