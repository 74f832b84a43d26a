//! Declares `shaders/svd.wgsl`: W, σ and β.

use std::sync::Arc;

use crate::gpu::{Def, Device, DeviceError, Kernel, KernelSource, kernel_source};

pub(crate) const SOURCE: KernelSource =
    kernel_source!("svd", uniform rules, read problems, write states, read factor, write w, write sigma, write lengths);

/// The kernel for problems of `parameters` parameters.
pub(crate) fn kernel(device: &Device, parameters: usize) -> Result<Arc<Kernel>, DeviceError> {
    device.kernel(&SOURCE, &[("P", Def::UInt(parameters as u32))], &[])
}
