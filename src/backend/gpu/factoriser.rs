//! What lies between the parameters and their factorisation: one of two ways.

use crate::gpu::{Commands, Device, DeviceError, Uniform};
use crate::kernels::problem::Rules;
use crate::kernels::step_dual::steps::Needed;
use crate::sweep::Job;

use super::blocked::Blocked;
use super::lane::Lane;
use super::problems::Problems;
use super::shape::Way;

/// The kernels of a way, and the buffers that they alone use.
pub(super) enum Factoriser {
    Lane(Box<Lane>),
    Blocked(Box<Blocked>),
}

impl Factoriser {
    /// For problems of up to `most_rows` points.
    pub(super) fn new(
        device: &Device,
        job: &Job,
        problems: &Problems,
        way: Way,
        most_rows: usize,
    ) -> Result<Self, DeviceError> {
        Ok(match way {
            Way::Lane { block_rows } => Self::Lane(Box::new(Lane::new(device, job, problems, most_rows, block_rows)?)),
            Way::Blocked(cut) => Self::Blocked(Box::new(Blocked::new(device, job, problems, cut)?)),
        })
    }

    /// Records J, its triangular factor where it is tall, and ‖e‖ at the trial points.
    pub(super) fn record_evaluation(
        &self,
        device: &Device,
        commands: &mut Commands,
        problems: &Problems,
    ) -> Result<(), DeviceError> {
        match self {
            Self::Lane(lane) => lane.record_evaluation(commands, problems),
            Self::Blocked(blocked) => blocked.record_evaluation(device, commands, problems),
        }
    }

    /// Records the steps from the points just accepted that take no singular vectors, and the SVDs of the others: those that
    /// are needed.
    pub(super) fn record_factorisation(
        &self,
        device: &Device,
        commands: &mut Commands,
        problems: &Problems,
        (rules, needed): (&Uniform<Rules>, Needed),
    ) -> Result<(), DeviceError> {
        match self {
            Self::Lane(lane) => lane.record_factorisation(commands, problems),
            Self::Blocked(blocked) => {
                blocked.record_dual_steps(device, commands, problems, (rules, needed))?;
                if needed.values {
                    blocked.record_factorisation(device, commands, problems)?;
                }
                Ok(())
            }
        }
    }
}
