//! From minimisers to certificates.

use std::collections::BTreeMap;

use faer::Mat;
use rayon::prelude::*;

use crate::backend::{Backend, RowSpace};
use crate::error::Error;
use crate::ngd::Status;
use crate::sweep::{Job, ProblemId};

use super::certificate::{Certificate, Checks, FilterStability};
use super::checks::{Evidence, checks, nan_or_max, spectrum};
use super::critical::brackets;
use super::dynamics::{Measured, Stepper, held, measure};
use super::eigen::eigenvalues;
use super::options::{FilterRule, StabilityOptions};
use super::point::{Curvature, Point, most_curved};
use super::products::Products;
use super::theory::Theory;
use super::update_map::generator;
use super::{Minimiser, Stability};

/// Gradients up to this many times what the stop rule accepts are zero: e was rounded otherwise there.
const GRADIENT_SLACK: f64 = 10.0;

/// Certifies those of the points that converged, or were given as they are; the others are counted.
pub(crate) fn certify(
    backend: &Backend,
    job: &Job,
    points: &[Minimiser],
    options: &StabilityOptions,
) -> Result<Stability, Error> {
    options.check()?;
    let mut excluded = BTreeMap::new();
    let mut kept: Vec<Minimiser> = Vec::new();
    for point in points {
        super::check_theta(job.model().parameters(), &point.parameters)?;
        match point.status {
            None | Some(Status::Converged) => kept.push(point.clone()),
            Some(status) => *excluded.entry(status.name().to_owned()).or_insert(0) += 1,
        }
    }
    for point in &mut kept {
        point.parameters.iter_mut().for_each(|theta| *theta = held(backend.precision(), *theta));
    }
    // Data set by data set, as the backends take them.
    kept.sort_by_key(|point| point.set);
    let mut certificates = Vec::with_capacity(kept.len());
    for some in kept.chunks(at_once(job)) {
        let jacobians = jacobians(backend, job, some, options)?;
        let (found, missing) = certify_jacobians(backend, job, some.to_vec(), jacobians, options)?;
        certificates.extend(found);
        if missing > 0 {
            *excluded.entry(Status::NonFinite.name().to_owned()).or_insert(0) += missing;
        }
    }
    Ok(Stability::new(job.model(), certificates, excluded))
}

/// Memory for what is held of the points that are certified at once.
const BYTES: usize = 1 << 29;

/// Points to certify at once: of each, some six matrices of n×p and six of p×p.
fn at_once(job: &Job) -> usize {
    let (n, p) = (job.most_rows(), job.model().parameters().len());
    (BYTES / (8 * 6 * p * (n + p).max(1))).max(1)
}

/// J at the points, as the backend evaluates it.
pub(super) fn jacobians(
    backend: &Backend,
    job: &Job,
    points: &[Minimiser],
    options: &StabilityOptions,
) -> Result<Vec<Mat<f64>>, Error> {
    let starts = points.iter().map(|point| (point.set, &point.parameters[..]));
    let rules =
        options.filters.iter().flat_map(|filter| options.step_sizes.iter().map(|&size| filter.rule(size, options)));
    let there = job.with_starts(starts, rules.collect(), *job.stop())?;
    let first_of = |set: usize| points.partition_point(|point| point.set < set);
    let id = |(k, point): (usize, &Minimiser)| ProblemId {
        index: k as u64,
        set: point.set,
        start: k - first_of(point.set),
        rule: 0,
    };
    let ids: Vec<ProblemId> = points.iter().enumerate().map(id).collect();
    backend.jacobians(&there, &ids)
}

/// A point with everything that is known of it before steps are taken.
struct Subject {
    minimiser: Minimiser,
    space: RowSpace,
    point: Point,
    checks: Checks,
    /// Of P, descending.
    eigenvalues: Vec<f64>,
    relative_residual: f64,
    interpolates: bool,
    is_stationary: bool,
    hessian_sharpness: f64,
    curvatures: Vec<f64>,
    departure: f64,
    /// One a filter; none off a stationary point.
    theories: Vec<Option<Theory>>,
}

/// The certificates of points with these Jacobians, which in tests need not be those of the points; and of how many points e
/// or J is not finite, so that they have none.
pub(super) fn certify_jacobians(
    backend: &Backend,
    job: &Job,
    points: Vec<Minimiser>,
    jacobians: Vec<Mat<f64>>,
    options: &StabilityOptions,
) -> Result<(Vec<Certificate>, u64), Error> {
    let spaces = backend.row_spaces(jacobians, options.scaling, options.cutoff)?;
    let subjects: Vec<Option<Subject>> = points
        .into_par_iter()
        .zip(spaces)
        .map(|(minimiser, space)| Subject::new(backend, job, minimiser, space?, options))
        .collect();
    let missing = subjects.iter().filter(|subject| subject.is_none()).count() as u64;
    let subjects: Vec<Subject> = subjects.into_iter().flatten().collect();
    let mut filters: Vec<Vec<FilterStability>> = vec![Vec::new(); subjects.len()];
    let stepper = Stepper { backend, job, options };
    for (f, rule) in options.filters.iter().enumerate() {
        for (all, one) in filters.iter_mut().zip(of_filter(&stepper, f, rule, &subjects)?) {
            all.extend(one);
        }
    }
    let certificates = subjects
        .into_iter()
        .zip(filters)
        .map(|(subject, filters)| subject.certificate(filters, backend, options))
        .collect();
    Ok((certificates, missing))
}

/// What one filter does at every step size, subject by subject.
fn of_filter(
    stepper: &Stepper<'_>,
    f: usize,
    rule: &FilterRule,
    subjects: &[Subject],
) -> Result<Vec<Vec<FilterStability>>, Error> {
    let with_theory: Vec<(&Point, &Theory)> =
        subjects.iter().filter_map(|subject| Some((&subject.point, subject.theories[f].as_ref()?))).collect();
    let mut measured = measure(stepper, rule, &with_theory)?.into_iter();
    let mut critical = match stepper.options.steps {
        0 => vec![None; with_theory.len()],
        _ => brackets(stepper, rule, &with_theory)?,
    }
    .into_iter();
    Ok(subjects
        .iter()
        .map(|subject| {
            let theory = subject.theories[f].as_ref();
            let measured = theory.and_then(|_| measured.next()).unwrap_or_default();
            let bracket = theory.and_then(|_| critical.next()).flatten();
            let residual = if subject.interpolates { 0.0 } else { subject.point.residual_norm() };
            let one = |(k, &step_size): (usize, &f64)| {
                let spectrum = spectrum(rule, &subject.space, &subject.eigenvalues, residual, step_size);
                filter_stability(rule.name(), step_size, theory, measured.get(k), spectrum, bracket)
            };
            stepper.options.step_sizes.iter().enumerate().map(one).collect()
        })
        .collect())
}

fn filter_stability(
    filter: String,
    step_size: f64,
    theory: Option<&Theory>,
    measured: Option<&Measured>,
    spectrum: Vec<f64>,
    bracket: Option<[f64; 2]>,
) -> FilterStability {
    let mut found = FilterStability {
        filter,
        step_size,
        spectrum,
        predicted: theory.map(|theory| theory.multipliers(step_size)).unwrap_or_default(),
        measured: Vec::new(),
        measured_kernel: 0,
        worst_difference: f64::NAN,
        critical_step: bracket.map_or(f64::NAN, |[low, high]| (low * high).sqrt()),
        critical_bracket: bracket.map(Vec::from).unwrap_or_default(),
        predicted_critical_step: theory.map_or(f64::NAN, Theory::critical_step),
    };
    let (Some(theory), Some(measured)) = (theory, measured) else { return found };
    let mut worst = Vec::new();
    for (place, multipliers) in &measured.rows {
        let expected = theory.roots(step_size, theory.rates[*place]);
        worst.extend(expected.iter().zip(multipliers).map(|(a, b)| (a - b).abs() / a.abs().max(1.0)));
        found.measured.extend(multipliers);
    }
    worst.extend(measured.kernel.iter().map(|m| (m - 1.0).abs()));
    found.measured.extend(&measured.kernel);
    found.measured_kernel = measured.kernel.len();
    found.worst_difference = worst.into_iter().reduce(nan_or_max).unwrap_or(f64::NAN);
    found
}

impl Subject {
    /// `None` where e or J is not finite in f64.
    fn new(
        backend: &Backend,
        job: &Job,
        minimiser: Minimiser,
        space: RowSpace,
        options: &StabilityOptions,
    ) -> Option<Self> {
        let precision = backend.precision();
        let point = Point::new(job, minimiser.set, &minimiser.parameters, &space.scale)?;
        let (checks, eigenvalues) = checks(&space, &point);
        let norm = point.residual_norm();
        let relative_residual = if norm == 0.0 { 0.0 } else { norm / point.size };
        let interpolates = relative_residual <= options.residual(precision);
        let tolerances = job.stop().tolerances(precision);
        let gradient = tolerances.gradient * norm + tolerances.rounding * point.size;
        let is_stationary = interpolates || point.tangent(space.rank) <= GRADIENT_SLACK * gradient;
        let mut subject = Self {
            hessian_sharpness: f64::NAN,
            curvatures: Vec::new(),
            departure: f64::NAN,
            theories: vec![None; options.filters.len()],
            minimiser,
            checks,
            eigenvalues,
            relative_residual,
            interpolates,
            is_stationary,
            space,
            point,
        };
        let is_formed = subject.point.theta.len() <= most_curved(job.model());
        let curvature = is_formed.then(|| subject.bend(job));
        if !is_formed {
            subject.bend_by_products(job);
        }
        if is_stationary && (interpolates || curvature.is_some()) {
            let used = if interpolates { None } else { curvature.as_ref() };
            let theory = |rule| Theory::new(rule, &subject.point, subject.space.rank, subject.space.cutoff, used);
            subject.theories = options.filters.iter().map(theory).collect();
        }
        Some(subject)
    }

    /// What second derivatives tell; S in the coordinates ξ.
    fn bend(&mut self, job: &Job) -> Mat<f64> {
        let point = &self.point;
        let (p, rank) = (point.theta.len(), self.space.rank.min(point.sigma.len()));
        let none = vec![0.0; p];
        let mut curvature = Curvature::new(job, point, &[&point.residual], &none);
        let bend = curvature.sums.swap_remove(0);
        let hessian = point.jacobian.transpose() * &point.jacobian + &bend;
        let plain = Mat::from_fn(p, p, |j, k| hessian[(j, k)] / (point.scale[j] * point.scale[k]));
        self.hessian_sharpness = eigenvalues(&plain).first().copied().unwrap_or(f64::NAN);
        let map = generator(job, point, rank);
        let v = point.v.subcols(0, rank);
        self.departure = (map - v * v.transpose()).norm_l2();
        if self.is_stationary {
            let weighted = Mat::from_fn(p, rank, |j, k| v[(j, k)] / point.sigma[k]);
            let kappa = weighted.transpose() * &bend * &weighted;
            self.curvatures = eigenvalues(&kappa);
        }
        bend
    }

    /// The same, as far as products with vectors go: nothing where there are none.
    fn bend_by_products(&mut self, job: &Job) {
        let rank = self.space.rank.min(self.point.sigma.len());
        let Some(products) = Products::new(job, &self.point) else { return };
        let curvatures = if self.is_stationary { products.curvatures(rank) } else { Vec::new() };
        self.hessian_sharpness = products.hessian_sharpness();
        self.curvatures = curvatures;
    }

    fn certificate(self, filters: Vec<FilterStability>, backend: &Backend, options: &StabilityOptions) -> Certificate {
        let Self { minimiser, space, point, .. } = self;
        let rank = space.rank;
        let condition = if rank == 0 { f64::NAN } else { space.sigma[0] / space.sigma[rank - 1] };
        let measured = filters
            .iter()
            .filter(|filter| !filter.measured.is_empty())
            .map(|filter| (filter.worst_difference, format!("{}, η = {}", filter.filter, filter.step_size)))
            .reduce(|a, b| if a.0.is_nan() || a.0 >= b.0 { a } else { b });
        let evidence = Evidence {
            point: &point,
            space: &space,
            checks: &self.checks,
            interpolates: self.interpolates,
            is_stationary: self.is_stationary,
            relative_residual: self.relative_residual,
            condition,
            margin: options.margin,
            bend: self.curvatures.iter().fold(0.0, |largest, kappa| nan_or_max(largest, kappa.abs())),
            measured,
            precision: backend.precision(),
        };
        let (verdict, reason, detail) = evidence.judge();
        let sharpness = if self.hessian_sharpness.is_nan() { point.gn_sharpness } else { self.hessian_sharpness };
        Certificate {
            problem: minimiser.problem,
            set: minimiser.set,
            parameters: minimiser.parameters,
            residual_norm: point.residual_norm(),
            relative_residual: self.relative_residual,
            gradient_norm: point.gradient_norm,
            rank,
            exact_rank: point.exact_rank(),
            singular_values: space.sigma,
            cutoff: space.cutoff,
            gap: match (rank.checked_sub(1), point.sigma.get(rank)) {
                (Some(last), Some(next)) => point.sigma[last] / next,
                (Some(_), None) => f64::INFINITY,
                (None, _) => f64::NAN,
            },
            condition,
            row_space_error: self.checks.row_space,
            checks: self.checks,
            verdict,
            reason,
            detail,
            gn_sharpness: point.gn_sharpness,
            hessian_sharpness: self.hessian_sharpness,
            gd_critical_step: 2.0 / sharpness,
            curvatures: self.curvatures,
            update_map_departure: self.departure,
            filters,
        }
    }
}
