//! Trial runs of kernels on random data, for the tuner to compare.

use std::time::{Duration, Instant};

use crate::gpu::random::Random;
use crate::gpu::{Buffer, Device, DeviceError, Timing};

use super::batch::Batch;

/// Numbers of a trial's input: enough for a device to be busy, few enough for the slowest to be done with in a second.
const NUMBERS: usize = 1 << 20;
/// The most matrices.
const MOST: usize = 1 << 14;
/// The fewest.
const LEAST: usize = 16;

/// After the first run there are others, for this long.
const TIME: Duration = Duration::from_millis(100);
/// And at most so many.
const RUNS: usize = 5;

/// Matrices of a trial, of so many numbers each.
pub(crate) fn trial_count(numbers: usize) -> usize {
    (NUMBERS / numbers.max(1)).clamp(LEAST, MOST)
}

/// Random matrices of so many numbers, from [−1, 1).
pub(crate) fn filled(device: &Device, batch: Batch, numbers: usize) -> Result<Buffer<f32>, DeviceError> {
    let mut random = Random(numbers as u64);
    let whole = batch.whole() * numbers;
    let data: Vec<f32> = (0..whole).map(|_| random.between(-1.0, 1.0) as f32).collect();
    device.buffer_from("random matrices", &data)
}

/// What a run takes, of work on `count` matrices that ends with something read back.
pub(crate) fn timed<E>(count: usize, mut run: impl FnMut() -> Result<(), E>) -> Result<Timing, E> {
    let mut once = || {
        let start = Instant::now();
        run().map(|()| start.elapsed())
    };
    let first = once()?;
    let mut best = once()?;
    let start = Instant::now();
    for _ in 1..RUNS {
        if start.elapsed() > TIME {
            break;
        }
        best = best.min(once()?);
    }
    Ok(Timing { first, best, count })
}
