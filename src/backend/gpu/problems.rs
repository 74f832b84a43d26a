//! The problems of a chunk on the device: what they are, where they are, and the factorisations that they stand on.

use rayon::prelude::*;

use crate::error::Error;
use crate::gpu::{Buffer, Device, DeviceError, Uniform, layout};
use crate::kernels::batch::Batch;
use crate::kernels::fused::quads;
use crate::kernels::problem::{Problem, Rules, Sizes, State};
use crate::sweep::{Job, ProblemId};

/// How many problems a task of the host puts into place.
const TASK: usize = 4096;

/// The buffers that every way to factor works with. Per-problem values are interleaved in tiles.
pub(super) struct Problems {
    /// How many, and how they lie.
    pub(super) batch: Batch,
    pub(super) sizes: Sizes,
    /// What the data of each data set were multiplied by: a power of two.
    pub(super) scales: Vec<f64>,
    pub(super) rules: Uniform<Rules>,
    /// The same where problems that need singular values wait.
    pub(super) rules_of_waiting: Uniform<Rules>,
    pub(super) description: Buffer<Problem>,
    pub(super) states: Buffer<State>,
    /// A row: the inputs, y, w.
    pub(super) data: Buffer<f32>,
    pub(super) theta: Buffer<f32>,
    pub(super) trial: Buffer<f32>,
    /// The point before θ, where a rule has momentum.
    pub(super) previous: Option<Buffer<f32>>,
    /// (P+1) × K: right singular vectors of JD, and β below them.
    pub(super) v: Buffer<f32>,
    pub(super) sigma: Buffer<f32>,
    /// Column lengths of J.
    pub(super) lengths: Buffer<f32>,
    /// The problems that go on: how many, then which; how many asked for singular values; and how many step by rotations.
    pub(super) running: Buffer<u32>,
}

impl Problems {
    /// Puts the problems `ids` with their data sets on the device, in tiles of `lanes`, at their starts.
    pub(super) fn upload(
        device: &Device,
        job: &Job,
        ids: &[ProblemId],
        (lanes, sizes): (usize, Sizes),
    ) -> Result<Self, Error> {
        Self::new(device, job, ids, (lanes, sizes), (&starts(job, ids, lanes), State::start()), None)
    }

    /// The same at points that have been accepted; `data` where the data sets are there.
    pub(super) fn at(
        device: &Device,
        job: &Job,
        ids: &[ProblemId],
        (lanes, sizes): (usize, Sizes),
        theta: &[f32],
        data: Option<&Buffer<f32>>,
    ) -> Result<Self, Error> {
        let accepted = State { fresh: State::ACCEPTED, ..State::start() };
        Self::new(device, job, ids, (lanes, sizes), (theta, accepted), data)
    }

    fn new(
        device: &Device,
        job: &Job,
        ids: &[ProblemId],
        (lanes, sizes): (usize, Sizes),
        (theta, state): (&[f32], State),
        data: Option<&Buffer<f32>>,
    ) -> Result<Self, Error> {
        let Sizes { parameters: p, directions } = sizes;
        let batch = Batch { count: ids.len(), lanes };
        let (first_set, last_set) = (ids[0].set, ids[ids.len() - 1].set);
        let (scales, norms) = units(job, first_set..last_set + 1);
        let description = described(job, ids, &scales, &norms);
        let moves = ids.iter().any(|id| job.rules()[id.rule].momentum != 0.0);
        let rules = rules(job, ids.len());
        let all: Vec<u32> = std::iter::once(ids.len() as u32).chain(0..ids.len() as u32).chain([0, 0]).collect();
        let floats = |label: &str, each: usize| device.buffer::<f32>(label, batch.whole() * each);
        Ok(Self {
            rules: device.uniform(&rules)?,
            rules_of_waiting: device.uniform(&Rules { waits: 1, ..rules })?,
            description: device.buffer_from("problems", &description)?,
            states: device.buffer_from("states", &vec![state; ids.len()])?,
            data: match data {
                Some(data) => data.clone(),
                None => RowsOfData { job, sets: first_set..=last_set, scales: &scales }.on(device)?,
            },
            trial: device.buffer_from("trial", theta)?,
            previous: moves.then(|| device.buffer_from("previous", theta)).transpose()?,
            theta: device.buffer_from("theta", theta)?,
            v: floats("V", (p + 1) * directions)?,
            sigma: floats("sigma", directions)?,
            lengths: floats("column lengths", p)?,
            running: device.buffer_from("running", &all)?,
            batch,
            sizes,
            scales,
        })
    }

    /// Workgroups over the problems.
    pub(super) fn groups(&self) -> u32 {
        self.batch.count.div_ceil(super::LANES) as u32
    }
}

/// What problems are, the data of their sets multiplied by these scales.
pub(super) fn described(job: &Job, ids: &[ProblemId], scales: &[f64], norms: &[f64]) -> Vec<Problem> {
    let parameters = job.model().parameters().len();
    let first_set = ids[0].set;
    let first_row = job.rows(first_set).start;
    let describe = |&id: &ProblemId| {
        let rows = job.rows(id.set);
        let scale = scales[id.set - first_set];
        let norm = norms[id.set - first_set] * scale;
        Problem::new(&job.rule(id), (rows.start - first_row) as u32, rows.len() as u32, parameters, scale, norm)
    };
    ids.par_iter().with_min_len(TASK).map(describe).collect()
}

/// The rules of so many problems, none of which has to wait.
pub(super) fn rules(job: &Job, problems: usize) -> Rules {
    let parameters = job.model().parameters().len();
    Rules { history: job.history().every, ..Rules::new(problems as u32, parameters, job.stop()) }
}

/// Where problems start, interleaved in tiles of `lanes`.
pub(super) fn starts(job: &Job, ids: &[ProblemId], lanes: usize) -> Vec<f32> {
    let tiles = |ids: &[ProblemId]| {
        let mut theta = Vec::new();
        add_starts(job, ids, lanes, &mut theta);
        theta
    };
    ids.par_chunks(TASK.next_multiple_of(lanes)).flat_map_iter(tiles).collect()
}

/// Adds where problems start, in whole tiles of `lanes`.
pub(super) fn add_starts(job: &Job, ids: &[ProblemId], lanes: usize, theta: &mut Vec<f32>) {
    let p = job.model().parameters().len();
    for ids in ids.chunks(lanes) {
        let first = theta.len();
        theta.resize(first + lanes * p, 0.0);
        let tile = &mut theta[first..];
        for (b, &id) in ids.iter().enumerate() {
            for (j, &value) in job.start(id).iter().enumerate() {
                tile[layout::element(b, j, 0, p, 1, lanes)] = value as f32;
            }
        }
    }
}

/// Whether all data sets have the same inputs, and no row a weight of its own.
pub(super) fn has_grid(job: &Job) -> bool {
    job.shared_grid().is_some() && !job.has_sigma()
}

/// The inputs of the rows of any data set, and after them the responses of these sets, as they lie in memory where they are
/// f32. All sets have as many rows, and the first is the first: where one begins is a multiple of that, which `quads` stands on.
pub(super) fn gridded_rows(
    device: &Device,
    job: &Job,
    sets: std::ops::RangeInclusive<usize>,
) -> Result<Buffer<f32>, Error> {
    let rows = job.rows(*sets.start()).start..job.rows(*sets.end()).end;
    let inputs: Vec<f32> = job.inputs_of(*sets.start()).iter().map(|&x| x as f32).collect();
    let mut data = device.filling("data", quads::room(inputs.len() + rows.len()))?;
    data.write(0, &inputs)?;
    data.write(inputs.len(), &job.responses_f32(rows))?;
    Ok(data.filled()?)
}

/// The data of some sets, row by row, their weights multiplied by the scale of each set.
pub(super) struct RowsOfData<'a> {
    pub(super) job: &'a Job,
    pub(super) sets: std::ops::RangeInclusive<usize>,
    pub(super) scales: &'a [f64],
}

impl RowsOfData<'_> {
    /// How many numbers they are: of each row the inputs, y and w.
    fn numbers(&self) -> usize {
        let rows = self.job.rows(*self.sets.end()).end - self.job.rows(*self.sets.start()).start;
        rows * (self.job.model().row_inputs() + 2)
    }

    /// All of them in memory on loan from a device.
    pub(super) fn on(&self, device: &Device) -> Result<Buffer<f32>, DeviceError> {
        let Self { job, sets, scales } = self;
        let sets = *sets.start()..sets.end() + 1;
        let each = self.numbers() / sets.len();
        let add = |some: std::ops::Range<usize>, data: &mut Vec<f32>| {
            for k in some {
                add_rows(job, sets.start + k, scales[k], data);
            }
        };
        if job.equal_rows().is_none() {
            // Where a set begins the one before it tells: one block of all.
            return device.lent_made("data", (self.numbers(), self.numbers()), |_, data| add(0..sets.len(), data));
        }
        let block = (TASK / job.most_rows().max(1)).max(1) * each;
        device.lent_made("data", (self.numbers(), block), |range, data| add(range.start / each..range.end / each, data))
    }
}

fn add_rows(job: &Job, set: usize, scale: f64, data: &mut Vec<f32>) {
    let rows = job.rows(set);
    let (inputs, width) = (job.inputs_of(set), job.model().row_inputs());
    for (i, (row, &response)) in rows.clone().zip(&*job.responses_f32(rows)).enumerate() {
        data.extend(inputs[i * width..(i + 1) * width].iter().map(|&x| x as f32));
        data.push(response);
        data.push((job.weight(row) * scale) as f32);
    }
}

/// What the data of each of these sets are multiplied by, and ‖w∘y‖ before that.
pub(super) fn units(job: &Job, sets: std::ops::Range<usize>) -> (Vec<f64>, Vec<f64>) {
    let of = |set: usize| {
        let norm = job.response_norm(set);
        (unit_scale(job, set, norm), norm)
    };
    sets.into_par_iter().with_min_len(TASK).map(of).unzip()
}

/// The power of two that brings the root mean square of w∘y (of w, where y is zero) into [½, 1): the weights then hold
/// in f32 whatever the units of y, and no bit of the problem changes otherwise.
fn unit_scale(job: &Job, set: usize, norm: f64) -> f64 {
    let rows = job.rows(set);
    let points = rows.len().max(1) as f64;
    let mut mean = norm / points.sqrt();
    if mean == 0.0 {
        mean = (rows.map(|row| job.weight(row).powi(2)).sum::<f64>() / points).sqrt();
    }
    // The exponent as f64 has it, that of a subnormal number taken for the least. Clamped so that the scale and its square are
    // numbers of f64.
    let exponent = (mean.to_bits() >> 52 & 0x7ff) as i64 - 1023;
    f64::from_bits(((-(exponent + 1)).clamp(-500, 500) + 1023) as u64 * (1 << 52))
}
