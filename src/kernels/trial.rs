//! Trial runs of kernels on random data, for the tuner to compare.

use std::time::{Duration, Instant};

use crate::gpu::layout::LANES;
use crate::gpu::random::Random;
use crate::gpu::{Buffer, Device, DeviceError, Timing};

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

/// Random matrices of so many numbers, from [−1, 1), in tiles of `LANES`; how many they are comes first.
pub(crate) fn filled(device: &Device, numbers: usize) -> Result<(usize, Buffer<f32>), DeviceError> {
    let count = (NUMBERS / numbers.max(1)).clamp(LEAST, MOST);
    let mut random = Random(numbers as u64);
    let data: Vec<f32> =
        (0..count.next_multiple_of(LANES) * numbers).map(|_| random.between(-1.0, 1.0) as f32).collect();
    Ok((count, device.buffer_from("random matrices", &data)?))
}

/// What a run takes, of work on `count` matrices that ends with something read back.
pub(crate) fn timed(count: usize, mut run: impl FnMut() -> Result<(), DeviceError>) -> Result<Timing, DeviceError> {
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
