//! Declares `shaders/momentum.wgsl`: the heavy ball.

use std::sync::Arc;

use crate::gpu::{Device, DeviceError, Kernel, KernelSource, kernel_source};
use crate::kernels::batch::Batch;
use crate::kernels::problem::Sizes;

pub(crate) const SOURCE: KernelSource = kernel_source!(
    "momentum", uniform rules, read problems, read states, read theta, write trial, write previous
);

/// The kernel for problems of these sizes.
pub(crate) fn kernel(device: &Device, batch: Batch, sizes: Sizes) -> Result<Arc<Kernel>, DeviceError> {
    batch.kernel(device, &SOURCE, sizes.defs())
}
