//! Declares `shaders/solve.wgsl`: least squares by the triangular factor, in registers.

use crate::gpu::{Bindable, Buffer, Commands, Def, Device, DeviceError, KernelSource, UNROLLED, kernel_source};
use crate::kernels::batch::Batch;
use crate::kernels::matrices::{Matrices, Report};
use crate::kernels::svd::host::MOST_UNROLLED;
use crate::kernels::work::slices;

pub(crate) const SOURCE: KernelSource =
    kernel_source!("solve", uniform matrices, read a, read b, write x, write reports, write factor, write doubt);

/// Rows of a block that is merged into the triangle.
const HEIGHT: usize = 8;

/// The same where there are more columns, and so more code for each row.
const HEIGHT_LARGE: usize = 2;

/// The most columns of a triangle that is kept in registers. Beyond eight it spills on many devices, but no index is
/// computed at run time: on llvmpipe 16 columns are 4.5 times as fast as by blocks in memory. The code of 24 columns takes
/// ten seconds to compile.
const MOST_COLUMNS: usize = 16;

/// The most right-hand sides that are carried in registers.
const MOST_RIGHTS: usize = 4;

/// How much smaller than the nearest condition that could hide a rank deficiency ‖R‖·‖R⁻¹‖ has to be. Rounding moves the
/// singular values of R by some √n·u of the largest, below a tenth of the default cutoff, and the product of Frobenius norms
/// is no less than the condition.
const MARGIN: f64 = 2.0;

/// Sizes of a least-squares problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    /// Rows of A, at least its columns.
    pub(crate) rows: usize,
    /// Columns of A.
    pub(crate) columns: usize,
    /// Columns of b.
    pub(crate) rights: usize,
}

impl Form {
    /// Whether the triangle fits in registers.
    pub(crate) fn in_registers(self) -> bool {
        self.rows >= self.columns && self.columns <= MOST_COLUMNS && self.rights <= MOST_RIGHTS
    }

    /// Multiply-adds in the code: merging a block of rows, and R⁻¹.
    pub(crate) fn code(self) -> usize {
        let Self { columns, rights, .. } = self;
        let of_inverse = if self.is_large() { columns * columns / 2 } else { columns * columns * columns / 6 };
        self.height() * columns * (columns + 1 + 2 * rights) + of_inverse
    }

    /// Multiply-adds of one invocation: merging all rows, and R⁻¹.
    fn work(self) -> usize {
        let Self { rows, columns, rights } = self;
        let of_inverse = columns * columns * columns / if self.is_large() { 2 } else { 6 };
        rows * columns * (columns + 1 + 2 * rights) + of_inverse
    }

    /// Rows of a block, as even as can be, so that the last one is nearly full.
    fn height(self) -> usize {
        self.rows.div_ceil(self.rows.div_ceil(if self.is_large() { HEIGHT_LARGE } else { HEIGHT }))
    }

    /// Whether there are more columns than registers surely hold: those of R⁻¹ come one after another, by the same code, and
    /// blocks in memory may be faster.
    pub(crate) fn is_large(self) -> bool {
        self.columns > MOST_UNROLLED
    }
}

/// In doubt is the rank of every matrix.
pub(crate) const ALWAYS: f64 = 1e18;

/// The condition of which the inverse is this leaves the rank in doubt: the cutoff, or the noise of the kernels where the
/// cutoff is below it.
pub(crate) fn doubt(cutoff: f64, noise: f64) -> f64 {
    MARGIN * cutoff.max(noise)
}

/// The constants of the kernel.
pub(crate) fn defs(form: Form) -> Vec<(&'static str, Def)> {
    vec![
        ("M", Def::UInt(form.rows as u32)),
        ("N", Def::UInt(form.columns as u32)),
        ("K", Def::UInt(form.rights as u32)),
        ("HEIGHT", Def::UInt(form.height() as u32)),
        ("ROLLED", Def::Bool(form.is_large())),
        (UNROLLED, Def::Bool(true)),
    ]
}

/// What the kernel reads and writes.
pub(crate) struct Operands<'a> {
    pub(crate) a: &'a Buffer<f32>,
    pub(crate) b: &'a Buffer<f32>,
    pub(crate) x: &'a Buffer<f32>,
    pub(crate) reports: &'a Buffer<Report>,
    /// [R | c] of the matrices in doubt, in the order of the list.
    pub(crate) factor: &'a Buffer<f32>,
    /// Zeros; then the number of matrices in doubt, and which they are.
    pub(crate) doubt: &'a Buffer<u32>,
}

/// Records the solutions of a batch, as far as their rank is in no [`doubt`].
pub(crate) fn record(
    device: &Device,
    commands: &mut Commands,
    form: Form,
    batch: Batch,
    doubt: f64,
    operands: &Operands<'_>,
) -> Result<(), DeviceError> {
    let kernel = batch.kernel(device, &SOURCE, defs(form))?;
    let limit = doubt as f32;
    let Operands { a, b, x, reports, factor, doubt } = *operands;
    for slice in slices(device, &SOURCE, batch.count, form.work()) {
        let matrices = Matrices { doubt: limit, first: slice.first, ..Matrices::new(batch.count, form.rows, 0.0) };
        let uniform = device.uniform(&matrices)?;
        let bindings: [&dyn Bindable; 7] = [&uniform, a, b, x, reports, factor, doubt];
        commands.dispatch_measured(&kernel, &bindings, [slice.groups, 1, 1], slice.work)?;
    }
    Ok(())
}
