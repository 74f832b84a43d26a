//! One-sided Jacobi on (RD)ᵀ with the carried right-hand side, in f64.

/// What the kernel leaves: columns by descending σ.
pub(crate) struct Factored {
    /// Column i of W.
    pub(crate) w: Vec<Vec<f64>>,
    pub(crate) sigma: Vec<f64>,
    /// Vᵀc = Uᵀe.
    pub(crate) beta: Vec<f64>,
    /// The column lengths of R, and so of J.
    pub(crate) lengths: Vec<f64>,
    pub(crate) sweeps: u32,
}

/// `r` is p×(p+1) with c in its last column; `columns`: scale to unit columns first.
pub(crate) fn svd(r: &[Vec<f64>], columns: bool) -> Factored {
    let p = r.len();
    let lengths: Vec<f64> = (0..p).map(|j| (0..p).map(|i| r[i][j] * r[i][j]).sum::<f64>().sqrt()).collect();
    let scale = |j: usize| if columns && lengths[j] > 0.0 { 1.0 / lengths[j] } else { 1.0 };
    // Column i of A is row i of RD, with cᵢ carried below it.
    let mut a: Vec<Vec<f64>> =
        (0..p).map(|i| (0..p).map(|j| r[i][j] * scale(j)).chain(std::iter::once(r[i][p])).collect()).collect();
    let dot = |x: &[f64], y: &[f64]| (0..p).map(|i| x[i] * y[i]).sum::<f64>();
    let mut sweeps = 0;
    loop {
        sweeps += 1;
        let mut rotated = false;
        for j in 0..p {
            for k in j + 1..p {
                let g = dot(&a[j], &a[k]);
                let (x, y) = (dot(&a[j], &a[j]), dot(&a[k], &a[k]));
                if g.abs() <= 1e-15 * x.sqrt() * y.sqrt() {
                    continue;
                }
                rotated = true;
                let angle = 0.5 * (2.0 * g).atan2(x - y);
                let (sine, cosine) = angle.sin_cos();
                for i in 0..=p {
                    let (u, v) = (a[j][i], a[k][i]);
                    a[j][i] = cosine * u + sine * v;
                    a[k][i] = cosine * v - sine * u;
                }
            }
        }
        if !rotated || sweeps == 60 {
            break;
        }
    }
    a.sort_by(|x, y| dot(y, y).total_cmp(&dot(x, x)));
    Factored {
        sigma: a.iter().map(|column| dot(column, column).sqrt()).collect(),
        beta: a.iter().map(|column| column[p]).collect(),
        w: a.into_iter().map(|column| column[..p].to_vec()).collect(),
        lengths,
        sweeps,
    }
}
