//! One step in registers against its twin.

use super::*;
use crate::backend::residual_and_jacobian;
use crate::data::Data;
use crate::engine::Engine;
use crate::kernels::fused::twin;
use crate::sweep::{Detail, StepBlock, Sweep};

/// Where the points of a data set lie: three lines on a plane, the same for all or, `skewed`, one coordinate that no two data
/// sets share.
fn places(b: usize, skewed: bool) -> Vec<(f64, f64)> {
    let off = if skewed { f64::from(b as u32) / 256.0 } else { 0.0 };
    (0..12).map(|i| (0.5 * f64::from(i % 4) + off, f64::from(i / 4) - 1.0)).collect()
}

/// Data sets with a response of their own at each point.
fn planes(skewed: bool, response: impl Fn(usize, usize) -> f64) -> Data {
    let mut columns = [const { Vec::new() }; 4];
    for b in 0..BATCH {
        for (i, (u, v)) in places(b, skewed).into_iter().enumerate() {
            columns.iter_mut().zip([b as f64, u, v, response(b, i)]).for_each(|(column, value)| column.push(value));
        }
    }
    let [set, u, v, y] = columns;
    Data::from_columns([("set", set), ("u", u), ("v", v), ("y", y)]).unwrap().group_by(&["set"])
}

fn scattered(skewed: bool) -> Data {
    planes(skewed, |b, i| 2.0 * uniform(b, i))
}

/// An exponential that separates over the grid, one that does not, and a derivative that is constant.
fn model() -> Model {
    Model::parse("a*exp(-k*(u*u + v*v)/2) + exp(c*u*v) + d", &["a", "k", "c", "d"]).unwrap()
}

/// κ² ≤ 31 with unit columns, and the trace of the inverse below 16.
const SOUND: [f64; 4] = [1.5, 2.5, -0.5, 0.5];
/// κ is 20 to 30 with unit columns, and the trace of the inverse 156 to 332: beyond the bound for plain steps of the normal
/// equations, 256, where points are the same for all, and far below that for damped ones.
const DOUBTFUL: [f64; 4] = [1.5, 0.75, -0.25, 0.5];
/// κ is 1,190 to 1,780.
const HARD: [f64; 4] = [1.5, 0.1, -0.25, 0.5];
/// κ is beyond 10⁷, and the cutoff at 12·2u = 1.4e-6.
const HOPELESS: [f64; 4] = [1.5, 0.001, -0.25, 0.5];

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
        for (skewed, &(epsilon, scaling)) in [false, true].into_iter().flat_map(|s| rules.iter().map(move |r| (s, r))) {
            let sweep = one_step(&scattered(skewed), SOUND, epsilon, scaling);
            let job = sweep.resolve().unwrap();
            assert_eq!(job.shared_grid().is_some(), !skewed);
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

#[test]
fn where_normal_equations_are_in_doubt_a_step_is_in_error_by_the_condition_and_not_by_its_square() {
    for_each_device(|device| {
        for (start, condition) in [(DOUBTFUL, 30.0), (HARD, 1780.0)] {
            for (skewed, scaling) in
                [false, true].into_iter().flat_map(|s| [Scaling::Columns, Scaling::None].map(|c| (s, c)))
            {
                let data = planes(skewed, |b, i| {
                    let (f, slope) = by_hand(start, places(b, skewed)[i]);
                    f - slope.iter().zip(wanted(b)).map(|(d, w)| d * w).sum::<f64>()
                });
                for (b, theta) in
                    left_by_the_kernel(device, &one_step(&data, start, 0.0, scaling)).into_iter().enumerate()
                {
                    let points = places(b, skewed).into_iter().map(|at| by_hand(start, at));
                    let (f, rows): (Vec<f64>, Vec<[f64; 4]>) = points.unzip();
                    let lengths: Vec<f64> =
                        (0..4).map(|j| rows.iter().map(|row| row[j] * row[j]).sum::<f64>().sqrt()).collect();
                    let of_f = f.iter().map(|f| f * f).sum::<f64>().sqrt();
                    let of_step = (0..4).map(|j| (lengths[j] * wanted(b)[j]).powi(2)).sum::<f64>().sqrt();
                    let error = (0..4).map(|j| (lengths[j] * (start[j] - 0.5 * wanted(b)[j] - theta[j])).powi(2));
                    let error = error.sum::<f64>().sqrt();
                    // With unit columns J is in error by 8u an entry, twice that in all, and by 12 rotations of some 6u each;
                    // e by 8u of f. What of e no step removes is no larger than that, and the square of κ finds nothing to
                    // multiply: twice the first order bounds it. Half of it is taken, and θ rounded.
                    let bound = U * (2.0 * 0.5 * condition * (88.0 * of_step + 8.0 * of_f) + 8.0);
                    assert!(
                        error <= bound,
                        "κ = {condition}, {scaling:?}: off by {error:e} of {of_step}, bound {bound:e}"
                    );
                    assert!(bound < 0.05 * of_step, "κ²u of it would be 0.2, and more");
                }
            }
        }
    });
}

#[test]
fn a_damped_step_is_that_of_the_twin_where_the_plain_one_is_in_doubt() {
    let data = scattered(false);
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
                // multiplies an error of 88u in J and e, ‖e‖ < 9, in half the step: 1/√ε of e at most.
                let condition = 1.0 + if scaling == Scaling::Columns { 4.0 } else { 70.0 } / epsilon;
                let bound = U * (0.5 * condition * 88.0 * 9.0 / epsilon.sqrt() + 4.0);
                assert!(bound < 0.5 && error <= bound, "{scaling:?}: off by {error:e}, bound {bound:e}");
            }
        }
    });
}

#[test]
fn where_the_rank_is_in_doubt_no_step_is_taken_in_registers() {
    let data = scattered(false);
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
    let sweep = Sweep::new(&model, &scattered(false)).start([0.0; 3]);
    let all_told = sweep.resolve().unwrap();
    let job = sweep.detail(Detail::Essential).resolve().unwrap();
    for_each_device(|device| {
        let engine = Engine::from_device(device.clone()).unwrap();
        assert!(engine.plan(&job).mapping.starts_with("steps in registers, and"), "{}", engine.plan(&job).mapping);
        assert!(!engine.plan(&all_told).mapping.contains("steps in registers, and"));
        device.pin_mapping("step", "memory");
        assert!(!engine.plan(&job).mapping.contains("steps in registers, and"));
    });
}
