//! Multipliers measured as differences of steps that the engine takes, never read off a projector.

use crate::backend::Backend;
use crate::error::Error;
use crate::ngd::{Filter, Precision, Status, Stop};
use crate::starts::{Distribution, random_start};
use crate::sweep::{Job, ProblemId, StepRule};

use super::options::{FilterRule, StabilityOptions};
use super::point::Point;
use super::theory::{Theory, roots};

/// Directions of the kernel that are perturbed, at most.
const KERNEL_DIRECTIONS: usize = 2;

/// Takes the engine's own steps from given points.
pub(crate) struct Stepper<'a> {
    pub(crate) backend: &'a Backend,
    pub(crate) job: &'a Job,
    pub(crate) options: &'a StabilityOptions,
}

impl Stepper<'_> {
    /// θ after exactly `steps` steps for each pair of a start and a rule, by ascending start; the starts by ascending data
    /// set. `None` where a problem fails on the way.
    pub(crate) fn advance(
        &self,
        starts: &[(usize, Vec<f64>)],
        rules: Vec<StepRule>,
        pairs: &[(usize, usize)],
        steps: u32,
    ) -> Result<Vec<Option<Vec<f64>>>, Error> {
        let stop = Stop { steps, tests: false, ..Stop::default() };
        let job = self.job.with_starts(starts.iter().map(|(set, theta)| (*set, &theta[..])), rules, stop)?;
        let first_of = |set: usize| starts.partition_point(|(other, _)| *other < set);
        let id = |(index, &(start, rule)): (usize, &(usize, usize))| {
            let set = starts[start].0;
            ProblemId { index: index as u64, set, start: start - first_of(set), rule }
        };
        let ids: Vec<ProblemId> = pairs.iter().enumerate().map(id).collect();
        self.backend.solve(&job, &ids, |found| (found.status == Status::StepLimit).then_some(found.theta))
    }

    /// The points θ ± δz, as the precision at work holds them.
    pub(crate) fn pair(&self, point: &Point, z: &[f64], length: f64) -> [(usize, Vec<f64>); 2] {
        let size = point.theta.iter().zip(&point.scale).map(|(t, d)| (t / d).powi(2)).sum::<f64>().sqrt();
        let delta = length * self.options.perturbation(self.backend.precision()) * if size > 0.0 { size } else { 1.0 };
        [1.0, -1.0].map(|sign| {
            let moved = |j: usize| point.theta[j] + sign * delta * point.scale[j] * z[j];
            (point.set, (0..z.len()).map(moved).map(|t| held(self.backend.precision(), t)).collect())
        })
    }
}

/// A number as the precision holds it.
pub(crate) fn held(precision: Precision, value: f64) -> f64 {
    match precision {
        Precision::F32 => f64::from(value as f32),
        Precision::F64 => value,
    }
}

/// lᵀD⁻¹(θ₊ − θ₋).
pub(crate) fn along(l: &[f64], point: &Point, plus: &[f64], minus: &[f64]) -> f64 {
    (0..l.len()).map(|j| l[j] * (plus[j] - minus[j]) / point.scale[j]).sum()
}

/// What steps do to perturbations of one point at one step size.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measured {
    /// Of each direction perturbed, its place among the rates and its multipliers: one, or two with momentum.
    pub(crate) rows: Vec<(usize, Vec<f64>)>,
    /// The multiplier along each direction of the kernel.
    pub(crate) kernel: Vec<f64>,
}

/// The directions to perturb: at most `most` of `count`, evenly, both ends among them.
fn chosen(count: usize, most: usize) -> Vec<usize> {
    if count <= most {
        return (0..count).collect();
    }
    if most == 1 {
        return vec![0];
    }
    (0..most).map(|k| k * (count - 1) / (most - 1)).collect()
}

/// Directions that the filter leaves alone: orthonormal, drawn by a fixed seed.
fn kernel_directions(point: &Point, theory: &Theory) -> Vec<Vec<f64>> {
    let p = point.theta.len();
    let used = theory.rates.len();
    let mut found: Vec<Vec<f64>> = Vec::new();
    for seed in 0..theory.kernel.min(KERNEL_DIRECTIONS) as u64 {
        let mut k: Vec<f64> = (0..p).map(|j| random_start(seed, j as u32, Distribution::Normal, 1.0)).collect();
        // Twice: what rounding leaves of the row space the first time is gone the second.
        for _ in 0..2 {
            for i in 0..used {
                let part: f64 = (0..p).map(|j| point.v[(j, i)] * k[j]).sum();
                (0..p).for_each(|j| k[j] -= part * point.v[(j, i)]);
            }
            for other in &found {
                let part: f64 = other.iter().zip(&k).map(|(a, b)| a * b).sum();
                k.iter_mut().zip(other).for_each(|(x, y)| *x -= part * y);
            }
            let length = k.iter().map(|x| x * x).sum::<f64>().sqrt();
            k.iter_mut().for_each(|x| *x /= length);
        }
        found.push(k);
    }
    found
}

/// A direction that is perturbed at one of the points.
struct Direction {
    subject: usize,
    /// Its place among the rates; none in the kernel.
    place: Option<usize>,
    z: Vec<f64>,
    l: Vec<f64>,
}

/// The multipliers of one filter at every step size asked for, point by point (by ascending data set).
pub(crate) fn measure(
    stepper: &Stepper<'_>,
    rule: &FilterRule,
    subjects: &[(&Point, &Theory)],
) -> Result<Vec<Vec<Measured>>, Error> {
    let mut directions = Vec::new();
    for (subject, (point, theory)) in subjects.iter().enumerate() {
        for i in chosen(theory.rates.len(), stepper.options.directions) {
            let (z, l) = (theory.right[i].clone(), theory.left[i].clone());
            directions.push(Direction { subject, place: Some(i), z, l });
        }
        for k in kernel_directions(point, theory) {
            directions.push(Direction { subject, place: None, z: k.clone(), l: k });
        }
    }
    let mut parts = remainders(stepper, rule, subjects, &directions, 1.0)?;
    if let Filter::ResidualScaled { power, .. } = rule.filter {
        // A perturbation has a residual, and with it a damping of its own: what it does goes with that power of the length,
        // and the limit is that of two lengths.
        let half = remainders(stepper, rule, subjects, &directions, 0.5)?;
        let weight = 2f64.powf(power);
        for (whole, half) in parts.iter_mut().flatten().flatten().zip(half.iter().flatten().flatten()) {
            *whole = (weight * half - *whole) / (weight - 1.0);
        }
    }
    let mut found = vec![vec![Measured::default(); stepper.options.step_sizes.len()]; subjects.len()];
    for (direction, parts) in directions.iter().zip(&parts) {
        for (measured, parts) in found[direction.subject].iter_mut().zip(parts) {
            match direction.place {
                Some(i) => measured.rows.push((i, multipliers(parts))),
                None => measured.kernel.push(parts[1]),
            }
        }
    }
    Ok(found)
}

/// What is left of perturbations of this length after no step, after one, and with momentum after two and three, over what
/// they were: direction by direction, step size by step size.
fn remainders(
    stepper: &Stepper<'_>,
    rule: &FilterRule,
    subjects: &[(&Point, &Theory)],
    directions: &[Direction],
    length: f64,
) -> Result<Vec<Vec<Vec<f64>>>, Error> {
    let sizes = &stepper.options.step_sizes;
    let of = |direction: &Direction| stepper.pair(subjects[direction.subject].0, &direction.z, length);
    let starts: Vec<(usize, Vec<f64>)> = directions.iter().flat_map(of).collect();
    let rules: Vec<StepRule> = sizes.iter().map(|&size| rule.rule(size, stepper.options)).collect();
    let every: Vec<(usize, usize)> =
        (0..starts.len()).flat_map(|start| (0..rules.len()).map(move |rule| (start, rule))).collect();
    // With momentum the second step is the first that has one before it: two roots take four points.
    let depth = if rule.momentum == 0.0 { 1 } else { 3 };
    let mut after = Vec::with_capacity(depth);
    for steps in 1..=depth {
        after.push(stepper.advance(&starts, rules.clone(), &every, steps as u32)?);
    }
    let part = |k: usize, direction: &Direction, size: usize| {
        let point = subjects[direction.subject].0;
        let first = along(&direction.l, point, &starts[2 * k].1, &starts[2 * k + 1].1);
        let at = |start: usize| start * sizes.len() + size;
        let later = after.iter().map(|points| match (&points[at(2 * k)], &points[at(2 * k + 1)]) {
            (Some(plus), Some(minus)) => along(&direction.l, point, plus, minus) / first,
            _ => f64::NAN,
        });
        std::iter::once(1.0).chain(later).collect()
    };
    let one = |(k, direction)| (0..sizes.len()).map(|size| part(k, direction, size)).collect();
    Ok(directions.iter().enumerate().map(one).collect())
}

/// The multiplier of a part that became x₁ of x₀ = 1; of four points the two roots of x₍ₖ₊₁₎ = a xₖ − b x₍ₖ₋₁₎
/// (Prony's method).
fn multipliers(x: &[f64]) -> Vec<f64> {
    let &[x0, x1, x2, x3] = x else { return vec![x[1]] };
    let determinant = x0 * x2 - x1 * x1;
    let a = (x0 * x3 - x1 * x2) / determinant;
    let b = (x1 * x3 - x2 * x2) / determinant;
    roots(a, b).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_are_spread_from_the_first_to_the_last() {
        assert_eq!(chosen(3, 8), [0, 1, 2]);
        assert_eq!(chosen(20, 4), [0, 6, 12, 19]);
        assert_eq!(chosen(20, 1), [0]);
    }

    #[test]
    fn the_roots_of_a_heavy_ball_are_found_from_four_points() {
        // d⁺ = 0.75 d + 0.5 (d − d⁻) from rest: roots of z² − 1.25z + 0.5 are a complex pair of modulus √½.
        let next = |a: f64, here: f64, before: f64| a * here + 0.5 * (here - before);
        let series = |a: f64| {
            let x1 = next(a, 1.0, 1.0);
            let x2 = next(a, x1, 1.0);
            [1.0, x1, x2, next(a, x2, x1)]
        };
        let found = multipliers(&series(0.75));
        assert!(found.iter().all(|z| (z - 0.5f64.sqrt()).abs() < 1e-12), "{found:?}");
        // −1.2: z² + 0.7z + 0.5 = 0 is complex too; −2.5: real roots −1.707 and −0.293 of z² + 2z + 0.5.
        let found = multipliers(&series(-2.5));
        assert!((found[0] + 1.0 + 0.5f64.sqrt()).abs() < 1e-12 && (found[0] * found[1] - 0.5).abs() < 1e-12);
    }
}
