//! What comes back of a chunk.

use crate::backend::finish::largest_eigenvalue;
use crate::backend::{Factorisation, Solved, Spectrum};
use crate::gpu::layout;
use crate::kernels::problem::{Sizes, State};
use crate::ngd::{Precision, Scaling, Status};
use crate::sweep::{Job, ProblemId};

use super::history::Layout;

/// The buffers of a chunk, still interleaved.
pub(super) struct Found {
    pub(super) states: Vec<State>,
    pub(super) theta: Vec<f32>,
    /// Empty for a network.
    pub(super) v: Vec<f32>,
    pub(super) sigma: Vec<f32>,
    pub(super) lengths: Vec<f32>,
    /// Of [J | e], where it was measured.
    pub(super) gram: Option<Vec<f32>>,
    /// The records of the way, where a history is kept.
    pub(super) history: Option<(Layout, Vec<f32>)>,
    pub(super) sizes: Sizes,
    pub(super) lanes: usize,
}

impl Found {
    fn at(&self, values: &[f32], b: usize, (i, j): (usize, usize), (rows, columns): (usize, usize)) -> f64 {
        f64::from(values[layout::element(b, i, j, rows, columns, self.lanes)])
    }

    /// Problem b of the chunk, in the user's units: the host had multiplied its residual and J by `scale`.
    pub(super) fn problem(&self, b: usize, job: &Job, id: ProblemId, scale: f64) -> Solved {
        let p = self.sizes.parameters;
        let state = &self.states[b];
        let status = state.status().unwrap_or(Status::StepLimit);
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
        let largest = spectrum.as_ref().filter(|_| job.rules()[id.rule].scaling == Scaling::None);
        let sharpness = match &self.gram {
            Some(gram) => Some(self.sharpness(gram, b, scale)),
            // What was factored is J itself.
            None => largest.and_then(|spectrum| spectrum.sigma.first()).map(|sigma| sigma * sigma),
        };
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
        let places = (0..nonzero).flat_map(|i| (0..p).map(move |j| (j, i)));
        let v: Vec<f64> = places.map(|place| self.at(&self.v, b, place, (p + 1, directions))).collect();
        // Of the user's J, not of the scaled one: its column lengths are 1/scale times those measured, and so are its
        // singular values where the columns were not brought to unit length.
        let lengths = (0..p).map(|j| self.at(&self.lengths, b, (j, 0), (p, 1)) / scale);
        let diagonal: Vec<f64> = lengths.map(|length| scaling.factor(length)).collect();
        sigma.iter_mut().for_each(|value| *value /= unit);
        sigma.resize(p, 0.0);
        let noise = Precision::F32.default_cutoff(job.rows(id.set).len(), p);
        Spectrum::new(sigma, Factorisation { v: &v, rank, scale: &diagonal, noise })
    }

    fn sharpness(&self, gram: &[f32], b: usize, scale: f64) -> f64 {
        let p = self.sizes.parameters;
        let entry = |j: usize, k: usize| if k <= j { self.at(gram, b, (j, k), (p + 1, p + 1)) } else { 0.0 };
        largest_eigenvalue(&faer::Mat::from_fn(p, p, entry)) / (scale * scale)
    }
}
