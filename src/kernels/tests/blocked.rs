//! The stages between Jacobian, QR and SVD of problems that registers do not hold, against their twin.

use super::*;
use crate::gpu::Bindable;
use crate::kernels::step_blocked::{host, twin};

/// Parameters, rows, and rows of the first of two blocks.
const SIZES: (usize, usize, usize) = (17, 300, 256);

/// The problem at a place of the roster: all but problem 3, from the last to the first.
fn roster() -> Vec<usize> {
    (0..BATCH).rev().filter(|&b| b != 3).collect()
}

/// Row i, column j of problem b: an infinity in the residual of problem 5, a NaN in the Jacobian of problem 6, a column of
/// zeros in problem 7.
fn entry(b: usize, i: usize, j: usize) -> f64 {
    let (p, ..) = SIZES;
    match (b, i, j) {
        (5, 280, j) if j == p => f64::INFINITY,
        (6, 2, 4) => f64::NAN,
        (7, _, 8) => 0.0,
        // Beyond the squares of f32.
        (8, ..) => 1e25 * uniform(b, i * (p + 1) + j),
        _ => uniform(b, i * (p + 1) + j),
    }
}

#[test]
fn stages_work_on_the_roster_alone_and_agree_with_their_twin() {
    let (p, n, cut) = SIZES;
    let sizes = Sizes { parameters: p, directions: n };
    for_each_device(|device| {
        let bench = Bench::new(device, n, p, &rule(Scaling::Columns, Damping::Fixed(0.0)), State::start());
        let batch = Batch::of(BATCH);
        let places = roster();
        let words: Vec<u32> = std::iter::once(places.len() as u32).chain(places.iter().map(|&b| b as u32)).collect();
        let roster = device.buffer_from("roster", &words).unwrap();
        // Beyond the roster lies what no problem has.
        let at = |place: usize, i: usize, j: usize| places.get(place).map_or(f64::NAN, |&b| entry(b, i, j));
        let whole = device.buffer_from("block", &pack(n, p + 1, at)).unwrap();
        let measured = bench.floats(p + 1, 1);
        let bits = device.buffer::<u32>("bits", 2 * batch.whole()).unwrap();
        let run = |source, defs, bindings: &[&dyn Bindable], across: usize| {
            let kernel = batch.kernel(device, source, defs).unwrap();
            let mut commands = device.record("stage");
            commands.dispatch(&kernel, bindings, [groups()[0], across as u32, 1]).unwrap();
            commands.submit().unwrap();
        };
        for (first, rows) in [(0, cut), (cut, n - cut)] {
            // The block lies below five rows of something else.
            let stride = rows + 5;
            let block = pack(stride, p + 1, |place, i, j| if i < 5 { 1e30 } else { at(place, first + i - 5, j) });
            let block = device.buffer_from("block", &block).unwrap();
            let span = Block { stride: stride as u32, ..Block::alone(first, rows, false) };
            let span = device.uniform(&span).unwrap();
            run(&host::LENGTHS, host::defs(sizes), &[&span, &roster, &block, &measured, &bits], p + 1);
        }
        run(&host::NORM, host::defs(sizes), &[&bench.rules, &roster, &measured, &bits, &bench.states], 1);

        let lengths = device.read(&measured).unwrap();
        let mut states = device.read(&bench.states).unwrap();
        let matrix = |b: usize| (0..n).map(|i| (0..=p).map(|j| entry(b, i, j)).collect()).collect::<Vec<Vec<f64>>>();
        // A sum of 256 squares, twice.
        let bound = 2.0 * U * 256f64.sqrt();
        for (place, &b) in places.iter().enumerate() {
            let expected = twin::lengths(&matrix(b));
            for (j, expected) in expected.iter().enumerate().filter(|(_, length)| length.is_finite()) {
                let found = f64::from(lengths[layout::element(place, j, 0, p + 1, 1, LANES)]);
                assert!((found - expected).abs() <= bound * expected, "problem {b}: ‖column {j}‖ = {found}");
            }
            let range = match b {
                5 => 1,
                6 => 2,
                _ => 0,
            };
            assert_eq!(states[b].trial_range, range, "problem {b}");
            assert!(range == 1 || (f64::from(states[b].trial_norm) / expected[p] - 1.0).abs() <= bound);
        }
        assert_eq!(states[3], State::start(), "problem 3 is not on the roster");

        // Every third problem was accepted, and problem 12 has ended.
        states.iter_mut().enumerate().for_each(|(b, state)| state.fresh = u32::from(b % 3 == 0));
        states[12].status = 1;
        device.write(&bench.states, 0, &states).unwrap();
        let fresh = device.buffer::<u32>("fresh", 1 + 2 * BATCH).unwrap();
        run(&host::MUSTER, Vec::new(), &[&bench.rules, &roster, &bench.states, &fresh], 1);
        let (kept, factor) = (bench.floats(p, 1), bench.floats(n, p + 1));
        let bindings: [&dyn Bindable; 6] = [&bench.problems, &fresh, &whole, &measured, &kept, &factor];
        run(&host::SCALE, host::scale_defs(sizes, n, false), &bindings, p + 1);
        let (apart, beside) = (bench.floats(n, p), bench.floats(n, 1));
        let bindings: [&dyn Bindable; 7] = [&bench.problems, &fresh, &whole, &measured, &kept, &apart, &beside];
        run(&host::SCALE_APART, host::scale_defs(sizes, n, true), &bindings, p + 1);

        let fresh = device.read(&fresh).unwrap();
        let mut chosen: Vec<u32> = fresh[1..].chunks(2).take(fresh[0] as usize).map(|pair| pair[0]).collect();
        let [factor, apart, beside, kept] =
            [&factor, &apart, &beside, &kept].map(|buffer| device.read(buffer).unwrap());
        for (place, &b) in chosen.iter().enumerate() {
            let b = b as usize;
            if b == 6 {
                continue;
            }
            let expected = twin::scaled(&matrix(b), true);
            let found = unpack(&factor, place, n, p + 1);
            let (left, right) = (unpack(&apart, place, n, p), unpack(&beside, place, n, 1));
            for i in 0..n {
                for j in 0..=p {
                    // The length's error, and two divisions.
                    let off = (found[i][j] - expected[i][j]).abs();
                    assert!(off <= (bound + 4.0 * U) * expected[i][j].abs(), "problem {b}: [{i}][{j}] off by {off:e}");
                    assert!(found[i][j] == if j < p { left[i][j] } else { right[i][0] });
                }
            }
            let length = f64::from(kept[layout::element(b, 2, 0, p, 1, LANES)]);
            assert!((length / twin::lengths(&matrix(b))[2] - 1.0).abs() <= bound, "lengths go with the problem");
        }
        chosen.sort_unstable();
        let expected: Vec<u32> = (0..BATCH as u32).filter(|b| b % 3 == 0 && ![3, 12].contains(b)).collect();
        assert_eq!(chosen, expected);
    });
}

#[test]
fn what_was_found_goes_to_its_problem_and_a_factorisation_that_failed_ends_it_unless_a_record_alone_asked_for_it() {
    let sizes = Sizes { parameters: 5, directions: 3 };
    for_each_device(|device| {
        let bench = Bench::new(device, 3, 5, &rule(Scaling::None, Damping::Fixed(0.0)), State::start());
        let chosen = [40usize, 2, 69];
        // Problem 69 has its step already.
        device.write(&bench.states, 69, &[State { fresh: 2, ..State::start() }]).unwrap();
        let words = chosen.iter().zip(0u32..).flat_map(|(&b, place)| [b as u32, place]);
        let fresh: Vec<u32> = std::iter::once(3).chain(words).collect();
        let fresh = device.buffer_from("fresh", &fresh).unwrap();
        let w = device.buffer_from("w", &pack(5, 3, |place, i, j| (100 * place + 10 * i + j) as f64)).unwrap();
        let carried = device.buffer_from("carried", &pack(1, 3, |place, _, j| -((10 * place + j) as f64))).unwrap();
        let values = device.buffer_from("values", &pack(3, 1, |place, i, _| (1000 * place + i) as f64)).unwrap();
        let report = |status: u32| crate::kernels::matrices::Report { status, sweeps: 7, rank: 3 };
        let reports = device.buffer_from("reports", &[report(0), report(1), report(1)]).unwrap();
        let (v, sigma) = (bench.floats(6, 3), bench.floats(3, 1));
        let kernel = Batch::of(BATCH).kernel(device, &host::SETTLE, sizes.defs()).unwrap();
        let mut commands = device.record("settle");
        let bindings: [&dyn Bindable; 8] = [&fresh, &w, &carried, &values, &reports, &bench.states, &v, &sigma];
        commands.dispatch(&kernel, &bindings, [groups()[0], 3, 1]).unwrap();
        commands.submit().unwrap();
        let (v, sigma) = (device.read(&v).unwrap(), device.read(&sigma).unwrap());
        let states = device.read(&bench.states).unwrap();
        for b in 0..BATCH {
            let found = unpack(&v, b, 6, 3);
            let Some(place) = chosen.iter().position(|&other| other == b) else {
                assert!(found.iter().flatten().all(|&x| x == 0.0) && states[b] == State::start(), "problem {b}");
                continue;
            };
            for j in 0..3 {
                assert!((0..5).all(|i| found[i][j] == (100 * place + 10 * i + j) as f64));
                assert_eq!(found[5][j], -((10 * place + j) as f64));
                assert_eq!(f64::from(sigma[layout::element(b, j, 0, 3, 1, LANES)]), (1000 * place + j) as f64);
            }
            // 6: the SVD ran out of sweeps.
            assert_eq!((states[b].sweeps, states[b].status), (7, if place == 1 { 6 } else { 0 }));
        }
    });
}
