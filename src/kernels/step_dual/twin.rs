//! Damped steps by the kernel matrix, and steps of gradient descent, in f64.

use crate::kernels::{cholesky, cholesky_solve, product};

/// Jᵀα with (JJᵀ + εI)α = e, of rows of [J | e].
pub(crate) fn damped(rows: &[Vec<f64>], epsilon: f64) -> Vec<f64> {
    let p = rows[0].len() - 1;
    let jacobian: Vec<Vec<f64>> = rows.iter().map(|row| row[..p].to_vec()).collect();
    let mut kernel = product::twin::product(&jacobian, true);
    (0..kernel.len()).for_each(|i| kernel[i][i] += epsilon);
    let l = cholesky::twin::cholesky(&kernel).expect("JJᵀ + εI is positive definite");
    let e: Vec<f64> = rows.iter().map(|row| row[p]).collect();
    back(&jacobian, &cholesky_solve::twin::solve(&l, &e))
}

/// Jᵀe.
pub(crate) fn descent(rows: &[Vec<f64>]) -> Vec<f64> {
    let p = rows[0].len() - 1;
    let e: Vec<f64> = rows.iter().map(|row| row[p]).collect();
    back(rows, &e)[..p].to_vec()
}

/// Jᵀα.
fn back(jacobian: &[Vec<f64>], alpha: &[f64]) -> Vec<f64> {
    (0..jacobian[0].len()).map(|j| jacobian.iter().zip(alpha).map(|(row, alpha)| row[j] * alpha).sum()).collect()
}
