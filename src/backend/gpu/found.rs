//! What comes back of a chunk.

use rayon::prelude::*;

use crate::backend::{Factorisation, Solved, Spectrum};
use crate::gpu::{Arrived, Device, DeviceError, layout};
use crate::kernels::problem::{End, Problem, Sizes, State};
use crate::ngd::{Precision, Scaling, Status};
use crate::sweep::{Job, ProblemId};

use super::history::{History, Layout};
use super::problems::Problems;

/// How many problems a task of the host looks at.
const TASK: usize = 1024;

/// The buffers of a chunk, still interleaved.
pub(super) struct Found {
    pub(super) states: Vec<State>,
    theta: Arrived<f32>,
    /// Empty for a network.
    v: Arrived<f32>,
    sigma: Arrived<f32>,
    lengths: Arrived<f32>,
    /// The records of the way, where a history is kept.
    history: Option<(Layout, Arrived<f32>)>,
    sizes: Sizes,
    lanes: usize,
    /// What the data of each data set were multiplied by, from that of the first problem on.
    scales: Vec<f64>,
    first_set: usize,
}

impl Found {
    /// Reads back where problems are, the factorisations that they stand on, and what was recorded of them.
    pub(super) async fn read(
        device: &Device,
        (job, ids): (&Job, &[ProblemId]),
        problems: &Problems,
        history: Option<&History>,
    ) -> Result<Self, DeviceError> {
        let Problems { batch, states, theta, v, sigma, lengths, .. } = problems;
        // Of a network nothing is made of V.
        let v = job.model().as_network().is_none().then_some(v);
        let mut commands = device.record("collect");
        let of_states = commands.read_later(states, 0..batch.count)?;
        let mut floats = Vec::new();
        let records = history.map(|history| &history.records);
        for buffer in [theta, sigma, lengths].into_iter().chain(v).chain(records) {
            floats.push(commands.read_later(buffer, 0..buffer.len())?);
        }
        commands.submit()?;
        let states = of_states.wait().await?;
        let mut values = Vec::with_capacity(floats.len());
        for read in floats {
            values.push(read.arrived().await?);
        }
        let mut values = values.into_iter();
        let mut next = || values.next().unwrap_or_else(|| Arrived::from(Vec::new()));
        Ok(Self {
            states,
            theta: next(),
            sigma: next(),
            lengths: next(),
            v: if v.is_some() { next() } else { Arrived::from(Vec::new()) },
            history: history.map(|history| (history.layout, next())),
            sizes: problems.sizes,
            lanes: batch.lanes,
            scales: problems.scales.clone(),
            first_set: ids[0].set,
        })
    }

    /// Puts how problems ended in registers in the place of what the look at them left, with the rank that was found there.
    pub(super) fn end(&mut self, job: &Job, ids: &[ProblemId], ends: &[End]) {
        let mut states = std::mem::take(&mut self.states);
        let of_problems = states.par_iter_mut().zip(ids).zip(ends).enumerate().with_min_len(TASK);
        of_problems.for_each(|(b, ((state, &id), end))| {
            if state.status().is_none() && end.status().is_some() {
                *state = end.state(self.rank(b, job, id));
            }
        });
        self.states = states;
    }

    /// How many singular values of problem b count: as `shaders/step.wgsl` has it.
    fn rank(&self, b: usize, job: &Job, id: ProblemId) -> u32 {
        let Sizes { parameters, directions } = self.sizes;
        let known = Problem::new(&job.rule(id), 0, job.rows(id.set).len() as u32, parameters, 1.0, 0.0);
        let sigma = |i: usize| self.sigma[layout::element(b, i, 0, directions, 1, self.lanes)];
        let least = known.cutoff * sigma(0);
        let counts = |&i: &usize| sigma(i) > 0.0 && sigma(i) > least;
        (0..directions.min(known.fixed_rank as usize)).take_while(counts).count() as u32
    }

    fn at(&self, values: &[f32], b: usize, (i, j): (usize, usize), (rows, columns): (usize, usize)) -> f64 {
        f64::from(values[layout::element(b, i, j, rows, columns, self.lanes)])
    }

    /// How problem b of the chunk ended.
    pub(super) fn status(&self, b: usize) -> Status {
        self.states[b].status().unwrap_or(Status::StepLimit)
    }

    /// Problem b of the chunk, which is problem `id` of the job, in the user's units: the host had multiplied its residual and
    /// J by the scale of its data set.
    pub(super) fn problem(&self, b: usize, job: &Job, id: ProblemId) -> Solved {
        let p = self.sizes.parameters;
        let scale = self.scales[id.set - self.first_set];
        let (state, status) = (&self.states[b], self.status(b));
        let factored = match status {
            Status::Diverged | Status::FactorizationLimit => false,
            // The point before was factored, unless its step took no singular values.
            Status::NonFinite => state.steps > 0 && state.rank > 0,
            _ => true,
        };
        let theta = if state.steps == 0 {
            // Nothing moved: the start as it was given, not its rounding to f32.
            job.start(id).to_vec()
        } else {
            (0..p).map(|j| self.at(&self.theta, b, (j, 0), (p, 1))).collect()
        };
        let spectrum = factored.then(|| self.spectrum(b, job, id, scale));
        // Where what was factored is J itself.
        let largest = spectrum.as_ref().filter(|_| job.rules()[id.rule].scaling == Scaling::None);
        let sharpness = largest.and_then(|spectrum| spectrum.sigma.first()).map(|sigma| sigma * sigma);
        let way = self
            .history
            .as_ref()
            .map(|(layout, records)| layout.waypoints(records, (b, state.steps), (job, id), scale));
        Solved {
            theta,
            status,
            reason: state.reason(),
            steps: state.steps,
            spectrum,
            gn_sharpness: sharpness.filter(|sharpness| sharpness.is_finite()),
            way: way.unwrap_or_default(),
        }
    }

    fn spectrum(&self, b: usize, job: &Job, id: ProblemId, scale: f64) -> Spectrum {
        let Sizes { parameters: p, directions } = self.sizes;
        let scaling = job.rules()[id.rule].scaling;
        let mut sigma: Vec<f64> = (0..directions).map(|i| self.at(&self.sigma, b, (i, 0), (directions, 1))).collect();
        let rank = (self.states[b].rank as usize).min(directions);
        let nonzero = sigma.iter().take_while(|&&s| s > 0.0).count();
        let unit = match scaling {
            Scaling::Columns => 1.0,
            Scaling::None => scale,
        };
        if job.model().as_network().is_some() {
            sigma.iter_mut().for_each(|value| *value /= unit);
            sigma.resize(p, 0.0);
            return Spectrum::of_network(sigma, rank);
        }
        let mut v = Vec::with_capacity(nonzero * p);
        for i in 0..nonzero {
            v.extend((0..p).map(|j| self.at(&self.v, b, (j, i), (p + 1, directions))));
        }
        // Of the user's J, not of the scaled one: its column lengths are 1/scale times those measured, and so are its
        // singular values where the columns were not brought to unit length.
        let lengths = (0..p).map(|j| self.at(&self.lengths, b, (j, 0), (p, 1)) / scale);
        let diagonal: Vec<f64> = lengths.map(|length| scaling.factor(length)).collect();
        sigma.iter_mut().for_each(|value| *value /= unit);
        sigma.resize(p, 0.0);
        let noise = Precision::F32.default_cutoff(job.rows(id.set).len(), p);
        Spectrum::new(sigma, Factorisation { v: &v, rank, scale: &diagonal, noise })
    }
}
