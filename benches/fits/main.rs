//! Large batches of small fits: `cargo bench --bench fits`, beside the levenberg-marquardt crate and Gauss–Newton with faer.
//!
//! Four workloads (`workloads.rs`): (a) Gpufit's own peaks, from 10² to 10⁶ fits, and to 10⁷ where `NATGRAD_BENCH_LARGE` is set;
//! (b) Misra's exponentials; (c) exact steps of 100 points; (d) peaks of which one in a hundred takes some fifty times the
//! steps of the rest. Criterion measures runs from a sweep to its outcome, with what is essential and with all that there is,
//! and the peers on the first of the same fits; the table at the end has the best run of each, the first run on a device just
//! opened, and fractions of the device's multiply-add peak, which is measured first. `NATGRAD_DEVICE` names the device.

mod laws;
mod peers;
mod table;
mod workloads;

use std::time::{Duration, Instant};

use criterion::{BenchmarkGroup, Criterion, SamplingMode, measurement::WallTime};
use natgrad::gpu::AdapterChoice;
use natgrad::gpu::peaks::{Effort, Peaks};
use natgrad::{Detail, Device, Engine, Outcome, Status, Stop, Sweep};

use peers::Peer;
use table::{Cold, Line, Mixture};
use workloads::{Fits, Found, Kind, is_hard};

/// The most fits of which all that there is to tell is told.
const MOST_FULL: usize = 100_000;
/// The most fits that peers do.
const MOST_OF_PEERS: usize = 20_000;
/// Fits in memory at a time.
const BLOCK: usize = 1_000_000;

/// The workloads and how many fits each has.
fn cases(measures: bool) -> Vec<(Kind, usize)> {
    let others = [Kind::Misra, Kind::Lines, Kind::Mixed];
    if !measures {
        return [Kind::Peaks].into_iter().chain(others).map(|kind| (kind, 100)).collect();
    }
    let mut counts = vec![100, 1_000, 10_000, 100_000, 1_000_000];
    if std::env::var_os("NATGRAD_BENCH_LARGE").is_some() {
        counts.push(10_000_000);
    }
    let peaks = counts.into_iter().map(|count| (Kind::Peaks, count));
    peaks.chain(others.map(|kind| (kind, 100_000))).collect()
}

fn run(engine: &Engine, sweep: &Sweep) -> (Duration, Outcome) {
    let start = Instant::now();
    let outcome = engine.run(sweep).unwrap_or_else(|error| panic!("{error}"));
    (start.elapsed(), outcome)
}

fn open(choice: &AdapterChoice) -> Engine {
    let engine = Device::open(choice).and_then(Engine::from_device);
    engine.unwrap_or_else(|error| {
        eprintln!("{error}");
        std::process::exit(3);
    })
}

/// The time of opening the device, and of the first run there.
fn cold(choice: &AdapterChoice, sweep: &Sweep) -> Cold {
    let start = Instant::now();
    let engine = open(choice);
    let opening = start.elapsed();
    (opening, run(&engine, sweep).0)
}

/// Seconds that a sweep takes whose data are on the device already and whose results stay there, the best of a few runs;
/// `None` where it does not fit the device at once.
fn resident(engine: &Engine, sweep: &Sweep) -> Option<f64> {
    let mut fits = engine.resident(sweep).ok()?;
    let mut best = f64::INFINITY;
    let (first, mut runs) = (Instant::now(), 0);
    while runs < RESIDENT_RUNS || first.elapsed() < RESIDENT_TIME {
        let start = Instant::now();
        fits.run().unwrap_or_else(|error| panic!("{error}"));
        best = best.min(start.elapsed().as_secs_f64());
        runs += 1;
    }
    Some(best)
}

/// Runs of the mixture, of which the best counts.
const MIXED_RUNS: usize = 5;

/// The first of these find the pace; and a GPU that had nothing to do takes a while to its full clock.
const RESIDENT_RUNS: usize = 12;
const RESIDENT_TIME: Duration = Duration::from_millis(500);

/// Criterion's measurement of something that knows its own time; the best run, where there was one.
fn best(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, mut run: impl FnMut() -> Duration) -> Option<Duration> {
    let mut best = None;
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|times| {
            let mut once = || {
                let time = run();
                best = Some(best.map_or(time, |best: Duration| best.min(time)));
                time
            };
            (0..times).map(|_| once()).sum()
        });
    });
    best
}

fn rate(count: usize, time: Option<Duration>) -> Option<f64> {
    time.map(|time| count as f64 / time.as_secs_f64())
}

/// The mixed fits by tests, and with as many steps for each as the slowest takes; the best of some runs.
fn mixture(engine: &Engine, fits: &Fits) -> Mixture {
    let end_to_end = |sweep: &Sweep| (0..MIXED_RUNS).map(|_| run(engine, sweep).0).min().unwrap_or_default();
    let sweep = fits.sweep(Detail::Essential);
    let (_, outcome) = run(engine, &sweep);
    let mean = |of_hard: bool| {
        let steps =
            outcome.iter().enumerate().filter(|&(k, _)| is_hard(k) == of_hard).map(|(_, fit)| f64::from(fit.steps()));
        let (count, sum) = steps.fold((0.0, 0.0), |(count, sum), steps| (count + 1.0, sum + steps));
        sum / count
    };
    // Of those that converge: one of a thousand may never find out of its valley in f32.
    let converged = outcome.iter().filter(|fit| fit.status() == Status::Converged);
    let slowest = converged.map(|fit| fit.steps()).max().unwrap_or(0);
    let to_the_slowest = sweep.clone().stop(Stop { steps: slowest, tests: false, ..fits.kind.stop() });
    Mixture {
        hard: mean(true),
        others: mean(false),
        slowest,
        end_to_end: [&sweep, &to_the_slowest].map(end_to_end),
        resident: [&sweep, &to_the_slowest].map(|sweep| resident(engine, sweep).map(Duration::from_secs_f64)),
    }
}

/// More fits than are in memory at once: one run, block after block, each of its own data; the time of the runs alone.
fn in_blocks(engine: &Engine, kind: Kind, count: usize) -> (Duration, Found) {
    let blocks = (0..count.div_ceil(BLOCK)).map(|block| {
        let fits = Fits::new(kind, BLOCK.min(count - block * BLOCK), 1 + block as u64);
        let (time, outcome) = run(engine, &fits.sweep(Detail::Essential));
        (time, Found::of_outcome(&outcome, &fits))
    });
    // Blocks are alike: what the last one found stands for all.
    blocks.fold((Duration::ZERO, Found::default()), |(sum, _), (time, found)| (sum + time, found))
}

fn measure(
    criterion: &mut Criterion,
    (choice, engine): (&AdapterChoice, &Engine),
    (kind, count): (Kind, usize),
    (measures, before): (bool, &[Line]),
) -> Option<Line> {
    if count > BLOCK {
        // One pass: criterion would make ten of it. Peers have been measured at the size before.
        let peers = before.last()?.peers.clone();
        let (time, found) = in_blocks(engine, kind, count);
        let warm = rate(count, Some(time));
        return Some(Line { kind, count, cold: None, warm, full: None, resident: None, found, peers, mixture: None });
    }
    let fits = Fits::new(kind, count, 1);
    let sweep = fits.sweep(Detail::Essential);
    let mut group = criterion.benchmark_group(format!("{}/{count}", kind.name()));
    group.sampling_mode(SamplingMode::Flat);
    let mut first = None;
    let mut found = None;
    let warm = best(&mut group, "warm", || {
        // Once, where the measurement begins: criterion's filter may leave it out altogether.
        if measures && first.is_none() {
            first = Some(cold(choice, &sweep));
            // The engine at work compiles, and finds its pace, before anything counts.
            run(engine, &sweep);
        }
        let (time, outcome) = run(engine, &sweep);
        found.get_or_insert_with(|| Found::of_outcome(&outcome, &fits));
        time
    });
    let full = (count <= MOST_FULL).then(|| fits.sweep(Detail::Full));
    let full = full.and_then(|sweep| best(&mut group, "full", || run(engine, &sweep).0));
    let mut peers = Vec::new();
    // At every size anew: a machine shared with others is not equally fast all the time.
    let few = Fits::new(kind, count.min(MOST_OF_PEERS), 1);
    for peer in Peer::ALL {
        let mut found = None;
        let time = best(&mut group, peer.name(), || {
            let (time, of_run) = peer.run(&few);
            found = Some(of_run);
            time
        });
        peers.extend(rate(few.count, time).zip(found).map(|(rate, found)| (peer.name(), rate, found)));
    }
    group.finish();
    Some(Line {
        kind,
        count,
        cold: first,
        warm: rate(count, warm),
        full: rate(count, full),
        resident: measures.then(|| resident(engine, &sweep)).flatten().map(|seconds| count as f64 / seconds),
        found: found?,
        peers,
        mixture: (measures && kind == Kind::Mixed).then(|| mixture(engine, &fits)),
    })
}

fn main() {
    let asked = |option: &str| std::env::args().any(|word| word == option);
    let measures = asked("--bench") && !asked("--test") && !asked("--list");
    let choice = std::env::var("NATGRAD_DEVICE").map_or(AdapterChoice::Auto, AdapterChoice::Name);
    // Every core has fits of its own: threads within one would only be in the way.
    faer::set_global_parallelism(faer::Par::Seq);
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(1))
        .measurement_time(Duration::from_secs(2))
        .nresamples(2000)
        .configure_from_args();
    // Before anything else has opened a device: the first call of the process.
    let smallest = Fits::new(Kind::Peaks, 100, 1).sweep(Detail::Essential);
    let first = measures.then(|| cold(&choice, &smallest));
    let engine = open(&choice);
    let device = engine.device().expect("an engine of a device");
    let label = device.summary().label();
    let peaks = measures.then(|| Peaks::measure(device, &Effort::default()).unwrap_or_else(|error| panic!("{error}")));
    let mut lines: Vec<Line> = Vec::new();
    for case in cases(measures) {
        let line = measure(&mut criterion, (&choice, &engine), case, (measures, &lines));
        lines.extend(line);
    }
    criterion.final_summary();
    if let Some(peaks) = peaks {
        table::print(&label, peaks.operations_per_second(), first, &lines);
    }
}
