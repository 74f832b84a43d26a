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
use super::{Detail, Errors, History, Reduction, SizeUnit, StepRule, Sweep};

/// No sweep has more problems than this: at a million problems a second it would run for eleven days.
const MOST_PROBLEMS: u64 = 1_000_000_000_000;

/// A sweep whose data, starts and rules have been read and checked. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Job(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    model: Model,
    data: Arc<BoundData>,
    /// The model's inputs, row after row.
    inputs: Arc<Vec<f64>>,
    starts: StartGrid,
    rules: Vec<StepRule>,
    stop: Stop,
    errors: Errors,
    history: History,
    detail: Detail,
    averaged: Option<usize>,
    /// ‖w∘y‖ of each data set.
    response_norms: Arc<Vec<f64>>,
    /// 2/sharpness at each start of each data set; empty where no rule asks for it.
    edges: Vec<f64>,
    /// Index of the first problem of each data set, and the count of all.
    first_problems: Vec<u64>,
    digest: String,
    shared: std::sync::OnceLock<Option<usize>>,
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
        let rows = data.response.len();
        let outputs = model.outputs();
        let mut inputs = Vec::with_capacity(rows * model.row_inputs());
        for row in 0..rows {
            inputs.extend(data.inputs.iter().map(|column| column[row]));
            if outputs > 1 {
                // The outputs of a row of data stand side by side, and data sets are whole rows of data.
                inputs.push((row % outputs) as f64);
            }
        }
        check_response(&data)?;
        let response_norms = data
            .sets
            .par_iter()
            .map(|rows| rows.clone().map(|i| (data.response[i] / sigma(&data, i)).powi(2)).sum::<f64>().sqrt())
            .collect();
        let digest = self.digest(&source, &starts);
        let mut job = Job(Arc::new(Inner {
            model,
            data: Arc::new(data),
            inputs: Arc::new(inputs),
            starts,
            rules,
            stop: self.stop,
            errors: self.errors,
            history: self.history,
            detail: self.detail,
            averaged,
            response_norms: Arc::new(response_norms),
            edges: Vec::new(),
            first_problems,
            digest,
            shared: std::sync::OnceLock::new(),
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
        let lengths = || data.sets.iter().map(ExactSizeIterator::len);
        match (self.reduction, lengths().min(), lengths().max()) {
            (Reduction::Mean, Some(least), Some(most)) if least == most => Ok(Some(most)),
            (Reduction::Mean, Some(least), Some(most)) => Err(RequestError::UnequalMeans { least, most }),
            _ => Ok(None),
        }
    }

    /// SHA-256 over everything that decides the results: data, model, starts, rules, stop, history.
    fn digest(&self, data: &Data, starts: &StartGrid) -> String {
        let mut hash = Sha256::new();
        hash.update(data.digest());
        hash.update(self.model.digest());
        hash.update(format!(
            "{:?} {:?} {:?} {:?} {:?} {:?} {:?}",
            self.plain, self.blocks, self.reduction, self.stop, self.errors, self.history, self.detail
        ));
        for value in &starts.values {
            hash.update(value.to_bits().to_le_bytes());
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
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
            response_norms: Arc::clone(&self.0.response_norms),
            digest: self.0.digest.clone(),
            shared: self.0.shared.clone(),
            errors: self.0.errors,
            history: History::default(),
            detail: Detail::Full,
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

    /// How much is told of every problem.
    #[must_use]
    pub fn detail(&self) -> Detail {
        self.0.detail
    }

    pub(crate) fn data(&self) -> &BoundData {
        &self.0.data
    }

    /// The rows of a data set.
    pub(crate) fn rows(&self, set: usize) -> Range<usize> {
        self.0.data.sets[set].clone()
    }

    /// The most points that a data set has.
    pub(crate) fn most_rows(&self) -> usize {
        self.0.data.sets.iter().map(ExactSizeIterator::len).max().unwrap_or(0)
    }

    /// The model's inputs at a row.
    pub(crate) fn inputs(&self, row: usize) -> &[f64] {
        let width = self.0.model.row_inputs();
        &self.0.inputs[row * width..(row + 1) * width]
    }

    pub(crate) fn shared_grid(&self) -> Option<usize> {
        *self.0.shared.get_or_init(|| self.find_shared_grid())
    }

    fn find_shared_grid(&self) -> Option<usize> {
        let first = self.rows(0).len();
        let width = self.0.model.row_inputs();
        let same = |set: usize| {
            let rows = self.rows(set);
            rows.len() == first && self.0.inputs[rows.start * width..rows.end * width] == self.0.inputs[..first * width]
        };
        (0..self.sets()).all(same).then_some(first)
    }

    pub(crate) fn has_sigma(&self) -> bool {
        self.0.data.sigma.is_some()
    }

    pub(crate) fn response(&self, row: usize) -> f64 {
        self.0.data.response[row]
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

    /// The problems of a range below [`len`](Self::len), in their order.
    pub(crate) fn problems(&self, range: Range<u64>) -> Vec<ProblemId> {
        if range.is_empty() {
            return Vec::new();
        }
        let rules = self.0.rules.len();
        let mut next = self.problem(range.start);
        range
            .map(|index| {
                let id = ProblemId { index, ..next };
                next.rule += 1;
                if next.rule == rules {
                    (next.rule, next.start) = (0, next.start + 1);
                }
                while next.set + 1 < self.sets() && index + 1 >= self.0.first_problems[next.set + 1] {
                    (next.set, next.start, next.rule) = (next.set + 1, 0, 0);
                }
                id
            })
            .collect()
    }

    /// The problem at an index below [`len`](Self::len).
    pub(crate) fn problem(&self, index: u64) -> ProblemId {
        let set = self.0.first_problems.partition_point(|&first| first <= index) - 1;
        let within = index - self.0.first_problems[set];
        let rules = self.0.rules.len() as u64;
        ProblemId { index, set, start: (within / rules) as usize, rule: (within % rules) as usize }
    }
}
