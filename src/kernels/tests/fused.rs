//! One step in registers against its twin.

use std::ops::ControlFlow;

use super::*;
use crate::backend::residual_and_jacobian;
use crate::data::Data;
use crate::engine::Engine;
use crate::kernels::fused::twin;
use crate::sweep::{StepBlock, Sweep};

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

#[test]
fn a_step_is_that_of_the_normal_equations() {
    // An exponential that separates over the grid, one that does not, and a derivative that is constant.
    let model = Model::parse("a*exp(-k*(u*u + v*v)/2) + exp(c*u*v) + d", &["a", "k", "c", "d"]).unwrap();
    let start = [1.5, 0.75, -0.25, 0.5];
    let rules = [(0.0, Scaling::Columns), (0.0, Scaling::None), (0.125, Scaling::Columns), (0.125, Scaling::None)];
    for_each_device(|device| {
        let engine = Engine::from_device(device.clone()).unwrap();
        for (skewed, (epsilon, scaling)) in
            [false, true].into_iter().flat_map(|skewed| rules.map(|rule| (skewed, rule)))
        {
            let block = StepBlock {
                sizes: vec![0.5],
                dampings: vec![Damping::Fixed(epsilon)],
                scaling: Some(scaling),
                ..StepBlock::default()
            };
            let stop = Stop { steps: 1, tests: false, ..Stop::default() };
            let sweep = Sweep::new(&model, &planes(skewed)).start(start).block(block).stop(stop);
            let job = sweep.resolve().unwrap();
            assert_eq!(job.shared_grid().is_some(), !skewed);
            let outcome = engine.run_job(&job, 0..job.len(), &mut |_| ControlFlow::Continue(())).unwrap();
            for problem in outcome.iter() {
                let (e, j) = residual_and_jacobian(&job, problem.set(), &start);
                let rows: Vec<Vec<f64>> = (0..e.len()).map(|i| j.row(i).iter().copied().collect()).collect();
                let delta = twin::step(&rows, &e, epsilon, scaling == Scaling::Columns);
                let length = delta.iter().map(|d| d * d).sum::<f64>().sqrt();
                let errors = (0..4).map(|k| (start[k] - 0.5 * delta[k] - problem.parameters()[k]).powi(2));
                let error = errors.sum::<f64>().sqrt();
                // JᵀJ and Jᵀe are sums of 12 terms, each entry and e good to some 8u (an exponential, three products and a
                // difference): 20u of themselves. The trace of the inverse with unit columns is at most 2⁸, or the step would
                // not be taken here, and is 10 at these points: κ² ≤ 40. θ itself is rounded to u.
                let bound = U * (20.0 * 40.0 * length + 2.0);
                assert!(error <= bound, "{epsilon} {scaling:?}: off by {error:e} of {length}, bound {bound:e}");
            }
        }
    });
}

#[test]
fn a_step_in_registers_was_what_these_problems_took() {
    // The same on the grid, with the other way refused: were none of the problems done in registers, nothing would be left.
    let model = Model::parse("a*u + b*v + c", &["a", "b", "c"]).unwrap();
    let job = Sweep::new(&model, &planes(false)).start([0.0; 3]).resolve().unwrap();
    for_each_device(|device| {
        let engine = Engine::from_device(device.clone()).unwrap();
        assert!(engine.plan(&job).mapping.starts_with("steps in registers"), "{}", engine.plan(&job).mapping);
        device.pin_mapping("step", "memory");
        assert!(!engine.plan(&job).mapping.contains("steps in registers, and"));
    });
}
