//! One chunk of problems on the device: its buffers, its kernels, its way down and back.

use std::sync::Arc;

use rayon::prelude::*;

use crate::error::Error;
use crate::gpu::{Buffer, Commands, Device, DeviceError, Kernel, Uniform};
use crate::kernels::problem::{Block, Problem, Rules, State};
use crate::kernels::{gram, jacobian, judge, qr, step, svd};
use crate::ngd::{Precision, Scaling, Status};
use crate::sweep::{Job, ProblemId};

use super::LANES;
use crate::backend::cpu::Workspace;
use crate::backend::finish::largest_eigenvalue;
use crate::backend::{Factorisation, Solved, Spectrum, second_look};

/// The kernels of a step, composed for one model.
pub(crate) struct Kernels {
    jacobian: Arc<Kernel>,
    qr: Arc<Kernel>,
    judge: Arc<Kernel>,
    svd: Arc<Kernel>,
    step: Arc<Kernel>,
    gram: Arc<Kernel>,
}

impl Kernels {
    pub(crate) fn new(device: &Device, job: &Job) -> Result<Self, DeviceError> {
        let p = job.model().parameters().len();
        Ok(Self {
            jacobian: jacobian::host::kernel(device, job.model())?,
            qr: qr::host::kernel(device, p)?,
            judge: judge::host::kernel(device, p)?,
            svd: svd::host::kernel(device, p)?,
            step: step::host::kernel(device, p)?,
            gram: gram::host::kernel(device, p)?,
        })
    }
}

/// The buffers of a chunk. Per-problem values are interleaved in tiles of `LANES` problems.
pub(crate) struct Chunk {
    kernels: Kernels,
    problems: usize,
    capacity: usize,
    parameters: usize,
    /// What the data of each data set were multiplied by: a power of two.
    scales: Vec<f64>,
    rules: Uniform<Rules>,
    spans: Vec<Uniform<Block>>,
    /// The same blocks once more, finished problems included.
    last_spans: Vec<Uniform<Block>>,
    block_rows: u32,
    description: Buffer<Problem>,
    states: Buffer<State>,
    data: Buffer<f32>,
    theta: Buffer<f32>,
    trial: Buffer<f32>,
    block: Buffer<f32>,
    factor: Buffer<f32>,
    w: Buffer<f32>,
    sigma: Buffer<f32>,
    lengths: Buffer<f32>,
    running: Buffer<u32>,
}

impl Chunk {
    /// Puts the problems `ids` with their data sets on the device.
    pub(crate) fn upload(device: &Device, job: &Job, ids: &[ProblemId], block_rows: usize) -> Result<Self, Error> {
        let kernels = Kernels::new(device, job)?;
        let p = job.model().parameters().len();
        let capacity = ids.len().next_multiple_of(LANES);
        let (first_set, last_set) = (ids[0].set, ids[ids.len() - 1].set);
        let scales: Vec<f64> = (first_set..=last_set).map(|set| unit_scale(job, set)).collect();
        let first_row = job.rows(first_set).start;

        let width = job.model().inputs().len() + 2;
        let rows = job.rows(last_set).end - first_row;
        let mut data = Vec::with_capacity(rows * width);
        for set in first_set..=last_set {
            for row in job.rows(set) {
                data.extend(job.inputs(row).iter().map(|&x| x as f32));
                data.push(job.response(row) as f32);
                data.push((job.weight(row) * scales[set - first_set]) as f32);
            }
        }

        let description: Vec<Problem> = ids
            .iter()
            .map(|id| {
                let rows = job.rows(id.set);
                let scale = scales[id.set - first_set];
                Problem::new(
                    &job.rules()[id.rule],
                    (rows.start - first_row) as u32,
                    rows.len() as u32,
                    p,
                    scale,
                    job.response_norm(id.set) * scale,
                )
            })
            .collect();
        let mut theta = vec![0.0f32; capacity * p];
        for (b, &id) in ids.iter().enumerate() {
            for (j, &value) in job.start(id).iter().enumerate() {
                theta[crate::gpu::layout::element(b, j, 0, p, 1, LANES)] = value as f32;
            }
        }

        let most_rows = ids.iter().map(|id| job.rows(id.set).len()).max().unwrap_or(0);
        let blocks = most_rows.div_ceil(block_rows).max(1);
        let span = |k: usize, all: bool| {
            device.uniform(&Block {
                first: (k * block_rows) as u32,
                rows: block_rows as u32,
                all: u32::from(all),
                padding: 0,
            })
        };
        let floats = |label: &str, each: usize| device.buffer::<f32>(label, capacity * each);
        Ok(Self {
            rules: device.uniform(&Rules::new(ids.len() as u32, p, job.stop()))?,
            spans: (0..blocks).map(|k| span(k, false)).collect::<Result<_, _>>()?,
            last_spans: (0..blocks).map(|k| span(k, true)).collect::<Result<_, _>>()?,
            description: device.buffer_from("problems", &description)?,
            states: device.buffer_from("states", &vec![State::start(); ids.len()])?,
            data: device.buffer_from("data", &data)?,
            trial: device.buffer_from("trial", &theta)?,
            theta: device.buffer_from("theta", &theta)?,
            block: floats("block of [J | e]", block_rows * (p + 1))?,
            factor: floats("R", p * (p + 1))?,
            w: floats("W", p * (p + 1))?,
            sigma: floats("sigma", p)?,
            lengths: floats("column lengths", p)?,
            running: device.buffer("running", 1)?,
            block_rows: block_rows as u32,
            problems: ids.len(),
            parameters: p,
            kernels,
            capacity,
            scales,
        })
    }

    /// Workgroups over the problems.
    fn groups(&self) -> u32 {
        (self.capacity / LANES) as u32
    }

    /// Takes `count` steps; how many problems go on.
    pub(crate) async fn steps(&self, device: &Device, count: u32) -> Result<u32, DeviceError> {
        let mut commands = device.record("steps");
        for _ in 0..count {
            self.record_step(&mut commands)?;
        }
        let running = commands.read_later(&self.running, 0..1)?;
        commands.submit()?;
        Ok(running.wait().await?.first().copied().unwrap_or(0))
    }

    fn record_step(&self, commands: &mut Commands) -> Result<(), DeviceError> {
        let groups = self.groups();
        let kernels = &self.kernels;
        for span in &self.spans {
            self.record_jacobian(commands, span, &self.trial)?;
            commands.dispatch(
                &kernels.qr,
                &[&self.rules, span, &self.description, &self.states, &self.block, &self.factor],
                [groups, 1, 1],
            )?;
        }
        commands.dispatch(
            &kernels.judge,
            &[&self.rules, &self.description, &self.states, &self.trial, &self.theta, &self.sigma],
            [groups, 1, 1],
        )?;
        commands.dispatch(
            &kernels.svd,
            &[&self.rules, &self.description, &self.states, &self.factor, &self.w, &self.sigma, &self.lengths],
            [groups, 1, 1],
        )?;
        commands.clear(&self.running)?;
        commands.dispatch(
            &kernels.step,
            &[
                &self.rules,
                &self.description,
                &self.states,
                &self.w,
                &self.sigma,
                &self.lengths,
                &self.theta,
                &self.trial,
                &self.running,
            ],
            [groups, 1, 1],
        )
    }

    fn record_jacobian(
        &self,
        commands: &mut Commands,
        span: &Uniform<Block>,
        theta: &Buffer<f32>,
    ) -> Result<(), DeviceError> {
        commands.dispatch(
            &self.kernels.jacobian,
            &[&self.rules, span, &self.description, &self.states, &self.data, theta, &self.block],
            [self.groups(), self.block_rows, 1],
        )
    }

    /// Reads the chunk back, once: θ, the factorisation it stands on, and JᵀJ at it.
    pub(crate) async fn collect(&self, device: &Device, job: &Job, ids: &[ProblemId]) -> Result<Vec<Solved>, Error> {
        let p = self.parameters;
        let gram = device.buffer::<f32>("gram", self.capacity * (p + 1) * (p + 1))?;
        let mut commands = device.record("collect");
        for span in &self.last_spans {
            self.record_jacobian(&mut commands, span, &self.theta)?;
            commands.dispatch(
                &self.kernels.gram,
                &[&self.rules, span, &self.description, &self.block, &gram],
                [self.groups(), 1, 1],
            )?;
        }
        let reads = (
            commands.read_later(&self.states, 0..self.problems)?,
            commands.read_later(&self.theta, 0..self.theta.len())?,
            commands.read_later(&self.w, 0..self.w.len())?,
            commands.read_later(&self.sigma, 0..self.sigma.len())?,
            commands.read_later(&self.lengths, 0..self.lengths.len())?,
            commands.read_later(&gram, 0..gram.len())?,
        );
        commands.submit()?;
        let found = Found {
            states: reads.0.wait().await?,
            theta: reads.1.wait().await?,
            w: reads.2.wait().await?,
            sigma: reads.3.wait().await?,
            lengths: reads.4.wait().await?,
            gram: reads.5.wait().await?,
            parameters: p,
        };
        let first_set = ids[0].set;
        Ok(ids
            .par_iter()
            .enumerate()
            .map_init(Workspace::new, |workspace, (b, &id)| {
                let mut solved = found.problem(b, job, id, self.scales[id.set - first_set]);
                second_look(job, id, &mut solved, workspace);
                solved
            })
            .collect())
    }
}

/// What came back of a chunk, still interleaved.
struct Found {
    states: Vec<State>,
    theta: Vec<f32>,
    w: Vec<f32>,
    sigma: Vec<f32>,
    lengths: Vec<f32>,
    gram: Vec<f32>,
    parameters: usize,
}

impl Found {
    fn at(&self, values: &[f32], b: usize, i: usize, j: usize, rows: usize, columns: usize) -> f64 {
        f64::from(values[crate::gpu::layout::element(b, i, j, rows, columns, LANES)])
    }

    /// Problem b of the chunk, in the user's units: the host had multiplied its residual and J by `scale`.
    fn problem(&self, b: usize, job: &Job, id: ProblemId, scale: f64) -> Solved {
        let p = self.parameters;
        let state = &self.states[b];
        let status = state.status().unwrap_or(Status::StepLimit);
        let factored = match status {
            Status::Diverged | Status::FactorizationLimit => false,
            Status::NonFinite => state.steps > 0,
            _ => true,
        };
        let theta = if state.steps == 0 {
            // Nothing moved: the start as it was given, not its rounding to f32.
            job.start(id).to_vec()
        } else {
            (0..p).map(|j| self.at(&self.theta, b, j, 0, p, 1)).collect()
        };
        Solved {
            theta,
            status,
            reason: state.reason(),
            steps: state.steps,
            spectrum: factored.then(|| self.spectrum(b, job, id, scale)),
            gn_sharpness: Some(self.sharpness(b, scale)).filter(|sharpness| sharpness.is_finite()),
        }
    }

    fn spectrum(&self, b: usize, job: &Job, id: ProblemId, scale: f64) -> Spectrum {
        let p = self.parameters;
        let scaling = job.rules()[id.rule].scaling;
        let sigma: Vec<f64> = (0..p).map(|i| self.at(&self.sigma, b, i, 0, p, 1)).collect();
        let rank = (self.states[b].rank as usize).min(p);
        let nonzero = sigma.iter().take_while(|&&s| s > 0.0).count();
        let mut v = vec![0.0; nonzero * p];
        for i in 0..nonzero {
            for j in 0..p {
                v[i * p + j] = self.at(&self.w, b, j, i, p + 1, p) / sigma[i];
            }
        }
        // Of the user's J, not of the scaled one: its column lengths are 1/scale times those measured, and so are its
        // singular values where the columns were not brought to unit length.
        let lengths = (0..p).map(|j| self.at(&self.lengths, b, j, 0, p, 1) / scale);
        let diagonal: Vec<f64> = lengths.map(|length| scaling.factor(length)).collect();
        let unit = match scaling {
            Scaling::Columns => 1.0,
            Scaling::None => scale,
        };
        let noise = Precision::F32.default_cutoff(job.rows(id.set).len(), p);
        let factorisation = Factorisation { v: &v, rank, scale: &diagonal, noise };
        Spectrum::new(sigma.iter().map(|s| s / unit).collect(), factorisation)
    }

    fn sharpness(&self, b: usize, scale: f64) -> f64 {
        let p = self.parameters;
        let fisher =
            faer::Mat::from_fn(p, p, |j, k| if k <= j { self.at(&self.gram, b, j, k, p + 1, p + 1) } else { 0.0 });
        largest_eigenvalue(&fisher) / (scale * scale)
    }
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
