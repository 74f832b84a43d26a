//! AᵀA and AAᵀ, in f64.

/// The dot products of the rows, or of the columns.
pub(crate) fn product(a: &[Vec<f64>], of_rows: bool) -> Vec<Vec<f64>> {
    let vectors: Vec<Vec<f64>> =
        if of_rows { a.to_vec() } else { (0..a[0].len()).map(|j| a.iter().map(|row| row[j]).collect()).collect() };
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum();
    vectors.iter().map(|x| vectors.iter().map(|y| dot(x, y)).collect()).collect()
}
