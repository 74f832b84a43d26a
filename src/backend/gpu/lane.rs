//! Steps in which one invocation does a problem: rows pass by a triangle that stays in registers.

use std::sync::Arc;

use crate::gpu::{Bindable, Buffer, Commands, Device, DeviceError, Kernel, Uniform};
use crate::kernels::problem::Block;
use crate::kernels::{jacobian, qr, svd};
use crate::sweep::Job;

use super::problems::Problems;

/// The kernels between θ and its factorisation, and the buffers that they alone use.
pub(super) struct Lane {
    jacobian: Arc<Kernel>,
    qr: Arc<Kernel>,
    svd: Arc<Kernel>,
    spans: Vec<Uniform<Block>>,
    block_rows: u32,
    /// Rows of [J | e].
    block: Buffer<f32>,
    /// [R | c].
    factor: Buffer<f32>,
}

impl Lane {
    /// For problems of up to `most_rows` points, so many of them at a time.
    pub(super) fn new(
        device: &Device,
        job: &Job,
        problems: &Problems,
        most_rows: usize,
        block_rows: usize,
    ) -> Result<Self, DeviceError> {
        let p = problems.sizes.parameters;
        let blocks = most_rows.div_ceil(block_rows).max(1);
        let span = |k: usize| device.uniform(&Block::alone(k * block_rows, block_rows, false));
        let floats = |label: &str, each: usize| device.buffer::<f32>(label, problems.batch.whole() * each);
        Ok(Self {
            jacobian: jacobian::host::kernel(device, job.model())?,
            qr: qr::host::kernel(device, p)?,
            svd: svd::host::kernel(device, p)?,
            spans: (0..blocks).map(span).collect::<Result<_, _>>()?,
            block_rows: block_rows as u32,
            block: floats("block of [J | e]", block_rows * (p + 1))?,
            factor: floats("R", p * (p + 1))?,
        })
    }

    /// Records [R | c] and ‖e‖ at the trial points.
    pub(super) fn record_evaluation(&self, commands: &mut Commands, problems: &Problems) -> Result<(), DeviceError> {
        for span in &self.spans {
            let Problems { rules, description, states, data, trial, .. } = problems;
            let bindings: [&dyn Bindable; 7] = [rules, span, description, states, data, trial, &self.block];
            commands.dispatch(&self.jacobian, &bindings, [problems.groups(), self.block_rows, 1])?;
            let bindings: [&dyn Bindable; 6] = [rules, span, description, states, &self.block, &self.factor];
            commands.dispatch(&self.qr, &bindings, [problems.groups(), 1, 1])?;
        }
        Ok(())
    }

    /// Records the SVDs of the points just accepted.
    pub(super) fn record_factorisation(&self, commands: &mut Commands, problems: &Problems) -> Result<(), DeviceError> {
        let Problems { rules, description, states, v, sigma, lengths, .. } = problems;
        let buffers: [&dyn Bindable; 7] = [rules, description, states, &self.factor, v, sigma, lengths];
        commands.dispatch(&self.svd, &buffers, [problems.groups(), 1, 1])
    }
}
