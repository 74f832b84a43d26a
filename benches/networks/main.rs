//! Steps of networks with more parameters than data: `cargo bench --bench networks`, beside the same steps with faer and rayon.
//!
//! Criterion measures the time of one step of a whole batch: the difference between a run of many steps and one of few, so
//! that what runs begin and end with is none of it; the peer takes as many steps from the same starts. At the end a table in steps a second, with the fractions of the device's
//! own multiply-add peak, which is measured first. `NATGRAD_DEVICE` names the device.

mod peer;

use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode};
use natgrad::gpu::AdapterChoice;
use natgrad::gpu::peaks::{Effort, Peaks};
use natgrad::{
    Activation, Choice, Damping, Data, Device, Distribution, Draw, Engine, Initialisation, Initialiser, Model, Network,
    RandomStarts, StepBlock, Stop, Sweep,
};

use peer::Peer;

/// Layers, points, networks at once, and the steps of a long run.
const CASES: [(&[usize], usize, usize, u32); 4] =
    [(&[1, 16, 1], 8, 2048, 40), (&[1, 33, 1], 20, 512, 20), (&[1, 64, 1], 64, 32, 10), (&[10, 256, 1], 200, 8, 3)];

/// Steps of a short run.
const FEW: u32 = 1;

const DAMPING: f64 = 1e-3;

struct Case {
    network: Network,
    points: usize,
    batch: usize,
    steps: u32,
    damping: f64,
}

impl Case {
    fn parameters(&self) -> usize {
        self.network.parameters().len()
    }

    fn name(&self) -> String {
        let kind = if self.damping == 0.0 { "exact" } else { "damped" };
        format!("{kind}/{}x{}x{}", self.points, self.parameters(), self.batch)
    }

    /// Inputs, point after point, and responses.
    fn data(&self) -> (Vec<f64>, Vec<f64>) {
        let features = self.network.layers()[0];
        let draw = |k: usize| natgrad::random_start(1 << 62, k as u32, Distribution::Uniform, 1.0);
        let inputs: Vec<f64> = (0..self.points * features).map(draw).collect();
        let response = inputs.chunks(features).map(|x| x.iter().map(|x| (3.0 * x).sin()).sum()).collect();
        (inputs, response)
    }

    fn sweep(&self) -> Sweep {
        let (inputs, response) = self.data();
        let features = self.network.layers()[0];
        let column = |c: usize| inputs.iter().skip(c).step_by(features).copied().collect();
        let columns = self.network.inputs().iter().cloned().enumerate().map(|(c, name)| (name, column(c)));
        let data = Data::from_columns(columns.chain([("y".to_owned(), response)])).expect("columns of one length");
        let initialiser = Initialiser::Xavier { gain: 1.0 };
        let drawn = Initialisation { initialiser, distribution: Distribution::Normal, zero_output: false };
        let draw = Draw::Initialised(drawn);
        let block =
            StepBlock { sizes: vec![0.1], dampings: vec![Damping::Fixed(self.damping)], ..StepBlock::default() };
        Sweep::new(&Model::from(self.network.clone()), &data)
            .random_starts(RandomStarts { draw, seeds: 0..self.batch as u64 })
            .block(block)
    }

    /// Where the networks start.
    fn starts(&self) -> Vec<Vec<f64>> {
        let sweep = self.sweep().stop(Stop { steps: 0, tests: false, ..Stop::default() });
        let outcome = Engine::open(Choice::Cpu).and_then(|engine| engine.run(&sweep));
        let outcome = outcome.unwrap_or_else(|error| panic!("{error}"));
        outcome.iter().map(|problem| problem.start().to_vec()).collect()
    }

    /// Operations of a step as they are counted here: J, and where damped JJᵀ and its Cholesky factor, where exact a QR of
    /// Jᵀ and an SVD as LAPACK counts it.
    fn operations(&self) -> f64 {
        let (n, p) = (self.points as f64, self.parameters() as f64);
        let jacobian = 5.0 * n * p;
        let factor = if self.damping == 0.0 { 2.0 * n * n * p + 20.0 * n * n * n } else { n * n * p + n * n * n / 3.0 };
        jacobian + factor
    }
}

fn cases() -> impl Iterator<Item = Case> {
    CASES.into_iter().flat_map(|(layers, points, batch, steps)| {
        [0.0, DAMPING].map(|damping| {
            let network = Network::new(layers, Activation::Tanh).expect("layers of a network");
            Case { network, points, batch, steps, damping }
        })
    })
}

/// The time that a run of so many steps takes on the device.
fn run(engine: &Engine, case: &Case, steps: u32) -> Duration {
    let sweep = case.sweep().stop(Stop { steps, tests: false, ..Stop::default() });
    let start = Instant::now();
    engine.run(&sweep).unwrap_or_else(|error| panic!("{error}"));
    start.elapsed()
}

/// The best times of a short run and of a long one.
#[derive(Clone, Copy)]
struct Best {
    few: Duration,
    many: Duration,
}

impl Best {
    /// The time of one step of the batch, which criterion is told; the best runs are kept. A difference of single runs may by
    /// chance be shorter than any step is: the table takes the difference of the best.
    fn measure(&mut self, engine: &Engine, case: &Case) -> Duration {
        let (few, many) = (run(engine, case, FEW), run(engine, case, FEW + case.steps));
        (self.few, self.many) = (self.few.min(few), self.many.min(many));
        many.saturating_sub(few) / case.steps
    }

    fn step(&self, case: &Case) -> Duration {
        self.many.saturating_sub(self.few) / case.steps
    }
}

fn main() {
    let measures = std::env::args().any(|word| word == "--bench");
    let choice = std::env::var("NATGRAD_DEVICE").map_or(AdapterChoice::Auto, AdapterChoice::Name);
    let device = match Device::open(&choice) {
        Ok(device) => device,
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(3);
        }
    };
    let label = device.summary().label();
    let peaks = measures.then(|| Peaks::measure(&device, &Effort::default()).unwrap_or_else(|error| panic!("{error}")));
    let engine = Engine::from_device(device).unwrap_or_else(|error| panic!("{error}"));
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(1))
        .measurement_time(Duration::from_secs(2))
        .nresamples(2000)
        .configure_from_args();
    let mut lines = Vec::new();
    for case in cases() {
        let name = case.name();
        let mut group = criterion.benchmark_group(&name);
        group.sampling_mode(SamplingMode::Flat);
        let mut device = Best { few: Duration::MAX, many: Duration::MAX };
        let mut faer = Duration::MAX;
        if measures {
            // The driver compiles, and mappings are timed, before anything counts.
            run(&engine, &case, FEW + case.steps);
        }
        group.bench_function("device", |bencher| {
            bencher.iter_custom(|times| (0..times).map(|_| device.measure(&engine, &case)).sum());
        });
        let peer = Peer::new(&case);
        group.bench_function("faer", |bencher| {
            bencher.iter_custom(|times| {
                let time = |_| {
                    let step = peer.steps(case.steps);
                    faer = faer.min(step);
                    step
                };
                (0..times).map(time).sum()
            });
        });
        group.finish();
        if device.few < Duration::MAX {
            let step = device.step(&case);
            lines.push((case, [step, faer]));
        }
    }
    criterion.final_summary();
    if let Some(peaks) = peaks {
        let peak = peaks.operations_per_second();
        println!("\n{label}: multiply-add peak {:.0} GFLOP/s", peak / 1e9);
        println!("{:24} {:>12} {:>12} {:>7} {:>8}", "steps a second", "device", "faer", "ratio", "of peak");
        for (case, [device, faer]) in &lines {
            let rate = |time: &Duration| case.batch as f64 / time.as_secs_f64();
            let share = rate(device) * case.operations() / peak;
            let (ours, theirs) = (rate(device), rate(faer));
            println!("{:24} {ours:12.0} {theirs:12.0} {:7.2} {:7.1}%", case.name(), ours / theirs, 100.0 * share);
        }
    }
}
