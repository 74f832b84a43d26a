//! Results on their way back.

use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use bytemuck::Pod;
use futures_intrusive::channel::shared::{OneshotReceiver, oneshot_channel};

use super::{Device, DeviceError};

/// What a mapping will say.
type Mapping = OneshotReceiver<Result<(), String>>;

/// Which submission some commands went off with; nothing before they do.
pub(super) type Submission = Arc<OnceLock<wgpu::SubmissionIndex>>;

/// Elements that will be on the host once the commands that copy them have run.
#[derive(Debug)]
pub struct Readback<T> {
    device: Device,
    staging: wgpu::Buffer,
    len: usize,
    submission: Submission,
    element: PhantomData<T>,
}

impl<T: Pod> Readback<T> {
    pub(super) fn new(device: Device, staging: wgpu::Buffer, len: usize, submission: Submission) -> Self {
        Self { device, staging, len, submission, element: PhantomData }
    }

    /// Waits for the elements, under any executor; call it after the commands were submitted. Dropping the future
    /// gives the elements up and harms nothing.
    ///
    /// # Errors
    /// If the device is lost.
    pub async fn wait(self) -> Result<Vec<T>, DeviceError> {
        self.arrived().await.map(Arrived::into_vec)
    }

    /// The same, the elements where the device has put them.
    ///
    /// # Errors
    /// If the device is lost.
    pub(crate) async fn arrived(self) -> Result<Arrived<T>, DeviceError> {
        if self.len == 0 {
            return Ok(Arrived::from(Vec::new()));
        }
        let receiver = self.start_mapping()?;
        let mapped = receiver.receive().await;
        self.device.check_lost()?;
        let lost = |reason: &str| DeviceError::Lost { reason: reason.to_owned() };
        match mapped {
            Some(Ok(())) => {}
            Some(Err(error)) => return Err(lost(&error)),
            None => return Err(lost("the read-back was given up")),
        }
        let view = self
            .staging
            .get_mapped_range(..)
            .map_err(|error| DeviceError::Validation { what: "a read-back".to_owned(), message: error.to_string() })?;
        let bytes = self.len * size_of::<T>();
        if bytemuck::try_cast_slice::<u8, T>(&view[..bytes]).is_ok() {
            let mapping = Mapped { device: self.device, staging: self.staging, view: Some(view), bytes };
            return Ok(Arrived(Elements::Mapped(mapping)));
        }
        // A mapped range promises no alignment: the copy mends it.
        let mut elements = vec![T::zeroed(); self.len];
        bytemuck::cast_slice_mut(&mut elements).copy_from_slice(&view[..bytes]);
        drop(view);
        self.staging.unmap();
        self.device.give_back(self.staging);
        Ok(Arrived::from(elements))
    }

    /// Asks for the mapping; a thread of its own drives the device until it comes, because natively nothing else does. It waits
    /// for the commands that this comes of and for none since: the next chunk is on its way while this one comes back.
    fn start_mapping(&self) -> Result<Mapping, DeviceError> {
        let (sender, receiver) = oneshot_channel();
        let sender = Arc::new(sender);
        let answer = Arc::clone(&sender);
        self.device.scoped("a read-back", 0, || {
            self.staging.map_async(wgpu::MapMode::Read, .., move |result| {
                // A receiver that is gone has lost interest.
                let _ = answer.send(result.map_err(|error| error.to_string()));
            });
        })?;
        let device = self.device.raw().clone();
        let submission = self.submission.get().cloned();
        let drive = move || {
            // If all is well wgpu answers, on this thread or on another that drives the device at the same time; once
            // both senders are gone the channel closes, so that nobody waits for ever.
            let wait = wgpu::PollType::Wait { submission_index: submission, timeout: None };
            if let Err(error) = drive(&device, &wait) {
                let _ = sender.send(Err(error));
            }
        };
        if let Err(error) = std::thread::Builder::new().name("natgrad read-back".to_owned()).spawn(drive) {
            return Err(DeviceError::Lost { reason: format!("no thread to wait for it: {error}") });
        }
        Ok(receiver)
    }
}

/// Elements that have come back.
#[derive(Debug)]
pub(crate) struct Arrived<T>(Elements<T>);

#[derive(Debug)]
enum Elements<T> {
    Mapped(Mapped),
    Own(Vec<T>),
}

/// Memory of the device, mapped.
#[derive(Debug)]
struct Mapped {
    device: Device,
    staging: wgpu::Buffer,
    /// `None` once it is given back.
    view: Option<wgpu::BufferView>,
    bytes: usize,
}

impl Drop for Mapped {
    fn drop(&mut self) {
        self.view = None;
        self.staging.unmap();
        self.device.give_back(self.staging.clone());
    }
}

impl<T> From<Vec<T>> for Arrived<T> {
    fn from(elements: Vec<T>) -> Self {
        Self(Elements::Own(elements))
    }
}

impl<T: Pod> std::ops::Deref for Arrived<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &self.0 {
            Elements::Own(elements) => elements,
            Elements::Mapped(Mapped { view, bytes, .. }) => {
                view.as_ref().map_or(&[], |view| bytemuck::cast_slice(&view[..*bytes]))
            }
        }
    }
}

impl<T: Pod> Arrived<T> {
    fn into_vec(self) -> Vec<T> {
        match self.0 {
            Elements::Own(elements) => elements,
            Elements::Mapped(_) => self.to_vec(),
        }
    }
}

/// Hears of what the device has finished. wgpu panics where a lost device is waited for; here it is an error.
pub(super) fn drive(device: &wgpu::Device, how: &wgpu::PollType) -> Result<(), String> {
    let poll = || device.poll(how.clone());
    match catch_unwind(AssertUnwindSafe(poll)) {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("it went away while it was waited for".to_owned()),
    }
}
