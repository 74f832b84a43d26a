//! A million iterations in one invocation.

use crate::gpu::{Device, DeviceError, KernelSource, kernel_source};

use super::Check;

pub(super) const SOURCE: KernelSource = kernel_source!("selftest/loops", read counts, write words);

/// More than the 65,535 at which Mesa 22.3.6 ends all loops of an invocation, and than any 16-bit counter holds.
const ITERATIONS: u32 = 1_000_000;

const SEED: u32 = 0x2545_f491;

/// One loop of `ITERATIONS`, then nested loops of as many in all.
pub(super) fn check(device: &Device) -> Result<Vec<Check>, DeviceError> {
    let expected = xorshift(SEED, ITERATIONS);
    // By dispatches of their own, so that neither has the other's iterations on its account.
    let single = run(device, [ITERATIONS, 0, 0]);
    let nested = single.as_ref().map_or(Ok([0; 2]), |_| run(device, [0, 1_000, ITERATIONS / 1_000]));
    let verdict = |word: u32| match reached(word) {
        Some(ITERATIONS) => Ok(format!("{ITERATIONS} iterations")),
        Some(count) => Err(format!("ended after {count} of {ITERATIONS} iterations")),
        None => Err(format!("{word:#010x} after {ITERATIONS} iterations, not {expected:#010x}")),
    };
    Ok(vec![
        Check::run("one loop", true, || Ok(verdict(single?[0])))?,
        Check::run("nested loops", true, || Ok(verdict(nested?[1])))?,
    ])
}

fn run(device: &Device, counts: [u32; 3]) -> Result<[u32; 2], DeviceError> {
    let kernel = device.kernel(&SOURCE, &[], &[])?;
    let counts = device.buffer_from("loop counts", &counts)?;
    let words = device.buffer_from("loop words", &[SEED; 2])?;
    let mut commands = device.record("loops");
    commands.dispatch(&kernel, &[&counts, &words], [1, 1, 1])?;
    let read = commands.read_later(&words, 0..2)?;
    commands.submit()?;
    let read = read.wait_here()?;
    Ok([read[0], read[1]])
}

fn next(mut x: u32) -> u32 {
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    x
}

fn xorshift(seed: u32, iterations: u32) -> u32 {
    (0..iterations).fold(seed, |x, _| next(x))
}

/// After how many iterations, up to `ITERATIONS`, the word comes up: the period is 2³² − 1, so at one place only.
fn reached(word: u32) -> Option<u32> {
    let mut x = SEED;
    for count in 0..=ITERATIONS {
        if x == word {
            return Some(count);
        }
        x = next(x);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_tells_after_how_many_iterations_it_came_up() {
        assert_eq!(reached(xorshift(SEED, 65_535)), Some(65_535));
        assert_eq!(reached(xorshift(SEED, ITERATIONS)), Some(ITERATIONS));
        assert_eq!(reached(SEED), Some(0));
        assert_eq!(reached(0), None, "xorshift never reaches zero");
    }
}
