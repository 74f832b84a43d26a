//! A job: what a sweep comes to, and which part of it is at hand.

mod rows;

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use either::Either;

use crate::data::{BoundData, DataSets, KeyColumn, Stack};
use crate::error::{Error, RequestError};
use crate::memory;
use crate::model::Model;
use crate::ngd::Stop;

use super::check::{check_response, check_rule, check_stop};
use super::grid::{Recipe, StartGrid};
use super::index::{ProblemId, ProblemIndex};
use super::{Detail, Errors, History, SizeUnit, StepRule, Sweep};

/// Numbers of data and starts that a window is made of at a time where everything is looked at: 32 MB of them.
const WINDOW_NUMBERS: usize = 1 << 22;

/// Problems that one core numbers at a time.
const PROBLEMS_AT_ONCE: usize = 1 << 14;

/// A sweep whose data, starts and rules have been read and checked. Cheap to clone.
///
/// Of an array in a file whose slowest axis is that of the data sets it holds no data set and no start of one:
/// [`window`](Self::window) holds some of them.
#[derive(Clone, Debug)]
pub struct Job(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    whole: Arc<Whole>,
    held: Option<Held>,
}

/// What all windows of a job share.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) model: Model,
    pub(super) rules: Vec<StepRule>,
    pub(super) stop: Stop,
    pub(super) errors: Errors,
    pub(super) history: History,
    pub(super) detail: Detail,
    pub(super) averaged: Option<usize>,
    pub(super) sets: DataSets,
    pub(super) keys: Vec<KeyColumn>,
    pub(super) dropped: usize,
    /// The model's inputs, row after row: of all rows, or of one data set where all have the same.
    pub(super) inputs: Arc<Vec<f64>>,
    /// Rows of a data set, where all have the same inputs.
    pub(super) grid: Option<usize>,
    pub(super) has_sigma: bool,
    pub(super) problems: ProblemIndex,
    /// The seeds of the random starts, which come last among the starts of a data set.
    pub(super) seeds: Option<Range<u64>>,
    pub(super) starts_are_shared: bool,
    /// From what windows are made; `None` where all is held.
    pub(super) source: Option<(Stack, Recipe)>,
    pub(super) digest: OnceLock<String>,
    /// The job that this one takes data from, where its starts are others.
    pub(super) origin: Option<Job>,
    /// What the digest is made of.
    pub(super) asked: Sweep,
}

/// Data sets with their starts.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) sets: Range<usize>,
    pub(super) data: Arc<BoundData>,
    pub(super) starts: StartGrid,
    /// 2/sharpness at each start of each data set; empty where no rule asks for it.
    pub(super) edges: Vec<f64>,
}

impl Whole {
    /// Binds some of the data sets and makes their starts.
    fn hold(&self, sets: Range<usize>) -> Result<Option<Held>, Error> {
        let Some((stack, recipe)) = &self.source else { return Ok(None) };
        let data = stack.bind(sets.clone())?;
        check_response(&data, sets.clone())?;
        let starts = recipe.grid(&data, sets.clone())?;
        Ok(Some(Held { sets, data: Arc::new(data), starts, edges: Vec::new() }))
    }
}

impl Job {
    pub(super) fn new(whole: Whole, held: Option<Held>) -> Result<Self, Error> {
        let whole = Arc::new(whole);
        let job = Self(Arc::new(Inner { whole, held }));
        job.check_edges()?;
        // Of what is not held every window makes its own.
        if job.0.held.is_some() { job.with_edges() } else { Ok(job) }
    }

    /// The same with the edges of stability of what it holds.
    fn with_edges(self) -> Result<Self, Error> {
        let edges = self.edges();
        let mut job = self;
        // Nobody else holds it yet.
        if let Some(held) = Arc::get_mut(&mut job.0).and_then(|inner| inner.held.as_mut()) {
            held.edges = edges;
        }
        Ok(job)
    }

    /// Looks at all data sets and starts without holding more than some of them at a time.
    pub(super) fn check_all(&self) -> Result<(), Error> {
        self.blocks().try_for_each(|sets| self.0.whole.hold(sets).map(|_| ()))
    }

    /// All data sets, as many at a time as a window should hold where nothing else bounds it.
    fn blocks(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let whole = &self.0.whole;
        let (sets, rows) = (whole.sets.len(), whole.sets.most_rows());
        let starts = whole.problems.len() / (sets.max(1) * whole.rules.len().max(1)) as u64;
        let starts = if whole.starts_are_shared { 0 } else { starts as usize * whole.model.parameters().len() };
        let size = (WINDOW_NUMBERS / (rows + starts).max(1)).max(1);
        // The first is of one data set: it answers most questions.
        let first = std::iter::once(0..sets.min(1));
        first.chain((1..sets).step_by(size).map(move |first| first..(first + size).min(sets)))
    }

    /// Windows over all data sets, one after the other: what walks through all of a job holds one at a time.
    pub(crate) fn windows(&self) -> impl Iterator<Item = Result<(Self, Range<usize>), Error>> + '_ {
        let blocks = if self.0.whole.source.is_some() {
            Either::Left(self.blocks())
        } else {
            Either::Right(std::iter::once(0..self.sets()))
        };
        blocks.map(|sets| Ok((self.window_of(sets.clone())?, sets)))
    }

    /// The job with the data sets of these problems at hand, and no others: what it is asked of them it answers from memory,
    /// every index (of problems, data sets, starts, seeds and keys) being that of the whole. A job that holds all of its data
    /// sets is cloned.
    ///
    /// # Errors
    /// If data or starts cannot be read, or have changed since the sweep was resolved and are no longer sound.
    pub fn window(&self, problems: Range<u64>) -> Result<Self, Error> {
        let end = problems.end.min(self.len());
        if problems.start >= end {
            return self.window_of(0..0);
        }
        let index = &self.0.whole.problems;
        self.window_of(index.set_of(problems.start)..index.set_of(end - 1) + 1)
    }

    fn window_of(&self, sets: Range<usize>) -> Result<Self, Error> {
        let holds = |held: &Held| held.sets.start <= sets.start && sets.end <= held.sets.end;
        if self.0.held.as_ref().is_some_and(holds) {
            return Ok(self.clone());
        }
        match self.0.whole.hold(sets)? {
            None => Ok(self.clone()),
            held => Self(Arc::new(Inner { whole: Arc::clone(&self.0.whole), held })).with_edges(),
        }
    }

    /// The job with all data sets at hand.
    pub(crate) fn held_whole(&self) -> Result<Self, Error> {
        self.window_of(0..self.sets())
    }

    /// The data sets at hand.
    fn held(&self) -> &Held {
        // Whatever looks at rows or starts has taken a window.
        self.0.held.as_ref().expect("a window, or a job whose data are in memory")
    }

    /// The same model and data from other starts by other rules: data set and θ of each start, by ascending data set. No
    /// history is kept of them, and the digest stays that of what the job was made of.
    pub(crate) fn with_starts<'a>(
        &self,
        starts: impl IntoIterator<Item = (usize, &'a [f64])>,
        rules: Vec<StepRule>,
        stop: Stop,
    ) -> Result<Self, RequestError> {
        let whole = &self.0.whole;
        let starts = StartGrid::of_sets(starts, self.sets(), whole.model.parameters().len())?;
        rules.iter().try_for_each(check_rule)?;
        check_stop(&stop)?;
        let problems = ProblemIndex::new(self.sets(), rules.len(), None, |set| starts.range(set).len())?;
        let held = self.held();
        let held = Held { sets: held.sets.clone(), data: Arc::clone(&held.data), starts, edges: Vec::new() };
        let whole = Whole {
            model: whole.model.clone(),
            rules,
            stop,
            errors: whole.errors,
            history: History::default(),
            detail: Detail::Full,
            averaged: None,
            sets: whole.sets.clone(),
            keys: whole.keys.clone(),
            dropped: whole.dropped,
            inputs: Arc::clone(&whole.inputs),
            grid: whole.grid,
            has_sigma: whole.has_sigma,
            problems,
            seeds: None,
            starts_are_shared: false,
            source: None,
            digest: OnceLock::new(),
            origin: Some(self.clone()),
            asked: whole.asked.clone(),
        };
        Ok(Self(Arc::new(Inner { whole: Arc::new(whole), held: Some(held) })))
    }

    /// Number of problems.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.0.whole.problems.len()
    }

    /// Whether there is no problem; a resolved job always has one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of data sets.
    #[must_use]
    pub fn sets(&self) -> usize {
        self.0.whole.sets.len()
    }

    /// Whether all data sets have the same starts.
    pub(crate) fn starts_are_shared(&self) -> bool {
        self.0.whole.starts_are_shared
    }

    /// The starts of a data set.
    pub(crate) fn starts_of(&self, set: usize) -> impl Iterator<Item = &[f64]> {
        let starts = &self.held().starts;
        starts.range(set).map(|start| starts.theta(start))
    }

    /// How many different starts there are.
    #[must_use]
    pub fn starts(&self) -> usize {
        let all = (self.len() / self.rules().len() as u64) as usize;
        if self.starts_are_shared() { all / self.sets() } else { all }
    }

    /// The problems of a data set.
    ///
    /// # Panics
    /// If there is no such data set.
    #[must_use]
    pub fn problems_of(&self, set: usize) -> Range<u64> {
        self.0.whole.problems.of(set)
    }

    /// SHA-256, in hexadecimal, over data, model, starts and rules: equal digests ask for equal results. It is computed when
    /// it is first asked for, which reads all data.
    #[must_use]
    pub fn digest(&self) -> &str {
        if let Some(origin) = &self.0.whole.origin {
            return origin.digest();
        }
        self.0.whole.digest.get_or_init(|| {
            let starts = self.0.whole.source.is_none().then(|| &self.held().starts);
            self.0.whole.asked.digest(starts)
        })
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.0.whole.model
    }

    /// The step rules, in the order of [`Context::rules`](super::Context::rules).
    #[must_use]
    pub fn rules(&self) -> &[StepRule] {
        &self.0.whole.rules
    }

    /// The rule of a problem, its step size the absolute one.
    pub(crate) fn rule(&self, id: ProblemId) -> StepRule {
        let rule = self.rules()[id.rule];
        match rule.unit {
            SizeUnit::Absolute => rule,
            // Problems are in the order data set, start, rule, and edges in that of the first two.
            SizeUnit::TwoOverSharpness => {
                let held = self.held();
                let first = if held.sets.is_empty() { 0 } else { self.problems_of(held.sets.start).start };
                let edge = held.edges[((id.index - first) / self.rules().len() as u64) as usize];
                StepRule { size: rule.size * edge, unit: SizeUnit::Absolute, ..rule }
            }
        }
    }

    /// When problems stop.
    #[must_use]
    pub fn stop(&self) -> &Stop {
        &self.0.whole.stop
    }

    /// The residuals that the loss of step sizes and dampings averages, where it does: the [rules](Self::rules) are
    /// converted to sums.
    #[must_use]
    pub fn averaged(&self) -> Option<usize> {
        self.0.whole.averaged
    }

    /// How standard errors are scaled.
    #[must_use]
    pub fn errors(&self) -> Errors {
        self.0.whole.errors
    }

    /// What is recorded along the way.
    #[must_use]
    pub fn history(&self) -> History {
        self.0.whole.history
    }

    /// How much is told of every problem.
    #[must_use]
    pub fn detail(&self) -> Detail {
        self.0.whole.detail
    }

    /// The data sets at hand.
    pub(crate) fn data(&self) -> &BoundData {
        &self.held().data
    }

    /// The problems of the data sets at hand.
    pub(super) fn held_problems(&self) -> Range<u64> {
        let sets = &self.held().sets;
        if sets.is_empty() { 0..0 } else { self.problems_of(sets.start).start..self.problems_of(sets.end - 1).end }
    }

    /// Whether the data sets at work are at hand, and no others.
    #[cfg(feature = "cli")]
    pub(crate) fn is_windowed(&self) -> bool {
        self.0.whole.source.is_some()
    }

    /// The group columns' values of all data sets.
    pub(crate) fn keys(&self) -> &[KeyColumn] {
        &self.0.whole.keys
    }

    /// How many rows were left out for a missing value.
    pub(crate) fn dropped_rows(&self) -> usize {
        self.0.whole.dropped
    }

    /// The problems of a range below [`len`](Self::len), in their order.
    pub(crate) fn problems(&self, range: Range<u64>) -> Vec<ProblemId> {
        let mut ids = Vec::new();
        let count = range.end.saturating_sub(range.start) as usize;
        memory::extend_in_blocks(&mut ids, count, PROBLEMS_AT_ONCE, |block, places| {
            self.walk(range.start + block.start as u64..range.start + block.end as u64).for_each(|id| places.push(id));
        });
        ids
    }

    /// The same one after the other, from a range that is not empty.
    fn walk(&self, range: Range<u64>) -> impl Iterator<Item = ProblemId> {
        let rules = self.rules().len();
        let mut next = self.problem(range.start);
        let mut end = self.problems_of(next.set).end;
        range.map(move |index| {
            while index >= end {
                next = ProblemId { index, set: next.set + 1, start: 0, rule: 0 };
                end = self.problems_of(next.set).end;
            }
            let id = ProblemId { index, ..next };
            next.rule += 1;
            if next.rule == rules {
                (next.rule, next.start) = (0, next.start + 1);
            }
            id
        })
    }

    /// The problem at an index below [`len`](Self::len).
    pub(crate) fn problem(&self, index: u64) -> ProblemId {
        let problems = &self.0.whole.problems;
        let set = problems.set_of(index);
        let within = index - problems.of(set).start;
        let rules = self.rules().len() as u64;
        ProblemId { index, set, start: (within / rules) as usize, rule: (within % rules) as usize }
    }
}
