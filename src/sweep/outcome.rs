//! What a run found: a row a problem, held column by column.

use std::sync::Arc;

use crate::data::KeyColumn;
use crate::memory;
use crate::ngd::{Precision, Reason, Status};

use super::{Detail, History, Record, Records, StepRule};

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
}

impl Context {
    /// Parameters that errors are told of: all, or none of a network, and none where only what is essential is told.
    pub(crate) fn told(&self) -> usize {
        if self.network || self.detail == Detail::Essential { 0 } else { self.parameters.len() }
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
    pub(crate) seed: Option<u64>,
    /// The absolute step size.
    pub(crate) step_size: f64,
    pub(crate) points: u32,
    pub(crate) status: Status,
    pub(crate) reason: Option<Reason>,
    pub(crate) steps: u32,
    pub(crate) rank: u32,
    /// ½‖e‖² in f64 on the host.
    pub(crate) loss: f64,
    /// ‖Jᵀe‖ in f64 on the host.
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
    /// p a problem: the start.
    pub(crate) starts: Vec<f64>,
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
            starts: Vec::new(),
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
            starts: Vec::with_capacity(problems * p),
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
        let p = self.context.parameters.len();
        let (told, values) = (self.context.told(), self.context.values());
        let packed = told * (told + 1) / 2;
        let mut chosen = Self::empty(Arc::clone(&self.context));
        for i in positions {
            chosen.rows.push(self.rows[i]);
            chosen.parameters.extend_from_slice(&self.parameters[i * p..(i + 1) * p]);
            chosen.starts.extend_from_slice(&self.starts[i * p..(i + 1) * p]);
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

    /// Makes room for so many problems more, of which only what is essential is told.
    pub(crate) fn reserve(&mut self, problems: usize) {
        let p = self.context.parameters.len();
        memory::make_room(&mut self.rows, problems);
        memory::make_room(&mut self.parameters, problems * p);
        memory::make_room(&mut self.starts, problems * p);
    }

    /// The same with problems and data sets counted on from so many before.
    pub(crate) fn counted_from(mut self, problems: u64, sets: usize) -> Self {
        let context = Arc::make_mut(&mut self.context);
        context.keys = std::mem::take(&mut context.keys).into_iter().map(|key| key.counted_from(sets)).collect();
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
        join(&mut self.rows, &parts, |part| &part.rows);
        join(&mut self.parameters, &parts, |part| &part.parameters);
        join(&mut self.starts, &parts, |part| &part.starts);
        join(&mut self.singular_values, &parts, |part| &part.singular_values);
        join(&mut self.covariance, &parts, |part| &part.covariance);
        join(&mut self.unresolved, &parts, |part| &part.unresolved);
        parts.iter_mut().for_each(|part| self.history.append(std::mem::take(&mut part.history)));
    }
}

/// One problem of an [`Outcome`].
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a> {
    outcome: &'a Outcome,
    index: usize,
}

impl<'a> Problem<'a> {
    fn row(&self) -> &'a Row {
        &self.outcome.rows[self.index]
    }

    fn width(&self) -> usize {
        self.outcome.context.parameters.len()
    }

    /// Index of the problem in the whole sweep.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.row().problem
    }

    /// Index of the data set.
    #[must_use]
    pub fn set(&self) -> usize {
        self.row().set as usize
    }

    /// Index of the start among the starts of its data set.
    #[must_use]
    pub fn start_index(&self) -> usize {
        self.row().start as usize
    }

    /// θ at the start, p values.
    #[must_use]
    pub fn start(&self) -> &'a [f64] {
        let p = self.width();
        &self.outcome.starts[self.index * p..(self.index + 1) * p]
    }

    /// The seed of a random start.
    #[must_use]
    pub fn seed(&self) -> Option<u64> {
        self.row().seed
    }

    /// The step rule; its size is in its unit.
    #[must_use]
    pub fn rule(&self) -> &'a StepRule {
        &self.outcome.context.rules[self.row().rule as usize]
    }

    /// Index of the step rule in [`Context::rules`].
    #[must_use]
    pub fn rule_index(&self) -> usize {
        self.row().rule as usize
    }

    /// The step size η: that of the [rule](Self::rule), times its unit at this problem's start.
    #[must_use]
    pub fn step_size(&self) -> f64 {
        self.row().step_size
    }

    /// How the problem ended.
    #[must_use]
    pub fn status(&self) -> Status {
        self.row().status
    }

    /// By which test it converged.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        self.row().reason
    }

    /// Steps taken, rejected trial steps included.
    #[must_use]
    pub fn steps(&self) -> u32 {
        self.row().steps
    }

    /// Number of data points n.
    #[must_use]
    pub fn points(&self) -> usize {
        self.row().points as usize
    }

    /// Loss ½‖e‖² of the weighted residual, evaluated in f64 on the host.
    #[must_use]
    pub fn loss(&self) -> f64 {
        self.row().loss
    }

    /// ‖e‖², twice the loss: χ² where sigmas are given.
    #[must_use]
    pub fn residual_sum_of_squares(&self) -> f64 {
        2.0 * self.row().loss
    }

    /// Degrees of freedom n − r, r the rank; `None` where there is no rank.
    #[must_use]
    pub fn degrees_of_freedom(&self) -> Option<usize> {
        self.rank().map(|rank| self.points().saturating_sub(rank))
    }

    /// ‖e‖²/(n − r); NaN without degrees of freedom or rank.
    #[must_use]
    pub fn reduced_chi_square(&self) -> f64 {
        match self.degrees_of_freedom() {
            None | Some(0) => f64::NAN,
            Some(degrees) => self.residual_sum_of_squares() / degrees as f64,
        }
    }

    /// ‖Jᵀe‖ of the plain J, evaluated in f64 on the host.
    #[must_use]
    pub fn gradient_norm(&self) -> f64 {
        self.row().gradient_norm
    }

    /// λmax(JᵀJ) of the plain J: the sharpness of the loss where the residual is zero.
    #[must_use]
    pub fn gn_sharpness(&self) -> f64 {
        self.row().gn_sharpness
    }

    /// Whether J was factored at the θ returned: rank, singular values, covariance and standard errors are told only
    /// then. A problem that ended as [`NonFinite`](Status::NonFinite) or
    /// [`FactorizationLimit`](Status::FactorizationLimit) has no such factorisation, whatever an earlier step had.
    #[must_use]
    pub fn is_factored(&self) -> bool {
        let sigma = self.sigma();
        !sigma.is_empty()
            && !matches!(self.status(), Status::NonFinite | Status::FactorizationLimit)
            && !sigma.iter().any(|s| s.is_nan())
    }

    /// Rank of the J that was factored, at the cutoff; `None` where [none was](Self::is_factored). Where only what is
    /// [essential](Detail::Essential) is told, of the problems that converged.
    #[must_use]
    pub fn rank(&self) -> Option<usize> {
        let known = match self.outcome.context.detail {
            Detail::Essential => matches!(self.status(), Status::Converged | Status::StepLimit),
            Detail::Full => self.is_factored(),
        };
        known.then(|| self.row().rank as usize)
    }

    /// The singular values that are kept.
    fn sigma(&self) -> &'a [f64] {
        let width = self.outcome.context.values();
        &self.outcome.singular_values[self.index * width..(self.index + 1) * width]
    }

    /// Singular values of the J that was factored, descending: min(n, p) values; empty where [none
    /// was](Self::is_factored).
    #[must_use]
    pub fn singular_values(&self) -> &'a [f64] {
        let count = if self.is_factored() { self.width().min(self.points()) } else { 0 };
        &self.sigma()[..count]
    }

    /// θ at the end, p values.
    #[must_use]
    pub fn parameters(&self) -> &'a [f64] {
        let p = self.width();
        &self.outcome.parameters[self.index * p..(self.index + 1) * p]
    }

    /// The records of the way, where a [history](super::Sweep::history) was asked for: of the start, of the point after
    /// each `every` steps, and of the point where the problem ended. After a rejected step it stands where it stood.
    pub fn history(&self) -> impl ExactSizeIterator<Item = Record<'a>> + use<'a> {
        self.outcome.history.records(self.index, self.outcome.context.history)
    }

    /// Whether the data determine parameter j: false where a null vector of the factored J involves it, and where
    /// [none was factored](Self::is_factored) to tell.
    #[must_use]
    pub fn is_resolved(&self, parameter: usize) -> bool {
        self.is_factored() && self.mixed().get(parameter) == Some(&false)
    }

    /// Of each parameter, whether the null vectors mix it.
    fn mixed(&self) -> &'a [bool] {
        let told = self.outcome.context.told();
        &self.outcome.unresolved[self.index * told..(self.index + 1) * told]
    }

    /// Names of the parameters that the null vectors mix: the data do not tell them apart. Empty at full rank, and
    /// where [no J was factored](Self::is_factored) to tell.
    #[must_use]
    pub fn unresolved(&self) -> Vec<&'a str> {
        let names = self.outcome.context.parameters.iter().zip(self.mixed());
        names.filter(|&(_, &mixed)| mixed && self.is_factored()).map(|(name, _)| name.as_str()).collect()
    }

    /// Covariance of the parameters, p×p row by row: (JᵀJ)⁺, times the reduced χ² where errors are scaled. Taken from
    /// the singular value decomposition, never from a product JᵀJ. NaN where [no J was factored](Self::is_factored), and
    /// in the rows and columns of parameters that are [not resolved](Self::is_resolved). Empty for a network.
    #[must_use]
    pub fn covariance(&self) -> Vec<f64> {
        let p = if self.outcome.context.network { 0 } else { self.width() };
        if !self.is_factored() {
            return vec![f64::NAN; p * p];
        }
        let packed = p * (p + 1) / 2;
        let triangle = &self.outcome.covariance[self.index * packed..(self.index + 1) * packed];
        let scale = self.variance_scale();
        let mut full = vec![0.0; p * p];
        for i in 0..p {
            for j in 0..=i {
                let resolved = self.is_resolved(i) && self.is_resolved(j);
                let value = if resolved { triangle[i * (i + 1) / 2 + j] * scale } else { f64::NAN };
                full[i * p + j] = value;
                full[j * p + i] = value;
            }
        }
        full
    }

    /// Standard errors, p values: roots of the covariance's diagonal; NaN for parameters that are [not
    /// resolved](Self::is_resolved) and where there are no degrees of freedom to scale by. Empty for a network.
    #[must_use]
    pub fn standard_errors(&self) -> Vec<f64> {
        let p = if self.outcome.context.network { 0 } else { self.width() };
        (0..p).map(|j| self.standard_error(j)).collect()
    }

    /// That of parameter j, of which there is one.
    pub(crate) fn standard_error(&self, j: usize) -> f64 {
        if !self.is_factored() || !self.is_resolved(j) {
            return f64::NAN;
        }
        let p = self.width();
        let triangle = &self.outcome.covariance[self.index * (p * (p + 1) / 2)..];
        (triangle[j * (j + 1) / 2 + j] * self.variance_scale()).sqrt()
    }

    fn variance_scale(&self) -> f64 {
        match self.outcome.context.errors {
            Errors::Scaled => self.reduced_chi_square(),
            Errors::Absolute => 1.0,
        }
    }
}
