//! Device memory that is used again: what an operation needs only while it runs.
//!
//! A fresh buffer is cleared before its first use, and on software devices every page of it is fetched from the system:
//! for small matrices that costs as much as the work itself.

use std::sync::{Arc, Mutex, PoisonError};

/// Bytes kept for the next operation, at most; what is given back beyond them is freed.
const MOST_KEPT: u64 = 1 << 30;

/// Buffers that nobody uses at the moment, the one given back last at the end.
#[derive(Debug, Default)]
pub(super) struct Pool(Mutex<Vec<wgpu::Buffer>>);

/// A buffer on loan: it goes back to the pool when the last of its users drops it. Work that was submitted before comes
/// before whatever the next user submits, so that it needs not have ended; a host that writes there itself has to see to that.
#[derive(Debug)]
pub(super) struct Lease {
    pool: Arc<Pool>,
    buffer: wgpu::Buffer,
}

impl Pool {
    /// A buffer of at least `bytes`, and less than twice as many, if there is one; it goes back to the pool by itself.
    pub(super) fn take(self: &Arc<Self>, bytes: u64) -> Option<(wgpu::Buffer, Lease)> {
        let buffer = self.find(bytes)?;
        Some((buffer.clone(), self.lend(buffer)))
    }

    /// The same for good.
    pub(super) fn find(&self, bytes: u64) -> Option<wgpu::Buffer> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |size: u64| (bytes..2 * bytes.max(2048)).contains(&size);
        let (at, _) = kept
            .iter()
            .enumerate()
            .filter(|(_, buffer)| fits(buffer.size()))
            .min_by_key(|(_, buffer)| buffer.size())?;
        Some(kept.remove(at))
    }

    /// Takes a buffer that nobody uses, or will for now; the oldest go where there are too many.
    pub(super) fn keep(&self, buffer: wgpu::Buffer) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push(buffer);
        while kept.iter().map(wgpu::Buffer::size).sum::<u64>() > MOST_KEPT {
            kept.remove(0);
        }
    }

    /// Makes a new buffer one of the pool's.
    pub(super) fn lend(self: &Arc<Self>, buffer: wgpu::Buffer) -> Lease {
        Lease { pool: Arc::clone(self), buffer }
    }

    /// Frees what nobody uses.
    pub(super) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.pool.keep(self.buffer.clone());
    }
}
