//! The memory that an image stack in a file takes, measured by the kernel; alone in its program, since the peak of a
//! process never falls.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use natgrad::data::Data;
use natgrad::{Choice, Engine, Model, Sweep};

#[allow(dead_code, reason = "each test file takes what it needs")]
#[path = "common/npy.rs"]
mod npy;

const POINTS: usize = 25;
/// Problems that are worked on at a time, as a sweep does.
const PIECE: u64 = 65_536;
/// What ten times as many data sets may add: two windows with their starts, and not the 180 MB of their rows.
const ROOM: u64 = 48 << 20;

/// Peak resident memory of this process, bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

fn write(path: &Path, sets: usize) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    file.write_all(&npy::file(&npy::header("<f4", false, &[sets, 5, 5]), &[])).unwrap();
    for set in 0..sets {
        for k in 0..POINTS {
            let value = 10.0 + (set % 1000) as f32 * (-((k as f32 - 12.0) / 6.0).powi(2)).exp();
            file.write_all(&value.to_le_bytes()).unwrap();
        }
    }
    file.flush().unwrap();
}

/// Resolves a sweep with a guess over the file, walks through all of it piece by piece, and runs its last problems.
fn walk(path: &Path, sets: usize) -> u64 {
    let data = Data::read_npy(path, &["set", "py", "px"]).unwrap().sigma("sqrt(max(y, 1))");
    let model = Model::parse("a*exp(-((px - 2)**2 + (py - 2)**2)/2) + b", &["a", "b"]).unwrap();
    let job = Sweep::new(&model, &data).guess("a", "max(y)").start_named([("b", 1.0)]).resolve().unwrap();
    assert_eq!(job.len(), sets as u64);
    for first in (0..job.len()).step_by(PIECE as usize) {
        job.window(first..first + PIECE).unwrap();
    }
    let engine = Engine::open(Choice::Cpu).unwrap();
    let last = job.len() - 10;
    let outcome = engine.run_job(&job, last..job.len(), &mut |_| std::ops::ControlFlow::Continue(())).unwrap();
    assert_eq!(
        outcome.iter().map(|problem| problem.index()).collect::<Vec<_>>(),
        (last..job.len()).collect::<Vec<_>>()
    );
    assert!(outcome.iter().all(|problem| problem.parameters().iter().all(|value| value.is_finite())));
    peak()
}

#[test]
fn ten_times_as_many_data_sets_take_no_more_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stack.npy");
    write(&path, 200_000);
    let few = walk(&path, 200_000);
    write(&path, 2_000_000);
    let many = walk(&path, 2_000_000);
    eprintln!("peak memory: {} MB for 20 MB of rows, {} MB for 200 MB", few >> 20, many >> 20);
    assert!(many < few + ROOM, "{few} bytes for 200,000 data sets, {many} for 2,000,000");
}
