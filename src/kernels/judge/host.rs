//! Declares `shaders/judge.wgsl`: accept or reject.

use std::sync::Arc;

use crate::gpu::{Device, DeviceError, Kernel, KernelSource, kernel_source};
use crate::kernels::batch::Batch;
use crate::kernels::problem::Sizes;

pub(crate) const SOURCE: KernelSource =
    kernel_source!("judge", uniform rules, read problems, write states, read trial, write theta, read sigma);

/// The kernel for problems of these sizes.
pub(crate) fn kernel(device: &Device, batch: Batch, sizes: Sizes) -> Result<Arc<Kernel>, DeviceError> {
    batch.kernel(device, &SOURCE, sizes.defs())
}
