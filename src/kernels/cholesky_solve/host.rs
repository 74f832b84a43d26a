//! Declares `shaders/cholesky_solve`: solutions by Cholesky factors, with iterative refinement.

use crate::gpu::{Bindable, Buffer, Commands, Def, Device, DeviceError, KernelSource, UNROLLED, kernel_source};
use crate::kernels::cholesky::host::{self as cholesky, Definite, Form, dispatches};

pub(crate) const PREPARE: KernelSource = kernel_source!(
    "cholesky_solve/prepare",
    uniform matrices, read rights, write residuals, write solutions, write units, write accepted, write states
);
pub(crate) const CORRECT: KernelSource = kernel_source!(
    "cholesky_solve/correct",
    uniform matrices, read l, read roots, write residuals, write solutions, write accepted, write last
);
pub(crate) const RESIDUAL: KernelSource = kernel_source!(
    "cholesky_solve/residual",
    uniform matrices, read a, read roots, read rights, read units, read solutions, read accepted, write residuals
);
pub(crate) const FINISH: KernelSource = kernel_source!(
    "cholesky_solve/finish",
    uniform matrices, read roots, read units, read states, write solutions, write last
);

/// The most right-hand sides that one invocation solves for.
const MOST_TOGETHER: usize = 4;

/// Multiply-adds that an entry of a residual to twice the digits takes.
const DOUBLED: usize = 20;

/// Rows of a residual that one invocation sums.
const ROWS: usize = 4;

/// What solutions are made of.
pub(crate) struct Operands<'a> {
    pub(crate) a: &'a Buffer<f32>,
    pub(crate) rights: &'a Buffer<f32>,
    /// The solutions.
    pub(crate) x: &'a Buffer<f32>,
    /// The last correction of each, relative to it.
    pub(crate) last: &'a Buffer<f32>,
    /// Zero, or why a matrix has no solutions.
    pub(crate) states: &'a Buffer<u32>,
}

/// The constants of the kernel of corrections.
pub(crate) fn correct_defs(rights: usize) -> Vec<(&'static str, Def)> {
    vec![("RIGHTS", Def::UInt(rights.min(MOST_TOGETHER) as u32)), (UNROLLED, Def::Bool(true))]
}

/// The constants of the kernel of residuals.
pub(crate) fn residual_defs(doubled: bool) -> Vec<(&'static str, Def)> {
    vec![("ROWS", Def::UInt(ROWS as u32)), ("DOUBLED", Def::Bool(doubled)), (UNROLLED, Def::Bool(true))]
}

/// Records the solutions for `rights` right-hand sides of each matrix, refined at most so many times.
pub(crate) fn record(
    device: &Device,
    commands: &mut Commands,
    form: Form<'_>,
    (rights, refinements): (usize, u32),
    operands: &Operands<'_>,
) -> Result<(), DeviceError> {
    let Operands { a, rights: b, x, last, states } = *operands;
    let size = form.size;
    let doubled = device.capabilities().error_free_transforms;
    let term = if doubled { DOUBLED } else { 1 };
    let shared = |first| Definite { rights: rights as u32, refinements, ..form.definite(first) };
    if size <= cholesky::MOST_UNROLLED {
        let kernel = (&cholesky::SOLVE, &*cholesky::registers_defs(size, true, doubled));
        let work = (form.invocations(1), size * size * (size / 6 + 1 + rights * (1 + term)));
        return dispatches(device, commands, form.count, kernel, work, shared, &[a, b, x, last, states]);
    }
    let tiles = form.count.most.whole();
    let l = device.scratch::<f32>("L", tiles * size * size)?;
    let roots = device.scratch::<f32>("roots", tiles)?;
    cholesky::record_triangles(device, commands, form, &cholesky::Operands { a, l: &l, roots: &roots, states })?;
    let residuals = device.scratch::<f32>("residuals", tiles * size * rights)?;
    let units = device.scratch::<f32>("units", tiles * rights)?;
    let accepted = device.scratch::<f32>("corrections", tiles * rights)?;
    let of_columns = (form.invocations(rights), 2 * size);
    let bound: [&dyn Bindable; 6] = [b, &residuals, x, &units, &accepted, states];
    dispatches(device, commands, form.count, (&PREPARE, &[]), of_columns, shared, &bound)?;
    let together = rights.min(MOST_TOGETHER);
    for refinement in 0..=refinements {
        if refinement > 0 {
            let kernel = (&RESIDUAL, &*residual_defs(doubled));
            let work = (form.invocations(size.div_ceil(ROWS) * rights), size * ROWS * term);
            let bound: [&dyn Bindable; 7] = [a, &roots, b, &units, x, &accepted, &residuals];
            dispatches(device, commands, form.count, kernel, work, shared, &bound)?;
        }
        let kernel = (&CORRECT, &*correct_defs(rights));
        let work = (form.invocations(rights.div_ceil(together)), size * size * together);
        let bound: [&dyn Bindable; 6] = [&l, &roots, &residuals, x, &accepted, last];
        dispatches(device, commands, form.count, kernel, work, shared, &bound)?;
    }
    dispatches(device, commands, form.count, (&FINISH, &[]), of_columns, shared, &[&roots, &units, states, x, last])
}
