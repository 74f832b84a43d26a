//! Least squares of full rank by the normal equations, in f64.

/// The x that makes ‖Ax − b‖ least; A has independent columns. Rows of `b` and x are rows of the right-hand sides.
pub(crate) fn solve(a: &[Vec<f64>], b: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let (n, k) = (a[0].len(), b[0].len());
    let dot = |i: usize, right: &dyn Fn(usize) -> f64| (0..a.len()).map(|row| a[row][i] * right(row)).sum::<f64>();
    let mut system: Vec<Vec<f64>> = (0..n)
        .map(|i| {
            let left = (0..n).map(|j| dot(i, &|row| a[row][j]));
            left.chain((0..k).map(|r| dot(i, &|row| b[row][r]))).collect()
        })
        .collect();
    // Gauss and Jordan; the matrix is positive definite, so that no row need be exchanged.
    for j in 0..n {
        let pivot = system[j].clone();
        for (i, row) in system.iter_mut().enumerate() {
            let by = if i == j { 1.0 - 1.0 / pivot[j] } else { row[j] / pivot[j] };
            for (entry, above) in row.iter_mut().zip(&pivot) {
                *entry -= by * above;
            }
        }
    }
    system.into_iter().map(|row| row[n..].to_vec()).collect()
}
