//! The last look at every problem, in f64 on the host: loss, gradient and sharpness at the θ that is returned.

use faer::{Mat, Side};
use rayon::prelude::*;

use crate::curvature::Slope;
use crate::ngd::{Scaling, Status};
use crate::sweep::{Context, Job, Moment, Outcome, ProblemId, Records, Row};

use super::{Solved, Spectrum, Waypoint, weighted_rows};

/// f64 figures of one point.
struct Figures {
    loss: f64,
    gradient_norm: f64,
    gn_sharpness: f64,
}

/// What the host tells of a problem beyond what a backend found.
struct Told {
    figures: Figures,
    /// The records of the way and of its end, where a history is kept.
    moments: Vec<Moment>,
}

/// Makes the rows of an outcome from what a backend found, problem by problem in the order of `ids`.
pub(crate) fn finish(job: &Job, context: &std::sync::Arc<Context>, ids: &[ProblemId], solved: Vec<Solved>) -> Outcome {
    let p = job.model().parameters().len();
    let found: Vec<Told> = ids
        .par_iter()
        .zip(&solved)
        .map_init(Vec::new, |scratch, (&id, solved)| {
            let figures = figures(job, id, &solved.theta, solved.gn_sharpness, scratch);
            let moments = if job.history().is_kept() { moments(job, id, solved, &figures) } else { Vec::new() };
            Told { figures, moments }
        })
        .collect();
    let (told, values) = (context.told(), context.values());
    let packed = told * (told + 1) / 2;
    let mut outcome = Outcome {
        context: std::sync::Arc::clone(context),
        rows: Vec::with_capacity(ids.len()),
        parameters: Vec::with_capacity(ids.len() * p),
        starts: Vec::with_capacity(ids.len() * p),
        singular_values: Vec::with_capacity(ids.len() * values),
        covariance: Vec::with_capacity(ids.len() * packed),
        unresolved: Vec::with_capacity(ids.len() * told),
        history: Records::default(),
    };
    for ((&id, solved), Told { figures, moments }) in ids.iter().zip(solved).zip(found) {
        if job.history().is_kept() {
            let points = solved.way.iter().map(|point| &point.theta).chain([&solved.theta]);
            let kept = points.filter(|_| job.history().parameters).flatten().copied().collect::<Vec<f64>>();
            outcome.history.push(&moments, &kept);
        }
        outcome.parameters.extend_from_slice(&solved.theta);
        outcome.starts.extend_from_slice(job.start(id));
        let rank = if let Some(spectrum) = solved.spectrum {
            outcome.singular_values.extend(spectrum.sigma.iter().take(values));
            if told > 0 {
                outcome.covariance.extend_from_slice(&spectrum.covariance);
                outcome.unresolved.extend_from_slice(&spectrum.unresolved);
            }
            spectrum.rank
        } else {
            outcome.singular_values.extend(std::iter::repeat_n(f64::NAN, values));
            outcome.covariance.extend(std::iter::repeat_n(f64::NAN, packed));
            outcome.unresolved.extend(std::iter::repeat_n(true, told));
            0
        };
        outcome.rows.push(Row {
            reason: solved.reason,
            steps: solved.steps,
            rank: rank as u32,
            loss: figures.loss,
            gradient_norm: figures.gradient_norm,
            gn_sharpness: figures.gn_sharpness,
            ..row(job, id, solved.status)
        });
    }
    outcome
}

/// What is known of a problem before it is told what it came to: which one it is. What is a number is NaN.
pub(crate) fn row(job: &Job, id: ProblemId, status: Status) -> Row {
    Row {
        problem: id.index,
        set: id.set as u32,
        start: id.start as u32,
        rule: id.rule as u32,
        seed: job.seed(id),
        step_size: job.rule(id).size,
        points: job.rows(id.set).len() as u32,
        status,
        reason: None,
        steps: 0,
        rank: 0,
        loss: f64::NAN,
        gradient_norm: f64::NAN,
        gn_sharpness: f64::NAN,
    }
}

/// The records of a problem on its way and at its end.
fn moments(job: &Job, id: ProblemId, solved: &Solved, figures: &Figures) -> Vec<Moment> {
    let hessian = |theta: &[f64]| {
        if job.history().hessian_sharpness {
            Slope::new(job.model(), &job.samples(id.set), theta).hessian_sharpness()
        } else {
            f64::NAN
        }
    };
    let on_the_way = |point: &Waypoint| Moment {
        step: point.step,
        loss: 0.5 * point.residual_norm * point.residual_norm,
        factored: Some((point.rank, point.sigma.0, point.sigma.1)),
        gn_sharpness: match job.rules()[id.rule].scaling {
            Scaling::None => point.sigma.0 * point.sigma.0,
            Scaling::Columns => self::figures(job, id, &point.theta, None, &mut Vec::new()).gn_sharpness,
        },
        hessian_sharpness: hessian(&point.theta),
    };
    let mut moments: Vec<Moment> = solved.way.par_iter().map(on_the_way).collect();
    let told = |found: &&Spectrum| solved.status != Status::NonFinite && !found.sigma.iter().any(|s| s.is_nan());
    let count = job.rows(id.set).len().min(solved.theta.len());
    moments.push(Moment {
        step: solved.steps,
        loss: figures.loss,
        factored: solved.spectrum.as_ref().filter(told).map(|s| (s.rank, s.sigma[0], s.sigma[count - 1])),
        gn_sharpness: figures.gn_sharpness,
        hessian_sharpness: hessian(&solved.theta),
    });
    moments
}

fn figures(job: &Job, id: ProblemId, theta: &[f64], gn_sharpness: Option<f64>, scratch: &mut Vec<f64>) -> Figures {
    let (n, p) = (job.rows(id.set).len(), theta.len());
    let mut squares = 0.0;
    let mut gradient = vec![0.0; p];
    let wanted = gn_sharpness.is_none();
    // Column i is row i of J; of tall ones JᵀJ is summed up at once.
    let mut rows = Mat::<f64>::zeros(p, if wanted && n < p { n } else { 0 });
    let side = if wanted && n >= p { p } else { 0 };
    let mut fisher = Mat::<f64>::zeros(side, side);
    let first = job.rows(id.set).start;
    weighted_rows(job, id.set, theta, scratch, |i, e, jacobian| {
        squares += e * e;
        for j in 0..p {
            gradient[j] += jacobian[j] * e;
        }
        if wanted && n < p {
            (0..p).for_each(|j| rows[(j, i - first)] = jacobian[j]);
        } else if wanted {
            for j in 0..p {
                for k in 0..=j {
                    fisher[(j, k)] += jacobian[j] * jacobian[k];
                }
            }
        }
    });
    // JJᵀ has the eigenvalues of JᵀJ, but for zeros.
    let measure = || if n < p { largest_eigenvalue(&(rows.transpose() * &rows)) } else { largest_eigenvalue(&fisher) };
    Figures {
        loss: 0.5 * squares,
        gradient_norm: gradient.iter().map(|g| g * g).sum::<f64>().sqrt(),
        gn_sharpness: gn_sharpness.unwrap_or_else(measure),
    }
}

/// λmax of a symmetric positive semidefinite matrix given by its lower triangle; NaN where it is not finite.
pub(crate) fn largest_eigenvalue(lower: &Mat<f64>) -> f64 {
    let p = lower.nrows();
    if (0..p).any(|j| (0..=j).any(|k| !lower[(j, k)].is_finite())) {
        return f64::NAN;
    }
    lower
        .self_adjoint_eigenvalues(Side::Lower)
        .ok()
        .and_then(|values| values.last().copied())
        .map_or(f64::NAN, |largest| largest.max(0.0))
}
