//! What a device promises, on every adapter present: buffers, kernels, errors that have a type, and the self-test.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use natgrad::gpu::selftest::Outcome;
use natgrad::gpu::{
    Access, AdapterChoice, Binding, Buffer, Def, Depth, Device, DeviceError, KernelSource, layout, required_limits,
};
use natgrad::{Choice, Engine, block_on, wgpu};

mod common;

const fn binding(name: &'static str, access: Access) -> Binding {
    Binding { name, access }
}

const SCALE: KernelSource = KernelSource {
    name: "scale",
    wgsl: "
        @group(0) @binding(0) var<uniform> factor: f32;
        @group(0) @binding(1) var<storage, read> x: array<f32>;
        @group(0) @binding(2) var<storage, read_write> y: array<f32>;
        @compute @workgroup_size(64)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            if id.x < arrayLength(&x) {
                y[id.x] = factor * x[id.x] + #{SHIFT}.0;
            }
        }",
    bindings: &[binding("factor", Access::Uniform), binding("x", Access::Read), binding("y", Access::ReadWrite)],
};

const PLACES: KernelSource = KernelSource {
    name: "places",
    wgsl: "
        #import natgrad::layout::element
        @group(0) @binding(0) var<storage, read> matrices: array<array<u32, 5>>;
        @group(0) @binding(1) var<storage, read_write> places: array<u32>;
        @compute @workgroup_size(64)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            if id.x < arrayLength(&matrices) {
                let m = matrices[id.x];
                places[id.x] = element(m[0], m[1], m[2], m[3], m[4]);
            }
        }",
    bindings: &[binding("matrices", Access::Read), binding("places", Access::ReadWrite)],
};

/// `factor`·x + 1, on the device.
fn scaled(device: &Device, factor: f32, x: &[f32]) -> Result<Vec<f32>, DeviceError> {
    let kernel = device.kernel(&SCALE, &[("SHIFT", Def::UInt(1))], &[])?;
    let input = device.buffer_from("x", x)?;
    let output = device.buffer::<f32>("y", x.len())?;
    let mut commands = device.record("scale");
    let groups = [x.len().div_ceil(64) as u32, 1, 1];
    commands.dispatch(&kernel, &[&device.uniform(&factor)?, &input, &output], groups)?;
    commands.submit()?;
    device.read(&output)
}

#[test]
fn what_goes_down_comes_back_the_same() {
    for device in common::devices() {
        for len in [1, 2, 3, 64, 1_000, 1_000_001] {
            let words: Vec<u32> = (0..len).map(|i: u32| i.wrapping_mul(2_654_435_761)).collect();
            let buffer = device.buffer_from("words", &words).unwrap();
            assert_eq!(buffer.len(), len as usize);
            assert_eq!(device.read(&buffer).unwrap(), words);
        }
        // NaN payloads too: nothing on the way looks at the values.
        let bits = [0x7fc1_2345u32, 0xff80_0001, 0x8000_0000, 1];
        let floats = device.buffer_from("floats", &bits.map(f32::from_bits)).unwrap();
        assert_eq!(device.read(&floats).unwrap().iter().map(|x| x.to_bits()).collect::<Vec<_>>(), bits);
    }
}

#[test]
fn a_new_buffer_is_zero_and_a_cleared_one_again() {
    for device in common::devices() {
        let buffer: Buffer<u32> = device.buffer("zeros", 777).unwrap();
        assert_eq!(device.read(&buffer).unwrap(), vec![0; 777]);
        device.write(&buffer, 5, &[1, 2, 3]).unwrap();
        assert_eq!(device.read(&buffer).unwrap()[4..9], [0, 1, 2, 3, 0]);
        let mut commands = device.record("clear");
        commands.clear(&buffer);
        commands.submit().unwrap();
        assert_eq!(device.read(&buffer).unwrap(), vec![0; 777]);
    }
}

#[test]
fn a_buffer_of_nothing_can_be_made_bound_and_read() {
    for device in common::devices() {
        let empty = device.buffer_from::<f32>("nothing", &[]).unwrap();
        assert!(empty.is_empty());
        assert_eq!(device.read(&empty).unwrap(), Vec::<f32>::new());
        assert_eq!(scaled(&device, 2.0, &[]).unwrap(), Vec::<f32>::new());
    }
}

#[test]
fn a_range_is_read_as_the_commands_before_it_left_it() {
    for device in common::devices() {
        let kernel = device.kernel(&SCALE, &[("SHIFT", Def::UInt(1))], &[]).unwrap();
        let x: Vec<f32> = (0..100u8).map(f32::from).collect();
        let a = device.buffer_from("a", &x).unwrap();
        let b = device.buffer::<f32>("b", x.len()).unwrap();
        let factor = device.uniform(&2.0f32).unwrap();
        let mut commands = device.record("to and fro");
        commands.dispatch(&kernel, &[&factor, &a, &b], [2, 1, 1]).unwrap();
        let once = commands.read_later(&b, 10..13).unwrap();
        commands.dispatch(&kernel, &[&factor, &b, &a], [2, 1, 1]).unwrap();
        let twice = commands.read_later(&a, 99..100).unwrap();
        let nothing = commands.read_later(&a, 7..7).unwrap();
        commands.submit().unwrap();
        // 2x + 1, and 2(2x + 1) + 1; waited for out of order.
        assert_eq!(block_on(twice.wait()).unwrap(), [399.0]);
        assert_eq!(block_on(nothing.wait()).unwrap(), Vec::<f32>::new());
        assert_eq!(block_on(once.wait()).unwrap(), [21.0, 23.0, 25.0]);
    }
}

#[test]
fn a_kernel_is_compiled_once_for_each_set_of_definitions() {
    for device in common::devices() {
        let kernel = |shift| device.kernel(&SCALE, &[("SHIFT", Def::UInt(shift))], &[]).unwrap();
        assert!(Arc::ptr_eq(&kernel(1), &kernel(1)));
        assert!(!Arc::ptr_eq(&kernel(1), &kernel(2)));
    }
}

#[test]
fn the_device_finds_matrix_elements_where_the_host_does() {
    let lanes = layout::LANES;
    for device in common::devices() {
        let mut matrices = Vec::new();
        for (rows, columns) in [(1, 1), (3, 5), (7, 2), (1, 16), (200, 17)] {
            for b in [0, 1, lanes - 1, lanes, 3 * lanes + 5] {
                for (i, j) in
                    [(0, 0), (rows - 1, 0), (0, columns - 1), (rows / 2, columns / 2), (rows - 1, columns - 1)]
                {
                    matrices.push([b, i, j, rows, columns]);
                }
            }
        }
        let expected: Vec<u32> = matrices
            .iter()
            .map(|&[b, i, j, rows, columns]| layout::element(b, i, j, rows, columns, lanes) as u32)
            .collect();
        let words: Vec<[u32; 5]> = matrices.iter().map(|matrix| matrix.map(|x| x as u32)).collect();
        let kernel = device.kernel(&PLACES, &[], &[]).unwrap();
        let input = device.buffer_from("matrices", &words).unwrap();
        let output = device.buffer::<u32>("places", words.len()).unwrap();
        let mut commands = device.record("places");
        commands.dispatch(&kernel, &[&input, &output], [words.len().div_ceil(64) as u32, 1, 1]).unwrap();
        commands.submit().unwrap();
        assert_eq!(device.read(&output).unwrap(), expected);
    }
}

fn is_one_line(error: &DeviceError) -> bool {
    !error.to_string().contains('\n')
}

#[test]
fn a_buffer_that_is_too_large_is_refused_with_both_sizes() {
    for device in common::devices() {
        let limit = device.largest_buffer();
        for len in [limit as usize / 4 + 1, usize::MAX] {
            match device.buffer::<f32>("far too much", len) {
                Err(error @ DeviceError::TooLarge { bytes, limit: stated, .. }) => {
                    assert!(bytes > limit && stated == limit && is_one_line(&error));
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(scaled(&device, 3.0, &[1.0]).unwrap(), [4.0], "the device works on");
    }
}

#[test]
fn wrong_calls_are_typed_errors_and_leave_the_device_usable() {
    for device in common::devices() {
        let kernel = device.kernel(&SCALE, &[("SHIFT", Def::UInt(1))], &[]).unwrap();
        let x = device.buffer_from("x", &[1.0f32]).unwrap();
        let factor = device.uniform(&2.0f32).unwrap();
        let validation = |result: Result<(), DeviceError>| match result {
            Err(error @ DeviceError::Validation { .. }) => assert!(is_one_line(&error), "{error}"),
            other => panic!("{other:?}"),
        };
        // Too few buffers, a storage buffer for a uniform, and the same buffer read and written.
        validation(device.record("few").dispatch(&kernel, &[&factor, &x], [1, 1, 1]));
        validation(device.record("kind").dispatch(&kernel, &[&x, &x, &x], [1, 1, 1]));
        let mut commands = device.record("alias");
        validation(commands.dispatch(&kernel, &[&factor, &x, &x], [1, 1, 1]).and_then(|()| commands.submit()));
        // More workgroups than there may be.
        let y = device.buffer::<f32>("y", 1).unwrap();
        let most = device.limits().max_compute_workgroups_per_dimension;
        if let Some(more) = most.checked_add(1) {
            let mut commands = device.record("many");
            validation(commands.dispatch(&kernel, &[&factor, &x, &y], [more, 1, 1]).and_then(|()| commands.submit()));
        }
        // Past the end.
        validation(device.write(&x, 1, &[1.0]));
        validation(device.write(&x, usize::MAX, &[1.0]));
        validation(device.record("past").read_later(&x, 0..2).map(drop));
        #[expect(clippy::reversed_empty_ranges, reason = "that is what is wrong with it")]
        validation(device.record("backwards").read_later(&x, 1..0).map(drop));
        assert_eq!(scaled(&device, 3.0, &[1.0]).unwrap(), [4.0], "the device works on");
    }
}

#[test]
fn a_shader_that_does_not_compile_or_binds_otherwise_than_declared_is_named() {
    for device in common::devices() {
        let broken = KernelSource { name: "broken", wgsl: "fn main( {", bindings: &[] };
        let undeclared = KernelSource { name: "undeclared", bindings: &SCALE.bindings[..2], ..SCALE };
        for source in [broken, undeclared] {
            match device.kernel(&source, &[("SHIFT", Def::UInt(1))], &[]) {
                Err(error @ DeviceError::Shader { .. }) => {
                    assert!(is_one_line(&error) && error.to_string().contains(source.name), "{error}");
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn an_adapter_that_is_not_there_is_refused_with_a_list_of_those_that_are() {
    if common::adapters().is_empty() {
        println!("no adapter");
        return;
    }
    for choice in [AdapterChoice::Index(99), AdapterChoice::Name("Voodoo 2".to_owned())] {
        let error = Device::open(&choice).unwrap_err();
        assert!(matches!(error, DeviceError::NoSuchAdapter { .. }) && is_one_line(&error), "{error}");
        assert!(error.to_string().contains(&Device::list()[0].name));
    }
}

#[test]
fn an_adapter_opens_by_a_part_of_its_name_whatever_its_case() {
    for device in common::devices() {
        let name: String = device.summary().name.chars().take(6).collect();
        let again = Device::open(&AdapterChoice::Name(name.to_uppercase())).unwrap();
        assert!(again.summary().label().to_lowercase().contains(&name.to_lowercase()));
    }
}

#[test]
fn the_default_limits_of_webgpu_are_enough_and_all_limits_are_used_by_default() {
    for device in common::devices() {
        let choice = AdapterChoice::Index(device.summary().index);
        let small = Device::open_with_limits(&choice, &wgpu::Limits::defaults()).unwrap();
        assert_eq!(small.largest_buffer(), 128 << 20);
        assert_eq!(scaled(&small, 2.0, &[1.0, 2.0]).unwrap(), [3.0, 5.0]);
        assert!(Engine::from_device(small).is_ok());
        assert_eq!(device.limits().max_buffer_size, device.summary().limits.max_buffer_size);
    }
}

/// The caller's own wgpu objects on every adapter that the tests run on.
fn own_objects() -> Vec<(wgpu::Adapter, wgpu::Device, wgpu::Queue)> {
    let usable: Vec<String> = common::devices().iter().map(|device| device.summary().label()).collect();
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapters = block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    let mut objects = Vec::new();
    for adapter in adapters {
        let info = adapter.get_info();
        if !usable.iter().any(|label| label.contains(&info.name) && label.contains(&info.driver_info)) {
            continue;
        }
        let descriptor = wgpu::DeviceDescriptor { required_limits: required_limits(&adapter), ..Default::default() };
        let (device, queue) = block_on(adapter.request_device(&descriptor)).unwrap();
        objects.push((adapter, device, queue));
    }
    assert_eq!(objects.len(), usable.len());
    objects
}

#[test]
fn a_callers_device_works_and_keeps_its_error_handler() {
    for (adapter, raw, queue) in own_objects() {
        let caught = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&caught);
        raw.on_uncaptured_error(Arc::new(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
        }));
        let device = Device::from_wgpu(&adapter, raw.clone(), queue).unwrap();
        assert_eq!(scaled(&device, 2.0, &[1.0]).unwrap(), [3.0]);
        // Errors in natgrad's calls are natgrad's …
        let x = device.buffer_from("x", &[1.0f32]).unwrap();
        assert!(device.write(&x, 1, &[1.0]).is_err());
        assert_eq!(caught.load(Ordering::Relaxed), 0);
        // … and errors in the caller's calls go where they went before.
        let _invalid = raw.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: u64::MAX / 2,
            usage: wgpu::BufferUsages::STORAGE,
            mapped_at_creation: false,
        });
        assert!(caught.load(Ordering::Relaxed) > 0, "the caller's handler was replaced");
    }
}

#[test]
fn a_device_that_is_lost_gives_typed_errors_and_neither_panics_nor_hangs() {
    for (adapter, raw, queue) in own_objects() {
        raw.on_uncaptured_error(Arc::new(|_| {}));
        let device = Device::from_wgpu(&adapter, raw.clone(), queue).unwrap();
        let before = device.buffer_from("before", &[1.0f32; 100]).unwrap();
        let engine = Engine::from_device(device.clone()).unwrap();
        raw.destroy();
        let started = Instant::now();
        let typed = |error: DeviceError| {
            assert!(matches!(error, DeviceError::Lost { .. } | DeviceError::Validation { .. }), "{error:?}");
            assert!(is_one_line(&error));
        };
        typed(device.read(&before).unwrap_err());
        typed(scaled(&device, 2.0, &[1.0]).unwrap_err());
        let model = natgrad::Model::parse("a*x", &["a"]).unwrap();
        let data = natgrad::Data::from_columns([("x", vec![1.0, 2.0]), ("y", vec![2.0, 4.0])]).unwrap();
        let sweep = natgrad::Sweep::new(&model, &data).start([1.0]);
        match engine.run(&sweep) {
            Err(natgrad::Error::Device(error)) => typed(error),
            other => panic!("{other:?}"),
        }
        assert!(started.elapsed() < Duration::from_secs(20));
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
