//! Declares `shaders/judge.wgsl`: accept or reject.

use std::sync::Arc;

use crate::gpu::{Def, Device, DeviceError, Kernel, KernelSource, kernel_source};

pub(crate) const SOURCE: KernelSource =
    kernel_source!("judge", uniform rules, read problems, write states, read trial, write theta, read sigma);

/// The kernel for problems of `parameters` parameters.
pub(crate) fn kernel(device: &Device, parameters: usize) -> Result<Arc<Kernel>, DeviceError> {
    device.kernel(&SOURCE, &[("P", Def::UInt(parameters as u32))], &[])
}
