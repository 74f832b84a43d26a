//! Records along the way, against their twin.

use super::*;
use crate::kernels::history::{host, twin};

/// Parameters, directions, steps from record to record and the step limit: the last slot is the third.
const SIZES: (usize, usize, u32, u32) = (7, 5, 4, 10);

#[test]
fn records_agree_with_their_twin_and_are_written_at_strides_of_running_problems_only() {
    let (p, k, every, limit) = SIZES;
    let slots = 3;
    for_each_device(|device| {
        for with_theta in [false, true] {
            let stop = Stop { steps: limit, ..Stop::default() };
            let rules = Rules { history: every, ..Rules::new(BATCH as u32, p, &stop) };
            let rules = device.uniform(&rules).unwrap();
            // From problem to problem another number of rows, rank and step; every seventh has ended.
            let n = |b: usize| 1 + b % 9;
            let most = |b: usize| if b.is_multiple_of(2) { u32::MAX } else { 2 };
            let described = |b: usize| {
                let rule = StepRule { cutoff: Some(0.3), ..rule(Scaling::None, Damping::Fixed(0.0)) };
                Problem { fixed_rank: most(b), ..Problem::new(&rule, 0, n(b) as u32, p, 1.0, 1.0) }
            };
            let state = |b: usize| State {
                steps: b as u32 % 11,
                status: u32::from(b % 7 == 6),
                residual_norm: 1.0 + b as f32,
                ..State::start()
            };
            let value = |b: usize, i: usize| if i < n(b) { uniform(b, 100).abs() * 0.6f64.powi(i as i32) } else { 0.0 };
            let problems = device.buffer_from("problems", &(0..BATCH).map(described).collect::<Vec<_>>()).unwrap();
            let states = device.buffer_from("states", &(0..BATCH).map(state).collect::<Vec<_>>()).unwrap();
            let sigma = device.buffer_from("sigma", &pack(k, 1, |b, i, _| value(b, i))).unwrap();
            let theta = device.buffer_from("theta", &pack(p, 1, |b, j, _| uniform(b, j))).unwrap();
            let words = host::words(p, with_theta);
            let records = device.buffer_from("records", &vec![-1f32; BATCH * slots * words]).unwrap();
            let sizes = Sizes { parameters: p, directions: k };
            let kernel = host::kernel(device, Batch::of(BATCH), sizes, with_theta).unwrap();
            let mut commands = device.record("history");
            commands.dispatch(&kernel, &[&rules, &problems, &states, &sigma, &theta, &records], groups()).unwrap();
            commands.submit().unwrap();
            let records = device.read(&records).unwrap();
            for b in 0..BATCH {
                let steps = state(b).steps;
                let due = b % 7 != 6 && steps < limit && steps % every == 0;
                for slot in 0..slots {
                    let found = &records[(b * slots + slot) * words..][..words];
                    if !due || slot as u32 != steps / every {
                        assert!(found.iter().all(|&word| word == -1.0), "problem {b}, slot {slot}: {found:?}");
                        continue;
                    }
                    let values: Vec<f64> = (0..k).map(|i| f64::from(value(b, i) as f32)).collect();
                    let theta: Vec<f64> = (0..if with_theta { p } else { 0 }).map(|j| uniform(b, j)).collect();
                    let norm = 1.0 + b as f64;
                    let expected = twin::record(norm, &values, n(b).min(k), 0.3, most(b) as usize, &theta);
                    // Nothing but a comparison is computed, of which no two values are within rounding.
                    let found: Vec<f64> = found.iter().map(|&word| f64::from(word)).collect();
                    assert_eq!(found, expected, "problem {b}");
                }
            }
        }
    });
}
