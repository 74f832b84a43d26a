//! Steps without singular values against their twin.

use super::*;
use crate::kernels::step_dual::host::MOST_UNROLLED;
use crate::kernels::step_dual::steps::{Dual, DualSteps, Needed, Operands};
use crate::kernels::{product, step_dual::twin};

/// Rows and parameters: in registers, in blocks, and in blocks none of which is full.
const SIZES: [(usize, usize); 5] = [(1, 11), (2, 12), (5, 30), (8, 49), (19, 37)];

/// The state word of a problem whose step f32 does not take by the kernel matrix.
const IN_DOUBT: u32 = 4;

/// The state of a problem whose start was just accepted.
fn accepted(norm: f64) -> State {
    State { fresh: 1, residual_norm: norm as f32, ..State::start() }
}

/// A rule that takes the plain J.
fn plain(damping: Damping, filter: Filter) -> StepRule {
    StepRule { size: 0.5, filter, ..rule(Scaling::None, damping) }
}

struct Found {
    trial: Vec<f32>,
    /// Which problems went on to the SVD, and their places in the roster.
    fresh: Vec<(usize, usize)>,
    states: Vec<State>,
}

/// One step of the problems in a roster that is the batch backwards, by one rule: [J | e] of problem b is `matrix(b)`.
fn step(device: &Device, (n, p): (usize, usize), rule: &StepRule, matrix: impl Fn(usize) -> Vec<Vec<f64>>) -> Found {
    let sizes = Sizes { parameters: p, directions: n };
    let bench = Bench::new(device, n, p, rule, accepted(1.0));
    let norm = |b: usize| matrix(b).iter().map(|row| row[p] * row[p]).sum::<f64>().sqrt();
    let states: Vec<State> = (0..BATCH).map(|b| accepted(norm(b))).collect();
    device.write(&bench.states, 0, &states).unwrap();
    let matrices: Vec<_> = (0..BATCH).rev().map(matrix).collect();
    let block = device.buffer_from("block", &pack(n, p + 1, |place, i, j| matrices[place][i][j])).unwrap();
    let theta = device.buffer_from("theta", &pack(p, 1, |b, j, _| uniform(b + 500, j))).unwrap();
    let trial = bench.floats(p, 1);
    let batch = Batch::of(BATCH);
    let dual = DualSteps::new(device, std::slice::from_ref(rule), batch, sizes).unwrap().expect("a dual rule");
    let places = (0..BATCH as u32).rev().zip(0..).flat_map(|(b, place)| [b, place]);
    let list: Vec<u32> = std::iter::once(BATCH as u32).chain(places).collect();
    device.write(dual.listed(), 0, &list).unwrap();
    let fresh = device.buffer::<u32>("fresh", 1 + 2 * BATCH).unwrap();
    let mut commands = device.record("dual steps");
    let (rules, problems, states) = (&bench.rules, &bench.problems, &bench.states);
    let operands = Operands { rules, problems, states, theta: &theta, trial: &trial, block: &block, fresh: &fresh };
    dual.record(device, &mut commands, operands, Needed { kernel: true, rotations: false, values: false }).unwrap();
    commands.submit().unwrap();
    if let Some(doubted) = dual.doubted() {
        // Those in doubt once more, as the next step lists them.
        let found = device.read(states).unwrap();
        let places = (0..BATCH as u32).rev().zip(0..).filter(|&(b, _)| found[b as usize].fresh == IN_DOUBT);
        let pairs: Vec<u32> = places.flat_map(|(b, place)| [b, place]).collect();
        device.write(doubted, 0, &[pairs.len() as u32 / 2]).unwrap();
        device.write(doubted, 1, &pairs).unwrap();
        let mut commands = device.record("steps by rotations");
        dual.record(device, &mut commands, operands, Needed { kernel: false, rotations: true, values: false }).unwrap();
        commands.submit().unwrap();
    }
    let fresh = device.read(&fresh).unwrap();
    let pairs = fresh[1..].chunks(2).take(fresh[0] as usize).map(|pair| (pair[0] as usize, pair[1] as usize));
    Found { trial: device.read(&trial).unwrap(), fresh: pairs.collect(), states: device.read(states).unwrap() }
}

/// ‖found − expected‖/‖expected‖ of the step of problem b.
fn error(found: &Found, b: usize, expected: &[f64]) -> f64 {
    let p = expected.len();
    let at = |j: usize| f64::from(found.trial[layout::element(b, j, 0, p, 1, LANES)]);
    let taken = |j: usize| (uniform(b + 500, j) - at(j)) / 0.5;
    let square = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>();
    let off = square(&mut (0..p).map(|j| taken(j) - expected[j]));
    (off / square(&mut expected.iter().copied())).sqrt()
}

/// Orthonormal rows, as long as singular values from 1 down to 1/κ in geometric progression, and reflected into one another: JJᵀ
/// is far from diagonal, and its rounding is that of the largest.
fn conditioned(b: usize, n: usize, p: usize, condition: f64) -> Vec<Vec<f64>> {
    let mut all = rows(b, n, p);
    for i in 0..n {
        for _ in 0..2 {
            for k in 0..i {
                let along: f64 = (0..p).map(|j| all[i][j] * all[k][j]).sum();
                (0..p).for_each(|j| all[i][j] -= along * all[k][j]);
            }
            let length = all[i][..p].iter().map(|x| x * x).sum::<f64>().sqrt();
            all[i][..p].iter_mut().for_each(|x| *x /= length);
        }
    }
    for (i, row) in all.iter_mut().enumerate() {
        let by = condition.powf(-(i as f64) / (n.max(2) - 1) as f64);
        row[..p].iter_mut().for_each(|x| *x *= by);
    }
    // I − 2vvᵀ/vᵀv.
    let v: Vec<f64> = (0..n).map(|i| 1.0 + 0.3 * i as f64).collect();
    let square: f64 = v.iter().map(|x| x * x).sum();
    for j in 0..p {
        let along: f64 = (0..n).map(|i| v[i] * all[i][j]).sum();
        (0..n).for_each(|i| all[i][j] = f64::from((all[i][j] - 2.0 * v[i] * along / square) as f32));
    }
    all
}

/// The share of the error that a round leaves by the traces of JJᵀ + εI and its inverse, or by the damping; and the rounds that
/// the kernels take for it.
fn plan(matrix: &[Vec<f64>], epsilon: f64) -> (f64, usize) {
    let jacobian: Vec<Vec<f64>> = matrix.iter().map(|row| row[..row.len() - 1].to_vec()).collect();
    let kernel = product::twin::product(&jacobian, true);
    let n = kernel.len();
    let kernel = faer::Mat::from_fn(n, n, |i, j| kernel[i][j] + if i == j { epsilon } else { 0.0 });
    let values = kernel.self_adjoint_eigenvalues(faer::Side::Lower).unwrap();
    let trace: f64 = values.iter().sum();
    let inverse: f64 = values.iter().map(|value| 1.0 / value).sum();
    let share = U * trace * if epsilon > 0.0 { inverse.min(1.0 / epsilon) } else { inverse };
    (share, [2f64.powi(-8), 2f64.powi(-4), 0.157].iter().filter(|&&limit| share > limit).count())
}

/// What a step t may be off by, ‖·‖ over ‖t‖. Without rounds the share that a round would leave, times the ½√p roundings of an
/// entry of JJᵀ, p ≤ 49, 4 at most; after rounds what rounding t = Jᵀα leaves, 16uκ with κ² = share/u. Both are shares of t, or
/// of √ε‖α‖ = ‖e − Jt‖/√ε, where the damping holds most of what e asks for back. And the rounding of θ − ηt, u‖θ‖/η, |θ| ≤ 1.
fn allowed(matrix: &[Vec<f64>], epsilon: f64, step: &[f64]) -> f64 {
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let (share, rounds) = plan(matrix, epsilon);
    let length = norm(&mut step.iter().copied());
    let left = |row: &Vec<f64>| row[step.len()] - row.iter().zip(step).map(|(x, t)| x * t).sum::<f64>();
    let held = if epsilon > 0.0 { norm(&mut matrix.iter().map(left)) / epsilon.sqrt() } else { 0.0 };
    let solved = if rounds == 0 { 4.0 * share } else { 16.0 * (share * U).sqrt() };
    solved * (held / length).max(1.0) + 8.0 * U + 2.0 * U * (step.len() as f64).sqrt() / length
}

#[test]
fn damped_steps_agree_with_their_twin_whatever_refinement_they_need() {
    for_each_device(|device| {
        for (n, p) in SIZES {
            let mut taken = Vec::new();
            // The share u·σ₁²/ε that decides on rounds: none, one, two and three of them. J has directions below √ε.
            for share in [1e-4, 0.02, 0.12, 0.2] {
                let matrix = |b: usize| conditioned(b, n, p, 1e5);
                let trace: f64 = matrix(0).iter().flat_map(|row| &row[..p]).map(|x| x * x).sum();
                let epsilon = U * trace / share;
                let found = step(device, (n, p), &plain(Damping::Fixed(epsilon), Filter::Exact), matrix);
                assert!(found.fresh.is_empty(), "{n}×{p}, share {share}: {} in doubt", found.fresh.len());
                taken.push(plan(&matrix(0), epsilon).1);
                for b in 0..BATCH {
                    assert_eq!((found.states[b].fresh, found.states[b].status), (2, 0));
                    let expected = twin::damped(&matrix(b), epsilon);
                    let (off, most) = (error(&found, b, &expected), allowed(&matrix(b), epsilon, &expected));
                    assert!(off <= most, "{n}×{p}, share {share}: off by {off:e}, beyond {most:e}");
                }
            }
            // A single row is its own condition.
            assert_eq!(taken, if n == 1 { [0; 4] } else { [0, 1, 2, 3] }, "{n}×{p}");
        }
    });
}

#[test]
fn exact_steps_agree_with_their_twin_up_to_the_condition_that_f32_takes() {
    for_each_device(|device| {
        for (n, p) in SIZES {
            for condition in [1.0, 100.0, 400.0, 1e4] {
                let matrix = |b: usize| conditioned(b, n, p, condition);
                let found = step(device, (n, p), &plain(Damping::Fixed(0.0), Filter::Exact), matrix);
                // Beyond 2,000 u·κ² is more than a quarter: rotations take over.
                let is_beyond = n > 1 && condition > 2000.0;
                assert!(found.fresh.is_empty(), "{n}×{p}, condition {condition}");
                for b in 0..BATCH {
                    assert_eq!(found.states[b].doubted, u32::from(is_beyond && n > MOST_UNROLLED));
                    let expected = twin::damped(&matrix(b), 0.0);
                    let most =
                        if is_beyond { truncated(&matrix(b), 0.0).1 } else { allowed(&matrix(b), 0.0, &expected) };
                    let off = error(&found, b, &expected);
                    assert!(off <= most, "{n}×{p}, condition {condition}: off by {off:e}, beyond {most:e}");
                }
            }
        }
    });
}

/// J⁺e over the singular values above the cutoff, by faer in f64, and what a step by rotations may be off by, ‖·‖ over ‖t‖: 16uκ
/// for a backward error of some roundings of σ₁, κ = σ₁/σᵣ; as many of ‖e‖, of which β may be a small part, over σᵣ; and the
/// rounding of θ − ηt.
fn truncated(rows: &[Vec<f64>], cutoff: f64) -> (Vec<f64>, f64) {
    let (n, p) = (rows.len(), rows[0].len() - 1);
    let svd = faer::Mat::from_fn(n, p, |i, j| rows[i][j]).thin_svd().unwrap();
    let (u, s, v) = (svd.U(), svd.S().column_vector(), svd.V());
    let rank = (0..n).filter(|&k| s[k] > cutoff * s[0]).count();
    let weight = |k: usize| (0..n).map(|i| u[(i, k)] * rows[i][p]).sum::<f64>() / s[k];
    let step: Vec<f64> = (0..p).map(|j| (0..rank).map(|k| v[(j, k)] * weight(k)).sum()).collect();
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let (length, residual) = (norm(&mut step.iter().copied()), norm(&mut rows.iter().map(|row| row[p])));
    let solved = 16.0 * U * (s[0] / s[rank - 1] + residual / s[rank - 1] / length);
    let allowed = solved + 2.0 * U * (p as f64).sqrt() / length;
    (step, allowed)
}

/// With singular values far above the cutoff and far below it, and numbers whose squares f32 does not hold.
#[test]
fn exact_steps_leave_out_what_is_below_the_cutoff_in_any_units() {
    for_each_device(|device| {
        for (n, p) in SIZES.into_iter().filter(|&(n, _)| n > 1) {
            // Of J, and of e: no smaller than y.
            for (unit, of_residual) in [(-50, 0), (0, 0), (70, 70)] {
                let by = |k: usize| 2f64.powi(if k < p { unit } else { of_residual });
                let matrix = |b: usize| {
                    let mut rows = conditioned(b, n, p, 1e4);
                    // The last row once more that of the others.
                    let (last, others) = rows.split_last_mut().expect("rows");
                    (0..p).for_each(|j| last[j] = f64::from(others.iter().map(|row| row[j]).sum::<f64>() as f32));
                    rows.iter_mut().for_each(|row| row.iter_mut().enumerate().for_each(|(k, x)| *x *= by(k)));
                    rows
                };
                let rule = plain(Damping::Fixed(0.0), Filter::Exact);
                let cutoff = f64::from(Problem::new(&rule, 0, n as u32, p, 1.0, 1.0).cutoff);
                let found = step(device, (n, p), &rule, matrix);
                assert!(found.fresh.is_empty(), "{n}×{p}, unit 2^{unit}: {} in doubt", found.fresh.len());
                for b in 0..BATCH {
                    assert_eq!((found.states[b].fresh, found.states[b].status), (2, 0));
                    let (expected, most) = truncated(&matrix(b), cutoff);
                    let off = error(&found, b, &expected);
                    assert!(off <= most, "{n}×{p}, unit 2^{unit}: off by {off:e}, beyond {most:e}");
                }
            }
        }
    });
}

#[test]
fn a_damping_below_what_f32_solves_goes_on_to_rotations_or_to_the_singular_values() {
    for_each_device(|device| {
        for (n, p) in SIZES {
            // A single row is its own condition.
            if n == 1 {
                continue;
            }
            let rule = plain(Damping::Fixed(U), Filter::Exact);
            let matrix = |b: usize| conditioned(b, n, p, 1e4);
            let found = step(device, (n, p), &rule, matrix);
            if n > MOST_UNROLLED {
                assert!(found.fresh.is_empty());
                for b in 0..BATCH {
                    assert_eq!((found.states[b].fresh, found.states[b].doubted), (2, 1));
                    // Not even as far off as without damping.
                    let most = truncated(&matrix(b), 0.0).1;
                    let off = error(&found, b, &twin::damped(&matrix(b), U));
                    assert!(off <= most, "{n}×{p}: off by {off:e}, beyond {most:e}");
                }
                continue;
            }
            let mut which: Vec<usize> = found.fresh.iter().map(|&(b, _)| b).collect();
            which.sort_unstable();
            assert_eq!(which, (0..BATCH).collect::<Vec<_>>());
            assert!(found.fresh.iter().all(|&(b, place)| b + place == BATCH - 1), "the place goes with the problem");
            assert!(found.states.iter().all(|state| state.fresh == 1 && state.steps == 0));
        }
    });
}

/// Two rows that are equal, or one that is the sum of the others to a rounding, leave f32 nothing to solve for by Cholesky: not
/// a pivot that is rounding, whatever its size and however many terms it is the rest of.
#[test]
fn rows_that_depend_on_others_are_not_solved_for_by_the_kernel_matrix() {
    for_each_device(|device| {
        for (n, p) in [(2, 12), (3, 3000), (8, 49), (19, 37)] {
            for equal in [true, false] {
                let matrix = |b: usize| {
                    let mut rows = rows(b, n, p);
                    for j in 0..p {
                        let sum: f64 = (0..n - 1).map(|i| rows[i][j]).sum();
                        rows[n - 1][j] = if equal { rows[0][j] } else { f64::from(sum as f32) };
                    }
                    rows
                };
                let rule = plain(Damping::Fixed(0.0), Filter::Exact);
                let found = step(device, (n, p), &rule, matrix);
                // Rotations take the step, by the directions that there are.
                assert!(found.fresh.is_empty(), "{n}×{p}");
                let cutoff = f64::from(Problem::new(&rule, 0, n as u32, p, 1.0, 1.0).cutoff);
                for b in 0..BATCH {
                    let (expected, most) = truncated(&matrix(b), cutoff);
                    let off = error(&found, b, &expected);
                    assert!(off <= most, "{n}×{p}: off by {off:e}, beyond {most:e}");
                }
            }
        }
    });
}

#[test]
fn descent_agrees_with_its_twin_and_stops_for_the_singular_values_where_a_test_may_end_it() {
    for_each_device(|device| {
        for (n, p) in SIZES {
            // Problem 7 has a residual of which J sees next to nothing, problem 9 none of it.
            let matrix = |b: usize| {
                let mut rows = rows(b, n, p);
                for row in rows.iter_mut().filter(|_| b == 7 || b == 9) {
                    row[..p].iter_mut().for_each(|x| *x *= if b == 9 { 0.0 } else { 1e-3 });
                }
                if b == 7 {
                    // Orthogonal to the first column, and all others are multiples of that.
                    (0..n).for_each(|i| (1..p).for_each(|j| rows[i][j] = rows[i][0]));
                    let along: f64 = rows.iter().map(|row| row[0] * row[p]).sum();
                    let square: f64 = rows.iter().map(|row| row[0] * row[0]).sum();
                    (0..n).for_each(|i| rows[i][p] -= rows[i][0] * along / square);
                }
                rows
            };
            let found = step(device, (n, p), &plain(Damping::Fixed(0.0), Filter::Gradient), matrix);
            let mut which: Vec<usize> = found.fresh.iter().map(|&(b, _)| b).collect();
            which.sort_unstable();
            assert_eq!(which, [7, 9], "{n}×{p}");
            for b in (0..BATCH).filter(|b| ![7, 9].contains(b)) {
                let expected = twin::descent(&matrix(b));
                // n terms, and the rounding of θ − ηt: |θ| ≤ 1 beside a step of some √(np/9).
                let off = error(&found, b, &expected);
                assert!(off < 2.0 * U * n as f64 + 8.0 * U * (1.0 + 9.0 / n as f64), "{n}×{p}: off by {off:e}");
            }
        }
    });
}

#[test]
fn rules_that_need_no_singular_values_are_those_of_the_plain_jacobian() {
    let fixed = |epsilon| Damping::Fixed(epsilon);
    assert_eq!(Dual::of(&plain(fixed(0.1), Filter::Exact), 9), Some(Dual::Damped));
    assert_eq!(Dual::of(&plain(fixed(0.0), Filter::Gradient), 9), Some(Dual::Descent));
    assert_eq!(Dual::of(&plain(fixed(0.1), Filter::FixedRank(9)), 9), Some(Dual::Damped));
    assert_eq!(Dual::of(&plain(fixed(0.0), Filter::Exact), 9), Some(Dual::Exact));
    let others = [
        plain(Damping::Adaptive, Filter::Exact),
        plain(fixed(0.1), Filter::FixedRank(8)),
        plain(fixed(0.0), Filter::Smooth),
        plain(fixed(0.0), Filter::ResidualScaled { factor: 1.0, power: 1.0 }),
        rule(Scaling::Columns, fixed(0.1)),
    ];
    assert!(others.iter().all(|rule| Dual::of(rule, 9).is_none()));
}
