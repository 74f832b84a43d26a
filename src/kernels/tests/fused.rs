//! One step in registers against its twin.

use super::*;
use crate::backend::residual_and_jacobian;
use crate::data::Data;
use crate::engine::Engine;
use crate::kernels::fused::twin;
use crate::sweep::{Detail, StepBlock, Sweep};

/// Three lines of points on a plane, each data set with a response of its own: a grid of two axes, or, `skewed`, one
/// coordinate that no two data sets share.
fn planes(skewed: bool) -> Data {
    let (mut set, mut u, mut v, mut y) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for b in 0..BATCH {
        for i in 0..12 {
            set.push(b as f64);
            u.push(0.5 * (i % 4) as f64 + if skewed { f64::from(b as u32) / 256.0 } else { 0.0 });
            v.push((i / 4) as f64 - 1.0);
            y.push(2.0 * uniform(b, i));
        }
    }
    Data::from_columns([("set", set), ("u", u), ("v", v), ("y", y)]).unwrap().group_by(&["set"])
}

/// An exponential that separates over the grid, one that does not, and a derivative that is constant.
fn model() -> Model {
    Model::parse("a*exp(-k*(u*u + v*v)/2) + exp(c*u*v) + d", &["a", "k", "c", "d"]).unwrap()
}

/// κ² ≤ 31 with unit columns, and the trace of the inverse below 16.
const SOUND: [f64; 4] = [1.5, 2.5, -0.5, 0.5];
/// The trace of the inverse is 332, beyond the bound for plain steps, 256, and far below that for damped ones.
const DOUBTFUL: [f64; 4] = [1.5, 0.75, -0.25, 0.5];

/// One step of size ½ from a start.
fn one_step(skewed: bool, start: [f64; 4], epsilon: f64, scaling: Scaling) -> Sweep {
    let block = StepBlock {
        sizes: vec![0.5],
        dampings: vec![Damping::Fixed(epsilon)],
        scaling: Some(scaling),
        ..StepBlock::default()
    };
    let stop = Stop { steps: 1, tests: false, ..Stop::default() };
    Sweep::new(&model(), &planes(skewed)).start(start).block(block).stop(stop)
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
            let sweep = one_step(skewed, SOUND, epsilon, scaling);
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

#[test]
fn where_the_condition_is_in_doubt_a_plain_step_is_left_to_others_and_a_damped_one_is_not() {
    for_each_device(|device| {
        for scaling in [Scaling::Columns, Scaling::None] {
            let moved = |theta: &[f64; 4]| theta.iter().zip(&DOUBTFUL).any(|(here, start)| (here - start).abs() > 0.0);
            let plain = left_by_the_kernel(device, &one_step(false, DOUBTFUL, 0.0, scaling));
            assert!(!plain.iter().any(moved), "{scaling:?}");
            let damped = left_by_the_kernel(device, &one_step(false, DOUBTFUL, 0.125, scaling));
            assert!(damped.iter().all(moved), "{scaling:?}");
        }
    });
}

#[test]
fn the_plan_says_whether_steps_are_taken_in_registers() {
    let model = Model::parse("a*u + b*v + c", &["a", "b", "c"]).unwrap();
    let sweep = Sweep::new(&model, &planes(false)).start([0.0; 3]);
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
