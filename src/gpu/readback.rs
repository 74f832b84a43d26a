//! Results on their way back.

use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::Poll;

use bytemuck::Pod;
use futures_intrusive::channel::shared::{OneshotReceiver, OneshotSender, oneshot_channel};

use super::{Device, DeviceError};

/// Who says what became of a mapping, and who hears it.
type Sender = OneshotSender<Result<(), String>>;
type Receiver = OneshotReceiver<Result<(), String>>;

fn tell(sender: &Sender, result: Result<(), String>) {
    // A receiver that is gone has lost interest; and whoever was first has said it.
    let _ = sender.send(result);
}

/// Which submission some commands went off with; nothing where they did not, or not yet.
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
    /// If the device is lost, or the commands were not submitted.
    pub async fn wait(self) -> Result<Vec<T>, DeviceError> {
        self.arrived().await.map(Arrived::into_vec)
    }

    /// The same, blocking, without a thread beside this one.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_here(self) -> Result<Vec<T>, DeviceError> {
        self.arrived_here().map(Arrived::into_vec)
    }

    /// The elements where the device has put them, under any executor.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub(crate) async fn arrived(self) -> Result<Arrived<T>, DeviceError> {
        if self.len == 0 {
            return Ok(Arrived::from(Vec::new()));
        }
        let end = self.its_end()?;
        let (sender, receiver) = self.start_mapping()?;
        let driven = drive(self.device.raw(), &wgpu::PollType::Poll);
        let mut answer = pin!(receiver.receive());
        // What comes back with others of the same commands is there already.
        let answered = poll_fn(|context| Poll::Ready(answer.as_mut().poll(context))).await;
        let mapped = match answered {
            Poll::Ready(answer) => answer,
            Poll::Pending => {
                match driven {
                    Ok(()) => self.drive_beside(sender, end)?,
                    Err(error) => tell(&sender, Err(error)),
                }
                answer.await
            }
        };
        self.mapped(mapped)
    }

    /// The same, blocking.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub(crate) fn arrived_here(self) -> Result<Arrived<T>, DeviceError> {
        if self.len == 0 {
            return Ok(Arrived::from(Vec::new()));
        }
        let end = self.its_end()?;
        let (sender, receiver) = self.start_mapping()?;
        if let Err(error) = drive(self.device.raw(), &end) {
            tell(&sender, Err(error));
        }
        drop(sender);
        // Where another thread drives the device at the same time it may be the one that answers, in a moment.
        self.mapped(pollster::block_on(receiver.receive()))
    }

    /// Asks for the mapping. Once all senders are gone the channel closes, so that nobody waits for ever.
    fn start_mapping(&self) -> Result<(Arc<Sender>, Receiver), DeviceError> {
        let (sender, receiver) = oneshot_channel();
        let sender = Arc::new(sender);
        let answer = Arc::clone(&sender);
        self.device.scoped("a read-back", 0, || {
            self.staging.map_async(wgpu::MapMode::Read, .., move |result| {
                tell(&answer, result.map_err(|error| error.to_string()));
            });
        })?;
        Ok((sender, receiver))
    }

    /// The end of the commands that this comes of. What was submitted since is not waited for: the next chunk is on its way while
    /// this one comes back.
    fn its_end(&self) -> Result<wgpu::PollType, DeviceError> {
        let not_submitted = || DeviceError::Validation {
            what: "a read-back".to_owned(),
            message: "the commands that it comes of were not submitted".to_owned(),
        };
        let submission_index = Some(self.submission.get().cloned().ok_or_else(not_submitted)?);
        Ok(wgpu::PollType::Wait { submission_index, timeout: None })
    }

    /// A thread of its own drives the device until the mapping comes, because natively nothing else does.
    fn drive_beside(&self, sender: Arc<Sender>, end: wgpu::PollType) -> Result<(), DeviceError> {
        let device = self.device.raw().clone();
        let drive = move || {
            // If all is well wgpu answers, on this thread or on another that drives the device at the same time.
            if let Err(error) = drive(&device, &end) {
                tell(&sender, Err(error));
            }
        };
        match std::thread::Builder::new().name("natgrad read-back".to_owned()).spawn(drive) {
            Ok(_) => Ok(()),
            Err(error) => Err(DeviceError::Lost { reason: format!("no thread to wait for it: {error}") }),
        }
    }

    /// The elements, once the mapping has been answered.
    fn mapped(self, answer: Option<Result<(), String>>) -> Result<Arrived<T>, DeviceError> {
        self.device.check_lost()?;
        let lost = |reason: &str| DeviceError::Lost { reason: reason.to_owned() };
        match answer {
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
    loop {
        match catch_unwind(AssertUnwindSafe(|| device.poll(how.clone()))) {
            Ok(Ok(_)) => return Ok(()),
            // Waits for OpenGL last two seconds at most.
            Ok(Err(wgpu::PollError::Timeout)) => {}
            Ok(Err(error)) => return Err(error.to_string()),
            Err(_) => return Err("it went away while it was waited for".to_owned()),
        }
    }
}
