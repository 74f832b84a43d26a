//! Batched dense linear algebra on a GPU: the kernels that natgrad's steps are made of, for matrices of any origin.
//!
//! Many matrices of one size at once, from 1×1 up: [`MatrixBatch`] on the host, [`DeviceBatch`] on the device.

mod batch;
mod error;
mod gram;
mod matrix;
mod report;
mod svd;
mod tiles;

pub use batch::DeviceBatch;
pub use error::LinalgError;
pub use gram::{GramKind, gram};
pub use matrix::{Element, MatrixBatch, Shape};
pub use report::{DeviceReports, MatrixReport, MatrixStatus};
pub use svd::{DeviceSvd, Svd, SvdOptions, svd};
