//! The condition of triangles, in f64.

use crate::kernels::substitute::twin::substitute;

/// ‖T‖·‖T⁻¹‖ in Frobenius norms.
pub(crate) fn condition(t: &[Vec<f64>], lower: bool) -> f64 {
    let n = t.len();
    let identity: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect()).collect();
    let norm = |a: &[Vec<f64>]| a.iter().flatten().map(|x| x * x).sum::<f64>().sqrt();
    norm(t) * norm(&substitute(t, &identity, lower))
}
