//! Declares `shaders/step.wgsl`: tests, filter and update.

use std::sync::Arc;

use crate::gpu::{Def, Device, DeviceError, Kernel, KernelSource, UNROLLED, kernel_source};
use crate::kernels::batch::Batch;
use crate::kernels::problem::Sizes;

pub(crate) const SOURCE: KernelSource = kernel_source!(
    "step", uniform rules, read problems, write states, read v, read sigma, read lengths, read theta, write trial,
    write running
);

/// The most components of a step that are summed at a time: eight take drivers twice as long to compile, and are no faster.
const BLOCK: usize = 4;

/// The constants of the kernel.
pub(crate) fn defs(sizes: Sizes) -> Vec<(&'static str, Def)> {
    let mut defs = sizes.defs();
    defs.extend([("BLOCK", Def::UInt(sizes.parameters.min(BLOCK) as u32)), (UNROLLED, Def::Bool(true))]);
    defs
}

/// The kernel for problems of these sizes.
pub(crate) fn kernel(device: &Device, batch: Batch, sizes: Sizes) -> Result<Arc<Kernel>, DeviceError> {
    batch.kernel(device, &SOURCE, defs(sizes))
}
