//! Runs `shaders/selftest/elementary.wgsl`: elementary functions at given points, on a device.

use std::sync::Arc;

use crate::gpu::{Def, Device, DeviceError, Kernel, KernelSource, kernel_source};

use super::{Elementary, ElementarySet};

/// A function to evaluate and its argument.
pub(super) type Point = (Elementary, (f32, f32));

pub(crate) const SOURCE: KernelSource = kernel_source!("selftest/elementary", read points, write results);

/// The compiled self-test.
pub(super) struct Evaluator {
    device: Device,
    kernel: Arc<Kernel>,
}

impl Evaluator {
    /// With our own versions of the functions in `own` and the builtins of the rest, whatever the device's
    /// capabilities say.
    pub(super) fn new(device: &Device, own: ElementarySet) -> Result<Self, DeviceError> {
        let device = device.untested();
        let defs: Vec<(&str, Def)> = own.definitions().map(|name| (name, Def::Bool(true))).collect();
        let kernel = device.kernel(&SOURCE, &defs, &[])?;
        Ok(Self { device, kernel })
    }

    /// The values at `points`, in order.
    pub(super) fn evaluate(&self, points: &[Point]) -> Result<Vec<f32>, DeviceError> {
        let words: Vec<[u32; 4]> =
            points.iter().map(|&(function, (x, y))| [function as u32, x.to_bits(), y.to_bits(), 0]).collect();
        let input = self.device.buffer_from("elementary points", &words)?;
        let output = self.device.buffer::<u32>("elementary values", points.len())?;
        let mut commands = self.device.record("elementary functions");
        commands.dispatch(&self.kernel, &[&input, &output], [points.len().div_ceil(64) as u32, 1, 1])?;
        let values = commands.read_later(&output, 0..points.len())?;
        commands.submit()?;
        let bits = values.wait_here()?;
        Ok(bits.into_iter().map(f32::from_bits).collect())
    }
}
