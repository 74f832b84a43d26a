//! Every kernel against its f64 twin, on every adapter present.
//!
//! u = 2⁻²⁴. Matrices are random with entries in [−1, 1], in batches that do not fill their last tile.

mod blocked;
mod dual;
mod fused;
mod history;
mod jacobi;
mod moments;
mod network;

use super::batch::Batch;
use super::problem::{Block, Problem, Rules, Sizes, State};
use super::svd::host::steps_are_unrolled;
use super::svd::twin::Factored;
use super::{jacobian, judge, momentum, qr, step, svd};
use crate::gpu::{Buffer, Device, layout};
use crate::model::Model;
use crate::ngd::{Damping, Filter, Scaling, Stop};
use crate::starts::{Distribution, random_start};
use crate::sweep::{SizeUnit, StepRule};

const LANES: usize = 64;
pub(super) const U: f64 = 1.0 / (1u64 << 24) as f64;
/// Not a multiple of the tile.
const BATCH: usize = 70;

pub(super) fn for_each_device(test: impl Fn(&Device)) {
    let mut tested = 0;
    for summary in Device::list() {
        match Device::open(&crate::gpu::AdapterChoice::Index(summary.index)) {
            Ok(device) => {
                println!("on {}", summary.label());
                device.set_tuning(crate::gpu::Tuning::Preset);
                test(&device);
                tested += 1;
            }
            Err(error) => println!("not on {}: {error}", summary.label()),
        }
    }
    if tested == 0 {
        println!("no usable adapter: nothing was run");
    }
}

pub(super) fn uniform(b: usize, k: usize) -> f64 {
    // Numbers of f32, so that device and twin start from the same bits.
    f64::from(random_start(b as u64, k as u32, Distribution::Uniform, 1.0) as f32)
}

/// Rows of [J | e] of problem b.
fn rows(b: usize, n: usize, p: usize) -> Vec<Vec<f64>> {
    (0..n).map(|i| (0..=p).map(|j| uniform(b, i * (p + 1) + j)).collect()).collect()
}

/// Interleaves matrices given by `at(b, i, j)`.
fn pack(rows: usize, columns: usize, at: impl Fn(usize, usize, usize) -> f64) -> Vec<f32> {
    let mut packed = vec![0.0; BATCH.next_multiple_of(LANES) * rows * columns];
    for b in 0..BATCH {
        for j in 0..columns {
            for i in 0..rows {
                packed[layout::element(b, i, j, rows, columns, LANES)] = at(b, i, j) as f32;
            }
        }
    }
    packed
}

fn unpack(packed: &[f32], b: usize, rows: usize, columns: usize) -> Vec<Vec<f64>> {
    let at = |i, j| f64::from(packed[layout::element(b, i, j, rows, columns, LANES)]);
    (0..rows).map(|i| (0..columns).map(|j| at(i, j)).collect()).collect()
}

fn rule(scaling: Scaling, damping: Damping) -> StepRule {
    let (unit, filter) = (SizeUnit::Absolute, Filter::Exact);
    StepRule { size: 1.0, unit, damping, filter, scaling, cutoff: None, momentum: 0.0 }
}

struct Bench<'a> {
    device: &'a Device,
    rules: crate::gpu::Uniform<Rules>,
    problems: Buffer<Problem>,
    states: Buffer<State>,
    p: usize,
    /// Whether QR and SVD read and write by loops.
    looped: bool,
}

impl<'a> Bench<'a> {
    fn new(device: &'a Device, n: usize, p: usize, rule: &StepRule, state: State) -> Self {
        let problem = Problem::new(rule, 0, n as u32, p, 1.0, 1.0);
        Self {
            device,
            rules: device.uniform(&Rules::new(BATCH as u32, p, &Stop::default())).unwrap(),
            problems: device.buffer_from("problems", &[problem; BATCH]).unwrap(),
            states: device.buffer_from("states", &[state; BATCH]).unwrap(),
            p,
            looped: device.is_cpu(),
        }
    }

    fn floats(&self, rows: usize, columns: usize) -> Buffer<f32> {
        self.device.buffer("floats", BATCH.next_multiple_of(LANES) * rows * columns).unwrap()
    }

    /// R | c of [J | e] in blocks of `block` rows.
    fn qr(&self, n: usize, block: usize) -> (Buffer<f32>, Vec<State>) {
        let factor = self.floats(self.p, self.p + 1);
        for first in (0..n).step_by(block) {
            let packed = pack(block, self.p + 1, |b, i, j| {
                if first + i < n { uniform(b, (first + i) * (self.p + 1) + j) } else { f64::NAN }
            });
            let data = self.device.buffer_from("block", &packed).unwrap();
            let span = Block::alone(first, block, false);
            let span = self.device.uniform(&span).unwrap();
            let mut commands = self.device.record("qr");
            let defs = qr::host::defs(self.p, steps_are_unrolled(self.device, self.p), self.looped);
            let kernel = self.device.kernel(&qr::host::SOURCE, &defs, &[]).unwrap();
            commands
                .dispatch(&kernel, &[&self.rules, &span, &self.problems, &self.states, &data, &factor], groups())
                .unwrap();
            commands.submit().unwrap();
        }
        (factor, self.device.read(&self.states).unwrap())
    }

    /// V over β, σ and column lengths of a factor.
    fn svd(&self, factor: &Buffer<f32>) -> [Buffer<f32>; 3] {
        let out = [self.floats(self.p + 1, self.p), self.floats(self.p, 1), self.floats(self.p, 1)];
        let mut commands = self.device.record("svd");
        let defs = svd::host::step_defs(self.p, steps_are_unrolled(self.device, self.p), self.looped);
        let kernel = self.device.kernel(&svd::host::STEP, &defs, &[]).unwrap();
        commands
            .dispatch(
                &kernel,
                &[&self.rules, &self.problems, &self.states, factor, &out[0], &out[1], &out[2]],
                groups(),
            )
            .unwrap();
        commands.submit().unwrap();
        out
    }
}

/// As many directions as parameters.
fn square(p: usize) -> Sizes {
    Sizes { parameters: p, directions: p }
}

fn groups() -> [u32; 3] {
    [BATCH.div_ceil(LANES) as u32, 1, 1]
}

/// A problem whose point was just accepted.
fn fresh() -> State {
    State { fresh: 1, ..State::start() }
}

#[test]
fn whether_steps_read_and_write_by_loops_or_one_entry_after_another_changes_no_bit() {
    for_each_device(|device| {
        // Of 600 rows three segments are merged; of 3 the last rows of R are zero.
        for (n, p) in [(5, 1), (600, 3), (13, 4), (3, 4)] {
            let bits = |looped: bool| -> Vec<Vec<u32>> {
                let new = Bench::new(device, n, p, &rule(Scaling::Columns, Damping::Fixed(0.0)), fresh());
                let bench = Bench { looped, ..new };
                let (factor, states) = bench.qr(n, n);
                let found = bench.svd(&factor);
                let words = |buffer: &Buffer<f32>| device.read(buffer).unwrap().iter().map(|x| x.to_bits()).collect();
                let norms = states.iter().map(|state| state.trial_norm.to_bits()).collect();
                [&factor].into_iter().chain(&found).map(words).chain([norms]).collect()
            };
            assert!(bits(false) == bits(true), "{n}×{p} on {}", device.summary().label());
        }
    });
}

#[test]
fn qr_agrees_with_its_twin_for_tall_square_wide_and_long_problems() {
    for_each_device(|device| {
        for (n, p) in [(1, 1), (5, 5), (12, 5), (3, 7), (40, 16), (600, 3)] {
            let bench = Bench::new(device, n, p, &rule(Scaling::None, Damping::Fixed(0.0)), State::start());
            let (factor, states) = bench.qr(n, n);
            let factor = device.read(&factor).unwrap();
            for b in 0..BATCH {
                let (expected, squares) = qr::twin::qr(&rows(b, n, p), p);
                let found = unpack(&factor, b, p, p + 1);
                // Backward stable: RᵀR and Rᵀc are JᵀJ and Jᵀe within the rounding of the rotations each row meets,
                // at most 3 a rotation and p a row; 256 rows a segment and n/256 of those.
                let depth = (n.min(256) + n / 256 * p + p) as f64;
                let bound = 8.0 * U * depth.sqrt().max(4.0) * (n as f64).max(p as f64);
                for j in 0..p {
                    for k in j..=p {
                        let product = |r: &[Vec<f64>]| (0..p).map(|i| r[i][j] * r[i][k]).sum::<f64>();
                        let difference = (product(&found) - product(&expected)).abs();
                        assert!(difference <= bound, "{n}×{p}, problem {b}: RᵀR[{j}][{k}] off by {difference:e}");
                    }
                }
                let off = (f64::from(states[b].trial_norm).powi(2) / squares - 1.0).abs();
                assert!(off <= 4.0 * U * (n as f64).sqrt().max(4.0), "‖e‖² off by {off:e}");
            }
        }
    });
}

#[test]
fn qr_gives_the_same_bits_however_the_rows_are_cut_into_blocks() {
    for_each_device(|device| {
        let (n, p) = (700, 4);
        let bench = |block| {
            let bench = Bench::new(device, n, p, &rule(Scaling::None, Damping::Fixed(0.0)), State::start());
            let (factor, states) = bench.qr(n, block);
            (device.read(&factor).unwrap(), states)
        };
        let (whole, whole_states) = bench(n);
        for block in [256, 512] {
            let (cut, states) = bench(block);
            assert!(whole.iter().zip(&cut).all(|(a, b)| a.to_bits() == b.to_bits()), "blocks of {block} rows");
            assert_eq!(whole_states, states);
        }
    });
}

#[test]
fn step_agrees_with_its_twin_under_every_filter() {
    // A smooth cutoff in the midst of the singular values; ε = 0.02·‖e‖² = 0.5.
    let smooth = (Filter::Smooth, 0.0, Some(0.7));
    let scaled = (Filter::ResidualScaled { factor: 0.02, power: 2.0 }, 0.0, None);
    let filters = [(Filter::Exact, 0.0, None), (Filter::Exact, 0.5, None), smooth, scaled];
    for_each_device(|device| {
        let (n, p) = (30, 4);
        let gradient = (Filter::Gradient, 0.0, None);
        let plain = filters.map(|filter| (Scaling::None, filter)).into_iter().chain([(Scaling::None, gradient)]);
        for (scaling, (filter, damping, cutoff)) in
            filters.map(|filter| (Scaling::Columns, filter)).into_iter().chain(plain)
        {
            let rule = StepRule { filter, cutoff, ..rule(scaling, Damping::Fixed(damping)) };
            let epsilon = filter.epsilon(damping, 5.0);
            let state = State { residual_norm: 5.0, ..fresh() };
            let bench = Bench::new(device, n, p, &rule, state);
            let (factor, _) = bench.qr(n, n);
            let [v, sigma, lengths] = bench.svd(&factor);
            let theta = device.buffer_from("theta", &pack(p, 1, |b, i, _| 10.0 + uniform(b, 999 + i))).unwrap();
            let trial = bench.floats(p, 1);
            let running = device.buffer::<u32>("running", 3 + BATCH).unwrap();
            let mut commands = device.record("step");
            let kernel = step::host::kernel(device, Batch::of(BATCH), square(p)).unwrap();
            commands
                .dispatch(
                    &kernel,
                    &[&bench.rules, &bench.problems, &bench.states, &v, &sigma, &lengths, &theta, &trial, &running],
                    groups(),
                )
                .unwrap();
            commands.submit().unwrap();
            let mut running = device.read(&running).unwrap();
            running[1..=BATCH].sort_unstable();
            let all = std::iter::once(BATCH as u32).chain(0..BATCH as u32).chain([BATCH as u32, 0]);
            assert_eq!(running, all.collect::<Vec<u32>>(), "all go on, and all asked for singular values");
            let (factor, theta, trial) =
                (device.read(&factor).unwrap(), device.read(&theta).unwrap(), device.read(&trial).unwrap());
            let states = device.read(&bench.states).unwrap();
            for b in 0..BATCH {
                let columns = scaling == Scaling::Columns;
                let twin: Factored = svd::twin::svd(&unpack(&factor, b, p, p + 1), columns);
                let delta = match filter {
                    Filter::Smooth => step::twin::smooth_step(&twin, 0.7, columns),
                    Filter::Gradient => step::twin::gradient_step(&twin),
                    _ => step::twin::step(&twin, p, epsilon, columns),
                };
                let rank = step::twin::rank(&twin.sigma, cutoff.unwrap_or(1e-6), p);
                assert_eq!(states[b].rank as usize, rank);
                let promise = step::twin::predicted(&twin, p, epsilon);
                let condition = twin.sigma[0] / twin.sigma[p - 1];
                // Relative error of a step from a backward stable factorisation: a few tens of κu.
                let bound = 64.0 * condition * U;
                let size = delta.iter().fold(0.0f64, |largest, d| largest.max(d.abs()));
                for j in 0..p {
                    let at = layout::element(b, j, 0, p, 1, LANES);
                    let found = f64::from(theta[at]) - f64::from(trial[at]);
                    // θ near 10 is stored with an error of 10u.
                    let off = (found - delta[j]).abs();
                    assert!(off <= bound * size + 20.0 * U, "problem {b}: Δ[{j}] = {found} against {}", delta[j]);
                }
                if matches!(filter, Filter::Smooth | Filter::Gradient) {
                    // Only adaptive damping asks for a promise, and these have none.
                    continue;
                }
                // ‖e‖ was given as 5, whose power of two is 4.
                let off = (16.0 * f64::from(states[b].predicted) / promise - 1.0).abs();
                assert!(off <= bound, "promise off by {off:e}");
            }
        }
    });
}

#[test]
fn momentum_agrees_with_its_twin_and_leaves_problems_without_it_and_finished_ones_alone() {
    for_each_device(|device| {
        let p = 3;
        let bench = Bench::new(device, 9, p, &rule(Scaling::None, Damping::Fixed(0.0)), State::start());
        let betas = [0.0, 0.5, 0.9];
        let problems: Vec<Problem> = (0..BATCH)
            .map(|b| {
                let rule = StepRule { momentum: betas[b % 3], ..rule(Scaling::None, Damping::Fixed(0.0)) };
                Problem::new(&rule, 0, 9, p, 1.0, 1.0)
            })
            .collect();
        device.write(&bench.problems, 0, &problems).unwrap();
        let mut states = vec![State::start(); BATCH];
        states[4].status = 1;
        device.write(&bench.states, 0, &states).unwrap();
        let at = |kind: usize| move |b: usize, j: usize, _: usize| uniform(b, 10 * kind + j);
        let buffers = [0, 1, 2].map(|kind| device.buffer_from("vectors", &pack(p, 1, at(kind))).unwrap());
        let [theta, trial, previous] = &buffers;
        let kernel = momentum::host::kernel(device, Batch::of(BATCH), square(p)).unwrap();
        let mut commands = device.record("momentum");
        commands
            .dispatch(&kernel, &[&bench.rules, &bench.problems, &bench.states, theta, trial, previous], groups())
            .unwrap();
        commands.submit().unwrap();
        let [_, trial, previous] = buffers.each_ref().map(|buffer| device.read(buffer).unwrap());
        for b in 0..BATCH {
            let [theta, before, last] =
                [0, 1, 2].map(|kind| (0..p).map(|j| f64::from(at(kind)(b, j, 0) as f32)).collect::<Vec<f64>>());
            let (moved, point) = momentum::twin::moved(&before, &theta, &last, betas[b % 3]);
            let (moved, point) = if b == 4 { (before.clone(), last) } else { (moved, point) };
            let found = |buffer: &[f32]| unpack(buffer, b, p, 1).concat();
            assert_eq!(found(&previous), point, "problem {b}");
            for (j, (found, moved)) in found(&trial).iter().zip(&moved).enumerate() {
                // Three operations on numbers up to 1, the difference up to 2.
                assert!((found - moved).abs() <= 6.0 * U, "problem {b}: {found} against {moved}");
                assert!(betas[b % 3] != 0.0 || *found == before[j], "a bit changed without momentum");
            }
        }
    });
}

#[test]
fn judge_agrees_with_its_twin_on_good_poor_and_bad_steps() {
    for_each_device(|device| {
        let p = 2;
        let adaptive = rule(Scaling::None, Damping::Adaptive);
        let bench = Bench::new(device, 9, p, &adaptive, State::start());
        // ‖e‖ = 2 and a promise of 1: from a perfect step to one that goes uphill.
        let state = |b: usize| State {
            steps: 3,
            residual_norm: 2.0,
            trial_norm: (2.0 + 4.0 * b as f64 / BATCH as f64).sqrt() as f32,
            // Over unit(2)² = 4.
            predicted: 0.25,
            epsilon: 0.25,
            growth: 4.0,
            ..State::start()
        };
        let states: Vec<State> = (0..BATCH).map(state).collect();
        device.write(&bench.states, 0, &states).unwrap();
        let trial = device.buffer_from("trial", &pack(p, 1, |_, _, _| 1.0)).unwrap();
        let (theta, sigma) = (bench.floats(p, 1), bench.floats(p, 1));
        let mut commands = device.record("judge");
        let kernel = judge::host::kernel(device, Batch::of(BATCH), square(p)).unwrap();
        commands
            .dispatch(&kernel, &[&bench.rules, &bench.problems, &bench.states, &trial, &theta, &sigma], groups())
            .unwrap();
        commands.submit().unwrap();
        let (after, theta) = (device.read(&bench.states).unwrap(), device.read(&theta).unwrap());
        let mut seen = [0, 0];
        for b in 0..BATCH {
            let norm = f64::from(states[b].trial_norm);
            let decision = judge::twin::judge(2.0, norm, 1.0, 1.0, 0.25, 4.0, 4.0 * U);
            let moved = theta[layout::element(b, 0, 0, p, 1, LANES)] == 1.0;
            let (expected, accepted) = match decision {
                judge::twin::Decision::Accept(epsilon) => (epsilon, true),
                judge::twin::Decision::Reject(epsilon) => (epsilon, false),
            };
            seen[usize::from(accepted)] += 1;
            assert_eq!((moved, after[b].fresh), (accepted, u32::from(accepted)), "problem {b}");
            // The ratio loses 4u‖e‖²/promise = 16u to cancellation, and its cube six times that.
            let off = (f64::from(after[b].epsilon) / expected - 1.0).abs();
            assert!(off <= 200.0 * U, "ε = {} against {expected}", after[b].epsilon);
        }
        assert!(seen[0] > 10 && seen[1] > 10, "{seen:?}: both decisions are tested");
    });
}

#[test]
fn jacobian_agrees_with_its_twin_for_every_row_and_leaves_finished_problems_alone() {
    let model = Model::parse("a*exp(-((x-m)/s)**2) + c*x*z", &["a", "m", "s", "c"]).unwrap();
    for_each_device(|device| {
        let (n, p) = (9, 4);
        let bench = Bench::new(device, n, p, &rule(Scaling::None, Damping::Fixed(0.0)), State::start());
        let mut states = vec![State::start(); BATCH];
        states[3].status = 1;
        device.write(&bench.states, 0, &states).unwrap();
        let row = |i: usize| jacobian::twin::DataRow {
            inputs: vec![uniform(1000, i), uniform(1001, i)],
            y: uniform(1002, i),
            w: 1.5,
        };
        let flat: Vec<f32> = (0..n)
            .flat_map(|i| {
                let row = row(i);
                [row.inputs[0] as f32, row.inputs[1] as f32, row.y as f32, row.w as f32]
            })
            .collect();
        let theta = |b: usize, j: usize| 1.0 + 0.25 * uniform(b, j);
        let data = device.buffer_from("data", &flat).unwrap();
        let parameters = device.buffer_from("theta", &pack(p, 1, |b, j, _| theta(b, j))).unwrap();
        let block = bench.floats(n, p + 1);
        let span = device.uniform(&Block::alone(0, n, false)).unwrap();
        let kernel = jacobian::host::kernel(device, &model).unwrap();
        let mut commands = device.record("jacobian");
        commands
            .dispatch(
                &kernel,
                &[&bench.rules, &span, &bench.problems, &bench.states, &data, &parameters, &block],
                [groups()[0], n as u32, 1],
            )
            .unwrap();
        commands.submit().unwrap();
        let block = device.read(&block).unwrap();
        for b in 0..BATCH {
            let found = unpack(&block, b, n, p + 1);
            if b == 3 {
                assert!(found.iter().flatten().all(|&value| value == 0.0), "a finished problem was evaluated");
                continue;
            }
            let parameters: Vec<f64> = (0..p).map(|j| f64::from(theta(b, j) as f32)).collect();
            let expected = jacobian::twin::jacobian(&model, &parameters, &(0..n).map(row).collect::<Vec<_>>());
            for i in 0..n {
                for j in 0..=p {
                    // |(x−m)/s| < 3, so the exponent is below 9 and its rounding of 4u moves exp by 36u; exp itself
                    // is good to 2 ULP = 4u; factors and sums of magnitude up to 40 add a few u of that.
                    let off = (found[i][j] - expected[i][j]).abs();
                    assert!(off <= 100.0 * U * expected[i][j].abs().max(4.0), "[{i}][{j}] off by {off:e}");
                }
            }
        }
    });
}
