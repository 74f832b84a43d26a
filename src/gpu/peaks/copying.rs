//! The ways of copying from one buffer to another.

use std::time::Duration;

use crate::gpu::{Buffer, Def, Device, DeviceError, KernelSource, UNROLLED, kernel_source};

use super::{Effort, LANES, Rate, best, refused, timed};

pub(super) const COPY: KernelSource = kernel_source!("peaks/copy", read source, write copied);

/// Bytes that every way of copying divides into whole tiles.
pub(super) const TILE: u64 = 64 * LANES as u64 * 16;

/// A way of copying.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    /// A kernel in which every invocation copies `each` numbers, or vectors of four.
    Kernel { each: u32, vector: bool },
    /// The copy command.
    Command,
}

pub(super) const WAYS: [Way; 8] = [
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
    pub(super) fn defs(self) -> Option<Vec<(&'static str, Def)>> {
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
pub(super) struct Memory<'a> {
    device: &'a Device,
    bytes: u64,
    source: Buffer<f32>,
    pub(super) copied: Buffer<f32>,
}

/// What element `i` of the source holds: exact numbers of f32 that do not repeat in step with any tile.
pub(super) fn pattern(i: usize) -> f32 {
    (i % 1_048_573) as f32
}

impl<'a> Memory<'a> {
    pub(super) fn new(device: &'a Device, bytes: u64) -> Result<Self, DeviceError> {
        let len = (bytes / 4) as usize;
        let source: Vec<f32> = (0..len).map(pattern).collect();
        let source = device.buffer_from("copy source", &source)?;
        Ok(Self { device, bytes, source, copied: device.buffer("copied", len)? })
    }

    pub(super) fn rate(&self, way: Way, effort: &Effort) -> Result<Rate, DeviceError> {
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
    pub(super) fn run(&self, way: Way, times: u32) -> Result<Duration, DeviceError> {
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
