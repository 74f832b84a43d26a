//! The self-test, and what becomes of drivers that pass it and of one that does not.

use std::time::{Duration, Instant};

use natgrad::gpu::selftest::Outcome;
use natgrad::gpu::{AdapterChoice, Depth, Device, DeviceError};
use natgrad::{Choice, Data, Engine, Error, Model, Sweep, block_on, wgpu};

mod common;

#[test]
fn an_engine_runs_within_the_default_limits_of_webgpu_and_takes_all_there_are_by_default() {
    for device in common::devices() {
        assert_eq!(device.limits().max_buffer_size, device.summary().limits.max_buffer_size);
        let choice = AdapterChoice::Index(device.summary().index);
        let small = Device::open_with_limits(&choice, &wgpu::Limits::defaults()).unwrap();
        assert_eq!(small.largest_buffer(), 128 << 20);
        let slope = Engine::from_device(small).unwrap().run(&line()).unwrap().problem(0).parameters()[0];
        // A step has about eight roundings: two in the residual, the rest in QR and update.
        assert!((slope / 2.0 - 1.0).abs() <= 8.0 * f64::from(f32::EPSILON) / 2.0, "{slope}");
    }
}

/// y = 2x exactly.
fn line() -> Sweep {
    let model = Model::parse("a*x", &["a"]).unwrap();
    let data = Data::from_columns([("x", vec![1.0, 2.0]), ("y", vec![2.0, 4.0])]).unwrap();
    Sweep::new(&model, &data).start([1.0])
}

#[test]
fn an_engine_on_a_lost_device_gives_a_typed_error_and_neither_panics_nor_hangs() {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    for adapter in block_on(instance.enumerate_adapters(wgpu::Backends::all())) {
        let Ok((raw, queue)) = block_on(adapter.request_device(&wgpu::DeviceDescriptor::default())) else { continue };
        raw.on_uncaptured_error(std::sync::Arc::new(|_| {}));
        let Ok(device) = Device::from_wgpu(&adapter, raw.clone(), queue) else { continue };
        let engine = Engine::from_device(device).unwrap();
        raw.destroy();
        let started = Instant::now();
        match engine.run(&line()) {
            Err(Error::Device(error @ (DeviceError::Lost { .. } | DeviceError::Validation { .. }))) => {
                assert_eq!(error.to_string().lines().count(), 1, "{error}");
            }
            other => panic!("{other:?}"),
        }
        assert!(started.elapsed() < Duration::from_secs(10));
    }
}

#[test]
fn the_selftest_passes_and_what_fails_is_switched_off_or_replaced() {
    for device in common::devices() {
        let report = natgrad::selftest_on(&device, Depth::Quick).unwrap();
        println!("{report}");
        assert!(report.usable());
        assert!(report.checks.iter().filter(|check| check.needed).all(|check| check.outcome == Outcome::Passed));
        let of = |name: &str| report.checks.iter().find(|check| check.name == name).unwrap().outcome.clone();
        let capabilities = device.capabilities();
        assert_eq!(capabilities.error_free_transforms, of("error-free transforms") == Outcome::Passed);
        assert_eq!(capabilities.f64, of("f64 arithmetic") == Outcome::Passed);
        assert_eq!(capabilities.replaced_functions(), report.capabilities.replaced_functions());
        // Sixteen functions, the small SVD and eight others.
        assert_eq!(report.checks.len(), 25);
        assert!(report.checks.iter().all(|check| !check.detail.contains('\n')));
    }
}

#[test]
fn opening_a_device_takes_a_moment_and_no_more() {
    for device in common::devices() {
        let mut best = Duration::MAX;
        for _ in 0..3 {
            let started = Instant::now();
            natgrad::selftest_on(&device, Depth::Quick).unwrap();
            best = best.min(started.elapsed());
        }
        println!("{}: quick self-test in {best:?}", device.summary().label());
        // Some 50 ms where the driver caches programs; the bound is for one that compiles afresh, in a debug build,
        // beside other tests.
        assert!(best < Duration::from_secs(2));
    }
}

/// In a process of its own, started by the test below: what becomes of the driver that is asked for.
#[test]
#[ignore = "for the test of the driver that is refused"]
fn open_the_driver_asked_for() {
    let name = std::env::var("NATGRAD_TEST_ADAPTER").unwrap_or_default();
    match Engine::open(Choice::Name(name.clone())) {
        Ok(engine) => println!("accepted: {}", engine.description()),
        Err(error) => println!("refused: {error:?}\nmessage: {error}"),
    }
    println!("{}", natgrad::selftest(&AdapterChoice::Name(name), Depth::Quick).unwrap());
}

#[test]
fn the_driver_that_cuts_loops_short_is_refused_in_one_line_that_names_driver_and_test() {
    let Some(driver) = common::mesa_22() else {
        println!("Mesa 22.3.6 is not present: run scripts/fetch-test-drivers on Debian 12");
        return;
    };
    let arguments = ["--ignored", "--exact", "open_the_driver_asked_for"];
    let output = common::in_a_process_with(&driver, "Mesa 22.3.6", &arguments);
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}");
    assert!(output.status.success());
    assert!(text.contains("refused: Device(Refused"));
    let message = text.lines().find(|line| line.starts_with("message: ")).unwrap();
    for part in ["Mesa 22.3.6", "self-test \"one loop\"", "65535 of 1000000 iterations", "--device cpu"] {
        assert!(message.contains(part), "{message}");
    }
    // The report names what fails even so.
    assert!(text.contains("FAILED"));
}

#[test]
fn all_this_holds_on_swiftshader_too() {
    common::again_on_swiftshader(&[]);
}
