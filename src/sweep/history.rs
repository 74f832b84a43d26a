//! What is recorded of problems on their way.

use crate::curvature::MOST_OF_EXPRESSION;
use crate::error::RequestError;
use crate::model::Model;
use crate::ngd::{Scaling, Stop};

use super::StepRule;

/// What is recorded of every problem along the way: at the start, after each `every` steps, and where it ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Steps from one record to the next; 0: none is kept.
    pub every: u32,
    /// Whether records hold θ.
    pub parameters: bool,
    /// Whether records hold λmax of the loss's Hessian: of networks by the iteration of Lanczos on exact products with vectors,
    /// of expressions of up to 128 parameters from the matrix.
    pub hessian_sharpness: bool,
}

impl History {
    /// Whether anything is recorded.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.every > 0
    }

    /// The most records of a problem before it ends: after 0, `every`, 2·`every`, … of fewer steps than it may take.
    pub(crate) fn slots(&self, stop: &Stop) -> usize {
        if self.is_kept() { stop.steps.div_ceil(self.every) as usize } else { 0 }
    }

    /// Whether a problem is recorded after so many steps, where it does not end.
    pub(crate) fn is_due(&self, steps: u32) -> bool {
        self.is_kept() && steps.is_multiple_of(self.every)
    }

    /// Whether records along the way need θ under these rules: σ₁² is the sharpness of the plain J only.
    pub(crate) fn needs_theta(&self, rules: &[StepRule]) -> bool {
        let scaled = rules.iter().any(|rule| rule.scaling == Scaling::Columns);
        self.is_kept() && (self.parameters || self.hessian_sharpness || scaled)
    }

    /// Bytes of the records of a problem of so many parameters in memory.
    pub(crate) fn bytes(&self, stop: &Stop, parameters: usize) -> u64 {
        let theta = if self.parameters { 8 * parameters as u64 } else { 0 };
        let records = if self.is_kept() { self.slots(stop) as u64 + 1 } else { 0 };
        records * (size_of::<Moment>() as u64 + theta)
    }

    /// Refuses what cannot be recorded.
    pub(super) fn check(&self, model: &Model) -> Result<(), RequestError> {
        let parameters = model.parameters().len();
        if !self.is_kept() && (self.parameters || self.hessian_sharpness) {
            return Err(RequestError::HistoryOfNothing);
        }
        if self.hessian_sharpness && model.as_network().is_none() && parameters > MOST_OF_EXPRESSION {
            return Err(RequestError::TooManyForHessian { parameters, most: MOST_OF_EXPRESSION });
        }
        Ok(())
    }
}

/// A problem at one point of its way.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Record<'a> {
    /// Steps taken by then, rejected ones included.
    pub step: u32,
    /// Loss ½‖e‖²: along the way in the precision of the steps, at the end in f64.
    pub loss: f64,
    /// ‖e‖.
    pub residual_norm: f64,
    /// Rank of the J that was factored, at the cutoff; `None` where none was.
    pub rank: Option<usize>,
    /// The largest singular value of that J.
    pub sigma_max: Option<f64>,
    /// The smallest of its min(n, p) singular values.
    pub sigma_min: Option<f64>,
    /// λmax(JᵀJ) of the plain J.
    pub gn_sharpness: f64,
    /// λmax of the loss's Hessian JᵀJ + Σ eᵢ∇²fᵢ, where [asked for](History::hessian_sharpness).
    pub hessian_sharpness: Option<f64>,
    /// θ, where [asked for](History::parameters), else empty.
    pub parameters: &'a [f64],
}

/// The figures of a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) step: u32,
    pub(crate) loss: f64,
    /// Rank, σ₁ and the least σ.
    pub(crate) factored: Option<(usize, f64, f64)>,
    pub(crate) gn_sharpness: f64,
    /// NaN where it was not asked for.
    pub(crate) hessian_sharpness: f64,
}

/// The records of many problems.
#[derive(Clone, Debug, Default)]
pub(crate) struct Records {
    /// Where each problem's end; none where no history is kept.
    ends: Vec<usize>,
    moments: Vec<Moment>,
    /// θ of each record, where it is kept.
    parameters: Vec<f64>,
}

impl Records {
    /// Adds the records of one more problem, and their θ one after the other, where they are kept.
    pub(crate) fn push(&mut self, moments: &[Moment], parameters: &[f64]) {
        self.moments.extend_from_slice(moments);
        self.parameters.extend_from_slice(parameters);
        self.ends.push(self.moments.len());
    }

    pub(super) fn append(&mut self, mut other: Self) {
        let before = self.moments.len();
        self.ends.extend(other.ends.iter().map(|end| before + end));
        self.moments.append(&mut other.moments);
        self.parameters.append(&mut other.parameters);
    }

    /// The records of problem i, and θ of each, p values or none.
    fn of(&self, i: usize) -> (&[Moment], &[f64]) {
        let Some(&end) = self.ends.get(i) else { return (&[], &[]) };
        let first = if i == 0 { 0 } else { self.ends[i - 1] };
        let p = self.parameters.len() / self.moments.len().max(1);
        (&self.moments[first..end], &self.parameters[first * p..end * p])
    }

    /// Adds those of problem i of others.
    pub(super) fn push_of(&mut self, other: &Self, i: usize) {
        if !other.ends.is_empty() {
            let (moments, parameters) = other.of(i);
            self.push(moments, parameters);
        }
    }

    pub(super) fn records(&self, i: usize, history: History) -> impl ExactSizeIterator<Item = Record<'_>> {
        let (moments, parameters) = self.of(i);
        let p = parameters.len() / moments.len().max(1);
        moments.iter().enumerate().map(move |(k, moment)| Record {
            step: moment.step,
            loss: moment.loss,
            residual_norm: (2.0 * moment.loss).sqrt(),
            rank: moment.factored.map(|(rank, ..)| rank),
            sigma_max: moment.factored.map(|(_, largest, _)| largest),
            sigma_min: moment.factored.map(|(.., least)| least),
            gn_sharpness: moment.gn_sharpness,
            hessian_sharpness: history.hessian_sharpness.then_some(moment.hessian_sharpness),
            parameters: &parameters[k * p..(k + 1) * p],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(step: u32) -> Moment {
        Moment { step, loss: 8.0, factored: None, gn_sharpness: 1.0, hessian_sharpness: f64::NAN }
    }

    #[test]
    fn records_lie_at_the_strides_below_the_limit() {
        let history = History { every: 5, ..History::default() };
        for (steps, slots) in [(0, 0), (1, 1), (5, 1), (6, 2), (u32::MAX, u32::MAX.div_ceil(5) as usize)] {
            assert_eq!(history.slots(&Stop { steps, ..Stop::default() }), slots);
        }
        assert!(history.is_due(0) && history.is_due(10) && !history.is_due(11));
        assert!(!History::default().is_due(0) && History::default().bytes(&Stop::default(), 3) == 0);
    }

    #[test]
    fn records_stay_with_their_problems_when_parts_are_joined_and_chosen_from() {
        let history = History { every: 1, parameters: true, hessian_sharpness: false };
        let mut all = Records::default();
        all.push(&[moment(0), moment(3)], &[0.0, 0.5, 3.0, 3.5]);
        let mut other = Records::default();
        other.push(&[moment(1)], &[1.0, 1.5]);
        all.append(other);
        let mut chosen = Records::default();
        [1, 0, 1].iter().for_each(|&i| chosen.push_of(&all, i));
        let steps = |i| chosen.records(i, history).map(|record| record.step).collect::<Vec<_>>();
        assert_eq!([steps(0), steps(1), steps(2)], [vec![1], vec![0, 3], vec![1]]);
        let last = chosen.records(1, history).last().unwrap();
        assert_eq!((last.parameters, last.residual_norm, last.hessian_sharpness), (&[3.0, 3.5][..], 4.0, None));
        // Where none is kept, there is nothing to choose.
        chosen.push_of(&Records::default(), 0);
        assert_eq!(Records::default().records(0, history).len(), 0);
    }
}
