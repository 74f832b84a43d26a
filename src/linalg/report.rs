//! What is told of each matrix.

use crate::kernels::matrices::Report;

/// How the factorisation of one matrix ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MatrixStatus {
    /// Factored to rounding; of an SVD, the columns are orthogonal to rounding.
    Converged,
    /// They were not after the last sweep; the numbers are as good as that many sweeps make them.
    SweepLimit,
    /// The matrix holds a NaN or an infinity; all its numbers are NaN.
    NonFinite,
    /// A pivot of the Cholesky factorisation is not a positive number: the matrix is not positive definite, or not to
    /// f32; all its numbers are NaN.
    NotPositiveDefinite,
}

impl MatrixStatus {
    fn from_word(word: u32) -> Self {
        match word {
            0 => Self::Converged,
            1 => Self::SweepLimit,
            _ => Self::NonFinite,
        }
    }
}

/// How the factorisation of one matrix went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MatrixReport {
    /// How it ended.
    pub status: MatrixStatus,
    /// Singular values above the cutoff; 0 of a matrix that is not finite.
    pub rank: usize,
    /// Sweeps of Jacobi rotations.
    pub sweeps: u32,
}

impl MatrixReport {
    pub(super) fn of(word: &Report) -> Self {
        Self { status: MatrixStatus::from_word(word.status), rank: word.rank as usize, sweeps: word.sweeps }
    }
}
