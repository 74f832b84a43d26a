//! A device that is opened again when it is lost.

use std::ops::{ControlFlow, Range};
use std::time::Duration;

use super::failure::Failure;
use super::folder::differences;
use super::output;
use crate::engine::{Engine, PlanInfo, Sink};
use crate::error::Error;
use crate::gpu::DeviceError;
use crate::linalg::LinalgError;
use crate::sweep::{Job, Outcome};

/// How often in a row a lost device is opened again: one that is lost a third time is lost by what it is asked to do.
const MOST_LOSSES: usize = 2;

/// What drivers need after a reset.
const PAUSE: Duration = Duration::from_millis(500);

/// Where problems are run.
pub(super) trait Solver {
    /// As [`Engine::stream`].
    fn solve(&self, job: &Job, range: Range<u64>, sink: &mut dyn Sink) -> Result<(), Error>;

    /// As [`Engine::plan`].
    fn plan(&self, job: &Job) -> PlanInfo;
}

impl Solver for Engine {
    fn solve(&self, job: &Job, range: Range<u64>, sink: &mut dyn Sink) -> Result<(), Error> {
        self.stream(job, range, sink)
    }

    fn plan(&self, job: &Job) -> PlanInfo {
        Self::plan(self, job)
    }
}

/// A sink that counts what has landed.
struct Counted<'a> {
    sink: &'a mut dyn Sink,
    landed: u64,
}

impl Sink for Counted<'_> {
    fn outcome(&mut self) -> &mut Outcome {
        self.sink.outcome()
    }

    fn landed(&mut self, problems: u64) -> ControlFlow<()> {
        self.landed += problems;
        self.sink.landed(problems)
    }

    fn cut_after(&self, problem: u64) -> u64 {
        self.sink.cut_after(problem)
    }

    fn held(&self, problems: u64) -> u64 {
        self.sink.held(problems)
    }
}

/// A solver, and how it is opened again by the same choice.
pub(super) struct Lasting<'a, S> {
    solver: S,
    open: Box<dyn Fn() -> Result<S, Failure> + 'a>,
    pause: Duration,
}

impl<'a, S: Solver> Lasting<'a, S> {
    pub(super) fn new(solver: S, open: impl Fn() -> Result<S, Failure> + 'a) -> Self {
        Self { solver, open: Box::new(open), pause: PAUSE }
    }

    /// The same without a pause before it is opened again.
    #[cfg(test)]
    pub(super) fn at_once(self) -> Self {
        Self { pause: Duration::ZERO, ..self }
    }

    pub(super) fn solver(&self) -> &S {
        &self.solver
    }

    /// Runs problems into a sink, chunk by chunk: those that ended are there whatever the end. The chunk in which the device is
    /// lost is repeated, twice in a row at most.
    pub(super) fn run(&mut self, job: &Job, range: Range<u64>, sink: &mut dyn Sink) -> Result<(), Failure> {
        let mut sink = Counted { sink, landed: 0 };
        let mut losses = 0;
        loop {
            let before = sink.landed;
            let Err(error) = self.solver.solve(job, range.start + before..range.end, &mut sink) else { return Ok(()) };
            if sink.landed > before {
                losses = 0;
            }
            match lost(&error) {
                Some(reason) if losses < MOST_LOSSES => {
                    losses += 1;
                    output::note(&format!(
                        "the device was lost ({reason}): it is opened again, and the chunk repeated"
                    ));
                    self.reopen(job)?;
                }
                _ => return Err(error.into()),
            }
        }
    }

    /// Opens the device again. Another one, or the same by another driver, would go on with other bits.
    fn reopen(&mut self, job: &Job) -> Result<(), Failure> {
        std::thread::sleep(self.pause);
        let solver = (self.open)().map_err(|failure| Failure {
            message: format!("the device was lost and does not open again: {}", failure.message),
            ..failure
        })?;
        let plans = [self.solver.plan(job), solver.plan(job)];
        if plans[0] != plans[1] {
            let [before, now] = plans.map(|plan| serde_json::to_value(plan).unwrap_or_default());
            let differences = differences(&before, &now).join(", ");
            return Err(Failure {
                code: Failure::DEVICE,
                message: format!("the device was lost, and what opens in its place is another: {differences}"),
            });
        }
        self.solver = solver;
        Ok(())
    }
}

/// Why the device was lost, where that is the error.
fn lost(error: &Error) -> Option<&str> {
    match error {
        Error::Device(DeviceError::Lost { reason })
        | Error::Linalg(LinalgError::Device(DeviceError::Lost { reason })) => Some(reason),
        // What is called on a lost device before its loss is announced.
        Error::Device(DeviceError::Validation { message, .. }) if message.contains("device is lost") => Some(message),
        _ => None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::cell::Cell;

    use super::super::plan::tests::job;
    use super::*;
    use crate::engine::Choice;

    /// The CPU, lost in the chunks counted here, from the first on.
    pub(in super::super) struct Frail<'a> {
        engine: Engine,
        /// Chunks to go until it is lost; and how often it is lost then.
        until: &'a Cell<usize>,
        losses: &'a Cell<usize>,
        name: &'static str,
    }

    impl<'a> Frail<'a> {
        pub(in super::super) fn open(until: &'a Cell<usize>, losses: &'a Cell<usize>, name: &'static str) -> Self {
            Self { engine: Engine::open(Choice::Cpu).unwrap(), until, losses, name }
        }
    }

    impl Solver for Frail<'_> {
        fn solve(&self, job: &Job, range: Range<u64>, sink: &mut dyn Sink) -> Result<(), Error> {
            let lost = || Error::from(DeviceError::Lost { reason: "a test".to_owned() });
            let Range { start: mut next, end } = range;
            while next < end {
                if self.until.get() == 0 && self.losses.get() > 0 {
                    self.losses.set(self.losses.get() - 1);
                    return Err(lost());
                }
                self.until.set(self.until.get().saturating_sub(1));
                let chunk = next..end.min(next + 4).min(sink.cut_after(next));
                next = chunk.end;
                let outcome = self.engine.run_job(job, chunk, &mut |_| ControlFlow::Continue(()))?;
                let problems = outcome.len() as u64;
                sink.outcome().append(vec![outcome]);
                if sink.landed(problems).is_break() {
                    break;
                }
            }
            Ok(())
        }

        fn plan(&self, job: &Job) -> PlanInfo {
            PlanInfo { device: self.name.to_owned(), ..self.engine.plan(job) }
        }
    }

    /// All that lands, in chunks that a multiple of five cuts, and how many are said to have.
    struct All(Outcome, u64);

    impl Sink for All {
        fn outcome(&mut self) -> &mut Outcome {
            &mut self.0
        }

        fn landed(&mut self, problems: u64) -> ControlFlow<()> {
            self.1 += problems;
            assert_eq!(self.1, self.0.len() as u64);
            ControlFlow::Continue(())
        }

        fn cut_after(&self, problem: u64) -> u64 {
            (problem + 1).next_multiple_of(5)
        }

        fn held(&self, problems: u64) -> u64 {
            problems
        }
    }

    /// What is left of 20 problems when the device is lost so often after four chunks, and how it ends.
    fn ran(losses: usize, then: &'static str) -> (Vec<u64>, Result<(), String>) {
        let (until, losses) = (Cell::new(4), Cell::new(losses));
        let job = job(5, 2);
        let mut lasting =
            Lasting::new(Frail::open(&until, &losses, "A"), || Ok(Frail::open(&until, &losses, then))).at_once();
        let nothing = Engine::open(Choice::Cpu).unwrap().run_job(&job, 0..0, &mut |_| ControlFlow::Continue(()));
        let mut all = All(nothing.unwrap(), 0);
        let ended = lasting.run(&job, 0..20, &mut all);
        (all.0.iter().map(|problem| problem.index()).collect(), ended.map_err(|failure| failure.message))
    }

    #[test]
    fn a_device_lost_once_or_twice_in_a_row_is_opened_again_and_every_problem_runs_once() {
        for losses in [0, 1, 2] {
            assert_eq!(ran(losses, "A"), ((0..20).collect(), Ok(())), "{losses}");
        }
    }

    #[test]
    fn a_device_lost_three_times_in_a_row_is_given_up_and_the_chunks_before_are_kept() {
        let (problems, ended) = ran(3, "A");
        assert_eq!(problems, (0..10).collect::<Vec<u64>>());
        assert!(ended.unwrap_err().contains("the device was lost (a test)"));
    }

    #[test]
    fn another_device_does_not_stand_in_for_a_lost_one() {
        let (problems, ended) = ran(1, "B");
        assert_eq!(problems, (0..10).collect::<Vec<u64>>());
        assert!(ended.unwrap_err().contains("device was \"A\" and is \"B\""));
    }
}
