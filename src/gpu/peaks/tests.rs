use super::copying::pattern;
use super::*;
use crate::gpu::present::devices;

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
            for (a, b, closed) in
                [(2.0, 1.0, &(|x: f64| (x + 1.0) * 65536.0 - 1.0) as &dyn Fn(f64) -> f64), (0.5, 0.0, &|x| x / 65536.0)]
            {
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
