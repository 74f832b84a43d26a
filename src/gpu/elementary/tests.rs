use super::measure::{Point, measure_with};
use super::*;

/// Values by a shader module on a raw wgpu device.
struct Runner {
    name: String,
    device: wgpu::Device,
    queue: wgpu::Queue,
}

fn runners() -> Vec<Runner> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()))
        .into_iter()
        .filter_map(|adapter| {
            let info = adapter.get_info();
            let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor {
                required_limits: adapter.limits(),
                ..Default::default()
            }))
            .ok()?;
            Some(Runner { name: format!("{} ({:?}, {})", info.name, info.backend, info.driver_info), device, queue })
        })
        .collect()
}

fn pipeline(runner: &Runner, own: ElementarySet) -> wgpu::ComputePipeline {
    pipeline_of(runner, own, include_str!("../../../shaders/selftest/elementary.wgsl"))
}
fn pipeline_of(runner: &Runner, own: ElementarySet, source: &str) -> wgpu::ComputePipeline {
    use naga_oil::compose::*;
    let mut composer = Composer::default();
    let defs: std::collections::HashMap<String, ShaderDefValue> =
        own.definitions().map(|d| (d.to_string(), ShaderDefValue::Bool(true))).collect();
    if let Err(e) = composer.add_composable_module(ComposableModuleDescriptor {
        source: include_str!("../../../shaders/shared/elementary.wgsl"),
        file_path: "shared/elementary.wgsl",
        ..Default::default()
    }) {
        panic!("{}", e.emit_to_string(&composer));
    }
    let module = match composer.make_naga_module(NagaModuleDescriptor {
        source,
        file_path: "selftest/elementary.wgsl",
        shader_defs: defs,
        ..Default::default()
    }) {
        Ok(m) => m,
        Err(e) => panic!("{}", e.emit_to_string(&composer)),
    };
    let module = runner.device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: None,
        source: wgpu::ShaderSource::Naga(std::borrow::Cow::Owned(module)),
    });
    runner.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: None,
        module: &module,
        entry_point: Some("main"),
        compilation_options: Default::default(),
        cache: None,
    })
}

fn evaluate(runner: &Runner, pipeline: &wgpu::ComputePipeline, points: &[Point]) -> Vec<f32> {
    use wgpu::util::DeviceExt;
    let words: Vec<u32> =
        points.iter().flat_map(|&(f, (x, y))| [f as u32, x.to_bits(), y.to_bits(), 0]).collect();
    let input = runner.device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
        label: None,
        contents: bytemuck::cast_slice(&words),
        usage: wgpu::BufferUsages::STORAGE,
    });
    let size = 4 * points.len() as u64;
    let make = |usage| {
        runner.device.create_buffer(&wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false })
    };
    let output = make(wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC);
    let back = make(wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST);
    let group = runner.device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(0),
        entries: &[
            wgpu::BindGroupEntry { binding: 0, resource: input.as_entire_binding() },
            wgpu::BindGroupEntry { binding: 1, resource: output.as_entire_binding() },
        ],
    });
    let mut encoder = runner.device.create_command_encoder(&Default::default());
    {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(pipeline);
        pass.set_bind_group(0, &group, &[]);
        pass.dispatch_workgroups((points.len() as u32).div_ceil(64), 1, 1);
    }
    encoder.copy_buffer_to_buffer(&output, 0, &back, 0, size);
    runner.queue.submit([encoder.finish()]);
    back.map_async(wgpu::MapMode::Read, .., |r| r.unwrap());
    runner.device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
    let bits: Vec<u32> = bytemuck::cast_slice(&back.get_mapped_range(..).unwrap()).to_vec();
    bits.into_iter().map(f32::from_bits).collect()
}

#[test]
fn report() {
    let depth = if std::env::var("FULL").is_ok() { Depth::Full } else { Depth::Quick };
    for runner in runners() {
        println!("== {}", runner.name);
        for own in [ElementarySet::ALL, ElementarySet::NONE] {
            let t = std::time::Instant::now();
            let pipeline = pipeline(&runner, own);
            let t1 = t.elapsed();
            let errors = measure_with(depth, own, |points| Ok::<_, ()>(evaluate(&runner, &pipeline, points))).unwrap();
            println!("compile {t1:?} run {:?}", t.elapsed() - t1);
            for e in &errors {
                println!("{}{e}", if e.meets_bound() { "  " } else { "! " });
            }
        }
    }
}

#[test]
fn bench_tmp() {
    for runner in runners() {
        println!("== {}", runner.name);
        for f in Elementary::ALL {
            let call = if f.is_binary() { format!("{}(v, 1.7)", f.name()) } else { format!("{}(v)", f.name()) };
            let src = format!("#import natgrad::elementary::{{{}}}
struct Point {{ function: u32, x: u32, y: u32, padding: u32 }}
@group(0) @binding(0) var<storage, read> points: array<Point>;
@group(0) @binding(1) var<storage, read_write> results: array<u32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
 if id.x >= arrayLength(&points) {{ return; }}
 var v = 0.5 + 0.4*bitcast<f32>(points[id.x].x); var s = 0.0;
 for (var i = 0u; i < 200u; i++) {{ s += {call}; v += 0.0001; }}
 results[id.x] = bitcast<u32>(s); }}", f.name());
            let mut ts = vec![];
            for own in [ElementarySet::ALL, ElementarySet::NONE] {
                let p = pipeline_of(&runner, own, &src);
                let points: Vec<Point> = (0..65536).map(|i| (f, (i as f32 / 65536.0, 0.0))).collect();
                let mut best = f64::MAX;
                for _ in 0..4 { let t = std::time::Instant::now(); evaluate(&runner, &p, &points); best = best.min(t.elapsed().as_secs_f64()); }
                ts.push(best / 65536.0 / 200.0 * 1e9);
            }
            println!("{f}: own {:.3} ns, builtin {:.3} ns", ts[0], ts[1]);
        }
    }
}
