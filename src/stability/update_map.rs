//! The Jacobian of the update map G(θ) = θ − ηJ†e, at a minimum and off it.
//!
//! Where the rank is constant, by G. H. Golub and V. Pereyra, SIAM J. Numer. Anal. 10 (1973) 413:
//! DG[v] = v − η{ Pv − J†(D_vJ)J†e + J†J†ᵀ(D_vJ)ᵀ(I−JJ†)e + (I−P)(D_vJ)ᵀJ†ᵀJ†e }, P = J†J.

use faer::{Col, Mat};

use super::point::{Curvature, Point, most_curved};
use crate::error::{Error, RequestError};
use crate::ngd::{Precision, Scaling};
use crate::sweep::Job;

/// M of DG = I − ηM at a point, p×p, in the coordinates ξ = D⁻¹θ, D held: J there is JD.
pub(crate) fn generator(job: &Job, point: &Point, rank: usize) -> Mat<f64> {
    let (u, v) = (point.u.subcols(0, rank), point.v.subcols(0, rank));
    let e = Col::from_fn(point.residual.len(), |i| point.residual[i]);
    let beta = u.transpose() * &e;
    let by_sigma = |x: &Col<f64>| Col::from_fn(rank, |k| x[k] / point.sigma[k]);
    // s = J†e, q = (I − JJ†)e, w = J†ᵀs.
    let s = v * by_sigma(&beta);
    let q = &e - u * &beta;
    let w = u * by_sigma(&(v.transpose() * &s));
    let slice = |x: &Col<f64>| x.iter().copied().collect::<Vec<f64>>();
    let curvature = Curvature::new(job, point, &[&slice(&q), &slice(&w)], &slice(&s));
    let (of_q, of_w) = (&curvature.sums[0], &curvature.sums[1]);
    let scaled = Mat::from_fn(v.nrows(), rank, |j, k| v[(j, k)] / point.sigma[k]);
    let projector = v * v.transpose();
    let first = &scaled * (u.transpose() * &curvature.along);
    let second = &scaled * (scaled.transpose() * of_q);
    let third = of_w - &projector * of_w;
    projector - first + second + third
}

/// The Jacobian DG of the update map G(θ) = θ − ηD(JD)†e of a data set of a job at any θ, in f64: p×p, row by row.
///
/// By the Golub–Pereyra formula with second derivatives taken from the expression graph or the network. It holds where the
/// rank at the cutoff is locally constant; with scaled columns D is held at its value at θ, which changes nothing where
/// J†e = 0 or the columns are independent. `cutoff` is relative, on σ; `None` is the default of f64.
///
/// # Errors
/// If θ has the wrong length or is not finite, e or J is not finite there, or there are more than 128 parameters of an expression
/// or 512 of a network.
///
/// # Panics
/// If there is no such data set.
pub fn update_map(
    job: &Job,
    set: usize,
    theta: &[f64],
    step_size: f64,
    scaling: Scaling,
    cutoff: Option<f64>,
) -> Result<Vec<f64>, Error> {
    let parameters = job.model().parameters();
    let p = parameters.len();
    super::check_theta(parameters, theta)?;
    let most = most_curved(job.model());
    if p > most {
        return Err(RequestError::TooManyForCurvature { parameters: p, most }.into());
    }
    let not_finite = || RequestError::NotFiniteThere { set };
    let plain = Point::new(job, set, theta, &vec![1.0; p]).ok_or_else(not_finite)?;
    let scale: Vec<f64> = (0..p).map(|j| scaling.factor(plain.jacobian.col(j).norm_l2())).collect();
    let point = Point::new(job, set, theta, &scale).ok_or_else(not_finite)?;
    let cutoff = cutoff.unwrap_or_else(|| Precision::F64.default_cutoff(point.residual.len(), p));
    let map = generator(job, &point, point.rank(cutoff));
    let entry = |j: usize, k: usize| f64::from(u8::from(j == k)) - step_size * scale[j] * map[(j, k)] / scale[k];
    Ok((0..p).flat_map(|j| (0..p).map(move |k| (j, k))).map(|(j, k)| entry(j, k)).collect())
}
