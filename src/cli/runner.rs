//! What runs the parts of a sweep: one after the other without a break between them, while another thread writes.

use std::ops::ControlFlow;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use super::failure::Failure;
use super::interruption::Interruption;
use super::lasting::{Lasting, Solver};
use super::parts::{Parts, Stretch};
use super::plan::Part;
use super::progress::Bar;
use super::spec::Keep;
use crate::engine::Sink;
use crate::sweep::Outcome;

/// Parts that follow each other.
pub(super) struct Run {
    pub(super) first: usize,
    /// The problems of the first one that are saved.
    pub(super) done: u64,
    pub(super) end: usize,
}

/// Takes what has been run, chunk by chunk, and hands it over to be written: a part when it is complete, and what there is of
/// one each time when so long has passed since.
pub(super) struct Runner<'a> {
    parts: &'a Parts<'a>,
    interruption: &'a Interruption,
    save_every: Duration,
    sender: SyncSender<Stretch>,
    bar: &'a Bar,
    /// The part at work; its problems that were handed over, and those that have landed.
    part: usize,
    handed_over: u64,
    landed: u64,
    /// What is kept of the problems between.
    outcome: Outcome,
    /// When the last were handed over.
    since: Instant,
}

impl<'a> Runner<'a> {
    pub(super) fn new(
        parts: &'a Parts<'a>,
        interruption: &'a Interruption,
        save_every: Duration,
        sender: SyncSender<Stretch>,
        bar: &'a Bar,
    ) -> Self {
        let outcome = parts.nothing.clone();
        let since = Instant::now();
        Self { parts, interruption, save_every, sender, bar, part: 0, handed_over: 0, landed: 0, outcome, since }
    }

    /// Runs parts of which the first may have begun.
    pub(super) fn run<S: Solver>(&mut self, run: &Run, device: &mut Lasting<'_, S>) -> Result<(), Failure> {
        self.check_interruption()?;
        (self.part, self.handed_over, self.landed) = (run.first, run.done, run.done);
        if self.landed == self.at_work().len() {
            // All of it is saved but not put together; or a shard has no problem at all.
            self.hand_over(true)?;
        }
        if self.part == run.end {
            return Ok(());
        }
        let range = self.at_work().problems.start + self.landed..self.parts.plan.parts()[run.end - 1].problems.end;
        self.since = Instant::now();
        let ended = device.run(self.parts.job, range, self);
        if self.keep() == Keep::All && !self.outcome.is_empty() {
            // The chunks before the one in which the device failed.
            self.hand_over(false)?;
        }
        ended?;
        // Told to break off, or by a writer that has failed: its own error is the one that is told.
        if self.part < run.end { Err(Failure::interrupted()) } else { Ok(()) }
    }

    fn keep(&self) -> Keep {
        self.parts.plan.output.keep
    }

    fn at_work(&self) -> &Part {
        &self.parts.plan.parts()[self.part]
    }

    /// Hands over what is kept, when the writer is done with what was before.
    fn hand_over(&mut self, ends: bool) -> Result<(), Failure> {
        let outcome = std::mem::replace(&mut self.outcome, self.parts.nothing.clone());
        let (part, from, problems) = (self.part, self.handed_over, self.landed - self.handed_over);
        self.handed_over = self.landed;
        if ends {
            (self.part, self.handed_over, self.landed) = (self.part + 1, 0, 0);
        }
        let sent = self.sender.send(Stretch { part, from, problems, outcome, ends });
        self.since = Instant::now();
        sent.map_err(|_| Failure::interrupted())
    }

    fn check_interruption(&self) -> Result<(), Failure> {
        if self.interruption.is_asked() { Err(Failure::interrupted()) } else { Ok(()) }
    }
}

impl Sink for Runner<'_> {
    fn outcome(&mut self) -> &mut Outcome {
        if self.outcome.is_empty() {
            let left = self.at_work().len() - self.landed;
            let starts_are_lent = self.parts.job.lent_starts().is_some();
            self.outcome.reserve(left.min(self.parts.plan.part_size()) as usize, starts_are_lent);
        }
        &mut self.outcome
    }

    fn landed(&mut self, problems: u64) -> ControlFlow<()> {
        self.bar.advance(problems);
        self.landed += problems;
        let (ends, asked) = (self.landed == self.at_work().len(), self.interruption.is_asked());
        let due = match self.keep() {
            Keep::All => ends || asked || self.since.elapsed() >= self.save_every,
            Keep::Best => {
                // Which start is best shows at the end of the part; until then the best so far are enough.
                let size = self.parts.plan.part_size();
                if ends || self.landed.is_multiple_of(size) {
                    self.outcome = self.outcome.keep_best();
                }
                ends
            }
        };
        if due && self.hand_over(ends).is_err() || asked { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// The end of its piece: a part, or what of a longer one may be in memory at once.
    fn cut_after(&self, problem: u64) -> u64 {
        let parts = self.parts.plan.parts();
        let part = &parts[parts.partition_point(|part| part.problems.end <= problem)];
        let size = self.parts.plan.part_size();
        let pieces = (problem - part.problems.start) / size + 1;
        part.problems.end.min(part.problems.start + pieces * size)
    }

    fn held(&self, problems: u64) -> u64 {
        problems.min(self.parts.plan.part_size())
    }
}
