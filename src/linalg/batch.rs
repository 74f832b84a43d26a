//! Batches of matrices on a device.

use crate::gpu::{Buffer, Device, DeviceError};
use crate::kernels::batch::tile;

use super::{Element, LinalgError, MatrixBatch, Shape};

/// Matrices of one size in device memory; clones share it. The layout is that of [`MatrixBatch`].
#[derive(Clone, Debug)]
pub struct DeviceBatch<T = f32> {
    device: Device,
    shape: Shape,
    buffer: Buffer<T>,
}

impl Device {
    /// Copies matrices to the device, into tiles as it works on them best, however they lie on the host: 64 of them, 16 where a
    /// CPU plays the device, and fewer where those are too large. [`DeviceBatch::shape`] tells.
    ///
    /// # Errors
    /// If they are larger than a buffer of the device may be, memory is exhausted, or the device is lost.
    pub fn upload<T: Element>(&self, matrices: &MatrixBatch<T>) -> Result<DeviceBatch<T>, DeviceError> {
        let Shape { batch, rows, columns, lanes } = matrices.shape();
        match tile(self, rows * columns) {
            best if best == lanes => DeviceBatch::as_they_lie(self, matrices),
            best => DeviceBatch::as_they_lie(self, &matrices.part(0..batch, best)),
        }
    }
}

impl<T: Element> DeviceBatch<T> {
    /// Matrices in a buffer of the caller's, laid out as `shape` says.
    ///
    /// # Errors
    /// If the buffer is shorter than the shape, or was not made for storage and copies.
    pub fn from_buffer(device: &Device, buffer: wgpu::Buffer, shape: Shape) -> Result<Self, LinalgError> {
        let Shape { batch, rows, columns, .. } = Shape::new(shape.batch, shape.rows, shape.columns, shape.lanes)?;
        let given = (buffer.size() / size_of::<T>() as u64) as usize;
        if given < shape.len() {
            return Err(LinalgError::Length { batch, rows, columns, expected: shape.len(), given });
        }
        Ok(Self { device: device.clone(), shape, buffer: Buffer::from_raw(buffer, shape.len())? })
    }

    /// Matrices of the host in the layout that they have there.
    fn as_they_lie(device: &Device, matrices: &MatrixBatch<T>) -> Result<Self, DeviceError> {
        let buffer = device.buffer_from("matrices", matrices.as_slice())?;
        Ok(Self { device: device.clone(), shape: matrices.shape(), buffer })
    }

    /// The same matrices in tiles of `lanes`, by way of the host where they lie otherwise. Operations take any; for those that
    /// are compiled for their number they copy the matrices like this, each time.
    ///
    /// # Errors
    /// If `lanes` is no power of two up to 256, memory is exhausted, or the device is lost.
    pub fn with_lanes(&self, lanes: usize) -> Result<Self, LinalgError> {
        if self.shape.lanes == lanes {
            return Ok(self.clone());
        }
        Ok(Self::as_they_lie(&self.device, &self.download()?.with_lanes(lanes)?)?)
    }

    /// The matrices in a buffer that has room for this shape.
    pub(super) fn of(device: &Device, shape: Shape, buffer: Buffer<T>) -> Self {
        Self { device: device.clone(), shape, buffer }
    }

    /// Room for matrices of this shape; what is in it is undefined.
    pub(crate) fn uninitialized(device: &Device, label: &str, shape: Shape) -> Result<Self, DeviceError> {
        Ok(Self { device: device.clone(), shape, buffer: device.scratch(label, shape.len())? })
    }

    /// Copies the matrices to the host.
    ///
    /// # Errors
    /// If the device is lost.
    pub fn download(&self) -> Result<MatrixBatch<T>, LinalgError> {
        crate::block_on(self.download_async())
    }

    /// As [`download`](Self::download), without blocking.
    ///
    /// # Errors
    /// If the device is lost.
    pub async fn download_async(&self) -> Result<MatrixBatch<T>, LinalgError> {
        let data = self.device.read_range_async(&self.buffer, 0..self.shape.len()).await?;
        Ok(MatrixBatch::from_layout(self.shape, data)?.with_zero_padding())
    }

    /// Their number, size and layout.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The device that holds them.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The memory they lie in, and perhaps some more behind it. The results of operations are not its last users: when the
    /// batch and its clones are dropped, later operations use it again, so do not keep the wgpu buffer for longer.
    #[must_use]
    pub fn buffer(&self) -> &Buffer<T> {
        &self.buffer
    }
}
