//! What a run found: a row a problem, held column by column.

use std::sync::Arc;

use crate::data::KeyColumn;
use crate::memory;
use crate::ngd::{Precision, Reason, Status};

use super::problem::Problem;
use super::{Detail, History, Records, SizeUnit, StartValues, StepRule};

/// How standard errors are scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Errors {
    /// Multiplied by √(reduced χ²): the sigmas give relative weights only. The default, as SciPy's.
    #[default]
    Scaled,
    /// The sigmas are trusted as they are.
    Absolute,
}

/// What does not vary from problem to problem.
#[derive(Clone, Debug)]
pub struct Context {
    /// Parameter names, in the order of θ.
    pub parameters: Vec<String>,
    /// Whether the model is a network: its parameters have neither covariance nor standard errors.
    pub network: bool,
    /// Whether reports list a network's parameters.
    pub parameter_lists: bool,
    /// Group columns: a value for each data set.
    pub keys: Vec<KeyColumn>,
    /// The step rules of the sweep.
    pub rules: Vec<StepRule>,
    /// The device's name.
    pub device: String,
    /// The precision of the steps.
    pub precision: Precision,
    /// How standard errors are scaled.
    pub errors: Errors,
    /// How much is told of every problem.
    pub detail: Detail,
    /// Rows left out because a value was missing.
    pub dropped_rows: usize,
    /// What was recorded along the way.
    pub history: History,
    /// Lines for the user: what was chosen for them, and why.
    pub notices: Vec<String>,
    /// The first of the seeds of random starts.
    pub(crate) first_seed: u64,
}

impl Context {
    /// Parameters that errors are told of: all, or none of a network, and none where only what is essential is told.
    pub(crate) fn told(&self) -> usize {
        if self.network || self.detail == Detail::Essential { 0 } else { self.parameters.len() }
    }

    /// Whether the size of a rule's step is another one for every start.
    pub(crate) fn has_own_sizes(&self) -> bool {
        self.rules.iter().any(|rule| rule.unit != SizeUnit::Absolute)
    }

    /// Singular values that are kept of every problem.
    pub(crate) fn values(&self) -> usize {
        if self.detail == Detail::Essential { 0 } else { self.parameters.len() }
    }
}

/// The scalars of one problem.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// Index of the problem in the whole sweep.
    pub(crate) problem: u64,
    pub(crate) set: u32,
    /// Index of the start among the starts of its data set.
    pub(crate) start: u32,
    /// Index into `Context::rules`.
    pub(crate) rule: u32,
    /// The place of the start's seed among those of random starts, counted from 1; 0 where it is no random one.
    pub(crate) seed_place: u32,
    pub(crate) points: u32,
    pub(crate) status: Status,
    pub(crate) reason: Option<Reason>,
    pub(crate) steps: u32,
    pub(crate) rank: u32,
    /// ½‖e‖²: in f64 on the host, where all is told.
    pub(crate) loss: f64,
}

/// What the loss is like around a problem's end, in f64 on the host.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slopes {
    /// ‖Jᵀe‖.
    pub(crate) gradient_norm: f64,
    /// λmax(JᵀJ) of the plain J.
    pub(crate) gn_sharpness: f64,
}

/// The result of a run. Problems are in the order data set, start, step rule (the last fastest).
#[derive(Clone, Debug)]
pub struct Outcome {
    pub(crate) context: Arc<Context>,
    pub(crate) rows: Vec<Row>,
    /// p a problem.
    pub(crate) parameters: Vec<f64>,
    pub(crate) starts: StartValues,
    /// The absolute step size of each problem; none where all rules have theirs.
    pub(crate) step_sizes: Vec<f64>,
    /// One a problem; none where only what is essential is told.
    pub(crate) slopes: Vec<Slopes>,
    /// min(n, p) values padded with zeros to p a problem, descending.
    pub(crate) singular_values: Vec<f64>,
    /// (JᵀJ)⁺, unscaled, p(p+1)/2 a problem: the lower triangle row by row; none of a network.
    pub(crate) covariance: Vec<f64>,
    /// p a problem, none of a network: whether the null vectors of the factored J mix the parameter.
    pub(crate) unresolved: Vec<bool>,
    pub(crate) history: Records,
}

impl Outcome {
    /// That of no problems yet.
    pub(crate) fn empty(context: Arc<Context>) -> Self {
        Self {
            context,
            rows: Vec::new(),
            parameters: Vec::new(),
            starts: StartValues::Own(Vec::new()),
            step_sizes: Vec::new(),
            slopes: Vec::new(),
            singular_values: Vec::new(),
            covariance: Vec::new(),
            unresolved: Vec::new(),
            history: Records::default(),
        }
    }

    /// The same with room for all that is told of so many, but for their histories.
    pub(crate) fn with_room(context: Arc<Context>, problems: usize) -> Self {
        let p = context.parameters.len();
        let (told, values) = (context.told(), context.values());
        Self {
            rows: Vec::with_capacity(problems),
            parameters: Vec::with_capacity(problems * p),
            slopes: Vec::with_capacity(if context.detail == Detail::Full { problems } else { 0 }),
            singular_values: Vec::with_capacity(problems * values),
            covariance: Vec::with_capacity(problems * (told * (told + 1) / 2)),
            unresolved: Vec::with_capacity(problems * told),
            ..Self::empty(context)
        }
    }

    /// Number of problems.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no problem at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// What all problems share: parameter names, group columns, step rules, device and precision.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The problem at this position.
    ///
    /// # Panics
    /// If `index` is not below [`len`](Self::len).
    #[must_use]
    pub fn problem(&self, index: usize) -> Problem<'_> {
        assert!(index < self.len(), "problem {index} of an outcome with {} problems", self.len());
        Problem { outcome: self, index }
    }

    /// All problems in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Problem<'_>> {
        (0..self.len()).map(|index| Problem { outcome: self, index })
    }

    /// How many problems ended with this status.
    #[must_use]
    pub fn count(&self, status: Status) -> usize {
        self.rows.iter().filter(|row| row.status == status).count()
    }

    /// Share of problems that converged, 1 for an empty outcome.
    #[must_use]
    pub fn converged_share(&self) -> f64 {
        if self.is_empty() { 1.0 } else { self.count(Status::Converged) as f64 / self.len() as f64 }
    }

    /// Of each data set and step rule, the start that ended best: converged before any other status, then the least
    /// loss, then the first start.
    #[must_use]
    pub fn keep_best(&self) -> Self {
        let mut best: std::collections::BTreeMap<(u32, u32), usize> = std::collections::BTreeMap::new();
        let rank = |i: usize| {
            let row = &self.rows[i];
            let loss = if row.loss.is_finite() { row.loss } else { f64::INFINITY };
            (row.status != Status::Converged, loss)
        };
        for (i, row) in self.rows.iter().enumerate() {
            let slot = best.entry((row.set, row.rule)).or_insert(i);
            let (a, b) = (rank(i), rank(*slot));
            if (a.0, a.1).partial_cmp(&(b.0, b.1)) == Some(std::cmp::Ordering::Less) {
                *slot = i;
            }
        }
        self.select(best.into_values())
    }

    /// The problems at these positions, in this order.
    pub(crate) fn select(&self, positions: impl IntoIterator<Item = usize>) -> Self {
        let positions: Vec<usize> = positions.into_iter().collect();
        let p = self.context.parameters.len();
        let (told, values) = (self.context.told(), self.context.values());
        let packed = told * (told + 1) / 2;
        let mut chosen = Self::empty(Arc::clone(&self.context));
        chosen.starts = self.starts.select(&self.rows, &positions, p);
        for i in positions {
            chosen.rows.push(self.rows[i]);
            chosen.parameters.extend_from_slice(&self.parameters[i * p..(i + 1) * p]);
            chosen.step_sizes.extend(self.step_sizes.get(i));
            chosen.slopes.extend(self.slopes.get(i));
            chosen.singular_values.extend_from_slice(&self.singular_values[i * values..(i + 1) * values]);
            chosen.covariance.extend_from_slice(&self.covariance[i * packed..(i + 1) * packed]);
            chosen.unresolved.extend_from_slice(&self.unresolved[i * told..(i + 1) * told]);
            chosen.history.push_of(&self.history, i);
        }
        chosen
    }

    /// The same, with a network's parameters in reports: as one list in files.
    #[must_use]
    pub fn with_parameter_lists(mut self) -> Self {
        Arc::make_mut(&mut self.context).parameter_lists = true;
        self
    }

    /// Puts the problems of another outcome of the same run in the place of those at these positions. Of both only what is
    /// [essential](Detail::Essential) is there.
    pub(crate) fn replace(&mut self, positions: &[usize], by: &Self) {
        let p = self.context.parameters.len();
        for (k, &i) in positions.iter().enumerate() {
            self.rows[i] = by.rows[k];
            self.parameters[i * p..(i + 1) * p].copy_from_slice(&by.parameters[k * p..(k + 1) * p]);
        }
    }

    /// Makes room for so many problems more, but for their histories, and for starts that are lent.
    pub(crate) fn reserve(&mut self, problems: usize, starts_are_lent: bool) {
        let p = self.context.parameters.len();
        let (told, values) = (self.context.told(), self.context.values());
        memory::make_room(&mut self.rows, problems);
        memory::make_room(&mut self.parameters, problems * p);
        if !starts_are_lent {
            self.starts.reserve(problems * p);
        }
        if self.context.detail == Detail::Full {
            memory::make_room(&mut self.slopes, problems);
            memory::make_room(&mut self.singular_values, problems * values);
            memory::make_room(&mut self.covariance, problems * (told * (told + 1) / 2));
            memory::make_room(&mut self.unresolved, problems * told);
        }
    }

    /// The same with problems and data sets counted on from so many before.
    pub(crate) fn counted_from(mut self, problems: u64, sets: usize) -> Self {
        let context = Arc::make_mut(&mut self.context);
        context.keys = std::mem::take(&mut context.keys).into_iter().map(|key| key.counted_from(sets)).collect();
        self.starts.counted_from(problems);
        for row in &mut self.rows {
            row.problem += problems;
            // That they are no more than fit is seen to where they are counted.
            row.set += sets as u32;
        }
        self
    }

    /// Appends the problems of several parts of the same run, one after the other.
    pub(crate) fn append(&mut self, mut parts: Vec<Self>) {
        fn join<T: Copy + Send + Sync>(all: &mut Vec<T>, parts: &[Outcome], of: impl Fn(&Outcome) -> &[T]) {
            memory::extend_from_parts(all, &parts.iter().map(of).collect::<Vec<&[T]>>());
        }
        let starts: Vec<(&StartValues, &[Row])> = parts.iter().map(|part| (&part.starts, &part.rows[..])).collect();
        self.starts.append(&self.rows, &starts, self.context.parameters.len());
        join(&mut self.rows, &parts, |part| &part.rows);
        join(&mut self.parameters, &parts, |part| &part.parameters);
        join(&mut self.step_sizes, &parts, |part| &part.step_sizes);
        join(&mut self.slopes, &parts, |part| &part.slopes);
        join(&mut self.singular_values, &parts, |part| &part.singular_values);
        join(&mut self.covariance, &parts, |part| &part.covariance);
        join(&mut self.unresolved, &parts, |part| &part.unresolved);
        parts.iter_mut().for_each(|part| self.history.append(std::mem::take(&mut part.history)));
    }
}
