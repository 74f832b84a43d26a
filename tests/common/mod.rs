//! What the integration tests share.
//!
//! GPU tests run on every adapter that the machine offers and the self-test accepts: with Mesa installed that is its
//! Vulkan driver and, by another way of translating shaders, its OpenGL driver. The Vulkan loader reads VK_DRIVER_FILES
//! once, when a process first uses it, so a driver that is not installed needs a process of its own:
//! [`again_on_swiftshader`] starts the test binary once more, with the loader pointed at what
//! `scripts/fetch-test-drivers` put into target/drivers. By hand the same is
//! `VK_DRIVER_FILES=$PWD/target/drivers/swiftshader/swiftshader_icd.json NATGRAD_TEST_ADAPTER=SwiftShader cargo test`.

#![allow(dead_code, reason = "each test file takes what it needs")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use natgrad::gpu::{AdapterChoice, AdapterSummary, Device, Tuning};
use natgrad::{Choice, Engine};

pub(crate) mod matrices;
pub(crate) mod oracle;
#[cfg(feature = "cli")]
pub(crate) mod program;

/// Set for tests that are to run on adapters with this in their name only.
const ONLY: &str = "NATGRAD_TEST_ADAPTER";

/// The adapters that tests run on, refused ones included.
pub(crate) fn adapters() -> Vec<AdapterSummary> {
    let mut adapters = Device::list();
    if let Ok(only) = std::env::var(ONLY) {
        adapters.retain(|summary| summary.label().contains(&only));
        assert!(!adapters.is_empty(), "no adapter has \"{only}\" in its name");
    }
    adapters
}

/// The same device whatever was measured on this machine: mappings are those of the rules.
fn preset(device: Device) -> Device {
    device.set_tuning(Tuning::Preset);
    device
}

/// Every device that passes the self-test; says which they are, and which were refused.
fn open_devices() -> Vec<Device> {
    let mut usable = Vec::new();
    for summary in adapters() {
        match Device::open(&AdapterChoice::Index(summary.index)) {
            Ok(device) => usable.push(preset(device)),
            // An adapter asked for by name has to work.
            Err(error) if std::env::var(ONLY).is_ok() => panic!("{error}"),
            // A driver may be refused for what it computes, and not for a shader of ours.
            Err(error) if error.to_string().starts_with("shader ") => panic!("{error}"),
            Err(error) => println!("not on {}: {error}", summary.label()),
        }
    }
    if usable.is_empty() {
        println!("no usable GPU adapter: nothing was run on a GPU");
    }
    usable
}

/// The CPU, and every device that passes the self-test. They stay open for all tests of the process, so that each kernel is
/// compiled once: what a test changes about a device (a pin, a budget) it changes about one that it opened [`once_more`].
static OPEN: LazyLock<Vec<Arc<Engine>>> = LazyLock::new(|| {
    let on_cpu = std::iter::once(Engine::open(Choice::Cpu).unwrap());
    on_cpu.chain(open_devices().into_iter().map(|device| Engine::from_device(device).unwrap())).map(Arc::new).collect()
});

/// Engines one after the other, and whoever has OpenGL's has it alone: another's read-back would not wait while a kernel
/// compiles. A test that begins again while it has OpenGL's waits for itself.
pub(crate) struct InTurn {
    left: std::slice::Iter<'static, Arc<Engine>>,
    alone: Option<MutexGuard<'static, ()>>,
}

impl Iterator for InTurn {
    type Item = &'static Arc<Engine>;

    fn next(&mut self) -> Option<Self::Item> {
        static OPENGL: Mutex<()> = Mutex::new(());
        self.alone = None;
        let engine = self.left.next()?;
        if let Some(device) = engine.device() {
            let is_opengl = device.summary().backend == natgrad::wgpu::Backend::Gl;
            self.alone = is_opengl.then(|| OPENGL.lock().unwrap_or_else(PoisonError::into_inner));
            println!("on {}", device.summary().label());
        }
        Some(engine)
    }
}

/// The CPU, and every adapter that passes the self-test.
pub(crate) fn engines() -> InTurn {
    InTurn { left: OPEN.iter(), alone: None }
}

/// Every adapter that passes the self-test.
pub(crate) fn gpu_engines() -> impl Iterator<Item = &'static Arc<Engine>> {
    engines().filter(|engine| engine.device().is_some())
}

/// Every device that passes the self-test.
pub(crate) fn devices() -> impl Iterator<Item = &'static Device> {
    engines().filter_map(|engine| engine.device())
}

/// Runs a claim on every device that passes the self-test.
pub(crate) fn on_each_device(claim: impl Fn(&Device)) {
    devices().for_each(claim);
}

/// The same adapter opened once more, with other limits. Like the others it stays open, for all that want these limits.
pub(crate) fn with_limits(device: &Device, limits: &natgrad::wgpu::Limits) -> Device {
    static OPEN: Mutex<Vec<(usize, natgrad::wgpu::Limits, Device)>> = Mutex::new(Vec::new());
    let adapter = device.summary().index;
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((.., device)) = open.iter().find(|(of, with, _)| (*of, with) == (adapter, limits)) {
        return device.clone();
    }
    let device = preset(Device::open_with_limits(&AdapterChoice::Index(adapter), limits).unwrap());
    open.push((adapter, limits.clone(), device.clone()));
    device
}

/// The same adapter opened once more.
pub(crate) fn once_more(device: &Device) -> Device {
    preset(Device::open(&AdapterChoice::Index(device.summary().index)).unwrap())
}

/// Whether this is the run on the adapters of one name only.
pub(crate) fn is_on_one_adapter() -> bool {
    std::env::var(ONLY).is_ok()
}

/// Runs a claim on every adapter that passes the self-test, with all its limits and with WebGPU's default ones.
pub(crate) fn for_each_device(claim: impl Fn(&Device)) {
    let defaults = natgrad::wgpu::Limits::defaults();
    for device in devices() {
        claim(device);
        claim(&with_limits(device, &defaults));
    }
}

/// The driver file below target/drivers, or in the environment variable; `None` where it was not fetched.
pub(crate) fn test_driver(variable: &str, file: &str) -> Option<PathBuf> {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/drivers").join(file);
    let path = std::env::var_os(variable).map_or(fetched, PathBuf::from);
    path.exists().then_some(path)
}

/// SwiftShader's driver file.
pub(crate) fn swiftshader() -> Option<PathBuf> {
    test_driver("NATGRAD_TEST_SWIFTSHADER", "swiftshader/swiftshader_icd.json")
}

/// The driver file of Mesa 22.3.6, which cuts loops short.
pub(crate) fn mesa_22() -> Option<PathBuf> {
    test_driver("NATGRAD_TEST_MESA_22", "mesa-22/lvp_icd.json")
}

/// Runs tests of this binary in a process of its own, whose Vulkan loader knows only this driver.
pub(crate) fn in_a_process_with(driver: &Path, adapter: &str, arguments: &[&str]) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args(arguments)
        .arg("--nocapture")
        .env("VK_DRIVER_FILES", driver)
        .env("VK_ICD_FILENAMES", driver)
        .env(ONLY, adapter)
        .output()
        .unwrap()
}

/// Runs the tests of this binary whose names contain one of the filters (all, if there are none) once more, on
/// SwiftShader; says so where it was not fetched.
pub(crate) fn again_on_swiftshader(filters: &[&str]) {
    if std::env::var(ONLY).is_ok() {
        return; // This is that run.
    }
    let Some(driver) = swiftshader() else {
        println!("SwiftShader is not present: run scripts/fetch-test-drivers");
        return;
    };
    let output = in_a_process_with(&driver, "SwiftShader", filters);
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}");
    assert!(output.status.success(), "on SwiftShader: {}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("on SwiftShader"), "no test ran on it");
}

/// Runs these tests of this binary once more on a CPU that plays the device, whose own arithmetic rounds correctly, with one as
/// loose as that of GPUs: on the one side of the exact results and on the other. A GPU's own, made looser still, would be
/// beyond what WGSL allows.
pub(crate) fn again_with_loose_arithmetic(filters: &[&str]) {
    const ARITHMETIC: &str = "NATGRAD_ARITHMETIC";
    if is_on_one_adapter() || std::env::var(ARITHMETIC).is_ok() {
        return; // Another test's run.
    }
    let rounds = |adapter: &AdapterSummary| adapter.device_type == natgrad::wgpu::DeviceType::Cpu;
    let usable = |adapter: &AdapterSummary| Device::open(&AdapterChoice::Index(adapter.index)).is_ok();
    let Some(best) = adapters().into_iter().find(|adapter| rounds(adapter) && usable(adapter)) else {
        println!("no usable adapter whose arithmetic rounds correctly: nothing was run");
        return;
    };
    for side in ["short", "long"] {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(filters)
            .args(["--nocapture", "--test-threads=1"])
            .env(ARITHMETIC, side)
            .env(ONLY, best.label())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        println!("{text}");
        assert!(output.status.success(), "{side}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(text.contains(&format!("on {}", best.label())), "no test ran");
    }
}
