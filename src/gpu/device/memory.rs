//! The memory of a device: buffers, and what goes into them and comes out.

use std::ops::Range;

use bytemuck::Pod;
use rayon::prelude::*;

use crate::gpu::{Bindable, Buffer, DeviceError, Readback, Uniform};

use super::Device;

/// Bytes that one core copies at a time.
pub(super) const COPIED_AT_ONCE: usize = 1 << 18;

/// What every storage buffer may be used for.
const STORAGE: wgpu::BufferUsages = wgpu::BufferUsages::STORAGE
    .union(wgpu::BufferUsages::COPY_SRC)
    .union(wgpu::BufferUsages::COPY_DST)
    .union(wgpu::BufferUsages::INDIRECT);

/// A part of what is being filled, which no other overlaps.
struct Block<'a>(wgpu::WriteOnly<'a, [u8]>);

// SAFETY: it is an exclusive reference to bytes, which may go to another thread; wgpu says so of all but slices.
unsafe impl Send for Block<'_> {}

/// Fills memory block by block, on all cores where there are several blocks; `fill` is told the bytes of each.
pub(super) fn fill_in_blocks(
    mut left: wgpu::WriteOnly<'_, [u8]>,
    block: usize,
    fill: impl Fn(Range<usize>, wgpu::WriteOnly<'_, [u8]>) + Sync,
) {
    let (len, mut blocks, mut first) = (left.len(), Vec::new(), 0);
    while first < len {
        let count = block.clamp(1, len - first);
        let (one, rest) = left.split_at(count);
        blocks.push((first..first + count, Block(one)));
        (left, first) = (rest, first + count);
    }
    match blocks.len() {
        // A thread for each would take longer than the copy.
        1 => blocks.into_iter().for_each(|(range, Block(place))| fill(range, place)),
        _ => blocks.into_par_iter().for_each(|(range, Block(place))| fill(range, place)),
    }
}

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
        let bytes = self.storage_bytes::<T>(label, len)?;
        Ok(Buffer::new(self.raw_buffer(label, bytes, STORAGE)?, len))
    }

    /// The bytes of a storage buffer of so many elements, where the device allows as many.
    pub(super) fn storage_bytes<T>(&self, label: &str, len: usize) -> Result<u64, DeviceError> {
        let bytes = (len as u64).saturating_mul(size_of::<T>() as u64);
        let limit = self.largest_buffer();
        if bytes > limit {
            return Err(DeviceError::TooLarge { bytes, limit, label: label.to_owned() });
        }
        Ok(bytes)
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

    /// Frees the device memory that is kept for later operations, at most 1 GiB of each kind: for kernels, for what the host
    /// writes in place, and for results on their way back.
    pub fn release_memory(&self) {
        self.0.pool.clear();
        self.0.reached.clear();
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
        let from: &[u8] = bytemuck::cast_slice(data);
        self.staged(buffer.raw(), bytes, COPIED_AT_ONCE, |range, mut place| place.copy_from_slice(&from[range]))
    }

    /// Writes a range of bytes of a buffer by way of memory that both sides reach, filled as by [`fill_in_blocks`].
    pub(super) fn staged(
        &self,
        buffer: &wgpu::Buffer,
        bytes: Range<u64>,
        block: usize,
        fill: impl Fn(Range<usize>, wgpu::WriteOnly<'_, [u8]>) + Sync,
    ) -> Result<(), DeviceError> {
        let Some(size) = wgpu::BufferSize::new(bytes.end - bytes.start) else { return Ok(()) };
        // Every other reason has been told by now.
        let lost = || DeviceError::Lost { reason: "it stages no writes any more".to_owned() };
        let place = self.scoped("a write", size.get(), || self.0.queue.write_buffer_with(buffer, bytes.start, size))?;
        let mut place = place.ok_or_else(lost)?;
        fill_in_blocks(place.slice(..), block, fill);
        self.scoped("a write", size.get(), || drop(place))?;
        // Staging memory of large writes is given back at the next submit; do that now.
        if size.get() > 16 << 20 {
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
        self.created(label, bytes, usage, false)
    }

    /// A storage buffer that the host has mapped, to write there.
    pub(super) fn mapped_buffer(&self, label: &str, bytes: u64) -> Result<wgpu::Buffer, DeviceError> {
        self.created(label, bytes, STORAGE | wgpu::BufferUsages::MAP_WRITE, true)
    }

    fn created(
        &self,
        label: &str,
        bytes: u64,
        usage: wgpu::BufferUsages,
        mapped_at_creation: bool,
    ) -> Result<wgpu::Buffer, DeviceError> {
        // An empty binding is an error in WebGPU: 16 bytes serve for nothing at all.
        let size = bytes.max(16).next_multiple_of(wgpu::COPY_BUFFER_ALIGNMENT);
        self.scoped(label, size, || {
            self.0.device.create_buffer(&wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation })
        })
    }

    /// Reads a whole buffer back, blocking.
    ///
    /// # Errors
    /// If memory is exhausted or the device is lost.
    pub fn read<T: Pod>(&self, buffer: &Buffer<T>) -> Result<Vec<T>, DeviceError> {
        self.read_range(buffer, 0..buffer.len())
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
        self.copied(buffer, range)?.wait_here()
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
        self.copied(buffer, range)?.wait().await
    }

    /// A range of a buffer's elements on its way.
    fn copied<T: Pod>(&self, buffer: &Buffer<T>, range: Range<usize>) -> Result<Readback<T>, DeviceError> {
        let mut commands = self.record("read");
        let readback = commands.read_later(buffer, range)?;
        commands.submit()?;
        Ok(readback)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::present::devices;

    #[test]
    fn a_write_of_several_blocks_changes_its_range_and_nothing_else() {
        let all: Vec<u64> = (0..3 * COPIED_AT_ONCE as u64 / 8 + 100).collect();
        for device in devices() {
            let buffer = device.buffer::<u64>("all", all.len()).unwrap();
            device.write(&buffer, 10, &all[10..all.len() - 5]).unwrap();
            let read = device.read(&buffer).unwrap();
            assert_eq!((&read[..10], &read[all.len() - 5..]), (&[0; 10][..], &[0; 5][..]));
            assert_eq!(read[10..all.len() - 5], all[10..all.len() - 5]);
        }
    }
}
