//! Which drivers are trusted, seen through the program itself: the sound ones are, and one that is not is refused.

use std::path::Path;
use std::process::{Command, Output};

use natgrad::gpu::selftest::Outcome;
use natgrad::gpu::{Depth, Device, DeviceError};
use natgrad::{Data, Engine, Error, Model, Sweep, block_on, wgpu};

mod common;

/// Runs natgrad with a Vulkan loader that knows only this driver.
fn natgrad(driver: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_natgrad"))
        .args(arguments)
        .env("VK_DRIVER_FILES", driver)
        .env("VK_ICD_FILENAMES", driver)
        .env_remove("NATGRAD_DEVICE")
        .output()
        .unwrap()
}

const FIT: [&str; 9] =
    ["fit", "--model", "a + b*x", "--parameters", "a,b", "--data", "tests/data/misra1a.csv", "--start", "a=0,b=0"];

#[test]
fn the_selftest_passes_and_what_fails_is_switched_off_or_replaced() {
    for device in common::devices() {
        let report = natgrad::selftest_on(device, Depth::Quick).unwrap();
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
fn mesa_22_3_6_which_cuts_loops_short_is_refused_in_one_line_that_names_driver_and_test() {
    let Some(driver) = common::mesa_22() else {
        println!("Mesa 22.3.6 is not present: run scripts/fetch-test-drivers on Debian 12");
        return;
    };
    let fit = natgrad(&driver, &[&FIT[..], &["--device", "Mesa 22.3.6"]].concat());
    let message = String::from_utf8_lossy(&fit.stderr);
    println!("{message}");
    assert_eq!(fit.status.code(), Some(3));
    assert!(fit.stdout.is_empty());
    assert_eq!(message.lines().count(), 1);
    for part in ["Mesa 22.3.6", "self-test \"one loop\"", "65535 of 1000000 iterations", "--device cpu"] {
        assert!(message.contains(part), "{message}");
    }
    let report = natgrad(&driver, &["selftest", "--quick", "--device", "Mesa 22.3.6"]);
    assert_eq!(report.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&report.stdout).contains("FAILED"));
}

#[test]
fn swiftshader_is_accepted_and_fits() {
    let Some(driver) = common::swiftshader() else {
        println!("SwiftShader is not present: run scripts/fetch-test-drivers");
        return;
    };
    let fit = natgrad(&driver, &[&FIT[..], &["--device", "SwiftShader", "--format", "jsonl"]].concat());
    let (text, message) = (String::from_utf8_lossy(&fit.stdout), String::from_utf8_lossy(&fit.stderr));
    println!("{text}{message}");
    assert_eq!(fit.status.code(), Some(0));
    assert!(text.contains("\"status\":\"converged\"") && text.contains("SwiftShader"));
}

/// y = 2x exactly.
fn line() -> Sweep {
    let model = Model::parse("a*x", &["a"]).unwrap();
    let data = Data::from_columns([("x", vec![1.0, 2.0]), ("y", vec![2.0, 4.0])]).unwrap();
    Sweep::new(&model, &data).start([1.0])
}

#[test]
fn an_engine_on_a_lost_device_gives_a_typed_error_and_no_panic() {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    for adapter in block_on(instance.enumerate_adapters(wgpu::Backends::all())) {
        let Ok((raw, queue)) = block_on(adapter.request_device(&wgpu::DeviceDescriptor::default())) else { continue };
        raw.on_uncaptured_error(std::sync::Arc::new(|_| {}));
        let Ok(device) = Device::from_wgpu(&adapter, raw.clone(), queue) else { continue };
        let engine = Engine::from_device(device).unwrap();
        raw.destroy();
        match engine.run(&line()) {
            Err(Error::Device(error @ (DeviceError::Lost { .. } | DeviceError::Validation { .. }))) => {
                assert_eq!(error.to_string().lines().count(), 1, "{error}");
            }
            other => panic!("{other:?}"),
        }
    }
}
