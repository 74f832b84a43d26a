//! Steps of wide problems of which f32 is in doubt by the kernel matrix: by QR of Jᵀ and rotations, without a matrix of singular
//! vectors of J: less than half of what it takes to have these.

use std::sync::Arc;

use crate::gpu::{Bindable, Buffer, Commands, Device, DeviceError, Kernel};
use crate::kernels::batch::{Batch, Count};
use crate::kernels::problem::Sizes;
use crate::kernels::qr_blocked::factors::Factors;
use crate::kernels::step_blocked::wide::{self, Wide};
use crate::kernels::work::GROUP;

use super::host;
use super::steps::Operands;

/// The kernels of such steps.
pub(crate) struct RotatedSteps {
    batch: Batch,
    sizes: Sizes,
    curtail: Arc<Kernel>,
    weigh: Arc<Kernel>,
    turned: Arc<Kernel>,
    /// The problems that step like this: how many, then which and their place in the roster.
    doubted: Buffer<u32>,
}

impl RotatedSteps {
    pub(crate) fn new(device: &Device, batch: Batch, sizes: Sizes) -> Result<Self, DeviceError> {
        Ok(Self {
            batch,
            sizes,
            curtail: batch.kernel(device, &host::CURTAIL, sizes.defs())?,
            weigh: batch.kernel(device, &host::WEIGH, host::weigh_defs(sizes))?,
            turned: batch.kernel(device, &host::TURNED, sizes.defs())?,
            doubted: device.buffer("problems that step by rotations", 1 + 2 * batch.count)?,
        })
    }

    /// The list, to be filled.
    pub(crate) fn listed(&self) -> &Buffer<u32> {
        &self.doubted
    }

    /// Records the steps of the problems listed; those that need singular values join the fresh ones.
    pub(crate) fn record(
        &self,
        device: &Device,
        commands: &mut Commands,
        operands: Operands<'_>,
    ) -> Result<(), DeviceError> {
        let Self { batch, sizes, doubted, .. } = self;
        let Operands { rules, problems, states, theta, trial, block, fresh } = operands;
        let n = sizes.directions;
        let room = |label: &str, each: usize| device.scratch::<f32>(label, batch.whole() * each);
        let groups = (batch.count as u64).div_ceil(GROUP) as u32;
        let residual = room("e", n)?;
        let both = [block, &residual];
        let factors = Factors::record_listed(device, commands, wide::turned(*sizes), (*batch, doubted), both)?;
        let count = Count { most: *batch, word: Some((doubted, 0)) };
        let curtail = |commands: &mut Commands, triangle: &Buffer<f32>| {
            commands.dispatch(&self.curtail, &[doubted, triangle], [groups, 1, 1])
        };
        let found = Wide::record(device, commands, (*sizes, count), factors, (&residual, curtail))?;
        let (solution, tangents) = (room("Qᵀ of the step", n)?, room("tangents", 1)?);
        let Wide { w, carried, values, reports, .. } = &found;
        let bindings: [&dyn Bindable; 8] = [problems, doubted, w, carried, values, reports, &solution, &tangents];
        commands.dispatch(&self.weigh, &bindings, [groups, host::direction_blocks(*sizes) as u32, 1])?;
        let step = room("steps", sizes.parameters)?;
        found.record_turned(device, commands, (&solution, 1, false), &step)?;
        let bindings: [&dyn Bindable; 9] = [rules, problems, states, doubted, &step, &tangents, theta, trial, fresh];
        commands.dispatch(&self.turned, &bindings, [groups, 1, 1])
    }
}
