//! How a job's problems are spread over the device, and how many of them fit it.

use crate::error::RequestError;
use crate::gpu::Device;
use crate::kernels::batch::tile;
use crate::kernels::problem::{MOST_LANE_PARAMETERS, SEGMENT, Sizes, State};
use crate::sweep::Job;

use super::LANES;
use super::blocked::Cut;
use super::history::Layout;

/// The most memory that the largest buffer of a chunk may take, whatever the device allows.
pub(super) const BLOCK_BYTES: u64 = 256 << 20;

/// How steps are factored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// One invocation a problem.
    Lane {
        /// Rows of J held at once.
        block_rows: usize,
    },
    /// By the kernels of the linear algebra.
    Blocked(Cut),
}

impl Way {
    /// The same for a chunk of a job, whose longest problem has so many rows.
    pub(super) fn of_chunk(self, most_rows: usize) -> Self {
        match self {
            Self::Lane { .. } => self,
            Self::Blocked(cut) => Self::Blocked(Cut::of(cut.sizes().parameters, most_rows)),
        }
    }

    pub(super) fn sizes(self, parameters: usize) -> Sizes {
        match self {
            Self::Lane { .. } => Sizes { parameters, directions: parameters },
            Self::Blocked(cut) => cut.sizes(),
        }
    }
}

/// How a job's problems lie, and how many fit the device's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChunkShape {
    /// Problems, at most.
    pub(super) problems: u64,
    /// Problems a tile.
    pub(super) lanes: usize,
    pub(super) way: Way,
}

impl ChunkShape {
    /// What a device makes of a job.
    pub(super) fn of(device: &Device, job: &Job) -> Self {
        let p = job.model().parameters().len();
        let shape = if p > MOST_LANE_PARAMETERS {
            Self::blocked(device, p, job.most_rows())
        } else {
            Self::lane(device, p, job.most_rows())
        };
        let limit = device.largest_buffer().min(BLOCK_BYTES);
        let recorded = Layout::of(job).map_or(u64::MAX, |layout| (limit / layout.bytes().max(1)).max(1));
        Self { problems: shape.problems.min(recorded), ..shape }
    }

    fn lane(device: &Device, parameters: usize, rows: usize) -> Self {
        let limit = device.largest_buffer().min(BLOCK_BYTES);
        let p = parameters as u64;
        let segment = SEGMENT as usize;
        let workgroups = u64::from(device.limits().max_compute_workgroups_per_dimension);
        // As many rows at once as still leave room for a good number of problems; blocks begin at whole segments.
        let tile_row = 4 * (p + 1) * LANES as u64;
        let most_rows = (limit / tile_row).min(workgroups) as usize;
        let block_rows = if rows <= segment.max(4096).min(most_rows) {
            rows.max(1)
        } else {
            (most_rows.min(4096) / segment * segment).max(segment)
        };
        let words = ((p + 1) * block_rows as u64).max((p + 1) * (p + 1));
        let problems = whole_tiles(device, limit, (4 * words).max(size_of::<State>() as u64), LANES);
        Self { problems: problems.max(LANES as u64), lanes: LANES, way: Way::Lane { block_rows } }
    }

    /// Bytes on the device of a chunk of so many problems, beside its data: the buffers that grow with its problems.
    #[cfg(feature = "cli")]
    pub(super) fn bytes(self, job: &Job, problems: u64) -> u64 {
        let p = job.model().parameters().len() as u64;
        let words = match self.way {
            // J, R, the Gram matrix and V.
            Way::Lane { block_rows } => (p + 1) * (block_rows as u64 + 3 * p + 1),
            // J, its QR, V and the SVD's working matrix.
            Way::Blocked(cut) => 4 * cut.elements() as u64,
        };
        let each = size_of::<State>() as u64 + size_of::<crate::kernels::problem::Problem>() as u64;
        let history = Layout::of(job).map_or(0, Layout::bytes);
        // θ, the trial point and the one before, σ, lengths.
        problems.next_multiple_of(self.lanes as u64) * (4 * (words + 5 * p) + each + history)
    }

    fn blocked(device: &Device, parameters: usize, rows: usize) -> Self {
        let cut = Cut::of(parameters, rows);
        // There are several buffers of that size: J, its QR, V and the SVD's working matrix.
        let limit = device.largest_buffer().min(BLOCK_BYTES / 2);
        let lanes = tile(device, cut.elements());
        let problems = whole_tiles(device, limit, 4 * cut.elements() as u64, lanes);
        Self { problems: problems.max(lanes as u64), lanes, way: Way::Blocked(cut) }
    }
}

/// Problems of so many bytes that fit, in whole tiles.
fn whole_tiles(device: &Device, limit: u64, bytes: u64, lanes: usize) -> u64 {
    let workgroups = u64::from(device.limits().max_compute_workgroups_per_dimension);
    (limit / bytes).min(workgroups * LANES as u64) / lanes as u64 * lanes as u64
}

/// Refuses a history of which not even one problem's fits a buffer.
pub(super) fn check_history(device: &Device, job: &Job) -> Result<(), RequestError> {
    let most = device.largest_buffer();
    match Layout::of(job).map(Layout::bytes) {
        Some(needed) if needed > most => {
            Err(RequestError::HistoryTooLarge { needed, place: "a buffer of the device", most })
        }
        _ => Ok(()),
    }
}

/// The most parameters that problems of so many rows may have: one of them fits a buffer, and the columns of [J | e] are a
/// workgroup each.
pub(super) fn most_parameters(device: &Device, rows: usize) -> usize {
    let workgroups = device.limits().max_compute_workgroups_per_dimension as usize;
    let fits = |parameters: usize| {
        let bytes = 4 * Cut::of(parameters, rows).elements() as u64;
        bytes <= device.largest_buffer() && parameters < workgroups
    };
    let mut beyond = 2 * MOST_LANE_PARAMETERS;
    while fits(beyond) {
        beyond *= 2;
    }
    let mut least = MOST_LANE_PARAMETERS;
    while least + 1 < beyond {
        let middle = usize::midpoint(least, beyond);
        if fits(middle) { least = middle } else { beyond = middle }
    }
    least
}
