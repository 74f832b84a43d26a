//! Declares `shaders/gram.wgsl`: JᵀJ and Jᵀe.

use std::sync::Arc;

use crate::gpu::{Def, Device, DeviceError, Kernel, KernelSource, kernel_source};

pub(crate) const SOURCE: KernelSource =
    kernel_source!("gram", uniform rules, uniform span, read problems, read block, write gram);

/// The kernel for problems of `parameters` parameters.
pub(crate) fn kernel(device: &Device, parameters: usize) -> Result<Arc<Kernel>, DeviceError> {
    device.kernel(&SOURCE, &[("P", Def::UInt(parameters as u32))], &[])
}
