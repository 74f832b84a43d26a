//! Declares `shaders/svd_private.wgsl`: matrices in the private memory of an invocation.

use crate::gpu::{Bindable, Commands, Def, Device, DeviceError, KernelSource, UNROLLED, kernel_source};
use crate::kernels::batch::Count;
use crate::kernels::matrices::Matrices;
use crate::kernels::work::slices;

use super::blocked::Blocks;
use super::host::{Form, Operands};

/// Singular values only.
pub(crate) const VALUES: KernelSource =
    kernel_source!("svd_private", uniform matrices, read a, write sigma, write reports);

/// Singular values, W Σ⁻¹ and what is carried.
pub(crate) const VECTORS: KernelSource =
    kernel_source!("svd_private", uniform matrices, read a, write sigma, write reports, write w, write v);

/// The most numbers of a matrix and what it carries that an invocation is given memory for: a 32×32 with its V.
const MOST_NUMBERS: usize = 2048;

/// The most columns of a pair of blocks: their Gram matrix is diagonalised in registers.
const MOST_PAIRED: usize = 16;

/// Columns a block, as few pairs of blocks as there can be; `None` for matrices that are too large, or for which there are
/// registers.
pub(crate) fn width(form: Form) -> Option<usize> {
    if form.in_registers() {
        return None;
    }
    let pairs = form.columns.div_ceil(MOST_PAIRED);
    let width = form.columns.div_ceil(2 * pairs);
    ((form.rows + form.carried()) * 2 * pairs * width <= MOST_NUMBERS).then_some(width)
}

/// The constants of the kernel, for blocks of so many columns.
pub(crate) fn defs(form: Form, width: usize) -> Vec<(&'static str, Def)> {
    let blocks = Blocks::of(form, width);
    let mut defs = form.defs();
    defs.extend([
        ("PADDED", Def::UInt(blocks.padded() as u32)),
        ("WIDTH", Def::UInt(width as u32)),
        ("BLOCKS", Def::UInt(blocks.blocks as u32)),
        (UNROLLED, Def::Bool(true)),
    ]);
    defs
}

/// Multiply-adds of an invocation, of the eight sweeps that most take at these sizes.
fn work(form: Form, width: usize) -> usize {
    let blocks = Blocks::of(form, width);
    8 * blocks.blocks * (blocks.blocks - 1) / 2 * blocks.pair_work(form) as usize
}

/// Records the SVDs of a batch, with blocks of so many columns.
pub(crate) fn record(
    device: &Device,
    commands: &mut Commands,
    (form, width): (Form, usize),
    count: Count<'_>,
    cutoff: f64,
    operands: &Operands<'_>,
) -> Result<(), DeviceError> {
    let source = if form.vectors { &VECTORS } else { &VALUES };
    let batch = count.most;
    let kernel = batch.kernel(device, source, defs(form, width))?;
    let Operands { a, sigma, reports, vectors } = *operands;
    for slice in slices(device, source, batch.count, work(form, width)) {
        let matrices = Matrices { first: slice.first, ..Matrices::new(batch.count, form.rows, cutoff) };
        let uniform = device.uniform(&matrices)?;
        count.put(commands, &uniform)?;
        let (groups, work) = ([slice.groups, 1, 1], count.work(slice.work));
        match vectors {
            Some((w, v)) => {
                let bindings: [&dyn Bindable; 6] = [&uniform, a, sigma, reports, w, v];
                commands.dispatch_measured(&kernel, &bindings, groups, work)?;
            }
            None => commands.dispatch_measured(&kernel, &[&uniform, a, sigma, reports], groups, work)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_as_few_and_even_as_can_be_and_registers_and_buffers_take_the_others() {
        let of = |m, n, vectors| width(Form::of_matrices(m, n, vectors));
        assert_eq!(of(16, 16, true), None, "in registers");
        assert_eq!(of(20, 20, true), Some(5));
        assert_eq!(of(17, 20, true), Some(5), "17 columns in 4 blocks");
        assert_eq!(of(32, 32, true), Some(8), "all of the memory");
        assert_eq!(of(33, 32, true), None);
        assert_eq!(of(42, 42, false), Some(7), "42 columns in 6 blocks");
        assert_eq!(of(45, 45, false), None, "45 columns in 6 blocks are 48, and 2,160 numbers too many");
    }
}
