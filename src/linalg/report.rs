//! What is told of each matrix.

use crate::kernels::matrices::Report;

use super::{Element, MatrixBatch};

/// How the factorisation of one matrix ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MatrixStatus {
    /// The columns are orthogonal to rounding.
    Converged,
    /// They were not after the last sweep; the numbers are as good as that many sweeps make them.
    SweepLimit,
    /// The matrix holds a NaN or an infinity; all its numbers are NaN.
    NonFinite,
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

/// The reports with their ranks at the relative cutoff.
pub(super) fn reports<T: Element>(words: &[Report], sigma: &MatrixBatch<T>, cutoff: f64) -> Vec<MatrixReport> {
    words
        .iter()
        .enumerate()
        .map(|(b, word)| MatrixReport {
            status: MatrixStatus::from_word(word.status),
            rank: rank(sigma, b, cutoff),
            sweeps: word.sweeps,
        })
        .collect()
}

/// How many singular values of matrix b, which descend, lie above `cutoff`·σ₁. Of NaN none does.
fn rank<T: Element>(sigma: &MatrixBatch<T>, b: usize, cutoff: f64) -> usize {
    let largest: f64 = sigma.get(b, 0, 0).into();
    (0..sigma.rows())
        .take_while(|&i| {
            let value: f64 = sigma.get(b, i, 0).into();
            value > 0.0 && value > cutoff * largest
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_count_what_lies_above_the_cutoff_and_nothing_of_nan() {
        let sigma = MatrixBatch::from_fn(3, 3, 1, |b, i, _| match b {
            0 => [4.0, 2.0, 1e-3][i],
            1 => f32::NAN,
            _ => 0.0,
        })
        .unwrap();
        let words = [0, 2, 0].map(|status| Report { status, sweeps: 1 });
        let found = reports(&words, &sigma, 1e-3);
        assert_eq!(found.iter().map(|report| report.rank).collect::<Vec<_>>(), [2, 0, 0]);
        assert_eq!(found[1].status, MatrixStatus::NonFinite);
    }
}
