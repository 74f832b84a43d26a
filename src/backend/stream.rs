//! Chunk after chunk of a job, more than one of them on its way at any time.

use std::collections::VecDeque;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::thread;

use crate::error::Error;
use crate::sweep::{Context, Job, Outcome, ProblemId};

use super::gpu::{Flight, GpuBackend, IN_FLIGHT};
use super::{Backend, Solved, finish};

/// Problems from which on a chunk is not cut in two for the sake of having two.
const WORTH_A_CHUNK: u64 = 1 << 13;

/// A stretch of a job on its way.
pub(crate) struct Stream<'a> {
    pub(crate) backend: &'a Backend,
    pub(crate) job: &'a Job,
    pub(crate) context: &'a Arc<Context>,
}

impl Stream<'_> {
    /// Runs a range of problems, and tells after every chunk how many have ended. Told to break off, it gives up what is on
    /// its way. Where a device fails, what ended before comes with the error.
    pub(crate) fn run(
        &self,
        range: Range<u64>,
        report: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> (Outcome, Option<Error>) {
        match self.backend.flying(self.job) {
            Some(gpu) => self.fly(gpu, range, report),
            None => self.solve(range, report),
        }
    }

    fn nothing(&self) -> Outcome {
        Outcome::empty(Arc::clone(self.context))
    }

    /// Several chunks on the device at once.
    fn fly(
        &self,
        gpu: &GpuBackend,
        range: Range<u64>,
        report: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> (Outcome, Option<Error>) {
        let Range { start: mut next, end } = range;
        let mut outcome = self.nothing();
        // The engine has made sure that there is room.
        outcome.reserve(usize::try_from(end - next).unwrap_or(0));
        // At least two, where that is worth a chunk.
        let half = ((end - next) / 2).max(WORTH_A_CHUNK);
        let mut flights: VecDeque<Flight> = VecDeque::new();
        while next < end || !flights.is_empty() {
            if next < end && flights.len() < IN_FLIGHT {
                let last = (next + (gpu.most_in_flight(self.job) as u64).min(half)).min(end);
                // Only the data sets at work are in memory.
                let window = self.job.window(next..last);
                match window.and_then(|job| gpu.launch(job, next..last)) {
                    Ok(flight) => flights.push_back(flight),
                    Err(error) => return (outcome, Some(error)),
                }
                next = last;
            } else if let Some(flight) = flights.pop_front() {
                if let Err(error) = gpu.land(self.context, flight, &mut outcome) {
                    return (outcome, Some(error));
                }
                if report(outcome.len() as u64).is_break() {
                    return (outcome, None);
                }
            }
        }
        (outcome, None)
    }

    /// One chunk after the other, the host's last look at each beside the next one's steps.
    fn solve(&self, range: Range<u64>, report: &mut dyn FnMut(u64) -> ControlFlow<()>) -> (Outcome, Option<Error>) {
        let Range { start: mut next, end } = range;
        let mut outcome = self.nothing();
        thread::scope(|scope| {
            let mut looking = None;
            loop {
                let solved = (next < end).then(|| self.solve_some(next..end));
                if let Some(looking) = looking.take() {
                    outcome.append(joined(looking));
                    if report(outcome.len() as u64).is_break() {
                        // What has just been solved is given up: whoever breaks off knows what was reported.
                        return (outcome, None);
                    }
                }
                match solved {
                    Some(Ok((job, ids, solved))) => {
                        next += solved.len() as u64;
                        let context = self.context;
                        looking = Some(scope.spawn(move || finish(&job, context, &ids[..solved.len()], solved)));
                    }
                    Some(Err(error)) => return (outcome, Some(error)),
                    None => return (outcome, None),
                }
            }
        })
    }

    fn solve_some(&self, range: Range<u64>) -> Result<(Job, Vec<ProblemId>, Vec<Solved>), Error> {
        let last = (range.start + self.backend.most_at_once(self.job) as u64).min(range.end);
        // Only the data sets at work are in memory.
        let job = self.job.window(range.start..last)?;
        let ids = job.problems(range.start..last);
        let solved = self.backend.solve_some(&job, &ids)?;
        Ok((job, ids, solved))
    }
}

/// What a thread came to; its panic, if it had one, goes on here.
fn joined<T>(handle: thread::ScopedJoinHandle<'_, T>) -> T {
    handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
