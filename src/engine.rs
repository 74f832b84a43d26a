//! The engine: opens a backend, cuts a job into chunks, runs them and collects the outcome.

use std::ops::{ControlFlow, Range};
use std::str::FromStr;
use std::sync::Arc;

pub(crate) use crate::backend::stream::Sink;
use crate::backend::stream::Stream;
use crate::backend::{self, Backend};
use crate::error::{Error, RequestError};
use crate::gpu::{AdapterChoice, Device, DeviceError};
use crate::memory;
use crate::model::ModelError;
use crate::ngd::Precision;
use crate::stability::{self, ContractionMap, Minimiser, Stability, StabilityOptions};
use crate::sweep::{Context, Detail, Job, Outcome, Row, Sweep};

mod each;
mod resident;

pub use resident::Resident;

/// Which device to run on.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Choice {
    /// The best GPU; without a usable one the CPU, with a notice.
    #[default]
    Auto,
    /// The best GPU, or an error.
    Gpu,
    /// The CPU, in f64.
    Cpu,
    /// The adapter of this index in `natgrad devices`.
    Index(usize),
    /// The first adapter whose name or driver contains this text.
    Name(String),
}

impl FromStr for Choice {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.to_ascii_lowercase().as_str() {
            "auto" => Self::Auto,
            "gpu" => Self::Gpu,
            "cpu" => Self::Cpu,
            other => other.parse().map_or_else(|_| Self::Name(text.to_owned()), Self::Index),
        })
    }
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Problems that have ended.
    pub done: u64,
    /// Problems of the run.
    pub total: u64,
}

/// What a run was done with: the content of `plan.json`.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct PlanInfo {
    /// The version of natgrad.
    pub version: String,
    /// The device's name.
    pub device: String,
    /// Its driver, with version.
    pub driver: String,
    /// Vulkan, Metal, Dx12, Gl or CPU.
    pub backend: String,
    /// f32 or f64.
    pub precision: String,
    /// How work is mapped to the device.
    pub mapping: String,
    /// Elementary functions taken from natgrad instead of the driver.
    pub replaced_functions: Vec<String>,
    /// Problems of the whole sweep.
    pub problems: u64,
    /// SHA-256 of data, model, starts and rules.
    pub digest: String,
}

/// Runs sweeps on one device.
#[derive(Debug)]
pub struct Engine {
    backend: Backend,
    description: String,
    notices: Vec<String>,
}

/// Rounding of an input, relative to its range, from which on the user is told.
const BLUR: f64 = 1e-4;

impl Engine {
    /// Opens the chosen device.
    ///
    /// # Errors
    /// If the device asked for is not there, or its driver fails the self-test. [`Choice::Auto`] never fails: without
    /// a usable GPU it takes the CPU and leaves a [notice](Self::notices).
    pub fn open(choice: Choice) -> Result<Self, Error> {
        let adapter = match choice {
            Choice::Cpu => return Ok(Self::cpu(Vec::new())),
            Choice::Auto => {
                return Ok(match Device::open(&AdapterChoice::Auto).and_then(Self::from_device) {
                    Ok(engine) => engine,
                    Err(error) => Self::cpu(vec![format!("no usable GPU ({error}): running on the CPU in f64")]),
                });
            }
            Choice::Gpu => AdapterChoice::Auto,
            Choice::Index(index) => AdapterChoice::Index(index),
            Choice::Name(name) => AdapterChoice::Name(name),
        };
        Ok(Self::from_device(Device::open(&adapter)?)?)
    }

    /// The same for this job: [`Choice::Auto`] takes the CPU, and leaves a notice, where the job is beyond the GPU's
    /// kernels (more parameters than they hold, or a number that f32 does not).
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_for(choice: Choice, job: &Job) -> Result<Self, Error> {
        let is_open = choice == Choice::Auto;
        let engine = Self::open(choice)?;
        match &engine.backend {
            Backend::Gpu(gpu) if is_open => Ok(match gpu.check(job) {
                Ok(()) => engine,
                Err(error) => Self::cpu(vec![format!("running on the CPU in f64: {}", beyond_the_gpu(&error))]),
            }),
            _ => Ok(engine),
        }
    }

    /// An engine over a device that is already open.
    ///
    /// # Errors
    /// If a small SVD comes out wrong on it.
    pub fn from_device(device: Device) -> Result<Self, DeviceError> {
        crate::kernels::check::small_svd(&device)?.accept(&device)?;
        let summary = device.summary();
        let description = format!("{} ({}, {})", summary.name, summary.backend, summary.driver_info);
        Ok(Self { description, backend: Backend::Gpu(backend::gpu::GpuBackend::new(device)), notices: Vec::new() })
    }

    fn cpu(notices: Vec<String>) -> Self {
        let threads = rayon::current_num_threads();
        Self { backend: Backend::Cpu, description: format!("CPU ({threads} threads)"), notices }
    }

    /// The device in words.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The precision of the steps.
    #[must_use]
    pub fn precision(&self) -> Precision {
        self.backend.precision()
    }

    /// Lines for the user: what was chosen for them, and why.
    #[must_use]
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// Lines for the user about this job on this device: inputs that f32 blurs.
    ///
    /// Times since 1970 or wavelengths in metres may differ by less than f32 (24 bits) can tell.
    #[must_use]
    pub fn advice(&self, job: &Job) -> Vec<String> {
        if self.precision() == Precision::F64 {
            return Vec::new();
        }
        let names = job.model().inputs().iter().enumerate();
        names
            .filter_map(|(k, name)| {
                let (low, high) = job
                    .input_values(k)
                    .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
                let rounding = Precision::F32.unit_roundoff() * low.abs().max(high.abs());
                (high > low && rounding > BLUR * (high - low)).then(|| {
                    format!(
                        "column \"{name}\" runs from {low} to {high}: f32 rounds it by {rounding:.1e}; subtract an \
                         offset, or use --device cpu"
                    )
                })
            })
            .collect()
    }

    /// The device, where the engine runs on a GPU.
    #[must_use]
    pub fn device(&self) -> Option<&Device> {
        match &self.backend {
            Backend::Gpu(gpu) => Some(gpu.device()),
            Backend::Cpu => None,
        }
    }

    /// What a run of this job would be done with.
    #[must_use]
    pub fn plan(&self, job: &Job) -> PlanInfo {
        let (device, driver, backend, mapping, replaced_functions) = match &self.backend {
            Backend::Gpu(gpu) => {
                let summary = gpu.device().summary();
                (
                    summary.name.clone(),
                    format!("{} {}", summary.driver, summary.driver_info).trim().to_owned(),
                    summary.backend.to_string(),
                    gpu.mapping(job),
                    gpu.replaced_functions(),
                )
            }
            Backend::Cpu => {
                ("CPU".to_owned(), "faer".to_owned(), "CPU".to_owned(), "a problem a thread".to_owned(), Vec::new())
            }
        };
        PlanInfo {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            device,
            driver,
            backend,
            precision: self.precision().to_string(),
            mapping,
            replaced_functions,
            problems: job.len(),
            digest: job.digest().to_owned(),
        }
    }

    /// The problems of a job's next chunk, at the pace of those before; and the bytes that the largest chunk of at most `most`
    /// problems takes on the device.
    #[cfg(feature = "cli")]
    pub(crate) fn chunk(&self, job: &Job, most: u64) -> (u64, u64) {
        if let Some(gpu) = self.backend.flying(job) {
            return gpu.in_flight(job, most);
        }
        let problems = (self.backend.most_at_once(job) as u64).min(most);
        // The data sets of as many problems, in f32: inputs, response and weight.
        let sets = (most * job.sets() as u64).div_ceil(job.len().max(1)).min(job.sets() as u64);
        let data = 4 * sets * job.most_rows() as u64 * (job.model().row_inputs() as u64 + 2);
        match self.backend.bytes_on_device(job, most) {
            0 => (problems, 0),
            bytes => (problems, bytes + data),
        }
    }

    /// Runs the whole sweep.
    ///
    /// # Errors
    /// If the request is wrong, its results do not fit in memory, or the device fails.
    pub fn run(&self, sweep: &Sweep) -> Result<Outcome, Error> {
        self.run_with(sweep, |_| ControlFlow::Continue(()))
    }

    /// Runs the sweep and reports after every chunk; breaking off returns the problems that have ended by then.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_with(
        &self,
        sweep: &Sweep,
        mut report: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Outcome, Error> {
        let job = sweep.resolve()?;
        self.run_job(&job, 0..job.len(), &mut report)
    }

    /// Runs the sweep without blocking the caller's executor: the chunks are worked off on a thread of their own.
    ///
    /// Dropping the future stops the run after the chunk in flight and gives its results up; nothing else is harmed.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn run_async(self: &Arc<Self>, sweep: &Sweep) -> Result<Outcome, Error> {
        let (sender, receiver) = futures_intrusive::channel::shared::oneshot_channel();
        let wanted = Arc::new(());
        let still_wanted = Arc::downgrade(&wanted);
        let (engine, sweep) = (Arc::clone(self), sweep.clone());
        std::thread::spawn(move || {
            let outcome = engine.run_with(&sweep, |_| match still_wanted.strong_count() {
                0 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            });
            // Nobody listens any more: the results are given up, as promised.
            let _ = sender.send(outcome);
        });
        let outcome = receiver.receive().await;
        drop(wanted);
        outcome.unwrap_or_else(|| {
            Err(DeviceError::Lost { reason: "the worker thread ended without a result".to_owned() }.into())
        })
    }

    /// Runs the problems `range` of a resolved job. A problem's result does not depend on the range it is run in.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_job(
        &self,
        job: &Job,
        range: Range<u64>,
        report: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Outcome, Error> {
        let total = range.end.min(job.len()).saturating_sub(range.start);
        let outcome = Outcome::empty(Arc::new(self.context(job)));
        let mut whole = Whole { outcome, total, starts_are_lent: job.lent_starts().is_some(), report };
        self.stream(job, range.start..range.start + total, &mut whole)?;
        Ok(whole.outcome)
    }

    /// Runs the problems `range` of a resolved job, which has them, into a sink. Where the device fails, the chunks that ended
    /// before are there.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub(crate) fn stream(&self, job: &Job, range: Range<u64>, sink: &mut dyn Sink) -> Result<(), Error> {
        self.backend.check(job)?;
        check_memory(job, sink.held(range.end - range.start))?;
        let context = Arc::new(self.context(job));
        Stream { backend: &self.backend, job, context: &context }.run(range, sink)
    }

    /// Certifies the minimisers that a sweep found: what the update map of natural gradient descent does around each. The
    /// problems that did not converge are counted and not certified.
    ///
    /// # Errors
    /// If the request or an option is wrong, or the device fails.
    pub fn certify(&self, sweep: &Sweep, outcome: &Outcome, options: &StabilityOptions) -> Result<Stability, Error> {
        self.certify_points(&sweep.resolve()?, &Minimiser::of_outcome(outcome), options)
    }

    /// Certifies points of a resolved job, from wherever they come.
    ///
    /// # Errors
    /// As [`certify`](Self::certify); if a θ has the wrong length or is not finite, or there is no such data set.
    pub fn certify_points(
        &self,
        job: &Job,
        points: &[Minimiser],
        options: &StabilityOptions,
    ) -> Result<Stability, Error> {
        if let Some(point) = points.iter().find(|point| point.set >= job.sets()) {
            return Err(RequestError::NoSuchSet { set: point.set, sets: job.sets() }.into());
        }
        stability::certify(&self.backend, &job.held_whole()?, points, options)
    }

    /// Measures by steps how much perturbations of certified minimisers shrink or grow: over step sizes and dampings at the
    /// minimiser of median sharpness, or without dampings over step sizes and minimisers. `None` where none is certified.
    ///
    /// # Errors
    /// As [`certify`](Self::certify).
    pub fn contraction_map(
        &self,
        job: &Job,
        found: &Stability,
        options: &StabilityOptions,
        step_sizes: &[f64],
        dampings: &[f64],
    ) -> Result<Option<ContractionMap>, Error> {
        stability::contraction_map(&self.backend, &job.held_whole()?, found, options, step_sizes, dampings)
    }

    fn context(&self, job: &Job) -> Context {
        Context {
            parameters: job.model().parameters().to_vec(),
            network: job.model().as_network().is_some(),
            parameter_lists: false,
            keys: job.keys().to_vec(),
            rules: job.rules().to_vec(),
            device: self.description.clone(),
            precision: self.precision(),
            errors: job.errors(),
            detail: job.detail(),
            dropped_rows: job.dropped_rows(),
            history: job.history(),
            notices: self.notices.iter().cloned().chain(self.advice(job)).collect(),
            first_seed: job.first_seed(),
        }
    }
}

/// All results of a run in one outcome.
struct Whole<'a> {
    outcome: Outcome,
    total: u64,
    starts_are_lent: bool,
    report: &'a mut dyn FnMut(Progress) -> ControlFlow<()>,
}

impl Sink for Whole<'_> {
    fn outcome(&mut self) -> &mut Outcome {
        if self.outcome.is_empty() {
            // That there is as much has been seen to.
            self.outcome.reserve(usize::try_from(self.total).unwrap_or(0), self.starts_are_lent);
        }
        &mut self.outcome
    }

    fn landed(&mut self, _: u64) -> ControlFlow<()> {
        (self.report)(Progress { done: self.outcome.len() as u64, total: self.total })
    }

    fn cut_after(&self, _: u64) -> u64 {
        u64::MAX
    }

    fn held(&self, problems: u64) -> u64 {
        problems
    }
}

/// Why a job is beyond the GPU, without the advice that has just been followed.
fn beyond_the_gpu(error: &Error) -> String {
    match error {
        Error::Request(RequestError::TooManyParameters { parameters, most }) => {
            format!("the model has {parameters} parameters and the GPU takes at most {most}")
        }
        Error::Model(ModelError::TooManyUnits { units, most }) => {
            format!("the hidden layers but the last have {units} units and the GPU takes at most {most}")
        }
        Error::Request(RequestError::HistoryTooLarge { .. }) => {
            "the history of a problem is larger than a buffer of the GPU".to_owned()
        }
        other => other.to_string(),
    }
}

/// Bytes that the results of a problem take in memory: θ in f64, and the start, where it is not the job's own; the row and the
/// step size; where all is told σ, gradient and sharpness, and but for networks the covariance's triangle and which parameters
/// are mixed; and its history.
pub(crate) fn bytes_each(job: &Job) -> u64 {
    let p = job.model().parameters().len() as u64;
    let points = if job.lent_starts().is_some() { p } else { 2 * p };
    let told = match job.detail() {
        Detail::Essential => 0,
        Detail::Full if job.model().as_network().is_some() => 8 * (p + 2),
        Detail::Full => 8 * (p + 2 + p * (p + 1) / 2) + p,
    };
    let row = size_of::<Row>() as u64 + 8;
    8 * points + row + told + job.history().bytes(job.stop(), job.model().parameters().len())
}

/// Refuses a run whose results would not fit in the memory that is free.
fn check_memory(job: &Job, problems: u64) -> Result<(), RequestError> {
    let history = job.history().bytes(job.stop(), job.model().parameters().len());
    memory::check(1, history, |needed, most, _| RequestError::HistoryTooLarge {
        needed,
        place: "the memory that is free",
        most,
    })?;
    let each = bytes_each(job);
    memory::check(problems, each, |needed, free, fits| RequestError::OutOfMemory { problems, needed, free, fits })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_a_word_an_index_or_a_name() {
        let parse = |text: &str| text.parse::<Choice>().unwrap();
        assert_eq!(parse("AUTO"), Choice::Auto);
        assert_eq!(parse("cpu"), Choice::Cpu);
        assert_eq!(parse("gpu"), Choice::Gpu);
        assert_eq!(parse("2"), Choice::Index(2));
        assert_eq!(parse("SwiftShader"), Choice::Name("SwiftShader".to_owned()));
    }
}
