//! How long a job takes, from a few of its problems.

use std::ops::{ControlFlow, Range};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::failure::Failure;
use crate::engine::Engine;
use crate::sweep::Job;

/// What a calibration may take, unless a few problems take longer.
const BUDGET: Duration = Duration::from_secs(2);

/// Stretches of problems a round, evenly spread: problems that lie together are often alike.
const STRETCHES: u64 = 4;

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Calibration {
    /// Problems that were run, and timed.
    pub(super) problems: u64,
    pub(super) seconds: f64,
    /// Steps of the problem that took most, on average over the stretches: a chunk takes as many.
    pub(super) longest_steps: f64,
}

impl Calibration {
    /// The time of so many problems, at the rate of those that were measured.
    pub(super) fn seconds_of(&self, problems: u64) -> f64 {
        if self.problems == 0 { 0.0 } else { self.seconds / self.problems as f64 * problems as f64 }
    }
}

/// Runs some of these problems, more from round to round until that takes long enough to tell; the last round counts, since
/// few problems do not keep a device busy.
pub(super) fn calibrate(engine: &Engine, job: &Job, range: Range<u64>) -> Result<Calibration, Failure> {
    let begun = Instant::now();
    let all = range.end - range.start;
    let mut measured = Calibration { problems: 0, seconds: 0.0, longest_steps: 0.0 };
    if all == 0 {
        return Ok(measured);
    }
    let run = |problems: Range<u64>| engine.run_job(job, problems, &mut |_| ControlFlow::Continue(()));
    // Compiles what there is to compile.
    let middle = range.start + all / 2;
    run(middle..middle + 1)?;
    let (mut size, mut before) = (1, Duration::ZERO);
    loop {
        let stretches = STRETCHES.min(all / size).max(1);
        let size_now = size.min(all);
        let started = Instant::now();
        let (mut problems, mut longest) = (0, 0.0);
        for k in 0..stretches {
            let middle = (u128::from(2 * k + 1) * u128::from(all) / u128::from(2 * stretches)) as u64;
            let first = range.start + middle.saturating_sub(size_now / 2).min(all - size_now);
            let outcome = run(first..first + size_now)?;
            problems += outcome.len() as u64;
            longest += f64::from(outcome.iter().map(|problem| problem.steps()).max().unwrap_or(0)) / stretches as f64;
            if k + 1 < stretches && begun.elapsed() > 2 * BUDGET {
                // So slow that fewer stretches have to do.
                longest *= stretches as f64 / (k + 1) as f64;
                break;
            }
        }
        let round = started.elapsed();
        measured = Calibration { problems, seconds: round.as_secs_f64(), longest_steps: longest };
        // The next round takes twice as long, or no longer.
        if begun.elapsed() + 2 * round > BUDGET || stretches * size_now >= all || problems >= MOST {
            return Ok(measured);
        }
        // Where a round of twice as many took hardly longer it is not yet the problems that take the time.
        size *= if round < before.mul_f64(1.5) { 8 } else { 2 };
        before = round;
    }
}

/// More tell no more, and take memory.
const MOST: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::super::plan::tests::job;
    use super::*;
    use crate::engine::Choice;

    #[test]
    fn a_calibration_stays_within_its_problems_and_its_time() {
        let engine = Engine::open(Choice::Cpu).unwrap();
        let job = job(50_000, 4);
        for range in [0..1, 7..10, 3..400_000, 5..5] {
            let begun = Instant::now();
            let all = range.end - range.start;
            let measured = calibrate(&engine, &job, range).unwrap();
            assert!(measured.problems <= all && (all == 0) == (measured.problems == 0), "{measured:?}");
            assert!(measured.seconds_of(2 * all) >= measured.seconds, "{measured:?}");
            assert!(begun.elapsed() < 3 * BUDGET);
        }
    }
}
