//! Changes of coordinates move the sharpness of gradient descent and leave natural gradient descent as it was.

mod common;

#[path = "../examples/invariance.rs"]
#[allow(dead_code, unreachable_pub, reason = "a program of its own, with a main that prints")]
mod invariance;

use common::engines;
use natgrad::stability::Verdict;
use natgrad::{Choice, Engine};

#[test]
fn layers_may_be_rescaled_and_the_multipliers_stay_where_the_sharpness_moves_by_orders_of_magnitude() {
    let factors = [0.1, 1.0, 10.0];
    for engine in engines() {
        let found = invariance::rescaled_layers(engine, &factors).unwrap();
        for (c, certificate) in factors.iter().zip(&found) {
            assert_eq!(
                certificate.verdict,
                Verdict::Holds,
                "c = {c}: {} on {}",
                certificate.detail,
                engine.description()
            );
            assert_eq!(certificate.rank, 4);
            for f in &certificate.filters {
                for measured in &f.measured[..4] {
                    assert!((measured / (1.0 - f.step_size) - 1.0).abs() < 0.01, "c = {c}: {measured}");
                }
                assert!((1.9..=2.1).contains(&f.critical_step));
            }
        }
        let sharpness: Vec<f64> = found.iter().map(|certificate| certificate.hessian_sharpness).collect();
        assert!(sharpness[0] > 30.0 * sharpness[1] && sharpness[2] > 30.0 * sharpness[1], "{sharpness:?}");
    }
}

#[test]
fn steps_in_other_coordinates_agree_to_second_order_of_the_step_size_and_no_better() {
    let engine = Engine::open(Choice::Cpu).unwrap();
    let sizes = [0.04, 0.02, 0.01, 0.005];
    let apart = invariance::reparametrised_steps(&engine, &sizes).unwrap();
    for pair in apart.windows(2) {
        // To order η²: half the step, a quarter of the distance, up to terms of order η.
        let order = (pair[0] / pair[1]).log2();
        assert!((order - 2.0).abs() < 0.1, "order {order}: {apart:?}");
    }
    assert!(apart[0] > 1e-6, "{apart:?}: they do differ");
}
