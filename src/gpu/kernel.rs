//! Kernels: a shader, its bindings, and the pipeline they make on a device.

use super::error::one_line;
use super::pipelines::Entry;
use super::shader::loose::{Loose, loosened};
use super::shader::{Scalar, compose};
use super::{Bindable, Device, DeviceError};

/// How a kernel uses a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// A uniform value.
    Uniform,
    /// Storage, read only.
    Read,
    /// Storage, read and written.
    ReadWrite,
}

/// A buffer that a kernel is given, by the name it has in the shader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The variable's name in the shader.
    pub name: &'static str,
    /// What the kernel does with it.
    pub access: Access,
}

/// A kernel's shader and bindings; binding k is `@group(0) @binding(k)`.
#[derive(Clone, Copy, Debug)]
pub struct KernelSource {
    /// The shader's file name, without folder and ending.
    pub name: &'static str,
    /// Its text.
    pub wgsl: &'static str,
    /// Its bindings, in order.
    pub bindings: &'static [Binding],
}

/// Declares a kernel in one line: `kernel_source!("qr", uniform rules, read block, write factor)`.
macro_rules! kernel_source {
    ($name:literal, $($access:ident $binding:ident),+ $(,)?) => {
        $crate::gpu::KernelSource {
            name: $name,
            wgsl: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $name, ".wgsl")),
            bindings: &[$($crate::gpu::kernel_source!(@binding $access $binding)),+],
        }
    };
    (@binding uniform $binding:ident) => {
        $crate::gpu::Binding { name: stringify!($binding), access: $crate::gpu::Access::Uniform }
    };
    (@binding read $binding:ident) => {
        $crate::gpu::Binding { name: stringify!($binding), access: $crate::gpu::Access::Read }
    };
    (@binding write $binding:ident) => {
        $crate::gpu::Binding { name: stringify!($binding), access: $crate::gpu::Access::ReadWrite }
    };
}
pub(crate) use kernel_source;

/// A constant that specialises a shader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Def {
    /// Present or not, for `#ifdef`.
    Bool(bool),
    /// A number, for `#{NAME}`.
    UInt(u32),
}

/// Shader code made for one model: a module that a kernel imports under a path such as `natgrad::model`, or a part of the
/// kernel's own text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneratedModule {
    /// A name for messages; of a part the one that the kernel's text calls it by.
    pub name: String,
    /// The code; that of a module begins with `#define_import_path`.
    pub wgsl: String,
    /// Whether it takes the place of the line `// @generated NAME`, before loops are unrolled.
    pub is_part: bool,
}

/// A kernel compiled for one device.
#[derive(Debug)]
pub struct Kernel {
    name: &'static str,
    pipeline: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
    bindings: &'static [Binding],
}

impl Kernel {
    pub(super) fn new(
        device: &Device,
        scalar: Scalar,
        source: &KernelSource,
        defs: &[(&str, Def)],
        generated: &[GeneratedModule],
    ) -> Result<Self, DeviceError> {
        let mut all: Vec<(&str, Def)> = defs.to_vec();
        all.extend(device.capabilities().replaced.iter().map(|&def| (def, Def::Bool(true))));
        // Where a CPU plays the device every operation is rounded correctly.
        all.push(("INEXACT", Def::Bool(!device.is_cpu())));
        let mut module = compose(source, &all, generated, scalar)?;
        if let (Some(loose), Scalar::F32) = (Loose::wanted(), scalar) {
            let has_f64 = device.features().contains(wgpu::Features::SHADER_F64);
            module = loosened(&module, loose, has_f64)
                .map_err(|message| DeviceError::Shader { name: source.name.to_owned(), message: one_line(&message) })?;
        }
        let identity = format!("{} {scalar:?} {all:?} {generated:?}", source.name);
        let entries: Vec<wgpu::BindGroupLayoutEntry> = source
            .bindings
            .iter()
            .zip(0u32..)
            .map(|(binding, index)| wgpu::BindGroupLayoutEntry {
                binding: index,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty: wgpu::BindingType::Buffer {
                    ty: match binding.access {
                        Access::Uniform => wgpu::BufferBindingType::Uniform,
                        Access::Read => wgpu::BufferBindingType::Storage { read_only: true },
                        Access::ReadWrite => wgpu::BufferBindingType::Storage { read_only: false },
                    },
                    has_dynamic_offset: false,
                    min_binding_size: None,
                },
                count: None,
            })
            .collect();
        let (pipeline, layout) = device
            .scoped(source.name, 0, || build(device, (source.name, &identity), module, &entries))
            .map_err(|error| match error {
                DeviceError::Validation { message, .. } => {
                    DeviceError::Shader { name: source.name.to_owned(), message: one_line(&message) }
                }
                other => other,
            })?;
        Ok(Self { name: source.name, pipeline, layout, bindings: source.bindings })
    }

    /// The kernel's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn pipeline(&self) -> &wgpu::ComputePipeline {
        &self.pipeline
    }

    /// A bind group of these buffers, in the order of the bindings.
    pub(super) fn bind(&self, device: &Device, buffers: &[&dyn Bindable]) -> Result<wgpu::BindGroup, DeviceError> {
        if buffers.len() != self.bindings.len() {
            return Err(DeviceError::Validation {
                what: format!("kernel {}", self.name),
                message: format!("{} buffers for {} bindings", buffers.len(), self.bindings.len()),
            });
        }
        let entries: Vec<wgpu::BindGroupEntry<'_>> = buffers
            .iter()
            .zip(0u32..)
            .map(|(buffer, binding)| wgpu::BindGroupEntry { binding, resource: buffer.raw().as_entire_binding() })
            .collect();
        device.scoped(self.name, 0, || {
            device.raw().create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(self.name),
                layout: &self.layout,
                entries: &entries,
            })
        })
    }
}

fn build(
    device: &Device,
    (name, identity): (&str, &str),
    module: naga::Module,
    entries: &[wgpu::BindGroupLayoutEntry],
) -> (wgpu::ComputePipeline, wgpu::BindGroupLayout) {
    let (device, pipelines) = (device.raw(), device.pipelines());
    let kept = pipelines.map(|pipelines| pipelines.entry(device, identity));
    let descriptor = wgpu::ShaderModuleDescriptor {
        label: Some(name),
        source: wgpu::ShaderSource::Naga(std::borrow::Cow::Owned(module)),
    };
    let shader = if checks_wanted() {
        device.create_shader_module(descriptor)
    } else {
        // SAFETY: only shaders written or generated here come this way. Their loops are bounded by counts that the
        // host sets, and their indices by sizes that it allocates; the tests run the same shaders with the checks on.
        unsafe { device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked()) }
    };
    let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: Some(name), entries });
    let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some(name),
        bind_group_layouts: &[Some(&layout)],
        ..Default::default()
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(name),
        layout: Some(&pipeline_layout),
        module: &shader,
        entry_point: Some("main"),
        compilation_options: wgpu::PipelineCompilationOptions {
            // Workgroup memory is always written before it is read.
            zero_initialize_workgroup_memory: false,
            ..Default::default()
        },
        cache: kept.as_ref().map(Entry::cache),
    });
    if let Some(kept) = kept {
        kept.keep();
    }
    (pipeline, layout)
}

/// Bounds checks and loop bounding: on in debug builds, and wherever NATGRAD_SHADER_CHECKS=1 asks for them.
fn checks_wanted() -> bool {
    match std::env::var("NATGRAD_SHADER_CHECKS").as_deref() {
        Ok("0") => false,
        Ok(_) => true,
        Err(_) => cfg!(debug_assertions),
    }
}
