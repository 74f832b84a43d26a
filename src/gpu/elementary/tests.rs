use std::convert::Infallible;

use crate::gpu::present::devices;
use crate::gpu::{Depth, Device};

use super::evaluate::{Evaluator, Point};
use super::measure::measure_with;
use super::points::arguments;
use super::*;

/// Values of our own versions.
fn evaluate(device: &Device, points: &[Point]) -> Vec<f32> {
    Evaluator::new(device, ElementarySet::ALL).unwrap().evaluate(points).unwrap()
}

fn measure_at(device: &Device, points_each: usize, own: ElementarySet) -> Vec<ElementaryError> {
    let evaluator = Evaluator::new(device, own).unwrap();
    measure_with(points_each, own, |points| evaluator.evaluate(points)).unwrap()
}

fn measured(
    points: usize,
    own: ElementarySet,
    evaluate: impl FnMut(&[Point]) -> Result<Vec<f32>, Infallible>,
) -> Vec<ElementaryError> {
    let Ok(errors) = measure_with(points, own, evaluate);
    errors
}

#[test]
fn our_own_versions_meet_their_bounds_on_every_adapter() {
    for device in devices() {
        for error in measure_at(&device, 100_000, ElementarySet::ALL) {
            println!("{}: {error}", device.summary().label());
            assert!(error.meets_bound(), "{}: {error}", device.summary().label());
            assert!(error.points >= 100_000);
        }
    }
}

#[test]
fn builtins_that_miss_their_bound_are_replaced_and_then_every_function_meets_it() {
    for device in devices() {
        let builtins = measure(&device, Depth::Quick, ElementarySet::NONE).unwrap();
        for error in &builtins {
            println!("{}: {}{error}", device.summary().label(), if error.meets_bound() { "  " } else { "! " });
        }
        let own = replaced(&builtins);
        for error in measure(&device, Depth::Quick, own).unwrap() {
            assert!(error.meets_bound(), "{}: {error}", device.summary().label());
            assert_eq!(error.own, own.contains(error.function));
        }
    }
}

/// The best f32 functions there can be: f64 rounded once.
fn ideal(function: Elementary, (x, y): (f32, f32)) -> f32 {
    function.reference(f64::from(x), f64::from(y)) as f32
}

#[test]
fn ideal_functions_meet_every_bound() {
    let ideal = |points: &[Point]| Ok(points.iter().map(|&(function, at)| ideal(function, at)).collect());
    let errors = measured(20_000, ElementarySet::NONE, ideal);
    assert!(replaced(&errors).is_empty(), "{errors:?}");
}

/// Builtins as bad as the WGSL specification lets them be, each alone among ideal ones.
#[test]
fn a_builtin_no_better_than_the_specification_asks_is_found_out() {
    fn ulp(v: f32) -> f32 {
        v.abs().next_up() - v.abs()
    }
    type Bad = (Elementary, fn(f32, f32, f32) -> f32);
    let bad: [Bad; 9] = [
        (Elementary::Exp, |x, _, v| v + (3.0 + 2.0 * x.abs()) * ulp(v)),
        (Elementary::Log, |x, _, v| if (0.5..=2.0).contains(&x) { v + 2f32.powi(-21) } else { v }),
        (Elementary::Sin, |_, _, v| v + 2f32.powi(-11)),
        (Elementary::Cos, |_, _, v| v + 2f32.powi(-11)),
        (Elementary::Atan, |_, _, v| v + 4096.0 * ulp(v)),
        (Elementary::Tanh, |x, _, v| if x.abs() > 44.4 { f32::NAN } else { v }),
        (Elementary::Pow, |x, _, v| if x < 0.0 { f32::NAN } else { v }),
        (Elementary::Sqrt, |_, _, v| v + 3.0 * ulp(v)),
        (Elementary::Log10, |x, _, v| if x < 0.0 { 0.0 } else { v }),
    ];
    for (function, spoil) in bad {
        let errors = measured(1_000, ElementarySet::NONE, |points| {
            Ok(points
                .iter()
                .map(|&(each, at)| {
                    let value = ideal(each, at);
                    if each == function { spoil(at.0, at.1, value) } else { value }
                })
                .collect())
        });
        assert_eq!(replaced(&errors).iter().collect::<Vec<_>>(), [function]);
    }
}

/// What a model relies on, spelled out without the f64 reference.
#[test]
fn our_own_versions_give_the_special_values_of_ieee_754() {
    use Elementary::*;
    const INF: f32 = f32::INFINITY;
    const NAN: f32 = f32::NAN;
    let cases: Vec<(Elementary, (f32, f32), f32)> = vec![
        (Exp, (-INF, 0.0), 0.0),
        (Exp, (INF, 0.0), INF),
        (Exp, (89.0, 0.0), INF),
        (Exp, (-110.0, 0.0), 0.0),
        (Exp, (0.0, 0.0), 1.0),
        (Log, (0.0, 0.0), -INF),
        (Log, (-0.0, 0.0), -INF),
        (Log, (-1.0, 0.0), NAN),
        (Log, (-INF, 0.0), NAN),
        (Log, (INF, 0.0), INF),
        (Log, (1.0, 0.0), 0.0),
        (Log2, (8.0, 0.0), 3.0),
        (Log2, (-2.0, 0.0), NAN),
        (Log2, (0.0, 0.0), -INF),
        (Log10, (-2.0, 0.0), NAN),
        (Log10, (1000.0, 0.0), 3.0),
        (Sqrt, (-1e-30, 0.0), NAN),
        (Sqrt, (0.0, 0.0), 0.0),
        (Sqrt, (INF, 0.0), INF),
        (Sqrt, (9.0, 0.0), 3.0),
        (Pow, (-2.0, 3.0), -8.0),
        (Pow, (-2.0, 2.0), 4.0),
        (Pow, (-2.0, -1.0), -0.5),
        (Pow, (-2.0, 0.5), NAN),
        (Pow, (-1.0, 16_777_215.0), -1.0),
        (Pow, (0.0, 0.0), 1.0),
        (Pow, (0.0, 3.0), 0.0),
        (Pow, (0.0, -2.0), INF),
        (Pow, (-0.0, -1.0), -INF),
        (Pow, (INF, -1.0), 0.0),
        (Pow, (-INF, 3.0), -INF),
        (Pow, (-1.0, INF), 1.0),
        (Pow, (2.0, INF), INF),
        (Pow, (0.5, INF), 0.0),
        (Pow, (0.5, -INF), INF),
        (Pow, (10.0, 39.0), INF),
        (Pow, (10.0, -50.0), 0.0),
        (Pow, (NAN, 0.0), 1.0),
        (Pow, (1.0, NAN), 1.0),
        (Pow, (2.0, NAN), NAN),
        (Sin, (INF, 0.0), NAN),
        (Cos, (-INF, 0.0), NAN),
        (Tan, (INF, 0.0), NAN),
        (Sin, (0.0, 0.0), 0.0),
        (Cos, (0.0, 0.0), 1.0),
        (Asin, (1.5, 0.0), NAN),
        (Acos, (-1.5, 0.0), NAN),
        (Acos, (1.0, 0.0), 0.0),
        (Atan, (INF, 0.0), std::f32::consts::FRAC_PI_2),
        (Atan, (-INF, 0.0), -std::f32::consts::FRAC_PI_2),
        (Atan2, (0.0, 0.0), 0.0),
        (Atan2, (0.0, -1.0), std::f32::consts::PI),
        (Atan2, (-0.0, -1.0), -std::f32::consts::PI),
        (Atan2, (INF, INF), std::f32::consts::FRAC_PI_4),
        (Atan2, (1.0, INF), 0.0),
        (Atan2, (NAN, 1.0), NAN),
        (Atan2, (1.0, NAN), NAN),
        (Sinh, (100.0, 0.0), INF),
        (Sinh, (-100.0, 0.0), -INF),
        (Sinh, (-INF, 0.0), -INF),
        (Cosh, (-100.0, 0.0), INF),
        (Cosh, (0.0, 0.0), 1.0),
        (Tanh, (INF, 0.0), 1.0),
        (Tanh, (-INF, 0.0), -1.0),
        (Tanh, (1e30, 0.0), 1.0),
        (Tanh, (-50.0, 0.0), -1.0),
        // Subnormal arguments are taken as they are: √(2^-140) = 2^-70, log2(2^-140) = -140.
        (Sqrt, (f32::from_bits(1 << 9), 0.0), 8.470_329_5e-22),
        (Log2, (f32::from_bits(1 << 9), 0.0), -140.0),
    ];
    let nan_in = Elementary::ALL.into_iter().map(|function| (function, (NAN, 2.0), NAN));
    let cases: Vec<_> = cases.into_iter().chain(nan_in).collect();
    let points: Vec<Point> = cases.iter().map(|&(function, at, _)| (function, at)).collect();
    for device in devices() {
        let values = evaluate(&device, &points);
        for (&(function, at, expected), value) in cases.iter().zip(values) {
            let right = if expected.is_nan() { value.is_nan() } else { value == expected };
            assert!(right, "{}: {function}{at:?} = {value:e}, not {expected:e}", device.summary().label());
        }
    }
}

/// Beyond the range of its bound a sine may be inaccurate, but not larger than 1, and not a NaN.
#[test]
fn sines_of_huge_angles_stay_within_one() {
    let angles = (17..128).flat_map(|e| [2f32.powi(e), -1.37 * 2f32.powi(e)]);
    let points: Vec<Point> = angles
        .flat_map(|x| [(Elementary::Sin, (x, 0.0)), (Elementary::Cos, (x, 0.0))])
        .filter(|p| p.1.0.is_finite())
        .collect();
    for device in devices() {
        let values = evaluate(&device, &points);
        for (&(function, (x, _)), value) in points.iter().zip(values) {
            assert!(value.abs() <= 1.0, "{function}({x:e}) = {value:e}");
            // The stated loss: |x|·2^-23, up to where the quotient by π/2 leaves 22 bits.
            if x.abs() < 4e6 {
                let error = (f64::from(value) - function.reference(f64::from(x), 0.0)).abs();
                assert!(error <= f64::from(x.abs()) * ULP_OF_ONE + ULP_OF_ONE, "{function}({x:e}) is off by {error:e}");
            }
        }
    }
}

#[test]
fn the_points_are_the_same_every_time_and_within_the_stated_ranges() {
    for function in Elementary::ALL {
        let points = arguments(function, 2_000, 3);
        let bits = |points: &[(f32, f32)]| -> Vec<(u32, u32)> {
            points.iter().map(|p| (p.0.to_bits(), p.1.to_bits())).collect()
        };
        assert_eq!(bits(&points), bits(&arguments(function, 2_000, 3)));
        assert_ne!(bits(&points), bits(&arguments(function, 2_000, 4)));
        // Most points must be ordinary ones: a finite, normal result of a finite argument.
        let ordinary = points.iter().filter(|&&at| ideal(function, at).is_normal()).count();
        assert!(ordinary > 1_700, "{function}: {ordinary} of {}", points.len());
    }
}

#[test]
fn the_bound_of_pow_grows_with_the_exponent_of_two() {
    assert_eq!(Elementary::Pow.bound(2.0, 64.0), Bound { ulps: 4.0, absolute: 0.0 });
    assert_eq!(Elementary::Pow.bound(1.0, 5.0), Bound { ulps: 2.0, absolute: 0.0 });
}

#[test]
fn sets_keep_their_members_and_name_their_definitions() {
    let set: ElementarySet = [Elementary::Tanh, Elementary::Exp].into_iter().collect();
    assert_eq!(set.definitions().collect::<Vec<_>>(), ["OWN_EXP", "OWN_TANH"]);
    assert!(!set.contains(Elementary::Log) && ElementarySet::ALL.iter().eq(Elementary::ALL));
}
