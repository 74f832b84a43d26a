//! 100,000 two-dimensional Gaussian peaks with noise, fitted in one call from text, on every backend present.

use natgrad::{Choice, Data, Distribution, Engine, Errors, Model, Outcome, Status, Sweep, random_start};

mod common;

const PEAKS: usize = 100_000;
const SIDE: usize = 5;
/// Standard deviation of the noise, against an amplitude of 500.
const NOISE: f64 = 5.0;
const MODEL: &str = "A*exp(-((px-x0)**2+(py-y0)**2)/(2*s**2)) + b";
const NAMES: [&str; 5] = ["A", "x0", "y0", "s", "b"];

/// Each parameter within a tenth of a typical microscope's spot.
fn truth(peak: usize) -> [f64; 5] {
    let vary = |j: u32, value: f64| value * (1.0 + 0.1 * random_start(peak as u64, j, Distribution::Uniform, 1.0));
    [vary(0, 500.0), vary(1, 2.0), vary(2, 2.0), vary(3, 1.0), vary(4, 10.0)]
}

/// The peaks as an image stack [set, py, px] with Gaussian noise.
fn images() -> Vec<f32> {
    let mut pixels = Vec::with_capacity(PEAKS * SIDE * SIDE);
    for peak in 0..PEAKS {
        let [a, x0, y0, s, b] = truth(peak);
        for py in 0..SIDE {
            for px in 0..SIDE {
                let square = (px as f64 - x0).powi(2) + (py as f64 - y0).powi(2);
                let noise = random_start(peak as u64, (100 + py * SIDE + px) as u32, Distribution::Normal, NOISE);
                pixels.push((a * (-square / (2.0 * s * s)).exp() + b + noise) as f32);
            }
        }
    }
    pixels
}

fn sweep() -> Sweep {
    let model = Model::parse(MODEL, &NAMES).unwrap();
    let data =
        Data::from_array(&images(), &[PEAKS, SIDE, SIDE], &["set", "py", "px"]).unwrap().sigma(NOISE.to_string());
    Sweep::new(&model, &data)
        .guess("A", "max(y) - min(y)")
        .guess("x0", "px[argmax(y)]")
        .guess("y0", "py[argmax(y)]")
        .guess("s", "1")
        .guess("b", "min(y)")
        .errors(Errors::Absolute)
}

fn check(outcome: &Outcome) {
    assert_eq!(outcome.len(), PEAKS);
    let converged = outcome.count(Status::Converged);
    println!("{converged} of {PEAKS} converged");
    assert!(converged as f64 >= 0.999 * PEAKS as f64);
    for (j, name) in NAMES.iter().enumerate() {
        let pulls: Vec<f64> = outcome
            .iter()
            .filter(|problem| problem.status() == Status::Converged)
            .map(|problem| (problem.parameters()[j] - truth(problem.set())[j]) / problem.standard_errors()[j])
            .collect();
        let count = pulls.len() as f64;
        let mean = pulls.iter().sum::<f64>() / count;
        let deviation = (pulls.iter().map(|pull| (pull - mean).powi(2)).sum::<f64>() / (count - 1.0)).sqrt();
        println!("{name}: pulls {mean:+.4} ± {deviation:.4}");
        // The sample deviation itself scatters by 1/√(2N) = 0.0022, five of which are 0.011. The fit is not linear:
        // the relative noise of a parameter, about 2% (5/500 over a few pixels), bends mean and deviation by a
        // fraction of itself, for which 0.03 leaves room.
        assert!((deviation - 1.0).abs() < 0.011 + 0.03, "{name}: pulls scatter by {deviation}");
        assert!(mean.abs() < 5.0 / count.sqrt() + 0.05, "{name}: pulls are off by {mean}");
    }
}

#[test]
fn on_a_gpu_the_pulls_of_a_hundred_thousand_peaks_have_unit_variance() {
    let sweep = sweep();
    for engine in common::gpu_engines() {
        let started = std::time::Instant::now();
        let outcome = engine.run(&sweep).unwrap();
        println!("{}: {:.2?}", engine.description(), started.elapsed());
        check(&outcome);
    }
}

#[test]
fn on_the_cpu_the_pulls_of_a_hundred_thousand_peaks_have_unit_variance() {
    let sweep = sweep();
    let engine = Engine::open(Choice::Cpu).unwrap();
    let started = std::time::Instant::now();
    let outcome = engine.run(&sweep).unwrap();
    println!("{}: {:.2?}", engine.description(), started.elapsed());
    check(&outcome);
}

#[test]
fn all_this_holds_on_swiftshader_too() {
    common::again_on_swiftshader(&["gpu"]);
}
