//! Cholesky factors, in f64.

/// L with A = LLᵀ; `None` where a pivot is not positive. The lower triangle of A is read.
pub(crate) fn cholesky(a: &[Vec<f64>]) -> Option<Vec<Vec<f64>>> {
    let n = a.len();
    let mut l = vec![vec![0.0; n]; n];
    for j in 0..n {
        for i in j..n {
            let rest = a[i][j] - (0..j).map(|k| l[i][k] * l[j][k]).sum::<f64>();
            if i == j && (rest.is_nan() || rest <= 0.0) {
                return None;
            }
            l[i][j] = if i == j { rest.sqrt() } else { rest / l[j][j] };
        }
    }
    Some(l)
}
