//! Declares `shaders/combine.wgsl`: XΣ⁻¹Yᵀ and XYᵀ over the singular values above the cutoff.

use crate::gpu::{Bindable, Buffer, Commands, Def, Device, DeviceError, KernelSource, UNROLLED, kernel_source};
use crate::kernels::batch::Count;
use crate::kernels::matrices::{Matrices, Report};
use crate::kernels::product::host::block;
use crate::kernels::work::slices;

pub(crate) const SOURCE: KernelSource =
    kernel_source!("combine", uniform matrices, read left, read right, read sigma, read found, write result);

pub(crate) const LISTED: KernelSource = kernel_source!(
    "combine", uniform matrices, read left, read right, read sigma, read found, write result, read doubt, write reports
);

/// Sizes of a combination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    /// Singular values.
    pub(crate) terms: usize,
    /// Rows of X.
    pub(crate) left: usize,
    /// Rows of Y.
    pub(crate) right: usize,
    /// XYᵀ instead of XΣ⁻¹Yᵀ.
    pub(crate) plain: bool,
}

/// What the kernel reads and writes.
pub(crate) struct Operands<'a> {
    pub(crate) left: &'a Buffer<f32>,
    pub(crate) right: &'a Buffer<f32>,
    pub(crate) sigma: &'a Buffer<f32>,
    pub(crate) found: &'a Buffer<Report>,
    pub(crate) result: &'a Buffer<f32>,
    /// The list of the matrices that these SVDs are of, and the reports of all, where they are not those of all.
    pub(crate) listed: Option<(&'a Buffer<u32>, &'a Buffer<Report>)>,
}

/// The constants of the kernel.
pub(crate) fn defs(form: Form, listed: bool) -> Vec<(&'static str, Def)> {
    vec![
        ("N", Def::UInt(form.terms as u32)),
        ("LEFT", Def::UInt(form.left as u32)),
        ("RIGHT", Def::UInt(form.right as u32)),
        ("HEIGHT", Def::UInt(block(form.left) as u32)),
        ("WIDTH", Def::UInt(block(form.right) as u32)),
        ("PLAIN", Def::Bool(form.plain)),
        ("LISTED", Def::Bool(listed)),
        (UNROLLED, Def::Bool(true)),
    ]
}

/// Records the combinations of a batch.
pub(crate) fn record(
    device: &Device,
    commands: &mut Commands,
    form: Form,
    count: Count<'_>,
    operands: &Operands<'_>,
) -> Result<(), DeviceError> {
    let Operands { left, right, sigma, found, result, listed } = *operands;
    let source = if listed.is_some() { &LISTED } else { &SOURCE };
    let batch = count.most;
    let kernel = batch.kernel(device, source, defs(form, listed.is_some()))?;
    let (height, width) = (block(form.left), block(form.right));
    let blocks = form.left.div_ceil(height) * form.right.div_ceil(width);
    let invocations = batch.whole() * blocks;
    for slice in slices(device, source, invocations, form.terms * height * width) {
        let uniform = device.uniform(&Matrices { first: slice.first, ..Matrices::new(batch.count, 1, 0.0) })?;
        count.put(commands, &uniform)?;
        let groups = [slice.groups, 1, 1];
        let work = count.work(slice.work);
        match listed {
            Some((doubt, reports)) => {
                let bindings: [&dyn Bindable; 8] = [&uniform, left, right, sigma, found, result, doubt, reports];
                commands.dispatch_measured(&kernel, &bindings, groups, work)?;
            }
            None => {
                commands.dispatch_measured(&kernel, &[&uniform, left, right, sigma, found, result], groups, work)?;
            }
        }
    }
    Ok(())
}
