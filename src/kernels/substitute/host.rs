//! Declares `shaders/substitute.wgsl`: inverses of triangles, and solutions with them.

use crate::gpu::{Buffer, Commands, Def, Device, DeviceError, KernelSource, UNROLLED, kernel_source};
use crate::kernels::batch::Count;
use crate::kernels::matrices::Matrices;
use crate::kernels::work::slices;

pub(crate) const SOURCE: KernelSource =
    kernel_source!("substitute", uniform matrices, read triangle, read bits, write solved, write sums);

/// Rows and columns of a block that registers hold.
const SIDE: usize = 4;

/// Sizes of [T | c].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    /// Rows and columns of T.
    pub(crate) size: usize,
    /// Columns of c.
    pub(crate) rights: usize,
    /// Whether T is lower triangular.
    pub(crate) lower: bool,
}

impl Form {
    /// Blocks of columns of T.
    pub(crate) fn inverse_blocks(self) -> usize {
        self.size.div_ceil(SIDE)
    }

    /// Blocks of columns in all.
    pub(crate) fn blocks(self) -> usize {
        self.inverse_blocks() + self.rights.div_ceil(SIDE)
    }

    /// Elements of [T | c].
    pub(crate) fn elements(self) -> usize {
        self.size * (self.size + self.rights)
    }
}

/// The constants of the kernel, whose loops are unrolled or as they are written: slower, and compiled by every driver.
pub(crate) fn defs(form: Form, unrolled: bool) -> Vec<(&'static str, Def)> {
    vec![
        ("K", Def::UInt(form.size as u32)),
        ("C", Def::UInt(form.rights as u32)),
        ("SIDE", Def::UInt(SIDE as u32)),
        ("LOWER", Def::Bool(form.lower)),
        (UNROLLED, Def::Bool(unrolled)),
    ]
}

/// Records T⁻¹[uI | c] of matrices [T | c], u near the largest magnitudes given by their bits,
/// and the sums of squares of blocks of columns.
pub(crate) fn record(
    device: &Device,
    commands: &mut Commands,
    form: Form,
    count: Count<'_>,
    [triangle, solved, sums]: [&Buffer<f32>; 3],
    bits: &Buffer<u32>,
) -> Result<(), DeviceError> {
    let batch = count.most;
    let kernel = batch.kernel(device, &SOURCE, defs(form, !device.compiles_little()))?;
    let invocations = batch.whole() * form.blocks();
    for slice in slices(device, &SOURCE, invocations, form.size * form.size * SIDE) {
        let uniform = device.uniform(&Matrices { first: slice.first, ..Matrices::new(batch.count, form.size, 0.0) })?;
        count.put(commands, &uniform)?;
        let work = count.work(slice.work);
        commands.dispatch_measured(&kernel, &[&uniform, triangle, bits, solved, sums], [slice.groups, 1, 1], work)?;
    }
    Ok(())
}
