//! Chunk after chunk of a job, more than one of them on its way at any time.

use std::collections::VecDeque;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::thread;

use crate::error::Error;
use crate::sweep::{Context, Job, Outcome, ProblemId};

use super::gpu::{Flight, GpuBackend, IN_FLIGHT};
use super::{Backend, Solutions, finish};

/// Problems from which on a chunk is not cut in two for the sake of having two.
const WORTH_A_CHUNK: u64 = 1 << 13;

/// Where the results of a stream go, chunk by chunk.
pub(crate) trait Sink {
    /// What the results of the next chunk are added to; chunks come in the order of their problems.
    fn outcome(&mut self) -> &mut Outcome;

    /// Hears that a chunk of so many problems was added. Told to break off, a stream gives up what is on its way.
    fn landed(&mut self, problems: u64) -> ControlFlow<()>;

    /// The first problem after this one at which a chunk has to begin.
    fn cut_after(&self, problem: u64) -> u64;

    /// Of so many problems to come, those whose results are in memory at once.
    fn held(&self, problems: u64) -> u64;
}

/// A job on its way.
pub(crate) struct Stream<'a> {
    pub(crate) backend: &'a Backend,
    pub(crate) job: &'a Job,
    pub(crate) context: &'a Arc<Context>,
}

impl Stream<'_> {
    /// Runs a range of problems. Where a device fails, the chunks that ended before are in the sink.
    pub(crate) fn run(&self, range: Range<u64>, sink: &mut dyn Sink) -> Result<(), Error> {
        match self.backend.flying(self.job) {
            Some(gpu) => self.fly(gpu, range, sink),
            None => self.solve(range, sink),
        }
    }

    /// Several chunks on the device at once.
    fn fly(&self, gpu: &GpuBackend, range: Range<u64>, sink: &mut dyn Sink) -> Result<(), Error> {
        let Range { start: mut next, end } = range;
        // At least two, where that is worth a chunk.
        let half = ((end - next) / 2).max(WORTH_A_CHUNK);
        let kernels = gpu.kernels(self.job)?;
        let mut flights: VecDeque<Flight> = VecDeque::new();
        while next < end || !flights.is_empty() {
            if next < end && flights.len() < IN_FLIGHT {
                let most = (gpu.most_in_flight(self.job) as u64).min(half);
                let last = (next + most).min(end).min(sink.cut_after(next));
                // Only the data sets at work are in memory.
                flights.push_back(gpu.launch(self.job.window(next..last)?, next..last, &kernels)?);
                next = last;
            } else if let Some(flight) = flights.pop_front() {
                let problems = flight.len() as u64;
                gpu.land(self.context, flight, sink.outcome())?;
                if sink.landed(problems).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// One chunk after the other, the host's last look at each beside the next one's steps.
    fn solve(&self, range: Range<u64>, sink: &mut dyn Sink) -> Result<(), Error> {
        let Range { start: mut next, end } = range;
        thread::scope(|scope| {
            let mut looking = None;
            loop {
                let solved = (next < end).then(|| self.solve_some(next..end.min(sink.cut_after(next))));
                if let Some(looking) = looking.take() {
                    // What the device left is given back here: some drivers let one thread at a time at their context, and
                    // the next chunk may be at it for long.
                    let (looked, _left): (Vec<Outcome>, Solutions) = joined(looking);
                    let problems = looked.iter().map(Outcome::len).sum::<usize>() as u64;
                    sink.outcome().append(looked);
                    if sink.landed(problems).is_break() {
                        // What has just been solved is given up: whoever breaks off knows what has landed.
                        return Ok(());
                    }
                }
                let Some(solved) = solved else { return Ok(()) };
                let (job, ids, solved) = solved?;
                next += solved.len() as u64;
                let context = self.context;
                let look = move || (finish(&job, context, &ids[..solved.len()], &solved), solved);
                looking = Some(scope.spawn(look));
            }
        })
    }

    fn solve_some(&self, range: Range<u64>) -> Result<(Job, Vec<ProblemId>, Solutions), Error> {
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
