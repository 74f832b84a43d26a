//! Eigenvalues of symmetric matrices of any size, none included.

use faer::{Mat, Side};

/// The eigenvalues, descending; NaN where the matrix is not finite or they do not converge.
pub(crate) fn eigenvalues(symmetric: &Mat<f64>) -> Vec<f64> {
    let size = symmetric.nrows();
    if size == 0 {
        return Vec::new();
    }
    if !symmetric.is_all_finite() {
        return vec![f64::NAN; size];
    }
    let mut values = symmetric.self_adjoint_eigenvalues(Side::Lower).unwrap_or_else(|_| vec![f64::NAN; size]);
    values.reverse();
    values
}

/// The same with eigenvectors, column by column; `None` where the matrix is not finite or they do not converge.
pub(crate) fn eigenvectors(symmetric: &Mat<f64>) -> Option<(Vec<f64>, Mat<f64>)> {
    let size = symmetric.nrows();
    if size == 0 {
        return Some((Vec::new(), Mat::new()));
    }
    if !symmetric.is_all_finite() {
        return None;
    }
    let found = symmetric.self_adjoint_eigen(Side::Lower).ok()?;
    let values: Vec<f64> = (0..size).rev().map(|k| found.S().column_vector()[k]).collect();
    Some((values, Mat::from_fn(size, size, |j, k| found.U()[(j, size - 1 - k)])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eigenvalues_descend_and_a_matrix_of_nothing_has_none() {
        let a = Mat::from_fn(2, 2, |i, j| if i == j { 2.0 } else { 1.0 });
        let off = |found: &[f64]| (found[0] - 3.0).abs().max((found[1] - 1.0).abs());
        assert!(off(&eigenvalues(&a)) < 1e-15);
        let (values, vectors) = eigenvectors(&a).unwrap();
        assert!(off(&values) < 1e-15 && (vectors[(0, 0)] - vectors[(1, 0)]).abs() < 1e-15);
        assert_eq!((eigenvalues(&Mat::new()), eigenvectors(&Mat::new()).unwrap().0), (vec![], vec![]));
        let none = Mat::from_fn(2, 2, |_, _| f64::NAN);
        assert!(eigenvalues(&none).iter().all(|value| value.is_nan()) && eigenvectors(&none).is_none());
    }
}
