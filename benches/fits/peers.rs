//! The same fits on the CPU in f32, all cores over the fits: the levenberg-marquardt crate, and Gauss–Newton with faer.
//!
//! Where the stop rules differ. Gauss–Newton's test is natgrad's own, ‖Uᵀe‖ ≤ tolerance·‖e‖ before the step. MINPACK's rule in
//! the crate tests the decrease of χ² after a step against tolerance² (Gpufit's own test for the 1e-4 of the peaks), and before
//! it the largest cosine between e and a column of J against the tolerance: a weaker test, since ‖Uᵀe‖/‖e‖ is at least that
//! large, and so to the peer's advantage; of the mixed fits it leaves the hard ones in their valley, where χ² falls slowly, and
//! calls them converged: their RMSE tells. It counts evaluations and not steps, in multiples of p + 1: 12 where natgrad has 10
//! steps, that is 11 evaluations. Where there are no tests the crate takes as many damped steps in place of the exact ones.
//! natgrad's steps are damped by trust-region rule, those of Gauss–Newton are halved until they descend; a trial is a step.

use std::time::{Duration, Instant};

use faer::Par;
use faer::diag::DiagMut;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt;
use faer::linalg::svd::{ComputeSvdVectors, svd, svd_scratch};
use faer::linalg::triangular_solve::{solve_lower_triangular_in_place, solve_upper_triangular_in_place};
use faer::{MatMut, MatRef};
use levenberg_marquardt::{LeastSquaresProblem, LevenbergMarquardt};
use nalgebra::allocator::Reallocator;
use nalgebra::{Const, DefaultAllocator, DimMax, DimMaximum, DimMin, Owned, SMatrix, SVector};
use nalgebra_of_levenberg_marquardt as nalgebra;
use rayon::prelude::*;

use super::laws::{Law, Line, Misra, Peak};
use super::workloads::{Fits, Found, Kind};

/// Fits that a task takes on at least.
const TASK: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    LevenbergMarquardt,
    Faer,
}

impl Peer {
    pub(crate) const ALL: [Self; 2] = [Self::LevenbergMarquardt, Self::Faer];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::LevenbergMarquardt => "levenberg-marquardt",
            Self::Faer => "faer",
        }
    }

    /// Fits them all; the time, and what was found.
    pub(crate) fn run(self, fits: &Fits) -> (Duration, Found) {
        match fits.kind {
            Kind::Peaks | Kind::Mixed => self.by_law::<Peak, 25, 5>(fits),
            Kind::Misra => self.by_law::<Misra, 14, 2>(fits),
            Kind::Lines => self.by_law::<Line, 100, 5>(fits),
        }
    }

    fn by_law<L: Law<N, P> + Sync, const N: usize, const P: usize>(self, fits: &Fits) -> (Duration, Found)
    where
        Const<N>: DimMin<Const<P>> + DimMax<Const<P>>,
        DefaultAllocator: Reallocator<f32, Const<N>, Const<P>, DimMaximum<Const<N>, Const<P>>, Const<P>>,
    {
        let stop = fits.kind.stop();
        let tolerance = if stop.tests { stop.gradient.unwrap_or(1e-5) as f32 } else { 0.0 };
        let mut found: Vec<([f32; P], bool)> =
            fits.starts.chunks_exact(P).map(|start| (std::array::from_fn(|j| start[j] as f32), false)).collect();
        let start = Instant::now();
        let all = found.par_iter_mut().zip(fits.values.par_chunks_exact(N)).with_min_len(TASK);
        match self {
            Self::LevenbergMarquardt => {
                // At least as many evaluations as steps and one.
                let patience = (stop.steps as usize + 1).div_ceil(P + 1);
                let minimiser = LevenbergMarquardt::new()
                    .with_ftol(tolerance * tolerance)
                    .with_gtol(tolerance)
                    .with_xtol(0.0)
                    .with_patience(patience);
                all.for_each(|(fit, values)| {
                    let problem = Minpack::<L, N, P>::new(values, &fit.0);
                    let (problem, report) = minimiser.minimize(problem);
                    *fit = (problem.theta.into(), !stop.tests || report.termination.was_successful());
                });
            }
            Self::Faer if stop.tests => all.for_each_init(Solver::<N, P>::new, |solver, (fit, values)| {
                fit.1 = solver.descend::<L>(&mut fit.0, values, tolerance, stop.steps);
            }),
            Self::Faer => all.for_each_init(Solver::<N, P>::new, |solver, (fit, values)| {
                for _ in 0..stop.steps {
                    solver.exact_step::<L>(&mut fit.0, values);
                }
                fit.1 = fit.0.iter().all(|x| x.is_finite());
            }),
        }
        let time = start.elapsed();
        let found = found.into_iter().map(|(theta, converged)| (theta.map(f64::from).to_vec(), converged));
        (time, Found::new(found, &fits.truth, P))
    }
}

/// A fit as the crate asks for it.
struct Minpack<'a, L, const N: usize, const P: usize> {
    response: &'a [f32],
    theta: SVector<f32, P>,
    residual: [f32; N],
    jacobian: [[f32; N]; P],
    law: std::marker::PhantomData<L>,
}

impl<'a, L: Law<N, P>, const N: usize, const P: usize> Minpack<'a, L, N, P> {
    fn new(response: &'a [f32], start: &[f32; P]) -> Self {
        let law = std::marker::PhantomData;
        let mut problem =
            Self { response, theta: SVector::from(*start), residual: [0.0; N], jacobian: [[0.0; N]; P], law };
        problem.evaluate();
        problem
    }

    fn evaluate(&mut self) {
        L::evaluate(&self.theta.into(), &mut self.residual, &mut self.jacobian);
        self.residual.iter_mut().zip(self.response).for_each(|(e, y)| *e -= y);
    }
}

impl<L: Law<N, P>, const N: usize, const P: usize> LeastSquaresProblem<f32, Const<N>, Const<P>>
    for Minpack<'_, L, N, P>
{
    type ResidualStorage = Owned<f32, Const<N>>;
    type JacobianStorage = Owned<f32, Const<N>, Const<P>>;
    type ParameterStorage = Owned<f32, Const<P>>;

    /// Both at once: they share the exponentials.
    fn set_params(&mut self, theta: &SVector<f32, P>) {
        self.theta = *theta;
        self.evaluate();
    }

    fn params(&self) -> SVector<f32, P> {
        self.theta
    }

    fn residuals(&self) -> Option<SVector<f32, N>> {
        Some(SVector::from(self.residual))
    }

    fn jacobian(&self) -> Option<SMatrix<f32, N, P>> {
        Some(SMatrix::from(self.jacobian))
    }
}

/// Room for the fits of a thread.
struct Solver<const N: usize, const P: usize> {
    jacobian: [[f32; N]; P],
    u: [[f32; N]; P],
    v: [[f32; P]; P],
    scratch: MemBuffer,
}

impl<const N: usize, const P: usize> Solver<N, P> {
    fn new() -> Self {
        let thin = ComputeSvdVectors::Thin;
        let of_svd = svd_scratch::<f32>(N, P, thin, thin, Par::Seq, Default::default());
        let of_factor = llt::factor::cholesky_in_place_scratch::<f32>(P, Par::Seq, Default::default());
        let scratch = MemBuffer::new(of_svd.or(of_factor));
        Self { jacobian: [[0.0; N]; P], u: [[0.0; N]; P], v: [[0.0; P]; P], scratch }
    }

    /// J and e at θ; ‖e‖².
    fn evaluate<L: Law<N, P>>(&mut self, theta: &[f32; P], response: &[f32], residual: &mut [f32; N]) -> f32 {
        L::evaluate(theta, residual, &mut self.jacobian);
        residual.iter_mut().zip(response).for_each(|(e, y)| *e -= y);
        dot(residual, residual)
    }

    /// Gauss–Newton by the normal equations of unit columns; whether the test was met.
    fn descend<L: Law<N, P>>(&mut self, theta: &mut [f32; P], response: &[f32], tolerance: f32, most: u32) -> bool {
        let mut residual = [0.0; N];
        let mut square = self.evaluate::<L>(theta, response, &mut residual);
        let mut steps = 0;
        loop {
            let lengths = self.jacobian.each_ref().map(|column| dot(column, column).sqrt());
            let mut step: [f32; P] = std::array::from_fn(|j| dot(&self.jacobian[j], &residual) / lengths[j]);
            let mut factor: [[f32; P]; P] = std::array::from_fn(|j| {
                std::array::from_fn(|i| {
                    if i < j { 0.0 } else { dot(&self.jacobian[i], &self.jacobian[j]) / (lengths[i] * lengths[j]) }
                })
            });
            let mut factor = MatMut::from_column_major_slice_mut(factor.as_flattened_mut(), P, P);
            let stack = MemStack::new(&mut self.scratch);
            let options = Default::default();
            if llt::factor::cholesky_in_place(factor.as_mut(), Default::default(), Par::Seq, stack, options).is_err() {
                return false;
            }
            let mut right = MatMut::from_column_major_slice_mut(&mut step, P, 1);
            solve_lower_triangular_in_place(factor.as_ref(), right.as_mut(), Par::Seq);
            // What L⁻¹Jᵀe is as long as: e in the range of J.
            let along = (0..P).map(|j| right[(j, 0)] * right[(j, 0)]).sum::<f32>();
            if along <= tolerance * tolerance * square {
                return true;
            }
            solve_upper_triangular_in_place(factor.transpose(), right, Par::Seq);
            let mut size = 1.0;
            loop {
                if steps == most || size < 1e-3 {
                    return false;
                }
                steps += 1;
                let trial = std::array::from_fn(|j| theta[j] - size * step[j] / lengths[j]);
                let of_trial = self.evaluate::<L>(&trial, response, &mut residual);
                if of_trial <= square * (1.0 + 8.0 * f32::EPSILON) {
                    (*theta, square) = (trial, of_trial);
                    break;
                }
                size *= 0.5;
            }
        }
    }

    /// θ − J†e by the thin SVD, singular values up to max(n, p) machine epsilons left out.
    fn exact_step<L: Law<N, P>>(&mut self, theta: &mut [f32; P], response: &[f32]) {
        let (mut residual, mut sigma) = ([0.0; N], [0.0; P]);
        self.evaluate::<L>(theta, response, &mut residual);
        let a = MatRef::from_column_major_slice(self.jacobian.as_flattened(), N, P);
        let u = MatMut::from_column_major_slice_mut(self.u.as_flattened_mut(), N, P);
        let v = MatMut::from_column_major_slice_mut(self.v.as_flattened_mut(), P, P);
        let (stack, of_sigma) = (MemStack::new(&mut self.scratch), DiagMut::from_slice_mut(&mut sigma));
        if svd(a, of_sigma, Some(u), Some(v), Par::Seq, stack, Default::default()).is_err() {
            *theta = [f32::NAN; P];
        }
        let cutoff = N.max(P) as f32 * f32::EPSILON * sigma[0];
        for ((u, v), &sigma) in self.u.iter().zip(&self.v).zip(&sigma).filter(|(_, sigma)| **sigma > cutoff) {
            let along = dot(u, &residual) / sigma;
            theta.iter_mut().zip(v).for_each(|(theta, v)| *theta -= along * v);
        }
    }
}

/// In eight partial sums, so that it may run in vectors.
fn dot<const N: usize>(a: &[f32; N], b: &[f32; N]) -> f32 {
    let (a_parts, a_rest) = a.as_chunks::<8>();
    let (b_parts, b_rest) = b.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (a, b) in a_parts.iter().zip(b_parts) {
        (0..8).for_each(|k| sums[k] += a[k] * b[k]);
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}
