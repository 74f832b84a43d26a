//! Whether a shape is worth measuring: a few matrices first, in a process of their own that can be given up. Work on a
//! device cannot be called back, and a driver that gives up on a kernel may take the whole process with it.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use natgrad::Device;

use super::contender::Contender;
use super::matrices::Matrices;
use super::ours::OnDevice;
use super::task::Task;

/// Set for the process that tries: task, rows and columns.
const TRIED: &str = "NATGRAD_BENCH_TRIED";
/// Compiling all mappings included, where they were not measured before.
const PATIENCE: Duration = Duration::from_secs(120);
const MATRICES: usize = 16;

/// In the process that tries: does so and ends it. Elsewhere it does nothing.
pub(crate) fn try_if_asked(device: &Device) {
    let Ok(tried) = std::env::var(TRIED) else { return };
    let words: Vec<&str> = tried.split(' ').collect();
    let number = |at: usize| words.get(at).and_then(|word: &&str| word.parse().ok());
    let (Some(m), Some(n)) = (number(1), number(2)) else { return };
    let Some(task) = Task::ALL.into_iter().find(|task| task.id() == words[0]) else { return };
    let matrices = Matrices::random(task, MATRICES, m, n);
    let result = OnDevice::new(device, task, &matrices, MATRICES).and_then(|mut work| work.run());
    if let Err(error) = result {
        println!("{error}");
        std::process::exit(1);
    }
    std::process::exit(0);
}

/// Why natgrad is not measured on this shape, where it is not; one line.
pub(crate) fn obstacle(task: Task, m: usize, n: usize) -> Option<String> {
    let found = outcome(task, m, n);
    found.unwrap_or_else(|error| Some(format!("it could not be tried: {error}")))
}

fn outcome(task: Task, m: usize, n: usize) -> std::io::Result<Option<String>> {
    let mut child = Command::new(std::env::current_exe()?)
        .env(TRIED, format!("{} {m} {n}", task.id()))
        .stdout(Stdio::piped())
        .spawn()?;
    let start = Instant::now();
    while child.try_wait()?.is_none() {
        if start.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            return Ok(Some(format!("{MATRICES} matrices take more than {} s", PATIENCE.as_secs())));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Ok(match output.status.code() {
        Some(0) => None,
        Some(_) => Some(said),
        None => Some("the driver ended the process that tried it".to_owned()),
    })
}
