//! Gram matrices: AᵀA and AAᵀ.

use crate::gpu::Device;
use crate::kernels::product::host::{Form, record};

use super::tiles::{chunk, lanes, results};
use super::{DeviceBatch, LinalgError, MatrixBatch, Shape};

/// Which Gram matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GramKind {
    /// AᵀA, n×n: the dot products of the columns.
    Columns,
    /// AAᵀ, m×m: the dot products of the rows.
    Rows,
}

impl GramKind {
    /// Rows and columns of the Gram matrix of an m×n matrix.
    fn size(self, shape: Shape) -> usize {
        match self {
            Self::Columns => shape.columns,
            Self::Rows => shape.rows,
        }
    }
}

/// The Gram matrices AᵀA or AAᵀ of m×n matrices on the host, as many at a time as the device holds.
///
/// Both triangles are there, equal to the bit. Sums of n products are off by at most 6√n·u·|x|ᵀ|y|, u = 2⁻²⁴, with x and
/// y the two columns (or rows): terms are summed in segments. What exceeds f32 is infinite, and a matrix that is not
/// finite has products that are not. The condition of a Gram matrix is the square of the matrix's own: above 10³ to 10⁴
/// it is singular in f32, and an SVD of A is the better way.
///
/// # Errors
/// If a matrix or its product is larger than a buffer of the device, the products do not fit the host's memory, or the
/// device fails.
pub fn gram(device: &Device, matrices: &MatrixBatch, kind: GramKind) -> Result<MatrixBatch, LinalgError> {
    let shape = matrices.shape();
    let size = kind.size(shape);
    let elements = size * size.max(shape.rows).max(shape.columns);
    let lanes = lanes(device, shape.batch, elements);
    let chunk = chunk(device, lanes, elements)?;
    let mut all = results(Shape::new(shape.batch, size, size, lanes)?)?;
    for first in (0..shape.batch).step_by(chunk) {
        let part = matrices.part(first..(first + chunk).min(shape.batch), lanes);
        all.place(first, &device.upload(&part)?.gram(kind)?.download()?);
    }
    Ok(all)
}

impl DeviceBatch {
    /// The Gram matrices of these matrices, left on the device.
    ///
    /// # Errors
    /// As [`gram`], if the products do not fit one buffer.
    pub fn gram(&self, kind: GramKind) -> Result<Self, LinalgError> {
        let device = self.device();
        let Shape { batch, rows, columns, lanes: of_input } = self.shape();
        let size = kind.size(self.shape());
        let result_lanes = of_input.min(lanes(device, batch, size * size));
        let result = Self::uninitialized(device, "Gram matrices", Shape::new(batch, size, size, result_lanes)?)?;
        let form = Form { count: batch, rows, columns, of_rows: kind == GramKind::Rows, lanes: of_input, result_lanes };
        let mut commands = device.record("gram");
        record(device, &mut commands, &form, self.buffer(), result.buffer())?;
        commands.submit()?;
        Ok(result)
    }
}
