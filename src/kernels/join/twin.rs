//! [A | B], in f64.

/// Both side by side.
pub(crate) fn join(a: &[Vec<f64>], b: &[Vec<f64>]) -> Vec<Vec<f64>> {
    a.iter().zip(b).map(|(left, right)| left.iter().chain(right).copied().collect()).collect()
}
