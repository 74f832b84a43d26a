//! Results on their way back.

use std::marker::PhantomData;

use bytemuck::Pod;
use futures_intrusive::channel::shared::{OneshotReceiver, oneshot_channel};

use super::{Device, DeviceError};

/// Elements that will be on the host once the commands that copy them have run.
#[derive(Debug)]
pub struct Readback<T> {
    device: Device,
    staging: wgpu::Buffer,
    len: usize,
    element: PhantomData<T>,
}

impl<T: Pod> Readback<T> {
    pub(super) fn new(device: Device, staging: wgpu::Buffer, len: usize) -> Self {
        Self { device, staging, len, element: PhantomData }
    }

    /// Waits for the elements, under any executor; call it after the commands were submitted. Dropping the future
    /// gives the elements up and harms nothing.
    ///
    /// # Errors
    /// If the device is lost.
    pub async fn wait(self) -> Result<Vec<T>, DeviceError> {
        if self.len == 0 {
            return Ok(Vec::new());
        }
        let receiver = self.start_mapping()?;
        let mapped = receiver.receive().await;
        self.device.check_lost()?;
        let lost = |reason: &str| DeviceError::Lost { reason: reason.to_owned() };
        match mapped {
            Some(Ok(())) => {}
            Some(Err(error)) => return Err(lost(&error.to_string())),
            None => return Err(lost("the read-back was given up")),
        }
        let view = self
            .staging
            .get_mapped_range(..)
            .map_err(|error| DeviceError::Validation { what: "a read-back".to_owned(), message: error.to_string() })?;
        let bytes = self.len * size_of::<T>();
        // The copy also mends the alignment, which a mapped range does not promise.
        let mut elements = vec![T::zeroed(); self.len];
        bytemuck::cast_slice_mut(&mut elements).copy_from_slice(&view[..bytes]);
        drop(view);
        self.staging.unmap();
        Ok(elements)
    }

    /// Asks for the mapping; a thread of its own drives the device until it comes, because natively nothing else does.
    fn start_mapping(&self) -> Result<OneshotReceiver<Result<(), wgpu::BufferAsyncError>>, DeviceError> {
        let (sender, receiver) = oneshot_channel();
        self.device.scoped("a read-back", 0, || {
            self.staging.map_async(wgpu::MapMode::Read, .., move |result| {
                // A receiver that is gone has lost interest.
                let _ = sender.send(result);
            });
        })?;
        let device = self.device.raw().clone();
        std::thread::spawn(move || {
            if let Err(error) = device.poll(wgpu::PollType::wait_indefinitely()) {
                log::error!("waiting for the device: {error}");
            }
        });
        Ok(receiver)
    }
}
