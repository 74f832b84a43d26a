//! What a device reaches at most: multiply-adds and bytes copied a second, measured on the device itself.
//!
//! A fraction of these says how far a kernel is from what its device can do; a data sheet does not know the driver, the
//! clock of the day or the other half of the machine. Each peak is the best of several kernels, because no single one
//! is the best everywhere, timed by the wall clock around whole submits of calibrated length.
//!
//! - Multiply-adds: 4 to 16 independent recurrences x ← a·x + b an invocation, of scalars and of vectors, written as
//!   a·x + b and as `fma`, in loop bodies of several lengths: llvmpipe is five times slower on long ones. A multiply-add
//!   counts as two operations, whether the device fuses it or not. What came out is compared with the known result.
//! - Copies from one storage buffer to another, in plain passes and in tiles as the lane mapping has them. Every byte
//!   counts twice, once read and once written. Apart from these the copy command, which no kernel may be able to match:
//!   on software Vulkan it is the host's own copying.

use std::time::{Duration, Instant};

use bytemuck::{Pod, Zeroable};

use copying::{COPY, Memory, TILE, WAYS, Way};

use super::{Buffer, Commands, Def, Device, DeviceError, KernelSource, UNROLLED, kernel_source};

mod copying;

const MULTIPLY_ADD: KernelSource = kernel_source!("peaks/multiply_add", uniform recurrence, write sums);

/// Invocations a workgroup, as the shaders have them.
const LANES: usize = 64;
/// Enough for the widest device to be full.
const GROUPS: usize = 4096;
/// The most steps of one dispatch: far beyond them numbers would no longer be exact, and watchdogs might wake.
const MOST_STEPS: u32 = 16_384;

/// How long and on how much memory to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// The least time of a submit.
    pub at_least: Duration,
    /// How often each kernel is timed; the best time counts.
    pub repetitions: u32,
    /// Size of the larger buffers that are copied, in bytes; the smaller ones have half of it. Beyond every cache, or
    /// it is the cache that is measured. Cut to what a buffer of the device may have.
    pub bytes: u64,
}

impl Default for Effort {
    /// 50 ms, five times, 128 MiB: some ten seconds in all.
    fn default() -> Self {
        Self { at_least: Duration::from_millis(50), repetitions: 5, bytes: 128 << 20 }
    }
}

/// What one kernel reached.
#[derive(Clone, Debug, PartialEq)]
pub struct Rate {
    /// The kernel in words.
    pub kernel: String,
    /// f32 operations, or bytes read and written, a second.
    pub per_second: f64,
}

/// The peaks of a device.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Peaks {
    /// f32 operations a second by every multiply-add kernel, best first.
    pub multiply_add: Vec<Rate>,
    /// Bytes read plus bytes written a second by every copying kernel, best first.
    pub copy: Vec<Rate>,
    /// The same by the copy command, best first.
    pub copy_command: Vec<Rate>,
}

impl Peaks {
    /// Measures them.
    ///
    /// # Errors
    /// If the device is lost or out of memory, does not compile a kernel, or computes or copies something else than
    /// the known result.
    pub fn measure(device: &Device, effort: &Effort) -> Result<Self, DeviceError> {
        let mut multiply_add = Vec::new();
        for chains in CHAINS {
            multiply_add.push(chains.rate(device, effort)?);
        }
        let largest = effort.bytes.min(device.largest_buffer()) / TILE * TILE;
        let (mut copy, mut copy_command) = (Vec::new(), Vec::new());
        for bytes in [largest / 2 / TILE * TILE, largest].map(|bytes| bytes.max(TILE)) {
            let memory = Memory::new(device, bytes)?;
            for way in WAYS {
                let rates = if matches!(way, Way::Command) { &mut copy_command } else { &mut copy };
                rates.push(memory.rate(way, effort)?);
            }
        }
        for rates in [&mut multiply_add, &mut copy, &mut copy_command] {
            rates.sort_by(|a, b| b.per_second.total_cmp(&a.per_second));
        }
        Ok(Self { multiply_add, copy, copy_command })
    }

    /// The most f32 operations a second.
    #[must_use]
    pub fn operations_per_second(&self) -> f64 {
        self.multiply_add.first().map_or(f64::NAN, |rate| rate.per_second)
    }

    /// The most bytes a second that a kernel has read plus written.
    #[must_use]
    pub fn bytes_per_second(&self) -> f64 {
        self.copy.first().map_or(f64::NAN, |rate| rate.per_second)
    }
}

/// The kernels, each under the defs that it is measured with.
pub(crate) fn sources() -> Vec<(KernelSource, Vec<(&'static str, Def)>)> {
    let chains = CHAINS.iter().map(|chains| (MULTIPLY_ADD, chains.defs()));
    chains.chain(WAYS.iter().filter_map(|way| Some((COPY, way.defs()?)))).collect()
}

/// A multiply-add kernel: how many recurrences an invocation has, how many steps of each the body of its loop takes, and
/// of what.
#[derive(Clone, Copy, Debug)]
struct Chains {
    count: u32,
    steps: u32,
    vector: bool,
    fused: bool,
}

const CHAINS: [Chains; 9] = [
    Chains { count: 4, steps: 8, vector: false, fused: false },
    Chains { count: 8, steps: 4, vector: false, fused: false },
    Chains { count: 8, steps: 16, vector: false, fused: false },
    Chains { count: 16, steps: 4, vector: false, fused: false },
    Chains { count: 16, steps: 4, vector: false, fused: true },
    Chains { count: 16, steps: 16, vector: false, fused: true },
    Chains { count: 2, steps: 4, vector: true, fused: false },
    Chains { count: 4, steps: 4, vector: true, fused: false },
    Chains { count: 4, steps: 4, vector: true, fused: true },
];

/// The coefficients and length of the recurrence, as the shader reads them.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Recurrence {
    a: f32,
    b: f32,
    rounds: u32,
    padding: u32,
}

impl Chains {
    fn defs(self) -> Vec<(&'static str, Def)> {
        vec![
            ("CHAINS", Def::UInt(self.count)),
            ("STEPS", Def::UInt(self.steps)),
            ("VECTOR", Def::Bool(self.vector)),
            ("FUSED", Def::Bool(self.fused)),
            (UNROLLED, Def::Bool(true)),
        ]
    }

    fn name(self) -> String {
        let of = if self.vector { "vec4" } else { "scalar" };
        let what = if self.fused { "fma" } else { "a*x + b" };
        format!("{} {of} chains of {what}, {} steps a loop body", self.count, self.steps)
    }

    /// Recurrences of numbers an invocation.
    fn scalars(self) -> u32 {
        self.count * if self.vector { 4 } else { 1 }
    }

    /// Rounds of one dispatch, at most.
    fn most_rounds(self) -> u32 {
        MOST_STEPS / self.steps
    }

    fn rate(self, device: &Device, effort: &Effort) -> Result<Rate, DeviceError> {
        let sums = device.buffer::<f32>("sums", GROUPS * LANES)?;
        let per_round = 2.0 * (GROUPS * LANES) as f64 * f64::from(self.steps * self.scalars());
        let rounds = best(effort, |rounds| {
            // Whole dispatches and a rest.
            let (whole, rest) = (rounds / self.most_rounds(), rounds % self.most_rounds());
            let time = self.run(device, &sums, 1.0, 1.0, whole, rest)?;
            let steps = self.steps * if rest > 0 { rest } else { self.most_rounds() };
            let expected = |lane: usize| (0..self.scalars()).map(|c| lane as f32 + (c + steps) as f32).sum::<f32>();
            self.check(device, &sums, expected)?;
            Ok(time)
        })?;
        Ok(Rate { kernel: self.name(), per_second: rounds * per_round })
    }

    /// Runs `whole` dispatches of the most rounds and one of `rest`; how long they took.
    fn run(
        self,
        device: &Device,
        sums: &Buffer<f32>,
        a: f32,
        b: f32,
        whole: u32,
        rest: u32,
    ) -> Result<Duration, DeviceError> {
        let kernel = device.kernel(&MULTIPLY_ADD, &self.defs(), &[])?;
        let uniform = |rounds| device.uniform(&Recurrence { a, b, rounds, padding: 0 });
        let (most, remaining) = (uniform(self.most_rounds())?, uniform(rest)?);
        let mut commands = device.record("multiply-add peak");
        for _ in 0..whole {
            commands.dispatch(&kernel, &[&most, sums], [GROUPS as u32, 1, 1])?;
        }
        if rest > 0 {
            commands.dispatch(&kernel, &[&remaining, sums], [GROUPS as u32, 1, 1])?;
        }
        timed(commands, sums)
    }

    /// Compares the sums of the first and the last workgroup with what they have to be.
    fn check(self, device: &Device, sums: &Buffer<f32>, expected: impl Fn(usize) -> f32) -> Result<(), DeviceError> {
        for first in [0, sums.len() - LANES] {
            let found = device.read_range(sums, first..first + LANES)?;
            for (lane, &sum) in found.iter().enumerate() {
                let expected = expected(lane);
                if sum != expected {
                    return Err(refused(device, &self.name(), format!("the sum is {sum} and not {expected}")));
                }
            }
        }
        Ok(())
    }
}

/// How much work a second at best, where `run` does an amount of it and says how long that took. The amount grows until
/// a run is long enough to be timed; the runs before have warmed the device up.
fn best(effort: &Effort, mut run: impl FnMut(u32) -> Result<Duration, DeviceError>) -> Result<f64, DeviceError> {
    // The driver may compile at the first dispatch.
    run(1)?;
    let mut amount = 1;
    let mut shortest = run(amount)?;
    while shortest < effort.at_least && amount < u32::MAX / 16 {
        let missing = effort.at_least.as_secs_f64() / shortest.as_secs_f64().max(1e-9);
        amount = (f64::from(amount) * (1.1 * missing).clamp(2.0, 16.0)) as u32;
        shortest = run(amount)?;
    }
    for _ in 1..effort.repetitions {
        shortest = shortest.min(run(amount)?);
    }
    Ok(f64::from(amount) / shortest.as_secs_f64().max(1e-9))
}

/// Submits, and waits until one element of what was written last is on the host.
fn timed(mut commands: Commands, written: &Buffer<f32>) -> Result<Duration, DeviceError> {
    let read = commands.read_later(written, 0..1)?;
    let start = Instant::now();
    commands.submit()?;
    read.wait_here()?;
    Ok(start.elapsed())
}

fn refused(device: &Device, kernel: &str, detail: String) -> DeviceError {
    DeviceError::Refused { driver: device.summary().label(), test: format!("peak of {kernel}"), detail }
}

#[cfg(test)]
mod tests;
