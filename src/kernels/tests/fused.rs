//! One step in registers against its twin.

use super::*;
use crate::backend::residual_and_jacobian;
use crate::data::Data;
use crate::engine::Engine;
use crate::kernels::fused::twin;
use crate::ngd::Status;
use crate::sweep::{Detail, StepBlock, Sweep};

/// How the points of data sets lie, on lines of four.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Lie {
    /// Three lines, the same for all: few enough to be written out row by row.
    FewOnGrid,
    /// Thirty-three, the same for all.
    ManyOnGrid,
    /// Three lines, with one coordinate that no two data sets share.
    Skewed,
}

impl Lie {
    fn points(self, b: usize) -> Vec<(f64, f64)> {
        let (lines, off) = match self {
            Lie::FewOnGrid => (3, 0.0),
            Lie::ManyOnGrid => (33, 0.0),
            Lie::Skewed => (3, f64::from(b as u32) / 256.0),
        };
        let v = |line: u32| 2.0 * f64::from(line) / f64::from(lines - 1) - 1.0;
        (0..4 * lines).map(|i| (0.5 * f64::from(i % 4) + off, v(i / 4))).collect()
    }
}

/// Data sets with a response of their own at each point.
fn planes(lie: Lie, response: impl Fn(usize, usize) -> f64) -> Data {
    let mut columns = [const { Vec::new() }; 4];
    for b in 0..BATCH {
        for (i, (u, v)) in lie.points(b).into_iter().enumerate() {
            columns.iter_mut().zip([b as f64, u, v, response(b, i)]).for_each(|(column, value)| column.push(value));
        }
    }
    let [set, u, v, y] = columns;
    Data::from_columns([("set", set), ("u", u), ("v", v), ("y", y)]).unwrap().group_by(&["set"])
}

fn scattered(lie: Lie) -> Data {
    planes(lie, |b, i| 2.0 * uniform(b, i))
}

/// An exponential that separates over the grid, one that does not, and a derivative that is constant.
fn model() -> Model {
    Model::parse("a*exp(-k*(u*u + v*v)/2) + exp(c*u*v) + d", &["a", "k", "c", "d"]).unwrap()
}

/// κ² ≤ 31 with unit columns, and the trace of the inverse below 16.
const SOUND: [f64; 4] = [1.5, 2.5, -0.5, 0.5];
/// On a grid κ is 30 to 42 with unit columns, and the trace of the inverse 332 to 623: beyond the bound for plain steps of the
/// normal equations, 256, and far below that for damped ones, 16,384.
const DOUBTFUL: [f64; 4] = [1.5, 0.75, -0.25, 0.5];
/// κ is 1,190 to 1,780, and the trace 5·10⁵ and more: beyond both.
const HARD: [f64; 4] = [1.5, 0.1, -0.25, 0.5];
/// κ is beyond 10⁷, and the cutoff at 12·2u = 1.4e-6.
const HOPELESS: [f64; 4] = [1.5, 0.001, -0.25, 0.5];

const LIES: [Lie; 3] = [Lie::FewOnGrid, Lie::ManyOnGrid, Lie::Skewed];

/// One step of size ½ from a start.
fn one_step(data: &Data, start: [f64; 4], epsilon: f64, scaling: Scaling) -> Sweep {
    let block = StepBlock {
        sizes: vec![0.5],
        dampings: vec![Damping::Fixed(epsilon)],
        scaling: Some(scaling),
        ..StepBlock::default()
    };
    let stop = Stop { steps: 1, tests: false, ..Stop::default() };
    Sweep::new(&model(), data).start(start).block(block).stop(stop)
}

/// θ as the kernel leaves it, problem by problem: what it hands over stays at the start, and nobody mends it.
fn left_by_the_kernel(device: &Device, sweep: &Sweep) -> Vec<[f64; 4]> {
    let engine = Engine::from_device(device.clone()).unwrap();
    let mut fits = engine.resident(sweep).unwrap();
    fits.run().unwrap();
    let found = device.read(fits.parameters()).unwrap();
    (0..fits.len() as usize).map(|b| std::array::from_fn(|j| f64::from(found[fits.place(b, j)]))).collect()
}

#[test]
fn a_step_is_that_of_the_normal_equations() {
    let rules = [0.0, 0.125].into_iter().flat_map(|epsilon| [Scaling::Columns, Scaling::None].map(|s| (epsilon, s)));
    let rules: Vec<(f64, Scaling)> = rules.collect();
    for_each_device(|device| {
        for (lie, &(epsilon, scaling)) in LIES.into_iter().flat_map(|lie| rules.iter().map(move |r| (lie, r))) {
            let sweep = one_step(&scattered(lie), SOUND, epsilon, scaling);
            let job = sweep.resolve().unwrap();
            assert_eq!(job.shared_grid().is_some(), lie != Lie::Skewed);
            for (set, theta) in left_by_the_kernel(device, &sweep).into_iter().enumerate() {
                let (e, j) = residual_and_jacobian(&job, set, &SOUND);
                let rows: Vec<Vec<f64>> = (0..e.len()).map(|i| j.row(i).iter().copied().collect()).collect();
                let delta = twin::step(&rows, &e, epsilon, scaling == Scaling::Columns);
                let length = delta.iter().map(|d| d * d).sum::<f64>().sqrt();
                assert!(length > 0.1, "a step that is one");
                let errors = (0..4).map(|k| (SOUND[k] - 0.5 * delta[k] - theta[k]).powi(2));
                let error = errors.sum::<f64>().sqrt();
                // JᵀJ and Jᵀe are sums of 12 terms, each entry and e good to some 8u (an exponential, three products and a
                // difference): 20u of themselves. κ² ≤ 40 on every of these grids. θ itself, ‖θ‖ < 4, is rounded.
                let bound = U * (20.0 * 40.0 * length + 4.0);
                assert!(error <= bound, "{epsilon} {scaling:?}: off by {error:e} of {length}, bound {bound:e}");
            }
        }
    });
}

/// f and its derivatives at the start, written out.
fn by_hand([a, k, c, d]: [f64; 4], (u, v): (f64, f64)) -> (f64, [f64; 4]) {
    let square = u * u + v * v;
    let (peak, saddle) = ((-k * square / 2.0).exp(), (c * u * v).exp());
    (a * peak + saddle + d, [peak, -a * square / 2.0 * peak, u * v * saddle, 1.0])
}

/// The step that data set b asks for: its residual at the start is Jw.
fn wanted(b: usize) -> [f64; 4] {
    std::array::from_fn(|j| 0.5 + 0.25 * uniform(b, 100 + j))
}

/// ‖D·v‖, D the lengths of the columns of J at the points of a data set.
fn in_columns(rows: &[[f64; 4]], v: [f64; 4]) -> f64 {
    let length = |j: usize| rows.iter().map(|row| row[j] * row[j]).sum::<f64>().sqrt();
    (0..4).map(|j| (length(j) * v[j]).powi(2)).sum::<f64>().sqrt()
}

#[test]
fn where_normal_equations_are_in_doubt_a_step_is_in_error_by_the_condition_and_not_by_its_square() {
    let cases = [
        (DOUBTFUL, Lie::FewOnGrid, 30.0),
        (DOUBTFUL, Lie::ManyOnGrid, 42.0),
        (HARD, Lie::FewOnGrid, 1780.0),
        (HARD, Lie::Skewed, 1780.0),
    ];
    for_each_device(|device| {
        for (start, lie, condition) in cases {
            for scaling in [Scaling::Columns, Scaling::None] {
                let data = planes(lie, |b, i| {
                    let (f, slope) = by_hand(start, lie.points(b)[i]);
                    f - slope.iter().zip(wanted(b)).map(|(d, w)| d * w).sum::<f64>()
                });
                let left = left_by_the_kernel(device, &one_step(&data, start, 0.0, scaling));
                for (b, theta) in left.into_iter().enumerate() {
                    let (f, rows): (Vec<f64>, Vec<[f64; 4]>) =
                        lie.points(b).into_iter().map(|at| by_hand(start, at)).unzip();
                    let of_f = f.iter().map(|f| f * f).sum::<f64>().sqrt();
                    let of_step = in_columns(&rows, wanted(b));
                    let error = in_columns(&rows, std::array::from_fn(|j| start[j] - 0.5 * wanted(b)[j] - theta[j]));
                    // With unit columns J, of length 2, is in error by 8u an entry and by a rotation a row of some 6u; e by 8u
                    // of f. What of e no step removes is no larger than that, and the square of κ finds nothing to multiply:
                    // twice the first order bounds it. Half of it is taken, and θ rounded.
                    let rotations = 12.0 * rows.len() as f64;
                    let bound = U * (2.0 * 0.5 * condition * ((16.0 + rotations) * of_step + 8.0 * of_f) + 40.0);
                    assert!(error <= bound, "κ = {condition}, {scaling:?}: off by {error:e}, bound {bound:e}");
                    assert!(bound < 0.05 * of_step, "{bound:e} of {of_step}");
                    // Of the hard ones κ²u is 0.2: no normal equations come here.
                }
            }
        }
    });
}

#[test]
fn rows_whose_squares_are_no_normal_numbers_turn_none_of_the_others() {
    // Columns of which one is all but a multiple of another, and a first row that is as good as nothing in one of them: its
    // square has one digit in f32, or none, as on Mesa's software drivers. What no step removes is as large as the rest.
    let tails = [1e-19, 1e-21, 5e-23, 2.7e-23];
    let row = |b: usize, i: usize| if i == 0 { tails[b % 4] } else { 1.0 + 0.25 * uniform(b, 20 + i) };
    let next = |b: usize, i: usize| if i == 0 { 0.0 } else { row(b, i) + 0.02 * uniform(b, 40 + i) };
    let mut columns = [const { Vec::new() }; 4];
    for b in 0..BATCH {
        for i in 0..12 {
            let values = [b as f64, row(b, i), next(b, i), 2.0 * uniform(b, i) + if i == 0 { 3.0 } else { 0.0 }];
            columns.iter_mut().zip(values).for_each(|(column, value)| column.push(value));
        }
    }
    let [set, u, v, y] = columns;
    let data = Data::from_columns([("set", set), ("u", u), ("v", v), ("y", y)]).unwrap().group_by(&["set"]);
    let block = StepBlock { dampings: vec![Damping::Fixed(0.0)], ..StepBlock::default() };
    let stop = Stop { steps: 1, tests: false, ..Stop::default() };
    let model = Model::parse("a*u + b*v + c", &["a", "b", "c"]).unwrap();
    let sweep = Sweep::new(&model, &data).start([0.0; 3]).block(block).stop(stop);
    for_each_device(|device| {
        let engine = Engine::from_device(device.clone()).unwrap();
        let mut fits = engine.resident(&sweep).unwrap();
        fits.run().unwrap();
        let found = device.read(fits.parameters()).unwrap();
        for b in 0..BATCH {
            let theta: [f64; 3] = std::array::from_fn(|j| f64::from(found[fits.place(b, j)]));
            let rows: Vec<Vec<f64>> = (0..12).map(|i| vec![row(b, i), next(b, i), 1.0]).collect();
            let e: Vec<f64> = (0..12).map(|i| -(2.0 * uniform(b, i) + if i == 0 { 3.0 } else { 0.0 })).collect();
            let delta = twin::step(&rows, &e, 0.0, true);
            let error = (0..3).map(|j| (theta[j] + delta[j]).powi(2)).sum::<f64>().sqrt();
            let length = delta.iter().map(|d| d * d).sum::<f64>().sqrt();
            // κ is 160 to 500 on these, and the error ωκ(1 + κ‖e‖/‖δ‖) of δ with unit columns, ω = (16 + 144)u: along the
            // weak direction δ is κ times what of e lies there, some ‖e‖/√12, so that ωκ·4.5 is left, a percent or two. By
            // rotations in f32 whose subnormal squares are taken at their word, the two least tails are off by a percent and
            // by five in the middle of such sets, and by most of δ in some.
            assert!(error < 0.02 * length, "{:e}: off by {error:e} of {length}", tails[b % 4]);
        }
    });
}

#[test]
fn what_becomes_doubtful_on_its_way_goes_on_from_there() {
    // From where normal equations are sound to a minimiser where they are not, of data without noise.
    let lie = Lie::FewOnGrid;
    let data = planes(lie, |b, i| by_hand(HARD, lie.points(b)[i]).0);
    let sweep = Sweep::new(&model(), &data).start(SOUND);
    let (f, rows): (Vec<f64>, Vec<[f64; 4]>) = lie.points(0).into_iter().map(|at| by_hand(HARD, at)).unzip();
    let of_f = f.iter().map(|f| f * f).sum::<f64>().sqrt();
    for_each_device(|device| {
        let engine = Engine::from_device(device.clone()).unwrap();
        let outcome = engine.run(&sweep.clone().detail(Detail::Essential)).unwrap();
        assert!(outcome.iter().all(|fit| fit.status() == Status::Converged && fit.steps() > 2));
        for (theta, fit) in left_by_the_kernel(device, &sweep).into_iter().zip(outcome.iter()) {
            assert!(theta.iter().zip(fit.parameters()).all(|(x, y)| x.to_bits() == y.to_bits()), "never in memory");
            let error = in_columns(&rows, std::array::from_fn(|j| theta[j] - HARD[j]));
            // The tests leave 4u‖y‖ of the gradient beside rounding of e, 8u‖f‖; κ = 1780.
            let bound = U * 2.0 * 1780.0 * 12.0 * of_f;
            assert!(error <= bound, "off by {error:e}, bound {bound:e}");
        }
    });
}

/// With unit columns the trace of the inverse is 122 and 214 on a grid, and P over the determinant, its bound, 662 and 1,104.
const JUST_SOUND: [f64; 4] = [1.5, 1.0, -0.25, 0.5];

#[test]
fn doubt_is_told_by_the_trace_where_its_bound_does_not_tell() {
    for_each_device(|device| {
        for (start, in_doubt) in [(SOUND, 0), (JUST_SOUND, 0), (DOUBTFUL, BATCH as u64)] {
            for lie in [Lie::FewOnGrid, Lie::ManyOnGrid] {
                // Where f is what was seen, nothing moves: the start alone is judged.
                let data = planes(lie, |b, i| by_hand(start, lie.points(b)[i]).0);
                let engine = Engine::from_device(device.clone()).unwrap();
                let mut fits = engine.resident(&one_step(&data, start, 0.0, Scaling::Columns)).unwrap();
                assert_eq!(fits.run_and_count().unwrap(), in_doubt, "{start:?}, {lie:?}");
            }
        }
    });
}

#[test]
fn a_damped_step_is_that_of_the_twin_where_the_plain_one_is_in_doubt() {
    let data = scattered(Lie::FewOnGrid);
    for_each_device(|device| {
        for scaling in [Scaling::Columns, Scaling::None] {
            let epsilon = 0.125;
            let sweep = one_step(&data, HARD, epsilon, scaling);
            let job = sweep.resolve().unwrap();
            for (set, theta) in left_by_the_kernel(device, &sweep).into_iter().enumerate() {
                let (e, j) = residual_and_jacobian(&job, set, &HARD);
                let rows: Vec<Vec<f64>> = (0..e.len()).map(|i| j.row(i).iter().copied().collect()).collect();
                let delta = twin::step(&rows, &e, epsilon, scaling == Scaling::Columns);
                let error = (0..4).map(|k| (HARD[k] - 0.5 * delta[k] - theta[k]).powi(2)).sum::<f64>().sqrt();
                // σ₁² ≤ 4 with unit columns, which are 1 to 4 long; 70 of J as it is. κ² of the damped J is 1 + σ₁²/ε, and
                // multiplies an error of 160u in J and e, ‖e‖ < 9, in half the step: 1/√ε of e at most.
                let condition = 1.0 + if scaling == Scaling::Columns { 4.0 } else { 70.0 } / epsilon;
                let bound = U * (0.5 * condition * 160.0 * 9.0 / epsilon.sqrt() + 4.0);
                let length = 0.5 * delta.iter().map(|d| d * d).sum::<f64>().sqrt();
                assert!(
                    bound < 0.2 * length && error <= bound,
                    "{scaling:?}: off by {error:e} of {length}, bound {bound:e}"
                );
            }
        }
    });
}

#[test]
fn where_the_rank_is_in_doubt_no_step_is_taken_in_registers() {
    let data = scattered(Lie::FewOnGrid);
    for_each_device(|device| {
        for (epsilon, scaling) in
            [0.0, 0.125].into_iter().flat_map(|e| [Scaling::Columns, Scaling::None].map(|s| (e, s)))
        {
            let left = left_by_the_kernel(device, &one_step(&data, HOPELESS, epsilon, scaling));
            let moved =
                |theta: &[f64; 4]| theta.iter().zip(HOPELESS).any(|(here, x)| (here - f64::from(x as f32)).abs() > 0.0);
            assert!(!left.iter().any(moved), "{epsilon} {scaling:?}");
        }
    });
}

#[test]
fn the_plan_says_whether_steps_are_taken_in_registers() {
    let model = Model::parse("a*u + b*v + c", &["a", "b", "c"]).unwrap();
    let sweep = Sweep::new(&model, &scattered(Lie::FewOnGrid)).start([0.0; 3]);
    let all_told = sweep.resolve().unwrap();
    let job = sweep.detail(Detail::Essential).resolve().unwrap();
    for_each_device(|device| {
        let engine = Engine::from_device(device.clone()).unwrap();
        assert!(engine.plan(&job).mapping.starts_with("steps in registers, and"), "{}", engine.plan(&job).mapping);
        assert!(engine.plan(&all_told).mapping.starts_with("steps in registers, and at their end"));
        device.pin_mapping("step", "memory");
        for job in [&job, &all_told] {
            assert!(!engine.plan(job).mapping.contains("steps in registers, and"));
        }
    });
}
