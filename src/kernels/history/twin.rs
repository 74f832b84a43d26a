//! A record of the way, in f64.

use crate::kernels::step::twin::rank;

/// ‖e‖, rank, σ₁, the least of the `count` singular values that there are, and θ.
pub(crate) fn record(norm: f64, sigma: &[f64], count: usize, cutoff: f64, most: usize, theta: &[f64]) -> Vec<f64> {
    let mut record = vec![norm, rank(sigma, cutoff, most) as f64, sigma[0], sigma[count - 1]];
    record.extend_from_slice(theta);
    record
}
