//! Declares `shaders/qr.wgsl`: R and c = Qᵀe of a block of rows.

use std::sync::Arc;

use crate::gpu::{Def, Device, DeviceError, Kernel, KernelSource, UNROLLED, kernel_source};
use crate::kernels::svd::host::steps_are_unrolled;

pub(crate) const SOURCE: KernelSource =
    kernel_source!("qr", uniform rules, uniform span, read problems, write states, read block, write factor);

/// The constants of the kernel for `parameters` parameters, with its loops unrolled or as they are written, and what it reads
/// and writes by loops or one entry after another.
pub(crate) fn defs(parameters: usize, unrolled: bool, looped: bool) -> Vec<(&'static str, Def)> {
    vec![
        ("P", Def::UInt(parameters as u32)),
        (UNROLLED, Def::Bool(unrolled)),
        ("LOOPED", Def::Bool(looped)),
    ]
}

/// The kernel for problems of `parameters` parameters.
pub(crate) fn kernel(device: &Device, parameters: usize) -> Result<Arc<Kernel>, DeviceError> {
    device.kernel(&SOURCE, &defs(parameters, steps_are_unrolled(device, parameters), device.is_cpu()), &[])
}
