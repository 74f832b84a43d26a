//! A list of work for the device, recorded and then submitted at once.

use std::ops::Range;

use bytemuck::Pod;

use super::{Bindable, Buffer, Device, DeviceError, Kernel, Readback};

/// Work in the order in which the device will do it: every command sees what those before it wrote.
#[derive(Debug)]
pub struct Commands {
    device: Device,
    label: String,
    encoder: wgpu::CommandEncoder,
}

impl Commands {
    pub(super) fn new(device: &Device, label: &str) -> Self {
        let descriptor = wgpu::CommandEncoderDescriptor { label: Some(label) };
        Self {
            encoder: device.raw().create_command_encoder(&descriptor),
            device: device.clone(),
            label: label.to_owned(),
        }
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
        self.pass(kernel, bindings, |pass| pass.dispatch_workgroups(workgroups[0], workgroups[1], workgroups[2]))
    }

    /// Runs a kernel over as many workgroups as three words in a buffer say, from element `offset` on.
    ///
    /// # Errors
    /// If the buffers do not fit the kernel's bindings.
    pub fn dispatch_indirect(
        &mut self,
        kernel: &Kernel,
        bindings: &[&dyn Bindable],
        workgroups: &Buffer<u32>,
        offset: usize,
    ) -> Result<(), DeviceError> {
        self.pass(kernel, bindings, |pass| pass.dispatch_workgroups_indirect(workgroups.raw(), 4 * offset as u64))
    }

    fn pass(
        &mut self,
        kernel: &Kernel,
        bindings: &[&dyn Bindable],
        dispatch: impl FnOnce(&mut wgpu::ComputePass<'_>),
    ) -> Result<(), DeviceError> {
        let group = kernel.bind(&self.device, bindings)?;
        let device = self.device.clone();
        device.scoped(kernel.name(), 0, || {
            let mut pass = self.encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: Some(kernel.name()),
                timestamp_writes: None,
            });
            pass.set_pipeline(kernel.pipeline());
            pass.set_bind_group(0, &group, &[]);
            dispatch(&mut pass);
        })
    }

    /// Sets a buffer to zero.
    pub fn clear<T: Pod>(&mut self, buffer: &Buffer<T>) {
        self.encoder.clear_buffer(buffer.raw(), 0, None);
    }

    /// Copies a range of elements to the host once the commands before have run: the copy is recorded here, in the
    /// same list as the work.
    ///
    /// # Errors
    /// If the buffer has no such range, or memory is exhausted.
    pub fn read_later<T: Pod>(&mut self, buffer: &Buffer<T>, range: Range<usize>) -> Result<Readback<T>, DeviceError> {
        use wgpu::BufferUsages as Usage;
        let len = range.len();
        let bytes = buffer.bytes(&range)?;
        let size = bytes.end - bytes.start;
        let staging = self.device.raw_buffer("read-back", size, Usage::MAP_READ | Usage::COPY_DST)?;
        if len > 0 {
            self.encoder.copy_buffer_to_buffer(buffer.raw(), bytes.start, &staging, 0, Some(size));
        }
        Ok(Readback::new(self.device.clone(), staging, len))
    }

    /// Hands the list to the device.
    ///
    /// # Errors
    /// If a command was wrong, memory is exhausted or the device is lost.
    pub fn submit(self) -> Result<(), DeviceError> {
        let Self { device, label, encoder } = self;
        device.scoped(&label, 0, || {
            device.queue().submit([encoder.finish()]);
        })
    }
}
