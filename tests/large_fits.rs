//! Steps of more parameters than registers hold: by the QR and SVD of the linear algebra.

use faer::Mat;
use natgrad::{
    Choice, Damping, Data, Distribution, Engine, Filter, Model, Outcome, Scaling, Status, Stop, Sweep, random_start,
    wgpu,
};

mod common;

const U: f64 = 1.0 / (1u64 << 24) as f64;

/// Numbers of f32, so that f64 and device start from the same bits.
fn normal(seed: usize, k: usize) -> f64 {
    f64::from(random_start(seed as u64, k as u32, Distribution::Normal, 1.0) as f32)
}

/// p0*x0 + p1*x1 + …: its Jacobian is the table of the columns.
fn sum_of_columns(p: usize) -> Model {
    let names: Vec<String> = (0..p).map(|j| format!("p{j}")).collect();
    let terms: Vec<String> = (0..p).map(|j| format!("p{j}*x{j}")).collect();
    Model::parse(&terms.join(" + "), &names).unwrap()
}

/// Data sets of these numbers of rows, with random columns and response.
fn random_columns(rows: &[usize], p: usize) -> Data {
    let lists =
        |k: usize| rows.iter().enumerate().flat_map(move |(set, &n)| (0..n).map(move |i| normal(set, i * (p + 1) + k)));
    let set = rows.iter().enumerate().flat_map(|(set, &n)| std::iter::repeat_n(set as f64, n)).collect();
    let columns = (0..p).map(|j| (format!("x{j}"), lists(j).collect())).chain([("y".to_owned(), lists(p).collect())]);
    Data::from_columns(columns.chain([("set".to_owned(), set)])).unwrap().group_by(&["set"])
}

/// J D of data set `set`, its response, and the diagonal of D.
fn scaled(set: usize, n: usize, p: usize, scaling: Scaling) -> (Mat<f64>, Mat<f64>, Vec<f64>) {
    let j = Mat::from_fn(n, p, |i, j| normal(set, i * (p + 1) + j));
    let d: Vec<f64> =
        (0..p).map(|k| if scaling == Scaling::Columns { 1.0 / j.col(k).norm_l2() } else { 1.0 }).collect();
    (Mat::from_fn(n, p, |i, k| j[(i, k)] * d[k]), Mat::from_fn(n, 1, |i, _| normal(set, i * (p + 1) + p)), d)
}

fn exact_steps(steps: u32) -> Stop {
    Stop { steps, tests: false, ..Stop::default() }
}

#[test]
fn one_exact_step_is_the_least_squares_step_of_least_norm_at_every_shape() {
    // Tall, by blocks of rows, square, wide, wide by a triangle once more, and so wide that registers hold the rest.
    let shapes = [(60, 17), (12, 11), (9000, 18), (40, 40), (17, 24), (12, 50), (5, 33), (20, 300), (1, 20)];
    for engine in common::gpu_engines() {
        for (n, p) in shapes {
            for scaling in [Scaling::Columns, Scaling::None] {
                let sets = if n > 1000 { 2 } else { 9 };
                let data = random_columns(&vec![n; sets], p);
                let start: Vec<f64> = (0..p).map(|j| normal(77, j)).collect();
                let sweep = Sweep::new(&sum_of_columns(p), &data)
                    .start(start.clone())
                    .dampings([0.0])
                    .scaling(scaling)
                    .stop(exact_steps(1));
                let found = engine.run(&sweep).unwrap();
                for problem in found.iter() {
                    let (jd, y, d) = scaled(problem.set(), n, p, scaling);
                    let theta = Mat::from_fn(p, 1, |j, _| start[j] / d[j]);
                    let e = &jd * &theta - y;
                    let svd = jd.thin_svd().unwrap();
                    let (u, s, v) = (svd.U(), svd.S().column_vector(), svd.V());
                    let rank = n.min(p);
                    assert_eq!(problem.rank(), Some(rank), "{n}×{p}");
                    let beta = u.transpose() * &e;
                    let delta = v * Mat::from_fn(rank, 1, |i, _| beta[(i, 0)] / s[i]);
                    let left = (&e - u * &beta).norm_l2();
                    // A backward error of εσ₁ in JD and ε‖e‖ in e moves the step by κε(‖Δ‖ + ‖e‖/σ₁) and, where a
                    // residual is left, κ²ε‖r‖/σ₁ (Wedin; Higham, Accuracy and Stability, §20.1). ε is what rounding moves
                    // a column by on its way through QR and Jacobi, 4u√(10r + max(m, n)); e itself is a sum of p products.
                    let epsilon = 4.0 * U * (10.0 * rank as f64 + n.max(p) as f64).sqrt();
                    let condition = s[0] / s[rank - 1];
                    let bound = condition * epsilon * (delta.norm_l2() + e.norm_l2() / s[0])
                        + condition * condition * epsilon * left / s[0];
                    for j in 0..p {
                        let expected = start[j] - d[j] * delta[(j, 0)];
                        let off = (problem.parameters()[j] - expected).abs();
                        // θ itself is rounded before the step and after it.
                        let rounding = 2.0 * U * (start[j].abs() + expected.abs());
                        assert!(off <= d[j] * bound + rounding, "{n}×{p}, {scaling:?}: θ[{j}] off by {off:e}");
                    }
                    for (i, sigma) in problem.singular_values().iter().take(rank).enumerate() {
                        let off = (sigma - s[i]).abs();
                        assert!(off <= epsilon * s[0], "{n}×{p}, {scaling:?}: σ[{i}] off by {:e}σ₁", off / s[0]);
                    }
                }
            }
        }
    }
}

#[test]
fn a_row_twice_over_costs_a_wide_problem_a_rank_and_nothing_else() {
    // As it is, and by a triangle once more.
    for (n, p) in [(15, 24), (12, 50)] {
        let data = |rows: &[usize]| {
            let column = |j: usize| rows.iter().map(|&i| normal(i, j)).collect::<Vec<f64>>();
            let columns = (0..p).map(|j| (format!("x{j}"), column(j))).chain([("y".to_owned(), column(p))]);
            Data::from_columns(columns).unwrap()
        };
        let once: Vec<usize> = (0..n - 1).collect();
        let twice: Vec<usize> = (0..n - 1).chain([4]).collect();
        for engine in common::gpu_engines() {
            let run = |rows: &[usize]| {
                let sweep = Sweep::new(&sum_of_columns(p), &data(rows)).start(vec![0.5; p]).dampings([0.0]);
                engine.run(&sweep.scaling(Scaling::None).stop(exact_steps(1))).unwrap()
            };
            let (found, expected) = (run(&twice), run(&once));
            let (problem, other) = (found.iter().next().unwrap(), expected.iter().next().unwrap());
            assert_eq!((problem.rank(), other.rank()), (Some(n - 1), Some(n - 1)), "{n}×{p}");
            // The same interpolant of least norm, whatever the weight of a row.
            let length = |theta: &[f64]| theta.iter().map(|x| x * x).sum::<f64>().sqrt();
            let apart: Vec<f64> = problem.parameters().iter().zip(other.parameters()).map(|(x, y)| x - y).collect();
            let condition = other.singular_values()[0] / other.singular_values()[n - 2];
            let bound = 2.0 * condition * 4.0 * U * ((10 * n + p) as f64).sqrt() * length(other.parameters());
            assert!(length(&apart) <= bound, "{n}×{p}: {:e} > {bound:e}", length(&apart));
            let values = problem.singular_values();
            assert!(values.iter().all(|s| s.is_finite()) && problem.parameters().iter().all(|x| x.is_finite()));
        }
    }
}

#[test]
fn damped_and_truncated_steps_agree_with_those_of_the_cpu() {
    let cpu = Engine::open(Choice::Cpu).unwrap();
    for engine in common::gpu_engines() {
        for (n, p) in [(60, 17), (17, 24), (12, 50)] {
            let data = random_columns(&[n; 5], p);
            let model = sum_of_columns(p);
            let start: Vec<f64> = (0..p).map(|j| normal(77, j)).collect();
            let damped = |epsilon: f64| Sweep::new(&model, &data).start(start.clone()).dampings([epsilon]);
            let truncated = damped(0.0).filter(Filter::FixedRank(4));
            for sweep in [damped(0.5).scaling(Scaling::Columns), damped(2.0).scaling(Scaling::None), truncated] {
                let sweep = sweep.step_sizes([0.5]).stop(exact_steps(3));
                let (found, exact) = (engine.run(&sweep).unwrap(), cpu.run(&sweep).unwrap());
                for (problem, other) in found.iter().zip(exact.iter()) {
                    assert_eq!(problem.rank(), other.rank());
                    let size = other.parameters().iter().fold(0.0f64, |most, x| most.max(x.abs()));
                    for (x, y) in problem.parameters().iter().zip(other.parameters()) {
                        // Three steps of a problem that damping, or the gaps of random singular values, keeps to a
                        // condition of some 100.
                        assert!((x - y).abs() <= 100.0 * 32.0 * U * size, "{n}×{p}: {x} against {y}");
                    }
                }
            }
        }
    }
}

/// Six peaks on a sloping line: 20 parameters.
fn peaks() -> Model {
    let names = (0..6).flat_map(|k| [format!("a{k}"), format!("m{k}"), format!("s{k}")]);
    let terms: Vec<String> = (0..6).map(|k| format!("a{k}*exp(-((x - m{k})/s{k})**2)")).collect();
    let names: Vec<String> = names.chain(["c0".to_owned(), "c1".to_owned()]).collect();
    Model::parse(&format!("{} + c0 + c1*x", terms.join(" + ")), &names).unwrap()
}

fn peak_start() -> Vec<f64> {
    (0..6).flat_map(|k| [1.4, 2.0 * f64::from(k) + 0.2, 0.7]).chain([0.4, 0.0]).collect()
}

/// Spectra of the six peaks, of these numbers of points.
fn spectra(points: &[usize]) -> Data {
    let (mut set, mut x, mut y) = (Vec::new(), Vec::new(), Vec::new());
    for (s, &n) in points.iter().enumerate() {
        let random = |k: usize| random_start(s as u64, k as u32, Distribution::Uniform, 0.5) + 0.5;
        for i in 0..n {
            let at = 12.0 * i as f64 / n as f64;
            let peak = |k: usize| {
                let (a, m, width) =
                    (1.0 + random(3 * k), 2.0 * k as f64 + 0.4 * random(3 * k + 1), 0.6 + 0.2 * random(3 * k + 2));
                a * (-((at - m) / width).powi(2)).exp()
            };
            set.push(s as f64);
            x.push(at);
            y.push((0..6).map(peak).sum::<f64>() + 0.5 + 0.02 * at + 0.01 * normal(1000 + s, i));
        }
    }
    Data::from_columns([("set", set), ("x", x), ("y", y)]).unwrap().group_by(&["set"])
}

#[test]
fn spectra_of_six_peaks_are_fitted_as_well_as_in_f64() {
    let cpu = Engine::open(Choice::Cpu).unwrap();
    let sweep = Sweep::new(&peaks(), &spectra(&[120; 40])).start(peak_start()).dampings([Damping::Adaptive]);
    let exact = cpu.run(&sweep).unwrap();
    assert_eq!(exact.count(Status::Converged), 40);
    for engine in common::gpu_engines() {
        let found = engine.run(&sweep).unwrap();
        assert_eq!(found.count(Status::Converged), 40);
        for (problem, other) in found.iter().zip(exact.iter()) {
            let errors = other.standard_errors();
            for (j, (x, y)) in problem.parameters().iter().zip(other.parameters()).enumerate() {
                // The gradient test of f32 leaves less than 1e-2 of a standard error (docs/spec.md, statuses).
                assert!((x - y).abs() <= 1e-2 * errors[j], "θ[{j}] = {x} against {y} ± {}", errors[j]);
                let ratio = problem.standard_errors()[j] / errors[j];
                assert!((ratio - 1.0).abs() < 1e-3, "the error of θ[{j}] is {ratio} times that of f64");
            }
        }
    }
}

/// Everything that was found of the problems of a set, to the bit.
fn bits(outcome: &Outcome, set: usize) -> Vec<u64> {
    let of_set = outcome.iter().filter(|problem| problem.set() == set);
    of_set
        .flat_map(|problem| {
            let numbers = [problem.parameters(), problem.singular_values()].concat();
            let words = [u64::from(problem.steps()), problem.rank().unwrap_or(0) as u64, problem.status() as u64];
            numbers.into_iter().map(f64::to_bits).chain(words).collect::<Vec<u64>>()
        })
        .collect()
}

#[test]
fn a_fit_has_the_same_bits_whatever_lies_beside_it() {
    // Tall problems of every length together, one longer than a block of rows; and wide ones, whose singular directions
    // are as many as their rows.
    let cases = [(peaks(), peak_start(), spectra as fn(&[usize]) -> Data, vec![40, 60, 37, 4200]), {
        let p = 24;
        (sum_of_columns(p), vec![0.5; p], (|rows| random_columns(rows, 24)) as fn(&[usize]) -> Data, vec![7, 7, 30, 20])
    }];
    for engine in common::gpu_engines() {
        let device = engine.device().unwrap();
        for (model, start, data, rows) in &cases {
            let sweep = |rows: &[usize]| {
                let starts = Sweep::new(model, &data(rows)).start(start.clone()).start(start.iter().map(|x| 1.001 * x));
                starts.dampings([Damping::Adaptive, Damping::Fixed(0.0)]).stop(Stop { steps: 9, ..Stop::default() })
            };
            let together = engine.run(&sweep(rows)).unwrap();
            for set in 0..rows.len() {
                // The set's own random numbers belong to its place: the others are left without rows to speak of.
                let alone: Vec<usize> = rows.iter().enumerate().map(|(k, &n)| if k == set { n } else { 1 }).collect();
                let alone = engine.run(&sweep(&alone)).unwrap();
                assert!(bits(&together, set) == bits(&alone, set), "{} rows", rows[set]);
            }
            // A megabyte a buffer: smaller tiles, and many chunks.
            let limits = wgpu::Limits { max_storage_buffer_binding_size: 1 << 20, ..device.limits().clone() };
            let small = Engine::from_device(common::with_limits(device, &limits)).unwrap();
            let cut_up = small.run(&sweep(rows)).unwrap();
            assert!((0..rows.len()).all(|set| bits(&cut_up, set) == bits(&together, set)), "in small buffers");
        }
    }
}

#[test]
fn parameters_that_the_data_do_not_tell_apart_are_named_however_many_there_are() {
    let (n, p) = (90, 70);
    let twins = [3, 68, 69];
    let random = |j: usize| (0..n).map(|i| normal(i, if j == 69 { 68 } else { j })).collect::<Vec<f64>>();
    // The last two columns are equal, and column 3 is zero.
    let column = |j: usize| if j == 3 { vec![0.0; n] } else { random(j) };
    let columns = (0..p).map(|j| (format!("x{j}"), column(j))).chain([("y".to_owned(), random(p))]);
    let data = Data::from_columns(columns).unwrap();
    for engine in common::engines() {
        let found = engine.run(&Sweep::new(&sum_of_columns(p), &data).start(vec![0.5; p]).dampings([0.0])).unwrap();
        let problem = found.iter().next().unwrap();
        assert_eq!((problem.status(), problem.rank()), (Status::Converged, Some(p - 2)));
        assert_eq!(problem.unresolved(), twins.map(|j| format!("p{j}")));
        let errors = problem.standard_errors();
        assert!((0..p).all(|j| errors[j].is_nan() == twins.contains(&j)), "{errors:?}");
    }
}

#[test]
fn bad_starts_end_by_their_own_status_and_leave_their_neighbours_alone() {
    let cpu = Engine::open(Choice::Cpu).unwrap();
    let data = spectra(&[90; 2]);
    let good = peak_start();
    let with = |j: usize, value: f64| {
        let mut start = good.clone();
        start[j] = value;
        start
    };
    // A width of zero is no number at the peak's centre; an amplitude beyond what squares hold; a peak far from the data.
    let bad = [with(2, 0.0), with(0, 3e38), with(1, 1e9)];
    for engine in common::gpu_engines() {
        for damping in [Damping::Adaptive, Damping::Fixed(0.0)] {
            let sweep = Sweep::new(&peaks(), &data).dampings([damping]);
            let alone = engine.run(&sweep.clone().start(good.clone())).unwrap();
            let mixed = bad.iter().fold(sweep.start(good.clone()), |sweep, start| sweep.start(start.clone()));
            let (found, exact) = (engine.run(&mixed).unwrap(), cpu.run(&mixed).unwrap());
            for set in 0..2 {
                let first = |outcome: &Outcome| {
                    let problem =
                        outcome.iter().find(|problem| problem.set() == set && problem.start_index() == 0).unwrap();
                    problem.parameters().iter().map(|x| x.to_bits()).collect::<Vec<u64>>()
                };
                assert_eq!(first(&found), first(&alone), "{damping:?}: a good fit beside bad ones");
            }
            for (problem, other) in found.iter().zip(exact.iter()) {
                match problem.start_index() {
                    0 => assert_eq!((problem.status(), other.status()), (Status::Converged, Status::Converged)),
                    1 => assert_eq!((problem.status(), other.status()), (Status::NonFinite, Status::NonFinite)),
                    // f64 goes on from there; the length of this residual is no number of f32.
                    2 => assert_eq!((problem.status(), problem.parameters()), (Status::NonFinite, problem.start())),
                    _ => assert!(problem.steps() > 0 && problem.loss().is_finite()),
                }
                assert!(problem.parameters().iter().all(|x| !x.is_nan()), "the last good point is what is returned");
            }
        }
    }
}

#[test]
fn problems_that_no_buffer_holds_are_refused_with_the_number_that_fits() {
    for device in common::devices() {
        let limits = wgpu::Limits { max_storage_buffer_binding_size: 1 << 19, ..device.limits().clone() };
        let engine = Engine::from_device(common::with_limits(device, &limits)).unwrap();
        let run = |p: usize| {
            let data = random_columns(&[400], p);
            engine.run(&Sweep::new(&sum_of_columns(p), &data).start(vec![0.0; p]).dampings([0.0]).stop(exact_steps(1)))
        };
        // 400 rows of [J | e] in half a megabyte: up to 326 parameters.
        let message = run(350).unwrap_err().to_string();
        let most: usize =
            message.split("at most ").nth(1).and_then(|rest| rest.split(':').next()).unwrap().parse().unwrap();
        assert!(message.contains("350 parameters") && (200..=326).contains(&most), "{message}");
        assert_eq!(run(most).unwrap().iter().next().unwrap().steps(), 1);
        assert!(run(most + 1).is_err());
    }
}

#[test]
fn the_plan_says_how_the_steps_are_factored_and_pins_hold() {
    for device in common::devices() {
        let device = common::once_more(device);
        let engine = Engine::from_device(device.clone()).unwrap();
        let sweep = |p: usize| {
            Sweep::new(&sum_of_columns(p), &random_columns(&[30, 30, 7], p)).start(vec![0.0; p]).stop(exact_steps(1))
        };
        let mapping = |p: usize| engine.plan(&sweep(p).resolve().unwrap()).mapping;
        assert!(mapping(10).contains("lane, 64 problems a tile, steps in "), "{}", mapping(10));
        // As many as the device works on best.
        let tile = if device.summary().device_type == natgrad::wgpu::DeviceType::Cpu { 16 } else { 64 };
        let blocked = format!("blocked, {tile} problems a tile, SVDs by ");
        assert!(mapping(11).contains(&blocked), "{}", mapping(11));
        // Of tall problems and of wide ones, each as it was said.
        device.pin_mapping("svd", "lane-4-looped");
        device.pin_mapping("svd 17x17 of a factor, 1 carried", "lane-8");
        assert_eq!(mapping(17), format!("{blocked}lane-4-looped, lane-8"));
        device.pin_mapping("svd 17x17 of a factor, 1 carried", "lane-4-looped");
        engine.run(&sweep(17)).unwrap();
        let used = device.mappings();
        let svds = used.iter().filter(|chosen| chosen.operation.starts_with("svd"));
        let of_steps: Vec<&str> = svds.filter(|svd| svd.operation.contains("17x")).map(|svd| &*svd.mapping).collect();
        assert_eq!(of_steps, ["lane-4-looped"; 2], "{used:?}");
    }
}

#[test]
fn on_swiftshader_too() {
    common::again_on_swiftshader(&[]);
}
