//! What can be timed.

use natgrad::linalg::LinalgError;

/// Work that can be repeated; it is prepared outside the time.
pub(crate) trait Contender {
    /// Does the work once, to its end.
    fn run(&mut self) -> Result<(), LinalgError>;

    /// What the last run found, matrix by matrix, up to `count` matrices: singular values, or solutions.
    fn answers(&self, count: usize) -> Result<Vec<f32>, LinalgError>;

    /// Jacobi sweeps in the last run, the mean over the matrices, where it takes any.
    fn sweeps(&self) -> Result<Option<f64>, LinalgError> {
        Ok(None)
    }
}
