//! Which adapters there are, and which one is meant.

use super::DeviceError;

/// Which adapter to open.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum AdapterChoice {
    /// The best: discrete before integrated before virtual before software, native APIs before OpenGL.
    #[default]
    Auto,
    /// The adapter of this index in [`Device::list`](super::Device::list).
    Index(usize),
    /// The best adapter whose name or driver contains this text, case aside.
    Name(String),
}

/// An adapter in words and numbers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AdapterSummary {
    /// Position in the list, best first.
    pub index: usize,
    /// The adapter's name.
    pub name: String,
    /// The API it is reached by.
    pub backend: wgpu::Backend,
    /// The driver's name.
    pub driver: String,
    /// The driver's version.
    pub driver_info: String,
    /// Discrete, integrated, virtual or software.
    pub device_type: wgpu::DeviceType,
    /// Its limits.
    pub limits: wgpu::Limits,
    /// Whether shaders may use f64.
    pub f64: bool,
    /// Whether shaders may use subgroup operations.
    pub subgroups: bool,
}

impl AdapterSummary {
    pub(crate) fn new(index: usize, adapter: &wgpu::Adapter) -> Self {
        let info = adapter.get_info();
        let features = adapter.features();
        Self {
            index,
            name: info.name,
            backend: info.backend,
            driver: info.driver,
            driver_info: info.driver_info,
            device_type: info.device_type,
            limits: adapter.limits(),
            f64: features.contains(wgpu::Features::SHADER_F64),
            subgroups: features.contains(wgpu::Features::SUBGROUP),
        }
    }

    /// Name, API and driver on one line.
    #[must_use]
    pub fn label(&self) -> String {
        // OpenGL names no driver and some drivers no version: what is empty leaves no gap.
        let driver = format!("{} {}", self.driver.trim(), self.driver_info.trim());
        match driver.trim() {
            "" => format!("{} ({})", self.name, self.backend),
            driver => format!("{} ({}, {driver})", self.name, self.backend),
        }
    }
}

/// The limits to ask an adapter for when opening a device for [`Device::from_wgpu`](super::Device::from_wgpu): all it
/// has, because a device gets exactly what is asked for and larger buffers mean fewer chunks.
#[must_use]
pub fn required_limits(adapter: &wgpu::Adapter) -> wgpu::Limits {
    adapter.limits()
}

/// All adapters, best first.
pub(crate) fn enumerate() -> Vec<wgpu::Adapter> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    // Validation layers are for debugging natgrad itself; WGPU_DEBUG and WGPU_VALIDATION still turn them on.
    descriptor.flags = wgpu::InstanceFlags::empty().with_env();
    let instance = wgpu::Instance::new(descriptor);
    let mut adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    adapters
        .retain(|adapter| adapter.get_downlevel_capabilities().flags.contains(wgpu::DownlevelFlags::COMPUTE_SHADERS));
    adapters.sort_by_key(|adapter| preference(&adapter.get_info()));
    adapters
}

/// Smaller is better.
fn preference(info: &wgpu::AdapterInfo) -> (u8, u8) {
    let kind = match info.device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    };
    let api = match info.backend {
        wgpu::Backend::Vulkan | wgpu::Backend::Metal | wgpu::Backend::Dx12 => 0,
        _ => 1,
    };
    (kind, api)
}

/// The adapters that a choice means, in the order to try them.
pub(crate) fn choose(choice: &AdapterChoice) -> Result<Vec<(usize, wgpu::Adapter)>, DeviceError> {
    let adapters: Vec<(usize, wgpu::Adapter)> = enumerate().into_iter().enumerate().collect();
    if adapters.is_empty() {
        return Err(DeviceError::NoAdapter);
    }
    let available = || {
        let label = |(index, adapter): &(usize, wgpu::Adapter)| {
            format!("{index}: {}", AdapterSummary::new(*index, adapter).label())
        };
        adapters.iter().map(label).collect::<Vec<_>>().join("; ")
    };
    type Keep<'a> = Box<dyn Fn(&(usize, wgpu::Adapter)) -> bool + 'a>;
    let (asked, keep): (String, Keep<'_>) = match choice {
        AdapterChoice::Auto => return Ok(adapters),
        AdapterChoice::Index(index) => (format!("index {index}"), Box::new(move |(i, _)| i == index)),
        AdapterChoice::Name(name) => {
            let wanted = name.to_lowercase();
            (
                format!("\"{name}\""),
                Box::new(move |(index, adapter)| {
                    AdapterSummary::new(*index, adapter).label().to_lowercase().contains(&wanted)
                }),
            )
        }
    };
    let chosen: Vec<_> = adapters.iter().filter(|adapter| keep(adapter)).cloned().collect();
    if chosen.is_empty() {
        return Err(DeviceError::NoSuchAdapter { asked, available: available() });
    }
    Ok(chosen)
}
