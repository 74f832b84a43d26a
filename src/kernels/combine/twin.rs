//! XΣ⁻¹Yᵀ, in f64.

/// The sum over the first `rank` columns t of x and y, rows times rows, over σ of each.
pub(crate) fn combine(x: &[Vec<f64>], y: &[Vec<f64>], sigma: &[f64], rank: usize) -> Vec<Vec<f64>> {
    let term = |x: &[f64], y: &[f64]| (0..rank).map(|t| x[t] * y[t] / sigma[t]).sum();
    x.iter().map(|x| y.iter().map(|y| term(x, y)).collect()).collect()
}
