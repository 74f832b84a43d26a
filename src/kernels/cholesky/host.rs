//! Declares `shaders/cholesky`: Cholesky factors of symmetric positive definite matrices of any size.

use bytemuck::{Pod, Zeroable};

use crate::gpu::{Bindable, Buffer, Commands, Def, Device, DeviceError, KernelSource, UNROLLED, kernel_source};
use crate::kernels::batch::Count;
use crate::kernels::work::slices;

pub(crate) const REGISTERS: KernelSource =
    kernel_source!("cholesky/registers", uniform matrices, read a, write l, write roots, write states);
pub(crate) const SOLVE: KernelSource = kernel_source!(
    "cholesky/registers", uniform matrices, read a, read rights, write solutions, write last, write states
);
pub(crate) const PREPARE: KernelSource =
    kernel_source!("cholesky/prepare", uniform matrices, read a, write roots, write states);
pub(crate) const FACTOR: KernelSource =
    kernel_source!("cholesky/factor", uniform matrices, read a, write l, read roots, write states);
pub(crate) const FINISH: KernelSource = kernel_source!("cholesky/finish", uniform matrices, write l, read states);

/// The most rows of matrices that are factored in registers.
pub(crate) const MOST_UNROLLED: usize = 8;

/// Rows and columns of a block that registers hold, of larger matrices.
///
/// Twice the width halves what is read for each multiply-add; more than eight are more than the registers of most devices.
fn block(size: usize) -> usize {
    if size <= 16 { 4 } else { 8 }
}

/// What is noted of a matrix where a pivot is not a positive number.
pub(crate) const BAD_PIVOT: u32 = 1;

/// What is noted where an entry is not finite.
pub(crate) const BAD_ENTRY: u32 = 2;

/// What all matrices of a batch share.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Definite {
    pub(crate) count: u32,
    pub(crate) size: u32,
    pub(crate) lanes: u32,
    pub(crate) first: u32,
    pub(crate) block: u32,
    pub(crate) rights: u32,
    pub(crate) refinements: u32,
    pub(crate) nan: f32,
    pub(crate) zero: u32,
    pub(crate) padding_a: u32,
    pub(crate) padding_b: u32,
    pub(crate) padding_c: u32,
}

/// A batch of square matrices.
#[derive(Clone, Copy)]
pub(crate) struct Form<'a> {
    /// How many, and how they lie.
    pub(crate) count: Count<'a>,
    /// Rows and columns of each.
    pub(crate) size: usize,
}

/// What is found, a number of each matrix beside its factor.
pub(crate) struct Operands<'a> {
    pub(crate) a: &'a Buffer<f32>,
    /// L, zeros above its diagonal; NaN where there is none.
    pub(crate) l: &'a Buffer<f32>,
    /// Powers of two near the roots of the largest diagonal entries.
    pub(crate) roots: &'a Buffer<f32>,
    /// Zero, or why there is no factor.
    pub(crate) states: &'a Buffer<u32>,
}

/// The constants of the kernel in registers that factors, or that solves, with residuals to twice the digits or not.
pub(crate) fn registers_defs(size: usize, solve: bool, doubled: bool) -> Vec<(&'static str, Def)> {
    vec![
        ("SIZE", Def::UInt(size as u32)),
        ("SOLVE", Def::Bool(solve)),
        ("DOUBLED", Def::Bool(doubled)),
        (UNROLLED, Def::Bool(true)),
    ]
}

/// The constants of the kernel of a block column: of its diagonal block, or of those below.
pub(crate) fn factor_defs(size: usize, diagonal: bool) -> Vec<(&'static str, Def)> {
    vec![("BLOCK", Def::UInt(block(size) as u32)), ("DIAGONAL", Def::Bool(diagonal)), (UNROLLED, Def::Bool(true))]
}

impl Form<'_> {
    /// Invocations of a kernel that has `parts` for each matrix: whole tiles.
    pub(crate) fn invocations(self, parts: usize) -> usize {
        self.count.most.whole() * parts
    }

    pub(crate) fn definite(self, first: u32) -> Definite {
        Definite {
            count: self.count.most.count as u32,
            size: self.size as u32,
            lanes: self.count.most.lanes as u32,
            first,
            block: 0,
            rights: 0,
            refinements: 0,
            nan: f32::NAN,
            zero: 0,
            padding_a: 0,
            padding_b: 0,
            padding_c: 0,
        }
    }
}

/// Records the dispatches of one kernel, `each` multiply-adds an invocation. `shared` fills in what they have in common.
pub(crate) fn dispatches(
    device: &Device,
    commands: &mut Commands,
    count: Count<'_>,
    (source, defs): (&KernelSource, &[(&'static str, Def)]),
    (invocations, each): (usize, usize),
    shared: impl Fn(u32) -> Definite,
    bound: &[&dyn Bindable],
) -> Result<(), DeviceError> {
    let kernel = device.kernel(source, defs, &[])?;
    for slice in slices(device, source, invocations, each) {
        let uniform = device.uniform(&shared(slice.first))?;
        count.put(commands, &uniform)?;
        let mut bindings: Vec<&dyn Bindable> = vec![&uniform];
        bindings.extend(bound);
        commands.dispatch_measured(&kernel, &bindings, [slice.groups, 1, 1], count.work(slice.work))?;
    }
    Ok(())
}

/// Records the factors of a batch.
pub(crate) fn record(
    device: &Device,
    commands: &mut Commands,
    form: Form<'_>,
    operands: &Operands<'_>,
) -> Result<(), DeviceError> {
    let Operands { a, l, roots, states } = *operands;
    let size = form.size;
    let plain = |first| form.definite(first);
    if size <= MOST_UNROLLED {
        let kernel = (&REGISTERS, &*registers_defs(size, false, false));
        let work = (form.invocations(1), size * size * size / 6 + size * size);
        return dispatches(device, commands, form.count, kernel, work, plain, &[a, l, roots, states]);
    }
    record_triangles(device, commands, form, operands)?;
    let work = (form.invocations(size), size / 2);
    dispatches(device, commands, form.count, (&FINISH, &[]), work, plain, &[l, states])
}

/// Records the lower triangles of factors; what stands above them, and instead of those that are not, is undefined.
pub(crate) fn record_triangles(
    device: &Device,
    commands: &mut Commands,
    form: Form<'_>,
    operands: &Operands<'_>,
) -> Result<(), DeviceError> {
    let Operands { a, l, roots, states } = *operands;
    let (size, width) = (form.size, block(form.size));
    let work = (form.invocations(1), size);
    dispatches(device, commands, form.count, (&PREPARE, &[]), work, |first| form.definite(first), &[a, roots, states])?;
    let blocks = size.div_ceil(width);
    for block in 0..blocks {
        let of_block = |first| Definite { block: block as u32, ..form.definite(first) };
        let each = width * width * width * (block + 1);
        for (diagonal, parts) in [(true, 1), (false, blocks - 1 - block)] {
            let kernel = (&FACTOR, &*factor_defs(size, diagonal));
            let work = (form.invocations(parts), each);
            dispatches(device, commands, form.count, kernel, work, of_block, &[a, l, roots, states])?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::structures::{in_rust, in_shader};

    #[test]
    fn host_and_shader_agree_on_every_offset() {
        assert_eq!(
            in_shader(&PREPARE, &[], "Definite"),
            in_rust!(
                Definite: count, size, lanes, first, block, rights, refinements, nan, zero, padding_a, padding_b, padding_c
            )
        );
    }
}
