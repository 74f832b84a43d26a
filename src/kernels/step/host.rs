//! Declares `shaders/step.wgsl`: tests, filter and update.

use std::sync::Arc;

use crate::gpu::{Def, Device, DeviceError, Kernel, KernelSource, kernel_source};

pub(crate) const SOURCE: KernelSource =
    kernel_source!("step", uniform rules, read problems, write states, read w, read sigma, read lengths, read theta, write trial, write running);

/// The kernel for problems of `parameters` parameters.
pub(crate) fn kernel(device: &Device, parameters: usize) -> Result<Arc<Kernel>, DeviceError> {
    device.kernel(&SOURCE, &[("P", Def::UInt(parameters as u32))], &[])
}
