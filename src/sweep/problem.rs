//! One problem of an outcome: what was asked, and what it came to.

use crate::ngd::{Reason, Status};

use super::outcome::Row;
use super::{Detail, Errors, Outcome, Record, StepRule};

/// One problem of an [`Outcome`].
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a> {
    pub(super) outcome: &'a Outcome,
    pub(super) index: usize,
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
        self.outcome.starts.of(self.index, self.row(), self.width())
    }

    /// The seed of a random start.
    #[must_use]
    pub fn seed(&self) -> Option<u64> {
        let place = u64::from(self.row().seed_place).checked_sub(1)?;
        Some(self.outcome.context.first_seed + place)
    }

    /// The step rule; its size is in its unit.
    #[must_use]
    pub fn rule(&self) -> &'a StepRule {
        &self.outcome.context.rules[self.row().rule as usize]
    }

    /// Index of the step rule in [`Context::rules`](super::Context::rules).
    #[must_use]
    pub fn rule_index(&self) -> usize {
        self.row().rule as usize
    }

    /// The step size η: that of the [rule](Self::rule), times its unit at this problem's start.
    #[must_use]
    pub fn step_size(&self) -> f64 {
        self.outcome.step_sizes.get(self.index).copied().unwrap_or(self.rule().size)
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

    /// Loss ½‖e‖² of the weighted residual, evaluated in f64 on the host; as the steps knew it where only what is
    /// [essential](Detail::Essential) is told.
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

    /// ‖Jᵀe‖ of the plain J, evaluated in f64 on the host; NaN where only what is [essential](Detail::Essential) is told.
    #[must_use]
    pub fn gradient_norm(&self) -> f64 {
        self.outcome.slopes.get(self.index).map_or(f64::NAN, |slope| slope.gradient_norm)
    }

    /// λmax(JᵀJ) of the plain J: the sharpness of the loss where the residual is zero; NaN where only what is
    /// [essential](Detail::Essential) is told.
    #[must_use]
    pub fn gn_sharpness(&self) -> f64 {
        self.outcome.slopes.get(self.index).map_or(f64::NAN, |slope| slope.gn_sharpness)
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
