//! Declares `shaders/history.wgsl`: records along the way.

use std::sync::Arc;

use crate::gpu::{Def, Device, DeviceError, Kernel, KernelSource, kernel_source};
use crate::kernels::batch::Batch;
use crate::kernels::problem::Sizes;

pub(crate) const SOURCE: KernelSource = kernel_source!(
    "history", uniform rules, read problems, read states, read sigma, read theta, write records
);

/// Words of a record before θ: ‖e‖, the rank, σ₁ and the least σ.
pub(crate) const FIGURES: usize = 4;

/// Words of a record of so many parameters, with θ or without.
pub(crate) fn words(parameters: usize, with_theta: bool) -> usize {
    FIGURES + if with_theta { parameters } else { 0 }
}

/// The constants of the kernel.
pub(crate) fn defs(sizes: Sizes, with_theta: bool) -> Vec<(&'static str, Def)> {
    let mut defs = sizes.defs();
    defs.push(("WORDS", Def::UInt(words(sizes.parameters, with_theta) as u32)));
    defs
}

/// The kernel for problems of these sizes.
pub(crate) fn kernel(
    device: &Device,
    batch: Batch,
    sizes: Sizes,
    with_theta: bool,
) -> Result<Arc<Kernel>, DeviceError> {
    batch.kernel(device, &SOURCE, defs(sizes, with_theta))
}
