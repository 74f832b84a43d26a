//! Steps in registers: they end where steps in memory end, whatever the model, the rule and the coordinates, and however much
//! is told of them.

mod common;

use std::ops::ControlFlow;

use common::{gpu_engines, once_more};
use natgrad::{
    Choice, Damping, Data, Detail, Engine, Filter, History, Model, Outcome, Resident, Scaling, Status, StepBlock, Stop,
    Sweep,
};

/// Whole numbers of a fixed sequence as uniform numbers in [0, 1).
fn uniform(k: usize) -> f64 {
    natgrad::random_start(7, k as u32, natgrad::Distribution::Uniform, 0.5) + 0.5
}

const PEAK: &str = "A*exp(-((px - x0)**2 + (py - y0)**2)/(2*s**2)) + b";
const PEAK_PARAMETERS: [&str; 5] = ["A", "x0", "y0", "s", "b"];
const NOISE: f64 = 5.0;

/// Peaks on 5×5 pixels, and a start a fifth off for each.
fn peaks(count: usize) -> Sweep {
    let nominal = [500.0, 2.0, 2.0, 1.0, 10.0];
    let mut values = Vec::new();
    for set in 0..count {
        let t: Vec<f64> = (0..5).map(|j| nominal[j] * (0.9 + 0.2 * uniform(100 * set + j))).collect();
        for i in 0..25 {
            let square = ((i % 5) as f64 - t[1]).powi(2) + ((i / 5) as f64 - t[2]).powi(2);
            let noise = NOISE * (uniform(100 * set + 10 + 2 * i) + uniform(100 * set + 11 + 2 * i) - 1.0);
            values.push((t[0] * (-square / (2.0 * t[3] * t[3])).exp() + t[4] + noise) as f32);
        }
    }
    let data = Data::from_array(&values, &[count, 5, 5], &["set", "py", "px"]).unwrap();
    let model = Model::parse(PEAK, &PEAK_PARAMETERS).unwrap();
    Sweep::new(&model, &data).start([450.0, 2.2, 1.9, 1.2, 12.0])
}

/// Decays of unequal length and with weights of their own, none of them on a grid.
fn decays() -> Sweep {
    let (mut set, mut t, mut y, mut w) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for k in 0..70 {
        for i in 0..(8 + k % 5) {
            let at = 0.3 * i as f64 + 0.01 * k as f64;
            set.push(k as f64);
            t.push(at);
            y.push(3.0 * (-(0.5 + 0.01 * k as f64) * at).exp() + 0.4 + 0.02 * (uniform(40 * k + i) - 0.5));
            w.push(0.01 + 0.01 * uniform(5000 + 40 * k + i));
        }
    }
    let data = Data::from_columns([("set", set), ("t", t), ("y", y), ("w", w)]).unwrap().group_by(&["set"]).sigma("w");
    let model = Model::parse("a*exp(-k*t) + c", &["a", "k", "c"]).unwrap();
    Sweep::new(&model, &data).start([2.0, 1.0, 0.1])
}

/// The same adapter, with steps in memory.
fn in_memory(engine: &Engine) -> Engine {
    let device = once_more(engine.device().unwrap());
    device.pin_mapping("step", "memory");
    Engine::from_device(device).unwrap()
}

fn each_gpu(claim: impl Fn(&Engine)) {
    gpu_engines().for_each(|engine| claim(engine));
}

/// The largest |Δθ| of two outcomes in standard errors of the first.
fn worst_shift(a: &Outcome, b: &Outcome) -> f64 {
    let shifts = a.iter().zip(b.iter()).flat_map(|(a, b)| {
        let errors = a.standard_errors();
        (0..errors.len()).map(move |j| (a.parameters()[j] - b.parameters()[j]).abs() / errors[j]).collect::<Vec<_>>()
    });
    shifts.fold(0.0, f64::max)
}

#[test]
fn fits_end_at_the_same_minimisers_as_in_memory() {
    each_gpu(|engine| {
        let memory = in_memory(engine);
        for sweep in [peaks(300), decays()] {
            let ours = engine.run(&sweep.clone().detail(Detail::Essential)).unwrap();
            let theirs = memory.run(&sweep).unwrap();
            assert_eq!(ours.count(Status::Converged), ours.len());
            assert_eq!(theirs.count(Status::Converged), theirs.len());
            // The test of the gradient leaves 1e-5 of ‖e‖, and a standard error is ‖e‖/√(n − p) along its direction:
            // 1e-5·√(n − p) standard errors on either side, and what rounding of e in f32, 4u‖y‖, adds to it.
            let worst = worst_shift(&theirs, &ours);
            assert!(worst < 5e-3, "{worst} standard errors apart");
        }
    });
}

/// Five peaks on a line over a background, 16 parameters, and a start some hundredths off for each.
fn spectra(count: usize) -> Sweep {
    let mut text = String::from("b");
    let mut names = vec!["b".to_owned()];
    let mut truth = vec![1.0];
    for k in 0..5 {
        text += &format!(" + a{k}*exp(-(x - m{k})**2/(2*s{k}**2))");
        names.extend([format!("a{k}"), format!("m{k}"), format!("s{k}")]);
        truth.extend([10.0 + f64::from(k), 10.0 + 20.0 * f64::from(k), 5.0]);
    }
    let (mut values, mut starts) = (Vec::new(), Vec::new());
    for set in 0..count {
        let off = |j: usize| 0.97 + 0.06 * uniform(1000 * set + j);
        let t: Vec<f64> = truth.iter().enumerate().map(|(j, value)| value * off(j)).collect();
        for i in 0..100 {
            let peak =
                |k: usize| t[3 * k + 1] * (-(i as f64 - t[3 * k + 2]).powi(2) / (2.0 * t[3 * k + 3].powi(2))).exp();
            let noise = 0.2 * (uniform(1000 * set + 100 + 2 * i) + uniform(1000 * set + 101 + 2 * i) - 1.0);
            values.push((t[0] + (0..5).map(peak).sum::<f64>() + noise) as f32);
        }
        starts.extend(t.iter().enumerate().map(|(j, value)| value * off(50 + j)));
    }
    let data = Data::from_array(&values, &[count, 100], &["set", "x"]).unwrap();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Sweep::new(&Model::parse(&text, &names).unwrap(), &data).starts_from_array(starts)
}

#[test]
fn sixteen_parameters_end_at_the_minimisers_of_f64() {
    let exact = StepBlock { dampings: vec![Damping::Fixed(0.0)], ..StepBlock::default() };
    let cpu = Engine::open(Choice::Cpu).unwrap();
    let sweeps = [spectra(70), spectra(70).block(exact)];
    let expected = sweeps.clone().map(|sweep| cpu.run(&sweep).unwrap());
    each_gpu(|engine| {
        for (sweep, theirs) in sweeps.iter().zip(&expected) {
            let ours = engine.run(&sweep.clone().detail(Detail::Essential)).unwrap();
            assert_eq!(ours.count(Status::Converged), ours.len());
            assert_eq!(theirs.count(Status::Converged), theirs.len());
            // As of few parameters.
            let worst = worst_shift(theirs, &ours);
            assert!(worst < 5e-3, "{worst} standard errors apart");
            // The exact ones by rotations: the trace of the inverse is 337.
            let mut fits = engine.resident(sweep).unwrap();
            fits.run().unwrap();
            assert_eq!(bits_on_device(engine, &fits), parameter_bits(&bits(&ours)));
        }
    });
}

/// Exactly three steps by a rule.
fn three(sweep: Sweep, block: StepBlock) -> Sweep {
    sweep.block(block).stop(Stop { steps: 3, tests: false, ..Stop::default() })
}

/// A rule of each kind but the adaptive one.
fn rules() -> [StepBlock; 6] {
    let of = |damping, filter, scaling| StepBlock {
        sizes: vec![0.7],
        dampings: vec![damping],
        filter,
        scaling: Some(scaling),
        ..StepBlock::default()
    };
    let (exact, none) = (Damping::Fixed(0.0), Scaling::None);
    [
        of(exact, Filter::Exact, Scaling::Columns),
        of(exact, Filter::Exact, none),
        of(Damping::Fixed(0.01), Filter::Exact, Scaling::Columns),
        of(Damping::Fixed(20.0), Filter::Exact, none),
        of(exact, Filter::ResidualScaled { factor: 0.1, power: 1.0 }, none),
        StepBlock { sizes: vec![1e-6], ..of(exact, Filter::Gradient, none) },
    ]
}

#[test]
fn three_steps_of_every_rule_lead_to_the_same_point() {
    let rules = rules();
    each_gpu(|engine| {
        let memory = in_memory(engine);
        for rule in &rules {
            for sweep in [peaks(70), decays()] {
                let sweep = three(sweep, rule.clone());
                let ours = engine.run(&sweep.clone().detail(Detail::Essential)).unwrap();
                let theirs = memory.run(&sweep).unwrap();
                for (a, b) in ours.iter().zip(theirs.iter()) {
                    assert_eq!((a.status(), a.steps()), (b.status(), b.steps()), "{rule:?}");
                    for (x, y) in a.parameters().iter().zip(b.parameters()) {
                        // Three steps of normal equations, each in error by κ²u of itself; with unit columns κ² is 55 to 133
                        // at these starts, the trace of the inverse 24 to 54, below the bound of 2⁸ for plain steps. Steps
                        // are no longer than θ: 133·u·3 = 2.4e-5, and as much again for rounding of e.
                        assert!((x - y).abs() <= 5e-5 * y.abs().max(0.1), "{rule:?}: {x} and {y}");
                    }
                }
            }
        }
    });
}

#[test]
fn a_rule_leads_to_the_same_point_whatever_other_rules_there_are() {
    let rules: Vec<StepBlock> = rules().into_iter().chain([StepBlock::default()]).collect();
    each_gpu(|engine| {
        for sweep in [peaks(70), decays()] {
            let sweep = sweep.detail(Detail::Essential);
            let together = engine.run(&rules.iter().cloned().fold(sweep.clone(), three)).unwrap();
            for (k, rule) in rules.iter().enumerate() {
                let alone = engine.run(&three(sweep.clone(), rule.clone())).unwrap();
                let of_rule: Vec<_> = together.iter().filter(|problem| problem.rule_index() == k).collect();
                assert_eq!(of_rule.len(), alone.len());
                for (a, b) in of_rule.iter().zip(alone.iter()) {
                    assert_eq!((a.set(), a.status(), a.steps()), (b.set(), b.status(), b.steps()), "{rule:?}");
                    for (x, y) in a.parameters().iter().zip(b.parameters()) {
                        // The same operations, which a driver may fuse otherwise where it knows more: as above.
                        assert!((x - y).abs() <= 5e-5 * y.abs().max(0.1), "{rule:?}: {x} and {y}");
                    }
                }
            }
        }
    });
}

#[test]
fn however_much_is_told_a_problem_takes_the_same_steps_to_the_bit() {
    each_gpu(|engine| {
        // The valleys go on by rotations; of the spectra J is factored by the kernels of the linear algebra.
        for sweep in [peaks(300), decays(), valleys(100), spectra(70)] {
            let full = engine.run(&sweep).unwrap();
            let essential = engine.run(&sweep.clone().detail(Detail::Essential)).unwrap();
            assert_eq!(essential.len(), full.len());
            for (a, b) in full.iter().zip(essential.iter()) {
                assert_eq!((a.index(), a.set(), a.status(), a.steps()), (b.index(), b.set(), b.status(), b.steps()));
                assert_eq!((a.reason(), a.parameters()), (b.reason(), b.parameters()));
                assert!(b.singular_values().is_empty() && b.standard_errors().iter().all(|error| error.is_nan()));
                // ‖e‖² summed in f32: n·u, and each e is in error by 4u‖y‖ at most.
                if a.status() == Status::Converged {
                    assert!((a.loss() - b.loss()).abs() <= 1e-3 * a.loss(), "{} and {}", a.loss(), b.loss());
                }
            }
        }
    });
}

#[test]
fn what_is_told_of_an_end_is_what_f64_tells_of_the_same_point() {
    let cpu = Engine::open(Choice::Cpu).unwrap();
    each_gpu(|engine| {
        for sweep in [peaks(130), decays(), spectra(70)] {
            let ours = engine.run(&sweep).unwrap();
            assert_eq!(ours.count(Status::Converged), ours.len());
            let there: Vec<f64> = ours.iter().flat_map(|problem| problem.parameters().to_vec()).collect();
            let stop = Stop { steps: 0, tests: false, ..Stop::default() };
            let theirs = cpu.run(&sweep.starts_from_array(there).stop(stop)).unwrap();
            for a in ours.iter() {
                let is_there = |b: &natgrad::Problem<'_>| (b.set(), b.parameters()) == (a.set(), a.parameters());
                let b = theirs.iter().find(is_there).unwrap();
                assert_eq!(a.rank(), b.rank());
                assert_eq!(
                    (a.loss(), a.gradient_norm(), a.gn_sharpness()),
                    (b.loss(), b.gradient_norm(), b.gn_sharpness())
                );
                // An exponent of up to 30 is rounded to u of itself before it is raised, and J's columns have length 1: √(np)
                // entries of 30u, 16 of them at most. A standard error is 1/σ of that.
                let (values, largest) = (a.singular_values(), b.singular_values()[0]);
                let least = b.singular_values()[values.len() - 1];
                for (value, expected) in values.iter().zip(b.singular_values()) {
                    assert!((value - expected).abs() < 1e-4 * largest, "{value} for {expected}");
                }
                for (error, expected) in a.standard_errors().iter().zip(b.standard_errors()) {
                    assert!((error / expected - 1.0).abs() < 1e-4 * largest / least, "{error} for {expected}");
                }
            }
        }
    });
}

/// Parameters, singular values where they are told, and how problems ended, bit for bit.
fn bits(outcome: &Outcome) -> Vec<(Vec<u64>, Status, u32, u64)> {
    let of = |p: natgrad::Problem<'_>| {
        let theta = p.parameters().iter().chain(p.singular_values()).map(|x| x.to_bits()).collect();
        (theta, p.status(), p.steps(), p.loss().to_bits())
    };
    outcome.iter().map(of).collect()
}

fn parameter_bits(fits: &[(Vec<u64>, Status, u32, u64)]) -> Vec<Vec<u64>> {
    fits.iter().map(|(theta, ..)| theta.clone()).collect()
}

/// θ as it is on the device, problem by problem. What is left to the memory is not there.
fn bits_on_device(engine: &Engine, fits: &Resident<'_>) -> Vec<Vec<u64>> {
    let found: Vec<f32> = engine.device().unwrap().read(fits.parameters()).unwrap();
    let parameters = fits.outcome().unwrap().context().parameters.len();
    let of = |b: usize| (0..parameters).map(|j| f64::from(found[fits.place(b, j)]).to_bits()).collect();
    (0..fits.len() as usize).map(of).collect()
}

#[test]
fn no_bit_depends_on_the_chunk_or_on_what_lies_beside() {
    each_gpu(|engine| {
        // With a budget of a microsecond a dispatch holds one evaluation, and what lies between dispatches is in memory.
        let hurried = once_more(engine.device().unwrap());
        hurried.set_dispatch_budget(std::time::Duration::from_micros(1));
        let hurried = Engine::from_device(hurried).unwrap();
        // Easy ones alone, and beside others that go on by rotations.
        let details = [Detail::Essential, Detail::Full];
        for sweep in
            details.map(|detail| [peaks(200), valleys(100)].map(|sweep| sweep.detail(detail))).into_iter().flatten()
        {
            let job = sweep.resolve().unwrap();
            let run = |engine: &Engine, range| {
                bits(&engine.run_job(&job, range, &mut |_| ControlFlow::Continue(())).unwrap())
            };
            let whole = run(engine, 0..200);
            for range in [0..1, 63..65, 100..177] {
                assert_eq!(run(engine, range.clone()), whole[range.start as usize..range.end as usize]);
            }
            assert_eq!(run(&hurried, 0..200), whole);
        }
    });
}

#[test]
fn kernels_of_one_job_serve_no_other_with_the_same_model_on_another_grid_or_by_another_rule() {
    let model = Model::parse(PEAK, &PEAK_PARAMETERS).unwrap();
    // The peak is broader along one axis than the other is long: with axes changed it is another problem.
    let values: Vec<f32> = (0..15).map(|i| (500.0 * (-(uniform(i) + (i % 3) as f64) / 4.0).exp()) as f32).collect();
    let of = |shape: [usize; 3], axes: [&str; 3], damping: Damping| {
        let data = Data::from_array(&values, &shape, &axes).unwrap();
        let block = StepBlock { dampings: vec![damping], ..StepBlock::default() };
        Sweep::new(&model, &data).start([450.0, 1.2, 1.9, 2.2, 12.0]).block(block).detail(Detail::Essential)
    };
    let jobs = [
        of([1, 5, 3], ["set", "py", "px"], Damping::Adaptive),
        of([1, 5, 3], ["set", "px", "py"], Damping::Adaptive),
        of([1, 3, 5], ["set", "py", "px"], Damping::Adaptive),
        of([1, 3, 5], ["set", "py", "px"], Damping::Fixed(0.0)),
    ];
    let stop = |sweep: &Sweep| sweep.clone().stop(Stop { steps: 2, tests: false, ..Stop::default() });
    each_gpu(|engine| {
        let alone: Vec<_> = jobs
            .iter()
            .map(|job| {
                let fresh = Engine::from_device(once_more(engine.device().unwrap())).unwrap();
                bits(&fresh.run(&stop(job)).unwrap())
            })
            .collect();
        assert!((1..jobs.len()).all(|k| alone[k] != alone[k - 1]), "they are different problems");
        // Each after each other.
        for k in [0, 1, 0, 2, 0, 3, 1, 2, 1, 3, 2, 3, 0] {
            assert_eq!(bits(&engine.run(&stop(&jobs[k])).unwrap()), alone[k], "job {k}");
        }
    });
}

#[test]
fn problems_of_doubtful_rank_end_as_in_memory_to_the_bit() {
    // Two columns that are parallel, and a third: rank 2 of 3.
    let x: Vec<f64> = (0..12).map(|i| 0.25 * f64::from(i)).collect();
    let y: Vec<f64> = x.iter().map(|x| 3.0 * x + 1.0).collect();
    let data = Data::from_columns([("x", x), ("y", y)]).unwrap();
    let model = Model::parse("(a + b)*x + c", &["a", "b", "c"]).unwrap();
    let sweep = Sweep::new(&model, &data).start([1.0, 0.5, 0.0]).start([-3.0, 1.0, 9.0]).step_sizes([1.0, 0.5]);
    each_gpu(|engine| {
        let memory = in_memory(engine).run(&sweep).unwrap();
        let essential = engine.run(&sweep.clone().detail(Detail::Essential)).unwrap();
        let told = engine.run(&sweep).unwrap();
        assert_eq!(bits(&told), bits(&memory));
        let without_values = |fits: &Outcome| {
            bits(fits)
                .into_iter()
                .map(|(mut theta, ..)| {
                    theta.truncate(3);
                    theta
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(
            without_values(&essential),
            without_values(&memory),
            "with the last look in f64, as the others of its kind"
        );
        assert!(essential.iter().all(|problem| problem.rank() == Some(2)));
    });
}

/// The same peaks from halfway down a valley: a broad and high peak over a background as deep, κ = 2·10⁴ with unit columns.
fn valleys(count: usize) -> Sweep {
    peaks(count).start([1e4, 2.1, 1.9, 10.0, -1e4])
}

#[test]
fn fits_that_begin_where_normal_equations_fail_are_done_in_registers_all_the_way() {
    each_gpu(|engine| {
        let memory = in_memory(engine);
        let (sweep, usual) = (valleys(130), memory.run(&peaks(130)).unwrap());
        let ours = engine.run(&sweep.clone().detail(Detail::Essential)).unwrap();
        // The second start of each set, beside an easy one.
        let hard: Vec<_> = ours.iter().skip(1).step_by(2).collect();
        assert!(hard.iter().all(|fit| fit.status() == Status::Converged && fit.steps() > 15), "down the valley");
        for (fit, usual) in hard.iter().zip(usual.iter()) {
            for (j, error) in usual.standard_errors().iter().enumerate() {
                // As of easy ones.
                assert!((fit.parameters()[j] - usual.parameters()[j]).abs() < 5e-3 * error);
            }
        }
        let mut fits = engine.resident(&sweep).unwrap();
        fits.run().unwrap();
        assert_eq!(bits_on_device(engine, &fits), parameter_bits(&bits(&ours)));
    });
}

#[test]
fn few_that_take_long_end_as_if_alone_and_the_bad_ones_spoil_none() {
    let sweep = peaks(130).detail(Detail::Essential);
    let job = sweep.resolve().unwrap();
    each_gpu(|engine| {
        let alone = bits(&engine.run_job(&job, 0..130, &mut |_| ControlFlow::Continue(())).unwrap());
        // The same sets with three starts each: the usual one, one from which f is not finite, and one from which every
        // step is short.
        let mixed =
            engine.run(&sweep.clone().start([450.0, 2.2, 1.9, 0.0, 12.0]).start([20.0, 3.8, 0.3, 0.6, 60.0])).unwrap();
        let all = bits(&mixed);
        assert!(alone.iter().enumerate().all(|(set, problem)| all[3 * set] == *problem));
        assert!(mixed.iter().skip(1).step_by(3).all(|problem| problem.status() == Status::NonFinite));
        let longest = mixed.iter().skip(2).step_by(3).map(|problem| problem.steps()).max().unwrap();
        assert!(longest > 10, "{longest} steps");
    });
}

#[test]
fn a_way_to_take_steps_that_there_is_not_is_told_with_those_there_are() {
    each_gpu(|engine| {
        let device = once_more(engine.device().unwrap());
        device.pin_mapping("step", "paper");
        let message =
            Engine::from_device(device).unwrap().run(&peaks(1).detail(Detail::Essential)).unwrap_err().to_string();
        assert!(message.contains("paper") && message.contains("registers") && message.contains("memory"), "{message}");
    });
    assert!(
        Engine::open(Choice::Cpu).unwrap().run(&peaks(2).detail(Detail::Essential)).unwrap().converged_share() > 0.9
    );
}

#[test]
fn what_stays_on_the_device_is_run_again_to_the_same_bits() {
    each_gpu(|engine| {
        // Easy ones, and others that go on by rotations.
        for sweep in [peaks(200), valleys(100)].map(|sweep| sweep.detail(Detail::Essential)) {
            let expected = bits(&engine.run(&sweep).unwrap());
            let mut fits = engine.resident(&sweep).unwrap();
            for _ in 0..2 {
                fits.run().unwrap();
                assert_eq!(bits(&fits.outcome().unwrap()), expected);
                assert_eq!(bits_on_device(engine, &fits), parameter_bits(&expected));
            }
        }
        let network = Model::network(&[1, 3, 1], natgrad::Activation::Tanh).unwrap();
        let data = Data::from_columns([("x", vec![0.0, 1.0]), ("y", vec![0.0, 1.0])]).unwrap();
        let refused = engine.resident(&Sweep::new(&network, &data).start([0.1; 10])).unwrap_err().to_string();
        assert!(refused.contains("at most 16 parameters"), "{refused}");
    });
}

#[test]
fn a_history_of_what_is_essential_is_refused_with_the_mend() {
    let sweep = peaks(1).detail(Detail::Essential).history(History { every: 1, ..History::default() });
    let message = sweep.resolve().unwrap_err().to_string();
    assert!(message.contains("output.detail") && message.contains("leave one of them out"), "{message}");
}
