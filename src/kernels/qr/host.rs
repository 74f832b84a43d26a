//! Declares `shaders/qr.wgsl`: R and c = Qᵀe of a block of rows.

use std::sync::Arc;

use crate::gpu::{Def, Device, DeviceError, Kernel, KernelSource, UNROLLED, kernel_source};
use crate::kernels::svd::host::MOST_UNROLLED;

pub(crate) const SOURCE: KernelSource =
    kernel_source!("qr", uniform rules, uniform span, read problems, write states, read block, write factor);

/// The constants of the kernel for `parameters` parameters.
pub(crate) fn defs(parameters: usize) -> Vec<(&'static str, Def)> {
    vec![("P", Def::UInt(parameters as u32)), (UNROLLED, Def::Bool(parameters <= MOST_UNROLLED))]
}

/// The kernel for problems of `parameters` parameters.
pub(crate) fn kernel(device: &Device, parameters: usize) -> Result<Arc<Kernel>, DeviceError> {
    device.kernel(&SOURCE, &defs(parameters), &[])
}
