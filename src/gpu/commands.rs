//! A list of work for the device, recorded and then submitted at once.

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;

use bytemuck::Pod;

use super::readback::Submission;
use super::stopwatch::Stopwatch;
use super::{Bindable, Buffer, Device, DeviceError, Kernel, Readback, Uniform};

/// Work in the order in which the device will do it: every command sees what those before it wrote.
#[derive(Debug)]
pub struct Commands {
    device: Device,
    label: String,
    /// The encoder; or, where there could be none, why: submitting says so.
    encoder: Result<wgpu::CommandEncoder, DeviceError>,
    /// Memory that nobody else may use before this is submitted.
    leases: Vec<Arc<dyn Any + Send + Sync>>,
    stopwatch: Stopwatch,
    submission: Submission,
}

impl Commands {
    pub(super) fn new(device: &Device, label: &str) -> Self {
        let descriptor = wgpu::CommandEncoderDescriptor { label: Some(label) };
        Self {
            encoder: device.scoped(label, 0, || device.raw().create_command_encoder(&descriptor)),
            device: device.clone(),
            label: label.to_owned(),
            leases: Vec::new(),
            stopwatch: Stopwatch::default(),
            submission: Submission::default(),
        }
    }

    fn keep(&mut self, bound: &dyn Bindable) {
        self.leases.extend(bound.lease());
    }

    /// Runs a kernel over this many workgroups, with buffers in the order of its bindings.
    ///
    /// # Errors
    /// If the buffers do not fit the kernel's bindings.
    pub fn dispatch(
        &mut self,
        kernel: &Kernel,
        bindings: &[&dyn Bindable],
        workgroups: [u32; 3],
    ) -> Result<(), DeviceError> {
        self.dispatch_measured(kernel, bindings, workgroups, 0)
    }

    /// The same of a dispatch of so many multiply-adds, whose time tells how to cut later ones.
    ///
    /// # Errors
    /// If the buffers do not fit the kernel's bindings.
    pub(crate) fn dispatch_measured(
        &mut self,
        kernel: &Kernel,
        bindings: &[&dyn Bindable],
        [x, y, z]: [u32; 3],
        work: u64,
    ) -> Result<(), DeviceError> {
        self.pass(kernel, bindings, work, |pass| pass.dispatch_workgroups(x, y, z))
    }

    /// Runs a kernel over as many workgroups as three words in a buffer say, from element `offset` on.
    ///
    /// # Errors
    /// If the buffers do not fit the kernel's bindings, or the buffer does not hold three words there.
    pub fn dispatch_indirect(
        &mut self,
        kernel: &Kernel,
        bindings: &[&dyn Bindable],
        workgroups: &Buffer<u32>,
        offset: usize,
    ) -> Result<(), DeviceError> {
        self.dispatch_indirect_measured(kernel, bindings, workgroups, offset, 0)
    }

    /// The same of a dispatch of so many multiply-adds, or of none, where it may turn out to be shorter.
    ///
    /// # Errors
    /// As [`dispatch_indirect`](Self::dispatch_indirect).
    pub(crate) fn dispatch_indirect_measured(
        &mut self,
        kernel: &Kernel,
        bindings: &[&dyn Bindable],
        workgroups: &Buffer<u32>,
        offset: usize,
        work: u64,
    ) -> Result<(), DeviceError> {
        let bytes = workgroups.bytes("an indirect dispatch", &(offset..offset.saturating_add(3)))?;
        self.pass(kernel, bindings, work, |pass| pass.dispatch_workgroups_indirect(workgroups.raw(), bytes.start))
    }

    fn pass(
        &mut self,
        kernel: &Kernel,
        bindings: &[&dyn Bindable],
        work: u64,
        dispatch: impl FnOnce(&mut wgpu::ComputePass<'_>),
    ) -> Result<(), DeviceError> {
        let group = kernel.bind(&self.device, bindings)?;
        bindings.iter().for_each(|&bound| self.keep(bound));
        let Self { device, encoder, stopwatch, .. } = self;
        let encoder = encoder.as_mut().map_err(|error| error.clone())?;
        device.scoped(kernel.name(), 0, || {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: Some(kernel.name()),
                timestamp_writes: stopwatch.before(device, kernel.name(), work),
            });
            pass.set_pipeline(kernel.pipeline());
            pass.set_bind_group(0, &group, &[]);
            dispatch(&mut pass);
        })
    }

    /// Sets a buffer to zero.
    ///
    /// # Errors
    /// If the device is lost.
    pub fn clear<T: Pod>(&mut self, buffer: &Buffer<T>) -> Result<(), DeviceError> {
        self.keep(buffer);
        self.encode("a clearing", |encoder| encoder.clear_buffer(buffer.raw(), 0, None))
    }

    /// Copies a range of elements into another buffer, from element `to` on.
    ///
    /// # Errors
    /// If either range lies beyond its buffer, or both buffers are the same.
    pub fn copy<T: Pod>(
        &mut self,
        from: &Buffer<T>,
        range: Range<usize>,
        into: &Buffer<T>,
        to: usize,
    ) -> Result<(), DeviceError> {
        self.keep(from);
        self.keep(into);
        let source = from.bytes("a copy", &range)?;
        let target = into.bytes("a copy", &(to..to.saturating_add(range.len())))?;
        if source.is_empty() {
            return Ok(());
        }
        let size = source.end - source.start;
        self.encode("a copy", |encoder| {
            encoder.copy_buffer_to_buffer(from.raw(), source.start, into.raw(), target.start, Some(size));
        })
    }

    /// Copies one word of a buffer into a uniform value, to its word `to`: a count that only the device knows.
    ///
    /// # Errors
    /// If there is no such word in either.
    pub fn copy_word<T: Pod>(
        &mut self,
        from: &Buffer<u32>,
        at: usize,
        into: &Uniform<T>,
        to: usize,
    ) -> Result<(), DeviceError> {
        self.keep(from);
        let source = from.bytes("a copy", &(at..at.saturating_add(1)))?;
        let words = size_of::<T>() / 4;
        if to >= words {
            return Err(DeviceError::OutOfRange { what: "a copy", start: to, end: to.saturating_add(1), len: words });
        }
        self.encode("a copy", |encoder| {
            encoder.copy_buffer_to_buffer(from.raw(), source.start, into.raw(), 4 * to as u64, Some(4));
        })
    }

    /// Copies a range of elements to the host once the commands before have run: the copy is recorded here, in the
    /// same list as the work.
    ///
    /// # Errors
    /// If the range ends beyond the buffer, or memory is exhausted.
    pub fn read_later<T: Pod>(&mut self, buffer: &Buffer<T>, range: Range<usize>) -> Result<Readback<T>, DeviceError> {
        self.keep(buffer);
        let bytes = buffer.bytes("a read-back", &range)?;
        let size = bytes.end - bytes.start;
        let staging = self.device.return_buffer(size)?;
        if size > 0 {
            self.encode("a read-back", |encoder| {
                encoder.copy_buffer_to_buffer(buffer.raw(), bytes.start, &staging, 0, Some(size));
            })?;
        }
        Ok(Readback::new(self.device.clone(), staging, range.len(), Arc::clone(&self.submission)))
    }

    /// Hands the list to the device.
    ///
    /// # Errors
    /// If a command was wrong, memory is exhausted or the device is lost.
    pub fn submit(self) -> Result<(), DeviceError> {
        let Self { device, label, encoder, leases: _leases, stopwatch, submission } = self;
        let mut encoder = encoder?;
        let index = device.scoped(&label, 0, || {
            let running = stopwatch.resolve(&device, &mut encoder)?;
            let index = device.queue().submit([encoder.finish()]);
            running.learn_when_done(&device);
            Ok(index)
        })??;
        // Nobody else sets it: these commands are submitted once.
        let _ = submission.set(index);
        Ok(())
    }

    /// Records something, with every error of wgpu's caught. Without an encoder nothing is recorded: submitting tells.
    fn encode(&mut self, what: &str, record: impl FnOnce(&mut wgpu::CommandEncoder)) -> Result<(), DeviceError> {
        match &mut self.encoder {
            Ok(encoder) => self.device.scoped(what, 0, || record(encoder)),
            Err(error) => Err(error.clone()),
        }
    }
}
