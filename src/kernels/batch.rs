//! How many matrices there are, and how they lie in memory.

use std::sync::Arc;

use bytemuck::Pod;

use crate::gpu::layout::LANES;
use crate::gpu::{Buffer, Commands, Def, Device, DeviceError, Kernel, KernelSource, Uniform};

/// Matrices in tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    /// Matrices.
    pub(crate) count: usize,
    /// Matrices a tile: a power of two up to `LANES`.
    pub(crate) lanes: usize,
}

impl Batch {
    /// As the lane mapping likes them.
    #[cfg(test)]
    pub(crate) fn of(count: usize) -> Self {
        Self { count, lanes: LANES }
    }

    /// Matrices that whole tiles have room for.
    pub(crate) fn whole(self) -> usize {
        self.count.next_multiple_of(self.lanes)
    }

    /// The kernel for matrices that lie like this.
    pub(crate) fn kernel(
        self,
        device: &Device,
        source: &KernelSource,
        defs: Vec<(&'static str, Def)>,
    ) -> Result<Arc<Kernel>, DeviceError> {
        device.kernel(source, &self.defs(defs), &[])
    }

    /// These constants, for matrices that lie like this.
    pub(crate) fn defs(self, mut defs: Vec<(&'static str, Def)>) -> Vec<(&'static str, Def)> {
        // What is not said is `LANES`.
        if self.lanes != LANES {
            defs.push(("LANES", Def::UInt(self.lanes as u32)));
        }
        defs
    }
}

/// A tile takes no more of a device, however much its buffers may hold: the least that WebGPU promises for one.
const TILE_BYTES: u64 = 128 << 20;

/// Matrices a tile where a CPU plays the device: it works on so many words of a row at once at most, and what the next row is,
/// its caches foresee the better the nearer it lies. With 64, `pinv_solve` of 100×5 takes 1.6 times as long.
const LANES_OF_CPU: usize = 16;

/// Matrices a tile as this device works on them best: as many as are worked on side by side.
pub(crate) fn most_lanes(device: &Device) -> usize {
    if device.is_cpu() { LANES_OF_CPU } else { LANES }
}

/// Matrices a tile for kernels that are compiled for their number, when the largest operand has `elements` elements: as many
/// as the device likes best, and fewer only where those are too large. No result depends on it.
pub(crate) fn tile(device: &Device, elements: usize) -> usize {
    let fits = (device.largest_buffer().min(TILE_BYTES) / (4 * elements.max(1) as u64)).max(1);
    1 << fits.ilog2().min(most_lanes(device).ilog2())
}

/// How many matrices there are: known on the host, or on the device by the time the kernels run.
#[derive(Clone, Copy)]
pub(crate) struct Count<'a> {
    /// At most so many.
    pub(crate) most: Batch,
    /// The word that holds their number, where it is not `most`.
    pub(crate) word: Option<(&'a Buffer<u32>, usize)>,
}

impl Count<'_> {
    /// So many.
    pub(crate) fn known(most: Batch) -> Self {
        Self { most, word: None }
    }

    /// The work of a dispatch as it is known: nothing is, where the device alone knows how many there are.
    pub(crate) fn work(self, most: u64) -> u64 {
        if self.word.is_some() { 0 } else { most }
    }

    /// Puts the number into the first word of a uniform, once the commands recorded so far have run.
    pub(crate) fn put<T: Pod>(self, commands: &mut Commands, uniform: &Uniform<T>) -> Result<(), DeviceError> {
        self.word.map_or(Ok(()), |(buffer, at)| commands.copy_word(buffer, at, uniform, 0))
    }
}
