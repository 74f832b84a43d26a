//! What is recorded of a chunk along the way: on the device until the chunk is read back.

use std::sync::Arc;

use crate::backend::Waypoint;
use crate::gpu::{Bindable, Buffer, Commands, Device, DeviceError, Kernel};
use crate::kernels::history::host;
use crate::ngd::Scaling;
use crate::sweep::{Job, ProblemId};

use super::problems::Problems;

/// The records of a problem as they lie in memory, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// Records, at most.
    slots: usize,
    parameters: usize,
    with_theta: bool,
}

impl Layout {
    /// `None` where no history is kept.
    pub(super) fn of(job: &Job) -> Option<Self> {
        let history = job.history();
        let parameters = job.model().parameters().len();
        let slots = history.slots(job.stop());
        history.is_kept().then(|| Self { slots, parameters, with_theta: history.needs_theta(job.rules()) })
    }

    fn words(self) -> usize {
        host::words(self.parameters, self.with_theta)
    }

    /// Bytes of the records of a problem.
    pub(super) fn bytes(self) -> u64 {
        4 * self.slots as u64 * self.words() as u64
    }

    /// The waypoints of problem b, which took so many steps, in the user's units: the host had multiplied its residual and J
    /// by `scale`.
    pub(super) fn waypoints(
        self,
        records: &[f32],
        (b, steps): (usize, u32),
        (job, id): (&Job, ProblemId),
        scale: f64,
    ) -> Vec<Waypoint> {
        let unit = match job.rules()[id.rule].scaling {
            Scaling::Columns => 1.0,
            Scaling::None => scale,
        };
        let all = records[b * self.slots * self.words()..].chunks(self.words());
        let due = (0..steps).step_by(job.history().every as usize);
        due.zip(all)
            .map(|(step, record)| Waypoint {
                step,
                residual_norm: f64::from(record[0]) / scale,
                rank: record[1] as usize,
                sigma: (f64::from(record[2]) / unit, f64::from(record[3]) / unit),
                theta: match step {
                    _ if !self.with_theta => Vec::new(),
                    // The start as it was given, not its rounding to f32.
                    0 => job.start(id).to_vec(),
                    _ => record[host::FIGURES..].iter().map(|&theta| f64::from(theta)).collect(),
                },
            })
            .collect()
    }
}

/// The kernel, and the records of a chunk.
pub(super) struct History {
    kernel: Arc<Kernel>,
    pub(super) records: Buffer<f32>,
    pub(super) layout: Layout,
    /// Steps from record to record.
    every: u32,
}

impl History {
    /// `None` where none is kept.
    pub(super) fn new(device: &Device, job: &Job, problems: &Problems) -> Result<Option<Self>, DeviceError> {
        let Some(layout) = Layout::of(job) else { return Ok(None) };
        let Problems { batch, sizes, .. } = *problems;
        Ok(Some(Self {
            kernel: host::kernel(device, batch, sizes, layout.with_theta)?,
            records: device.buffer("history", batch.count * layout.slots * layout.words())?,
            layout,
            every: job.history().every,
        }))
    }

    /// Records where those problems stand of which a record is due: none where all took so many steps, and it is due elsewhere.
    pub(super) fn record(
        &self,
        commands: &mut Commands,
        problems: &Problems,
        steps: Option<u32>,
    ) -> Result<(), DeviceError> {
        if steps.is_some_and(|steps| !steps.is_multiple_of(self.every)) {
            return Ok(());
        }
        let Problems { rules, description, states, sigma, theta, .. } = problems;
        let bindings: [&dyn Bindable; 6] = [rules, description, states, sigma, theta, &self.records];
        commands.dispatch(&self.kernel, &bindings, [problems.groups(), 1, 1])
    }
}
