//! The devices that tests run on.

use super::{AdapterChoice, AdapterSummary, Device};

/// Every device that can be opened, by name in the output; on a machine without one, tests of devices say so and claim nothing.
pub(crate) fn devices() -> Vec<Device> {
    let open = |summary: AdapterSummary| Device::open(&AdapterChoice::Index(summary.index)).ok();
    let devices: Vec<Device> = Device::list().into_iter().filter_map(open).collect();
    if devices.is_empty() {
        println!("no usable adapter: nothing was run");
    }
    devices.iter().for_each(|device| println!("on {}", device.summary().label()));
    devices
}
