//! Runs `shaders/selftest/elementary.wgsl`: elementary functions at given points, on a wgpu device.

use std::collections::HashMap;
use std::sync::mpsc;

use naga_oil::compose::{ComposableModuleDescriptor, Composer, NagaModuleDescriptor, ShaderDefValue};
use wgpu::util::DeviceExt;

use super::{Elementary, ElementarySet};

/// A function to evaluate and its argument.
pub(super) type Point = (Elementary, (f32, f32));

/// Why elementary functions could not be measured.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MeasureError {
    /// The shader did not compose: a fault of natgrad's own.
    #[error("the shader of the elementary functions does not compose: {0}; please report this")]
    Shader(String),
    /// The device refused the shader, its buffers or its execution.
    #[error(
        "the device cannot run the self-test of the elementary functions: {0}; update its driver or choose another"
    )]
    Device(String),
}

/// The self-test's shader with our own versions of some functions, as a module of naga's.
pub(super) fn compose(own: ElementarySet) -> Result<naga::Module, MeasureError> {
    let mut composer = Composer::default();
    let shared = ComposableModuleDescriptor {
        source: include_str!("../../../shaders/shared/elementary.wgsl"),
        file_path: "shaders/shared/elementary.wgsl",
        ..Default::default()
    };
    if let Err(error) = composer.add_composable_module(shared) {
        return Err(MeasureError::Shader(one_line(&error.emit_to_string(&composer))));
    }
    let shader_defs: HashMap<String, ShaderDefValue> =
        own.definitions().map(|name| (name.to_owned(), ShaderDefValue::Bool(true))).collect();
    composer
        .make_naga_module(NagaModuleDescriptor {
            source: include_str!("../../../shaders/selftest/elementary.wgsl"),
            file_path: "shaders/selftest/elementary.wgsl",
            shader_defs,
            ..Default::default()
        })
        .map_err(|error| MeasureError::Shader(one_line(&error.emit_to_string(&composer))))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The compiled self-test.
pub(super) struct Evaluator<'a> {
    device: &'a wgpu::Device,
    queue: &'a wgpu::Queue,
    pipeline: wgpu::ComputePipeline,
}

impl<'a> Evaluator<'a> {
    pub(super) fn new(
        device: &'a wgpu::Device,
        queue: &'a wgpu::Queue,
        own: ElementarySet,
    ) -> Result<Self, MeasureError> {
        let module = compose(own)?;
        let pipeline = checked(device, || {
            let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some("elementary self-test"),
                source: wgpu::ShaderSource::Naga(std::borrow::Cow::Owned(module)),
            });
            device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some("elementary self-test"),
                layout: None,
                module: &module,
                entry_point: Some("main"),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                cache: None,
            })
        })?;
        Ok(Evaluator { device, queue, pipeline })
    }

    /// The values at `points`, in order.
    pub(super) fn evaluate(&self, points: &[Point]) -> Result<Vec<f32>, MeasureError> {
        let back = checked(self.device, || self.dispatch(points))?;
        let (sender, receiver) = mpsc::channel();
        back.map_async(wgpu::MapMode::Read, .., move |result| {
            // The receiver is gone only if polling failed, and then that failure is reported.
            let _ = sender.send(result);
        });
        self.device
            .poll(wgpu::PollType::wait_indefinitely())
            .map_err(|error| MeasureError::Device(one_line(&error.to_string())))?;
        let mapped = receiver.recv().map_err(|_| MeasureError::Device("its results never came back".to_owned()))?;
        mapped.map_err(|error| MeasureError::Device(one_line(&error.to_string())))?;
        let view = back.get_mapped_range(..).map_err(|error| MeasureError::Device(one_line(&error.to_string())))?;
        Ok(view.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
    }

    fn dispatch(&self, points: &[Point]) -> wgpu::Buffer {
        let words: Vec<u32> =
            points.iter().flat_map(|&(function, (x, y))| [function as u32, x.to_bits(), y.to_bits(), 0]).collect();
        let input = self.device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: Some("elementary points"),
            contents: bytemuck::cast_slice(&words),
            usage: wgpu::BufferUsages::STORAGE,
        });
        let size = 4 * points.len() as u64;
        let buffer = |label, usage| {
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size,
                usage,
                mapped_at_creation: false,
            })
        };
        let output = buffer("elementary values", wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC);
        let back = buffer("elementary readback", wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST);
        let bindings = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("elementary self-test"),
            layout: &self.pipeline.get_bind_group_layout(0),
            entries: &[
                wgpu::BindGroupEntry { binding: 0, resource: input.as_entire_binding() },
                wgpu::BindGroupEntry { binding: 1, resource: output.as_entire_binding() },
            ],
        });
        let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            pass.set_pipeline(&self.pipeline);
            pass.set_bind_group(0, &bindings, &[]);
            pass.dispatch_workgroups(points.len().div_ceil(64) as u32, 1, 1);
        }
        encoder.copy_buffer_to_buffer(&output, 0, &back, 0, size);
        self.queue.submit([encoder.finish()]);
        back
    }
}

/// Does `work` and turns what wgpu has to object into an error, whatever handler the device's owner has set.
fn checked<T>(device: &wgpu::Device, work: impl FnOnce() -> T) -> Result<T, MeasureError> {
    let memory = device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
    let internal = device.push_error_scope(wgpu::ErrorFilter::Internal);
    let validation = device.push_error_scope(wgpu::ErrorFilter::Validation);
    let done = work();
    let errors = [validation.pop(), internal.pop(), memory.pop()];
    pollster::block_on(async {
        for error in errors {
            if let Some(error) = error.await {
                return Err(MeasureError::Device(one_line(&error.to_string())));
            }
        }
        Ok(done)
    })
}
