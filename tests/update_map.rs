//! The Jacobian of the update map, at minima with a residual left and off every minimum.

mod common;

use natgrad::stability::{Doubt, StabilityOptions, Verdict, update_map};
use natgrad::{Choice, Data, Engine, Job, Model, Scaling, Stop, Sweep};

use common::engines;

/// The Jacobian of the CPU's own step by central differences, Richardson's extrapolation of two of them.
fn differences(engine: &Engine, sweep: &Sweep, theta: &[f64], eta: f64, scaling: Scaling) -> Vec<f64> {
    let p = theta.len();
    let stop = Stop { steps: 1, tests: false, ..Stop::default() };
    let step = |theta: &[f64]| {
        let sweep = sweep.clone().step_sizes([eta]).scaling(scaling).stop(stop);
        let job: Job = sweep.start(theta.to_vec()).resolve().unwrap();
        let outcome = engine.run_job(&job, 0..1, &mut |_| std::ops::ControlFlow::Continue(())).unwrap();
        outcome.problem(0).parameters().to_vec()
    };
    let mut map = vec![0.0; p * p];
    for k in 0..p {
        let quotient = |h: f64| -> Vec<f64> {
            let moved = |by: f64| {
                let mut moved = theta.to_vec();
                moved[k] += by;
                step(&moved)
            };
            let (above, below) = (moved(h), moved(-h));
            (0..p).map(|j| (above[j] - below[j]) / (2.0 * h)).collect()
        };
        let h = 1e-3 * theta[k].abs().max(0.1);
        let (coarse, fine) = (quotient(h), quotient(h / 2.0));
        for j in 0..p {
            map[j * p + k] = fine[j] + (fine[j] - coarse[j]) / 3.0;
        }
    }
    map
}

#[test]
fn the_jacobian_of_the_update_map_agrees_with_differences_of_the_steps_themselves_off_the_minimum_too() {
    let engine = Engine::open(Choice::Cpu).unwrap();
    let decay = {
        let model = Model::parse("a*exp(-k*t) + c", &["a", "k", "c"]).unwrap();
        let t: Vec<f64> = (0..8).map(|i| 0.5 * f64::from(i)).collect();
        let y = t.iter().map(|t| 2.0 * (-t).exp() + 0.3 * (5.0 * t).sin()).collect();
        Sweep::new(&model, &Data::from_columns([("t", t), ("y", y)]).unwrap())
    };
    // Four entries of a product of 2×2 matrices.
    let wide = {
        let names = ["u11", "u12", "u21", "u22", "v11", "v12", "v21", "v22"];
        let text = "(u11*(1-i) + u21*i)*(v11*(1-j) + v12*j) + (u12*(1-i) + u22*i)*(v21*(1-j) + v22*j)";
        let columns =
            [("i", vec![0.0, 0.0, 1.0, 1.0]), ("j", vec![0.0, 1.0, 0.0, 1.0]), ("y", vec![2.0, 1.0, -1.0, 1.5])];
        Sweep::new(&Model::parse(text, &names).unwrap(), &Data::from_columns(columns).unwrap())
    };
    let deficient = {
        let model = Model::parse("a*b*x + c**2", &["a", "b", "c"]).unwrap();
        let x = vec![0.0, 0.5, 1.0, 2.0];
        Sweep::new(&model, &Data::from_columns([("x", x), ("y", vec![1.0, 0.0, 2.0, 5.0])]).unwrap())
    };
    let far = [0.9, -0.3, 0.4, 1.1, 0.8, 0.2, -0.7, 1.3];
    for (name, sweep, theta, scalings) in [
        ("tall", &decay, &[1.5, 0.8, 0.2][..], &[Scaling::None, Scaling::Columns][..]),
        ("wide", &wide, &far[..], &[Scaling::None][..]),
        ("deficient", &deficient, &[0.8, 1.2, 0.9][..], &[Scaling::None][..]),
    ] {
        for &scaling in scalings {
            let expected = differences(&engine, sweep, theta, 0.7, scaling);
            let job = sweep.clone().start(theta.to_vec()).resolve().unwrap();
            let found = update_map(&job, 0, theta, 0.7, scaling, None).unwrap();
            let norm = expected.iter().map(|x| x * x).sum::<f64>().sqrt();
            let off = found.iter().zip(&expected).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
            println!("{name}, {}: off by {:.1e} of {norm:.2}", scaling.name(), off / norm);
            assert!(off <= 1e-6 * norm, "{name}, {}: {:e}", scaling.name(), off / norm);
            // Far from I − ηP, which has a norm of √p at most and knows nothing of the residual.
            assert!(norm > 0.1);
        }
    }
}

#[test]
fn with_a_residual_left_the_claim_does_not_apply_and_the_true_multipliers_are_measured() {
    // A residual large enough to bend: exp(b) through two incompatible points a row apart.
    let model = Model::parse("a*exp(b*x)", &["a", "b"]).unwrap();
    let data = Data::from_columns([("x", vec![0.0, 1.0, 2.0, 3.0]), ("y", vec![1.0, 3.0, 2.0, 9.0])]).unwrap();
    let sweep = Sweep::new(&model, &data).start([1.0, 0.7]);
    for engine in engines() {
        let mut options = StabilityOptions::default();
        options.step_sizes = vec![0.5, 1.0];
        let found = engine.certify(&sweep, &engine.run(&sweep).unwrap(), &options).unwrap();
        let c = &found.certificates[0];
        assert_eq!((c.verdict, c.reason), (Verdict::DoesNotApply, Some(Doubt::ResidualNotZero)), "{}", c.detail);
        assert_eq!(c.curvatures.len(), 2);
        let largest = c.curvatures.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let bend = c.curvatures.iter().fold(0.0f64, |bend, kappa| bend.max(kappa.abs()));
        assert!(bend > 0.02, "κ = {:?}: enough to be told from none", c.curvatures);
        for f in &c.filters {
            // The map's Jacobian in f64, from the formula, has these eigenvalues: trace and determinant agree.
            let map =
                update_map(&sweep.resolve().unwrap(), 0, &c.parameters, f.step_size, Scaling::None, None).unwrap();
            let (trace, determinant) = (map[0] + map[3], map[0] * map[3] - map[1] * map[2]);
            let &[one, other] = &f.predicted[..] else { panic!("two multipliers") };
            // θ is a minimiser to f32 only.
            assert!((one + other - trace).abs() < 1e-4 && (one * other - determinant).abs() < 1e-4);
            for (predicted, measured) in f.predicted.iter().zip(&f.measured) {
                assert!((predicted - measured).abs() < 1e-3, "{:?} against {:?}", f.measured, f.predicted);
            }
            let critical = 2.0 / (1.0 + largest);
            assert!((f.critical_step / critical - 1.0).abs() < 0.02, "{} against {critical}", f.critical_step);
        }
        // And the two faces of sharpness are not the same.
        assert!((c.hessian_sharpness / c.gn_sharpness - 1.0).abs() > 1e-3);
    }
}
