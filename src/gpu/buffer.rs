//! Typed device memory.

use std::any::Any;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

use bytemuck::Pod;

use super::DeviceError;
use super::pool::Lease;

/// Anything a kernel can be given.
pub trait Bindable {
    /// The wgpu buffer behind it.
    fn raw(&self) -> &wgpu::Buffer;

    /// What must live until the commands that use it are submitted, beside the wgpu buffer.
    fn lease(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        None
    }
}

/// A storage buffer of `len` elements of T on the device; clones share it. T's size is a multiple of 4 bytes, the
/// smallest that a device copies: anything else does not compile.
#[derive(Clone, Debug)]
pub struct Buffer<T> {
    raw: wgpu::Buffer,
    len: usize,
    /// Where the memory goes back to, if it is used again.
    lease: Option<Arc<Lease>>,
    element: PhantomData<T>,
}

impl<T: Pod> Buffer<T> {
    pub(super) fn new(raw: wgpu::Buffer, len: usize) -> Self {
        const {
            assert!(size_of::<T>() > 0 && size_of::<T>().is_multiple_of(4), "an element takes a multiple of 4 bytes");
        }
        Self { raw, len, lease: None, element: PhantomData }
    }

    /// The same on loan.
    pub(super) fn leased(self, lease: Lease) -> Self {
        Self { lease: Some(Arc::new(lease)), ..self }
    }

    /// The first `len` elements of a buffer made elsewhere.
    ///
    /// # Errors
    /// If it was not made for storage and for copies from and to it.
    pub fn from_raw(raw: wgpu::Buffer, len: usize) -> Result<Self, DeviceError> {
        use wgpu::BufferUsages as Usage;
        let needed = Usage::STORAGE | Usage::COPY_SRC | Usage::COPY_DST;
        if !raw.usage().contains(needed) {
            let message = format!("made for {:?}, and {needed:?} is needed", raw.usage());
            return Err(DeviceError::Validation { what: "a buffer of the caller's".to_owned(), message });
        }
        Ok(Self::new(raw, len))
    }

    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Byte range of a range of elements, which must lie within the buffer.
    pub(super) fn bytes(&self, what: &'static str, range: &Range<usize>) -> Result<Range<u64>, DeviceError> {
        if range.start > range.end || range.end > self.len {
            let Range { start, end } = *range;
            return Err(DeviceError::OutOfRange { what, start, end, len: self.len });
        }
        let size = size_of::<T>() as u64;
        Ok(range.start as u64 * size..range.end as u64 * size)
    }
}

impl<T> Bindable for Buffer<T> {
    fn raw(&self) -> &wgpu::Buffer {
        &self.raw
    }

    fn lease(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        self.lease.clone().map(|lease| lease as _)
    }
}

/// A value that every invocation reads and none writes.
#[derive(Clone, Debug)]
pub struct Uniform<T> {
    raw: wgpu::Buffer,
    value: PhantomData<T>,
}

impl<T: Pod> Uniform<T> {
    pub(super) fn new(raw: wgpu::Buffer) -> Self {
        Self { raw, value: PhantomData }
    }
}

impl<T> Bindable for Uniform<T> {
    fn raw(&self) -> &wgpu::Buffer {
        &self.raw
    }
}
