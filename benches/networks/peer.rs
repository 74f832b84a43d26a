//! The same steps with faer and rayon, in f32: a network with one hidden layer of tanh, written out.

use std::time::{Duration, Instant};

use faer::linalg::solvers::Solve;
use faer::{Col, Mat, Par, Side};
use rayon::prelude::*;

use super::Case;

/// The networks of a case, where they start.
pub(crate) struct Peer {
    features: usize,
    units: usize,
    damping: f32,
    inputs: Vec<f32>,
    response: Vec<f32>,
    thetas: Vec<Vec<f32>>,
}

impl Peer {
    pub(crate) fn new(case: &Case) -> Self {
        // Every core has networks of its own: threads within one would only be in the way.
        faer::set_global_parallelism(Par::Seq);
        let (inputs, response) = case.data();
        let single = |values: Vec<f64>| values.into_iter().map(|x| x as f32).collect();
        Self {
            features: case.network.layers()[0],
            units: case.network.layers()[1],
            damping: case.damping as f32,
            inputs: single(inputs),
            response: single(response),
            thetas: case.starts().into_iter().map(single).collect(),
        }
    }

    /// Takes so many steps of every network from its start, the same as the device; the time of one.
    pub(crate) fn steps(&self, count: u32) -> Duration {
        let Self { features, units, damping, inputs, response, thetas } = self;
        let (features, units, damping) = (*features, *units, *damping);
        let mut thetas = thetas.clone();
        let start = Instant::now();
        for _ in 0..count {
            thetas.par_iter_mut().for_each(|theta| {
                let (residual, jacobian) = evaluate(theta, inputs, response, (features, units));
                let step =
                    if damping == 0.0 { exact(&jacobian, &residual) } else { damped(&jacobian, &residual, damping) };
                theta.iter_mut().zip(step.iter()).for_each(|(theta, step)| *theta -= 0.1 * step);
            });
        }
        start.elapsed() / count
    }
}

fn evaluate(theta: &[f32], inputs: &[f32], response: &[f32], (d, h): (usize, usize)) -> (Col<f32>, Mat<f32>) {
    let n = response.len();
    let mut jacobian = Mat::<f32>::zeros(n, theta.len());
    let mut residual = Col::<f32>::zeros(n);
    let (bias, weight) = (d * h, (d + 1) * h);
    for i in 0..n {
        let x = &inputs[i * d..(i + 1) * d];
        let mut f = theta[weight + h];
        for u in 0..h {
            let z = theta[bias + u] + x.iter().zip(&theta[u * d..]).map(|(x, w)| x * w).sum::<f32>();
            let a = z.tanh();
            let delta = theta[weight + u] * (1.0 - a * a);
            f += theta[weight + u] * a;
            for (c, x) in x.iter().enumerate() {
                jacobian[(i, u * d + c)] = delta * x;
            }
            jacobian[(i, bias + u)] = delta;
            jacobian[(i, weight + u)] = a;
        }
        jacobian[(i, weight + h)] = 1.0;
        residual[i] = f - response[i];
    }
    (residual, jacobian)
}

/// J†e by the thin SVD, singular values up to max(n, p) machine epsilons left out.
fn exact(jacobian: &Mat<f32>, residual: &Col<f32>) -> Col<f32> {
    let svd = jacobian.thin_svd().expect("faer's SVD converges");
    let sigma = svd.S().column_vector();
    let least = sigma[0] * f32::EPSILON * jacobian.ncols().max(jacobian.nrows()) as f32;
    let beta = svd.U().transpose() * residual;
    let kept = Col::from_fn(beta.nrows(), |k| if sigma[k] > least { beta[k] / sigma[k] } else { 0.0 });
    svd.V() * kept
}

/// Jᵀ(JJᵀ + εI)⁻¹e by Cholesky.
fn damped(jacobian: &Mat<f32>, residual: &Col<f32>, damping: f32) -> Col<f32> {
    let mut kernel = jacobian * jacobian.transpose();
    for i in 0..kernel.nrows() {
        kernel[(i, i)] += damping;
    }
    match kernel.llt(Side::Lower) {
        Ok(factor) => jacobian.transpose() * factor.solve(residual),
        // Rounding left it indefinite: no step.
        Err(_) => Col::zeros(jacobian.ncols()),
    }
}
