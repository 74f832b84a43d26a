//! What is asked of every matrix.

/// An operation, on f32 matrices of m rows and n columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Singular values with U and V.
    Svd,
    /// Singular values only.
    SvdValues,
    /// The least-squares solution of least norm for one right-hand side.
    PinvSolve,
    /// The solution for one right-hand side, of symmetric positive definite matrices.
    CholeskySolve,
}

impl Task {
    pub(crate) const ALL: [Self; 4] = [Self::Svd, Self::SvdValues, Self::PinvSolve, Self::CholeskySolve];

    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Svd => "svd",
            Self::SvdValues => "svd_values",
            Self::PinvSolve => "pinv_solve",
            Self::CholeskySolve => "cholesky_solve",
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Svd => "SVD with vectors",
            Self::SvdValues => "SVD, values only",
            Self::PinvSolve => "pinv_solve, one right-hand side (the peers: by their SVD)",
            Self::CholeskySolve => "cholesky_solve, one right-hand side (natgrad refined, the peers not)",
        }
    }

    /// Whether it is a task for matrices of this shape.
    pub(crate) fn takes(self, m: usize, n: usize) -> bool {
        self != Self::CholeskySolve || m == n
    }

    /// Numbers that are compared with those in f64: the singular values, or the solution.
    pub(crate) fn answers(self, m: usize, n: usize) -> usize {
        match self {
            Self::Svd | Self::SvdValues => m.min(n),
            Self::PinvSolve | Self::CholeskySolve => n,
        }
    }

    /// Operations a matrix, by convention.
    ///
    /// SVD: one-sided Jacobi takes 4mn² a sweep over the columns, m ≥ n, and 3n³ over V where that is wanted. A kernel
    /// that reduces a tall matrix to its triangular factor takes fewer. Solutions by Householder QR of the tall one of A
    /// and Aᵀ: 2n²(m − n/3), and 4mn + n² for the right-hand side; by Cholesky n³/3 + 2n², without refinement. `sweeps`
    /// is the mean that was reported, where one was.
    pub(crate) fn operations(self, m: usize, n: usize, sweeps: Option<f64>) -> Option<f64> {
        let (long, short) = (m.max(n) as f64, m.min(n) as f64);
        match self {
            Self::Svd => sweeps.map(|sweeps| sweeps * (4.0 * long * short * short + 3.0 * short.powi(3))),
            Self::SvdValues => sweeps.map(|sweeps| sweeps * 4.0 * long * short * short),
            Self::PinvSolve => Some(short * short * (2.0 * (long - short / 3.0) + 1.0) + 4.0 * long * short),
            Self::CholeskySolve => Some(short.powi(3) / 3.0 + 2.0 * short * short),
        }
    }

    /// The bytes that cannot be saved: what is given read once, every result written once.
    pub(crate) fn bytes(self, m: usize, n: usize) -> f64 {
        let rank = m.min(n);
        let numbers = match self {
            Self::Svd => m * n + rank + (m + n) * rank,
            Self::SvdValues => m * n + rank,
            Self::PinvSolve | Self::CholeskySolve => m * n + m + n,
        };
        4.0 * numbers as f64
    }
}
