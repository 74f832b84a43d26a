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

use super::{Buffer, Commands, Def, Device, DeviceError, KernelSource, UNROLLED, kernel_source};

const MULTIPLY_ADD: KernelSource = kernel_source!("peaks/multiply_add", uniform recurrence, write sums);
const COPY: KernelSource = kernel_source!("peaks/copy", read source, write copied);

/// Invocations a workgroup, as the shaders have them.
const LANES: usize = 64;
/// Enough for the widest device to be full.
const GROUPS: usize = 4096;
/// The most steps of one dispatch: far beyond them numbers would no longer be exact, and watchdogs might wake.
const MOST_STEPS: u32 = 16_384;
/// Bytes that every way of copying divides into whole tiles.
const TILE: u64 = 64 * LANES as u64 * 16;

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

/// A way of copying.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// A kernel in which every invocation copies `each` numbers, or vectors of four.
    Kernel { each: u32, vector: bool },
    /// The copy command.
    Command,
}

const WAYS: [Way; 8] = [
    Way::Kernel { each: 1, vector: false },
    Way::Kernel { each: 4, vector: false },
    Way::Kernel { each: 16, vector: false },
    Way::Kernel { each: 64, vector: false },
    Way::Kernel { each: 1, vector: true },
    Way::Kernel { each: 4, vector: true },
    Way::Kernel { each: 16, vector: true },
    Way::Command,
];

impl Way {
    fn defs(self) -> Option<Vec<(&'static str, Def)>> {
        match self {
            Self::Kernel { each, vector } => {
                Some(vec![("EACH", Def::UInt(each)), ("VECTOR", Def::Bool(vector)), (UNROLLED, Def::Bool(true))])
            }
            Self::Command => None,
        }
    }

    fn name(self) -> String {
        match self {
            Self::Kernel { each, vector } => {
                format!("{each} {} an invocation", if vector { "vec4" } else { "f32" })
            }
            Self::Command => "copy command".to_owned(),
        }
    }
}

/// Two buffers to copy between.
struct Memory<'a> {
    device: &'a Device,
    bytes: u64,
    source: Buffer<f32>,
    copied: Buffer<f32>,
}

/// What element `i` of the source holds: exact numbers of f32 that do not repeat in step with any tile.
fn pattern(i: usize) -> f32 {
    (i % 1_048_573) as f32
}

impl<'a> Memory<'a> {
    fn new(device: &'a Device, bytes: u64) -> Result<Self, DeviceError> {
        let len = (bytes / 4) as usize;
        let source: Vec<f32> = (0..len).map(pattern).collect();
        let source = device.buffer_from("copy source", &source)?;
        Ok(Self { device, bytes, source, copied: device.buffer("copied", len)? })
    }

    fn rate(&self, way: Way, effort: &Effort) -> Result<Rate, DeviceError> {
        let mut commands = self.device.record("clearing");
        commands.clear(&self.copied)?;
        commands.submit()?;
        let times = best(effort, |times| self.run(way, times))?;
        // The first and the last elements, and some between, are there.
        for first in [0, self.copied.len() / 3, self.copied.len() - LANES] {
            let found = self.device.read_range(&self.copied, first..first + LANES)?;
            if let Some(i) = (0..LANES).find(|&i| found[i] != pattern(first + i)) {
                let (at, found, expected) = (first + i, found[i], pattern(first + i));
                let detail = format!("element {at} is {found} and not {expected}");
                return Err(refused(self.device, &way.name(), detail));
            }
        }
        let kernel = format!("{}, {} MiB", way.name(), self.bytes >> 20);
        Ok(Rate { kernel, per_second: times * 2.0 * self.bytes as f64 })
    }

    /// Copies everything so many times; how long it took.
    fn run(&self, way: Way, times: u32) -> Result<Duration, DeviceError> {
        let mut commands = self.device.record("copy peak");
        match way {
            Way::Kernel { each, vector } => {
                let kernel = self.device.kernel(&COPY, &way.defs().unwrap_or_default(), &[])?;
                let items = self.source.len() / if vector { 4 } else { 1 };
                let groups = (items / (each as usize * LANES)) as u32;
                // In two dimensions: one may be too short for all.
                let rows = groups.min(256);
                for _ in 0..times {
                    commands.dispatch(&kernel, &[&self.source, &self.copied], [rows, groups.div_ceil(rows), 1])?;
                }
            }
            Way::Command => {
                for _ in 0..times {
                    commands.copy(&self.source, 0..self.source.len(), &self.copied, 0)?;
                }
            }
        }
        timed(commands, &self.copied)
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
    pollster::block_on(read.wait())?;
    Ok(start.elapsed())
}

fn refused(device: &Device, kernel: &str, detail: String) -> DeviceError {
    DeviceError::Refused { driver: device.summary().label(), test: format!("peak of {kernel}"), detail }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::AdapterChoice;

    fn devices() -> Vec<Device> {
        let open = |index| Device::open(&AdapterChoice::Index(index)).ok();
        let devices: Vec<Device> = Device::list().iter().filter_map(|summary| open(summary.index)).collect();
        if devices.is_empty() {
            println!("no usable adapter: nothing was run");
        }
        devices
    }

    /// Short: what is claimed here does not depend on how well the time was taken.
    const BRIEF: Effort = Effort { at_least: Duration::from_millis(1), repetitions: 1, bytes: 1 << 20 };

    #[test]
    fn every_kernel_has_a_finite_peak_and_the_best_stands_first() {
        for device in devices() {
            let peaks = Peaks::measure(&device, &BRIEF).unwrap();
            assert_eq!(peaks.multiply_add.len(), CHAINS.len());
            assert_eq!(peaks.copy.len() + peaks.copy_command.len(), 2 * WAYS.len());
            for (rates, best) in [
                (&peaks.multiply_add, peaks.operations_per_second()),
                (&peaks.copy, peaks.bytes_per_second()),
                (&peaks.copy_command, peaks.copy_command[0].per_second),
            ] {
                for rate in rates {
                    assert!(rate.per_second.is_finite() && rate.per_second > 0.0, "{rate:?}");
                    assert!(rate.per_second <= best, "{rate:?} beats the best, {best}");
                }
            }
        }
    }

    /// With a = 2 and b = 1 the recurrence x ← a·x + b reaches 2^s·(x₀ + 1) − 1 after s steps, which does not come out
    /// unless every product and every sum is taken; with a = 1/2 and b = 0 it reaches x₀/2^s.
    #[test]
    fn the_recurrences_take_every_step() {
        for device in devices() {
            for chains in CHAINS {
                let sums = device.buffer::<f32>("sums", GROUPS * LANES).unwrap();
                // 16 steps are exact or good to a rounding each, and the sum of up to 16 terms to 16 more.
                let rounds = 16 / chains.steps;
                for (a, b, closed) in [
                    (2.0, 1.0, &(|x: f64| (x + 1.0) * 65536.0 - 1.0) as &dyn Fn(f64) -> f64),
                    (0.5, 0.0, &|x| x / 65536.0),
                ] {
                    chains.run(&device, &sums, a, b, 0, rounds).unwrap();
                    let found = device.read(&sums).unwrap();
                    for (id, &sum) in found.iter().enumerate() {
                        let starts = (0..chains.scalars()).map(|c| (id % LANES) as f64 + f64::from(c));
                        let expected: f64 = starts.map(closed).sum();
                        let bound = 32.0 * 2f64.powi(-24) * expected.abs();
                        assert!((f64::from(sum) - expected).abs() <= bound, "{chains:?}, {a}, {b}: {sum}, {expected}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_way_of_copying_copies_every_element() {
        for device in devices() {
            for way in WAYS {
                // Three tiles of the largest: a number of groups that no power of two divides.
                let memory = Memory::new(&device, 3 * TILE).unwrap();
                memory.run(way, 1).unwrap();
                let found = device.read(&memory.copied).unwrap();
                assert!(found.iter().enumerate().all(|(i, &value)| value == pattern(i)), "{way:?}");
            }
        }
    }

    #[test]
    fn a_wrong_sum_is_an_error_that_names_kernel_and_both_numbers() {
        for device in devices() {
            let sums = device.buffer::<f32>("sums", GROUPS * LANES).unwrap();
            CHAINS[0].run(&device, &sums, 1.0, 1.0, 0, 1).unwrap();
            let message = CHAINS[0].check(&device, &sums, |_| -1.0).unwrap_err().to_string();
            assert!(message.contains("4 scalar chains") && message.contains("38 and not -1"), "{message}");
        }
    }
}
