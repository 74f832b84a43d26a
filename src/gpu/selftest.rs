//! Known answers that a device must give before it is trusted.

use super::{Capabilities, Device, DeviceError};

pub(crate) fn capabilities(_device: &Device) -> Result<Capabilities, DeviceError> {
    Ok(Capabilities::default())
}
