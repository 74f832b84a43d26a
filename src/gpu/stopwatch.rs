//! Measures dispatches while they run, without waiting for any of them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::pace::Clock;
use super::{Device, DeviceError};

/// Dispatches of one list of commands that are measured, at most.
const MOST: usize = 32;

/// The dispatches of one list of commands that are worth measuring.
#[derive(Debug, Default)]
pub(super) struct Stopwatch {
    timed: Vec<(&'static str, u64)>,
    /// Two times for each of them, where the device has a clock.
    times: Option<wgpu::QuerySet>,
}

impl Stopwatch {
    /// Takes note of a dispatch of so many multiply-adds, if it is worth it; where the device is to write its times.
    pub(super) fn before(
        &mut self,
        device: &Device,
        kernel: &'static str,
        work: u64,
    ) -> Option<wgpu::ComputePassTimestampWrites<'_>> {
        if work == 0 || self.timed.len() == MOST || !device.pace().is_worth_measuring(kernel, work) {
            return None;
        }
        let at = 2 * self.timed.len() as u32;
        self.timed.push((kernel, work));
        if !device.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            return None;
        }
        let times = self.times.get_or_insert_with(|| {
            device.raw().create_query_set(&wgpu::QuerySetDescriptor {
                label: Some("times"),
                ty: wgpu::QueryType::Timestamp,
                count: 2 * MOST as u32,
            })
        });
        Some(wgpu::ComputePassTimestampWrites {
            query_set: times,
            beginning_of_pass_write_index: Some(at),
            end_of_pass_write_index: Some(at + 1),
        })
    }

    /// Records the copy of the times that the device wrote; to be called last, before the submit.
    pub(super) fn resolve(self, device: &Device, encoder: &mut wgpu::CommandEncoder) -> Result<Running, DeviceError> {
        use wgpu::BufferUsages as Usage;
        let Self { timed, times } = self;
        let Some(times) = times else {
            return Ok(Running { timed, written: None });
        };
        let count = 2 * timed.len() as u32;
        let bytes = u64::from(count) * u64::from(wgpu::QUERY_SIZE);
        let resolved = device.raw_buffer("times", bytes, Usage::QUERY_RESOLVE | Usage::COPY_SRC)?;
        let written = device.raw_buffer("times", bytes, Usage::MAP_READ | Usage::COPY_DST)?;
        encoder.resolve_query_set(&times, 0..count, &resolved, 0);
        encoder.copy_buffer_to_buffer(&resolved, 0, &written, 0, Some(bytes));
        Ok(Running { timed, written: Some(written) })
    }
}

/// Work that has been submitted, and tells how long it took when it is done.
#[derive(Debug)]
pub(super) struct Running {
    timed: Vec<(&'static str, u64)>,
    written: Option<wgpu::Buffer>,
}

impl Running {
    /// To be called right after the submit. What is learnt comes when the device is next waited for, by anyone.
    pub(super) fn learn_when_done(self, device: &Device) {
        let Self { timed, written } = self;
        if timed.is_empty() {
            return;
        }
        let (pace, submitted) = (Arc::clone(device.pace()), Instant::now());
        let Some(written) = written else {
            // One time for all of them, and so one measurement of each kernel.
            let work: u64 = timed.iter().map(|(_, work)| work).sum();
            let kernels: BTreeSet<&'static str> = timed.iter().map(|(kernel, _)| *kernel).collect();
            device.queue().on_submitted_work_done(move || {
                let time = submitted.elapsed();
                kernels.iter().for_each(|kernel| pace.learn(kernel, work, time, Clock::Host));
            });
            return;
        };
        let period = f64::from(device.queue().get_timestamp_period());
        let times = written.clone();
        written.map_async(wgpu::MapMode::Read, .., move |result| {
            let Some(view) = result.ok().and_then(|()| times.get_mapped_range(..).ok()) else {
                return;
            };
            let ticks: Vec<u64> =
                view.chunks_exact(8).filter_map(|word| Some(u64::from_ne_bytes(word.try_into().ok()?))).collect();
            let longest = submitted.elapsed();
            for ((kernel, work), pair) in timed.iter().zip(ticks.chunks_exact(2)) {
                let time = Duration::from_secs_f64(pair[1].saturating_sub(pair[0]) as f64 * period * 1e-9);
                // A clock that says more than has passed is no clock.
                if time <= longest {
                    pace.learn(kernel, *work, time, Clock::Device);
                }
            }
        });
    }
}
