//! The step of the normal equations in f64: (JᵀJ + εD)δ = Jᵀe, D the diagonal of JᵀJ where columns are scaled, else I.

/// δ by Gauss and Jordan's elimination, from J row by row and e.
pub(crate) fn step(jacobian: &[Vec<f64>], residual: &[f64], epsilon: f64, columns: bool) -> Vec<f64> {
    let p = jacobian[0].len();
    let mut rows: Vec<Vec<f64>> = (0..p)
        .map(|j| {
            let entry = |k: usize| jacobian.iter().map(|row| row[j] * row[k]).sum::<f64>();
            let slope = jacobian.iter().zip(residual).map(|(row, e)| row[j] * e).sum::<f64>();
            let added = epsilon * if columns { entry(j) } else { 1.0 };
            (0..p).map(|k| entry(k) + if k == j { added } else { 0.0 }).chain([slope]).collect()
        })
        .collect();
    for j in 0..p {
        let pivot = rows[j].iter().map(|x| x / rows[j][j]).collect::<Vec<f64>>();
        for (i, row) in rows.iter_mut().enumerate() {
            let by = row[j];
            row.iter_mut().zip(&pivot).for_each(|(x, y)| *x -= if i == j { 0.0 } else { by * y });
        }
        rows[j] = pivot;
    }
    rows.iter().map(|row| row[p]).collect()
}
