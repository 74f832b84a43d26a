//! Declares `shaders/gram.wgsl`: JᵀJ and Jᵀe.

use std::sync::Arc;

use crate::gpu::{Def, Device, DeviceError, Kernel, KernelSource, kernel_source};

pub(crate) const SOURCE: KernelSource =
    kernel_source!("gram", uniform rules, uniform span, read problems, read block, write gram);

/// The constant of the kernel for `parameters` parameters.
pub(crate) fn defs(parameters: usize) -> Vec<(&'static str, Def)> {
    vec![("P", Def::UInt(parameters as u32))]
}

/// The kernel for problems of `parameters` parameters.
pub(crate) fn kernel(device: &Device, parameters: usize) -> Result<Arc<Kernel>, DeviceError> {
    device.kernel(&SOURCE, &defs(parameters), &[])
}
