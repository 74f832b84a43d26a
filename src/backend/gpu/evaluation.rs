//! J at given points, as the device evaluates it, read back.

use faer::Mat;

use crate::error::Error;
use crate::gpu::{Bindable, layout};
use crate::kernels::jacobian;
use crate::kernels::problem::{Block, Sizes};
use crate::sweep::{Job, ProblemId};

use super::problems::Problems;
use super::shape::BLOCK_BYTES;
use super::{GpuBackend, LANES};

impl GpuBackend {
    /// The weighted Jacobians, n×p, at the starts of the problems `ids`, by ascending data set.
    pub(crate) fn jacobians(&self, job: &Job, ids: &[ProblemId]) -> Result<Vec<Mat<f64>>, Error> {
        self.check(job)?;
        let mut all = Vec::with_capacity(ids.len());
        while all.len() < ids.len() {
            let end = ids.len().min(all.len() + self.most_at_once(job));
            let part = &ids[all.len()..end];
            let count = self.fitting(job, part)?;
            all.extend(pollster::block_on(self.jacobians_of(job, &part[..count]))?);
        }
        Ok(all)
    }

    async fn jacobians_of(&self, job: &Job, ids: &[ProblemId]) -> Result<Vec<Mat<f64>>, Error> {
        let device = self.device();
        let p = job.model().parameters().len();
        let sizes = Sizes { parameters: p, directions: 1 };
        let problems = Problems::upload(device, job, ids, (LANES, sizes))?;
        let kernel = jacobian::host::kernel(device, job.model())?;
        let rows = |id: &ProblemId| job.rows(id.set).len();
        let most = ids.iter().map(rows).max().unwrap_or(0);
        // As many rows at once as fit a buffer.
        let row_bytes = 4 * (problems.batch.whole() * (p + 1)) as u64;
        let workgroups = device.limits().max_compute_workgroups_per_dimension as usize;
        let at_once = ((device.largest_buffer().min(BLOCK_BYTES) / row_bytes).max(1) as usize).min(workgroups);
        let mut found: Vec<Mat<f64>> = ids.iter().map(|id| Mat::zeros(rows(id), p)).collect();
        for first in (0..most).step_by(at_once) {
            let count = at_once.min(most - first);
            let block = device.buffer::<f32>("block of [J | e]", problems.batch.whole() * count * (p + 1))?;
            let span = device.uniform(&Block::alone(first, count, true))?;
            let Problems { rules, description, states, data, theta, .. } = &problems;
            let bindings: [&dyn Bindable; 7] = [rules, &span, description, states, data, theta, &block];
            let mut commands = device.record("jacobians");
            commands.dispatch(&kernel, &bindings, [problems.groups(), count as u32, 1])?;
            let read = commands.read_later(&block, 0..block.len())?;
            commands.submit()?;
            let values = read.wait().await?;
            for (b, (id, jacobian)) in ids.iter().zip(&mut found).enumerate() {
                // A power of two: to take it out again is exact.
                let by = 1.0 / problems.scales[id.set - ids[0].set];
                for i in first..rows(id).min(first + count) {
                    for j in 0..p {
                        let at = layout::element(b, i - first, j, count, p + 1, LANES);
                        jacobian[(i, j)] = by * f64::from(values[at]);
                    }
                }
            }
        }
        Ok(found)
    }
}
