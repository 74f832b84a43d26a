//! The stability certificate on every device: the claim where it holds, its failure where it does not.

mod common;

use natgrad::stability::{Certificate, Doubt, FilterRule, Minimiser, Stability, StabilityOptions, Verdict};
use natgrad::{Choice, Data, Distribution, Draw, Engine, Filter, Model, Precision, RandomStarts, Scaling, Sweep};

use common::{again_on_swiftshader, engines};

/// θ₁θ₂ fitted to 1: the minimisers lie on a hyperbola.
fn product(count: u64) -> Sweep {
    let model = Model::parse("a*b", &["a", "b"]).unwrap();
    let data = Data::from_columns([("y", vec![1.0])]).unwrap();
    random(Sweep::new(&model, &data), count, 1.5)
}

/// The four entries of a product UV of 2×2 matrices fitted to a given matrix.
fn factorisation(matrix: [f64; 4], count: u64) -> Sweep {
    let u = |k: usize| format!("(u1{k}*(1-i) + u2{k}*i)");
    let v = |k: usize| format!("(v{k}1*(1-j) + v{k}2*j)");
    let text = format!("{}*{} + {}*{}", u(1), v(1), u(2), v(2));
    let model = Model::parse(&text, &["u11", "u12", "u21", "u22", "v11", "v12", "v21", "v22"]).unwrap();
    let columns = [("i", vec![0.0, 0.0, 1.0, 1.0]), ("j", vec![0.0, 1.0, 0.0, 1.0]), ("y", matrix.to_vec())];
    random(Sweep::new(&model, &Data::from_columns(columns).unwrap()), count, 1.0)
}

fn random(sweep: Sweep, count: u64, scale: f64) -> Sweep {
    let draw = Draw::Scaled { distribution: Distribution::Normal, scale };
    sweep.random_starts(RandomStarts { draw, seeds: 0..count }).scaling(Scaling::None)
}

fn certified(engine: &Engine, sweep: &Sweep, options: &StabilityOptions) -> Stability {
    let outcome = engine.run(sweep).unwrap();
    let found = engine.certify(sweep, &outcome, options).unwrap();
    println!("{}: {:?}, excluded {:?}", engine.description(), found.verdicts, found.excluded);
    found
}

fn unit_roundoff(engine: &Engine) -> f64 {
    match engine.precision() {
        Precision::F64 => f64::EPSILON / 2.0,
        _ => f64::from(f32::EPSILON) / 2.0,
    }
}

#[test]
fn the_claim_holds_at_all_minimisers_of_a_product_and_a_factorisation_but_those_refused_for_a_reason() {
    for engine in engines() {
        let u = unit_roundoff(engine);
        for (name, sweep, rank) in
            [("product", product(300), 1), ("factorisation", factorisation([2.0, 1.0, -1.0, 1.5], 300), 4)]
        {
            let found = certified(engine, &sweep, &StabilityOptions::default());
            let holds: Vec<_> = found.certificates.iter().filter(|c| c.verdict == Verdict::Holds).collect();
            for c in found.certificates.iter().filter(|c| c.verdict != Verdict::Holds).take(5) {
                println!("{name}: {:?} {}", c.reason, c.detail);
            }
            assert!(holds.len() >= 285, "{name}: {} of {} on {}", holds.len(), found.minimisers, engine.description());
            for c in holds {
                assert_eq!(c.rank, rank, "{name}, problem {}", c.problem);
                let bound = (4 * rank).max(32) as f64 * u;
                assert!(c.row_space_error <= 64.0 * u, "{name}: {:e}", c.row_space_error);
                assert_eq!(c.filters.len(), 4);
                for f in &c.filters {
                    let eta = f.step_size;
                    assert_eq!(f.predicted.len(), c.parameters.len());
                    for (k, (spectrum, predicted)) in f.spectrum.iter().zip(&f.predicted).enumerate() {
                        let claim = if k < rank { 1.0 - eta } else { 1.0 };
                        assert_eq!(*predicted, claim);
                        assert!((spectrum - claim).abs() <= bound * (1.0 + eta), "{name}: {spectrum} at η = {eta}");
                    }
                    let rows = f.measured.len() - f.measured_kernel;
                    assert!(rows == rank && f.measured_kernel >= 1, "{:?}", f.measured);
                    for (k, measured) in f.measured.iter().enumerate() {
                        let claim: f64 = if k < rows { 1.0 - eta } else { 1.0 };
                        assert!((measured / claim - 1.0).abs() <= 0.01, "{name}: {measured} at η = {eta}");
                    }
                    let &[low, high] = &f.critical_bracket[..] else { panic!("no bracket") };
                    assert!(1.9 <= low && low < high && high <= 2.1, "{name}: [{low}, {high}]");
                    assert!(low <= f.critical_step && f.critical_step <= high);
                }
            }
        }
    }
}

/// The certificate of one point that is given.
fn of_point(engine: &Engine, sweep: &Sweep, theta: &[f64], options: &StabilityOptions) -> Certificate {
    let point = Minimiser { problem: 0, set: 0, parameters: theta.to_vec(), status: None };
    let mut found = engine.certify_points(&sweep.resolve().unwrap(), &[point], options).unwrap();
    found.certificates.remove(0)
}

fn two_rows(text: &str, parameters: &[&str], y: [f64; 2]) -> Sweep {
    let data = Data::from_columns([("x", vec![0.0, 1.0]), ("y", y.to_vec())]).unwrap();
    let sweep = Sweep::new(&Model::parse(text, parameters).unwrap(), &data);
    sweep.start(vec![1.0; parameters.len()]).scaling(Scaling::None)
}

#[test]
fn a_rank_deficient_model_is_certified_with_its_kernel() {
    // J = [bx, ax, 1]: two directions of three.
    let model = Model::parse("a*b*x + c", &["a", "b", "c"]).unwrap();
    let x = vec![0.0, 0.5, 1.0, 2.0];
    let y = x.iter().map(|x| 3.0 * x + 1.0).collect();
    let sweep = random(Sweep::new(&model, &Data::from_columns([("x", x), ("y", y)]).unwrap()), 50, 1.0);
    for engine in engines() {
        // Which kernel is left alone depends on the coordinates; the claim does not.
        for scaling in [Scaling::None, Scaling::Columns] {
            let mut options = StabilityOptions::default();
            options.scaling = scaling;
            let found = certified(engine, &sweep, &options);
            let holds = found.certificates.iter().filter(|c| c.verdict == Verdict::Holds);
            let mut count = 0;
            for c in holds {
                assert_eq!((c.rank, c.exact_rank, c.singular_values.len()), (2, 2, 3));
                assert!(c.gap > 1e10, "gap {:e}", c.gap);
                assert_eq!(c.filters[0].predicted, [0.9, 0.9, 1.0]);
                count += 1;
            }
            assert!(count >= 40, "{count} of {} on {}", found.minimisers, engine.description());
        }
    }
}

#[test]
fn thousands_of_points_and_sets_of_unequal_length_are_certified_too() {
    let model = Model::parse("a*exp(-k*x) + c", &["a", "k", "c"]).unwrap();
    let (mut set, mut x, mut y) = (Vec::new(), Vec::new(), Vec::new());
    for (s, points) in [(0, 3000), (1, 40), (2, 2001)] {
        for i in 0..points {
            let at = 3.0 * f64::from(i) / f64::from(points);
            set.push(f64::from(s));
            x.push(at);
            y.push((2.0 + f64::from(s)) * (-at).exp() + 1.0);
        }
    }
    let data = Data::from_columns([("set", set), ("x", x), ("y", y)]).unwrap().group_by(&["set"]);
    let sweep = Sweep::new(&model, &data).start([1.0, 0.5, 0.0]);
    for engine in engines() {
        let found = certified(engine, &sweep, &StabilityOptions::default());
        for (set, c) in found.certificates.iter().enumerate() {
            assert_eq!(
                (c.set, c.verdict, c.rank),
                (set, Verdict::Holds, 3),
                "{} on {}",
                c.detail,
                engine.description()
            );
            assert!((c.parameters[0] - (2.0 + set as f64)).abs() < 1e-4, "{:?}", c.parameters);
        }
        assert_eq!(found.minimisers, 3);
    }
}

#[test]
fn they_are_where_quotients_and_roots_are_all_too_small_or_all_too_large() {
    common::again_with_loose_arithmetic(&["thousands_of_points"]);
}

#[test]
fn near_a_rank_change_it_refuses_and_what_f32_leaves_out_is_not_called_the_kernel() {
    // J = diag(1, 2b): the second singular value is of the size of the cutoff.
    for engine in engines() {
        let cutoff = 2.0 * 2.0 * unit_roundoff(engine);
        let b = 2.0 * cutoff;
        let refused = of_point(
            engine,
            &two_rows("a*(1-x) + b**2*x", &["a", "b"], [1.0, b * b]),
            &[1.0, b],
            &StabilityOptions::default(),
        );
        assert_eq!(
            (refused.verdict, refused.reason),
            (Verdict::DoesNotApply, Some(Doubt::RankGap)),
            "{}",
            refused.detail
        );
        // The rows of J differ by 10⁻⁸: one to f32, two to f64.
        let model = Model::parse("a + b*(1 + d*x)", &["a", "b"]).unwrap().with_constants(&[("d", 1e-8)]).unwrap();
        let data = Data::from_columns([("x", vec![0.0, 1.0]), ("y", vec![2.0, 2.0 + 1e-8])]).unwrap();
        let sweep = Sweep::new(&model, &data).start([1.0, 1.0]).scaling(Scaling::None);
        let found = of_point(engine, &sweep, &[1.0, 1.0], &StabilityOptions::default());
        match engine.precision() {
            Precision::F32 => {
                assert_eq!(
                    (found.verdict, found.rank, found.exact_rank),
                    (Verdict::RowSpaceOnly, 1, 2),
                    "{}",
                    found.detail
                );
            }
            // σ₂ is 5e-9 of σ₁, and the condition is what f64 bears.
            _ => assert_eq!((found.verdict, found.rank), (Verdict::Holds, 2), "{}", found.detail),
        }
    }
}

#[test]
fn every_filter_has_the_multipliers_and_the_critical_step_of_its_theory() {
    // J = diag(2, 1) beside a third parameter that does nothing.
    let sweep = two_rows("2*a*(1-x) + b*x + 0*c", &["a", "b", "c"], [2.0, 1.0]);
    let rule = |filter, damping, momentum| FilterRule { filter, damping, momentum };
    let scaled = Filter::ResidualScaled { factor: 1.0, power: 1.0 };
    // Of each the rates φ(2), φ(1), and the critical step.
    let cases = [
        (rule(Filter::Exact, 0.0, 0.0), [1.0, 1.0], 2.0),
        (rule(Filter::FixedRank(1), 0.0, 0.0), [1.0, 0.0], 2.0),
        (rule(Filter::Exact, 1.0, 0.0), [0.8, 0.5], 2.5),
        (rule(Filter::Smooth, 0.0, 0.0), [1.0 / (1.0 + 0.4f64.powi(12)), 1.0 / (1.0 + 0.8f64.powi(12))], 2.0),
        (rule(scaled, 0.0, 0.0), [1.0, 1.0], 2.0),
        (rule(Filter::Exact, 0.0, 0.5), [1.0, 1.0], 3.0),
        // Gradient descent: σ², and 2 over the sharpness.
        (rule(Filter::Gradient, 0.0, 0.0), [4.0, 1.0], 0.5),
    ];
    for engine in engines() {
        for (rule, rates, critical) in cases {
            let mut options = StabilityOptions::default();
            options.filters = vec![rule];
            options.step_sizes = vec![0.1, 1.5];
            if rule.filter == Filter::Smooth {
                options.cutoff = Some(0.4);
            }
            let found = of_point(engine, &sweep, &[1.0, 1.0, 0.5], &options);
            let name = rule.name();
            for f in &found.filters {
                assert_eq!(f.filter, name);
                let eta = f.step_size;
                let rows = f.measured.len() - f.measured_kernel;
                if rule.momentum == 0.0 {
                    let expected = rates.map(|rate| 1.0 - eta * rate);
                    for (k, value) in expected.iter().enumerate() {
                        assert!((f.predicted[k] - value).abs() < 1e-7, "{name}: {:?}", f.predicted);
                        assert!((f.spectrum[k] - value).abs() < 1e-5, "{name}: {:?}", f.spectrum);
                        assert!(
                            k >= rows || (f.measured[k] - value).abs() < 0.01 * value.abs(),
                            "{name}: {:?}",
                            f.measured
                        );
                    }
                    assert_eq!((f.predicted.len(), f.predicted[2]), (3, 1.0), "{name}");
                } else {
                    // Twice the roots of z² − (1−η+β)z + β, then those of the kernel: 1 and β.
                    let sum = 1.0 - eta + rule.momentum;
                    assert_eq!((f.predicted.len(), rows), (6, 4), "{name}");
                    for pair in [&f.measured[..2], &f.measured[2..4], &f.predicted[..2]] {
                        // A complex pair stands by its modulus.
                        let complex = sum * sum < 4.0 * rule.momentum;
                        let off = if complex { pair[0] - rule.momentum.sqrt() } else { pair[0] + pair[1] - sum };
                        assert!(
                            off.abs() < 0.01 && (pair[0] * pair[1] - rule.momentum).abs() < 0.01,
                            "{name}: {pair:?}"
                        );
                    }
                }
                for kernel in &f.measured[rows..] {
                    assert!((kernel - 1.0).abs() < 1e-4, "{name}: {kernel} along the kernel");
                }
                let exact = if rule.filter == Filter::Smooth { 2.0 / rates[0] } else { critical };
                assert!(
                    (f.predicted_critical_step / exact - 1.0).abs() < 1e-6,
                    "{name}: {}",
                    f.predicted_critical_step
                );
                assert!(
                    (f.critical_step / exact - 1.0).abs() < 0.02,
                    "{name}: {} on {}",
                    f.critical_step,
                    engine.description()
                );
            }
        }
    }
}

#[test]
fn damping_moves_the_critical_step_of_every_minimiser_by_its_own_amount() {
    let epsilon = 0.5;
    for engine in engines() {
        let mut options = StabilityOptions::default();
        options.filters = vec![FilterRule { damping: epsilon, ..FilterRule::default() }];
        options.step_sizes = vec![1.0];
        let found = certified(engine, &product(60), &options);
        assert!(found.minimisers > 50);
        let mut spread: Vec<f64> = Vec::new();
        for c in &found.certificates {
            let f = &c.filters[0];
            let predicted = 2.0 * (1.0 + epsilon / c.gn_sharpness);
            assert!((f.predicted_critical_step / predicted - 1.0).abs() < 1e-9);
            assert!((f.critical_step / predicted - 1.0).abs() < 0.02, "{} against {predicted}", f.critical_step);
            spread.push(f.critical_step);
        }
        let (low, high) = spread.iter().fold((f64::INFINITY, 0.0f64), |(low, high), &s| (low.min(s), high.max(s)));
        assert!(high > 1.05 * low, "to damped steps minimisers differ: {low} to {high}");
    }
}

#[test]
fn beyond_512_parameters_the_row_space_stands_for_the_projector() {
    let p = 520;
    let names: Vec<String> = (0..p).map(|k| format!("a{k}")).collect();
    let text: Vec<String> = names.iter().enumerate().map(|(k, name)| format!("{name}*cos({k}*x)")).collect();
    let model = Model::parse(&text.join(" + "), &names).unwrap();
    // Angles up to 16: f32 rounds them by a millionth, and J no more.
    let x = vec![0.003, 0.01, 0.019, 0.03];
    let y = x.iter().map(|&x| model.evaluate(&vec![0.1; p], &[x])).collect();
    let sweep = Sweep::new(&model, &Data::from_columns([("x", x), ("y", y)]).unwrap());
    let sweep = sweep.start(vec![0.1; p]).scaling(Scaling::None);
    for engine in engines() {
        let mut options = StabilityOptions::default();
        options.step_sizes = vec![0.5];
        let point = Minimiser { problem: 0, set: 0, parameters: vec![0.1; p], status: None };
        let found = engine.certify_points(&sweep.resolve().unwrap(), &[point], &options).unwrap();
        let said = found.notices.join(" ");
        assert!(said.contains("second derivatives of 520") && said.contains("a projector of 520"), "{said}");
        let c = &found.certificates[0];
        assert_eq!((c.verdict, c.rank), (Verdict::Holds, 4), "{} on {}", c.detail, engine.description());
        // No pseudo-inverse is formed, and no second derivative taken.
        assert!(c.checks.reproduces.is_nan() && c.hessian_sharpness.is_nan() && c.curvatures.is_empty());
        let f = &c.filters[0];
        assert_eq!((f.spectrum.len(), f.measured.len(), f.measured_kernel), (p, 6, 2));
        assert!(f.spectrum[..4].iter().all(|m| (m - 0.5).abs() < 1e-5) && f.spectrum[4..].iter().all(|m| *m == 1.0));
        assert!((1.9..=2.1).contains(&f.critical_step));
    }
}

#[test]
fn what_is_no_point_or_no_setting_is_refused_in_words() {
    let engine = Engine::open(Choice::Cpu).unwrap();
    let sweep = product(1);
    let job = sweep.resolve().unwrap();
    let point = |set, parameters: Vec<f64>| Minimiser { problem: 0, set, parameters, status: None };
    let message = |point: Minimiser, change: &dyn Fn(&mut StabilityOptions)| {
        let mut options = StabilityOptions::default();
        change(&mut options);
        engine.certify_points(&job, &[point], &options).unwrap_err().to_string()
    };
    let sound = || point(0, vec![1.0, 1.0]);
    assert!(message(point(0, vec![1.0]), &|_| ()).contains("1 values and the model 2 parameters"));
    assert!(message(point(0, vec![1.0, f64::NAN]), &|_| ()).contains("\"b\" is NaN"));
    assert!(message(point(3, vec![1.0, 1.0]), &|_| ()).contains("data set 3"));
    assert!(
        message(sound(), &|options| options.step_sizes = vec![0.0]).contains("step size 0 is not a positive number")
    );
    assert!(message(sound(), &|options| options.step_sizes.clear()).contains("step size axis is empty"));
    assert!(message(sound(), &|options| options.filters.clear()).contains("filter axis is empty"));
    assert!(message(sound(), &|options| options.cutoff = Some(1.0)).contains("cutoff 1 is outside"));
    assert!(message(sound(), &|options| options.perturbation = Some(0.5)).contains("perturbation"));
    assert!(message(sound(), &|options| options.directions = 0).contains("number of directions"));
    // J = (b, a) vanishes at the origin: no rank, and said so.
    let c = of_point(&engine, &sweep, &[0.0, 0.0], &StabilityOptions::default());
    assert_eq!((c.verdict, c.reason, c.rank), (Verdict::DoesNotApply, Some(Doubt::RankZero), 0), "{}", c.detail);
    // Where f is no number there is nothing to certify, and that is counted.
    let logarithm = Model::parse("log(a)", &["a"]).unwrap();
    let data = Data::from_columns([("y", vec![1.0])]).unwrap();
    let job = Sweep::new(&logarithm, &data).start([1.0]).resolve().unwrap();
    let points = [point(0, vec![-1.0]), point(0, vec![std::f64::consts::E])];
    for engine in engines() {
        let found = engine.certify_points(&job, &points, &StabilityOptions::default()).unwrap();
        assert_eq!((found.minimisers, found.excluded.get("non_finite")), (1, Some(&1)), "{}", engine.description());
    }
    // Off every minimum.
    let c = of_point(&engine, &sweep, &[0.5, 0.5], &StabilityOptions::default());
    assert_eq!((c.verdict, c.reason), (Verdict::DoesNotApply, Some(Doubt::NotStationary)), "{}", c.detail);
    assert!(c.filters.iter().all(|f| f.predicted.is_empty() && f.measured.is_empty() && f.critical_step.is_nan()));
}

#[test]
fn a_map_of_contraction_has_its_edge_where_theory_puts_it() {
    for engine in engines() {
        let sweep = product(30);
        let job = sweep.resolve().unwrap();
        let options = StabilityOptions::default();
        let found = engine.certify(&sweep, &engine.run(&sweep).unwrap(), &options).unwrap();
        let sizes = natgrad::linspace(0.1, 4.0, 40);
        let dampings = [0.1, 1.0, 10.0];
        let over_dampings = engine.contraction_map(&job, &found, &options, &sizes, &dampings).unwrap().unwrap();
        let over_minimisers = engine.contraction_map(&job, &found, &options, &sizes, &[]).unwrap().unwrap();
        assert_eq!((over_dampings.rows.len(), over_minimisers.rows.len()), (3, found.minimisers));
        let mut edges = Vec::new();
        for row in over_dampings.rows.iter().chain(&over_minimisers.rows) {
            for (size, contraction) in sizes.iter().zip(&row.contraction) {
                // |1 − ηφ| with φ = 2/η_c: below 1 on one side of the edge, above it on the other.
                let predicted = (1.0 - 2.0 * size / row.critical_step).abs();
                assert!(
                    (contraction - predicted).abs() < 0.01 * predicted.max(1.0),
                    "η = {size}: {contraction} {predicted}"
                );
            }
            edges.push(row.critical_step);
        }
        assert!(edges[0] < edges[1] && edges[1] < edges[2] && edges[3..].iter().all(|edge| (edge - 2.0).abs() < 1e-12));
    }
}

#[test]
fn the_same_on_swiftshader() {
    again_on_swiftshader(&[]);
}
