//! The experiments of examples/networks on smaller copies: rescaled layers, and step sizes times dampings on a teacher.

mod common;

#[path = "../examples/rescaled.rs"]
#[allow(dead_code, unreachable_pub, reason = "a program of its own, with a main that prints")]
mod rescaled;

use std::path::Path;

use natgrad::builtin::Teacher;
use natgrad::stability::{Minimiser, StabilityOptions, Verdict};
use natgrad::{
    Activation, Damping, Data, Distribution, Draw, Engine, Initialisation, Initialiser, Model, Network, Precision,
    RandomStarts, Reason, Status, StepBlock, Stop, Sweep,
};

use common::engines;

fn taught(inputs: usize, (hidden, activation): (usize, Activation), points: usize) -> Data {
    let initialiser = Initialiser::Xavier { gain: 1.0 };
    let teacher = Teacher {
        network: Network::new(&[inputs, hidden, 1], activation).unwrap(),
        initialisation: Initialisation { initialiser, distribution: Distribution::Normal, zero_output: false },
        points,
        seeds: 0..1,
        noise: 0.0,
    };
    teacher.data().unwrap()
}

/// The starts of examples/networks/same_function.toml, as it certifies them.
#[test]
fn rescaled_layers_move_the_sharpness_by_four_orders_of_magnitude_and_no_multiplier() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/networks/same_function.csv");
    let network = Network::new(&rescaled::LAYERS, Activation::Relu).unwrap().output_bias(false);
    let sweep = Sweep::new(&Model::from(network), &taught(4, (3, Activation::Tanh), 6)).starts_from_csv(file);
    let job = sweep.resolve().unwrap();
    let points = Minimiser::of_starts(&job);
    assert_eq!(points.len(), rescaled::FACTORS.len());
    let mut options = StabilityOptions::default();
    options.perturbation = Some(3e-5);
    options.steps = 0;
    for engine in engines() {
        let found = engine.certify_points(&job, &points, &options).unwrap();
        let sharpness: Vec<f64> = found.certificates.iter().map(|certificate| certificate.hessian_sharpness).collect();
        println!("{}: sharpness {sharpness:?}", engine.description());
        let (least, most) = sharpness.iter().fold((f64::MAX, 0f64), |(low, high), &s| (low.min(s), high.max(s)));
        assert!(most > 1e4 * least, "{sharpness:?}");
        // A central difference over 3e-5 of θ: by f32's rounding, 6e-8 of it, half a percent at most, and in f64 what
        // curvature leaves.
        let bound = if engine.precision() == Precision::F64 { 1e-5 } else { 5e-3 };
        for certificate in &found.certificates {
            assert_eq!((certificate.verdict, certificate.rank), (Verdict::Holds, 6), "{}", certificate.detail);
            for filter in &certificate.filters {
                assert!(filter.worst_difference < bound, "{filter:?}");
                assert!(filter.measured[..6].iter().all(|m| (m - (1.0 - filter.step_size)).abs() < bound));
            }
        }
    }
}

#[test]
fn the_file_of_starts_is_what_its_program_writes_and_its_rows_are_one_function() {
    let text = include_str!("../examples/networks/same_function.csv");
    let rows = |text: &str| -> Vec<Vec<f64>> {
        let lines = text.lines().filter(|line| !line.starts_with('#')).skip(1);
        lines.map(|line| line.split(',').map(|cell| cell.parse().unwrap()).collect()).collect()
    };
    let committed = rows(text);
    let unscaled = rescaled::rescaled(&committed[0], 1.0 / rescaled::FACTORS[0]).unwrap();
    for (row, &c) in committed.iter().zip(&rescaled::FACTORS) {
        assert_eq!(*row, rescaled::rescaled(&unscaled, c).unwrap(), "c = {c}");
    }
    // Another processor rounds other sums: the minimiser is the same to that.
    for (a, b) in rows(&rescaled::starts().unwrap()).iter().flatten().zip(committed.iter().flatten()) {
        assert!((a - b).abs() <= 1e-6 * (1.0 + b.abs()), "{a} and {b}");
    }
    let model = Model::from(Network::new(&rescaled::LAYERS, Activation::Relu).unwrap().output_bias(false));
    for x in [[0.5, -1.0, 2.0, 0.25], [-1.5, 0.3, 0.1, -0.7]] {
        let values: Vec<u64> = committed.iter().map(|theta| model.evaluate(theta, &x).to_bits()).collect();
        assert!(values.iter().all(|value| *value == values[0]), "{values:?}");
    }
}

/// A smaller copy of examples/networks/teacher_map.toml: 61 parameters and 20 points.
fn small_map(sizes: &[f64], dampings: &[f64], stop: Stop) -> Sweep {
    let model = Model::network(&[4, 10, 1], Activation::Silu).unwrap();
    let start = Initialisation {
        initialiser: Initialiser::He { gain: 1.0 },
        distribution: Distribution::Normal,
        zero_output: false,
    };
    Sweep::new(&model, &taught(4, (3, Activation::Silu), 20))
        .random_starts(RandomStarts { draw: Draw::Initialised(start), seeds: 0..12 })
        .block(StepBlock {
            sizes: sizes.to_vec(),
            dampings: dampings.iter().map(|&epsilon| Damping::Fixed(epsilon)).collect(),
            ..StepBlock::default()
        })
        .stop(stop)
}

/// Median of the steps of the problems of a rule that reached the loss asked for, and how many they are.
fn reached(outcome: &natgrad::Outcome, rule: usize) -> (u32, usize) {
    let mut steps: Vec<u32> = outcome
        .iter()
        .filter(|problem| problem.rule_index() == rule && problem.status() == Status::Converged)
        .map(|problem| problem.steps())
        .collect();
    steps.sort_unstable();
    (steps.get(steps.len() / 2).copied().unwrap_or(u32::MAX), steps.len())
}

#[test]
fn steps_to_a_share_of_the_initial_loss_are_those_of_the_rate_and_dampings_slow_them() {
    let stop = Stop { steps: 80, initial_loss: Some(1e-6), ..Stop::default() };
    let sweep = small_map(&[0.5, 1.0, 2.2], &[1e-4, 1.0], stop);
    for engine in engines() {
        let outcome = engine.run(&sweep).unwrap();
        let first = engine.run(&small_map(&[1.0], &[0.0], Stop { steps: 0, tests: false, ..stop })).unwrap();
        for problem in outcome.iter().filter(|problem| problem.status() == Status::Converged) {
            // ‖e‖ of f32 is off by a few roundings of ‖y‖, 1e-7 of it beside the thousandth that is left.
            let initial = first.problem(problem.start_index()).loss();
            assert!(problem.loss() <= 1e-6 * initial * (1.0 + 1e-3), "{} of {initial}", problem.loss());
            assert_eq!(problem.reason(), Some(Reason::Loss));
        }
        let found: Vec<(u32, usize)> = (0..6).map(|rule| reached(&outcome, rule)).collect();
        println!("{}: {found:?}", engine.description());
        // η = 0.5 and 1 by ε = 1e-4 and 1. Halved each step, ‖e‖ falls to 10⁻³ in ten steps, once it is where the model
        // bends little; a full step takes fewer.
        assert!(found[0].1 >= 11 && (10..=20).contains(&found[0].0), "{found:?}");
        assert!(found[2].1 >= 11 && found[2].0 < found[0].0, "{found:?}");
        assert!(found[1].0 > found[0].0 && found[3].0 > found[2].0, "{found:?}");
        // Beyond η = 2 nothing but a damping makes a step shrink.
        assert_eq!(found[4].1, 0, "{found:?}");
    }
}

#[test]
fn the_loss_of_the_start_changes_no_step_before_it_is_reached_and_of_nothing_asks_nothing() {
    let run = |engine: &Engine, initial_loss: Option<f64>, steps: u32| {
        let stop = Stop { steps, initial_loss, ..Stop::default() };
        engine.run(&small_map(&[0.5], &[1e-3], stop)).unwrap()
    };
    for engine in engines() {
        let asked = run(engine, Some(1e-4), 60);
        let zero = run(engine, Some(0.0), 60);
        let none = run(engine, None, 60);
        for ((asked, zero), none) in asked.iter().zip(zero.iter()).zip(none.iter()) {
            assert_eq!((zero.parameters(), zero.steps()), (none.parameters(), none.steps()));
            assert_eq!((asked.status(), asked.reason()), (Status::Converged, Some(Reason::Loss)));
            assert!(asked.steps() < none.steps());
        }
        let first = asked.problem(0);
        let same = run(engine, None, first.steps());
        assert_eq!(same.problem(0).parameters(), first.parameters());
    }
}

#[cfg(feature = "cli")]
#[test]
fn a_sweep_over_step_sizes_and_dampings_leaves_a_map() {
    let place = common::program::Place::new();
    let spec = include_str!("../examples/networks/teacher_map.toml");
    let small = spec.replace("count = 256", "count = 3").replace("[10, 32, 1]", "[10, 12, 1]");
    let small = small.replace("points = 100", "points = 30").replace("steps = 60", "steps = 20");
    assert!(small.contains("count = 3 }") && small.contains("[10, 12, 1]") && small.contains("points = 30"));
    place.write("map.toml", &small);
    place.run(&["sweep", "map.toml", "--out", "map", "--device", "cpu"]).good();
    let svg = String::from_utf8(place.read("map/map.svg")).unwrap();
    for text in ["damping ε", "step size η", "Final loss", "Steps (median of the converged)", "2.1"] {
        assert!(svg.contains(text), "{text} is missing");
    }
    let names = place.names("map");
    assert!(names.contains(&"converged.svg".to_owned()) && names.contains(&"steps.svg".to_owned()));
}

/// A smaller copy of examples/networks/edge_of_stability.toml: 120 parameters, two seeds.
#[test]
fn gradient_descent_lets_the_hessian_s_sharpness_hover_at_two_over_the_step_size_whatever_that_is() {
    let network = Network::new(&[1, 40, 1], Activation::Tanh).unwrap().output_bias(false);
    let initialiser = Initialiser::Xavier { gain: 1.9 };
    let start = Initialisation { initialiser, distribution: Distribution::Normal, zero_output: false };
    let sizes = [0.01, 0.015, 0.02];
    let descent = StepBlock { sizes: sizes.to_vec(), filter: natgrad::Filter::Gradient, ..StepBlock::default() };
    let descent = StepBlock { dampings: vec![Damping::Fixed(0.0)], ..descent };
    let sweep = Sweep::new(&Model::from(network), &natgrad::builtin::chebyshev(4, 20).unwrap())
        .random_starts(RandomStarts { draw: Draw::Initialised(start), seeds: 0..2 })
        .block(descent)
        .history(natgrad::History { every: 60, hessian_sharpness: true, ..natgrad::History::default() })
        .stop(Stop { steps: 2400, tests: false, ..Stop::default() });
    // The CPU factors J for every step: the devices alone, which need not.
    for engine in engines().filter(|engine| engine.precision() == Precision::F32) {
        let outcome = engine.run(&sweep).unwrap();
        for problem in outcome.iter() {
            let edge = 2.0 / problem.step_size();
            let sharpness: Vec<f64> = problem.history().filter_map(|record| record.hessian_sharpness).collect();
            // From below, in some direction or other; and from 1,500 steps on it stays there, give or take an eighth on the way
            // and a twentieth in the middle, where a loss that only fell would end anywhere.
            let late = &sharpness[25..];
            let (least, most) = late.iter().fold((f64::MAX, 0f64), |(low, high), &s| (low.min(s), high.max(s)));
            let mean = late.iter().sum::<f64>() / late.len() as f64;
            println!("{}: 2/η = {edge:.0}, {least:.1} to {most:.1}, mean {mean:.1}", engine.description());
            assert!(sharpness.iter().any(|&s| s < 0.96 * edge));
            assert!(least > 0.875 * edge && most < 1.125 * edge && (mean / edge - 1.0).abs() < 0.05);
        }
    }
}

/// The other half of that experiment: of what natural gradient descent finds beside it, every minimiser is certified, or
/// refused with its reason.
#[test]
fn minimisers_of_networks_that_f32_hardly_resolves_are_certified_or_refused_with_their_reason() {
    let network = Network::new(&[1, 40, 1], Activation::Tanh).unwrap().output_bias(false);
    let initialiser = Initialiser::Xavier { gain: 1.9 };
    let start = Initialisation { initialiser, distribution: Distribution::Normal, zero_output: false };
    let adaptive = StepBlock { dampings: vec![Damping::Adaptive], ..StepBlock::default() };
    let sweep = Sweep::new(&Model::from(network), &natgrad::builtin::chebyshev(4, 20).unwrap())
        .random_starts(RandomStarts { draw: Draw::Initialised(start), seeds: 0..3 })
        .block(adaptive)
        .stop(Stop { steps: 300, loss: Some(1e-3), ..Stop::default() });
    let mut options = StabilityOptions::default();
    options.steps = 0;
    for engine in engines() {
        let outcome = engine.run(&sweep).unwrap();
        let found = engine.certify(&sweep, &outcome, &options).unwrap();
        println!("{}: {:?}, excluded {:?}", engine.description(), found.verdicts, found.excluded);
        let excluded = outcome.iter().filter(|problem| problem.status() != Status::Converged).count();
        assert!(excluded < outcome.len(), "none of them fits the data");
        assert_eq!(found.certificates.len() + excluded, outcome.len());
        for certificate in &found.certificates {
            assert!(certificate.verdict == Verdict::Holds || !certificate.detail.is_empty(), "{certificate:?}");
        }
    }
}

/// Smaller copies of examples/networks/rate_8.toml and rate_20.toml, as their histories tell them.
#[test]
fn records_of_wide_networks_lie_along_the_powers_of_one_minus_the_step_size() {
    for (points, seeds) in [(8, 12), (20, 2)] {
        records_lie_along_the_powers(points, seeds);
    }
}

fn records_lie_along_the_powers(n: usize, seeds: u64) {
    let network = Network::new(&[n, 64, 1], Activation::Tanh).unwrap();
    let network = network.parametrisation(natgrad::Parametrisation::Ntk);
    let start = Initialisation {
        initialiser: Initialiser::Normal { scale: 1.0 },
        distribution: Distribution::Normal,
        zero_output: false,
    };
    let sizes = [0.025, 0.1, 0.5];
    let sweep = Sweep::new(&Model::from(network), &taught(n, (3, Activation::Tanh), n))
        .random_starts(RandomStarts { draw: Draw::Initialised(start), seeds: 0..seeds })
        .step_sizes(sizes)
        .history(natgrad::History { every: 5, ..natgrad::History::default() })
        .stop(Stop { steps: 200, initial_loss: Some(1e-6), ..Stop::default() });
    for engine in engines() {
        let outcome = engine.run(&sweep).unwrap();
        for problem in outcome.iter() {
            let kept = 1.0 - problem.step_size();
            let records: Vec<_> = problem.history().collect();
            assert!(records.iter().all(|record| record.rank == Some(n)));
            for pair in records.windows(2) {
                let (from, to) = (&pair[0], &pair[1]);
                // Once a hundredth is left, what its square adds to a step is a hundredth too; before, and over many steps, it
                // is more.
                if from.residual_norm < 0.01 * records[0].residual_norm {
                    let steps = f64::from(to.step - from.step);
                    let rate = (to.residual_norm / from.residual_norm).powf(1.0 / steps);
                    assert!((rate / kept - 1.0).abs() < 0.01, "η = {}: {rate}", problem.step_size());
                }
            }
        }
    }
}
