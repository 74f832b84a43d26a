//! What operations leave behind of how fast they ran, by either clock.

use std::time::Duration;

use super::product::host::{Form, SOURCE, record};
use super::tests::for_each_device;
use crate::gpu::Device;

/// Products of 64×64 matrices, of 36 × 64 × 8² multiply-adds each: more than a millisecond's work at the first rate.
fn products(device: &Device) {
    const COUNT: usize = 256;
    let form = Form { count: COUNT, rows: 64, columns: 64, of_rows: false, lanes: 64, result_lanes: 64 };
    let a = device.buffer_from("a", &vec![1.0f32; COUNT * 64 * 64]).unwrap();
    let result = device.buffer::<f32>("result", COUNT * 64 * 64).unwrap();
    let mut commands = device.record("products");
    record(device, &mut commands, &form, &a, &result).unwrap();
    commands.submit().unwrap();
    // Whoever waits for a result also hears of the times.
    assert!(device.read(&result).unwrap().iter().all(|&sum| sum == 64.0));
}

/// A device of the caller's with no optional feature: without a clock.
fn without_a_clock(device: &Device) -> Option<Device> {
    let label = device.summary().label();
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    adapters.into_iter().find_map(|adapter| {
        let descriptor = wgpu::DeviceDescriptor {
            required_limits: crate::gpu::required_limits(&adapter),
            ..wgpu::DeviceDescriptor::default()
        };
        let (raw, queue) = pollster::block_on(adapter.request_device(&descriptor)).ok()?;
        let device = Device::from_wgpu(&adapter, raw, queue).ok()?;
        (device.summary().label() == label).then_some(device)
    })
}

/// Multiply-adds of the products' kernel in a millisecond, as believed before they run and after; they run until something
/// was learnt, but not more often than this: the times of a run come with an answer of the device's that a busy machine
/// may hear of after the result.
fn rates(device: &Device, runs: usize) -> (u64, u64) {
    device.set_dispatch_budget(Duration::from_millis(1));
    let believed = device.pace().work(SOURCE.name);
    let mut measured = believed;
    for _ in 0..runs {
        if measured == believed {
            products(device);
            measured = device.pace().work(SOURCE.name);
        }
    }
    println!("{believed} multiply-adds a millisecond at first, now {measured}");
    assert_eq!(device.pace().work("svd"), believed, "of kernels that did not run nothing is known");
    (believed, measured)
}

#[test]
fn work_that_was_worth_measuring_leaves_its_kernels_rate() {
    for_each_device(|device| {
        let (believed, measured) = rates(device, 20);
        let has_clock = device.features().contains(wgpu::Features::TIMESTAMP_QUERY);
        assert!(measured != believed || !has_clock);
    });
}

#[test]
fn without_a_clock_on_the_device_work_is_never_believed_to_be_faster_than_at_first() {
    for_each_device(|device| {
        let device = without_a_clock(device).expect("the same adapter once more");
        assert!(!device.features().contains(wgpu::Features::TIMESTAMP_QUERY));
        let (believed, measured) = rates(&device, 1);
        assert!(measured <= believed && measured >= believed / 2);
    });
}
