//! Trial runs of kernels on random data, for the tuner to compare.

use std::time::{Duration, Instant};

use crate::gpu::random::Random;
use crate::gpu::{Buffer, Device, DeviceError, Timing};

use super::batch::Batch;

/// Numbers of a trial's input where a CPU plays the device: enough for it to be busy, few enough for the slowest to be done
/// with in a second.
const NUMBERS: usize = 1 << 20;
/// The same on GPUs: with 64 matrices of 128×128 it is not the best mapping that wins, but the one with most invocations a matrix.
const NUMBERS_OF_GPU: usize = 1 << 24;
/// The most matrices, and on GPUs.
const MOST: usize = 1 << 14;
const MOST_OF_GPU: usize = 1 << 18;
/// The fewest.
const LEAST: usize = 16;

/// After the first run there are others, for this long: a GPU that waited for a compiler takes a while to its full clock.
const TIME: Duration = Duration::from_millis(100);

/// Matrices of a trial, of so many numbers each.
pub(crate) fn trial_count(device: &Device, numbers: usize) -> usize {
    let (all, most) = if device.is_cpu() { (NUMBERS, MOST) } else { (NUMBERS_OF_GPU, MOST_OF_GPU) };
    (all / numbers.max(1)).clamp(LEAST, most)
}

/// Random matrices of so many numbers, from [−1, 1). After a million of them they are the same again.
pub(crate) fn filled(device: &Device, batch: Batch, numbers: usize) -> Result<Buffer<f32>, DeviceError> {
    let mut random = Random(numbers as u64);
    let whole = batch.whole() * numbers;
    let data: Vec<f32> = (0..whole.min(NUMBERS)).map(|_| random.between(-1.0, 1.0) as f32).collect();
    let buffer = device.buffer("random matrices", whole)?;
    for first in (0..whole).step_by(NUMBERS) {
        device.write(&buffer, first, &data[..NUMBERS.min(whole - first)])?;
    }
    Ok(buffer)
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
    while start.elapsed() < TIME {
        best = best.min(once()?);
    }
    Ok(Timing { first, best, count })
}
