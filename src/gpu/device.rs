//! An open device.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::adapter::{AdapterChoice, AdapterSummary, choose, enumerate, required_limits};
use super::error::one_line;
use super::kernel::{Def, GeneratedModule, Kernel, KernelSource};
use super::pace::Pace;
use super::pipelines::Pipelines;
use super::pool::Pool;
use super::tune::Tuner;
use super::{Chosen, Commands, DeviceError, Scalar, Tuning};

mod lent;
mod memory;

/// What the self-test found this device good for.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Capabilities {
    /// Defs for every shader: elementary functions to take from natgrad instead of the driver.
    pub(crate) replaced: Vec<&'static str>,
    /// Sums and products that carry their own rounding error are exact behind the opaque barrier.
    pub error_free_transforms: bool,
    /// f64 arithmetic in shaders is offered and sound.
    pub f64: bool,
}

impl Capabilities {
    /// Names of the elementary functions that come from natgrad instead of the driver.
    #[must_use]
    pub fn replaced_functions(&self) -> Vec<String> {
        self.replaced.iter().map(|def| def.trim_start_matches("OWN_").to_lowercase()).collect()
    }
}

/// A device, ready for work. Clones share it.
#[derive(Clone, Debug)]
pub struct Device(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    device: wgpu::Device,
    queue: wgpu::Queue,
    summary: AdapterSummary,
    limits: wgpu::Limits,
    features: wgpu::Features,
    capabilities: Capabilities,
    kernels: Mutex<HashMap<String, Arc<Kernel>>>,
    pool: Arc<Pool>,
    /// Those of them that the host reaches.
    reached: Arc<Pool>,
    /// Buffers for results on their way back.
    returns: Arc<Pool>,
    pace: Arc<Pace>,
    tuner: Arc<Tuner>,
    /// Compiled pipelines on disk, where the driver gives them out.
    pipelines: Option<Arc<Pipelines>>,
    /// Why the device is lost, once it is.
    lost: Arc<Mutex<Option<String>>>,
}

impl Device {
    /// Opens the adapter chosen, with all its limits, and runs the quick self-test.
    ///
    /// # Errors
    /// If there is no such adapter, or every one that matches is refused by the self-test.
    pub fn open(choice: &AdapterChoice) -> Result<Self, DeviceError> {
        Self::open_by(choice, required_limits)
    }

    /// The same with given limits, as on a smaller device.
    ///
    /// # Errors
    /// As [`open`](Self::open), and if the adapter cannot offer these limits.
    pub fn open_with_limits(choice: &AdapterChoice, limits: &wgpu::Limits) -> Result<Self, DeviceError> {
        Self::open_by(choice, |_| limits.clone())
    }

    /// Opens the adapter chosen without testing it, to report on a driver that [`open`](Self::open) refuses. Nothing is
    /// replaced and nothing optional is used.
    ///
    /// # Errors
    /// If there is no such adapter, or it cannot be opened.
    pub fn open_untested(choice: &AdapterChoice) -> Result<Self, DeviceError> {
        Self::first(choice, |index, adapter| Self::open_adapter(index, adapter, required_limits(adapter)))
    }

    fn open_by(choice: &AdapterChoice, limits: impl Fn(&wgpu::Adapter) -> wgpu::Limits) -> Result<Self, DeviceError> {
        Self::first(choice, |index, adapter| Self::open_adapter(index, adapter, limits(adapter))?.tested())
    }

    /// The first of the adapters that a choice means which opens.
    fn first(
        choice: &AdapterChoice,
        open: impl Fn(usize, &wgpu::Adapter) -> Result<Self, DeviceError>,
    ) -> Result<Self, DeviceError> {
        let mut refusals = Vec::new();
        for (index, adapter) in choose(choice)? {
            match open(index, &adapter) {
                Ok(device) => return Ok(device),
                Err(error) => {
                    log::warn!("{error}");
                    refusals.push(error);
                }
            }
        }
        Err(if refusals.len() == 1 { refusals.swap_remove(0) } else { DeviceError::NoneUsable { refusals } })
    }

    fn open_adapter(index: usize, adapter: &wgpu::Adapter, limits: wgpu::Limits) -> Result<Self, DeviceError> {
        let summary = AdapterSummary::new(index, adapter);
        let wanted = wgpu::Features::SHADER_F64
            | wgpu::Features::SUBGROUP
            | wgpu::Features::TIMESTAMP_QUERY
            | wgpu::Features::PIPELINE_CACHE
            | lent::reaching(&summary);
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("natgrad"),
            required_features: adapter.features() & wanted,
            required_limits: limits,
            ..Default::default()
        };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor))
            .map_err(|error| DeviceError::Open { adapter: summary.label(), message: one_line(&error.to_string()) })?;
        // This device is ours alone: what no scope catches is logged, not a panic.
        device.on_uncaptured_error(Arc::new(|error: wgpu::Error| log::error!("{}", one_line(&error.to_string()))));
        let lost = Arc::new(Mutex::new(None));
        let note = Arc::clone(&lost);
        device.set_device_lost_callback(move |reason, message| {
            // Dropping the last handle destroys the device; nobody is left to care.
            if reason != wgpu::DeviceLostReason::Destroyed
                && let Ok(mut lost) = note.lock()
            {
                *lost = Some(one_line(&message));
            }
        });
        Ok(Self::new((device, queue), adapter, summary, lost))
    }

    /// A device of the caller's, opened with [`required_limits`] or less. Their error handler and device-lost
    /// callback stay as they are. The quick self-test is run.
    ///
    /// # Errors
    /// If the driver fails the self-test.
    pub fn from_wgpu(adapter: &wgpu::Adapter, device: wgpu::Device, queue: wgpu::Queue) -> Result<Self, DeviceError> {
        Self::new((device, queue), adapter, AdapterSummary::new(0, adapter), Arc::default()).tested()
    }

    /// What has been opened, untested.
    fn new(
        (device, queue): (wgpu::Device, wgpu::Queue),
        adapter: &wgpu::Adapter,
        summary: AdapterSummary,
        lost: Arc<Mutex<Option<String>>>,
    ) -> Self {
        Self(Arc::new(Inner {
            limits: device.limits(),
            features: device.features(),
            tuner: Arc::new(Tuner::new(&summary)),
            pipelines: Pipelines::open(&device, &adapter.get_info()).map(Arc::new),
            device,
            queue,
            summary,
            capabilities: Capabilities::default(),
            kernels: Mutex::default(),
            pool: Arc::default(),
            reached: Arc::default(),
            returns: Arc::default(),
            pace: Arc::default(),
            lost,
        }))
    }

    /// The same device with the capabilities that the quick self-test finds.
    fn tested(&self) -> Result<Self, DeviceError> {
        Ok(self.with_capabilities(super::selftest::capabilities(self)?))
    }

    /// The same device with other capabilities, and no kernels yet: those composed before knew nothing of them.
    fn with_capabilities(&self, capabilities: Capabilities) -> Self {
        Self(Arc::new(Inner {
            limits: self.0.limits.clone(),
            features: self.0.features,
            device: self.0.device.clone(),
            queue: self.0.queue.clone(),
            summary: self.0.summary.clone(),
            capabilities,
            kernels: Mutex::default(),
            pool: Arc::default(),
            reached: Arc::default(),
            returns: Arc::default(),
            pace: Arc::clone(&self.0.pace),
            tuner: Arc::clone(&self.0.tuner),
            pipelines: self.0.pipelines.clone(),
            lost: Arc::clone(&self.0.lost),
        }))
    }

    /// The same device as its driver left it, with no function replaced: what the self-test tests.
    pub(super) fn untested(&self) -> Self {
        self.with_capabilities(Capabilities::default())
    }

    /// All adapters, best first.
    #[must_use]
    pub fn list() -> Vec<AdapterSummary> {
        enumerate().iter().enumerate().map(|(index, adapter)| AdapterSummary::new(index, adapter)).collect()
    }

    /// The adapter in words and numbers.
    #[must_use]
    pub fn summary(&self) -> &AdapterSummary {
        &self.0.summary
    }

    /// The limits the device was opened with.
    #[must_use]
    pub fn limits(&self) -> &wgpu::Limits {
        &self.0.limits
    }

    /// What the self-test found.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        &self.0.capabilities
    }

    pub(crate) fn features(&self) -> wgpu::Features {
        self.0.features
    }

    /// Where compiled pipelines are kept.
    pub(super) fn pipelines(&self) -> Option<&Pipelines> {
        self.0.pipelines.as_deref()
    }

    pub(super) fn raw(&self) -> &wgpu::Device {
        &self.0.device
    }

    pub(super) fn queue(&self) -> &wgpu::Queue {
        &self.0.queue
    }

    /// The time that one dispatch is to take at most.
    #[must_use]
    pub fn dispatch_budget(&self) -> Duration {
        self.0.pace.budget()
    }

    /// Sets the time that one dispatch of linear algebra is to take at most: 200 ms unless set, a tenth of what watchdogs
    /// allow. Longer work is cut into several dispatches, by the rate at which each kernel was measured to work here. One
    /// never measured is believed to be slow, and where a dispatch took longer the next ones are cut finer; on a device
    /// without timestamps a rate only falls from there and grows back. The least that a dispatch can hold is a workgroup.
    /// Shorter dispatches leave a shared GPU more often to others, and cost more in all. No bit of any result depends on
    /// it. Clones of the device share it.
    pub fn set_dispatch_budget(&self, budget: Duration) {
        self.0.pace.set_budget(budget);
    }

    /// Sets how mappings are chosen: by measurement, unless set or `NATGRAD_TUNING=off`. Clones of the device share it.
    pub fn set_tuning(&self, tuning: Tuning) {
        self.0.tuner.set_tuning(tuning);
    }

    /// Has an operation done by this mapping from now on: of all shapes (`svd`), or of one (`svd 64x64 with vectors`), as
    /// [`mappings`](Self::mappings) names them; what was said last holds. A name that there is not for a shape is an error
    /// of the operation. The environment variable `NATGRAD_MAPPING=svd=lane-4,…` does the same when a device is opened.
    /// Clones of the device share it.
    pub fn pin_mapping(&self, operation: &str, mapping: &str) {
        self.0.tuner.pin(operation, mapping);
    }

    /// How the operations used so far are done: a record from which a run can be pinned to the same bits.
    #[must_use]
    pub fn mappings(&self) -> Vec<Chosen> {
        self.0.tuner.chosen()
    }

    /// Whether the driver is known to take minutes for code without loops that others compile in a second.
    pub(crate) fn compiles_little(&self) -> bool {
        self.0.tuner.compiles_little()
    }

    /// Whether a CPU plays the device. There an access to a buffer is a loop over the invocations that are worked on at once,
    /// with branches in it: much code, so that many accesses had better be a loop than written out one by one.
    pub(crate) fn is_cpu(&self) -> bool {
        self.0.tuner.is_cpu()
    }

    pub(crate) fn tuner(&self) -> &Tuner {
        &self.0.tuner
    }

    pub(crate) fn pace(&self) -> &Arc<Pace> {
        &self.0.pace
    }

    /// The kernel of this source under these defs, composed and compiled once for this device.
    ///
    /// # Errors
    /// If the shader does not compile here.
    pub fn kernel(
        &self,
        source: &KernelSource,
        defs: &[(&str, Def)],
        generated: &[GeneratedModule],
    ) -> Result<Arc<Kernel>, DeviceError> {
        self.kernel_in(Scalar::F32, source, defs, generated)
    }

    /// The same with another scalar type in the place of the shader's `Real`.
    ///
    /// # Errors
    /// If the shader does not compile here.
    pub fn kernel_in(
        &self,
        scalar: Scalar,
        source: &KernelSource,
        defs: &[(&str, Def)],
        generated: &[GeneratedModule],
    ) -> Result<Arc<Kernel>, DeviceError> {
        let key = format!("{} {scalar:?} {defs:?} {generated:?}", source.name);
        if let Ok(kernels) = self.0.kernels.lock()
            && let Some(kernel) = kernels.get(&key)
        {
            return Ok(Arc::clone(kernel));
        }
        let kernel = Arc::new(Kernel::new(self, scalar, source, defs, generated)?);
        if let Ok(mut kernels) = self.0.kernels.lock() {
            kernels.insert(key, Arc::clone(&kernel));
        }
        Ok(kernel)
    }

    /// Starts a list of commands.
    #[must_use]
    pub fn record(&self, label: &str) -> Commands {
        Commands::new(self, label)
    }

    /// Calls wgpu with every kind of error caught and made typed.
    pub(super) fn scoped<R>(&self, what: &str, bytes: u64, call: impl FnOnce() -> R) -> Result<R, DeviceError> {
        self.check_lost()?;
        let device = &self.0.device;
        let internal = device.push_error_scope(wgpu::ErrorFilter::Internal);
        let memory = device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let validation = device.push_error_scope(wgpu::ErrorFilter::Validation);
        let result = call();
        let validation = pollster::block_on(validation.pop());
        let memory = pollster::block_on(memory.pop());
        let internal = pollster::block_on(internal.pop());
        if memory.is_some() {
            return Err(DeviceError::OutOfMemory { bytes, label: what.to_owned() });
        }
        match validation.or(internal) {
            None => Ok(result),
            Some(error) => {
                self.check_lost()?;
                Err(DeviceError::Validation { what: what.to_owned(), message: one_line(&error.to_string()) })
            }
        }
    }

    /// An error once the device is lost.
    pub(super) fn check_lost(&self) -> Result<(), DeviceError> {
        match self.0.lost.lock().ok().and_then(|lost| lost.clone()) {
            Some(reason) => Err(DeviceError::Lost { reason }),
            None => Ok(()),
        }
    }
}
