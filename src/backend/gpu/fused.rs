//! Steps in registers: problems of few parameters, many steps a dispatch.

use std::sync::Arc;

use crate::expr::unrolled::Grid;
use crate::gpu::{Bindable, Buffer, Candidate, Commands, Device, DeviceError, Kernel, Timing, Worth};
use crate::kernels::fused::code::Coordinates;
use crate::kernels::fused::host::{self, Form, MOST_PARAMETERS, MOST_ROWS};
use crate::kernels::problem::{Fused, Problem};
use crate::model::Kind;
use crate::ngd::{Damping, Filter, Scaling};
use crate::sweep::{Job, ProblemId, SizeUnit, StepRule};

use super::problems::has_grid;

/// The most evaluations a dispatch: enough that what a dispatch begins and ends with does not count.
const MOST_PASSES: u64 = 16;

/// Dispatches a submit; between submits one counter is read.
const DISPATCHES: usize = 4;

/// Whether a problem's steps are taken in registers, unless f32 is in doubt.
pub(super) fn takes(job: &Job, id: ProblemId) -> bool {
    let parameters = job.model().parameters().len();
    let rows = job.rows(id.set).len();
    could_take(job) && (parameters..=MOST_ROWS).contains(&rows) && host::takes(&job.rules()[id.rule], parameters)
}

/// Whether that is so of any problem of a job, for all that is known without its data sets.
pub(super) fn could_take(job: &Job) -> bool {
    let parameters = job.model().parameters().len();
    matches!(job.model().kind(), Kind::Expression(_))
        && parameters <= MOST_PARAMETERS
        && job.rules().iter().any(|rule| host::takes(rule, parameters))
}

/// How the kernel of a job's steps is specialised.
pub(super) fn form(job: &Job, uniform: bool) -> Form {
    let damps =
        |rule: &StepRule| rule.damping != Damping::Fixed(0.0) || matches!(rule.filter, Filter::ResidualScaled { .. });
    Form { uniform, undamped: !job.rules().iter().any(damps) }
}

/// Whether a rule is the same number for number whatever the data of a problem were multiplied by.
fn is_free_of_units(rule: &StepRule) -> bool {
    let damped = !matches!(rule.damping, Damping::Fixed(0.0) | Damping::Adaptive);
    matches!(rule.filter, Filter::Exact | Filter::FixedRank(_)) && (rule.scaling == Scaling::Columns || !damped)
}

/// Multiply-adds in the kernel's code, for drivers to which that matters.
const MUCH_CODE: usize = 1000;

/// Whether steps that can be are taken in registers on this device: by rule, unless somebody has named the other way
/// (`step=memory`).
pub(super) fn in_registers(device: &Device, job: &Job) -> Result<bool, DeviceError> {
    let candidate = |name: &str, code, worth| Candidate { name: name.to_owned(), code, worth };
    // SwiftShader looks for minutes for paths through the kernel's branches.
    let candidates = [candidate("registers", MUCH_CODE, Worth::Everywhere), candidate("memory", 0, Worth::Never)];
    let shape = format!("of {} parameters", job.model().parameters().len());
    let chosen = device.tuner().choose("step", &shape, &candidates, |_| -> Result<Timing, DeviceError> {
        unreachable!("one of the candidates is never tried")
    })?;
    Ok(could_take(job) && chosen == 0)
}

/// Multiply-adds of an evaluation, about: a row's own, and what it adds to JᵀJ.
fn work_of_pass(job: &Job) -> u64 {
    let p = job.model().parameters().len() as u64;
    job.most_rows() as u64 * (p * (p + 3) / 2 + job.model().operations() / 2).max(1)
}

/// The most problems of which one evaluation each is as much as a dispatch may hold.
pub(super) fn most_at_once(device: &Device, job: &Job) -> u64 {
    device.pace().work(host::STEPS.name) / work_of_pass(job)
}

/// The kernels, and the problems that they work on.
pub(super) struct FusedSteps {
    kernel: Arc<Kernel>,
    muster: Arc<Kernel>,
    /// The problems at work, and those that go on: how many, then which.
    rosters: [Buffer<u32>; 2],
    workgroups: Buffer<u32>,
    /// What all problems have in common, where they do.
    rule: Problem,
    /// Problems at first.
    count: u64,
    /// Multiply-adds of an evaluation of one of them.
    work: u64,
}

/// What the kernels work on, beside their lists.
pub(super) struct Operands<'a> {
    pub(super) rules: &'a dyn Bindable,
    /// `Problem`s, or `Brief`s where all problems are alike.
    pub(super) description: &'a dyn Bindable,
    pub(super) states: &'a dyn Bindable,
    pub(super) data: &'a dyn Bindable,
    pub(super) theta: &'a dyn Bindable,
    pub(super) trial: &'a dyn Bindable,
    /// How problems ended.
    pub(super) ends: &'a dyn Bindable,
}

/// Whether all problems of a job have the same rule, number for number, and the same coordinates.
pub(super) fn is_uniform(job: &Job) -> bool {
    has_grid(job) && matches!(job.rules(), [rule] if rule.unit == SizeUnit::Absolute && is_free_of_units(rule))
}

impl FusedSteps {
    /// For the problems of a chunk whose steps are taken in registers, in a grid or not; `None` where there is none.
    pub(super) fn new(
        device: &Device,
        job: &Job,
        ids: &[ProblemId],
        is_grid: bool,
        form: Form,
    ) -> Result<Option<Self>, DeviceError> {
        let Kind::Expression(model) = job.model().kind() else { return Ok(None) };
        let mut roster = Vec::with_capacity(1 + ids.len());
        roster.push(0);
        if form.uniform {
            roster.extend(0..if takes(job, ids[0]) { ids.len() as u32 } else { 0 });
        } else {
            roster.extend((0..).zip(ids).filter(|&(_, &id)| takes(job, id)).map(|(b, _): (u32, _)| b));
        }
        let count = roster.len() - 1;
        if count == 0 {
            return Ok(None);
        }
        roster[0] = count as u32;
        let coordinates = match job.shared_grid() {
            Some(rows) if is_grid => {
                Coordinates::InGrid(Grid::of(rows, job.model().row_inputs(), |row, input| job.inputs(row)[input]))
            }
            _ => Coordinates::InData,
        };
        let rows = job.rows(ids[0].set).len() as u32;
        Ok(Some(Self {
            kernel: host::kernel(device, model, &coordinates, form)?,
            muster: device.kernel(&host::MUSTER, &[], &[])?,
            rosters: [device.lent_from("roster", &roster)?, device.scratch("those that stay", roster.len())?],
            workgroups: device.buffer("workgroups", 3)?,
            rule: Problem::new(&job.rules()[ids[0].rule], 0, rows, model.parameters.len(), 1.0, 0.0),
            count: count as u64,
            work: work_of_pass(job),
        }))
    }

    /// The problems that are at work when a run begins.
    pub(super) fn roster(&self) -> &Buffer<u32> {
        &self.rosters[0]
    }

    /// Records many steps, of problems never evaluated or some that were; the list of those still at work after them.
    pub(super) fn record(
        &self,
        device: &Device,
        commands: &mut Commands,
        operands: &Operands<'_>,
        fresh: bool,
    ) -> Result<&Buffer<u32>, DeviceError> {
        let Operands { rules, description, states, data, theta, trial, ends } = *operands;
        let [mut now, mut next] = [&self.rosters[0], &self.rosters[1]];
        let each = self.count * self.work;
        let passes = (device.pace().work(host::STEPS.name) / each).clamp(1, MOST_PASSES);
        let first = device.uniform(&Fused::of(passes as u32, fresh, self.rule))?;
        let later = device.uniform(&Fused::of(passes as u32, false, self.rule))?;
        for k in 0..DISPATCHES {
            commands.dispatch(&self.muster, &[now, next, &self.workgroups], [1, 1, 1])?;
            let fused = if k == 0 { &first } else { &later };
            let bindings: [&dyn Bindable; 10] =
                [rules, fused, description, states, data, theta, trial, now, next, ends];
            // Of those after the first nobody knows how many problems they have.
            let work = if k == 0 { each * passes } else { 0 };
            commands.dispatch_indirect_measured(&self.kernel, &bindings, &self.workgroups, 0, work)?;
            std::mem::swap(&mut now, &mut next);
        }
        Ok(now)
    }
}
