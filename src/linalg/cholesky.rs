//! Cholesky factors, and solutions by them.

use crate::gpu::{Buffer, Device};
use crate::kernels::batch::{Batch, Count};
use crate::kernels::cholesky::host::{self, BAD_ENTRY, BAD_PIVOT, Form};
use crate::kernels::cholesky_solve;

use super::pinv::check;
use super::tiles::{chunk, lanes, results};
use super::{DeviceBatch, LinalgError, MatrixBatch, MatrixStatus, Shape};

/// The factors A = LLᵀ of a batch of symmetric positive definite matrices.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Cholesky {
    /// L, n×n, zero above its positive diagonal; all NaN where there is none.
    pub l: MatrixBatch,
    /// [`Converged`](MatrixStatus::Converged), or why there is no factor:
    /// [`NotPositiveDefinite`](MatrixStatus::NotPositiveDefinite) or [`NonFinite`](MatrixStatus::NonFinite).
    pub statuses: Vec<MatrixStatus>,
}

/// The same, still on the device.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeviceCholesky {
    /// L, n×n.
    pub l: DeviceBatch,
    states: Buffer<u32>,
}

/// How systems are to be solved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CholeskyOptions {
    /// Iterative refinements at most; a right-hand side whose corrections shrink no more takes no further ones.
    pub refinements: u32,
}

impl Default for CholeskyOptions {
    fn default() -> Self {
        Self { refinements: 3 }
    }
}

impl CholeskyOptions {
    /// With so many refinements at most.
    #[must_use]
    pub fn refinements(mut self, refinements: u32) -> Self {
        self.refinements = refinements;
        self
    }
}

/// The solutions of a batch of systems.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CholeskySolution {
    /// x, n×k; all NaN where the matrix has no factor, or where it or its right-hand sides are not finite.
    pub x: MatrixBatch,
    /// Of each right-hand side the last correction's largest entry beside that of x, k×1: about the relative error before
    /// that correction was added; 1 where none was tried.
    pub corrections: MatrixBatch,
    /// As of [`Cholesky::statuses`].
    pub statuses: Vec<MatrixStatus>,
}

/// The same, still on the device.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeviceCholeskySolution {
    /// x, n×k.
    pub x: DeviceBatch,
    /// As [`CholeskySolution::corrections`].
    pub corrections: DeviceBatch,
    states: Buffer<u32>,
}

/// The Cholesky factors of matrices on the host, as many at a time as the device holds.
///
/// The lower triangle is read, and nothing above it. LLᵀ is A within (n + 16)·u·√(aᵢᵢaⱼⱼ) in every entry, u = 2⁻²⁴ (Higham,
/// Accuracy and Stability of Numerical Algorithms, Theorem 10.3), whatever the scale of A or its rows, as long as none is
/// below 10⁻³⁰ times the largest.
///
/// # Errors
/// If the matrices are not square, the results do not fit the host's memory, a matrix does not fit a buffer of the device,
/// or the device fails. A matrix without a factor is no error: its [status](Cholesky::statuses) says so.
pub fn cholesky(device: &Device, matrices: &MatrixBatch) -> Result<Cholesky, LinalgError> {
    let shape = matrices.shape();
    let size = square(shape)?;
    let lanes = lanes(device, shape.batch, size * size);
    let chunk = chunk(device, lanes, size * size)?;
    let mut all = Cholesky { l: results(Shape { lanes, ..shape })?, statuses: Vec::with_capacity(shape.batch) };
    for first in (0..shape.batch).step_by(chunk) {
        let part = matrices.part(first..(first + chunk).min(shape.batch), lanes);
        let found = device.upload(&part)?.cholesky()?.download()?;
        all.l.place(first, &found.l);
        all.statuses.extend(found.statuses);
    }
    Ok(all)
}

/// The solutions of Ax = b by A's Cholesky factor, with iterative refinement, for symmetric positive definite n×n matrices
/// A and n×k right-hand sides b.
///
/// Where the device has error-free transforms (see [`Capabilities`](crate::gpu::Capabilities)), residuals are summed to
/// twice the digits of f32, and x is good to some u = 2⁻²⁴ of its largest entry as long as κ(A) is well below 1/u; without
/// refinements, and on other devices, to some κu. [`corrections`](CholeskySolution::corrections) tells what was reached.
///
/// For least squares with A = JᵀJ, whose condition is the square of J's, [`pinv_solve`](super::pinv_solve) is the more
/// accurate way: what was lost when A was formed no refinement brings back.
///
/// # Errors
/// As [`cholesky`], and if b has not as many matrices and rows as A.
pub fn cholesky_solve(
    device: &Device,
    a: &MatrixBatch,
    b: &MatrixBatch,
    options: &CholeskyOptions,
) -> Result<CholeskySolution, LinalgError> {
    let shape = a.shape();
    let size = square(shape)?;
    check(shape, b.shape())?;
    let rights = b.columns();
    let elements = size * size.max(rights);
    let lanes = lanes(device, shape.batch, elements);
    let chunk = chunk(device, lanes, elements)?;
    let mut all = CholeskySolution {
        x: results(Shape { lanes, ..b.shape() })?,
        corrections: results(Shape::new(shape.batch, rights, 1, lanes)?)?,
        statuses: Vec::with_capacity(shape.batch),
    };
    for first in (0..shape.batch).step_by(chunk) {
        let range = first..(first + chunk).min(shape.batch);
        let part = device.upload(&a.part(range.clone(), lanes))?;
        let found = part.cholesky_solve(&device.upload(&b.part(range, lanes))?, options)?.download()?;
        all.x.place(first, &found.x);
        all.corrections.place(first, &found.corrections);
        all.statuses.extend(found.statuses);
    }
    Ok(all)
}

impl DeviceBatch {
    /// The Cholesky factors of these matrices, left on the device.
    ///
    /// # Errors
    /// As [`cholesky`].
    pub fn cholesky(&self) -> Result<DeviceCholesky, LinalgError> {
        let size = square(self.shape())?;
        let Shape { batch, lanes, .. } = self.shape();
        let device = self.device();
        let l = Self::uninitialized(device, "L", self.shape())?;
        let roots = device.scratch("roots", batch.next_multiple_of(lanes))?;
        let states = device.buffer("states of factors", batch.max(1))?;
        let mut commands = device.record("cholesky");
        let operands = host::Operands { a: self.buffer(), l: l.buffer(), roots: &roots, states: &states };
        let count = Count::known(Batch { count: batch, lanes });
        host::record(device, &mut commands, Form { count, size }, &operands)?;
        commands.submit()?;
        Ok(DeviceCholesky { l, states })
    }

    /// The solutions of these systems, left on the device.
    ///
    /// # Errors
    /// As [`cholesky_solve`].
    pub fn cholesky_solve(&self, b: &Self, options: &CholeskyOptions) -> Result<DeviceCholeskySolution, LinalgError> {
        let size = square(self.shape())?;
        check(self.shape(), b.shape())?;
        let Shape { batch, lanes, .. } = self.shape();
        let device = self.device();
        let b = b.with_lanes(lanes)?;
        let rights = b.shape().columns;
        let states = device.buffer("states of solutions", batch.max(1))?;
        let x = Self::uninitialized(device, "x", b.shape())?;
        let corrections = Self::uninitialized(device, "corrections", Shape::new(batch, rights, 1, lanes)?)?;
        let mut commands = device.record("cholesky_solve");
        let operands = cholesky_solve::host::Operands {
            a: self.buffer(),
            rights: b.buffer(),
            x: x.buffer(),
            last: corrections.buffer(),
            states: &states,
        };
        let form = Form { count: Count::known(Batch { count: batch, lanes }), size };
        cholesky_solve::host::record(device, &mut commands, form, (rights, options.refinements), &operands)?;
        commands.submit()?;
        Ok(DeviceCholeskySolution { x, corrections, states })
    }
}

impl DeviceCholesky {
    /// Copies everything to the host.
    ///
    /// # Errors
    /// If the device is lost.
    pub fn download(&self) -> Result<Cholesky, LinalgError> {
        Ok(Cholesky { l: self.l.download()?, statuses: statuses(&self.l, &self.states)? })
    }
}

impl DeviceCholeskySolution {
    /// Copies everything to the host.
    ///
    /// # Errors
    /// If the device is lost.
    pub fn download(&self) -> Result<CholeskySolution, LinalgError> {
        Ok(CholeskySolution {
            x: self.x.download()?,
            corrections: self.corrections.download()?,
            statuses: statuses(&self.x, &self.states)?,
        })
    }
}

/// What was noted of the matrices of a batch.
fn statuses(batch: &DeviceBatch, states: &Buffer<u32>) -> Result<Vec<MatrixStatus>, LinalgError> {
    let states = batch.device().read_range(states, 0..batch.shape().batch)?;
    let status = |state: u32| match state {
        0 => MatrixStatus::Converged,
        state if state & BAD_ENTRY != 0 => MatrixStatus::NonFinite,
        state => {
            debug_assert_eq!(state, BAD_PIVOT);
            MatrixStatus::NotPositiveDefinite
        }
    };
    Ok(states.into_iter().map(status).collect())
}

/// Rows and columns of square matrices.
fn square(shape: Shape) -> Result<usize, LinalgError> {
    let Shape { rows, columns, .. } = shape;
    if rows == columns { Ok(rows) } else { Err(LinalgError::NotSquare { rows, columns }) }
}
