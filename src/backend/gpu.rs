//! The GPU backend: chains the kernels into steps, many steps a submit, and reads each chunk back once.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

mod blocked;
mod chunk;
mod essential;
mod evaluation;
mod factoriser;
mod found;
mod fused;
mod history;
mod lane;
mod left;
mod look;
mod problems;
mod resident;
mod shape;

use crate::error::{Error, RequestError};
use crate::gpu::{Device, DeviceError};
use crate::kernels::problem::MOST_LANE_PARAMETERS;
use crate::kernels::svd::host::steps_are_unrolled;
use crate::kernels::svd::mapping;
use crate::sweep::{Job, ProblemId};

use super::Solutions;
use blocked::Cut;
use chunk::{Chunk, Work};
use fused::Kernels;
use shape::{ChunkShape, Way};

pub(crate) use crate::gpu::layout::LANES;
pub(crate) use crate::kernels::fused::host::MOST_PARAMETERS as MOST_IN_REGISTERS;
pub(crate) use essential::{Flight, IN_FLIGHT};
pub(crate) use left::Left;
pub(crate) use resident::Settled;

/// The longest that one dispatch may take. Watchdogs end a dispatch after about 2 s.
const DISPATCH_BUDGET: Duration = Duration::from_millis(200);

/// Steps a submit once a chunk has been seen to run well; between submits one counter is read.
const STEPS_PER_SUBMIT: u32 = 8;

/// Solves chunks on one device.
#[derive(Debug)]
pub(crate) struct GpuBackend {
    device: Device,
    pace: Mutex<Pace>,
    /// The last kernels of steps in registers.
    kernels: Mutex<Option<Arc<Kernels>>>,
}

/// Point-problems (rows × problems) a chunk, adapted so that no dispatch outlasts the budget. Results do not depend
/// on it.
#[derive(Debug)]
struct Pace {
    points: u64,
}

/// The magnitudes that f32 holds with room for a ratio of 100 either way.
const RANGE: std::ops::RangeInclusive<f64> = 1e-36..=1e36;

/// Refuses columns in units that f32 cannot hold: every value but zero turns into zero or infinity. Where only some do,
/// they are too small to matter beside the others, or their problems end as `non_finite`.
fn check_range(job: &Job) -> Result<(), Error> {
    for (k, name) in job.model().inputs().iter().enumerate() {
        let mut first = None;
        if !has_place(job.input_values(k), &mut first)
            && let Some(value) = first
        {
            return Err(RequestError::RangeOfF32 { what: format!("column \"{name}\""), value }.into());
        }
    }
    let mut first = None;
    for window in job.windows() {
        let (job, sets) = window?;
        if sets.is_empty() || has_place(job.responses(sets), &mut first) {
            return Ok(());
        }
    }
    let what = "the response".to_owned();
    first.map_or(Ok(()), |value| Err(RequestError::RangeOfF32 { what, value }.into()))
}

/// Whether a value has its place among the numbers of f32; `first` becomes the size of the first that is not zero.
fn has_place(values: impl Iterator<Item = f64>, first: &mut Option<f64>) -> bool {
    let mut sizes = values.map(f64::abs).filter(|&size| size > 0.0);
    sizes.any(|size| {
        first.get_or_insert(size);
        RANGE.contains(&size)
    })
}

impl GpuBackend {
    pub(crate) fn new(device: Device) -> Self {
        Self { device, pace: Mutex::new(Pace { points: 1 << 16 }), kernels: Mutex::new(None) }
    }

    pub(crate) fn device(&self) -> &Device {
        &self.device
    }

    /// How the problems of a job are spread over the device. Where the mapping of an SVD was never timed here, it is now.
    pub(crate) fn mapping(&self, job: &Job) -> String {
        let within = match () {
            () if self.flies(job) => "steps in registers, and where the rank is in doubt: ",
            () if self.looks_at_ends(job) => "steps in registers, and at their end and where the rank is in doubt: ",
            () => "",
        };
        format!("{within}{}", self.mapping_in_memory(job))
    }

    fn mapping_in_memory(&self, job: &Job) -> String {
        let ChunkShape { lanes, way, .. } = ChunkShape::of(&self.device, job);
        match way {
            Way::Lane { .. } if steps_are_unrolled(&self.device, job.model().parameters().len()) => {
                format!("lane, {lanes} problems a tile, steps in registers")
            }
            Way::Lane { .. } => format!("lane, {lanes} problems a tile, steps in loops"),
            Way::Blocked(cut) => {
                format!("blocked, {lanes} problems a tile, SVDs by {}", self.svd_mappings(job, cut, lanes))
            }
        }
    }

    /// The mappings of the SVDs of a job's steps: one for all tall problems, one for each number of rows of wide ones.
    fn svd_mappings(&self, job: &Job, cut: Cut, lanes: usize) -> String {
        let parameters = cut.sizes().parameters;
        let rows: BTreeSet<usize> = (0..job.sets()).map(|set| job.rows(set).len().min(parameters + 1)).collect();
        let name = |&rows: &usize| {
            let form = Cut::of(parameters, rows).svd();
            // What cannot be told now the run itself will say.
            mapping::choose(&self.device, form, lanes).map_or_else(|_| "none".to_owned(), |mapping| mapping.name(form))
        };
        rows.iter().map(name).collect::<BTreeSet<String>>().into_iter().collect::<Vec<String>>().join(", ")
    }

    /// Names of the elementary functions that the self-test had replaced.
    pub(crate) fn replaced_functions(&self) -> Vec<String> {
        self.device.capabilities().replaced_functions()
    }

    /// Refuses jobs that no chunking makes fit.
    pub(crate) fn check(&self, job: &Job) -> Result<(), Error> {
        let parameters = job.model().parameters().len();
        if parameters > MOST_LANE_PARAMETERS {
            let most = shape::most_parameters(&self.device, job.most_rows());
            if parameters > most {
                return Err(RequestError::TooManyParameters { parameters, most }.into());
            }
        }
        job.model().check_for_gpu()?;
        check_range(job)?;
        if fused::could_take(job) {
            // A way to take steps that there is not is told before anything runs.
            fused::in_registers(&self.device, job)?;
        }
        shape::check_history(&self.device, job)?;
        Ok(())
    }

    /// The most problems that a chunk may have at the pace of the chunks before.
    pub(crate) fn most_at_once(&self, job: &Job) -> usize {
        let points = self.pace.lock().map_or(1 << 16, |pace| pace.points);
        let wanted = (points / job.most_rows().max(1) as u64).max(1).next_multiple_of(LANES as u64);
        let most = wanted.min(ChunkShape::of(&self.device, job).problems) as usize;
        if self.looks_at_ends(job) { most.min(self.most_in_flight(job)) } else { most }
    }

    /// Bytes of the largest chunk of at most so many problems on the device, beside its data.
    #[cfg(feature = "cli")]
    pub(crate) fn bytes(&self, job: &Job, most: u64) -> u64 {
        let shape = ChunkShape::of(&self.device, job);
        let steps = if self.looks_at_ends(job) { self.in_flight(job, most).1 / IN_FLIGHT as u64 } else { 0 };
        shape.bytes(job, most.min(shape.problems)) + steps
    }

    /// How many from the front of `ids`, by ascending data set, one chunk holds.
    pub(crate) fn fitting(&self, job: &Job, ids: &[ProblemId]) -> Result<usize, Error> {
        let mut count = match ChunkShape::of(&self.device, job).way {
            Way::Blocked(cut) => Self::of_one_kind(job, cut, ids),
            Way::Lane { .. } => ids.len(),
        };
        // The rows of the chunk's data sets lie in one buffer.
        let row_bytes = 4 * (job.model().row_inputs() as u64 + 2);
        let limit = self.device.largest_buffer();
        let first_row = job.rows(ids[0].set).start;
        let rows = |count: usize| job.rows(ids[count - 1].set).end - first_row;
        let most_rows = (limit / row_bytes) as usize;
        while count > 1 && rows(count) > most_rows {
            count = count.div_ceil(2);
        }
        if rows(count) > most_rows {
            let bytes = rows(count) as u64 * row_bytes;
            return Err(DeviceError::TooLarge { label: "data".to_owned(), bytes, limit }.into());
        }
        Ok(count)
    }

    /// How many from the front of `ids` one chunk may hold without changing their bits.
    fn of_one_kind(job: &Job, cut: Cut, ids: &[ProblemId]) -> usize {
        let parameters = cut.sizes().parameters;
        let rows = |id: &ProblemId| job.rows(id.set).len();
        let first = rows(&ids[0]);
        ids.iter().position(|id| !Cut::together(parameters, [first, rows(id)])).unwrap_or(ids.len())
    }

    /// Solves the problems `ids`, by ascending data set.
    pub(crate) async fn solve(&self, job: &Job, ids: &[ProblemId]) -> Result<Solutions, Error> {
        if self.looks_at_ends(job) {
            self.solve_in_registers(job, ids).await
        } else {
            self.solve_in_memory(job, ids).await
        }
    }

    /// The same by kernels that keep J, its factors and the state of a problem in memory, and factor J with every step.
    async fn solve_in_memory(&self, job: &Job, ids: &[ProblemId]) -> Result<Solutions, Error> {
        let mut chunk = Chunk::upload(&self.device, job, ids, ChunkShape::of(&self.device, job))?;
        let started = Instant::now();
        let mut work = chunk.steps(&self.device, 1, Work::default()).await?;
        let points = ids.len() as u64 * job.most_rows() as u64;
        // Drivers compile at the first dispatch: a first step may be long for that alone, and the second one will tell.
        let first = started.elapsed();
        if first <= DISPATCH_BUDGET {
            self.adapt(first, points);
        }
        let mut submit = 1;
        // No more than from record to record: problems wait there.
        let most = match job.history().every {
            0 => STEPS_PER_SUBMIT,
            every => every.min(STEPS_PER_SUBMIT),
        };
        // The step limit, and the look at where the last step has led. Problems that have waited go on beyond it.
        let mut left = job.stop().steps;
        while work.running > 0 {
            let started = Instant::now();
            submit = submit.min(left.max(1));
            left -= submit.min(left);
            work = chunk.steps(&self.device, submit, work).await?;
            // The first step may have had no singular values in it.
            let each = started.elapsed() / submit;
            if each > DISPATCH_BUDGET {
                self.adapt(each, points);
            }
            submit = (2 * submit).min(most);
        }
        let found = chunk.collect(&self.device, job, ids).await?;
        Ok(Solutions::Left(Box::new(Left::all_of(found))))
    }

    /// Adapts the pace to the time that one step of a chunk took, which bounds each of its dispatches.
    fn adapt(&self, step: Duration, points: u64) {
        if let Ok(mut pace) = self.pace.lock() {
            if step > DISPATCH_BUDGET {
                pace.points = (points / 2).max(1);
            } else if step < DISPATCH_BUDGET / 4 && points >= pace.points {
                pace.points = points.saturating_mul(2).min(1 << 32);
            }
        }
    }
}
