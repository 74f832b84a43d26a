//! Gram and Schmidt's QR, twice over, in f64.

/// Q with orthonormal columns and R with A = QR and a diagonal that is not negative, of matrices with independent columns.
pub(crate) fn qr(a: &[Vec<f64>]) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
    let (m, n) = (a.len(), a[0].len());
    let mut q = a.to_vec();
    let mut r = vec![vec![0.0; n]; n];
    for j in 0..n {
        // The second time takes away what rounding has left of the first.
        for _ in 0..2 {
            for k in 0..j {
                let along: f64 = (0..m).map(|i| q[i][k] * q[i][j]).sum();
                r[k][j] += along;
                (0..m).for_each(|i| q[i][j] -= along * q[i][k]);
            }
        }
        r[j][j] = (0..m).map(|i| q[i][j] * q[i][j]).sum::<f64>().sqrt();
        (0..m).for_each(|i| q[i][j] /= r[j][j]);
    }
    (q, r)
}
