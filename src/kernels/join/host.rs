//! Declares `shaders/join.wgsl`: two matrices side by side.

use crate::gpu::{Buffer, Commands, Def, Device, DeviceError, KernelSource, kernel_source};
use crate::kernels::batch::Batch;
use crate::kernels::matrices::Matrices;
use crate::kernels::work::slices;

pub(crate) const SOURCE: KernelSource = kernel_source!("join", uniform matrices, read a, read b, write joined);

/// Sizes of two matrices side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    /// Rows of both.
    pub(crate) rows: usize,
    /// Columns of the left one.
    pub(crate) left: usize,
    /// Columns of the right one.
    pub(crate) right: usize,
}

/// The constants of the kernel.
pub(crate) fn defs(form: Form) -> Vec<(&'static str, Def)> {
    vec![
        ("ROWS", Def::UInt(form.rows as u32)),
        ("A_COLUMNS", Def::UInt(form.left as u32)),
        ("B_COLUMNS", Def::UInt(form.right as u32)),
    ]
}

/// Records [A | B] of a batch.
pub(crate) fn record(
    device: &Device,
    commands: &mut Commands,
    form: Form,
    batch: Batch,
    [a, b, joined]: [&Buffer<f32>; 3],
) -> Result<(), DeviceError> {
    let kernel = batch.kernel(device, &SOURCE, defs(form))?;
    let columns = form.left + form.right;
    for slice in slices(device, &SOURCE, batch.count, form.rows * columns) {
        let uniform = device.uniform(&Matrices { first: slice.first, ..Matrices::new(batch.count, form.rows, 0.0) })?;
        let groups = [slice.groups, columns as u32, 1];
        commands.dispatch_measured(&kernel, &[&uniform, a, b, joined], groups, slice.work)?;
    }
    Ok(())
}
