//! Which of several ways to do the same work a device does fastest: measured at first use, and remembered.
//!
//! A way to spread an operation over a device is a mapping. Which one is best depends on registers, caches, the cost of an
//! access and the patience of the driver's compiler: nothing that a data sheet tells. So the candidates of a shape are run
//! once, on random data, and the winner and all times are kept in a file of the user's, by adapter, driver and version.
//!
//! A choice is a function of the device and the shape alone, never of the batch: results on one device have the same bits
//! whatever the number of matrices and however they are cut. Devices of one adapter share their choices in a process, also
//! where no file can be written.

mod cache;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::shader::loose::Loose;
use super::{AdapterSummary, DeviceError};

/// The environment variable that names mappings: `svd=lane-4`, or of one shape `svd 64x64=grid-8`; commas between several.
const OVERRIDES: &str = "NATGRAD_MAPPING";

/// The environment variable that turns measuring off: `NATGRAD_TUNING=off`.
const TUNING: &str = "NATGRAD_TUNING";

/// What a candidate may be expected to take to compile; longer ones are not tried.
const PATIENCE: Duration = Duration::from_secs(60);

/// The same on OpenGL, where to compile is to hold the one context: wgpu ends a thread that waits for it for 6 s, such as that
/// of a read-back.
const PATIENCE_OF_GL: Duration = Duration::from_secs(4);

/// Times below this are not the compiler's.
const NOTHING: Duration = Duration::from_millis(50);

/// How mappings are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Tuning {
    /// By what was measured on this device, now or earlier.
    #[default]
    Measured,
    /// By rules alone: no time is spent on measuring, and no file is read or written.
    Preset,
}

/// Where a choice comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChosenBy {
    /// The caller, by [`Device::pin_mapping`](super::Device::pin_mapping).
    Pin,
    /// The environment variable `NATGRAD_MAPPING`.
    Environment,
    /// What was measured on this device, now or earlier.
    Measurement,
    /// There is only one way, or [`Tuning::Preset`].
    Rule,
}

/// How an operation on matrices of one shape is done on a device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Chosen {
    /// The operation and its shape: `svd 64x64 with vectors`.
    pub operation: String,
    /// The mapping's name.
    pub mapping: String,
    /// Why this one.
    pub by: ChosenBy,
    /// Seconds a matrix of every mapping measured; `None` of those not tried, whose code the driver would compile for too
    /// long. Empty where nothing was measured.
    pub seconds: BTreeMap<String, Option<f64>>,
}

/// A way to do an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) name: String,
    /// Multiply-adds in its code, of which compile time is a matter.
    pub(crate) code: usize,
    pub(crate) worth: Worth,
}

/// Where a candidate is worth a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worth {
    /// On every device.
    Everywhere,
    /// Only where it is named.
    Never,
    /// Only where the others take forever to compile: it is slower than they are.
    LastResort,
    /// Not where a CPU plays the device: at a barrier its threads change places one by one, and the compiler cuts the code
    /// in two there. On llvmpipe the SVD in a workgroup's memory was 5 times as slow as the others from 16 to 32 columns,
    /// and took 8 to 21 s to compile, four times theirs.
    CheapBarriers,
    /// Only where a CPU plays the device, to which private memory is as near as any other. A GPU has to have it for all the
    /// invocations that it can hold at once: gigabytes, for some kilobytes each.
    CpusOnly,
}

/// What a candidate took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Timing {
    /// The first run: compiling included.
    pub(crate) first: Duration,
    /// The best run.
    pub(crate) best: Duration,
    /// Matrices of a run.
    pub(crate) count: usize,
}

/// What was measured of an operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Measured {
    mapping: String,
    seconds: BTreeMap<String, Option<f64>>,
}

/// What was measured in this process or earlier, by adapter and operation.
static KNOWN: Mutex<BTreeMap<String, BTreeMap<String, Measured>>> = Mutex::new(BTreeMap::new());

/// Held while something is measured: two at once would disturb each other, and might choose differently.
static MEASURING: Mutex<()> = Mutex::new(());

/// The choices of a device.
#[derive(Debug)]
pub(crate) struct Tuner {
    /// Adapter, driver and version of natgrad.
    device: String,
    /// Drivers that take minutes, and gigabytes, for more than a little code.
    compiles_little: bool,
    /// Devices that are none.
    is_cpu: bool,
    /// What a candidate may take to compile.
    patience: Duration,
    /// Where measurements are kept.
    file: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    tuning: Tuning,
    /// What to take, by operation with or without its shape; later ones come first.
    named: Vec<(String, String, ChosenBy)>,
    chosen: BTreeMap<String, Chosen>,
}

/// The most multiply-adds in code that such drivers are given.
const LITTLE: usize = 300;

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tuner {
    pub(super) fn new(summary: &AdapterSummary) -> Self {
        let named = std::env::var(OVERRIDES).unwrap_or_default();
        let named = named.split(',').filter_map(|pair| pair.split_once('=')).map(|(operation, mapping)| {
            (operation.trim().to_owned(), mapping.trim().to_owned(), ChosenBy::Environment)
        });
        let loose = Loose::wanted();
        let of_arithmetic = loose.map_or(String::new(), |loose| format!(", {loose:?} arithmetic"));
        let off = std::env::var(TUNING).is_ok_and(|value| value == "off");
        let state = State {
            tuning: if off { Tuning::Preset } else { Tuning::Measured },
            named: named.collect(),
            chosen: BTreeMap::new(),
        };
        Self {
            device: format!("{}{}; natgrad {}", summary.label(), of_arithmetic, env!("CARGO_PKG_VERSION")),
            compiles_little: summary.label().contains("SwiftShader"),
            is_cpu: summary.device_type == wgpu::DeviceType::Cpu && loose.is_none(),
            patience: if summary.backend == wgpu::Backend::Gl { PATIENCE_OF_GL } else { PATIENCE },
            file: cache::path(),
            state: Mutex::new(state),
        }
    }

    pub(super) fn set_tuning(&self, tuning: Tuning) {
        let mut state = locked(&self.state);
        state.tuning = tuning;
        state.chosen.clear();
    }

    pub(super) fn pin(&self, operation: &str, mapping: &str) {
        let mut state = locked(&self.state);
        state.named.push((operation.to_owned(), mapping.to_owned(), ChosenBy::Pin));
        state.chosen.clear();
    }

    pub(super) fn compiles_little(&self) -> bool {
        self.compiles_little
    }

    pub(super) fn is_cpu(&self) -> bool {
        self.is_cpu
    }

    pub(super) fn chosen(&self) -> Vec<Chosen> {
        locked(&self.state).chosen.values().cloned().collect()
    }

    /// The candidate to take for an operation on a shape: the one named for it, or the fastest; `candidates` come with the
    /// rule's own choice first. `measure` runs one of them, and must not choose anything itself.
    pub(crate) fn choose<E: From<DeviceError>>(
        &self,
        operation: &str,
        shape: &str,
        candidates: &[Candidate],
        measure: impl FnMut(usize) -> Result<Timing, E>,
    ) -> Result<usize, E> {
        let key = format!("{operation} {shape}");
        let place = |mapping: &str| candidates.iter().position(|candidate| candidate.name == mapping);
        if let Some(chosen) = locked(&self.state).chosen.get(&key)
            && let Some(place) = place(&chosen.mapping)
        {
            return Ok(place);
        }
        let (mapping, by, seconds) = self.decide(operation, &key, candidates, measure)?;
        let place = place(&mapping).ok_or_else(|| DeviceError::NoSuchMapping {
            operation: key.clone(),
            mapping: mapping.clone(),
            candidates: candidates.iter().map(|candidate| candidate.name.clone()).collect(),
        })?;
        let chosen = Chosen { operation: key.clone(), mapping, by, seconds };
        locked(&self.state).chosen.insert(key, chosen);
        Ok(place)
    }

    /// The mapping, why, and what was measured.
    #[allow(clippy::type_complexity, reason = "the three parts of a choice")]
    fn decide<E>(
        &self,
        operation: &str,
        key: &str,
        candidates: &[Candidate],
        measure: impl FnMut(usize) -> Result<Timing, E>,
    ) -> Result<(String, ChosenBy, BTreeMap<String, Option<f64>>), E> {
        let (named, tuning) = {
            let state = locked(&self.state);
            let named = state.named.iter().rev().find(|(of, ..)| of == key || of == operation).cloned();
            (named, state.tuning)
        };
        if let Some((_, mapping, by)) = named {
            return Ok((mapping, by, BTreeMap::new()));
        }
        let possible: Vec<usize> = (0..candidates.len()).filter(|&k| self.is_possible(&candidates[k])).collect();
        let rule = possible.first().map_or(candidates.len().saturating_sub(1), |&first| first);
        if tuning == Tuning::Preset || possible.len() < 2 {
            return Ok((candidates[rule].name.clone(), ChosenBy::Rule, BTreeMap::new()));
        }
        let _alone = locked(&MEASURING);
        if let Some(known) = self.known(key, candidates) {
            return Ok((known.mapping, ChosenBy::Measurement, known.seconds));
        }
        let measured = measured(candidates, possible, self.patience, measure)?;
        locked(&KNOWN).entry(self.device.clone()).or_default().insert(key.to_owned(), measured.clone());
        if let Some(file) = &self.file
            && let Err(error) = cache::add(file, &self.device, key, &measured)
        {
            log::warn!("{} cannot be written ({error}): mappings will be measured again", file.display());
        }
        Ok((measured.mapping, ChosenBy::Measurement, measured.seconds))
    }

    fn is_possible(&self, candidate: &Candidate) -> bool {
        match candidate.worth {
            Worth::Never => false,
            _ if self.compiles_little => candidate.code <= LITTLE,
            Worth::Everywhere => true,
            Worth::LastResort => false,
            Worth::CheapBarriers => !self.is_cpu,
            Worth::CpusOnly => self.is_cpu,
        }
    }

    /// What was measured earlier, if that was between the same candidates.
    fn known(&self, key: &str, candidates: &[Candidate]) -> Option<Measured> {
        let mut known = locked(&KNOWN);
        let of_device = known.entry(self.device.clone()).or_default();
        if !of_device.contains_key(key)
            && let Some(measured) = self.file.as_deref().and_then(|file| cache::find(file, &self.device, key))
        {
            of_device.insert(key.to_owned(), measured);
        }
        let measured = of_device.get(key)?;
        // A later version may have found more ways than an earlier one.
        let possible: BTreeSet<&String> = candidates
            .iter()
            .filter(|candidate| self.is_possible(candidate))
            .map(|candidate| &candidate.name)
            .collect();
        possible.into_iter().eq(measured.seconds.keys()).then(|| measured.clone())
    }
}

/// Runs the candidates, those of little code first, and leaves out what the driver would compile for too long.
fn measured<E>(
    candidates: &[Candidate],
    mut possible: Vec<usize>,
    patience: Duration,
    mut measure: impl FnMut(usize) -> Result<Timing, E>,
) -> Result<Measured, E> {
    possible.sort_by_key(|&k| candidates[k].code);
    let mut seconds: BTreeMap<String, Option<f64>> = BTreeMap::new();
    let mut compiled: Option<(usize, Duration)> = None;
    let mut best: Option<(usize, f64)> = None;
    for k in possible {
        let Candidate { name, code, .. } = &candidates[k];
        if let Some((before, time)) = compiled
            && time > NOTHING
            // In proportion: so it was on Mesa's drivers, from 300 multiply-adds to 15,000.
            && time.as_secs_f64() * *code as f64 > patience.as_secs_f64() * before.max(1) as f64
        {
            seconds.insert(name.clone(), None);
            continue;
        }
        let timing = measure(k)?;
        compiled = Some((*code, timing.first.saturating_sub(timing.best)));
        let each = timing.best.as_secs_f64() / timing.count as f64;
        log::info!("{name}: {each:e} s a matrix, {:.2?} to compile", timing.first.saturating_sub(timing.best));
        seconds.insert(name.clone(), Some(each));
        if best.is_none_or(|(_, least)| each < least) {
            best = Some((k, each));
        }
    }
    let (winner, _) = best.expect("the first candidate is always measured");
    Ok(Measured { mapping: candidates[winner].name.clone(), seconds })
}

#[cfg(test)]
mod tests;
