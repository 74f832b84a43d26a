//! Step sizes in units of 2/sharpness, gradient descent's edge of stability at the start.

mod common;

use natgrad::builtin::chebyshev;
use natgrad::stability::{Minimiser, StabilityOptions};
use natgrad::{
    Activation, Choice, Damping, Data, Distribution, Draw, Engine, Filter, Initialisation, Initialiser, Model, Outcome,
    RandomStarts, Reduction, SizeUnit, Status, StepBlock, Stop, Sweep,
};

use common::engines;

fn gradient(sizes: &[f64], unit: SizeUnit) -> StepBlock {
    StepBlock {
        sizes: sizes.to_vec(),
        unit,
        dampings: vec![Damping::Fixed(0.0)],
        filter: Filter::Gradient,
        ..StepBlock::default()
    }
}

fn exactly(steps: u32) -> Stop {
    Stop { steps, tests: false, ..Stop::default() }
}

fn drawn(sweep: Sweep, seeds: std::ops::Range<u64>) -> Sweep {
    let initialiser = Initialiser::Xavier { gain: 1.0 };
    let start = Initialisation { initialiser, distribution: Distribution::Normal, zero_output: false };
    sweep.random_starts(RandomStarts { draw: Draw::Initialised(start), seeds })
}

/// The loss ½(2a)² + ½b²: sharpness 4, and 1 along the other parameter.
#[test]
fn gradient_descent_contracts_below_the_edge_and_grows_above_it_by_the_factor_of_a_quadratic() {
    let model = Model::parse("a*u + b*v", &["a", "b"]).unwrap();
    let columns = [("u", vec![2.0, 0.0]), ("v", vec![0.0, 1.0]), ("y", vec![0.0, 0.0])];
    let data = Data::from_columns(columns).unwrap();
    let sweep = Sweep::new(&model, &data).start([1.0, 1.0]).stop(exactly(10));
    let sweep = sweep.block(gradient(&[0.9, 1.1], SizeUnit::TwoOverSharpness));
    for engine in engines() {
        let outcome = engine.run(&sweep).unwrap();
        for (problem, multiple) in outcome.iter().zip([0.9f64, 1.1]) {
            let size = multiple * 2.0 / 4.0;
            assert!((problem.step_size() / size - 1.0).abs() < 1e-14, "{}", problem.step_size());
            assert_eq!((problem.rule().size, problem.rule().unit), (multiple, SizeUnit::TwoOverSharpness));
            let expected = [(1.0 - 2.0 * multiple).powi(10), (1.0 - size).powi(10)];
            for (found, expected) in problem.parameters().iter().zip(expected) {
                // Ten steps of a few roundings each, of f32 at most.
                assert!((found / expected - 1.0).abs() < 1e-5, "{found} and {expected}");
            }
        }
    }
}

#[test]
fn the_edge_of_a_network_is_that_of_its_whole_hessian_and_its_steps_are_those_of_the_absolute_size() {
    let model = Model::network(&[1, 8, 1], Activation::Tanh).unwrap();
    let data = chebyshev(3, 12).unwrap();
    let sweep = drawn(Sweep::new(&model, &data), 0..3).stop(exactly(5));
    let relative = sweep.clone().block(gradient(&[0.4], SizeUnit::TwoOverSharpness));
    let job = relative.resolve().unwrap();
    let mut sizes: Option<Vec<u64>> = None;
    for engine in engines() {
        let outcome = engine.run(&relative).unwrap();
        // 25 parameters: the certificate forms the matrix and takes its eigenvalues.
        let mut options = StabilityOptions::default();
        options.steps = 0;
        let found = engine.certify_points(&job, &Minimiser::of_starts(&job), &options).unwrap();
        for (problem, certificate) in outcome.iter().zip(&found.certificates) {
            assert!((certificate.hessian_sharpness / certificate.gn_sharpness - 1.0).abs() > 1e-3);
            // The certificate's point is that of the device: θ rounded to f32 there.
            let rounding = if engine.device().is_some() { 1e-4 } else { 1e-10 };
            let expected = 0.4 * 2.0 / certificate.hessian_sharpness;
            assert!((problem.step_size() / expected - 1.0).abs() < rounding, "{} and {expected}", problem.step_size());
            let absolute = sweep.clone().block(gradient(&[problem.step_size()], SizeUnit::Absolute));
            let same = engine.run(&absolute).unwrap();
            assert_eq!(same.problem(problem.start_index()).parameters(), problem.parameters());
        }
        let bits: Vec<u64> = outcome.iter().map(|problem| problem.step_size().to_bits()).collect();
        assert_eq!(*sizes.get_or_insert_with(|| bits.clone()), bits, "step sizes are equal on every device");
    }
}

#[test]
fn a_multiple_is_the_same_for_the_sum_and_the_mean() {
    let model = Model::network(&[1, 6, 1], Activation::Silu).unwrap();
    let sweep = drawn(Sweep::new(&model, &chebyshev(2, 5).unwrap()), 0..2).stop(exactly(4));
    let sweep = sweep.block(gradient(&[0.5], SizeUnit::TwoOverSharpness));
    let engine = Engine::open(Choice::Cpu).unwrap();
    let run = |sweep: Sweep| -> Vec<Vec<f64>> {
        engine.run(&sweep).unwrap().iter().map(|problem| problem.parameters().to_vec()).collect()
    };
    assert_eq!(run(sweep.clone().reduction(Reduction::Mean)), run(sweep));
}

/// f = a² and y = 1: the Hessian is 6a² − 2, and JᵀJ is 4a².
#[test]
fn without_an_edge_the_linear_model_has_one_and_where_that_has_none_no_step_is_taken() {
    let model = Model::parse("a**2 + 0*x", &["a"]).unwrap();
    let data = Data::from_columns([("x", vec![1.0]), ("y", vec![1.0])]).unwrap();
    let sweep = Sweep::new(&model, &data).start([1.0]).start([0.5]).start([0.0]).start([f64::MAX]);
    let sweep = sweep.block(gradient(&[0.25], SizeUnit::TwoOverSharpness)).stop(exactly(1));
    for engine in engines() {
        let outcome: Outcome = engine.run(&sweep).unwrap();
        let sizes: Vec<f64> = outcome.iter().map(|problem| problem.step_size()).collect();
        assert_eq!(sizes, [0.25 * 2.0 / 4.0, 0.25 * 2.0 / 1.0, 0.25, 0.25]);
        let ends: Vec<Status> = outcome.iter().map(|problem| problem.status()).collect();
        assert_eq!(ends, [Status::StepLimit, Status::StepLimit, Status::Stalled, Status::NonFinite]);
        assert!((outcome.problem(1).parameters()[0] - (0.5 + 0.5 * 0.75)).abs() < 1e-6);
    }
}

#[test]
fn what_has_no_such_unit_is_refused_in_one_line() {
    let names: Vec<String> = (0..129).map(|j| format!("p{j}")).collect();
    let model = Model::parse(&format!("x*({})", names.join(" + ")), &names).unwrap();
    let data = chebyshev(1, 4).unwrap();
    let refused = |model: &Model, block: StepBlock| {
        let start = vec![0.5; model.parameters().len()];
        Sweep::new(model, &data).start(start).block(block).resolve().unwrap_err().to_string()
    };
    let message = refused(&model, gradient(&[1.0], SizeUnit::TwoOverSharpness));
    assert!(message.contains("at most 128") && message.contains("has 129") && !message.contains('\n'), "{message}");
    let adaptive = StepBlock { unit: SizeUnit::TwoOverSharpness, ..StepBlock::default() };
    let message = refused(&Model::parse("a*x", &["a"]).unwrap(), adaptive);
    assert!(message.contains("adaptive damping sets the step itself"), "{message}");
}

#[cfg(feature = "cli")]
#[test]
fn results_tell_both_sizes_and_summaries_go_by_the_multiple() {
    let place = common::program::Place::new();
    place.write("d.csv", "x,y\n1,2\n2,3\n4,6\n");
    let spec = "[model]\nexpression = \"a*x + b*exp(a)\"\nparameters = [\"a\", \"b\"]\n[data]\nfile = \"d.csv\"\n[start]\n\
                random = { distribution = \"normal\", scale = 1, seeds = { count = 4 } }\n[[step]]\nmethod = \"gd\"\n\
                size = [0.5, 0.9]\nsize_unit = \"2/sharpness\"\n[[step]]\nsize = 1\n[output]\nformats = [\"csv\"]\n";
    place.write("sweep.toml", spec);
    let run = place.run(&["sweep", "sweep.toml", "--out", "out", "--device", "cpu"]).good();
    let text = String::from_utf8(place.read("out/results.csv")).unwrap();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().unwrap().clone();
    let at = |name: &str| header.iter().position(|h| h == name).unwrap();
    let (size, multiple, start) = (at("step_size"), at("size_multiple"), at("start"));
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 12);
    for row in &rows {
        if row[multiple].is_empty() {
            assert_eq!(row[size].parse(), Ok(1.0));
            continue;
        }
        // Sizes of one start are as their multiples.
        let first = rows.iter().find(|other| other[start] == row[start]).unwrap();
        let ratio = |field: usize| row[field].parse::<f64>().unwrap() / first[field].parse::<f64>().unwrap();
        assert!((ratio(size) / ratio(multiple) - 1.0).abs() < 1e-12, "{row:?}");
    }
    let summary: serde_json::Value = serde_json::from_slice(&place.read("out/summary.json")).unwrap();
    let rules = summary["rules"].as_array().unwrap();
    let of = |k: usize| (rules[k]["step_size"].as_f64(), rules[k]["size_unit"].as_str(), rules[k]["problems"].as_u64());
    assert_eq!(of(0), (Some(0.5), Some("2/sharpness"), Some(4)));
    assert_eq!(of(1), (Some(0.9), Some("2/sharpness"), Some(4)));
    assert_eq!(of(2), (Some(1.0), None, Some(4)));
    assert!(run.stdout.contains("2/sharpness sizes"), "{}", run.stdout);
}
