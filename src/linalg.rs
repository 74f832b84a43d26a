//! Batched dense linear algebra on a GPU: the kernels that natgrad's steps are made of, for matrices of any origin.
//!
//! Many matrices of one size at once, from 1×1 to as large as a buffer holds with what a matrix carries (2048×512, either
//! way, in the 128 MiB that WebGPU promises): [`MatrixBatch`] on the host, [`DeviceBatch`] on the device.
//!
//! ```no_run
//! use natgrad::Device;
//! use natgrad::gpu::AdapterChoice;
//! use natgrad::linalg::{MatrixBatch, SvdOptions, svd};
//!
//! let device = Device::open(&AdapterChoice::Auto)?;
//! let a = MatrixBatch::from_fn(10_000, 8, 5, |b, i, j| ((b + 3 * i + 7 * j) % 11) as f32)?;
//! let found = svd(&device, &a, &SvdOptions::default())?;
//! println!("{:?}, largest singular value {}", found.reports[0], found.sigma.get(0, 0, 0));
//!
//! // Several operations in a row, without the way to the host between them.
//! let there = device.upload(&a)?.svd(&SvdOptions::values())?;
//! println!("{}", there.sigma.download()?.get(9_999, 4, 0));
//! # Ok::<(), natgrad::linalg::LinalgError>(())
//! ```
//!
//! Singular values are good to high relative accuracy: one-sided Jacobi with a power of two kept for every column (Demmel
//! and Veselić, SIAM J. Matrix Anal. Appl. 13 (1992) 1204). There are four mappings: one invocation a matrix, in registers,
//! for up to sixteen columns (a matrix and its V in 512 numbers); the same in its private memory (2,048 numbers), where a CPU
//! plays the device; a workgroup for some matrices, in its memory; and blocks of columns in the device's memory, whose
//! rotations are found in registers, by an invocation a matrix or a pair of blocks. Rotations are fast ones: each column keeps
//! a weight in the place of its exact length (Drmač, SIAM J. Sci. Comput. 18 (1997) 1200).
//! Which is fastest for a shape is measured at its first use and remembered, see [`Device::mappings`](crate::Device::mappings).
//!
//! Tall, wide and large matrices are factored first, AΠ = QR with the columns sorted by magnitude, and get the SVD of Rᵀ
//! (Drmač and Veselić, SIAM J. Matrix Anal. Appl. 29 (2008) 1322).
//!
//! Least squares, pseudo-inverses and projectors stand on the same factorisation; see [`pinv_solve`].
//! Symmetric positive definite systems have [`cholesky_solve`].

mod batch;
mod canonical;
mod cholesky;
mod error;
mod gram;
mod matrix;
mod pinv;
mod qr;
mod report;
mod svd;
mod tiles;

pub use batch::DeviceBatch;
pub use cholesky::{
    Cholesky, CholeskyOptions, CholeskySolution, DeviceCholesky, DeviceCholeskySolution, cholesky, cholesky_solve,
};
pub use error::LinalgError;
pub use gram::{GramKind, gram};
pub use matrix::{Element, MatrixBatch, Shape};
pub use pinv::{DeviceReported, PinvOptions, Reported, pinv, pinv_solve, projector};
pub use qr::{DeviceQr, Qr, qr};
pub use report::{MatrixReport, MatrixStatus};
pub use svd::{DeviceSvd, Svd, SvdOptions, svd};
