//! All that can be told of problems whose steps are taken in registers: J is factored once, where they end.

use std::borrow::Cow;
use std::time::Instant;

use crate::backend::Solutions;
use crate::error::Error;
use crate::gpu::layout::element;
use crate::kernels::problem::End;
use crate::kernels::step_dual::steps::Needed;
use crate::ngd::Status;
use crate::sweep::{Detail, Job, ProblemId};

use super::essential::Flight;
use super::factoriser::Factoriser;
use super::found::Found;
use super::left::Left;
use super::problems::Problems;
use super::shape::{ChunkShape, Way};
use super::{GpuBackend, LANES, fused};

impl GpuBackend {
    /// Whether a job's problems take their steps in registers, and are looked at where they end.
    ///
    /// Not where a history is kept: its records are of factorisations on the way.
    pub(super) fn looks_at_ends(&self, job: &Job) -> bool {
        job.detail() == Detail::Full
            && !job.history().is_kept()
            && fused::in_registers(&self.device, job).is_ok_and(|chosen| chosen)
    }

    /// Solves the problems `ids`, by ascending data set: those whose rank is in doubt, or who are not for registers, in
    /// memory.
    pub(super) async fn solve_in_registers(&self, job: &Job, ids: &[ProblemId]) -> Result<Solutions, Error> {
        let most_rows = ids.iter().map(|id| job.rows(id.set).len()).max().unwrap_or(0);
        let shape = ChunkShape::of(&self.device, job);
        let shape = ChunkShape { way: shape.way.of_chunk(most_rows), ..shape };
        // None of these takes its steps in registers, and no chunk has other problems beside them.
        if matches!(shape.way, Way::Blocked(cut) if cut.is_wide()) {
            return self.solve_in_memory(job, ids).await;
        }
        let mut flight = self.loaded(job.clone(), ids.to_vec(), &self.kernels(job)?)?;
        flight.depart(&self.device)?;
        let (ends, theta) = flight.arrive(&self.device)?;
        if ends.iter().all(|end| end.status().is_none()) {
            return self.solve_in_memory(job, ids).await;
        }
        let found = self.look(job, ids, (&flight, shape, most_rows), (&ends, &theta)).await?;
        let ended = |b: usize| ends[b].status().is_some() && found.status(b) != Status::FactorizationLimit;
        let rest: Vec<usize> = (0..ids.len()).filter(|&b| !ended(b)).collect();
        let mut over_again = Vec::new();
        if !rest.is_empty() {
            let again: Vec<ProblemId> = rest.iter().map(|&b| ids[b]).collect();
            let solved = self.solve_in_memory(job, &again).await?.all(job, &again);
            over_again = rest.into_iter().zip(solved).collect();
        }
        Ok(Solutions::Left(Box::new(Left::new(found, over_again))))
    }

    /// Factors J where problems ended.
    async fn look(
        &self,
        job: &Job,
        ids: &[ProblemId],
        (flight, ChunkShape { lanes, way, .. }, most_rows): (&Flight, ChunkShape, usize),
        (ends, theta): (&[End], &[f32]),
    ) -> Result<Found, Error> {
        let device = &self.device;
        let p = job.model().parameters().len();
        let theta = if lanes == LANES { Cow::from(theta) } else { retiled(theta, (ids.len(), p), lanes).into() };
        let problems = Problems::at(device, job, ids, (lanes, way.sizes(p)), &theta, flight.rows_of_data())?;
        let factoriser = Factoriser::new(device, job, &problems, way, most_rows)?;
        let started = Instant::now();
        let mut commands = device.record("a look at ends");
        factoriser.record_evaluation(device, &mut commands, &problems)?;
        let needed = Needed { kernel: false, rotations: false, values: true };
        factoriser.record_factorisation(device, &mut commands, &problems, (&problems.rules, needed))?;
        commands.submit()?;
        let mut found = Found::read(device, (job, ids), &problems, None).await?;
        self.adapt(started.elapsed(), ids.len() as u64 * job.most_rows() as u64);
        found.end(job, ids, ends);
        Ok(found)
    }
}

/// θ of so many problems of p parameters in tiles of `lanes`, from tiles as the steps in registers have them.
fn retiled(theta: &[f32], (count, p): (usize, usize), lanes: usize) -> Vec<f32> {
    let mut tiles = vec![0.0; count.next_multiple_of(lanes) * p];
    for b in 0..count {
        for j in 0..p {
            tiles[element(b, j, 0, p, 1, lanes)] = theta[element(b, j, 0, p, 1, LANES)];
        }
    }
    tiles
}
