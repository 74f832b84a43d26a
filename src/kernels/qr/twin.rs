//! Givens QR of [J | e], one row at a time, in f64.

/// The p×(p+1) triangle R with c = Qᵀe as its last column, and ‖e‖²; diagonal entries are not negative.
pub(crate) fn qr(rows: &[Vec<f64>], p: usize) -> (Vec<Vec<f64>>, f64) {
    let mut r = vec![vec![0.0_f64; p + 1]; p];
    let mut squares = 0.0;
    for row in rows {
        let mut a = row.clone();
        squares += a[p] * a[p];
        for j in 0..p {
            let length = r[j][j].hypot(a[j]);
            if length == 0.0 {
                continue;
            }
            let (cosine, sine) = (r[j][j] / length, a[j] / length);
            for k in j..=p {
                let (above, below) = (r[j][k], a[k]);
                r[j][k] = cosine * above + sine * below;
                a[k] = cosine * below - sine * above;
            }
        }
    }
    (r, squares)
}
