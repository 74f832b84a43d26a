//! The step Δ = D W Σ⁻²φ(Σ) β, its promise and the tests, in f64.

use crate::kernels::svd::twin::Factored;

/// D W diag(φᵢ/σᵢ²) β over the first `rank` directions, φ = σ²/(σ²+ε).
pub(crate) fn step(factored: &Factored, rank: usize, epsilon: f64, columns: bool) -> Vec<f64> {
    weighted(factored, columns, |i| {
        let square = factored.sigma[i] * factored.sigma[i];
        if i < rank { square / (square + epsilon) } else { 0.0 }
    })
}

/// The same with φ = 1/(1 + (cσ₁/σ)¹²).
pub(crate) fn smooth_step(factored: &Factored, cutoff: f64, columns: bool) -> Vec<f64> {
    weighted(factored, columns, |i| 1.0 / (1.0 + (cutoff * factored.sigma[0] / factored.sigma[i]).powi(12)))
}

/// The same with φ = σ².
pub(crate) fn gradient_step(factored: &Factored) -> Vec<f64> {
    weighted(factored, false, |i| factored.sigma[i] * factored.sigma[i])
}

fn weighted(factored: &Factored, columns: bool, phi: impl Fn(usize) -> f64) -> Vec<f64> {
    let p = factored.lengths.len();
    (0..p)
        .map(|j| {
            let scale = if columns && factored.lengths[j] > 0.0 { 1.0 / factored.lengths[j] } else { 1.0 };
            let sum: f64 = (0..p)
                .map(|i| phi(i) * factored.w[i][j] * factored.beta[i] / (factored.sigma[i] * factored.sigma[i]))
                .sum();
            scale * sum
        })
        .collect()
}

/// The decrease of ½‖e‖² that the linear model promises: ½‖e‖² − ½‖e − JΔ‖², direction by direction.
pub(crate) fn predicted(factored: &Factored, rank: usize, epsilon: f64) -> f64 {
    (0..rank)
        .map(|i| {
            let square = factored.sigma[i] * factored.sigma[i];
            let left = factored.beta[i] * (1.0 - square / (square + epsilon));
            0.5 * (factored.beta[i] * factored.beta[i] - left * left)
        })
        .sum()
}

/// Values above the relative cutoff.
pub(crate) fn rank(sigma: &[f64], cutoff: f64, most: usize) -> usize {
    sigma.iter().take(most).filter(|&&s| s > 0.0 && s > cutoff * sigma[0]).count()
}
