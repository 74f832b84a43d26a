//! [J | e]ᵀ[J | e], in f64.

/// The symmetric (p+1)×(p+1) matrix.
pub(crate) fn gram(rows: &[Vec<f64>], columns: usize) -> Vec<Vec<f64>> {
    (0..columns).map(|j| (0..columns).map(|k| rows.iter().map(|row| row[j] * row[k]).sum()).collect()).collect()
}
