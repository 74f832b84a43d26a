//! Declares `shaders/sift.wgsl`: which solutions by substitution stand.

use crate::gpu::{Bindable, Buffer, Commands, Def, Device, DeviceError, KernelSource, kernel_source};
use crate::kernels::batch::Batch;
use crate::kernels::matrices::{Matrices, Report};
use crate::kernels::substitute::host::Form;
use crate::kernels::work::slices;

pub(crate) const SOURCE: KernelSource = kernel_source!(
    "sift", uniform matrices, read triangle, read solved, read sums, write x, write reports, write factor, write doubt,
    read bits
);

/// The constants of the kernel.
pub(crate) fn defs(form: Form) -> Vec<(&'static str, Def)> {
    vec![
        ("K", Def::UInt(form.size as u32)),
        ("C", Def::UInt(form.rights as u32)),
        ("ROWS", Def::UInt(form.inverse_blocks() as u32)),
        ("BLOCKS", Def::UInt(form.blocks() as u32)),
    ]
}

/// What the kernel reads and writes.
pub(crate) struct Operands<'a> {
    pub(crate) triangle: &'a Buffer<f32>,
    pub(crate) solved: &'a Buffer<f32>,
    pub(crate) sums: &'a Buffer<f32>,
    pub(crate) x: &'a Buffer<f32>,
    pub(crate) reports: &'a Buffer<Report>,
    /// [T | c] of the matrices in doubt, in the order of the list.
    pub(crate) factor: &'a Buffer<f32>,
    /// Zeros; then the number of matrices in doubt, and which they are.
    pub(crate) doubt: &'a Buffer<u32>,
    /// The bits of the largest magnitude of each matrix.
    pub(crate) bits: &'a Buffer<u32>,
}

/// Records the choice for a batch at a limit of doubt.
pub(crate) fn record(
    device: &Device,
    commands: &mut Commands,
    form: Form,
    batch: Batch,
    doubt: f64,
    operands: &Operands<'_>,
) -> Result<(), DeviceError> {
    let kernel = batch.kernel(device, &SOURCE, defs(form))?;
    let limit = doubt as f32;
    let Operands { triangle, solved, sums, x, reports, factor, doubt, bits } = *operands;
    for slice in slices(device, &SOURCE, batch.count, form.elements()) {
        let matrices = Matrices { doubt: limit, first: slice.first, ..Matrices::new(batch.count, form.size, 0.0) };
        let uniform = device.uniform(&matrices)?;
        let bindings: [&dyn Bindable; 9] = [&uniform, triangle, solved, sums, x, reports, factor, doubt, bits];
        commands.dispatch_measured(&kernel, &bindings, [slice.groups, 1, 1], slice.work)?;
    }
    Ok(())
}
