//! Declares `shaders/qr.wgsl`: R and c = Qᵀe of a block of rows.

use std::sync::Arc;

use crate::gpu::{Def, Device, DeviceError, Kernel, KernelSource, kernel_source};

pub(crate) const SOURCE: KernelSource =
    kernel_source!("qr", uniform rules, uniform span, read problems, write states, read block, write factor);

/// The kernel for problems of `parameters` parameters.
pub(crate) fn kernel(device: &Device, parameters: usize) -> Result<Arc<Kernel>, DeviceError> {
    device.kernel(&SOURCE, &[("P", Def::UInt(parameters as u32))], &[])
}
