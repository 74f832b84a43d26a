//! The SVDs of wide J by (JD)ᵀ = QR: of [Rᵀ | e], whose right singular vectors Q turns into those of JD.
//!
//! That in turn by Rᵀ = Q₂R₂: rotations of the columns of R₂ᵀ converge where those of R, which have the lengths of the rows
//! of JD, hardly do. 8 sweeps in the place of 30 for networks with 256 points, of rank 50 in f32.

use crate::gpu::{Buffer, Commands, Device, DeviceError};
use crate::kernels::batch::Count;
use crate::kernels::matrices::Report;
use crate::kernels::problem::Sizes;
use crate::kernels::qr_blocked::factors::Factors;
use crate::kernels::qr_blocked::host::{Beside, Form as Rectangle, Target};
use crate::kernels::svd::host::{Form, Operands, Source, record};

/// Sizes of the QR of (JD)ᵀ.
pub(crate) fn turned(sizes: Sizes) -> Rectangle {
    Rectangle { rows: sizes.parameters, columns: sizes.directions }
}

/// Sizes of the second QR, of [Rᵀ | e].
pub(crate) fn again(sizes: Sizes) -> Rectangle {
    Rectangle { rows: sizes.directions, columns: sizes.directions + 1 }
}

/// The SVD that is left.
pub(crate) fn form(sizes: Sizes) -> Form {
    Form { rows: sizes.directions, columns: sizes.directions, source: Source::Factor(1), vectors: true }
}

/// What the SVDs of a batch find, n directions of p parameters.
pub(crate) struct Wide {
    sizes: Sizes,
    factors: Factors,
    /// n×n: the directions that Q turns into those of JD.
    pub(crate) w: Buffer<f32>,
    /// β.
    pub(crate) carried: Buffer<f32>,
    pub(crate) values: Buffer<f32>,
    pub(crate) reports: Buffer<Report>,
}

impl Wide {
    /// Records what follows the factors of (JD)ᵀ; e is `residual`, and `between` what is done to [R₂ | Q₂ᵀe] before its SVD.
    pub(crate) fn record(
        device: &Device,
        commands: &mut Commands,
        (sizes, count): (Sizes, Count<'_>),
        factors: Factors,
        (residual, between): (&Buffer<f32>, impl FnOnce(&mut Commands, &Buffer<f32>) -> Result<(), DeviceError>),
    ) -> Result<Self, DeviceError> {
        let n = sizes.directions;
        let room = |label: &str, each: usize| device.scratch::<f32>(label, count.most.whole() * each);
        let triangle = room("[Rᵀ | e]", n * (n + 1))?;
        factors.triangle(device, commands, true, (Beside::Whole(1), Some(residual)), &triangle)?;
        let second = room("[R₂ | Q₂ᵀe]", n * (n + 1))?;
        Factors::record(device, commands, again(sizes), false, count, &triangle)?.triangle(
            device,
            commands,
            false,
            (Beside::Nothing, None),
            &second,
        )?;
        between(commands, &second)?;
        let found = Self {
            sizes,
            factors,
            w: room("QᵀW", n * n)?,
            carried: room("Vᵀc", n)?,
            values: room("sigma of those factored", n)?,
            reports: device.buffer::<Report>("reports of the SVDs", count.most.count)?,
        };
        let Self { w, carried, values, reports, .. } = &found;
        let operands = Operands { a: &second, sigma: values, reports, vectors: Some((w, carried)) };
        record(device, commands, form(sizes), count, 0.0, &operands)?;
        Ok(found)
    }

    /// Records W, p×n.
    pub(crate) fn record_directions(
        &self,
        device: &Device,
        commands: &mut Commands,
        w: &Buffer<f32>,
    ) -> Result<(), DeviceError> {
        self.record_turned(device, commands, (&self.w, self.sizes.directions, true), w)
    }

    /// Records Q times matrices of n rows and so many columns, which are to be `unit` vectors or not.
    pub(crate) fn record_turned(
        &self,
        device: &Device,
        commands: &mut Commands,
        (upper, columns, unit): (&Buffer<f32>, usize, bool),
        turned: &Buffer<f32>,
    ) -> Result<(), DeviceError> {
        let extended = self.factors.extended(device, commands, Some(upper), columns)?;
        self.factors.apply(device, commands, Target::Plain(columns), &extended)?;
        self.factors.crop(device, commands, &extended, (columns, unit), turned)
    }
}
