//! What can be wrong with matrices and options.

use crate::gpu::DeviceError;

/// Why a batch of matrices cannot be worked on.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinalgError {
    /// A matrix without rows or columns.
    #[error("matrices of {rows}×{columns} are empty: give at least one row and one column")]
    Empty {
        /// Rows asked for.
        rows: usize,
        /// Columns asked for.
        columns: usize,
    },
    /// More elements than can be counted.
    #[error("{batch} matrices of {rows}×{columns} have more elements than memory can hold: make the batch smaller")]
    Overflow {
        /// Matrices asked for.
        batch: usize,
        /// Rows of each.
        rows: usize,
        /// Columns of each.
        columns: usize,
    },
    /// A slice or buffer of the wrong length.
    #[error("{batch} matrices of {rows}×{columns} take {expected} elements and {given} were given")]
    Length {
        /// Matrices.
        batch: usize,
        /// Rows of each.
        rows: usize,
        /// Columns of each.
        columns: usize,
        /// Elements of that shape.
        expected: usize,
        /// Elements given.
        given: usize,
    },
    /// Two operands that do not fit together.
    #[error("{what}: {left} is {left_size} and {right} is {right_size}, and they must be equal")]
    Mismatch {
        /// Which dimension.
        what: &'static str,
        /// The first operand.
        left: &'static str,
        /// Its size.
        left_size: usize,
        /// The second operand.
        right: &'static str,
        /// Its size.
        right_size: usize,
    },
    /// Matrices that have to be square and are not.
    #[error("matrices of {rows}×{columns}: a Cholesky factor takes as many rows as columns")]
    NotSquare {
        /// Rows given.
        rows: usize,
        /// Columns given.
        columns: usize,
    },
    /// A shape beyond what the kernels take.
    #[error("matrices of {rows}×{columns}: {operation} takes at most {most} {side}")]
    TooLarge {
        /// Rows given.
        rows: usize,
        /// Columns given.
        columns: usize,
        /// What was asked for.
        operation: &'static str,
        /// The most it takes.
        most: usize,
        /// Of what.
        side: &'static str,
    },
    /// A number of lanes that is not a power of two.
    #[error("{lanes} lanes a tile: give a power of two up to 256")]
    Lanes {
        /// Lanes asked for.
        lanes: usize,
    },
    /// A cutoff outside [0, 1).
    #[error("cutoff {value} is outside [0, 1): it is relative to the largest singular value")]
    Cutoff {
        /// The value.
        value: f64,
    },
    /// Results that the host cannot hold.
    #[error("the results take {needed} bytes and {free} are free: work on at most {fits} matrices at a time")]
    OutOfMemory {
        /// Bytes needed.
        needed: u64,
        /// Bytes free.
        free: u64,
        /// Matrices whose results fit.
        fits: u64,
    },
    /// The device failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
}
