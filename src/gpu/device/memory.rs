//! The memory of a device: buffers, and what goes into them and comes out.

use std::ops::Range;

use bytemuck::Pod;

use crate::gpu::{Bindable, Buffer, DeviceError, Uniform};

use super::Device;

impl Device {
    /// The largest buffer that can be bound, in bytes.
    #[must_use]
    pub fn largest_buffer(&self) -> u64 {
        self.0.limits.max_buffer_size.min(self.0.limits.max_storage_buffer_binding_size)
    }

    /// A storage buffer of zeros.
    ///
    /// # Errors
    /// If it is larger than the device allows, or memory is exhausted.
    pub fn buffer<T: Pod>(&self, label: &str, len: usize) -> Result<Buffer<T>, DeviceError> {
        use wgpu::BufferUsages as Usage;
        let bytes = (len as u64).saturating_mul(size_of::<T>() as u64);
        let limit = self.largest_buffer();
        if bytes > limit {
            return Err(DeviceError::TooLarge { bytes, limit, label: label.to_owned() });
        }
        let raw =
            self.raw_buffer(label, bytes, Usage::STORAGE | Usage::COPY_SRC | Usage::COPY_DST | Usage::INDIRECT)?;
        Ok(Buffer::new(raw, len))
    }

    /// A storage buffer with undefined contents. Its memory is used again by later operations, once the last clone is
    /// dropped and the commands that use it are submitted.
    ///
    /// # Errors
    /// As [`buffer`](Self::buffer).
    pub(crate) fn scratch<T: Pod>(&self, label: &str, len: usize) -> Result<Buffer<T>, DeviceError> {
        let bytes = (len as u64).saturating_mul(size_of::<T>() as u64);
        if let Some((raw, lease)) = self.0.pool.take(bytes) {
            return Ok(Buffer::new(raw, len).leased(lease));
        }
        let buffer = self.buffer(label, len)?;
        let lease = self.0.pool.lend(Bindable::raw(&buffer).clone());
        Ok(buffer.leased(lease))
    }

    /// A storage buffer with these contents, whose memory is used again as that of [`scratch`](Self::scratch). What lies
    /// beyond them is undefined.
    ///
    /// # Errors
    /// As [`buffer`](Self::buffer).
    pub(crate) fn lent_from<T: Pod>(&self, label: &str, data: &[T]) -> Result<Buffer<T>, DeviceError> {
        let buffer = self.scratch(label, data.len())?;
        self.write(&buffer, 0, data)?;
        Ok(buffer)
    }

    /// A buffer of at least so many bytes for results on their way back. Whoever has read it gives it back.
    pub(in crate::gpu) fn return_buffer(&self, bytes: u64) -> Result<wgpu::Buffer, DeviceError> {
        use wgpu::BufferUsages as Usage;
        if let Some(raw) = self.0.returns.find(bytes) {
            return Ok(raw);
        }
        self.raw_buffer("read-back", bytes, Usage::MAP_READ | Usage::COPY_DST)
    }

    /// Gives such a buffer back, unmapped.
    pub(in crate::gpu) fn give_back(&self, raw: wgpu::Buffer) {
        self.0.returns.keep(raw);
    }

    /// Frees the device memory that is kept for later operations, at most 1 GiB.
    pub fn release_memory(&self) {
        self.0.pool.clear();
        self.0.returns.clear();
    }

    /// A storage buffer with these contents.
    ///
    /// # Errors
    /// As [`buffer`](Self::buffer).
    pub fn buffer_from<T: Pod>(&self, label: &str, data: &[T]) -> Result<Buffer<T>, DeviceError> {
        let buffer = self.buffer(label, data.len())?;
        self.write(&buffer, 0, data)?;
        Ok(buffer)
    }

    /// Writes elements into a buffer, from `offset` on; the write comes before everything submitted later.
    ///
    /// # Errors
    /// If they lie beyond the end, or memory is exhausted.
    pub fn write<T: Pod>(&self, buffer: &Buffer<T>, offset: usize, data: &[T]) -> Result<(), DeviceError> {
        let bytes = buffer.bytes("a write", &(offset..offset.saturating_add(data.len())))?;
        if data.is_empty() {
            return Ok(());
        }
        self.scoped("a write", size_of_val(data) as u64, || {
            self.0.queue.write_buffer(buffer.raw(), bytes.start, bytemuck::cast_slice(data));
        })?;
        // Staging memory of large writes is given back at the next submit; do that now.
        if size_of_val(data) > 16 << 20 {
            self.scoped("a flush", 0, || self.0.queue.submit([]))?;
        }
        Ok(())
    }

    /// A uniform value.
    ///
    /// # Errors
    /// If memory is exhausted.
    pub fn uniform<T: Pod>(&self, value: &T) -> Result<Uniform<T>, DeviceError> {
        use wgpu::BufferUsages as Usage;
        let bytes = bytemuck::bytes_of(value);
        let limit = self.0.limits.max_uniform_buffer_binding_size;
        if bytes.len() as u64 > limit {
            return Err(DeviceError::TooLarge { bytes: bytes.len() as u64, limit, label: "uniform".to_owned() });
        }
        let raw = self.raw_buffer("uniform", bytes.len() as u64, Usage::UNIFORM | Usage::COPY_DST)?;
        self.scoped("a write", bytes.len() as u64, || self.0.queue.write_buffer(&raw, 0, bytes))?;
        Ok(Uniform::new(raw))
    }

    pub(in crate::gpu) fn raw_buffer(
        &self,
        label: &str,
        bytes: u64,
        usage: wgpu::BufferUsages,
    ) -> Result<wgpu::Buffer, DeviceError> {
        // An empty binding is an error in WebGPU: 16 bytes serve for nothing at all.
        let size = bytes.max(16).next_multiple_of(wgpu::COPY_BUFFER_ALIGNMENT);
        self.scoped(label, size, || {
            self.0.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size,
                usage,
                mapped_at_creation: false,
            })
        })
    }

    /// Reads a whole buffer back, blocking.
    ///
    /// # Errors
    /// If memory is exhausted or the device is lost.
    pub fn read<T: Pod>(&self, buffer: &Buffer<T>) -> Result<Vec<T>, DeviceError> {
        pollster::block_on(self.read_async(buffer))
    }

    /// Reads a whole buffer back.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn read_async<T: Pod>(&self, buffer: &Buffer<T>) -> Result<Vec<T>, DeviceError> {
        self.read_range_async(buffer, 0..buffer.len()).await
    }

    /// Reads a range of a buffer's elements back, blocking.
    ///
    /// # Errors
    /// If the range ends beyond the buffer, memory is exhausted or the device is lost.
    pub fn read_range<T: Pod>(&self, buffer: &Buffer<T>, range: Range<usize>) -> Result<Vec<T>, DeviceError> {
        pollster::block_on(self.read_range_async(buffer, range))
    }

    /// Reads a range of a buffer's elements back.
    ///
    /// # Errors
    /// As [`read_range`](Self::read_range).
    pub async fn read_range_async<T: Pod>(
        &self,
        buffer: &Buffer<T>,
        range: Range<usize>,
    ) -> Result<Vec<T>, DeviceError> {
        let mut commands = self.record("read");
        let readback = commands.read_later(buffer, range)?;
        commands.submit()?;
        readback.wait().await
    }
}
