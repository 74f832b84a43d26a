//! From a request to a job: everything read, bound and checked, before anything runs.

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::data::{BoundData, Data};
use crate::error::{Error, RequestError};
use crate::expr::RowExpression;
use crate::model::Model;
use crate::ngd::Stop;

use super::check::{check_response, check_rule, check_stop, sigma};
use super::grid::StartGrid;
use super::{Errors, History, Reduction, SizeUnit, StepRule, Sweep};

/// No sweep has more problems than this: at a million problems a second it would run for eleven days.
const MOST_PROBLEMS: u64 = 1_000_000_000_000;

/// A sweep whose data, starts and rules have been read and checked. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Job(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    model: Model,
    data: Arc<BoundData>,
    /// The model's inputs, row after row: of all rows, or of one data set where all have the same.
    inputs: Arc<Vec<f64>>,
    /// How many rows `inputs` has.
    input_rows: usize,
    starts: StartGrid,
    rules: Vec<StepRule>,
    stop: Stop,
    errors: Errors,
    history: History,
    averaged: Option<usize>,
    /// ‖w∘y‖ of each data set.
    response_norms: Arc<Vec<f64>>,
    /// 2/sharpness at each start of each data set; empty where no rule asks for it.
    edges: Vec<f64>,
    /// Index of the first problem of each data set, and the count of all.
    first_problems: Vec<u64>,
    digest: String,
}

/// Where a problem stands in the product of data sets, starts and rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProblemId {
    pub(crate) index: u64,
    pub(crate) set: usize,
    pub(crate) start: usize,
    pub(crate) rule: usize,
}

impl Sweep {
    /// Reads and checks everything the sweep asks for.
    ///
    /// # Errors
    /// Whatever is wrong with the data, the starts, the rules or their combination, in one line.
    pub fn resolve(&self) -> Result<Job, Error> {
        let model = self.model.clone();
        self.check_names()?;
        let names: Vec<&str> = model.inputs().iter().map(String::as_str).collect();
        if let Some(error) = model.first_unknown(&|name| self.data.has_column(name), &self.data.names()) {
            return Err(error.into());
        }
        let source = self.responses()?;
        let guesses = self.guesses()?;
        let further: Vec<&str> = guesses.iter().flatten().flat_map(RowExpression::names).collect();
        let data = source.bind_with(&names, &further)?;
        let averaged = self.averaged(&data)?;
        let rules = self.rules(averaged)?;
        check_stop(&self.stop)?;
        self.history.check(&model)?;
        let starts = self.start_grid(&data, &guesses)?;
        let first_problems = first_problems(&starts, data.sets.len(), rules.len())?;
        if first_problems.last() == Some(&0) {
            return Err(RequestError::NoProblems.into());
        }
        let input_rows = data.shared_grid().unwrap_or(data.response.len());
        let inputs = input_table(&model, &data, input_rows);
        check_response(&data)?;
        let response_norms = data
            .sets
            .iter()
            .collect::<Vec<_>>()
            .into_par_iter()
            .map(|rows| rows.map(|i| (data.response.get(i) / sigma(&data, i)).powi(2)).sum::<f64>().sqrt())
            .collect();
        let digest = self.digest(&source, &starts);
        let mut job = Job(Arc::new(Inner {
            model,
            data: Arc::new(data),
            inputs: Arc::new(inputs),
            input_rows,
            starts,
            rules,
            stop: self.stop,
            errors: self.errors,
            history: self.history,
            averaged,
            response_norms: Arc::new(response_norms),
            edges: Vec::new(),
            first_problems,
            digest,
        }));
        let edges = job.edges()?;
        // Nobody else holds it yet.
        if let Some(inner) = Arc::get_mut(&mut job.0) {
            inner.edges = edges;
        }
        Ok(job)
    }

    /// The data with a response for each output of the model: for several, unless others are named, `y1`, `y2`, …
    fn responses(&self) -> Result<Data, RequestError> {
        let outputs = self.model.outputs();
        let named = self.data.response_count();
        match self.model.as_network() {
            _ if named == Some(outputs) => Ok(self.data.clone()),
            Some(network) if named.is_none() => Ok(self.data.clone().responses(&network.responses())),
            None if named.is_none() => Ok(self.data.clone()),
            _ => Err(RequestError::Responses { responses: named.unwrap_or(1), outputs }),
        }
    }

    /// Refuses new names of columns that mean nothing, and a parameter or constant that hides a column.
    fn check_names(&self) -> Result<(), Error> {
        self.data.check_renames()?;
        let parameters = self.model.parameters().iter().map(|name| ("parameter", name.as_str()));
        let constants = self.model.constants().map(|(name, _)| ("constant", name));
        for (kind, name) in parameters.chain(constants) {
            if let Some(column) = self.data.claimant(name) {
                let (name, column, file) = (name.to_owned(), column.to_owned(), self.data.source().to_owned());
                return Err(RequestError::NameIsColumn { kind, name, column, file }.into());
            }
        }
        Ok(())
    }

    fn rules(&self, averaged: Option<usize>) -> Result<Vec<StepRule>, RequestError> {
        let blocks = if self.blocks.is_empty() { std::slice::from_ref(&self.plain) } else { &self.blocks };
        let mut rules = Vec::new();
        for block in blocks {
            if block.sizes.is_empty() {
                return Err(RequestError::EmptyAxis { axis: "step size" });
            }
            if block.dampings.is_empty() {
                return Err(RequestError::EmptyAxis { axis: "damping" });
            }
            for rule in block.rules(self.model.default_scaling()) {
                check_rule(&rule)?;
                rules.push(averaged.map_or(rule, |points| rule.of_mean(points as f64)));
            }
        }
        Ok(rules)
    }

    /// The residuals that a loss averages, where it does.
    fn averaged(&self, data: &BoundData) -> Result<Option<usize>, RequestError> {
        let (least, most) = (data.sets.least_rows(), data.sets.most_rows());
        match self.reduction {
            Reduction::Mean if least == most => Ok(Some(most)),
            Reduction::Mean => Err(RequestError::UnequalMeans { least, most }),
            Reduction::Sum => Ok(None),
        }
    }

    /// SHA-256 over everything that decides the results: data, model, starts, rules, stop, history.
    fn digest(&self, data: &Data, starts: &StartGrid) -> String {
        let mut hash = Sha256::new();
        hash.update(data.digest());
        hash.update(self.model.digest());
        hash.update(format!(
            "{:?} {:?} {:?} {:?} {:?} {:?}",
            self.plain, self.blocks, self.reduction, self.stop, self.errors, self.history
        ));
        for value in &starts.values {
            hash.update(value.to_bits().to_le_bytes());
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The model's inputs of the first rows of the data, row after row.
fn input_table(model: &Model, data: &BoundData, rows: usize) -> Vec<f64> {
    let outputs = model.outputs();
    let mut inputs = Vec::with_capacity(rows * model.row_inputs());
    for row in 0..rows {
        inputs.extend(data.inputs.iter().map(|column| column.get(row)));
        if outputs > 1 {
            // The outputs of a row of data stand side by side, and data sets are whole rows of data.
            inputs.push((row % outputs) as f64);
        }
    }
    inputs
}

/// Index of the first problem of each data set, and the count of all.
fn first_problems(starts: &StartGrid, sets: usize, rules: usize) -> Result<Vec<u64>, RequestError> {
    let mut total = 0u64;
    let mut first = vec![0];
    for set in 0..sets {
        total = (starts.range(set).len() as u64)
            .checked_mul(rules as u64)
            .and_then(|count| total.checked_add(count))
            .filter(|&total| total <= MOST_PROBLEMS)
            .ok_or(RequestError::TooManyProblems { most: MOST_PROBLEMS })?;
        first.push(total);
    }
    Ok(first)
}

impl Job {
    /// The same model and data from other starts by other rules: data set and θ of each start, by ascending data set. No
    /// history is kept of them, and the digest stays that of what the job was made of.
    pub(crate) fn with_starts<'a>(
        &self,
        starts: impl IntoIterator<Item = (usize, &'a [f64])>,
        rules: Vec<StepRule>,
        stop: Stop,
    ) -> Result<Self, RequestError> {
        let starts = StartGrid::of_sets(starts, self.sets(), self.0.model.parameters().len())?;
        rules.iter().try_for_each(check_rule)?;
        check_stop(&stop)?;
        Ok(Self(Arc::new(Inner {
            first_problems: first_problems(&starts, self.sets(), rules.len())?,
            model: self.0.model.clone(),
            data: Arc::clone(&self.0.data),
            inputs: Arc::clone(&self.0.inputs),
            input_rows: self.0.input_rows,
            response_norms: Arc::clone(&self.0.response_norms),
            digest: self.0.digest.clone(),
            errors: self.0.errors,
            history: History::default(),
            averaged: None,
            edges: Vec::new(),
            starts,
            rules,
            stop,
        })))
    }

    /// Number of problems.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.0.first_problems.last().copied().unwrap_or(0)
    }

    /// Whether there is no problem; a resolved job always has one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of data sets.
    #[must_use]
    pub fn sets(&self) -> usize {
        self.0.data.sets.len()
    }

    /// Whether all data sets have the same starts.
    pub(crate) fn starts_are_shared(&self) -> bool {
        self.0.starts.is_shared()
    }

    /// The starts of a data set.
    pub(crate) fn starts_of(&self, set: usize) -> impl Iterator<Item = &[f64]> {
        let p = self.0.model.parameters().len();
        self.0.starts.range(set).map(move |start| &self.0.starts.values[start * p..(start + 1) * p])
    }

    /// How many different starts there are.
    #[must_use]
    pub fn starts(&self) -> usize {
        self.0.starts.values.len() / self.0.model.parameters().len()
    }

    /// The problems of a data set.
    ///
    /// # Panics
    /// If there is no such data set.
    #[must_use]
    pub fn problems_of(&self, set: usize) -> Range<u64> {
        self.0.first_problems[set]..self.0.first_problems[set + 1]
    }

    /// SHA-256, in hexadecimal, over data, model, starts and rules: equal digests ask for equal results.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.0.digest
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.0.model
    }

    /// The step rules, in the order of [`Context::rules`](super::Context::rules).
    #[must_use]
    pub fn rules(&self) -> &[StepRule] {
        &self.0.rules
    }

    /// The rule of a problem, its step size the absolute one.
    pub(crate) fn rule(&self, id: ProblemId) -> StepRule {
        let rule = self.0.rules[id.rule];
        match rule.unit {
            SizeUnit::Absolute => rule,
            // Problems are in the order data set, start, rule, and edges in that of the first two.
            SizeUnit::TwoOverSharpness => {
                let edge = self.0.edges[(id.index / self.0.rules.len() as u64) as usize];
                StepRule { size: rule.size * edge, unit: SizeUnit::Absolute, ..rule }
            }
        }
    }

    /// When problems stop.
    #[must_use]
    pub fn stop(&self) -> &Stop {
        &self.0.stop
    }

    /// The residuals that the loss of step sizes and dampings averages, where it does: the [rules](Self::rules) are
    /// converted to sums.
    #[must_use]
    pub fn averaged(&self) -> Option<usize> {
        self.0.averaged
    }

    /// How standard errors are scaled.
    #[must_use]
    pub fn errors(&self) -> Errors {
        self.0.errors
    }

    /// What is recorded along the way.
    #[must_use]
    pub fn history(&self) -> History {
        self.0.history
    }

    pub(crate) fn data(&self) -> &BoundData {
        &self.0.data
    }

    /// The rows of a data set.
    pub(crate) fn rows(&self, set: usize) -> Range<usize> {
        self.0.data.sets.get(set)
    }

    /// The most points that a data set has.
    pub(crate) fn most_rows(&self) -> usize {
        self.0.data.sets.most_rows()
    }

    /// The model's inputs at a row.
    pub(crate) fn inputs(&self, row: usize) -> &[f64] {
        let width = self.0.model.row_inputs();
        let place = if row < self.0.input_rows { row } else { row % self.0.input_rows };
        &self.0.inputs[place * width..(place + 1) * width]
    }

    /// The number of rows of every data set, where all have the same inputs, bit for bit and in the same order:
    /// `inputs(k)` for k below it are those of any.
    #[allow(dead_code, reason = "kernels that read a grid once ask for it")]
    pub(crate) fn shared_grid(&self) -> Option<usize> {
        self.0.data.shared_grid()
    }

    pub(crate) fn response(&self, row: usize) -> f64 {
        self.0.data.response.get(row)
    }

    /// The responses of a range of rows, rounded to f32; borrowed where they are held as such.
    #[allow(dead_code, reason = "uploads of whole data sets ask for it")]
    pub(crate) fn responses_f32(&self, rows: Range<usize>) -> std::borrow::Cow<'_, [f32]> {
        self.0.data.response.slice_f32(rows)
    }

    /// Whether a row may weigh something other than 1.
    #[allow(dead_code, reason = "kernels without weights ask for it")]
    pub(crate) fn has_sigma(&self) -> bool {
        self.0.data.sigma.as_ref().is_some_and(|sigma| sigma.constant() != Some(1.0))
    }

    /// 1/σ of a row.
    pub(crate) fn weight(&self, row: usize) -> f64 {
        1.0 / sigma(&self.0.data, row)
    }

    /// ‖w∘y‖ of a data set.
    pub(crate) fn response_norm(&self, set: usize) -> f64 {
        self.0.response_norms[set]
    }

    /// θ at the start of a problem.
    pub(crate) fn start(&self, id: ProblemId) -> &[f64] {
        let p = self.0.model.parameters().len();
        let at = self.0.starts.range(id.set).start + id.start;
        &self.0.starts.values[at * p..(at + 1) * p]
    }

    /// The seed of a problem's start, where it is a random one: those come last among the starts of a data set.
    pub(crate) fn seed(&self, id: ProblemId) -> Option<u64> {
        let seeds = self.0.starts.seeds.as_ref()?;
        let before = self.0.starts.range(id.set).len() - (seeds.end - seeds.start) as usize;
        id.start.checked_sub(before).map(|i| seeds.start + i as u64)
    }

    /// The problem at an index below [`len`](Self::len).
    pub(crate) fn problem(&self, index: u64) -> ProblemId {
        let set = self.0.first_problems.partition_point(|&first| first <= index) - 1;
        let within = index - self.0.first_problems[set];
        let rules = self.0.rules.len() as u64;
        ProblemId { index, set, start: (within / rules) as usize, rule: (within % rules) as usize }
    }
}
