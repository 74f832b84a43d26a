//! Buffers, commands, kernels and errors of the device layer, on every adapter present.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use natgrad::gpu::{
    Access, AdapterChoice, Binding, Buffer, Def, Device, KernelSource, Readback, layout, required_limits,
};
use natgrad::{Data, Detail, DeviceError, Engine, Model, Sweep, wgpu};

mod common;
use common::for_each_device;

/// Adds STEP to every value.
const ADD: KernelSource = KernelSource {
    name: "add",
    wgsl: "
@group(0) @binding(0) var<storage, read_write> values: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < arrayLength(&values) {
        values[id.x] += #{STEP}u;
    }
}
",
    bindings: &[Binding { name: "values", access: Access::ReadWrite }],
};

fn step(step: u32) -> [(&'static str, Def); 1] {
    [("STEP", Def::UInt(step))]
}

#[test]
fn what_is_written_comes_back_whatever_its_length() {
    for_each_device(|device| {
        for len in [0, 1, 3, 1000, 100_003] {
            let words: Vec<u32> = (0..len).map(|k: u32| k.wrapping_mul(2_654_435_769)).collect();
            let buffer = device.buffer_from("words", &words).unwrap();
            assert_eq!(buffer.len(), words.len());
            assert_eq!(device.read(&buffer).unwrap(), words);
            let triples: Vec<[f32; 3]> = (0..len).map(|k| [k as f32, -0.5, f32::MAX]).collect();
            let buffer = device.buffer_from("triples", &triples).unwrap();
            assert_eq!(device.read(&buffer).unwrap(), triples);
        }
    });
}

#[test]
fn a_new_buffer_holds_zeros_and_a_write_changes_its_own_elements_only() {
    for_each_device(|device| {
        let buffer = device.buffer::<u32>("words", 10).unwrap();
        assert_eq!(device.read(&buffer).unwrap(), [0; 10]);
        device.write(&buffer, 3, &[7, 8]).unwrap();
        device.write(&buffer, 10, &[]).unwrap();
        assert_eq!(device.read(&buffer).unwrap(), [0, 0, 0, 7, 8, 0, 0, 0, 0, 0]);
        assert_eq!(device.read_range(&buffer, 4..6).unwrap(), [8, 0]);
        assert!(device.read_range(&buffer, 10..10).unwrap().is_empty());
    });
}

#[test]
fn elements_beyond_the_end_are_an_error_that_says_how_many_there_are() {
    for_each_device(|device| {
        let buffer = device.buffer::<u32>("words", 2).unwrap();
        let other = device.buffer::<u32>("others", 2).unwrap();
        let add = device.kernel(&ADD, &step(1), &[]).unwrap();
        let mut commands = device.record("out of range");
        let errors = [
            // 2 elements lie in 16 bytes, the least that a device binds: the third would be silently accepted.
            device.write(&buffer, 2, &[1]).unwrap_err(),
            device.write(&buffer, usize::MAX, &[1]).unwrap_err(),
            device.read_range(&buffer, 1..3).unwrap_err(),
            commands.copy(&buffer, 0..2, &other, 1).unwrap_err(),
            commands.copy(&buffer, 0..3, &other, 0).unwrap_err(),
            commands.dispatch_indirect(&add, &[&buffer], &other, 0).unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error, DeviceError::OutOfRange { len: 2, .. }), "{error:?}");
            assert_eq!(error.to_string().lines().count(), 1);
        }
        // None of it was recorded: the list can still be handed in.
        commands.submit().unwrap();
        assert_eq!(device.read(&other).unwrap(), [0, 0]);
    });
}

#[test]
fn a_buffer_larger_than_the_limits_is_refused_before_memory_is_asked_for() {
    for_each_device(|device| {
        let limit = device.largest_buffer();
        for len in [limit as usize / 4 + 1, usize::MAX] {
            match device.buffer::<f32>("everything", len).unwrap_err() {
                DeviceError::TooLarge { bytes, limit: said, label } => {
                    assert!(bytes > limit, "{bytes}");
                    assert_eq!(said, limit);
                    assert_eq!(label, "everything");
                }
                other => panic!("{other:?}"),
            }
        }
        if device.limits().max_uniform_buffer_binding_size < 1 << 17 {
            let error = device.uniform(&[[0.0f32; 4096]; 8]).unwrap_err();
            assert!(matches!(error, DeviceError::TooLarge { bytes: 131_072, .. }), "{error:?}");
        }
    });
}

#[test]
fn commands_run_in_order_and_a_readback_shows_the_moment_at_which_it_was_recorded() {
    for_each_device(|device| {
        let add = device.kernel(&ADD, &step(5), &[]).unwrap();
        let values = device.buffer_from("values", &[1u32, 2, 3]).unwrap();
        let kept = device.buffer::<u32>("kept", 4).unwrap();
        let mut commands = device.record("order");
        let before = commands.read_later(&values, 0..3).unwrap();
        commands.dispatch(&add, &[&values], [1, 1, 1]).unwrap();
        let once = commands.read_later(&values, 1..3).unwrap();
        commands.dispatch(&add, &[&values], [1, 1, 1]).unwrap();
        commands.copy(&values, 0..2, &kept, 2).unwrap();
        commands.clear(&values).unwrap();
        commands.submit().unwrap();
        assert_eq!(pollster::block_on(before.wait()).unwrap(), [1, 2, 3]);
        assert_eq!(pollster::block_on(once.wait()).unwrap(), [7, 8]);
        assert_eq!(device.read(&kept).unwrap(), [0, 0, 11, 12]);
        assert_eq!(device.read(&values).unwrap(), [0, 0, 0]);
    });
}

#[test]
fn a_readback_of_commands_that_were_not_submitted_is_an_error() {
    for_each_device(|device| {
        let values = device.buffer_from("values", &[1u32, 2, 3]).unwrap();
        let mut commands = device.record("not submitted");
        let [here, later] = [0, 1].map(|_| commands.read_later(&values, 0..3).unwrap());
        let errors = [here.wait_here().unwrap_err(), pollster::block_on(later.wait()).unwrap_err()];
        assert!(errors.iter().all(|error| error.to_string().contains("not submitted")), "{errors:?}");
        assert_eq!(device.read(&values).unwrap(), [1, 2, 3]);
    });
}

#[test]
fn an_indirect_dispatch_runs_as_many_workgroups_as_the_buffer_says() {
    for_each_device(|device| {
        let add = device.kernel(&ADD, &step(1), &[]).unwrap();
        for groups in [0, 1, 3] {
            let values = device.buffer::<u32>("values", 256).unwrap();
            let workgroups = device.buffer_from("workgroups", &[9, groups, 1, 1]).unwrap();
            let mut commands = device.record("indirect");
            commands.dispatch_indirect(&add, &[&values], &workgroups, 1).unwrap();
            commands.submit().unwrap();
            let touched = device.read(&values).unwrap().iter().filter(|&&value| value == 1).count();
            assert_eq!(touched, 64 * groups as usize);
        }
    });
}

#[test]
fn a_kernel_is_compiled_once_for_each_set_of_constants() {
    for_each_device(|device| {
        let one = device.kernel(&ADD, &step(1), &[]).unwrap();
        assert!(Arc::ptr_eq(&one, &device.kernel(&ADD, &step(1), &[]).unwrap()));
        assert!(!Arc::ptr_eq(&one, &device.kernel(&ADD, &step(2), &[]).unwrap()));
    });
}

#[test]
fn commands_that_do_not_fit_are_errors_and_the_device_goes_on() {
    for_each_device(|device| {
        let add = device.kernel(&ADD, &step(1), &[]).unwrap();
        let values = device.buffer::<u32>("values", 1).unwrap();
        let uniform = device.uniform(&1u32).unwrap();
        let mut commands = device.record("wrong");
        assert!(matches!(commands.dispatch(&add, &[], [1, 1, 1]), Err(DeviceError::Validation { .. })));
        // A uniform is no storage.
        assert!(matches!(commands.dispatch(&add, &[&uniform], [1, 1, 1]), Err(DeviceError::Validation { .. })));

        let most = device.limits().max_compute_workgroups_per_dimension;
        if let Some(more) = most.checked_add(1) {
            let mut commands = device.record("too many");
            let recorded = commands.dispatch(&add, &[&values], [more, 1, 1]);
            let error = recorded.and_then(|()| commands.submit()).unwrap_err();
            assert!(matches!(error, DeviceError::Validation { .. }), "{error:?}");
            assert_eq!(error.to_string().lines().count(), 1, "{error}");
        }
        assert_eq!(device.read(&values).unwrap(), [0]);
    });
}

#[test]
fn the_shader_and_the_host_agree_where_an_element_of_a_batch_lies() {
    const SOURCE: KernelSource = KernelSource {
        name: "where",
        wgsl: "
#import natgrad::layout::{element, LANES}
@group(0) @binding(0) var<storage, read_write> places: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x == 0u {
        places[0] = LANES;
    } else if id.x < arrayLength(&places) {
        let k = id.x - 1u;
        places[id.x] = element(k / 15u, k % 3u, k / 3u % 5u, 3u, 5u);
    }
}
",
        bindings: &[Binding { name: "places", access: Access::ReadWrite }],
    };
    for_each_device(|device| {
        let batch = 200;
        let places = device.buffer::<u32>("places", 1 + 15 * batch).unwrap();
        let kernel = device.kernel(&SOURCE, &[], &[]).unwrap();
        let mut commands = device.record("where");
        commands.dispatch(&kernel, &[&places], [(places.len() as u32).div_ceil(64), 1, 1]).unwrap();
        commands.submit().unwrap();
        let places = device.read(&places).unwrap();
        let lanes = places[0] as usize;
        for (k, &place) in places[1..].iter().enumerate() {
            let expected = layout::element(k / 15, k % 3, k / 3 % 5, 3, 5, lanes);
            assert_eq!(place as usize, expected, "problem {}, lanes {lanes}", k / 15);
        }
    });
}

#[test]
fn the_shaders_tell_nan_infinity_and_powers_of_two_by_their_bits() {
    const SOURCE: KernelSource = KernelSource {
        name: "bits",
        wgsl: "
#import natgrad::bits::{is_finite, is_nan, power_of_two}
@group(0) @binding(0) var<storage, read> values: array<f32>;
@group(0) @binding(1) var<storage, read_write> answers: array<vec3<u32>>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < arrayLength(&values) {
        let x = values[id.x];
        answers[id.x] = vec3<u32>(u32(is_finite(x)), u32(is_nan(x)), bitcast<u32>(power_of_two(x)));
    }
}
",
        bindings: &[
            Binding { name: "values", access: Access::Read },
            Binding { name: "answers", access: Access::ReadWrite },
        ],
    };
    let values = [
        0.0,
        -0.0,
        1.0,
        -1.5,
        0.1,
        3.999_999_8,
        f32::MIN_POSITIVE,
        f32::MAX,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        -f32::NAN,
        f32::from_bits(0x7f80_0001),
    ];
    for_each_device(|device| {
        let input = device.buffer_from("values", &values).unwrap();
        let answers = device.buffer::<[u32; 4]>("answers", values.len()).unwrap();
        let kernel = device.kernel(&SOURCE, &[], &[]).unwrap();
        let mut commands = device.record("bits");
        commands.dispatch(&kernel, &[&input, &answers], [1, 1, 1]).unwrap();
        commands.submit().unwrap();
        for (x, [finite, nan, power, _]) in values.into_iter().zip(device.read(&answers).unwrap()) {
            assert_eq!((finite == 1, nan == 1), (x.is_finite(), x.is_nan()), "{x}");
            let power = f32::from_bits(power);
            assert!(power > 0.0 && power.is_finite(), "{power} for {x}");
            assert_eq!(power.to_bits() & 0x007f_ffff, 0, "{power} is no power of two");
            assert!((1.0 / power).is_normal(), "the reciprocal of {power}");
            if x.is_normal() && (1e-37..1e37).contains(&x.abs()) {
                assert!(power <= x.abs() && x.abs() < 2.0 * power, "{power} for {x}");
            }
        }
    });
}

/// Wakes the thread that runs `run`: an executor that knows nothing of devices.
struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn run<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

#[test]
fn a_readback_completes_under_an_executor_that_never_polls_the_device() {
    for_each_device(|device| {
        let buffer = device.buffer_from("words", &[1u32, 2, 3]).unwrap();
        assert_eq!(run(device.read_async(&buffer)).unwrap(), [1, 2, 3]);
    });
}

#[test]
fn a_readback_that_is_dropped_half_way_harms_nothing() {
    for_each_device(|device| {
        let buffer = device.buffer_from("words", &vec![3u32; 100_000]).unwrap();
        for _ in 0..20 {
            let mut future = Box::pin(device.read_async(&buffer));
            // Started, then given up, whether it was done or not.
            let _ = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            drop(future);
        }
        assert_eq!(device.read_range(&buffer, 0..2).unwrap(), [3, 3]);
    });
}

/// So many dispatches, and their results on their way back.
fn toil(device: &Device, values: &Buffer<u32>, dispatches: usize) -> Readback<u32> {
    let add = device.kernel(&ADD, &step(1), &[]).unwrap();
    let mut commands = device.record("toil");
    for _ in 0..dispatches {
        commands.dispatch(&add, &[values], [values.len() as u32 / 64, 1, 1]).unwrap();
    }
    let after = commands.read_later(values, 0..1).unwrap();
    commands.submit().unwrap();
    after
}

#[test]
fn a_readback_waits_for_its_own_commands_and_for_none_submitted_since() {
    for_each_own_device(|raw, _, open| {
        let device = open().unwrap();
        println!("on {}", device.summary().label());
        let values = device.buffer::<u32>("values", 1 << 20).unwrap();
        // Work that takes the device far longer than the host takes to hear of what went before.
        let (mut dispatches, mut took) = (1, Duration::ZERO);
        while took < Duration::from_millis(500) {
            dispatches *= 2;
            let start = Instant::now();
            pollster::block_on(toil(&device, &values, dispatches).wait()).unwrap();
            took = start.elapsed();
        }
        let start = device.read_range(&values, 0..1).unwrap()[0];
        let first = toil(&device, &values, 1);
        let second = toil(&device, &values, dispatches);
        let has_ended = || raw.poll(wgpu::PollType::Poll).unwrap().is_queue_empty();
        if has_ended() {
            println!("works while commands are submitted: nothing to wait for");
            return;
        }
        assert_eq!(first.wait_here().unwrap(), [start + 1]);
        assert!(!has_ended(), "all {dispatches} dispatches submitted later had ended, too");
        assert_eq!(second.wait_here().unwrap(), [start + 1 + dispatches as u32]);
        // And under an executor, of commands that have not ended when it is asked.
        let start = start + 1 + dispatches as u32;
        let first = toil(&device, &values, dispatches);
        let second = toil(&device, &values, dispatches);
        assert_eq!(run(first.wait()).unwrap(), [start + dispatches as u32]);
        assert!(!has_ended(), "all {dispatches} dispatches submitted later had ended, too");
        assert_eq!(run(second.wait()).unwrap(), [start + 2 * dispatches as u32]);
    });
}

#[test]
fn threads_that_share_a_device_each_read_their_own_results() {
    for_each_device(|device| {
        std::thread::scope(|scope| {
            for thread in 0..4u32 {
                scope.spawn(move || {
                    let add = device.kernel(&ADD, &step(thread), &[]).unwrap();
                    let values = device.buffer_from("values", &[100 * thread; 70]).unwrap();
                    for round in 1..=25 {
                        let mut commands = device.record("shared");
                        commands.dispatch(&add, &[&values], [2, 1, 1]).unwrap();
                        commands.submit().unwrap();
                        assert_eq!(device.read(&values).unwrap(), [(100 + round) * thread; 70]);
                    }
                });
            }
        });
    });
}

/// The caller's own wgpu objects, on every adapter whose driver is sound.
fn for_each_own_device(claim: impl Fn(&wgpu::Device, &wgpu::Queue, &dyn Fn() -> Result<Device, DeviceError>)) {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    for adapter in pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all())) {
        // Where a CPU plays the device natgrad writes in place, if it may.
        let in_place = wgpu::Features::MAPPABLE_PRIMARY_BUFFERS & adapter.features();
        let is_cpu = adapter.get_info().device_type == wgpu::DeviceType::Cpu;
        let descriptor = wgpu::DeviceDescriptor {
            required_limits: required_limits(&adapter),
            required_features: if is_cpu { in_place } else { wgpu::Features::empty() },
            ..wgpu::DeviceDescriptor::default()
        };
        let Ok((device, queue)) = pollster::block_on(adapter.request_device(&descriptor)) else {
            continue;
        };
        let open = || Device::from_wgpu(&adapter, device.clone(), queue.clone());
        match open() {
            Ok(_) => claim(&device, &queue, &open),
            Err(error) => println!("not on {}: {error}", adapter.get_info().name),
        }
    }
}

#[test]
fn a_device_of_the_callers_keeps_its_error_handler_and_sees_no_error_of_ours() {
    for_each_own_device(|raw, _, open| {
        let seen = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&seen);
        raw.on_uncaptured_error(Arc::new(move |_: wgpu::Error| {
            count.fetch_add(1, Ordering::SeqCst);
        }));
        let device = open().unwrap();
        let add = device.kernel(&ADD, &step(1), &[]).unwrap();
        let uniform = device.uniform(&1u32).unwrap();
        let mut commands = device.record("wrong");
        commands.dispatch(&add, &[&uniform], [1, 1, 1]).unwrap_err();
        assert_eq!(seen.load(Ordering::SeqCst), 0, "an error of natgrad's reached the caller's handler");

        // A mistake of the caller's own: a buffer for nothing at all.
        let _ = raw.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: 16,
            usage: wgpu::BufferUsages::empty(),
            mapped_at_creation: false,
        });
        assert_eq!(seen.load(Ordering::SeqCst), 1, "the caller's handler was replaced");
    });
}

#[test]
fn a_device_that_goes_away_gives_errors_and_neither_panics_nor_waits() {
    for_each_own_device(|raw, _, open| {
        let device = open().unwrap();
        let add = device.kernel(&ADD, &step(1), &[]).unwrap();
        let values = device.buffer_from("values", &vec![1u32; 1 << 16]).unwrap();
        let mut pending = device.record("pending");
        pending.dispatch(&add, &[&values], [1 << 10, 1, 1]).unwrap();
        let readback = pending.read_later(&values, 0..1).unwrap();
        pending.submit().unwrap();
        let mut recorded = device.record("recorded");
        recorded.dispatch(&add, &[&values], [1, 1, 1]).unwrap();
        let engine = Engine::from_device(device.clone()).unwrap();
        let model = Model::parse("a*x", &["a"]).unwrap();
        let data = Data::from_columns([("x", vec![1.0, 2.0]), ("y", vec![2.0, 4.0])]).unwrap();
        let sweep = Sweep::new(&model, &data).starts_from_array(vec![1.0]).detail(Detail::Essential);
        assert_eq!(engine.run(&sweep).unwrap().len(), 1);

        raw.destroy();

        // What was under way may still arrive, or be lost; it may not be wrong.
        match pollster::block_on(readback.wait()) {
            Ok(value) => assert_eq!(value, [2]),
            Err(error) => assert!(matches!(error, DeviceError::Lost { .. }), "{error:?}"),
        }
        // Calls on a lost device may be accepted and do nothing; results never come back as if they were some.
        let _ = recorded.submit();
        let _ = device.write(&values, 0, &[3]);
        let _ = device.buffer::<u32>("late", 4);
        // The memory that the run before was given is no longer there to be written to again.
        engine.run(&sweep).unwrap_err();
        let error = device.read(&values).unwrap_err();
        assert!(matches!(error, DeviceError::Lost { .. } | DeviceError::Validation { .. }), "{error:?}");
        assert_eq!(error.to_string().lines().count(), 1, "{error}");
    });
}

#[test]
fn an_adapter_that_is_not_there_is_an_error_that_lists_those_that_are() {
    let adapters = Device::list();
    for choice in [AdapterChoice::Index(1000), AdapterChoice::Name("abacus".to_owned())] {
        let error = Device::open(&choice).unwrap_err();
        if adapters.is_empty() {
            assert!(matches!(error, DeviceError::NoAdapter));
            continue;
        }
        let message = error.to_string();
        assert!(message.contains("1000") || message.contains("abacus"), "{message}");
        for adapter in &adapters {
            assert!(message.contains(&adapter.name) && message.contains(&adapter.driver_info), "{message}");
        }
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}

#[test]
fn an_adapter_is_found_by_part_of_its_name_or_driver_in_any_case() {
    for summary in Device::list() {
        for part in [summary.name.to_uppercase(), summary.driver.to_lowercase()] {
            let Ok(device) = Device::open(&AdapterChoice::Name(part.clone())) else {
                println!("not on {}: refused", summary.label());
                continue;
            };
            let found = device.summary().label().to_lowercase();
            assert!(found.contains(&part.to_lowercase()), "{part} found {found}");
        }
    }
}

#[test]
fn loose_arithmetic_is_off_on_the_side_that_was_asked_for() {
    common::again_with_loose_arithmetic(&["the_arithmetic_of_shaders_is_as_loose_as_asked"]);
}

#[test]
fn the_arithmetic_of_shaders_is_as_loose_as_asked() {
    const SOURCE: KernelSource = KernelSource {
        name: "loose",
        wgsl: "
@group(0) @binding(0) var<storage, read> x: array<vec2<f32>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < arrayLength(&x) {
        let a = x[id.x].x;
        let b = x[id.x].y;
        y[id.x] = vec4<f32>(a / b, sqrt(a), a * b - a * b, 0.0);
    }
}
",
        bindings: &[Binding { name: "x", access: Access::Read }, Binding { name: "y", access: Access::ReadWrite }],
    };
    let side = match std::env::var("NATGRAD_ARITHMETIC").as_deref() {
        Ok("short") => -1,
        Ok("long") => 1,
        _ => return, // A device's own.
    };
    let pairs: Vec<[f32; 2]> = (0..500).map(|k| [1.0 + 0.37 * k as f32, 3.0 + 0.11 * k as f32]).collect();
    for_each_device(|device| {
        let x = device.buffer_from("x", &pairs).unwrap();
        let y = device.buffer::<[f32; 4]>("y", pairs.len()).unwrap();
        let kernel = device.kernel(&SOURCE, &[], &[]).unwrap();
        let mut commands = device.record("loose");
        commands.dispatch(&kernel, &[&x, &y], [8, 1, 1]).unwrap();
        commands.submit().unwrap();
        let mut fused = 0;
        for ([a, b], [quotient, root, difference, _]) in pairs.iter().zip(device.read(&y).unwrap()) {
            let is_power = b.to_bits() << 9 == 0;
            let expected = (a / b).to_bits() as i32 + if is_power { 0 } else { 2 * side };
            assert_eq!(quotient.to_bits() as i32, expected, "{a}/{b}");
            // The next number on that side of the root, which may be the one that is nearest.
            let exact = f64::from(*a).sqrt();
            let off = (f64::from(root) - exact) * f64::from(side);
            assert!(off >= 0.0 && off < f64::from(a.sqrt().next_up() - a.sqrt()), "√{a} is {root}");
            fused += usize::from(difference != 0.0);
        }
        // By way of f64; without, a driver may take the built-in function apart.
        assert!(!device.summary().f64 || fused > 400, "{fused} of 500");
    });
}

#[test]
fn all_this_holds_on_swiftshader_too() {
    common::again_on_swiftshader(&[]);
}
