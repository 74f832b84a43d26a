//! Chunks of which no more is told than what the steps themselves know: down, through their steps and back in one submit,
//! several at a time.

use std::ops::Range;
use std::sync::{Arc, PoisonError};

use bytemuck::Zeroable;
use rayon::prelude::*;

use crate::error::Error;
use crate::gpu::{Arrived, Buffer, Commands, Device, DeviceError, Readback, Uniform, layout};
use crate::kernels::fused::quads;
use crate::kernels::problem::{Brief, End, Problem, Rules, State};
use crate::memory::extend_in_blocks;
use crate::model::Kind;
use crate::sweep::{Context, Detail, Job, Outcome, ProblemId, Row};

use super::fused::{self, FusedSteps, Kernels, Leg, Operands};
use super::problems::{RowsOfData, add_starts, described, gridded_rows, has_grid, rules, units};
use super::{GpuBackend, LANES};
use crate::backend::{finish, row};
use crate::ngd::Status;

/// Chunks that are on their way to a device and back at the same time: the host makes one ready while the device works on
/// another.
pub(crate) const IN_FLIGHT: usize = 2;

/// The most problems of such a chunk.
const MOST: u64 = 1 << 17;

/// A chunk on its way.
pub(crate) struct Flight {
    /// With its data sets at hand.
    job: Job,
    ids: Vec<ProblemId>,
    cargo: Cargo,
    /// `None` where none of its problems is one for registers.
    steps: Option<FusedSteps>,
    back: Option<Back>,
}

/// What goes down.
struct Cargo {
    scales: Vec<f64>,
    rules: Uniform<Rules>,
    description: Description,
    states: Buffer<State>,
    data: Buffer<f32>,
    is_grid: bool,
    theta: Buffer<f32>,
    trial: Buffer<f32>,
    ends: Buffer<End>,
}

enum Description {
    Whole(Buffer<Problem>),
    Brief(Buffer<Brief>),
}

/// What comes back.
struct Back {
    leg: Leg,
    left: Left,
    ends: Readback<End>,
    theta: Readback<f32>,
}

/// How many problems are not at their ends.
pub(super) struct Left {
    at_work: Readback<u32>,
    in_doubt: Readback<u32>,
}

impl Left {
    /// What comes next, if anything.
    pub(super) fn after(self, leg: Leg) -> Result<Option<Leg>, DeviceError> {
        let counted = |count: Readback<u32>| count.wait_here().map(|count| count.first().copied().unwrap_or(0));
        Ok(leg.next(counted(self.at_work)?, counted(self.in_doubt)?))
    }
}

impl Cargo {
    fn new(device: &Device, job: &Job, ids: &[ProblemId]) -> Result<Self, Error> {
        let (first_set, last_set) = (ids[0].set, ids[ids.len() - 1].set);
        let (scales, norms) = units(job, first_set..last_set + 1);
        let is_grid = has_grid(job);
        let description = if fused::is_uniform(job) {
            let first_row = job.rows(first_set).start;
            let brief = |&id: &ProblemId| {
                let scale = scales[id.set - first_set];
                Brief {
                    first_row: (job.rows(id.set).start - first_row) as u32,
                    response_norm: (norms[id.set - first_set] * scale) as f32,
                    weight: scale as f32,
                    padding: 0,
                }
            };
            Description::Brief(device.lent_made("problems", (ids.len(), TASK), |range, made| {
                made.extend(ids[range].iter().map(brief));
            })?)
        } else {
            Description::Whole(device.lent_from("problems", &described(job, ids, &scales, &norms))?)
        };
        let sets = first_set..=last_set;
        let data = if is_grid {
            gridded_rows(device, job, sets)?
        } else {
            RowsOfData { job, sets, scales: &scales }.on(device)?
        };
        let p = job.model().parameters().len();
        let starts = ids.len().next_multiple_of(LANES) * p;
        Ok(Self {
            rules: device.uniform(&rules(job, ids.len()))?,
            description,
            // Written before they are read: evaluations begin with all problems.
            states: device.scratch("states", ids.len())?,
            theta: device.scratch("theta", starts)?,
            // Those of problems that are not for registers stay as they are: not ended.
            ends: device.buffer("ends", ids.len())?,
            data,
            trial: device.lent_made("trial", (starts, TASK * p), |range, made| {
                add_starts(job, &ids[range.start / p..ids.len().min(range.end / p)], LANES, made);
            })?,
            is_grid,
            scales,
        })
    }

    fn operands(&self) -> Operands<'_> {
        Operands {
            rules: &self.rules,
            description: match &self.description {
                Description::Whole(whole) => whole,
                Description::Brief(brief) => brief,
            },
            states: &self.states,
            data: &self.data,
            theta: &self.theta,
            trial: &self.trial,
            ends: &self.ends,
        }
    }
}

impl GpuBackend {
    /// Whether chunks of a job are sent off and met again, rather than solved one by one.
    pub(crate) fn flies(&self, job: &Job) -> bool {
        job.detail() == Detail::Essential && fused::in_registers(&self.device, job).is_ok_and(|chosen| chosen)
    }

    /// The most problems of the next chunk.
    pub(crate) fn most_in_flight(&self, job: &Job) -> usize {
        let most = fused::most_at_once(&self.device, job).min(MOST) as usize;
        most.min(self.most_settled(job)).max(LANES)
    }

    /// The problems of the next chunk, of at most so many, and the bytes of the chunks in flight on the device.
    #[cfg(feature = "cli")]
    pub(crate) fn in_flight(&self, job: &Job, most: u64) -> (u64, u64) {
        let problems = (self.most_in_flight(job) as u64).min(most);
        let p = job.model().parameters().len() as u64;
        let width = if has_grid(job) { 1 } else { job.model().row_inputs() as u64 + 2 };
        // θ and the trial point, the lists of problems, and, once more on their way back, θ and ends.
        let description = if fused::is_uniform(job) { size_of::<Brief>() } else { size_of::<Problem>() };
        let own = size_of::<State>() + 2 * size_of::<End>() + description + 3 * size_of::<u32>();
        let each = 4 * width * job.most_rows() as u64 + own as u64 + 12 * p;
        (problems, IN_FLIGHT as u64 * problems * each)
    }

    /// The most problems that the device holds at once.
    pub(crate) fn most_settled(&self, job: &Job) -> usize {
        let (rows, inputs) = (job.most_rows(), job.model().row_inputs());
        let (width, grid) =
            if has_grid(job) { (1, quads::room(rows * inputs) + quads::room(0)) } else { (inputs + 2, 0) };
        let each = (4 * rows * width).max(size_of::<State>()).max(4 * job.model().parameters().len()) as u64;
        let fits = self.device.largest_buffer().saturating_sub(4 * grid as u64) / each;
        let workgroups = u64::from(self.device.limits().max_compute_workgroups_per_dimension);
        let most = fits.min(workgroups * LANES as u64);
        (most as usize / LANES * LANES).max(LANES)
    }

    /// Puts a range of problems on the device, of a job that has their data sets at hand.
    pub(crate) fn load(&self, job: Job, range: Range<u64>) -> Result<Flight, Error> {
        let kernels = self.kernels(&job)?;
        let ids = job.problems(range);
        self.loaded(job, ids, &kernels)
    }

    /// The kernels of a job's steps in registers; those of the job before serve again where it was alike.
    pub(crate) fn kernels(&self, job: &Job) -> Result<Arc<Kernels>, Error> {
        let mut last = self.kernels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kernels) = last.as_ref().filter(|kernels| kernels.are_of(job)) {
            return Ok(Arc::clone(kernels));
        }
        let kernels = Arc::new(Kernels::new(&self.device, job)?);
        *last = Some(Arc::clone(&kernels));
        Ok(kernels)
    }

    /// The same of the problems `ids`, by ascending data set.
    pub(super) fn loaded(&self, job: Job, ids: Vec<ProblemId>, kernels: &Arc<Kernels>) -> Result<Flight, Error> {
        let cargo = Cargo::new(&self.device, &job, &ids)?;
        let steps = FusedSteps::new(&self.device, &job, &ids, kernels)?;
        Ok(Flight { job, ids, cargo, steps, back: None })
    }

    /// Puts a range of problems on the device, of a job that has their data sets at hand, and sends them off.
    pub(crate) fn launch(&self, job: Job, range: Range<u64>, kernels: &Arc<Kernels>) -> Result<Flight, Error> {
        let ids = job.problems(range);
        let mut flight = self.loaded(job, ids, kernels)?;
        flight.depart(&self.device)?;
        Ok(flight)
    }

    /// Meets a chunk again, all of its problems at their ends, and adds what they came to, or nothing.
    pub(crate) fn land(&self, context: &Arc<Context>, mut flight: Flight, outcome: &mut Outcome) -> Result<(), Error> {
        let (ends, theta) = flight.arrive(&self.device)?;
        self.tell(&flight, context, (&ends, &theta), outcome)
    }

    /// Adds what problems came to, once those whose rank is in doubt, or who are not for registers, are done over again.
    pub(super) fn tell(
        &self,
        flight: &Flight,
        context: &Arc<Context>,
        (ends, theta): (&[End], &[f32]),
        outcome: &mut Outcome,
    ) -> Result<(), Error> {
        let Flight { job, ids, .. } = flight;
        // All over again, with singular values.
        let rest: Vec<usize> = (0..ids.len()).filter(|&b| ends[b].status().is_none()).collect();
        let again: Vec<ProblemId> = rest.iter().map(|&b| ids[b]).collect();
        let mut over_again = Outcome::empty(Arc::clone(context));
        while over_again.len() < again.len() {
            let done = over_again.len();
            let end = again.len().min(done + self.most_at_once(job));
            let count = self.fitting(job, &again[done..end])?;
            let part = &again[done..done + count];
            let solved = pollster::block_on(self.solve(job, part))?;
            over_again.append(finish(job, context, part, &solved));
        }
        let before = outcome.len();
        flight.add_to(outcome, ends, theta);
        let positions: Vec<usize> = rest.iter().map(|b| before + b).collect();
        outcome.replace(&positions, &over_again);
        Ok(())
    }
}

impl Flight {
    /// Number of problems.
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Where its steps begin; `None` where none are taken in registers.
    pub(super) fn first_leg(&self) -> Option<Leg> {
        self.steps.as_ref().map(FusedSteps::first_leg)
    }

    /// Records many steps; `None` where none are taken in registers.
    pub(super) fn record(
        &self,
        device: &Device,
        commands: &mut Commands,
        leg: Leg,
    ) -> Result<Option<Left>, DeviceError> {
        let (Some(steps), Kind::Expression(model)) = (&self.steps, self.job.model().kind()) else { return Ok(None) };
        let [at_work, in_doubt] = steps.record(device, model, commands, &self.cargo.operands(), leg)?;
        let [at_work, in_doubt] = [commands.read_later(at_work, 0..1)?, commands.read_later(in_doubt, 0..1)?];
        Ok(Some(Left { at_work, in_doubt }))
    }

    /// Sets off, where any steps are taken in registers.
    pub(super) fn depart(&mut self, device: &Device) -> Result<(), Error> {
        self.first_leg().map_or(Ok(()), |leg| self.send(device, leg))
    }

    /// Goes on until no problem is left at work: how problems ended, if they did, and θ.
    pub(super) fn arrive(&mut self, device: &Device) -> Result<(Arrived<End>, Arrived<f32>), Error> {
        while let Some(Back { leg, left, ends, theta }) = self.back.take() {
            match left.after(leg)? {
                Some(next) => self.send(device, next)?,
                None => return Ok((ends.arrived_here()?, theta.arrived_here()?)),
            }
        }
        Ok((Arrived::from(vec![End::zeroed(); self.ids.len()]), Arrived::from(Vec::new())))
    }

    /// The data of its problems row by row, where they lie so on the device.
    pub(super) fn rows_of_data(&self) -> Option<&Buffer<f32>> {
        (!self.cargo.is_grid).then_some(&self.cargo.data)
    }

    fn send(&mut self, device: &Device, leg: Leg) -> Result<(), Error> {
        let mut commands = device.record("steps in registers");
        let Some(left) = self.record(device, &mut commands, leg)? else { return Ok(()) };
        let back = Back {
            leg,
            left,
            ends: commands.read_later(&self.cargo.ends, 0..self.ids.len())?,
            theta: commands.read_later(&self.cargo.theta, 0..self.cargo.theta.len())?,
        };
        commands.submit()?;
        self.back = Some(back);
        Ok(())
    }

    /// How problems ended, and θ.
    pub(super) fn read(&self, device: &Device) -> Result<(Vec<End>, Vec<f32>), DeviceError> {
        let mut commands = device.record("a read-back");
        let ends = commands.read_later(&self.cargo.ends, 0..self.ids.len())?;
        let theta = commands.read_later(&self.cargo.theta, 0..self.cargo.theta.len())?;
        commands.submit()?;
        Ok((ends.wait_here()?, theta.wait_here()?))
    }

    /// Where a run finds its starts and its list of problems, both of which it writes over.
    pub(super) fn beginning(&self) -> Option<(&Buffer<f32>, &Buffer<u32>)> {
        self.steps.as_ref().map(|steps| (&self.cargo.trial, steps.roster()))
    }

    /// θ, P × 1 in tiles.
    pub(super) fn parameters(&self) -> &Buffer<f32> {
        &self.cargo.theta
    }

    /// Adds what the device tells, problem by problem, where it has its place: memory of its own would be fetched from the
    /// system page by page.
    fn add_to(&self, outcome: &mut Outcome, ends: &[End], theta: &[f32]) {
        let Self { job, ids, cargo, .. } = self;
        let p = job.model().parameters().len();
        let first_set = ids[0].set;
        let row_of = |(&id, end): (&ProblemId, &End)| {
            // The square root of twice the loss, of data that were multiplied by the scale.
            let norm = f64::from(end.residual_norm) / cargo.scales[id.set - first_set];
            Row {
                reason: end.reason(),
                steps: end.steps,
                rank: end.rank(),
                loss: 0.5 * norm * norm,
                // A problem without one is done over again, and told of once more.
                ..row(job, id, end.status().unwrap_or(Status::StepLimit))
            }
        };
        outcome.starts.add(job, ids, &outcome.rows);
        outcome.rows.par_extend(ids.par_iter().with_min_len(TASK).zip(ends).map(row_of));
        extend_in_blocks(&mut outcome.parameters, ids.len() * p, TASK * p, |range, places| {
            for b in range.start / p..range.end / p {
                if ends[b].steps == 0 || theta.is_empty() {
                    // Nothing moved: the start as it was given, not its rounding to f32.
                    places.extend_from_slice(job.start(ids[b]));
                } else {
                    (0..p).for_each(|j| places.push(f64::from(theta[layout::element(b, j, 0, p, 1, LANES)])));
                }
            }
        });
        if outcome.context.has_own_sizes() {
            outcome.step_sizes.par_extend(ids.par_iter().with_min_len(TASK).map(|&id| job.rule(id).size));
        }
    }
}

/// How many problems a task of the host tells of, a multiple of [`LANES`].
const TASK: usize = 4096;
