//! Measured contraction over step sizes and dampings, or over step sizes and minimisers.

use rayon::prelude::*;

use crate::backend::Backend;
use crate::error::{Error, RequestError};
use crate::ngd::Scaling;
use crate::sweep::Job;

use super::checks::nan_or_max;
use super::dynamics::{Stepper, measure};
use super::options::{FilterRule, StabilityOptions};
use super::point::Point;
use super::theory::Theory;
use super::{Certificate, Stability, Verdict};

/// What the rows of a map differ in.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum MapAxis {
    /// Tikhonov's ε, at the minimiser of this problem.
    Damping {
        /// The problem.
        problem: u64,
    },
    /// The minimisers, by their sharpness λmax(JᵀJ), under the filter of this name.
    Sharpness {
        /// The filter.
        filter: String,
    },
}

/// A row of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct MapRow {
    /// The damping, or the sharpness.
    pub value: f64,
    /// Of each step size the largest modulus of a multiplier measured on the row space: below 1 perturbations shrink.
    pub contraction: Vec<f64>,
    /// The critical step size of theory.
    pub critical_step: f64,
}

/// Contraction measured by the engine's own steps.
#[derive(Clone, Debug, PartialEq)]
pub struct ContractionMap {
    /// What the rows differ in.
    pub axis: MapAxis,
    /// Step sizes, one a column.
    pub step_sizes: Vec<f64>,
    /// The rows.
    pub rows: Vec<MapRow>,
}

/// The most minimisers that a map shows: as many rows as a picture has room for.
const MOST_ROWS: usize = 60;

/// A map over these step sizes and, at the minimiser of median sharpness, dampings; without any, over minimisers under the
/// first filter. `None` where no minimiser is certified.
pub(crate) fn contraction_map(
    backend: &Backend,
    job: &Job,
    found: &Stability,
    options: &StabilityOptions,
    step_sizes: &[f64],
    dampings: &[f64],
) -> Result<Option<ContractionMap>, Error> {
    if step_sizes.is_empty() {
        return Err(RequestError::EmptyAxis { axis: "step size" }.into());
    }
    let options = StabilityOptions { step_sizes: step_sizes.to_vec(), ..options.clone() };
    let stepper = Stepper { backend, job, options: &options };
    let mut certified: Vec<&Certificate> =
        found.certificates.iter().filter(|certificate| certificate.verdict != Verdict::DoesNotApply).collect();
    certified.sort_by(|a, b| a.gn_sharpness.total_cmp(&b.gn_sharpness));
    if certified.is_empty() {
        return Ok(None);
    }
    let (axis, rows) = if dampings.is_empty() {
        let count = certified.len().min(MOST_ROWS);
        let last = certified.len() - 1;
        let mut spread: Vec<&Certificate> =
            (0..count).map(|k| certified[k * last / count.max(2).saturating_sub(1)]).collect();
        spread.sort_by_key(|certificate| certificate.set);
        let filter = options.filters[0];
        let mut rows = rows(&stepper, &filter, &spread)?;
        for (row, certificate) in rows.iter_mut().zip(&spread) {
            row.value = certificate.gn_sharpness;
        }
        rows.sort_by(|a, b| a.value.total_cmp(&b.value));
        (MapAxis::Sharpness { filter: filter.name() }, rows)
    } else {
        let median = certified[(certified.len() - 1) / 2];
        let row = |&damping: &f64| {
            let filter = FilterRule { damping, ..FilterRule::default() };
            let mut row = rows(&stepper, &filter, &[median])?.remove(0);
            row.value = damping;
            Ok::<MapRow, Error>(row)
        };
        (MapAxis::Damping { problem: median.problem }, dampings.iter().map(row).collect::<Result<_, _>>()?)
    };
    Ok(Some(ContractionMap { axis, step_sizes: step_sizes.to_vec(), rows }))
}

/// A row for each minimiser (by ascending data set), its value to be filled in.
fn rows(stepper: &Stepper<'_>, filter: &FilterRule, certificates: &[&Certificate]) -> Result<Vec<MapRow>, Error> {
    let job = stepper.job;
    let one = |certificate: &&Certificate| {
        let Certificate { set, parameters, rank, cutoff, .. } = certificate;
        let plain = Point::new(job, *set, parameters, &vec![1.0; parameters.len()])?;
        let point = match stepper.options.scaling {
            Scaling::None => plain,
            scaling => {
                let scale = |j: usize| scaling.factor(plain.jacobian.col(j).norm_l2());
                Point::new(job, *set, parameters, &(0..parameters.len()).map(scale).collect::<Vec<f64>>())?
            }
        };
        let theory = Theory::new(filter, &point, *rank, *cutoff, None)?;
        Some((point, theory))
    };
    // What is certified has both.
    let subjects: Vec<(Point, Theory)> = certificates.par_iter().filter_map(one).collect();
    let borrowed: Vec<(&Point, &Theory)> = subjects.iter().map(|(point, theory)| (point, theory)).collect();
    let measured = measure(stepper, filter, &borrowed)?;
    let row = |(found, (_, theory)): (&Vec<super::dynamics::Measured>, &(&Point, &Theory))| MapRow {
        value: f64::NAN,
        contraction: found
            .iter()
            .map(|at| at.rows.iter().flat_map(|(_, all)| all).fold(0.0, |most, m| nan_or_max(most, m.abs())))
            .collect(),
        critical_step: theory.critical_step(),
    };
    Ok(measured.iter().zip(&borrowed).map(row).collect())
}
