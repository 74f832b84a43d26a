//! The whole self-test: the device's known answers, and the kernels'.

use crate::gpu::selftest::Report;
use crate::gpu::{AdapterChoice, Depth, Device, DeviceError};
use crate::kernels::check::small_svd;

/// Tests the adapter chosen and reports everything, also on a driver that [`Device::open`] refuses.
///
/// # Errors
/// If there is no such adapter, it cannot be opened, or it is lost.
pub fn selftest(choice: &AdapterChoice, depth: Depth) -> Result<Report, DeviceError> {
    selftest_on(&Device::open_untested(choice)?, depth)
}

/// The same on a device that is already open.
///
/// # Errors
/// If the device is lost or out of memory.
pub fn selftest_on(device: &Device, depth: Depth) -> Result<Report, DeviceError> {
    let mut report = crate::gpu::selftest::selftest(device, depth)?;
    // The kernels loop too: where loops are cut, they would be blamed for it.
    if report.usable() {
        report.checks.push(small_svd(device)?);
    }
    Ok(report)
}
