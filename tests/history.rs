//! What is recorded of problems along the way, on every device.

mod common;

use natgrad::builtin::{Teacher, chebyshev};
use natgrad::{
    Activation, Choice, Data, Distribution, Draw, Engine, History, Initialisation, Initialiser, Model, Network,
    Outcome, Problem, RandomStarts, Record, Scaling, Status, StepBlock, Stop, Sweep, linspace,
};

use common::{engines, once_more};

fn exactly(steps: u32) -> Stop {
    Stop { steps, tests: false, ..Stop::default() }
}

fn every(steps: u32) -> History {
    History { every: steps, ..History::default() }
}

fn everything(steps: u32) -> History {
    History { every: steps, parameters: true, hessian_sharpness: true }
}

fn drawn(sweep: Sweep, scale: f64, seeds: std::ops::Range<u64>) -> Sweep {
    let draw = Draw::Scaled { distribution: Distribution::Normal, scale };
    sweep.random_starts(RandomStarts { draw, seeds })
}

/// A model of three parameters with columns of unit length.
fn small() -> Sweep {
    let x = linspace(0.0, 3.0, 12);
    let y = x.iter().map(|x| 3e3 * (-0.7 * x).exp() + 200.0).collect();
    let data = Data::from_columns([("x", x), ("y", y)]).unwrap();
    let model = Model::parse("a*exp(-k*x) + c", &["a", "k", "c"]).unwrap();
    Sweep::new(&model, &data).start([2.5e3, 0.5, 100.0]).start([2e3, 1.0, 300.0])
}

/// A network of 22 parameters that learns 40 points: the kernels of the linear algebra, tall.
fn tall() -> Sweep {
    let model = Model::network(&[1, 7, 1], Activation::Tanh).unwrap();
    drawn(Sweep::new(&model, &chebyshev(3, 40).unwrap()), 1.0, 0..5)
}

/// One of 61 parameters that learns 9: wide.
fn wide() -> Sweep {
    let model = Model::network(&[1, 20, 1], Activation::Silu).unwrap();
    drawn(Sweep::new(&model, &chebyshev(3, 9).unwrap()), 1.0, 0..5)
}

/// One of 61 parameters that learns 40: wide, and beyond registers.
fn larger() -> Sweep {
    let model = Model::network(&[1, 20, 1], Activation::Tanh).unwrap();
    drawn(Sweep::new(&model, &chebyshev(3, 40).unwrap()), 1.0, 0..3)
}

/// The same with the steps of every model in memory, where a history has them.
fn in_memory(engine: &Engine) -> Engine {
    let Some(device) = engine.device() else { return Engine::open(Choice::Cpu).unwrap() };
    let device = once_more(device);
    device.pin_mapping("step", "memory");
    Engine::from_device(device).unwrap()
}

fn fixed(size: f64, damping: f64) -> StepBlock {
    StepBlock { sizes: vec![size], dampings: vec![natgrad::Damping::Fixed(damping)], ..StepBlock::default() }
}

fn records<'a>(problem: &Problem<'a>) -> Vec<Record<'a>> {
    problem.history().collect()
}

fn is_near(a: f64, b: f64, relative: f64) -> bool {
    (a - b).abs() <= relative * a.abs().max(b.abs())
}

#[test]
fn devices_record_what_the_cpu_does_in_every_way_that_steps_are_factored() {
    // With a damping the step is smooth in J: θ of f32 stays within 10⁻³ of that of f64, and what is a smooth function of it
    // within about as much; the least singular value within as much of the largest.
    let sweeps = [(small(), 1e-2), (tall(), 1e-1), (wide(), 1e-1)];
    for (sweep, damping) in sweeps {
        let sweep = sweep.block(fixed(0.7, damping)).stop(exactly(7)).history(everything(3));
        let all: Vec<Outcome> = engines().map(|engine| engine.run(&sweep).unwrap()).collect();
        for other in &all {
            for (a, b) in all[0].iter().zip(other.iter()) {
                let (a, b) = (records(&a), records(&b));
                assert_eq!(b.iter().map(|record| record.step).collect::<Vec<_>>(), [0, 3, 6, 7]);
                for (a, b) in a.iter().zip(&b) {
                    assert!(is_near(a.residual_norm, b.residual_norm, 2e-3), "{a:?}\n{b:?}");
                    assert!(is_near(b.loss, 0.5 * b.residual_norm.powi(2), 1e-12), "{b:?}");
                    assert!(is_near(a.sigma_max.unwrap(), b.sigma_max.unwrap(), 2e-3), "{a:?}\n{b:?}");
                    let off = (a.sigma_min.unwrap() - b.sigma_min.unwrap()).abs();
                    assert!(off <= 2e-3 * a.sigma_max.unwrap(), "{a:?}\n{b:?}");
                    assert!(is_near(a.gn_sharpness, b.gn_sharpness, 5e-3), "{a:?}\n{b:?}");
                    let [one, other] = [a, b].map(|record| record.hessian_sharpness.unwrap());
                    assert!((one - other).abs() <= 5e-3 * a.gn_sharpness, "{a:?}\n{b:?}");
                    let size = a.parameters.iter().fold(0.0, |size: f64, t| size.max(t.abs()));
                    assert!(a.parameters.iter().zip(b.parameters).all(|(a, b)| (a - b).abs() < 1e-3 * size));
                }
            }
        }
    }
}

#[test]
fn the_last_record_is_the_result_and_the_first_the_start() {
    for engine in engines() {
        for sweep in [small().history(everything(2)), wide().history(everything(50)).stop(exactly(20))] {
            let outcome = engine.run(&sweep).unwrap();
            for problem in outcome.iter() {
                let records = records(&problem);
                let (first, last) = (records[0], records[records.len() - 1]);
                assert_eq!((first.step, first.parameters), (0, problem.start()));
                assert_eq!((last.step, last.parameters), (problem.steps(), problem.parameters()));
                assert_eq!((last.loss, last.gn_sharpness), (problem.loss(), problem.gn_sharpness()));
                assert_eq!(last.rank, problem.rank());
                assert_eq!(last.sigma_max, problem.singular_values().first().copied());
                assert_eq!(last.sigma_min, problem.singular_values().last().copied());
                assert!(records.windows(2).all(|pair| pair[0].step < pair[1].step));
            }
        }
    }
}

#[test]
fn a_history_changes_no_bit_of_steps_in_memory_and_has_the_same_bits_in_any_part_of_a_run() {
    let bits = |outcome: &Outcome| -> Vec<u64> {
        let of = |problem: Problem<'_>| {
            let figures = [problem.loss(), problem.gn_sharpness(), f64::from(problem.steps())];
            let all = figures.iter().chain(problem.parameters()).chain(problem.singular_values());
            all.map(|value| value.to_bits()).collect::<Vec<u64>>()
        };
        outcome.iter().flat_map(of).collect()
    };
    for engine in engines().map(|engine| in_memory(engine)) {
        // The last three take steps without singular values, with JJᵀ in registers or not; the records need some.
        let descent = StepBlock { sizes: vec![0.02], filter: natgrad::Filter::Gradient, ..fixed(1.0, 0.0) };
        let sweeps = [
            (small(), 1),
            (small().step_sizes([0.5]), 2),
            (tall().block(fixed(0.5, 1e-3)).stop(exactly(6)), 2),
            (wide(), 1),
            (wide().block(fixed(0.5, 0.1)), 3),
            (wide().block(descent.clone()).stop(exactly(12)), 5),
            (larger().block(descent).block(fixed(0.5, 0.1)).stop(exactly(12)), 5),
        ];
        for (sweep, steps) in sweeps {
            let without = engine.run(&sweep).unwrap();
            assert!(without.iter().all(|problem| problem.history().len() == 0));
            let recorded = sweep.history(everything(steps));
            let with = engine.run(&recorded).unwrap();
            assert_eq!(bits(&without), bits(&with), "{}", engine.description());
            let job = recorded.resolve().unwrap();
            for index in [0, job.len() - 1] {
                let alone =
                    engine.run_job(&job, index..index + 1, &mut |_| std::ops::ControlFlow::Continue(())).unwrap();
                let (alone, among) = (records(&alone.problem(0)), records(&with.problem(index as usize)));
                assert_eq!(alone, among, "problem {index} on {}", engine.description());
            }
        }
    }
}

#[test]
fn a_problem_stands_where_it_stood_after_a_rejected_step_and_has_no_more_records_than_steps() {
    // From here the first adaptive steps overshoot.
    let data = Data::from_columns([("x", linspace(0.0, 4.0, 9)), ("y", linspace(1.0, 9.0, 9))]).unwrap();
    let model = Model::parse("exp(a*x)*b", &["a", "b"]).unwrap();
    let sweep = Sweep::new(&model, &data).start([-2.0, 1.0]).history(History { parameters: true, ..every(1) });
    for engine in engines() {
        let outcome = engine.run(&sweep).unwrap();
        let problem = outcome.problem(0);
        let records = records(&problem);
        assert_eq!(problem.status(), Status::Converged);
        assert_eq!(records.len(), problem.steps() as usize + 1);
        let stood = |pair: &[Record<'_>]| pair[0].parameters == pair[1].parameters;
        assert!(records.windows(2).any(stood), "no step was rejected on {}", engine.description());
        for pair in records[..records.len() - 1].windows(2) {
            // The start is given in f64, and taken in f32.
            assert!(pair[1].loss < pair[0].loss || stood(pair) || pair[0].step == 0, "{pair:?}");
            if pair[0].step > 0 && stood(pair) {
                assert_eq!((pair[0].loss, pair[0].sigma_max), (pair[1].loss, pair[1].sigma_max));
            }
        }
    }
}

#[test]
fn what_ended_without_a_factorisation_is_recorded_without_one() {
    // η = 1 from here leaves the domain of the logarithm, η = 1e-3 does not.
    let data = Data::from_columns([("x", vec![1.0, 2.0, 3.0]), ("y", vec![-9.0, -9.0, -9.0])]).unwrap();
    let model = Model::parse("log(a*x)", &["a"]).unwrap();
    let sweep = Sweep::new(&model, &data).start([1.0]).step_sizes([1e-3, 1.0]).stop(exactly(10)).history(everything(4));
    for engine in engines() {
        let outcome = engine.run(&sweep).unwrap();
        let steps = |problem| records(&problem).iter().map(|record| record.step).collect::<Vec<_>>();
        assert_eq!(steps(outcome.problem(0)), [0, 4, 8, 10]);
        let failed = outcome.problem(1);
        assert_eq!((failed.status(), steps(failed)), (Status::NonFinite, vec![0, 1]));
        let last = records(&failed)[1];
        assert_eq!((last.rank, last.sigma_max, last.sigma_min), (None, None, None));
        assert_eq!(last.parameters, failed.parameters());
    }
}

#[test]
fn residuals_of_wide_networks_shrink_by_one_minus_the_step_size_from_record_to_record() {
    let initialiser = Initialiser::Xavier { gain: 1.0 };
    let teacher = Teacher {
        network: Network::new(&[8, 3, 1], Activation::Tanh).unwrap(),
        initialisation: Initialisation { initialiser, distribution: Distribution::Normal, zero_output: false },
        points: 8,
        seeds: 0..1,
        noise: 0.0,
    };
    let model = Model::network(&[8, 64, 1], Activation::Tanh).unwrap();
    let sweep = drawn(Sweep::new(&model, &teacher.data().unwrap()), 0.5, 0..4);
    let sweep = sweep.block(fixed(0.25, 0.0)).stop(exactly(24)).history(every(8));
    for engine in engines() {
        for problem in engine.run(&sweep).unwrap().iter() {
            let records = records(&problem);
            let ratio = records[3].residual_norm / records[2].residual_norm;
            // (1 − η)⁸ but for the square of a residual of 1%.
            assert!((ratio / 0.75f64.powi(8) - 1.0).abs() < 0.05, "{ratio}");
            assert!(records.iter().all(|record| record.parameters.is_empty() && record.hessian_sharpness.is_none()));
            let last = records[3];
            assert!(is_near(last.gn_sharpness, last.sigma_max.unwrap().powi(2), 1e-4), "{last:?}");
        }
    }
}

#[test]
fn the_sharpness_is_that_of_the_plain_jacobian_whatever_the_scaling() {
    let sweep = small().step_sizes([0.5]).stop(exactly(6)).history(every(2));
    for engine in engines() {
        let scaled = engine.run(&sweep).unwrap();
        let plain = engine.run(&sweep.clone().scaling(Scaling::None)).unwrap();
        for (a, b) in scaled.iter().zip(plain.iter()) {
            // At the start both stand at the same point.
            let (a, b) = (records(&a)[0], records(&b)[0]);
            assert!(is_near(a.gn_sharpness, b.gn_sharpness, 1e-5), "{a:?}\n{b:?}");
            assert!(!is_near(a.sigma_max.unwrap(), b.sigma_max.unwrap(), 0.1));
        }
    }
}

#[test]
fn histories_that_record_nothing_or_cannot_be_held_are_refused_in_one_line() {
    let refused = |sweep: Sweep| sweep.resolve().unwrap_err().to_string();
    let message = refused(small().history(History { every: 0, ..everything(1) }));
    assert!(message.contains("every 0 steps records nothing"), "{message}");
    let names: Vec<String> = (0..129).map(|j| format!("a{j}")).collect();
    let terms: Vec<String> = names.iter().enumerate().map(|(j, name)| format!("{name}*x**{}", j % 5)).collect();
    let model = Model::parse(&terms.join(" + "), &names).unwrap();
    let data = Data::from_columns([("x", vec![1.0, 2.0]), ("y", vec![1.0, 2.0])]).unwrap();
    let many = Sweep::new(&model, &data).start(vec![0.0; 129]);
    let message = refused(many.clone().history(everything(1)));
    assert!(message.contains("129 parameters") && message.contains("at most 128"), "{message}");
    many.history(every(1)).resolve().unwrap();
    for engine in engines() {
        let endless = wide().stop(exactly(u32::MAX)).history(everything(1));
        let message = engine.run(&endless).unwrap_err().to_string();
        let place = if engine.device().is_some() { "a buffer of the device is" } else { "the memory that is free is" };
        assert!(message.contains("the history of a problem needs") && message.contains(place), "{message}");
        assert_eq!(message.lines().count(), 1);
    }
}
