//! One chunk of problems on the device: its way down, its steps and its way back.

use std::sync::Arc;

use rayon::prelude::*;

use crate::backend::cpu::Workspace;
use crate::backend::{Solved, second_look};
use crate::error::Error;
use crate::gpu::{Bindable, Commands, Device, DeviceError, Kernel};
use crate::kernels::step_dual::steps::Dual;
use crate::kernels::{judge, momentum, step};
use crate::sweep::{Job, ProblemId};

use super::blocked::Blocked;
use super::found::Found;
use super::history::History;
use super::lane::Lane;
use super::problems::Problems;
use super::shape::{ChunkShape, Way};

/// What lies between the parameters and their factorisation.
enum Factoriser {
    Lane(Box<Lane>),
    Blocked(Box<Blocked>),
}

/// Records that lie closer than so many steps have their singular values with every step.
const FEW_STEPS: u32 = 4;

/// How many problems of a chunk go on, and how many asked for singular values in the last step, whether there were any or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Work {
    pub(super) running: u32,
    pub(super) asking: u32,
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
        let factoriser = match way {
            Way::Lane { block_rows } => {
                Factoriser::Lane(Box::new(Lane::new(device, job, &problems, most_rows, block_rows)?))
            }
            Way::Blocked(cut) => Factoriser::Blocked(Box::new(Blocked::new(device, job, &problems, cut)?)),
        };
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
    /// networks. No result depends on it.
    pub(super) async fn steps(&mut self, device: &Device, count: u32, before: Work) -> Result<Work, DeviceError> {
        let mut commands = device.record("steps");
        let many_ask = before.asking > before.running / 8;
        for step in 0..count {
            let factors = self.factors_always || many_ask || (step == 0 && before.asking > 0);
            self.record_step(device, &mut commands, factors)?;
            self.taken = self.taken.saturating_add(1);
        }
        let counts = &self.problems.running;
        let running = commands.read_later(counts, 0..1)?;
        let asking = commands.read_later(counts, counts.len() - 1..counts.len())?;
        commands.submit()?;
        let [running, asking] = [running.wait().await?, asking.wait().await?];
        let first = |words: Vec<u32>| words.first().copied().unwrap_or(0);
        Ok(Work { running: first(running), asking: first(asking) })
    }

    fn record_step(&self, device: &Device, commands: &mut Commands, factors: bool) -> Result<(), DeviceError> {
        let problems = &self.problems;
        let groups = [problems.groups(), 1, 1];
        match &self.factoriser {
            Factoriser::Lane(lane) => lane.record_evaluation(commands, problems)?,
            Factoriser::Blocked(blocked) => blocked.record_evaluation(device, commands, problems)?,
        }
        let Problems { rules, description, states, trial, theta, v, sigma, lengths, running, .. } = problems;
        let bindings: [&dyn Bindable; 6] = [rules, description, states, trial, theta, sigma];
        commands.dispatch(&self.judge, &bindings, groups)?;
        let rules = if factors { rules } else { &problems.rules_of_waiting };
        match &self.factoriser {
            Factoriser::Lane(lane) => lane.record_factorisation(commands, problems)?,
            Factoriser::Blocked(blocked) => {
                blocked.record_dual_steps(device, commands, problems, rules)?;
                if factors {
                    blocked.record_factorisation(device, commands, problems)?;
                }
            }
        }
        if let Some(history) = &self.history
            && factors
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

    /// Reads the chunk back, once: θ, the factorisation it stands on, and JᵀJ at it where that is cheap on the device.
    pub(super) async fn collect(&self, device: &Device, job: &Job, ids: &[ProblemId]) -> Result<Vec<Solved>, Error> {
        let Problems { batch, states, theta, v, sigma, lengths, .. } = &self.problems;
        // Of a network nothing is made of V.
        let v = job.model().as_network().is_none().then_some(v);
        let mut commands = device.record("collect");
        let gram = match &self.factoriser {
            Factoriser::Lane(lane) => Some(lane.record_gram(device, &mut commands, &self.problems)?),
            Factoriser::Blocked(_) => None,
        };
        let of_states = commands.read_later(states, 0..batch.count)?;
        let mut floats = Vec::new();
        let records = self.history.as_ref().map(|history| &history.records);
        for buffer in [theta, sigma, lengths].into_iter().chain(v).chain(&gram).chain(records) {
            floats.push(commands.read_later(buffer, 0..buffer.len())?);
        }
        commands.submit()?;
        let states = of_states.wait().await?;
        let mut values = Vec::with_capacity(floats.len());
        for read in floats {
            values.push(read.wait().await?);
        }
        let mut values = values.into_iter();
        let mut next = || values.next().unwrap_or_default();
        let found = Found {
            states,
            theta: next(),
            sigma: next(),
            lengths: next(),
            v: v.map(|_| next()).unwrap_or_default(),
            gram: gram.is_some().then(&mut next),
            history: self.history.as_ref().map(|history| (history.layout, next())),
            sizes: self.problems.sizes,
            lanes: batch.lanes,
        };
        let first_set = ids[0].set;
        Ok(ids
            .par_iter()
            .enumerate()
            .map_init(Workspace::new, |workspace, (b, &id)| {
                let mut solved = found.problem(b, job, id, self.problems.scales[id.set - first_set]);
                second_look(job, id, &mut solved, workspace);
                solved
            })
            .collect())
    }
}
