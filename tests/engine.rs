//! What the engine promises of every run, on every backend present.

use std::ops::ControlFlow;

use natgrad::gpu::{AdapterChoice, Device};
use natgrad::{
    Damping, Data, Distribution, Engine, Errors, Filter, Model, Outcome, Scaling, Status, Stop, Sweep, random_start,
    verify,
};

mod common;
use common::engines;

fn misra1a() -> (Model, Data) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/misra1a.csv");
    (Model::parse("b1*(1 - exp(-b2*x))", &["b1", "b2"]).unwrap(), Data::read_csv(path).unwrap())
}

/// Everything of an outcome that a user can see, to the bit.
fn bits(outcome: &Outcome) -> Vec<Vec<u64>> {
    outcome
        .iter()
        .map(|problem| {
            let mut words = vec![problem.index(), u64::from(problem.steps()), problem.status() as u64];
            let numbers = [problem.parameters(), problem.singular_values(), &problem.covariance()].concat();
            words.extend(numbers.iter().map(|value| value.to_bits()));
            words
        })
        .collect()
}

/// Decays of unequal length with noise, one data set a decay.
fn decays(sets: usize) -> Data {
    let (mut set, mut t, mut y) = (Vec::new(), Vec::new(), Vec::new());
    for s in 0..sets {
        for i in 0..6 + s % 7 {
            let time = i as f64 * 0.4;
            let noise = random_start(s as u64, i as u32, Distribution::Normal, 0.01);
            set.push(s as f64);
            t.push(time);
            y.push((2.0 + s as f64 * 0.01) * (-0.7 * time).exp() + 0.3 + noise);
        }
    }
    Data::from_columns([("set", set), ("t", t), ("y", y)]).unwrap().group_by(&["set"])
}

fn decay_sweep(sets: usize) -> Sweep {
    let model = Model::parse("a*exp(-k*t) + c", &["a", "k", "c"]).unwrap();
    Sweep::new(&model, &decays(sets)).guess("a", "max(y) - min(y)").guess("k", "1").guess("c", "min(y)")
}

#[test]
fn a_problem_has_the_same_bits_wherever_it_stands_in_the_batch_and_however_the_batch_is_cut() {
    let sweep = decay_sweep(301);
    let job = sweep.resolve().unwrap();
    for engine in engines() {
        let mut quiet = |_| ControlFlow::Continue(());
        let whole = bits(&engine.run_job(&job, 0..job.len(), &mut quiet).unwrap());
        for cuts in [vec![0, 1, 2, 65, 301], vec![0, 150, 301], vec![0, 7, 8, 200, 201, 301]] {
            let mut parts = Vec::new();
            for cut in cuts.windows(2) {
                parts.extend(bits(&engine.run_job(&job, cut[0]..cut[1], &mut quiet).unwrap()));
            }
            assert_eq!(whole, parts, "cut at {cuts:?} on {}", engine.description());
        }
    }
}

#[test]
fn devices_with_small_limits_give_the_same_bits_as_one_with_all_of_them() {
    let rows = 5_000;
    let x: Vec<f64> = (0..rows).map(|i| f64::from(i) / f64::from(rows)).collect();
    let y: Vec<f64> = x.iter().map(|x| 1.0 + 2.0 * x + (7.0 * x).sin()).collect();
    let names: Vec<String> = (0..5).map(|k| format!("c{k}")).collect();
    let terms: Vec<String> = (0..5).map(|k| format!("c{k}*cos({k}*x)")).collect();
    let model = Model::parse(&terms.join(" + "), &names).unwrap();
    let data = Data::from_columns([("x", x), ("y", y)]).unwrap();
    let long = Sweep::new(&model, &data).start([0.0; 5]).step_sizes([1.0]).dampings([0.0, 1e-3, 1.0]);
    let many = decay_sweep(2_000);
    let defaults = natgrad::wgpu::Limits::defaults();
    // With 1 MiB a buffer the long problem's Jacobian no longer fits at once, nor do all the short ones.
    let tiny = natgrad::wgpu::Limits {
        max_buffer_size: 1 << 20,
        max_storage_buffer_binding_size: 1 << 20,
        ..defaults.clone()
    };
    for summary in common::adapters() {
        let choice = AdapterChoice::Index(summary.index);
        let Ok(full) = Device::open(&choice) else {
            println!("not on {}", summary.label());
            continue;
        };
        println!("on {}", summary.label());
        let run = |device| {
            let engine = Engine::from_device(device).unwrap();
            (bits(&engine.run(&long).unwrap()), bits(&engine.run(&many).unwrap()))
        };
        let expected = run(full);
        for limits in [&defaults, &tiny] {
            assert_eq!(expected, run(Device::open_with_limits(&choice, limits).unwrap()));
        }
    }
}

#[test]
fn units_of_the_response_change_no_status_and_no_step_count() {
    for engine in engines() {
        let (model, data) = misra1a();
        let columns = data.bind(&["x"]).unwrap();
        let run = |unit: f64| {
            let y: Vec<f64> = columns.response.iter().map(|y| y * unit).collect();
            let data = Data::from_columns([("x", columns.inputs[0].to_vec()), ("y", y)]).unwrap();
            let sweep = Sweep::new(&model, &data).start([500.0 * unit, 1e-4]).start([250.0 * unit, 5e-4]);
            let sweep = sweep.dampings([Damping::Adaptive]);
            engine.run(&sweep).unwrap()
        };
        let reference = run(1.0);
        for unit in [1e-6, 1e6, 1e-20, 1e20] {
            for (a, b) in reference.iter().zip(run(unit).iter()) {
                assert_eq!(a.status(), b.status(), "unit {unit:e} on {}", engine.description());
                // The last step may fall on either side of a tolerance by rounding.
                assert!(a.steps().abs_diff(b.steps()) <= 1, "{} and {} steps at unit {unit:e}", a.steps(), b.steps());
                let ratio = b.parameters()[0] / a.parameters()[0] / unit;
                assert!((ratio - 1.0).abs() < 1e-4, "b1 scales by {ratio} at unit {unit:e}");
            }
        }
        // A power of two changes no bit at all.
        let doubled = run(2f64.powi(13));
        for (a, b) in reference.iter().zip(doubled.iter()) {
            assert_eq!(a.steps(), b.steps());
            assert_eq!(a.parameters()[1].to_bits(), b.parameters()[1].to_bits(), "on {}", engine.description());
        }
    }
}

#[test]
fn a_start_outside_the_domain_is_non_finite_and_changes_no_bit_of_its_neighbours() {
    let model = Model::parse("a*log(b + x)", &["a", "b"]).unwrap();
    let x: Vec<f64> = (0..10).map(f64::from).collect();
    let y = x.iter().map(|x| 2.0 * (1.5 + x).ln()).collect();
    let data = Data::from_columns([("x", x), ("y", y)]).unwrap();
    for engine in engines() {
        let good = Sweep::new(&model, &data).start([1.0, 1.0]).start([3.0, 2.0]);
        let mixed = Sweep::new(&model, &data).start([1.0, 1.0]).start([1.0, -1.0]).start([3.0, 2.0]);
        let (good, mixed) = (engine.run(&good).unwrap(), engine.run(&mixed).unwrap());
        let bad = mixed.problem(1);
        assert_eq!((bad.status(), bad.steps(), bad.reason()), (Status::NonFinite, 0, None));
        assert_eq!(bad.parameters(), [1.0, -1.0]);
        assert!(bad.standard_errors().iter().all(|error| error.is_nan()));
        let mut expected = bits(&good);
        expected[1][0] = 2;
        let found = bits(&mixed);
        assert_eq!((&found[0], &found[2]), (&expected[0], &expected[1]), "on {}", engine.description());
    }
}

#[test]
fn null_vectors_name_the_parameters_that_the_data_do_not_tell_apart() {
    let model = Model::parse("a*b*x + c", &["a", "b", "c"]).unwrap();
    let x: Vec<f64> = (0..8).map(f64::from).collect();
    let y = x.iter().map(|x| 6.0 * x + 1.0 + 0.1 * (3.0 * x).sin()).collect();
    let data = Data::from_columns([("x", x), ("y", y)]).unwrap();
    for engine in engines() {
        let outcome = engine.run(&Sweep::new(&model, &data).start([1.0, 2.0, 0.0])).unwrap();
        let problem = outcome.problem(0);
        assert_eq!(problem.status(), Status::Converged, "{}", engine.description());
        assert_eq!(problem.rank(), Some(2));
        assert_eq!(problem.unresolved(), ["a", "b"]);
        let errors = problem.standard_errors();
        assert!(errors[0].is_nan() && errors[1].is_nan() && errors[2] > 0.0);
        assert_eq!(problem.degrees_of_freedom(), Some(6));
    }
}

#[test]
fn more_parameters_than_points_interpolate_by_the_least_step() {
    // Linear in θ: from θ = 0 the exact step lands on the minimum-norm interpolant J†y at once.
    let model = Model::parse("a + b*x + c*x**2 + d*x**3", &["a", "b", "c", "d"]).unwrap();
    let data = Data::from_columns([("x", vec![0.0, 1.0]), ("y", vec![1.0, 3.0])]).unwrap();
    for engine in engines() {
        let sweep = Sweep::new(&model, &data).start([0.0; 4]).step_sizes([1.0]).scaling(Scaling::None);
        let outcome = engine.run(&sweep).unwrap();
        let problem = outcome.problem(0);
        assert_eq!((problem.status(), problem.rank()), (Status::Converged, Some(2)));
        assert_eq!(problem.singular_values().len(), 2);
        // One step, and at most one more to sweep up its rounding.
        assert!(problem.steps() <= 2, "{} steps", problem.steps());
        assert!(problem.loss() < 1e-12);
        // a = 1 and b + c + d = 2, whose least solution has b = c = d.
        for (found, expected) in problem.parameters().iter().zip([1.0, 2.0 / 3.0, 2.0 / 3.0, 2.0 / 3.0]) {
            assert!((found - expected).abs() < 1e-6, "{:?} on {}", problem.parameters(), engine.description());
        }
    }
}

#[test]
fn each_step_of_size_eta_leaves_one_minus_eta_of_the_way() {
    // f = a + bx is linear: the residual's tangent part shrinks by exactly 1 − η a step, and (η > 1) changes sign.
    let model = Model::parse("a + b*x", &["a", "b"]).unwrap();
    let data = Data::from_columns([("x", vec![0.0, 1.0, 2.0]), ("y", vec![1.0, 3.0, 5.0])]).unwrap();
    for engine in engines() {
        for eta in [0.1, 0.5, 1.5, 1.9, 2.1] {
            for steps in [1, 2, 5] {
                let sweep = Sweep::new(&model, &data).start([0.0, 0.0]).step_sizes([eta]).stop(Stop {
                    steps,
                    tests: false,
                    ..Stop::default()
                });
                let outcome = engine.run(&sweep).unwrap();
                let left = (1.0f64 - eta).powi(steps as i32);
                let expected = [1.0 - left, 2.0 - 2.0 * left];
                for (found, expected) in outcome.problem(0).parameters().iter().zip(expected) {
                    assert!((found - expected).abs() < 1e-5, "{found} against {expected} at η = {eta}");
                }
                assert_eq!(outcome.problem(0).status(), Status::StepLimit);
            }
        }
    }
}

#[test]
fn tikhonov_and_fixed_rank_steps_are_what_their_filters_say() {
    // J = diag(3, 1) by two indicator columns, e = −(3, 1): uᵀe/σ = −1 in both directions.
    let model = Model::parse("3*a*(1 - x) + b*x", &["a", "b"]).unwrap();
    let data = Data::from_columns([("x", vec![0.0, 1.0]), ("y", vec![3.0, 1.0])]).unwrap();
    for engine in engines() {
        let once = |sweep: Sweep| {
            let stop = Stop { steps: 1, tests: false, ..Stop::default() };
            let sweep = sweep.start([0.0, 0.0]).scaling(Scaling::None).stop(stop);
            engine.run(&sweep).unwrap().problem(0).parameters().to_vec()
        };
        let near = |found: &[f64], expected: [f64; 2]| {
            let close = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6);
            assert!(close, "{found:?} against {expected:?} on {}", engine.description());
        };
        let plain = || Sweep::new(&model, &data).step_sizes([1.0]);
        near(&once(plain().dampings([2.0])), [9.0 / 11.0, 1.0 / 3.0]);
        near(&once(plain().filter(Filter::FixedRank(1))), [1.0, 0.0]);
        near(&once(plain().cutoff(0.5)), [1.0, 0.0]);
        // With unit columns both singular values are 1, and ε = 2 leaves a third of each.
        let scaled = Sweep::new(&model, &data).start([0.0, 0.0]).step_sizes([1.0]).dampings([2.0]);
        let scaled = scaled.stop(Stop { steps: 1, tests: false, ..Stop::default() });
        near(engine.run(&scaled).unwrap().problem(0).parameters(), [1.0 / 3.0, 1.0 / 3.0]);
    }
}

#[test]
fn every_filter_and_momentum_contract_each_direction_as_their_formulas_say() {
    // J = diag(3, 1) and zero residual at (1, 1): with d = θ − 1, d⁺ = (1 − ηφ)d + β(d − d⁻) in each direction.
    let model = Model::parse("3*a*(1 - x) + b*x", &["a", "b"]).unwrap();
    let data = Data::from_columns([("x", vec![0.0, 1.0]), ("y", vec![3.0, 1.0])]).unwrap();
    let sigma = [3.0f64, 1.0];
    let steps = 6;
    // Cutoff in the midst; ε = 2‖e‖.
    let smooth = |s: f64, _: f64| 1.0 / (1.0 + (0.3 * 3.0 / s).powi(12));
    let scaled = |s: f64, e: f64| s * s / (s * s + 2.0 * e);
    type Phi<'a> = &'a dyn Fn(f64, f64) -> f64;
    let gradient = |s: f64, _: f64| s * s;
    let cases: [(Filter, f64, Phi); 5] = [
        (Filter::Exact, 0.0, &|_, _| 1.0),
        (Filter::Exact, 0.4, &|_, _| 1.0),
        (Filter::Gradient, 0.3, &gradient),
        (Filter::Smooth, 0.0, &smooth),
        (Filter::ResidualScaled { factor: 2.0, power: 1.0 }, 0.25, &scaled),
    ];
    for engine in engines() {
        for (filter, momentum, phi) in cases {
            // Gradient descent is stable below 2/9.
            let size = if filter == Filter::Gradient { 0.15 } else { 0.5 };
            for tests in [false, true] {
                let stop =
                    Stop { steps, tests, loss: Some(0.0), initial_loss: None, gradient: Some(0.0), change: Some(0.0) };
                let sweep = Sweep::new(&model, &data).start([0.0, 3.0]).step_sizes([size]).scaling(Scaling::None);
                let sweep = sweep.filter(filter).momentum(momentum).stop(stop);
                let sweep = if filter == Filter::Smooth { sweep.cutoff(0.3) } else { sweep };
                let outcome = engine.run(&sweep).unwrap();
                let (mut here, mut before) = ([-1.0, 2.0], [-1.0, 2.0]);
                for _ in 0..steps {
                    let residual = (0..2).map(|i| (sigma[i] * here[i]).powi(2)).sum::<f64>().sqrt();
                    let next =
                        |i: usize| (1.0 - size * phi(sigma[i], residual)) * here[i] + momentum * (here[i] - before[i]);
                    (here, before) = ([next(0), next(1)], here);
                }
                let found = outcome.problem(0).parameters();
                for i in 0..2 {
                    // A few roundings of θ, up to 3, a step.
                    let off = (found[i] - 1.0 - here[i]).abs();
                    let name = outcome.problem(0).rule().filter_name();
                    assert!(off < 1e-5, "{name}: {found:?} against {here:?} + 1 on {}", engine.description());
                }
            }
        }
    }
}

#[test]
fn rules_that_contradict_themselves_are_refused_in_one_line() {
    let model = Model::parse("a*x", &["a"]).unwrap();
    let data = Data::from_columns([("x", vec![1.0]), ("y", vec![1.0])]).unwrap();
    let plain = || Sweep::new(&model, &data).start([0.0]).step_sizes([1.0]);
    let message = |sweep: Sweep| sweep.resolve().unwrap_err().to_string();
    assert!(message(plain().filter(Filter::Smooth).dampings([1.0])).contains("smooth takes no damping beside"));
    assert!(message(plain().momentum(1.0)).contains("momentum 1 is outside [0, 1)"));
    assert!(message(plain().momentum(0.5).dampings([Damping::Adaptive])).contains("does not go with adaptive damping"));
    assert!(message(plain().filter(Filter::Gradient).scaling(Scaling::Columns)).contains("plain J"));
    let negative = Filter::ResidualScaled { factor: -1.0, power: 1.0 };
    assert!(message(plain().filter(negative)).contains("factor of a residual-scaled damping is -1"));
}

#[test]
fn standard_errors_of_a_straight_line_are_the_textbook_ones_scaled_and_absolute() {
    let x: Vec<f64> = (0..12).map(|i| f64::from(i) * 0.5).collect();
    let sigma: Vec<f64> = (0..12).map(|i| 0.1 + 0.02 * f64::from(i)).collect();
    let y: Vec<f64> =
        (0..12).map(|i| 1.0 + 2.0 * x[i] + random_start(9, i as u32, Distribution::Normal, sigma[i])).collect();
    // Weighted normal equations, solved by hand.
    let sum = |f: &dyn Fn(usize) -> f64| (0..12).map(|i| f(i) / (sigma[i] * sigma[i])).sum::<f64>();
    let (s, sx, sxx) = (sum(&|_| 1.0), sum(&|i| x[i]), sum(&|i| x[i] * x[i]));
    let (sy, sxy) = (sum(&|i| y[i]), sum(&|i| x[i] * y[i]));
    let det = s * sxx - sx * sx;
    let (a, b) = ((sxx * sy - sx * sxy) / det, (s * sxy - sx * sy) / det);
    let chi = sum(&|i| (y[i] - a - b * x[i]).powi(2));
    let absolute = [(sxx / det).sqrt(), (s / det).sqrt()];

    let model = Model::parse("a + b*x", &["a", "b"]).unwrap();
    let data = Data::from_columns([("x", x.clone()), ("y", y.clone()), ("s", sigma.clone())]).unwrap().sigma("s");
    for engine in engines() {
        for (errors, factor) in [(Errors::Absolute, 1.0), (Errors::Scaled, (chi / 10.0).sqrt())] {
            let outcome = engine.run(&Sweep::new(&model, &data).start([0.0, 0.0]).errors(errors)).unwrap();
            let problem = outcome.problem(0);
            assert!((problem.residual_sum_of_squares() / chi - 1.0).abs() < 1e-6);
            for (j, expected) in [a, b].into_iter().enumerate() {
                let error = absolute[j] * factor;
                assert!((problem.standard_errors()[j] / error - 1.0).abs() < 1e-5, "{}", engine.description());
                assert!((problem.parameters()[j] - expected).abs() < 1e-4 * error.max(1e-2));
            }
            let covariance = problem.covariance()[1] / (factor * factor);
            assert!((covariance / (-sx / det) - 1.0).abs() < 1e-5);
        }
    }
}

#[test]
fn data_sets_of_unequal_length_are_problems_of_their_own() {
    for engine in engines() {
        let outcome = engine.run(&decay_sweep(40)).unwrap();
        assert_eq!(outcome.len(), 40);
        for problem in outcome.iter() {
            assert_eq!(problem.status(), Status::Converged, "set {} on {}", problem.set(), engine.description());
            assert_eq!(problem.points(), 6 + problem.set() % 7);
            let truth = [2.0 + problem.set() as f64 * 0.01, 0.7, 0.3];
            for (j, error) in problem.standard_errors().iter().enumerate() {
                // Student's t with 3 degrees of freedom exceeds 13 once in a thousand times.
                assert!((problem.parameters()[j] - truth[j]).abs() < 13.0 * error, "set {}", problem.set());
            }
        }
    }
}

#[test]
fn a_long_fit_in_f32_is_as_good_as_one_in_f64() {
    // 50,000 points: f32 sums taken one after the other would lose 50,000u = 0.3%.
    let rows = 50_000;
    let x: Vec<f64> = (0..rows).map(|i| 10.0 * f64::from(i) / f64::from(rows)).collect();
    let noise = |i: usize| random_start(i as u64, 0, Distribution::Normal, 0.05);
    let y = x.iter().enumerate().map(|(i, x)| 3.0 * (-0.5 * x).exp() + 1.0 + noise(i)).collect();
    let data = Data::from_columns([("x", x), ("y", y)]).unwrap();
    let model = Model::parse("a*exp(-k*x) + c", &["a", "k", "c"]).unwrap();
    let sweep = Sweep::new(&model, &data).start([1.0, 1.0, 0.0]);
    let mut engines = engines();
    let reference = engines.next().expect("the CPU").run(&sweep).unwrap();
    for engine in engines {
        let outcome = engine.run(&sweep).unwrap();
        let (a, b) = (outcome.problem(0), reference.problem(0));
        assert_eq!((a.status(), b.status()), (Status::Converged, Status::Converged));
        for j in 0..3 {
            let (se, found) = (b.standard_errors()[j], a.parameters()[j]);
            assert!((found - b.parameters()[j]).abs() < 0.01 * se, "{}", engine.description());
            assert!((a.standard_errors()[j] / se - 1.0).abs() < 1e-3);
        }
    }
}

#[test]
fn a_run_reports_its_progress_and_stops_when_told() {
    let sweep = decay_sweep(12_000);
    for engine in engines() {
        let mut reports = Vec::new();
        let outcome = engine
            .run_with(&sweep, |progress| {
                reports.push(progress);
                ControlFlow::Break(())
            })
            .unwrap();
        assert_eq!(reports.len(), 1);
        assert_eq!((reports[0].total, reports[0].done), (12_000, outcome.len() as u64));
        assert!(outcome.len() < 12_000, "stopped after the first chunk");
    }
}

#[test]
fn an_asynchronous_run_gives_the_same_bits() {
    let sweep = decay_sweep(50);
    for engine in engines() {
        let blocking = engine.run(&sweep).unwrap();
        let awaited = natgrad::block_on(engine.run_async(&sweep)).unwrap();
        assert_eq!(bits(&blocking), bits(&awaited));
    }
}

#[test]
fn of_several_starts_the_best_is_kept() {
    let (model, data) = misra1a();
    for engine in engines() {
        let sweep = Sweep::new(&model, &data).start([1.0, 10.0]).start([250.0, 5e-4]).dampings([Damping::Adaptive]);
        let outcome = engine.run(&sweep).unwrap();
        let best = outcome.keep_best();
        assert_eq!((outcome.len(), best.len()), (2, 1));
        assert_eq!(best.problem(0).start_index(), 1, "{}", engine.description());
    }
}

#[test]
fn verification_measures_differences_in_standard_errors() {
    for engine in engines() {
        let sweep = decay_sweep(200);
        let (job, outcome) = (sweep.resolve().unwrap(), engine.run(&sweep).unwrap());
        let report = verify(&job, &outcome, 50).unwrap();
        assert_eq!((report.checked, report.compared, report.status_differs), (50, 50, 0));
        assert!(report.worst_difference < 0.01, "{report:?} on {}", engine.description());
        assert_eq!(report.stopped_early_share, 0.0);
        // A run cut short after one step has to be found out.
        let hasty = sweep.stop(Stop { gradient: Some(0.5), ..Stop::default() });
        let outcome = engine.run(&hasty).unwrap();
        let report = verify(&job, &outcome, 50).unwrap();
        assert!(report.stopped_early_share > 0.5, "{report:?}");
    }
}

#[test]
fn a_fixed_parameter_is_a_constant() {
    let (model, data) = misra1a();
    let model = model.fix("b2", 5.5015643181e-4).unwrap();
    assert_eq!(model.parameters(), ["b1"]);
    for engine in engines() {
        let outcome = engine.run(&Sweep::new(&model, &data).start([100.0])).unwrap();
        // At the certified b2 the best b1 is the certified one, to the digits in which b2 was given.
        assert!((outcome.problem(0).parameters()[0] / 238.94212918 - 1.0).abs() < 1e-6, "{}", engine.description());
    }
}

#[test]
fn an_input_that_f32_blurs_is_told_on_a_gpu_and_computed_in_f64_on_the_cpu() {
    // Seconds since 1970, one a second: f32 steps are 128 s there.
    let t: Vec<f64> = (0..20).map(|i| 1.7e9 + f64::from(i)).collect();
    let y = (0..20).map(|i| 2.0 + 0.5 * f64::from(i)).collect();
    let data = Data::from_columns([("t", t), ("y", y)]).unwrap();
    let model = Model::parse("a + b*(t - 1700000000)", &["a", "b"]).unwrap();
    let sweep = Sweep::new(&model, &data).start([0.0, 0.0]);
    for engine in engines() {
        let outcome = engine.run(&sweep).unwrap();
        let advice = outcome.context().notices.join(" ");
        if engine.device().is_some() {
            assert!(advice.contains("column \"t\"") && advice.contains("--device cpu"), "{advice}");
        } else {
            assert_eq!(advice, "");
            assert!((outcome.problem(0).parameters()[1] - 0.5).abs() < 1e-9);
        }
    }
}

#[test]
fn a_model_that_a_driver_would_compile_for_minutes_is_refused_on_a_gpu_with_both_numbers_and_fitted_on_the_cpu() {
    let tower = vec!["a"; 2000].join("**");
    let model = Model::parse(&format!("{tower} + 0*x"), &["a"]).unwrap();
    let data = Data::from_columns([("x", vec![0.0, 1.0, 2.0]), ("y", vec![1.5; 3])]).unwrap();
    let sweep = Sweep::new(&model, &data).start([1.2]);
    for engine in engines() {
        let outcome = engine.run(&sweep);
        if engine.device().is_none() {
            // The tower of infinite height is y where a = y^(1/y), and 2000 levels contract by log(1.5) = 0.41 each.
            let (fitted, limit) = (outcome.unwrap().problem(0).parameters()[0], 1.5f64.powf(1.0 / 1.5));
            assert!((fitted - limit).abs() < 1e-9, "{fitted} for {limit}");
            continue;
        }
        let message = outcome.unwrap_err().to_string();
        for part in [&model.operations().to_string(), "65536", "--device cpu"] {
            assert!(message.contains(part), "{message}");
        }
    }
}

#[test]
fn all_this_holds_on_swiftshader_too() {
    common::again_on_swiftshader(&[]);
}
