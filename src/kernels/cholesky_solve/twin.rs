//! Solutions by Cholesky factors, in f64.

/// x of LLᵀx = b.
pub(crate) fn solve(l: &[Vec<f64>], b: &[f64]) -> Vec<f64> {
    let n = l.len();
    let mut x = b.to_vec();
    for i in 0..n {
        let known: f64 = (0..i).map(|j| l[i][j] * x[j]).sum();
        x[i] = (x[i] - known) / l[i][i];
    }
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|j| l[j][i] * x[j]).sum();
        x[i] = (x[i] - known) / l[i][i];
    }
    x
}
