//! The last look at every problem, in f64 on the host: loss, gradient and sharpness at the θ that is returned.

use std::sync::Arc;

use rayon::prelude::*;

use crate::curvature::Slope;
use crate::ngd::{Scaling, Status};
use crate::sweep::{Context, Detail, Job, Moment, Outcome, ProblemId, Row, Slopes};

use super::cpu::Workspace;
use super::figures::{Desk, Figures};
use super::{Solutions, Solved, Spectrum, Waypoint};

/// The most problems that one core tells of at a time: a few megabytes of results.
const MOST_AT_ONCE: usize = 1024;

/// Tasks for every core, so that none waits long for another.
const TASKS: usize = 4;

/// Makes the rows of an outcome from what a backend found, problem by problem in the order of `ids`, in parts that follow each
/// other.
pub(crate) fn finish(job: &Job, context: &Arc<Context>, ids: &[ProblemId], solutions: &Solutions) -> Vec<Outcome> {
    let size = ids.len().div_ceil(TASKS * rayon::current_num_threads()).clamp(1, MOST_AT_ONCE);
    let part = |(workspace, desk): &mut (Workspace, Desk), (k, part): (usize, &[ProblemId])| {
        let mut outcome = Outcome::with_room(Arc::clone(context), part.len());
        for (b, &id) in part.iter().enumerate() {
            let solved = solutions.solved(k * size + b, (job, id), workspace);
            let figures = desk.figures(job, id, &solved.theta, solved.gn_sharpness);
            add(&mut outcome, (job, id), &solved, figures);
        }
        outcome.starts.add(job, part, &[]);
        outcome
    };
    ids.par_chunks(size).enumerate().map_init(|| (Workspace::new(), Desk::default()), part).collect()
}

/// Adds one problem.
fn add(outcome: &mut Outcome, (job, id): (&Job, ProblemId), solved: &Solved, figures: Figures) {
    let (told, values) = (outcome.context.told(), outcome.context.values());
    let packed = told * (told + 1) / 2;
    if job.history().is_kept() {
        let moments = moments((job, id), solved, &figures);
        let points = solved.way.iter().map(|point| &point.theta).chain([&solved.theta]);
        let kept = points.filter(|_| job.history().parameters).flatten().copied().collect::<Vec<f64>>();
        outcome.history.push(&moments, &kept);
    }
    outcome.parameters.extend_from_slice(&solved.theta);
    if outcome.context.has_own_sizes() {
        outcome.step_sizes.push(job.rule(id).size);
    }
    let Figures { loss, gradient_norm, gn_sharpness } = figures;
    if outcome.context.detail == Detail::Full {
        outcome.slopes.push(Slopes { gradient_norm, gn_sharpness });
    }
    let rank = if let Some(spectrum) = &solved.spectrum {
        outcome.singular_values.extend_from_slice(&spectrum.sigma[..values]);
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
        loss,
        ..row(job, id, solved.status)
    });
}

/// What is known of a problem before it is told what it came to: which one it is. What is a number is NaN.
pub(crate) fn row(job: &Job, id: ProblemId, status: Status) -> Row {
    Row {
        problem: id.index,
        set: id.set as u32,
        start: id.start as u32,
        rule: id.rule as u32,
        seed_place: job.seed_place(id),
        points: job.rows(id.set).len() as u32,
        status,
        reason: None,
        steps: 0,
        rank: 0,
        loss: f64::NAN,
    }
}

/// The records of a problem on its way and at its end.
fn moments((job, id): (&Job, ProblemId), solved: &Solved, figures: &Figures) -> Vec<Moment> {
    let hessian = |theta: &[f64]| {
        if job.history().hessian_sharpness {
            Slope::new(job.model(), &job.samples(id.set), theta).hessian_sharpness()
        } else {
            f64::NAN
        }
    };
    let on_the_way = |desk: &mut Desk, point: &Waypoint| Moment {
        step: point.step,
        loss: 0.5 * point.residual_norm * point.residual_norm,
        factored: Some((point.rank, point.sigma.0, point.sigma.1)),
        gn_sharpness: match job.rules()[id.rule].scaling {
            Scaling::None => point.sigma.0 * point.sigma.0,
            Scaling::Columns => desk.figures(job, id, &point.theta, None).gn_sharpness,
        },
        hessian_sharpness: hessian(&point.theta),
    };
    let mut moments: Vec<Moment> = solved.way.par_iter().map_init(Desk::default, on_the_way).collect();
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
