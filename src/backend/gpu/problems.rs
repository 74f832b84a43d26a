//! The problems of a chunk on the device: what they are, where they are, and the factorisations that they stand on.

use crate::error::Error;
use crate::gpu::{Buffer, Device, Uniform, layout};
use crate::kernels::batch::Batch;
use crate::kernels::problem::{Problem, Rules, Sizes, State};
use crate::sweep::{Job, ProblemId};

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
    /// The problems that go on: how many, then which; and how many asked for singular values.
    pub(super) running: Buffer<u32>,
}

impl Problems {
    /// Puts the problems `ids` with their data sets on the device, in tiles of `lanes`.
    pub(super) fn upload(
        device: &Device,
        job: &Job,
        ids: &[ProblemId],
        (lanes, sizes): (usize, Sizes),
    ) -> Result<Self, Error> {
        let Sizes { parameters: p, directions } = sizes;
        let batch = Batch { count: ids.len(), lanes };
        let (first_set, last_set) = (ids[0].set, ids[ids.len() - 1].set);
        let scales: Vec<f64> = (first_set..=last_set).map(|set| unit_scale(job, set)).collect();
        let first_row = job.rows(first_set).start;
        let description: Vec<Problem> = ids
            .iter()
            .map(|id| {
                let rows = job.rows(id.set);
                let scale = scales[id.set - first_set];
                Problem::new(
                    &job.rule(*id),
                    (rows.start - first_row) as u32,
                    rows.len() as u32,
                    p,
                    scale,
                    job.response_norm(id.set) * scale,
                )
            })
            .collect();
        let mut theta = vec![0.0f32; batch.whole() * p];
        for (b, &id) in ids.iter().enumerate() {
            for (j, &value) in job.start(id).iter().enumerate() {
                theta[layout::element(b, j, 0, p, 1, lanes)] = value as f32;
            }
        }
        let moves = ids.iter().any(|id| job.rules()[id.rule].momentum != 0.0);
        let rules = Rules { history: job.history().every, ..Rules::new(ids.len() as u32, p, job.stop()) };
        let all: Vec<u32> = std::iter::once(ids.len() as u32).chain(0..ids.len() as u32).chain([0]).collect();
        let floats = |label: &str, each: usize| device.buffer::<f32>(label, batch.whole() * each);
        Ok(Self {
            rules: device.uniform(&rules)?,
            rules_of_waiting: device.uniform(&Rules { waits: 1, ..rules })?,
            description: device.buffer_from("problems", &description)?,
            states: device.buffer_from("states", &vec![State::start(); ids.len()])?,
            data: device.buffer_from("data", &rows(job, first_set..=last_set, &scales))?,
            trial: device.buffer_from("trial", &theta)?,
            previous: moves.then(|| device.buffer_from("previous", &theta)).transpose()?,
            theta: device.buffer_from("theta", &theta)?,
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

/// The data of these sets, row by row, their weights multiplied by the scale of each set.
fn rows(job: &Job, sets: std::ops::RangeInclusive<usize>, scales: &[f64]) -> Vec<f32> {
    let mut data = Vec::new();
    for (set, scale) in sets.zip(scales) {
        for row in job.rows(set) {
            data.extend(job.inputs(row).iter().map(|&x| x as f32));
            data.push(job.response(row) as f32);
            data.push((job.weight(row) * scale) as f32);
        }
    }
    data
}

/// The power of two that brings the root mean square of w∘y (of w, where y is zero) into [½, 1): the weights then hold
/// in f32 whatever the units of y, and no bit of the problem changes otherwise.
fn unit_scale(job: &Job, set: usize) -> f64 {
    let rows = job.rows(set);
    let points = rows.len().max(1) as f64;
    let mut mean = job.response_norm(set) / points.sqrt();
    if mean == 0.0 {
        mean = (rows.map(|row| job.weight(row).powi(2)).sum::<f64>() / points).sqrt();
    }
    // Clamped so that the scale and its square are numbers of f64.
    (-(mean.log2().floor() + 1.0)).clamp(-500.0, 500.0).exp2()
}
