//! Networks, where parameters outnumber the data: steps, starts and certificates, on every device.

mod common;

use natgrad::builtin::{Teacher, chebyshev};
use natgrad::stability::{Minimiser, StabilityOptions, Verdict};
use natgrad::{
    Activation, Choice, Data, Distribution, Draw, Engine, Initialisation, Initialiser, Model, Network, Outcome,
    Parametrisation, RandomStarts, Reduction, Status, StepBlock, Stop, Sweep,
};

use common::{again_on_swiftshader, engines, gpu_engines};

fn drawn(sweep: Sweep, initialiser: Initialiser, seeds: std::ops::Range<u64>) -> Sweep {
    let initialisation = Initialisation { initialiser, distribution: Distribution::Normal, zero_output: false };
    sweep.random_starts(RandomStarts { draw: Draw::Initialised(initialisation), seeds })
}

/// What a small teacher says of as many points as it has inputs.
fn taught(inputs: usize, points: usize) -> Data {
    let initialiser = Initialiser::Xavier { gain: 1.0 };
    let teacher = Teacher {
        network: Network::new(&[inputs, 3, 1], Activation::Tanh).unwrap(),
        initialisation: Initialisation { initialiser, distribution: Distribution::Normal, zero_output: false },
        points,
        seeds: 0..1,
        noise: 0.0,
    };
    teacher.data().unwrap()
}

fn exactly(steps: u32) -> Stop {
    Stop { steps, tests: false, ..Stop::default() }
}

fn fixed(size: f64, damping: f64) -> StepBlock {
    StepBlock { sizes: vec![size], dampings: vec![natgrad::Damping::Fixed(damping)], ..StepBlock::default() }
}

#[test]
fn the_residual_of_wide_networks_shrinks_by_one_minus_the_step_size() {
    let network = Network::new(&[8, 64, 1], Activation::Tanh).unwrap().parametrisation(Parametrisation::Ntk);
    let model = Model::from(network);
    let data = taught(8, 8);
    for engine in engines() {
        for size in [0.1f64, 0.5] {
            // By then 1% of the residual is left, and what the square of it adds to a step is as little.
            let steps = (0.01f64.ln() / (1.0 - size).ln()).ceil() as u32;
            let norms = |steps: u32| -> Vec<f64> {
                let sweep = drawn(Sweep::new(&model, &data), Initialiser::Normal { scale: 1.0 }, 0..20);
                let outcome = engine.run(&sweep.block(fixed(size, 0.0)).stop(exactly(steps))).unwrap();
                assert!(outcome.iter().all(|problem| problem.rank() == Some(8)));
                outcome.iter().map(|problem| (2.0 * problem.loss()).sqrt()).collect()
            };
            for (before, after) in norms(steps).iter().zip(norms(steps + 1)) {
                let ratio = after / before;
                assert!((ratio / (1.0 - size) - 1.0).abs() < 0.01, "η = {size}: {ratio}");
            }
        }
    }
}

#[test]
fn devices_and_the_cpu_take_the_same_damped_steps() {
    // With a damping the step is smooth in J: what f32 rounds in J, 10⁻⁵ of it after five layers of sums, moves θ by no more.
    let model = Model::network(&[2, 12, 7, 1], Activation::Silu).unwrap();
    let data = taught(2, 15);
    let sweep = drawn(Sweep::new(&model, &data), Initialiser::Xavier { gain: 1.5 }, 0..70);
    let sweep = sweep.block(fixed(1.0, 0.1)).stop(exactly(5));
    let all: Vec<Outcome> = engines().map(|engine| engine.run(&sweep).unwrap()).collect();
    for other in &all[1..] {
        for (a, b) in all[0].iter().zip(other.iter()) {
            let size = a.parameters().iter().fold(0.0, |size: f64, t| size.max(t.abs()));
            for (a, b) in a.parameters().iter().zip(b.parameters()) {
                assert!((a - b).abs() < 1e-3 * size, "{a} and {b}");
            }
            assert_eq!((a.rank().is_some(), b.covariance().len(), b.standard_errors().len()), (true, 0, 0));
        }
    }
}

/// Damped steps and gradient descent take singular values where they end alone: beside rules that always do, and among others
/// that wait for them, no bit of theirs is another.
#[test]
fn steps_without_singular_values_are_the_same_alone_and_beside_those_with() {
    let gradient = StepBlock { filter: natgrad::Filter::Gradient, momentum: 0.5, ..fixed(0.01, 0.0) };
    let adaptive = StepBlock { dampings: vec![natgrad::Damping::Adaptive], ..StepBlock::default() };
    let blocks = [fixed(0.7, 0.05), gradient, fixed(1.0, 1e-7), fixed(0.5, 0.0), adaptive];
    // In registers, and in blocks.
    for points in [6, 17] {
        let model = Model::network(&[3, 11, 1], Activation::Tanh).unwrap();
        let data = taught(3, points);
        let sweep = || drawn(Sweep::new(&model, &data), Initialiser::Xavier { gain: 1.5 }, 0..9);
        let stop = Stop { steps: 40, loss: Some(1e-2), ..Stop::default() };
        for engine in gpu_engines() {
            let together = blocks.iter().cloned().fold(sweep().stop(stop), Sweep::block);
            let together = engine.run(&together).unwrap();
            for (k, block) in blocks.iter().enumerate() {
                let alone = engine.run(&sweep().stop(stop).block(block.clone())).unwrap();
                for problem in alone.iter() {
                    let same = together.problem(problem.index() as usize * blocks.len() + k);
                    assert_eq!((problem.status(), problem.reason()), (same.status(), same.reason()));
                    assert_eq!((problem.steps(), problem.rank()), (same.steps(), same.rank()));
                    assert_eq!(problem.parameters(), same.parameters(), "{block:?}");
                    assert_eq!(problem.singular_values(), same.singular_values());
                    // Whatever ended it, the spectrum is that of where it stands.
                    assert!(problem.rank().is_some_and(|rank| rank > 0));
                    let sharpness = problem.singular_values()[0].powi(2);
                    assert!((sharpness / problem.gn_sharpness() - 1.0).abs() < 1e-5);
                }
            }
        }
    }
}

/// Of inputs on a line J has next to nothing in some directions: exact steps go by rotations, in registers and in blocks, some from
/// the first step on and some later. Which others are beside them, and how many, changes no bit.
#[test]
fn exact_steps_beyond_the_condition_of_the_kernel_matrix_are_the_same_alone_and_among_others() {
    // The kernels of the test above.
    for points in [6, 17] {
        let model = Model::network(&[3, 11, 1], Activation::Tanh).unwrap();
        let along: Vec<f64> = (0..points).map(|i| 0.6 * i as f64 / (points - 1) as f64 - 0.3).collect();
        let column = |name: &str, by: f64| (name.to_owned(), along.iter().map(|t| by * t).collect());
        let response = ("y".to_owned(), along.iter().map(|t| (10.0 * t).sin()).collect());
        let columns = [column("x1", 1.0), column("x2", 0.5), column("x3", -1.0), response];
        let data = Data::from_columns(columns).unwrap();
        let sweep = |seeds| drawn(Sweep::new(&model, &data), Initialiser::Xavier { gain: 1.0 }, seeds);
        let stop = Stop { steps: 30, loss: Some(1e-3), ..Stop::default() };
        for engine in gpu_engines() {
            let together =
                sweep(0..70).stop(stop).block(fixed(0.3, 0.0)).block(fixed(0.3, 1e-2)).block(fixed(1.0, 1e-7));
            let together = engine.run(&together).unwrap();
            let alone = engine.run(&sweep(60..64).stop(stop).block(fixed(0.3, 0.0))).unwrap();
            let mut beyond = 0;
            for (problem, k) in alone.iter().zip(60..) {
                let same = together.problem(3 * k);
                assert_eq!((problem.status(), problem.steps()), (same.status(), same.steps()));
                assert_eq!(problem.parameters(), same.parameters());
                assert_eq!(problem.singular_values(), same.singular_values());
                // u·κ² beyond a quarter, where they end and so for some of their way.
                let values = problem.singular_values();
                beyond += usize::from(values[0] > 4000.0 * values[points - 1]);
            }
            assert!(beyond > 0, "{points} points: f32 is never in doubt");
            let starts = engine.run(&sweep(0..70).stop(Stop { steps: 0, ..stop }).block(fixed(0.3, 0.0))).unwrap();
            let ends = together.iter().step_by(3);
            let gone = starts.iter().zip(ends).filter(|(start, end)| end.loss() < 0.01 * start.loss()).count();
            assert!(gone > 35, "{points} points: {gone} of 70 networks have learnt anything");
        }
    }
}

/// The tests that look at singular values are met at the same points as where every step has them.
#[test]
fn damped_problems_end_by_the_same_tests_as_on_the_cpu() {
    // Two units cannot follow twelve points: what ends these problems is the gradient, or that nothing changes any more.
    let model = Model::network(&[2, 4, 1], Activation::Tanh).unwrap();
    let data = taught(2, 12);
    let stop = Stop { steps: 2000, gradient: Some(1e-2), change: Some(1e-2), ..Stop::default() };
    let sweep = drawn(Sweep::new(&model, &data), Initialiser::Xavier { gain: 1.0 }, 0..20);
    let sweep = sweep.block(fixed(1.0, 0.3)).stop(stop);
    let all: Vec<Outcome> = engines().map(|engine| engine.run(&sweep).unwrap()).collect();
    for other in &all[1..] {
        let same = all[0].iter().zip(other.iter()).filter(|(a, b)| {
            (a.status(), a.reason()) == (b.status(), b.reason()) && a.steps().abs_diff(b.steps()) <= 1 + a.steps() / 50
        });
        // Where a norm grazes a tolerance, f32 may cross it a step before or after.
        assert!(
            same.count() >= 18,
            "{:?}",
            all[0].iter().map(|p| (p.status(), p.reason(), p.steps())).collect::<Vec<_>>()
        );
    }
}

#[test]
fn every_output_has_its_residual() {
    let model = Model::network(&[2, 9, 3], Activation::Tanh).unwrap();
    let x1: Vec<f64> = (0..6).map(|i| f64::from(i) / 3.0 - 1.0).collect();
    let x2: Vec<f64> = x1.iter().map(|x| (3.0 * x).sin()).collect();
    let responses: [Vec<f64>; 3] = [1.0, 2.0, 3.0].map(|k| x1.iter().map(|x| (k * x).cos()).collect());
    let [a, b, c] = responses.clone();
    let data = Data::from_columns([("x1", x1.clone()), ("x2", x2.clone()), ("a", a), ("b", b), ("c", c)]).unwrap();
    let sweep = Sweep::new(&model, &data.clone().responses(&["a", "b", "c"]));
    let sweep = drawn(sweep, Initialiser::Xavier { gain: 1.0 }, 0..5).block(fixed(0.5, 1e-3)).stop(exactly(30));
    for engine in engines() {
        let outcome = engine.run(&sweep).unwrap();
        for problem in outcome.iter() {
            let mut loss = 0.0;
            for i in 0..6 {
                for (k, response) in responses.iter().enumerate() {
                    let f = model.evaluate(problem.parameters(), &[x1[i], x2[i], k as f64]);
                    loss += 0.5 * (f - response[i]).powi(2);
                }
            }
            assert_eq!(problem.points(), 18);
            assert!((problem.loss() - loss).abs() <= 1e-12 * loss, "{} and {loss}", problem.loss());
            assert!(loss < 0.1, "{loss}");
        }
    }
    let refused = |data: Data| drawn(Sweep::new(&model, &data), Initialiser::He { gain: 1.0 }, 0..1).resolve();
    let message = refused(data.clone().responses(&["a", "b"])).unwrap_err().to_string();
    assert!(message.contains("2 responses are named and the model has 3 outputs"), "{message}");
    // Without any named they are y1, y2, y3.
    assert!(refused(data).unwrap_err().to_string().contains("y1"));
}

#[test]
fn a_network_that_diverges_has_its_own_status_and_leaves_its_neighbours_bits_alone() {
    let model = Model::network(&[1, 20, 1], Activation::Silu).unwrap();
    let p = model.parameters().len();
    let data = chebyshev(3, 10).unwrap();
    let start = |k: u64| -> Vec<f64> {
        (0..p as u32).map(|j| natgrad::random_start(k, j, Distribution::Normal, 1.0)).collect()
    };
    let run = |engine: &Engine, middle: Vec<f64>| {
        let starts = [start(0), middle, start(2)];
        let sweep = starts.into_iter().fold(Sweep::new(&model, &data), Sweep::start);
        engine.run(&sweep.block(fixed(0.5, 1e-2)).stop(exactly(10))).unwrap()
    };
    for engine in engines() {
        let sound = run(engine, start(1));
        let bad = run(engine, vec![1e200; p]);
        assert!(matches!(bad.problem(1).status(), Status::NonFinite | Status::Diverged), "{}", bad.problem(1).status());
        for k in [0, 2] {
            let bits = |outcome: &Outcome| -> Vec<u64> {
                outcome.problem(k).parameters().iter().map(|theta| theta.to_bits()).collect()
            };
            assert_eq!(bits(&bad), bits(&sound));
        }
    }
}

/// A ReLU network of no output bias at an interpolating minimiser, and the same function with the first layer times c and
/// the second over c, for powers of two: not a bit of f changes.
#[test]
fn rescaled_layers_are_the_same_function_of_other_sharpness_and_the_same_multipliers() {
    let network = Network::new(&[4, 24, 1], Activation::Relu).unwrap().output_bias(false);
    let layers: Vec<_> = network.weight_layers().collect();
    let model = Model::from(network);
    let data = taught(4, 6);
    for engine in engines() {
        let sweep = drawn(Sweep::new(&model, &data), Initialiser::He { gain: 1.0 }, 0..30);
        let outcome = engine.run(&sweep.clone().stop(Stop { steps: 100, ..Stop::default() })).unwrap();
        let found = outcome.iter().find(|problem| problem.status() == Status::Converged && problem.loss() < 1e-10);
        let minimiser = found.expect("one of thirty starts leads to a minimiser").parameters().to_vec();
        // J is constant only as long as no unit turns on or off: perturbations have to be short beside the smaller layer,
        // and long beside rounding.
        let (scales, perturbation, least) = match engine.precision() {
            natgrad::Precision::F64 => ([1.0 / 64.0, 0.5, 1.0, 2.0, 64.0], 1e-6, 1000.0),
            _ => ([0.25, 0.5, 1.0, 2.0, 4.0], 3e-4, 15.0),
        };
        let points: Vec<Minimiser> = scales
            .iter()
            .map(|&c: &f64| {
                let mut parameters = minimiser.clone();
                for j in layers[0].weights.start..layers[0].biases.end {
                    parameters[j] *= c;
                }
                for j in layers[1].weights.clone() {
                    parameters[j] /= c;
                }
                Minimiser { problem: 0, set: 0, parameters, status: None }
            })
            .collect();
        let mut options = StabilityOptions::default();
        options.perturbation = Some(perturbation);
        let found = engine.certify_points(&sweep.resolve().unwrap(), &points, &options).unwrap();
        let sharpness: Vec<f64> = found.certificates.iter().map(|certificate| certificate.gn_sharpness).collect();
        println!("{}: sharpness {sharpness:?}, {:?}", engine.description(), found.verdicts);
        let largest = sharpness.iter().copied().fold(0.0, f64::max);
        assert!(largest > least * sharpness.iter().copied().fold(f64::INFINITY, f64::min));
        for certificate in &found.certificates {
            assert_eq!(certificate.verdict, Verdict::Holds, "{}", certificate.detail);
            assert_eq!(certificate.rank, 6);
            for filter in &certificate.filters {
                let (row_space, kernel) = filter.measured.split_at(filter.measured.len() - filter.measured_kernel);
                assert!(row_space.iter().all(|m| (m - (1.0 - filter.step_size)).abs() < 0.01), "{filter:?}");
                assert!(kernel.iter().all(|m| (m - 1.0).abs() < 0.01), "{filter:?}");
            }
        }
    }
}

#[test]
fn nine_in_ten_minimisers_of_a_well_conditioned_set_are_certified() {
    let network = Network::new(&[6, 40, 1], Activation::Tanh).unwrap().parametrisation(Parametrisation::Ntk);
    let model = Model::from(network);
    let data = taught(6, 6);
    let mut options = StabilityOptions::default();
    options.steps = 0;
    for engine in engines() {
        let sweep = drawn(Sweep::new(&model, &data), Initialiser::Normal { scale: 1.0 }, 0..40).step_sizes([0.7]);
        let outcome = engine.run(&sweep).unwrap();
        let found = engine.certify(&sweep, &outcome, &options).unwrap();
        println!("{}: {:?}, excluded {:?}", engine.description(), found.verdicts, found.excluded);
        assert!(found.count(Verdict::Holds) >= 36, "{:?}", found.verdicts);
        // 321 parameters: second derivatives are formed, and the sharpness of the Hessian is that of JᵀJ at e = 0.
        for certificate in &found.certificates {
            let ratio = certificate.hessian_sharpness / certificate.gn_sharpness;
            assert!((ratio - 1.0).abs() < 1e-3, "{ratio}");
        }
    }
}

#[test]
fn more_points_than_f32_has_rank_for_do_not_stop_the_singular_values() {
    // 256 points of two inputs: the tangent kernel has some 50 directions in f32.
    let model = Model::network(&[2, 64, 1], Activation::Tanh).unwrap();
    let sweep = drawn(Sweep::new(&model, &taught(2, 256)), Initialiser::Xavier { gain: 1.9 }, 0..4);
    let sweep = sweep.block(fixed(0.5, 1e-3)).stop(exactly(2));
    for engine in gpu_engines() {
        let outcome = engine.run(&sweep).unwrap();
        assert!(
            outcome.iter().all(|problem| problem.status() == Status::StepLimit),
            "{:?}",
            outcome.count(Status::StepLimit)
        );
        assert!(outcome.iter().all(|problem| problem.rank().is_some_and(|rank| (20..120).contains(&rank))));
    }
}

#[test]
fn networks_beyond_a_device_are_refused_with_the_nearest_size_that_fits() {
    let data = chebyshev(2, 8).unwrap();
    let refused = |engine: &Engine, layers: &[usize]| {
        let model = Model::network(layers, Activation::Tanh).unwrap();
        let sweep = drawn(Sweep::new(&model, &data), Initialiser::He { gain: 1.0 }, 0..1);
        engine.run(&sweep).unwrap_err().to_string()
    };
    for engine in gpu_engines() {
        let columns = engine.device().unwrap().limits().max_compute_workgroups_per_dimension as usize;
        // Three parameters a unit and one more.
        let message = refused(engine, &[1, columns / 3 + 1, 1]);
        let most = format!("at most {}", columns - 1);
        assert!(message.contains(&most), "{message:?} lacks {most:?}");
        let message = refused(engine, &[1, 600, 3, 1]);
        assert!(message.contains("600 units and the GPU takes at most 512"), "{message}");
    }
}

#[test]
fn step_sizes_and_dampings_of_a_mean_take_the_steps_of_the_sum() {
    let model = Model::network(&[1, 6, 1], Activation::Tanh).unwrap();
    let data = chebyshev(2, 5).unwrap();
    let gradient = |size: f64| StepBlock {
        sizes: vec![size],
        dampings: vec![natgrad::Damping::Fixed(0.0)],
        filter: natgrad::Filter::Gradient,
        ..StepBlock::default()
    };
    let sweep = drawn(Sweep::new(&model, &data), Initialiser::Xavier { gain: 1.0 }, 0..3).stop(exactly(4));
    let mean = sweep.clone().reduction(Reduction::Mean).block(fixed(0.5, 0.25)).block(gradient(0.5));
    let sum = sweep.clone().block(fixed(0.5, 1.25)).block(gradient(0.1));
    let engine = Engine::open(Choice::Cpu).unwrap();
    let (mean, sum) = (engine.run(&mean).unwrap(), engine.run(&sum).unwrap());
    for (a, b) in mean.iter().zip(sum.iter()) {
        assert_eq!(a.parameters(), b.parameters());
        assert_eq!((a.rule().size, a.rule().damping), (b.rule().size, b.rule().damping));
    }
    let unequal = Data::from_columns([("x", vec![0.0, 1.0, 2.0]), ("y", vec![1.0; 3]), ("g", vec![0.0, 0.0, 1.0])]);
    let unequal = Sweep::new(&model, &unequal.unwrap().group_by(&["g"])).reduction(Reduction::Mean);
    let message = drawn(unequal, Initialiser::He { gain: 1.0 }, 0..1).resolve().unwrap_err().to_string();
    assert!(message.contains("1 to 2 residuals"), "{message}");
}

#[test]
fn starts_depend_on_seed_and_layer_and_a_zero_output_layer_is_zero() {
    let network = Network::new(&[2, 3, 1], Activation::Tanh).unwrap();
    let data = taught(2, 4);
    let starts = |initialiser, zero_output, seeds| {
        let initialisation = Initialisation { initialiser, distribution: Distribution::Uniform, zero_output };
        let random = RandomStarts { draw: Draw::Initialised(initialisation), seeds };
        let sweep = Sweep::new(&Model::from(network.clone()), &data).random_starts(random).stop(exactly(0));
        let outcome = Engine::open(Choice::Cpu).unwrap().run(&sweep).unwrap();
        outcome.iter().map(|problem| problem.start().to_vec()).collect::<Vec<_>>()
    };
    let he = starts(Initialiser::He { gain: 1.0 }, false, 3..6);
    assert_eq!(starts(Initialiser::He { gain: 1.0 }, false, 4..5)[0], he[1]);
    // √3·√(2/2) about the first layer's weights, √3·√(2/3) the second's; biases are zero.
    let unit = |j| natgrad::random_start(3, j, Distribution::Uniform, 1.0);
    assert!((he[0][0] - 3f64.sqrt() * unit(0)).abs() < 1e-15);
    assert!((he[0][9] - 2f64.sqrt() * unit(9)).abs() < 1e-15);
    assert!(he.iter().all(|theta| theta[6..9] == [0.0; 3] && theta[12] == 0.0));
    let zero = starts(Initialiser::Normal { scale: 0.5 }, true, 0..2);
    assert!(zero.iter().all(|theta| theta[9..] == [0.0; 4] && theta[..9].iter().all(|t| *t != 0.0)));
}

#[test]
fn the_same_on_swiftshader() {
    again_on_swiftshader(&[
        "the_residual_of_wide_networks_shrinks_by_one_minus_the_step_size",
        "every_output_has_its_residual",
        "a_network_that_diverges_has_its_own_status_and_leaves_its_neighbours_bits_alone",
    ]);
}
