//! Stability of minimisers: what steps do to perturbations of them, measured, and held against theory.
//!
//! At an interpolating minimiser (e = 0) where the rank of J is locally constant, the map θ ↦ θ − ηJ†e has the Jacobian
//! I − ηP, P = J†J the projector on the row space of J: its eigenvalues are 1 − η and 1, wherever the minimiser lies. A
//! [`Certificate`] says of one minimiser whether that is so, by checks that are independent of each other: the projector
//! that the device computed, J differentiated in f64, and multipliers measured as differences of steps taken. That the
//! computed projector has the eigenvalues 0 and 1 proves nothing alone: it has them for any J.
//!
//! [`Engine::certify`](crate::Engine::certify) does it for all minimisers of a sweep.

mod certificate;
mod certify;
mod checks;
mod critical;
mod dynamics;
mod eigen;
mod map;
mod options;
mod point;
mod products;
mod theory;
mod update_map;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Serialize;

pub use certificate::{Certificate, Checks, Doubt, FilterStability, Verdict};
pub(crate) use certify::certify;
pub(crate) use map::contraction_map;
pub use map::{ContractionMap, MapAxis, MapRow};
pub use options::{FilterRule, StabilityOptions};
pub use update_map::update_map;

use crate::backend::MOST_DENSE;
use crate::error::RequestError;
use crate::model::Model;
use crate::ngd::Status;
use crate::sweep::{Job, Outcome, Problem};

/// A point to be certified.
#[derive(Clone, Debug, PartialEq)]
pub struct Minimiser {
    /// Index of the problem it stands for; of a point from elsewhere any number.
    pub problem: u64,
    /// Index of the data set.
    pub set: usize,
    /// θ, p values. On a GPU they are rounded to f32 first: that is the point that is certified.
    pub parameters: Vec<f64>,
    /// How the problem ended. One that did not converge is counted and not certified; `None`: certified as it is.
    pub status: Option<Status>,
}

impl Minimiser {
    /// Where the problems of an outcome ended.
    #[must_use]
    pub fn of_outcome(outcome: &Outcome) -> Vec<Self> {
        let one = |problem: Problem<'_>| Self {
            problem: problem.index(),
            set: problem.set(),
            parameters: problem.parameters().to_vec(),
            status: Some(problem.status()),
        };
        outcome.iter().map(one).collect()
    }

    /// The points from which the problems of a job start, each once for each data set, as they are.
    #[must_use]
    pub fn of_starts(job: &Job) -> Vec<Self> {
        let rules = job.rules().len() as u64;
        let one = |index: u64| {
            let id = job.problem(index);
            Self { problem: index, set: id.set, parameters: job.start(id).to_vec(), status: None }
        };
        (0..job.len()).step_by(rules as usize).map(one).collect()
    }
}

/// Least, median and largest of a figure over all certificates; NaN where there are none.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The least.
    pub least: f64,
    /// The median, the lower one of two.
    pub median: f64,
    /// The largest.
    pub largest: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.filter(|value| !value.is_nan()).collect();
        values.sort_by(f64::total_cmp);
        let at = |k: usize| values.get(k).copied().unwrap_or(f64::NAN);
        Self { least: at(0), median: at(values.len().saturating_sub(1) / 2), largest: at(values.len().wrapping_sub(1)) }
    }
}

/// The certificates of a sweep's minimisers.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Stability {
    /// Minimisers certified, whatever the verdict.
    pub minimisers: usize,
    /// Points that were not, by the status that they ended with.
    pub excluded: BTreeMap<String, u64>,
    /// Certificates by verdict, those that do not apply by reason.
    pub verdicts: BTreeMap<String, u64>,
    /// Lines for the user: what was not formed, and why.
    pub notices: Vec<String>,
    /// λmax(JᵀJ).
    pub gn_sharpness: Spread,
    /// λmax of the loss Hessian.
    pub hessian_sharpness: Spread,
    /// The critical step of gradient descent.
    pub gd_critical_step: Spread,
    /// The critical step of each filter, as measured.
    pub critical_steps: BTreeMap<String, Spread>,
    /// One a minimiser, by ascending data set.
    pub certificates: Vec<Certificate>,
}

impl Stability {
    fn new(model: &Model, certificates: Vec<Certificate>, excluded: BTreeMap<String, u64>) -> Self {
        let mut verdicts = BTreeMap::new();
        let mut critical: BTreeMap<String, BTreeMap<usize, f64>> = BTreeMap::new();
        for (k, certificate) in certificates.iter().enumerate() {
            let name = match certificate.reason {
                Some(doubt) => format!("{}: {}", certificate.verdict.name(), doubt.name()),
                None => certificate.verdict.name().to_owned(),
            };
            *verdicts.entry(name).or_insert(0) += 1;
            for filter in &certificate.filters {
                critical.entry(filter.filter.clone()).or_default().insert(k, filter.critical_step);
            }
        }
        Self {
            minimisers: certificates.len(),
            notices: if certificates.is_empty() { Vec::new() } else { notices(model) },
            excluded,
            verdicts,
            gn_sharpness: Spread::of(certificates.iter().map(|c| c.gn_sharpness)),
            hessian_sharpness: Spread::of(certificates.iter().map(|c| c.hessian_sharpness)),
            gd_critical_step: Spread::of(certificates.iter().map(|c| c.gd_critical_step)),
            critical_steps: critical
                .into_iter()
                .map(|(filter, steps)| (filter, Spread::of(steps.into_values())))
                .collect(),
            certificates,
        }
    }

    /// How many certificates have this verdict.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        self.certificates.iter().filter(|certificate| certificate.verdict == verdict).count()
    }
}

/// What is not formed of a model with so many parameters.
fn notices(model: &Model) -> Vec<String> {
    let parameters = model.parameters().len();
    let most = point::most_curved(model);
    let mut notices = Vec::new();
    if parameters > most && model.as_network().is_some() {
        notices.push(format!(
            "second derivatives of {parameters} parameters are not formed (at most {most}): sharpness of the Hessian and κ by \
             their products with vectors, no update map"
        ));
    } else if parameters > most {
        notices.push(format!(
            "second derivatives of {parameters} parameters are not taken (at most {most}): no sharpness of the Hessian, no κ and \
             no update map"
        ));
    }
    if parameters > MOST_DENSE {
        notices.push(format!(
            "a projector of {parameters} parameters is not formed (at most {MOST_DENSE}): an orthonormal basis of the row space \
             stands for it"
        ));
    }
    notices
}

/// Refuses a θ of the wrong length, or one that is not finite.
fn check_theta(parameters: &[String], theta: &[f64]) -> Result<(), RequestError> {
    if theta.len() != parameters.len() {
        return Err(RequestError::StartLength { given: theta.len(), parameters: parameters.len() });
    }
    match theta.iter().zip(parameters).find(|(value, _)| !value.is_finite()) {
        Some((&value, parameter)) => Err(RequestError::StartNotFinite { parameter: parameter.clone(), value }),
        None => Ok(()),
    }
}
