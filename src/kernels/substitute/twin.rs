//! Solutions with triangles, in f64.

/// X of TX = B, with T lower or upper triangular.
pub(crate) fn substitute(t: &[Vec<f64>], b: &[Vec<f64>], lower: bool) -> Vec<Vec<f64>> {
    let n = t.len();
    let mut x = b.to_vec();
    let order: Vec<usize> = if lower { (0..n).collect() } else { (0..n).rev().collect() };
    for (done, &i) in order.iter().enumerate() {
        for k in 0..b[0].len() {
            let known: f64 = order[..done].iter().map(|&j| t[i][j] * x[j][k]).sum();
            x[i][k] = (x[i][k] - known) / t[i][i];
        }
    }
    x
}
