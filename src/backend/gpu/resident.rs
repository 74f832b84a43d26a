//! Problems that stay on the device, to be run as often as is wanted.

use std::ops::Range;
use std::sync::Arc;

use crate::error::Error;
use crate::gpu::Buffer;
use crate::sweep::{Context, Job, Outcome};

use super::GpuBackend;
use super::essential::Flight;

/// Problems whose data, starts and results are on the device.
pub(crate) struct Settled {
    flight: Flight,
    /// As they were sent.
    starts: Buffer<f32>,
    roster: Buffer<u32>,
}

impl GpuBackend {
    /// Takes a range of problems to the device, of a job that has their data sets at hand; `None` where their steps are not
    /// taken in registers.
    pub(crate) fn settle(&self, job: Job, range: Range<u64>) -> Result<Option<Settled>, Error> {
        let flight = self.load(job, range)?;
        let Some((trial, roster)) = flight.beginning() else { return Ok(None) };
        let device = self.device();
        let starts = device.buffer("starts", trial.len())?;
        let all = device.buffer("all", roster.len())?;
        let mut commands = device.record("what runs begin with");
        commands.copy(trial, 0..trial.len(), &starts, 0)?;
        commands.copy(roster, 0..roster.len(), &all, 0)?;
        commands.submit()?;
        Ok(Some(Settled { flight, starts, roster: all }))
    }

    /// Runs them from their starts; nothing but counters come back. How many problems went on by rotations.
    pub(crate) fn run_settled(&self, settled: &Settled) -> Result<u64, Error> {
        let Settled { flight, starts, roster } = settled;
        let mut by_rotations = 0;
        let mut next = flight.first_leg();
        while let Some(leg) = next {
            let mut commands = self.device().record("steps in registers");
            if let (true, Some((trial, now))) = (leg.begins, flight.beginning()) {
                commands.copy(starts, 0..starts.len(), trial, 0)?;
                commands.copy(roster, 0..roster.len(), now, 0)?;
            }
            let Some(left) = flight.record(self.device(), &mut commands, leg)? else { break };
            commands.submit()?;
            next = left.after(leg)?;
            by_rotations = by_rotations.max(leg.by_rotations());
        }
        Ok(by_rotations)
    }

    /// Reads back what the last run came to. Problems whose rank is in doubt are run once more, with singular values.
    pub(crate) fn outcome_of(&self, settled: &Settled, context: &Arc<Context>) -> Result<Outcome, Error> {
        let (ends, theta) = settled.flight.read(self.device())?;
        let mut outcome = Outcome::empty(Arc::clone(context));
        self.tell(&settled.flight, context, (&ends, &theta), &mut outcome)?;
        Ok(outcome)
    }
}

impl std::fmt::Debug for Settled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settled").field("starts", &self.starts.len()).finish_non_exhaustive()
    }
}

impl Settled {
    /// θ, P × 1 in tiles.
    pub(crate) fn parameters(&self) -> &Buffer<f32> {
        self.flight.parameters()
    }
}
