//! The CPU backend: the same steps in f64, one problem at a time with faer, the problems of a chunk by rayon.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::svd::{ComputeSvdVectors, SvdParams, svd, svd_scratch};
use faer::{Col, Mat, Par, Spec};
use rayon::prelude::*;

use crate::ngd::{
    Damping, Filter, LevenbergMarquardt, Norms, Precision, Reason, Status, Tolerances, Verdict, Weighting,
    divergence_factor,
};
use crate::sweep::{Job, ProblemId, StepRule};

use super::{Factorisation, Solved, Spectrum, Waypoint};

/// Solves the problems `ids` of the job, in their order.
pub(crate) fn solve(job: &Job, ids: &[ProblemId]) -> Vec<Solved> {
    ids.par_iter().map_init(Workspace::new, |workspace, &id| Solver::new(job, id, workspace).run()).collect()
}

/// Solves the problems `ids` from other starts: `start(k)` is θ for the k-th of them.
pub(crate) fn solve_from(job: &Job, ids: &[ProblemId], start: impl Fn(usize) -> Vec<f64> + Sync) -> Vec<Solved> {
    ids.par_iter()
        .enumerate()
        .map_init(Workspace::new, |workspace, (k, &id)| {
            let mut solver = Solver::new(job, id, workspace);
            solver.theta = start(k);
            solver.run()
        })
        .collect()
}

/// What f64 makes of the point θ of a problem: its norms, and the spectrum of JD there. `None` where e or J is not
/// finite, or the SVD does not converge.
pub(crate) fn examine(job: &Job, id: ProblemId, theta: &[f64], workspace: &mut Workspace) -> Option<(Norms, Spectrum)> {
    let mut solver = Solver::new(job, id, workspace);
    if solver.tolerances.initial > 0.0 {
        solver.first_norm = solver.evaluate(job.start(id)).finite()?;
    }
    solver.theta = theta.to_vec();
    let norm = solver.evaluate(theta).finite()?;
    if !solver.factor() {
        return None;
    }
    let norms = solver.norms(norm)?;
    Some((norms, solver.spectrum()?))
}

/// Room for one problem at a time, reused by a thread.
pub(crate) struct Workspace {
    shape: (usize, usize),
    scratch: Vec<f64>,
    row: Vec<f64>,
    /// J, then JD.
    jacobian: Mat<f64>,
    u: Mat<f64>,
    v: Mat<f64>,
    sigma: faer::diag::Diag<f64>,
    memory: Option<MemBuffer>,
}

impl Workspace {
    pub(crate) fn new() -> Self {
        Self {
            shape: (0, 0),
            scratch: Vec::new(),
            row: Vec::new(),
            jacobian: Mat::new(),
            u: Mat::new(),
            v: Mat::new(),
            sigma: faer::diag::Diag::zeros(0),
            memory: None,
        }
    }

    fn fit(&mut self, rows: usize, parameters: usize) {
        if self.memory.is_some() && self.shape == (rows, parameters) {
            return;
        }
        let size = rows.min(parameters);
        self.shape = (rows, parameters);
        self.row = vec![0.0; parameters + 1];
        self.jacobian = Mat::zeros(rows, parameters);
        self.u = Mat::zeros(rows, size);
        self.v = Mat::zeros(parameters, size);
        self.sigma = faer::diag::Diag::zeros(size);
        self.memory = Some(MemBuffer::new(svd_scratch::<f64>(
            rows,
            parameters,
            ComputeSvdVectors::Thin,
            ComputeSvdVectors::Thin,
            Par::Seq,
            Spec::<SvdParams, f64>::default(),
        )));
    }
}

/// The factorisation at an accepted point.
struct Factored {
    /// Descending, min(n, p) values.
    sigma: Vec<f64>,
    /// Right singular vectors of JD, column after column.
    v: Vec<f64>,
    /// Uᵀe.
    beta: Vec<f64>,
    /// The diagonal of D.
    scale: Vec<f64>,
    rank: usize,
    /// Directions that steps use.
    directions: usize,
}

impl Factored {
    /// D V φ(Σ)Σ⁻¹ Uᵀe.
    fn step(&self, weighting: &Weighting) -> Vec<f64> {
        let p = self.scale.len();
        let mut step = vec![0.0; p];
        for i in 0..self.directions {
            let weight = weighting.factor(self.sigma[i]) / self.sigma[i] * self.beta[i];
            for j in 0..p {
                step[j] += self.v[i * p + j] * weight;
            }
        }
        for j in 0..p {
            step[j] *= self.scale[j];
        }
        step
    }

    /// ‖Uᵣᵀe‖.
    fn tangent(&self) -> f64 {
        self.beta[..self.rank].iter().map(|b| b * b).sum::<f64>().sqrt()
    }

    fn largest(&self) -> f64 {
        self.sigma.first().copied().unwrap_or(0.0)
    }
}

/// What e and J at a point turned out to be.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Evaluated {
    /// ‖e‖; all of J is finite too.
    Finite(f64),
    /// ‖e‖ is infinite.
    Overflow,
    /// A NaN in e, or J not finite while e is.
    NotFinite,
}

impl Evaluated {
    fn finite(self) -> Option<f64> {
        match self {
            Self::Finite(norm) => Some(norm),
            Self::Overflow | Self::NotFinite => None,
        }
    }
}

/// One problem on its way.
struct Solver<'a> {
    job: &'a Job,
    workspace: &'a mut Workspace,
    rule: StepRule,
    rows: std::ops::Range<usize>,
    response: f64,
    /// ‖e₀‖.
    first_norm: f64,
    cutoff: f64,
    tolerances: Tolerances,
    theta: Vec<f64>,
    residual: Vec<f64>,
    /// The point before `theta`.
    previous: Vec<f64>,
    factored: Option<Factored>,
    quiet_steps: u32,
    best_tangent: f64,
    way: Vec<Waypoint>,
    /// Whether waypoints hold θ.
    keeps_theta: bool,
}

impl<'a> Solver<'a> {
    fn new(job: &'a Job, id: ProblemId, workspace: &'a mut Workspace) -> Self {
        let rule = job.rule(id);
        let rows = job.rows(id.set);
        let parameters = job.model().parameters().len();
        workspace.fit(rows.len(), parameters);
        Self {
            rule,
            response: job.response_norm(id.set),
            first_norm: 0.0,
            cutoff: rule.cutoff.unwrap_or_else(|| Precision::F64.default_cutoff(rows.len(), parameters)),
            tolerances: job.stop().tolerances(Precision::F64),
            theta: job.start(id).to_vec(),
            previous: Vec::new(),
            residual: vec![0.0; rows.len()],
            factored: None,
            quiet_steps: 0,
            best_tangent: f64::INFINITY,
            way: Vec::new(),
            keeps_theta: job.history().needs_theta(job.rules()),
            job,
            workspace,
            rows,
        }
    }

    fn run(mut self) -> Solved {
        let mut steps = 0;
        let (status, reason) = self.iterate(&mut steps);
        let spectrum = match status {
            Status::Diverged | Status::FactorizationLimit => None,
            _ => self.spectrum(),
        };
        Solved { status, reason, steps, spectrum, theta: self.theta, gn_sharpness: None, way: self.way }
    }

    /// The spectrum at the point last factored; it takes the factorisation with it.
    fn spectrum(&mut self) -> Option<Spectrum> {
        let p = self.theta.len();
        self.factored.take().map(|mut factored| {
            factored.sigma.resize(p, 0.0);
            if self.job.model().as_network().is_some() {
                return Spectrum::of_network(factored.sigma, factored.rank);
            }
            let factorisation = Factorisation {
                v: &factored.v,
                rank: factored.rank,
                scale: &factored.scale,
                noise: Precision::F64.default_cutoff(self.rows.len(), p),
            };
            Spectrum::new(factored.sigma, factorisation)
        })
    }

    fn iterate(&mut self, steps: &mut u32) -> (Status, Option<Reason>) {
        let Evaluated::Finite(mut norm) = self.evaluate(&self.theta.clone()) else {
            return (Status::NonFinite, None);
        };
        self.first_norm = norm;
        let mut adaptive: Option<LevenbergMarquardt> = None;
        let mut fresh = true;
        loop {
            if fresh {
                if !self.factor() {
                    return (Status::FactorizationLimit, None);
                }
                if let Some(end) = self.tests(norm) {
                    return end;
                }
            }
            if *steps >= self.job.stop().steps {
                return (Status::StepLimit, None);
            }
            let Some(factored) = &self.factored else { return (Status::Stalled, None) };
            if self.job.history().is_due(*steps) {
                self.way.push(Waypoint {
                    step: *steps,
                    residual_norm: norm,
                    rank: factored.rank,
                    sigma: (factored.largest(), factored.sigma.last().copied().unwrap_or(0.0)),
                    theta: if self.keeps_theta { self.theta.clone() } else { Vec::new() },
                });
            }
            let largest = factored.largest();
            let epsilon = match self.rule.damping {
                Damping::Fixed(epsilon) => self.rule.filter.epsilon(epsilon, norm),
                Damping::Adaptive => adaptive.get_or_insert_with(|| LevenbergMarquardt::new(largest)).epsilon,
            };
            let predicted = LevenbergMarquardt::predicted(&factored.beta, &factored.sigma, factored.rank, epsilon);
            let step = factored.step(&self.weighting(largest, epsilon));
            // The first step has none before it.
            let before_last = if self.previous.is_empty() { &self.theta } else { &self.previous };
            let moved = |j: usize| self.rule.momentum * (self.theta[j] - before_last[j]);
            let trial: Vec<f64> =
                (0..step.len()).map(|j| self.theta[j] - self.rule.size * step[j] + moved(j)).collect();
            *steps += 1;
            let before = norm;
            let after = self.evaluate(&trial);
            match (&mut adaptive, after) {
                (None, Evaluated::NotFinite) => return (Status::NonFinite, None),
                (None, Evaluated::Overflow) => {
                    self.theta = trial;
                    return (Status::Diverged, None);
                }
                (None, Evaluated::Finite(after)) => {
                    self.previous = std::mem::replace(&mut self.theta, trial);
                    norm = after;
                    fresh = true;
                    if norm > divergence_factor() * self.first_norm.max(self.response) {
                        return (Status::Diverged, None);
                    }
                }
                (Some(rule), after) => {
                    let after = after.finite();
                    let actual = after.map_or(f64::NEG_INFINITY, |after| 0.5 * (before - after) * (before + after));
                    let rounding = self.tolerances.rounding * before * (self.response + before);
                    fresh = rule.judge(actual, predicted, rounding, largest) == Verdict::Accept;
                    if let (true, Some(after)) = (fresh, after) {
                        self.theta = trial;
                        norm = after;
                    } else if rule.exhausted() {
                        return (Status::Stalled, None);
                    }
                }
            }
        }
    }

    /// Evaluates e and J at θ into the workspace.
    fn evaluate(&mut self, theta: &[f64]) -> Evaluated {
        let model = self.job.model();
        let workspace = &mut *self.workspace;
        model.prepare(theta, &mut workspace.scratch);
        let mut sum = 0.0;
        let mut finite_jacobian = true;
        for (i, row) in self.rows.clone().enumerate() {
            model.row(self.job.inputs(row), &mut workspace.scratch, &mut workspace.row);
            let weight = self.job.weight(row);
            let e = weight * (workspace.row[0] - self.job.response(row));
            self.residual[i] = e;
            sum += e * e;
            for j in 0..theta.len() {
                let d = weight * workspace.row[1 + j];
                finite_jacobian &= d.is_finite();
                workspace.jacobian[(i, j)] = d;
            }
        }
        // A NaN in e makes the sum NaN; an infinite e, or squares that overflow, make it infinite.
        if sum.is_nan() {
            Evaluated::NotFinite
        } else if sum.is_infinite() {
            Evaluated::Overflow
        } else if finite_jacobian {
            Evaluated::Finite(sum.sqrt())
        } else {
            Evaluated::NotFinite
        }
    }

    /// Factors JD at the point just evaluated; false where the SVD does not converge.
    fn factor(&mut self) -> bool {
        let workspace = &mut *self.workspace;
        let (n, p) = workspace.shape;
        let size = n.min(p);
        let mut scale = Vec::with_capacity(p);
        for j in 0..p {
            let factor = self.rule.scaling.factor(workspace.jacobian.col(j).norm_l2());
            scale.push(factor);
            for i in 0..n {
                workspace.jacobian[(i, j)] *= factor;
            }
        }
        let Some(memory) = &mut workspace.memory else { return false };
        let done = svd(
            workspace.jacobian.as_ref(),
            workspace.sigma.as_mut(),
            Some(workspace.u.as_mut()),
            Some(workspace.v.as_mut()),
            Par::Seq,
            MemStack::new(memory),
            Spec::default(),
        );
        if done.is_err() {
            return false;
        }
        let e = Col::from_fn(n, |i| self.residual[i]);
        let beta = workspace.u.transpose() * &e;
        let sigma: Vec<f64> = (0..size).map(|i| workspace.sigma[i]).collect();
        let rank = self.rule.filter.rank(&sigma, self.cutoff);
        self.factored = Some(Factored {
            rank,
            directions: self.rule.filter.directions(&sigma, rank),
            v: (0..size).flat_map(|i| (0..p).map(move |j| (i, j))).map(|(i, j)| workspace.v[(j, i)]).collect(),
            beta: beta.iter().copied().collect(),
            sigma,
            scale,
        });
        true
    }

    fn weighting(&self, largest: f64, epsilon: f64) -> Weighting {
        Weighting { filter: self.rule.filter, epsilon, largest, cutoff: self.cutoff }
    }

    /// What the tests look at, at the point just factored, where ‖e‖ is `norm`.
    fn norms(&self, norm: f64) -> Option<Norms> {
        let factored = self.factored.as_ref()?;
        let full_step = factored.step(&self.weighting(factored.largest(), 0.0));
        let relative_change = if self.rule.filter == Filter::Gradient {
            // A step of gradient descent says nothing of the way that is left.
            f64::INFINITY
        } else {
            let relative = |(delta, theta): (&f64, &f64)| if *delta == 0.0 { 0.0 } else { delta.abs() / theta.abs() };
            full_step.iter().zip(&self.theta).map(relative).fold(0.0, f64::max)
        };
        let (first, response) = (self.first_norm, self.response);
        Some(Norms { residual: norm, first, response, tangent: factored.tangent(), relative_change })
    }

    /// The tests at a point just accepted and factored.
    fn tests(&mut self, norm: f64) -> Option<(Status, Option<Reason>)> {
        let norms = self.norms(norm)?;
        let rank = self.factored.as_ref()?.rank;
        let tangent = norms.tangent;
        let tests = self.job.stop().tests;
        let reason = norms.converged(&self.tolerances).filter(|_| tests);
        if rank == 0 && reason != Some(Reason::Loss) {
            return Some((Status::Stalled, None));
        }
        if let Some(reason) = reason {
            return Some((Status::Converged, Some(reason)));
        }
        if tests && norms.promise_is_rounding(&self.tolerances) && tangent > 0.5 * self.best_tangent {
            self.quiet_steps += 1;
            let ended = self.quiet_steps >= Reason::window(self.rule.size);
            return ended.then_some((Status::Converged, Some(Reason::Rounding)));
        }
        // Visible progress: the window begins anew, measured against this point.
        self.quiet_steps = 0;
        self.best_tangent = self.best_tangent.min(tangent);
        None
    }
}
