//! Batched linear algebra against the peers: `cargo bench --bench linalg`, or `cargo bench --bench linalg -- 8x8` for some.
//!
//! Criterion measures, and compares with the run before; its times are those of a thousand matrices. At the end a table
//! sets everybody side by side, with the fractions of the device's own peaks, which are measured first. `NATGRAD_DEVICE`
//! names the device.

mod contender;
#[cfg(target_arch = "x86_64")]
mod fast_svd;
mod matrices;
mod ours;
mod peers;
mod probe;
mod table;
mod task;
mod timing;

use std::io::Write;

use criterion::{Criterion, SamplingMode, Throughput};
use natgrad::Device;
use natgrad::gpu::AdapterChoice;
use natgrad::gpu::peaks::{Effort, Peaks};

use contender::Contender;
use matrices::Matrices;
use ours::{EndToEnd, OnDevice};
use table::{Figure, Row};
use task::Task;
use timing::{Arguments, Maker, Mode};

const SHAPES: [(usize, usize); 12] = [
    (3, 3),
    (4, 4),
    (8, 8),
    (16, 16),
    (32, 32),
    (64, 64),
    (128, 128),
    (256, 256),
    (100, 5),
    (900, 100),
    (64, 192),
    (20, 100),
];

/// The contenders that are natgrad.
const OURS: [&str; 2] = ["device", "end_to_end"];

/// The largest batch, in bytes of input: more than caches hold.
const BATCH_BYTES: usize = 64 << 20;
/// Matrices whose answers are compared with those in f64.
const CHECKED: usize = 16;

fn main() {
    let arguments = Arguments::from_env();
    let choice = std::env::var("NATGRAD_DEVICE").map_or(AdapterChoice::Auto, AdapterChoice::Name);
    let device = match Device::open(&choice) {
        Ok(device) => device,
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(3);
        }
    };
    probe::try_if_asked(&device);
    let peaks = (arguments.mode == Mode::Bench).then(|| measured_peaks(&device));
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(std::time::Duration::from_millis(200))
        .measurement_time(std::time::Duration::from_secs(1))
        .nresamples(2000)
        .configure_from_args();
    let mut rows = Vec::new();
    for task in Task::ALL {
        for (m, n) in SHAPES.into_iter().filter(|&(m, n)| task.takes(m, n)) {
            rows.extend(bench_shape(&mut criterion, &arguments, &device, task, m, n));
        }
    }
    criterion.final_summary();
    if let Some(peaks) = peaks {
        let load = sysinfo::System::load_average();
        let text = table::text(&rows, &device, &peaks, load.five);
        // A closed pipe is nobody's fault.
        let _ = std::io::stdout().write_all(text.as_bytes());
    }
}

fn measured_peaks(device: &Device) -> Peaks {
    eprintln!("measuring the peaks of {}", device.summary().label());
    match Peaks::measure(device, &Effort::default()) {
        Ok(peaks) => peaks,
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(3);
        }
    }
}

/// Everybody on one shape; `None` where the filter leaves nothing of it.
fn bench_shape(
    criterion: &mut Criterion,
    arguments: &Arguments,
    device: &Device,
    task: Task,
    m: usize,
    n: usize,
) -> Option<Row> {
    let name = format!("{}/{m}x{n}", task.id());
    let contenders: [(&'static str, Maker<'_>); 5] = [
        ("device", Box::new(move |all, count| Ok(Some(Box::new(OnDevice::new(device, task, all, count)?) as _)))),
        ("end_to_end", Box::new(move |all, count| Ok(Some(Box::new(EndToEnd::new(device, task, all, count)?) as _)))),
        ("faer", Box::new(move |all, count| Ok(Some(Box::new(peers::faer(task, all, count)) as _)))),
        ("nalgebra", Box::new(move |all, count| Ok(Some(Box::new(peers::nalgebra(task, all, count)) as _)))),
        ("fast-svd-3x3", Box::new(move |all, count| Ok(fast_svd(task, all, count)))),
    ];
    if !contenders.iter().any(|(contender, _)| arguments.wants(&format!("{name}/{contender}"))) {
        return None;
    }
    let most = if arguments.mode == Mode::Bench { (BATCH_BYTES / (4 * m * n)).max(CHECKED) } else { CHECKED };
    let matrices = Matrices::random(task, most, m, n);
    let truth = matrices.answers(task, CHECKED);
    let mut group = criterion.benchmark_group(&name);
    group.sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Elements(timing::UNIT));
    let mut figures = Vec::new();
    let obstacle = (arguments.mode != Mode::List).then(|| probe::obstacle(task, m, n)).flatten();
    for (contender, make) in contenders {
        if !arguments.wants(&format!("{name}/{contender}")) {
            continue;
        }
        if let Some(why) = obstacle.as_ref().filter(|_| OURS.contains(&contender)) {
            println!("{name}/{contender} is skipped: {why}");
            continue;
        }
        let (count, mut work) = match timing::prepared(&make, &matrices, arguments.mode) {
            Ok(Some(prepared)) => prepared,
            Ok(None) => continue,
            Err(why) => {
                println!("{name}/{contender} is skipped: {why}");
                continue;
            }
        };
        let mut seconds = Vec::new();
        group.bench_function(contender, |bencher| {
            bencher.iter_custom(|times| timing::repeated(work.as_mut(), count, times, &mut seconds));
        });
        // Empty where criterion's own filter left it out.
        if let Some(best) = seconds.iter().copied().min_by(f64::total_cmp) {
            let rate = count as f64 / best;
            figures.push((contender, Figure::new(work.as_ref(), count, rate, &truth, task.answers(m, n))));
        }
    }
    group.finish();
    (!figures.is_empty()).then_some(Row { task, rows: m, columns: n, figures })
}

#[cfg(target_arch = "x86_64")]
fn fast_svd(task: Task, matrices: &Matrices, count: usize) -> Option<Box<dyn Contender + '_>> {
    fast_svd::FastSvd::new(task, matrices, count).map(|contender| Box::new(contender) as _)
}

#[cfg(not(target_arch = "x86_64"))]
fn fast_svd(_: Task, _: &Matrices, _: usize) -> Option<Box<dyn Contender + '_>> {
    None
}
