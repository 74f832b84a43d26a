//! Steps in registers: problems of few parameters, many steps a dispatch.

use std::sync::{Arc, OnceLock};

use crate::expr::unrolled::Grid;
use crate::gpu::{Bindable, Buffer, Candidate, Commands, Device, DeviceError, Kernel, Timing, Worth};
use crate::kernels::fused::code::Coordinates;
use crate::kernels::fused::form::{Form, Route};
use crate::kernels::fused::host::{self, MOST_PARAMETERS, MOST_ROWS};
use crate::kernels::problem::{Fused, MOST_LANE_PARAMETERS, Problem};
use crate::model::{Expression, Kind, Model};
use crate::ngd::{Damping, Filter, Scaling};
use crate::sweep::{Job, ProblemId, SizeUnit, StepRule};

use super::problems::has_grid;

/// The most evaluations a dispatch: enough that what a dispatch begins and ends with does not count.
const MOST_PASSES: u64 = 16;

/// The most of so few problems that they are a workgroup: there is nothing to be gained where those that have ended leave the list.
const MOST_PASSES_ALONE: u64 = 256;

/// Seconds that a workgroup is taken to need for a multiply-add of each of its invocations. On a core of software Vulkan it was
/// 3·10⁻⁹ (exact steps of 100 points); the rest is for slower devices, of which none was measured.
const SLOWEST_ALONE: f64 = 5e-8;

/// The most evaluations a dispatch of one workgroup, of so many multiply-adds each.
fn most_passes_alone(device: &Device, work: u64) -> u64 {
    let fit = device.dispatch_budget().as_secs_f64() / (SLOWEST_ALONE * work as f64);
    (fit as u64).clamp(MOST_PASSES, MOST_PASSES_ALONE)
}

/// Dispatches a submit; between submits one counter is read.
const DISPATCHES: usize = 4;

/// Whether a problem's steps are taken in registers, unless its rank is in doubt.
pub(super) fn takes(job: &Job, id: ProblemId) -> bool {
    let parameters = job.model().parameters().len();
    let rows = job.rows(id.set).len();
    // As many points as parameters, and too many for one invocation in memory: the kernel matrix takes such steps.
    let least = parameters + usize::from(parameters > MOST_LANE_PARAMETERS);
    could_take(job) && (least..=MOST_ROWS).contains(&rows) && host::takes(&job.rules()[id.rule], parameters)
}

/// Whether that is so of any problem of a job, for all that is known without its data sets.
pub(super) fn could_take(job: &Job) -> bool {
    let parameters = job.model().parameters().len();
    matches!(job.model().kind(), Kind::Expression(_))
        && parameters <= MOST_PARAMETERS
        && job.rules().iter().any(|rule| host::takes(rule, parameters))
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

/// The most problems of which one evaluation each is as much as a dispatch may hold, by rotations if need be: all of a chunk may
/// be in doubt at once.
pub(super) fn most_at_once(device: &Device, job: &Job) -> u64 {
    device.pace().work(host::STEPS.name) / (work_of_pass(job) * WORK_OF_ROTATIONS)
}

/// A row's rotations cost several times its sums.
const WORK_OF_ROTATIONS: u64 = 4;

/// The kernels of a job's steps, whatever chunks it is cut into.
#[derive(Debug)]
pub(crate) struct Kernels {
    model: Model,
    form: Form,
    coordinates: Coordinates,
    /// Each is compiled once a problem needs it.
    normal: OnceLock<Arc<Kernel>>,
    orthogonal: OnceLock<Arc<Kernel>>,
    muster: Arc<Kernel>,
    /// Lists those in doubt.
    lister: Arc<Kernel>,
}

/// Where the kernels of a job find coordinates.
fn coordinates(job: &Job) -> Coordinates {
    match job.shared_grid() {
        Some(rows) if has_grid(job) => {
            Coordinates::InGrid(Grid::of(rows, job.model().row_inputs(), |row, input| job.inputs(row)[input]))
        }
        _ => Coordinates::InData,
    }
}

impl Kernels {
    pub(super) fn new(device: &Device, job: &Job) -> Result<Self, DeviceError> {
        Ok(Self {
            model: job.model().clone(),
            form: Form::of(job.rules(), is_uniform(job)),
            coordinates: coordinates(job),
            normal: OnceLock::new(),
            orthogonal: OnceLock::new(),
            muster: device.kernel(&host::MUSTER, &[], &[])?,
            lister: device.kernel(&host::DOUBTED, &[], &[])?,
        })
    }

    /// Whether they are those of this job. A model that is written alike but is another is not looked into: the device keeps
    /// what it has compiled, and to write the text anew takes a millisecond.
    pub(super) fn are_of(&self, job: &Job) -> bool {
        self.model.is_same(job.model())
            && self.form == Form::of(job.rules(), is_uniform(job))
            && self.coordinates == coordinates(job)
    }

    fn of_route(&self, device: &Device, model: &Expression, route: Route) -> Result<&Arc<Kernel>, DeviceError> {
        let place = match route {
            Route::Normal => &self.normal,
            Route::Orthogonal => &self.orthogonal,
        };
        if let Some(kernel) = place.get() {
            return Ok(kernel);
        }
        let kernel = host::kernel(device, model, &self.coordinates, self.form.by(route))?;
        Ok(place.get_or_init(|| kernel))
    }
}

/// The problems of a chunk, and the kernels that work on them.
pub(super) struct FusedSteps {
    kernels: Arc<Kernels>,
    /// The problems at work, and those that go on: how many, then which.
    rosters: [Buffer<u32>; 2],
    /// Those of which normal equations leave f32 in doubt.
    doubted: Buffer<u32>,
    workgroups: Buffer<u32>,
    /// What all problems have in common, where they do.
    rule: Problem,
    /// Problems of the chunk, and those at work at first.
    problems: usize,
    count: u64,
    /// Multiply-adds of an evaluation of one of them.
    work: u64,
}

/// Where the steps of a chunk are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leg {
    route: Route,
    /// Whether no problem was evaluated before.
    pub(super) begins: bool,
    /// The most problems that are at work.
    count: u64,
}

impl Leg {
    /// The most problems that go on by rotations here.
    pub(super) fn by_rotations(self) -> u64 {
        if self.route == Route::Orthogonal { self.count } else { 0 }
    }

    /// What comes after it where so many are left at work and so many in doubt; `None` where all are done.
    pub(super) fn next(self, left: u32, doubted: u32) -> Option<Self> {
        if left > 0 {
            return Some(Self { begins: false, count: left.into(), ..self });
        }
        let turns = doubted > 0 && self.route == Route::Normal;
        turns.then(|| Self { route: Route::Orthogonal, begins: false, count: doubted.into() })
    }
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
    /// For the problems of a chunk whose steps are taken in registers; `None` where there is none.
    pub(super) fn new(
        device: &Device,
        job: &Job,
        ids: &[ProblemId],
        kernels: &Arc<Kernels>,
    ) -> Result<Option<Self>, DeviceError> {
        let Kind::Expression(model) = job.model().kind() else { return Ok(None) };
        let mut roster = vec![0];
        if kernels.form.uniform {
            roster.extend(0..if takes(job, ids[0]) { ids.len() as u32 } else { 0 });
        } else {
            roster.extend((0..).zip(ids).filter(|&(_, &id)| takes(job, id)).map(|(b, _): (u32, _)| b));
        }
        let count = roster.len() - 1;
        if count == 0 {
            return Ok(None);
        }
        roster[0] = count as u32;
        let rows = job.rows(ids[0].set).len() as u32;
        // It compiles, if it has to, before anything is on its way.
        kernels.of_route(device, model, Route::Normal)?;
        Ok(Some(Self {
            kernels: Arc::clone(kernels),
            rosters: [device.lent_from("roster", &roster)?, device.scratch("those that stay", roster.len())?],
            doubted: device.scratch("those in doubt", roster.len())?,
            workgroups: device.buffer("workgroups", 3)?,
            rule: Problem::new(&job.rules()[ids[0].rule], 0, rows, model.parameters.len(), 1.0, 0.0),
            problems: ids.len(),
            count: count as u64,
            work: work_of_pass(job),
        }))
    }

    /// The problems that are at work when a run begins.
    pub(super) fn roster(&self) -> &Buffer<u32> {
        &self.rosters[0]
    }

    /// Where all begin.
    pub(super) fn first_leg(&self) -> Leg {
        Leg { route: Route::Normal, begins: true, count: self.count }
    }

    /// Records many steps; the list of those still at work after them, and that of those in doubt.
    pub(super) fn record(
        &self,
        device: &Device,
        model: &Expression,
        commands: &mut Commands,
        operands: &Operands<'_>,
        leg: Leg,
    ) -> Result<[&Buffer<u32>; 2], DeviceError> {
        let Operands { rules, description, states, data, theta, trial, ends } = *operands;
        let is_normal = leg.route == Route::Normal;
        let kernel = self.kernels.of_route(device, model, leg.route)?;
        let Kernels { muster, lister, .. } = &*self.kernels;
        let [first_roster, other] = &self.rosters;
        let [mut now, mut next] = [if is_normal { first_roster } else { &self.doubted }, other];
        let work = self.work * if is_normal { 1 } else { WORK_OF_ROTATIONS };
        let each = leg.count * work;
        let is_alone = leg.count <= host::GROUP.into();
        let most = if is_alone { most_passes_alone(device, work) } else { MOST_PASSES };
        let passes = (device.pace().work(host::source(leg.route).name) / each).clamp(1, most);
        let first = device.uniform(&Fused::of(passes as u32, leg.begins, self.rule))?;
        let later = device.uniform(&Fused::of(passes as u32, false, self.rule))?;
        for k in 0..DISPATCHES {
            commands.dispatch(muster, &[now, next, &self.workgroups], [1, 1, 1])?;
            let fused = if k == 0 { &first } else { &later };
            let bindings: [&dyn Bindable; 10] =
                [rules, fused, description, states, data, theta, trial, now, next, ends];
            // Of those after the first nobody knows how many problems they have; and how long one workgroup takes, with
            // problems that may end long before their passes do, says nothing of what the device does in that time.
            let work = if k == 0 && !is_alone { each * passes } else { 0 };
            commands.dispatch_indirect_measured(kernel, &bindings, &self.workgroups, 0, work)?;
            std::mem::swap(&mut now, &mut next);
        }
        if is_normal {
            commands.clear(&self.doubted)?;
            let groups = (self.problems as u32).div_ceil(host::GROUP);
            commands.dispatch(lister, &[rules, ends, &self.doubted], [groups, 1, 1])?;
        }
        Ok([now, &self.doubted])
    }
}
