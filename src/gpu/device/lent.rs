//! Memory on loan, used again by later operations, and how the host fills it: by way of staging memory, or in place where a
//! CPU plays the device and both reach the same.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytemuck::Pod;

use crate::gpu::readback::drive;
use crate::gpu::{AdapterSummary, Bindable, Buffer, DeviceError};

use super::Device;
use super::memory::{COPIED_AT_ONCE, fill_in_blocks};

/// A storage buffer on loan that the host is filling. What it does not write is undefined.
#[derive(Debug)]
pub(crate) struct Filling<T> {
    device: Device,
    buffer: Buffer<T>,
    /// The memory of the buffer itself; `None` where writes are staged.
    view: Option<wgpu::BufferViewMut>,
}

impl<T: Pod> Filling<T> {
    /// Writes elements, from `offset` on.
    ///
    /// # Errors
    /// If they lie beyond the end, or memory is exhausted.
    pub(crate) fn write(&mut self, offset: usize, data: &[T]) -> Result<(), DeviceError> {
        let Some(view) = &mut self.view else { return self.device.write(&self.buffer, offset, data) };
        let bytes = self.buffer.bytes("a write", &(offset..offset.saturating_add(data.len())))?;
        let from: &[u8] = bytemuck::cast_slice(data);
        fill_in_blocks(view.slice(bytes.start as usize..bytes.end as usize), COPIED_AT_ONCE, |range, mut place| {
            place.copy_from_slice(&from[range]);
        });
        Ok(())
    }

    /// Writes all of it, elements that are made block by block on all cores: `make` is given a range of them and a list to add
    /// them to.
    ///
    /// # Errors
    /// If memory is exhausted.
    ///
    /// # Panics
    /// If `make` does not make as many as it is asked for.
    pub(crate) fn write_made(
        &mut self,
        block: usize,
        make: impl Fn(Range<usize>, &mut Vec<T>) + Sync,
    ) -> Result<(), DeviceError> {
        let size = size_of::<T>();
        let fill = |range: Range<usize>, mut place: wgpu::WriteOnly<'_, [u8]>| {
            let mut made = Vec::with_capacity(range.len() / size);
            make(range.start / size..range.end / size, &mut made);
            place.copy_from_slice(bytemuck::cast_slice(&made));
        };
        let bytes = self.buffer.bytes("a write", &(0..self.buffer.len()))?;
        match &mut self.view {
            Some(view) => fill_in_blocks(view.slice(..bytes.end as usize), block * size, fill),
            None => self.device.staged(self.buffer.raw(), bytes, block * size, fill)?,
        }
        Ok(())
    }

    /// The buffer, for the device: its memory is used again once the last clone is dropped and the commands that use it are
    /// submitted.
    ///
    /// # Errors
    /// If the device is lost.
    pub(crate) fn filled(self) -> Result<Buffer<T>, DeviceError> {
        let Self { device, buffer, view } = self;
        let Some(view) = view else { return Ok(buffer) };
        drop(view);
        let raw = buffer.raw().clone();
        device.scoped("a write", 0, || raw.unmap())?;
        Ok(buffer.leased(device.0.reached.lend(raw)))
    }
}

/// The features by which the host reaches the memory of such a device. None for graphics chips that share the memory of the
/// processor, nor for other interfaces than Vulkan: kernels may be slower where the host reaches, and that was not measured.
pub(super) fn reaching(adapter: &AdapterSummary) -> wgpu::Features {
    if adapter.device_type == wgpu::DeviceType::Cpu && adapter.backend == wgpu::Backend::Vulkan {
        wgpu::Features::MAPPABLE_PRIMARY_BUFFERS
    } else {
        wgpu::Features::empty()
    }
}

impl Device {
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
        let lease = self.0.pool.lend(buffer.raw().clone());
        Ok(buffer.leased(lease))
    }

    /// A storage buffer for the host to fill.
    ///
    /// # Errors
    /// As [`buffer`](Self::buffer).
    pub(crate) fn filling<T: Pod>(&self, label: &str, len: usize) -> Result<Filling<T>, DeviceError> {
        if !self.is_reached() {
            return Ok(Filling { device: self.clone(), buffer: self.scratch(label, len)?, view: None });
        }
        let bytes = self.storage_bytes::<T>(label, len)?;
        let raw = match self.0.reached.find(bytes).map(|kept| self.mapped_if_idle(kept)).transpose()?.flatten() {
            Some(raw) => raw,
            None => self.mapped_buffer(label, bytes)?,
        };
        let failed = |error: wgpu::MapRangeError| DeviceError::Validation {
            what: format!("the mapping of {label}"),
            message: error.to_string(),
        };
        let view = raw.get_mapped_range_mut(..).map_err(failed)?;
        Ok(Filling { device: self.clone(), buffer: Buffer::new(raw, len), view: Some(view) })
    }

    /// A storage buffer with these contents, whose memory is used again as that of [`scratch`](Self::scratch). What lies
    /// beyond them is undefined.
    ///
    /// # Errors
    /// As [`buffer`](Self::buffer).
    pub(crate) fn lent_from<T: Pod>(&self, label: &str, data: &[T]) -> Result<Buffer<T>, DeviceError> {
        let mut filling = self.filling(label, data.len())?;
        filling.write(0, data)?;
        filling.filled()
    }

    /// The same of so many elements that are made block by block, as by [`Filling::write_made`].
    ///
    /// # Errors
    /// As [`buffer`](Self::buffer).
    ///
    /// # Panics
    /// As [`Filling::write_made`].
    pub(crate) fn lent_made<T: Pod>(
        &self,
        label: &str,
        (len, block): (usize, usize),
        make: impl Fn(Range<usize>, &mut Vec<T>) + Sync,
    ) -> Result<Buffer<T>, DeviceError> {
        let mut filling = self.filling(label, len)?;
        filling.write_made(block, make)?;
        filling.filled()
    }

    /// Whether the host reaches the memory that kernels work on.
    fn is_reached(&self) -> bool {
        let reaches = reaching(&self.0.summary);
        !reaches.is_empty() && self.0.features.contains(reaches)
    }

    /// A buffer that was lent before, mapped; `None` where commands that use it may not have ended: it is left to them.
    fn mapped_if_idle(&self, raw: wgpu::Buffer) -> Result<Option<wgpu::Buffer>, DeviceError> {
        let is_mapped = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_mapped);
        self.scoped("a mapping", 0, || {
            raw.map_async(wgpu::MapMode::Write, .., move |result| told.store(result.is_ok(), Ordering::Release));
        })?;
        drive(self.raw(), &wgpu::PollType::Poll)
            .map_err(|reason| self.check_lost().err().unwrap_or(DeviceError::Lost { reason }))?;
        if is_mapped.load(Ordering::Acquire) {
            return Ok(Some(raw));
        }
        // It would be mapped later, in the middle of somebody's work.
        self.scoped("a mapping", 0, || raw.unmap())?;
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::present::devices;

    #[test]
    fn what_is_made_block_by_block_arrives_in_its_order_whatever_the_blocks() {
        for device in devices() {
            for (len, block) in [(0, 5), (1, 5), (10_000, 7), (10_000, 10_000), (300_000, 4096)] {
                let made = device.lent_made("made", (len, block), |range, made: &mut Vec<u32>| {
                    assert!(range.len() <= block);
                    made.extend(range.map(|k| 3 * k as u32));
                });
                let read = device.read_range(&made.unwrap(), 0..len).unwrap();
                assert_eq!(read, (0..len as u32).map(|k| 3 * k).collect::<Vec<_>>(), "{len} in blocks of {block}");
            }
        }
    }

    #[test]
    fn where_a_cpu_plays_a_vulkan_device_the_host_writes_in_place_and_again_in_the_same_memory() {
        for device in devices() {
            let summary = device.summary();
            let is_reached = summary.device_type == wgpu::DeviceType::Cpu && summary.backend == wgpu::Backend::Vulkan;
            let mut filling = device.filling::<u32>("lent", 5000).unwrap();
            assert_eq!(filling.view.is_some(), is_reached);
            filling.write(0, &vec![1; 5000]).unwrap();
            let lent = filling.filled().unwrap();
            let memory = lent.raw().clone();
            // What comes back has been read, and nobody is at the memory any more.
            assert_eq!(device.read(&lent).unwrap(), vec![1; 5000]);
            drop(lent);
            let again = device.filling::<u32>("lent again", 4000).unwrap();
            assert_eq!(*again.buffer.raw(), memory);
            assert_eq!(again.view.is_some(), is_reached);
        }
    }

    #[test]
    fn memory_that_is_lent_again_has_what_was_written_last_and_what_was_read_before_stays() {
        for device in devices() {
            // More bytes than one core copies at a time, and a write that begins within the buffer.
            let len = COPIED_AT_ONCE / 2;
            let contents = |round: u32| (0..len as u32).map(move |k| k ^ (round << 20)).collect::<Vec<u32>>();
            let mut copies = Vec::new();
            for round in 0..4 {
                let mut filling = device.filling::<u32>("lent", len).unwrap();
                let contents = contents(round);
                filling.write(0, &contents[..10]).unwrap();
                filling.write(10, &contents[10..]).unwrap();
                assert!(filling.write(10, &contents).is_err(), "beyond the end");
                let lent = filling.filled().unwrap();
                // The copy is on its way, and may not have ended, when the memory is asked for again.
                let copy = device.buffer::<u32>("copy", len).unwrap();
                let mut commands = device.record("a copy");
                commands.copy(&lent, 0..len, &copy, 0).unwrap();
                commands.submit().unwrap();
                copies.push(copy);
            }
            for (round, copy) in (0..).zip(&copies) {
                assert_eq!(device.read(copy).unwrap(), contents(round), "round {round}");
            }
        }
    }
}
