//! Every device there is, as it comes and as small as WebGPU allows.

use natgrad::gpu::{AdapterChoice, Device};
use natgrad::wgpu;

/// Runs a claim on every adapter that passes the self-test, with all its limits and with WebGPU's default ones; says
/// which they are, and why others were left out.
pub(crate) fn for_each_device(claim: impl Fn(&Device)) {
    let mut usable = false;
    for summary in Device::list() {
        let choice = AdapterChoice::Index(summary.index);
        let devices = [
            ("all its limits", Device::open(&choice)),
            ("default limits", Device::open_with_limits(&choice, &wgpu::Limits::defaults())),
        ];
        for (limits, device) in devices {
            match device {
                Ok(device) => {
                    println!("on {}, {limits}", summary.label());
                    usable = true;
                    claim(&device);
                }
                Err(error) => println!("not on {}, {limits}: {error}", summary.label()),
            }
        }
    }
    if !usable {
        println!("no usable GPU adapter: nothing was tested");
    }
}
