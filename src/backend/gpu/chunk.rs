//! One chunk of problems on the device: its way down, its steps and its way back.

use std::sync::Arc;

use crate::error::Error;
use crate::gpu::{Bindable, Commands, Device, DeviceError, Kernel};
use crate::kernels::step_dual::steps::{Dual, Needed};
use crate::kernels::{judge, momentum, step};
use crate::sweep::{Job, ProblemId};

use super::factoriser::Factoriser;
use super::found::Found;
use super::history::History;
use super::problems::Problems;
use super::shape::{ChunkShape, Way};

/// Records that lie closer than so many steps have their singular values with every step.
const FEW_STEPS: u32 = 4;

/// How many problems of a chunk go on, how many asked for singular values in the last step, whether there were any or not, and
/// how many step by rotations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Work {
    pub(super) running: u32,
    pub(super) asking: u32,
    pub(super) doubted: u32,
}

/// The problems of a chunk, and the kernels that take them through their steps.
pub(super) struct Chunk {
    problems: Problems,
    factoriser: Factoriser,
    judge: Arc<Kernel>,
    step: Arc<Kernel>,
    /// Where a rule has momentum.
    momentum: Option<Arc<Kernel>>,
    /// Whether singular values are found with every step: some rule always needs them, or records do so often.
    factors_always: bool,
    /// Where one is kept.
    history: Option<History>,
    /// Steps taken so far, by the problems that go on and have not waited.
    taken: u32,
}

impl Chunk {
    /// Puts the problems `ids` with their data sets on the device.
    pub(super) fn upload(device: &Device, job: &Job, ids: &[ProblemId], shape: ChunkShape) -> Result<Self, Error> {
        let most_rows = ids.iter().map(|id| job.rows(id.set).len()).max().unwrap_or(0);
        let way = shape.way.of_chunk(most_rows);
        let problems = Problems::upload(device, job, ids, (shape.lanes, way.sizes(job.model().parameters().len())))?;
        let factors_always = match way {
            Way::Blocked(cut) if cut.is_wide() => {
                let records = job.history().every;
                (1..FEW_STEPS).contains(&records)
                    || job.rules().iter().any(|rule| Dual::of(rule, cut.sizes().directions).is_none())
            }
            _ => true,
        };
        let factoriser = Factoriser::new(device, job, &problems, way, most_rows)?;
        Ok(Self {
            judge: judge::host::kernel(device, problems.batch, problems.sizes)?,
            step: step::host::kernel(device, problems.batch, problems.sizes)?,
            momentum: match problems.previous {
                Some(_) => Some(momentum::host::kernel(device, problems.batch, problems.sizes)?),
                None => None,
            },
            history: History::new(device, job, &problems)?,
            taken: 0,
            problems,
            factoriser,
            factors_always,
        })
    }

    /// Takes `count` steps of what the steps before left.
    ///
    /// Where no rule needs singular values as a rule, they are found with the first of the steps, for the problems that wait,
    /// or with every step where many ask for them: the kernels of an SVD that nobody needs take longer than a step of small
    /// networks. So it is with steps by rotations; and where all problems step like that, without the kernel matrix. No result
    /// depends on it.
    pub(super) async fn steps(&mut self, device: &Device, count: u32, before: Work) -> Result<Work, DeviceError> {
        let mut commands = device.record("steps");
        let records = |step: u32, who: u32| who > before.running / 8 || (step == 0 && who > 0);
        for step in 0..count {
            // Who is once in doubt remains so.
            let kernel = before.running == 0 || before.doubted < before.running;
            let rotations = records(step, before.doubted);
            let values = self.factors_always || records(step, before.asking);
            self.record_step(device, &mut commands, Needed { kernel, rotations, values })?;
            self.taken = self.taken.saturating_add(1);
        }
        let counts = &self.problems.running;
        let running = commands.read_later(counts, 0..1)?;
        let others = commands.read_later(counts, counts.len() - 2..counts.len())?;
        commands.submit()?;
        let (running, others) = (running.wait().await?, others.wait().await?);
        let word = |words: &[u32], at: usize| words.get(at).copied().unwrap_or(0);
        Ok(Work { running: word(&running, 0), asking: word(&others, 0), doubted: word(&others, 1) })
    }

    fn record_step(&self, device: &Device, commands: &mut Commands, needed: Needed) -> Result<(), DeviceError> {
        let problems = &self.problems;
        let groups = [problems.groups(), 1, 1];
        self.factoriser.record_evaluation(device, commands, problems)?;
        let Problems { rules, description, states, trial, theta, v, sigma, lengths, running, .. } = problems;
        let bindings: [&dyn Bindable; 6] = [rules, description, states, trial, theta, sigma];
        commands.dispatch(&self.judge, &bindings, groups)?;
        let rules = if needed.values { rules } else { &problems.rules_of_waiting };
        self.factoriser.record_factorisation(device, commands, problems, (rules, needed))?;
        if let Some(history) = &self.history
            && needed.values
        {
            // Problems that wait have taken fewer steps than others.
            history.record(commands, problems, self.factors_always.then_some(self.taken))?;
        }
        commands.clear(running)?;
        let bindings: [&dyn Bindable; 9] = [rules, description, states, v, sigma, lengths, theta, trial, running];
        commands.dispatch(&self.step, &bindings, groups)?;
        match (&problems.previous, &self.momentum) {
            (Some(previous), Some(momentum)) => {
                let bindings: [&dyn Bindable; 6] = [rules, description, states, theta, trial, previous];
                commands.dispatch(momentum, &bindings, groups)
            }
            _ => Ok(()),
        }
    }

    /// Reads the chunk back, once: θ, and the factorisation it stands on.
    pub(super) async fn collect(&self, device: &Device, job: &Job, ids: &[ProblemId]) -> Result<Found, Error> {
        Ok(Found::read(device, (job, ids), &self.problems, self.history.as_ref()).await?)
    }
}
