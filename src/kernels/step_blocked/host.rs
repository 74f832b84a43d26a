//! Declares `shaders/step_blocked`: what lies between the Jacobian, the QR and the SVD of problems that registers do not
//! hold, and brings their work down to the problems that are still at it.

use crate::gpu::{Def, KernelSource, kernel_source};
use crate::kernels::problem::Sizes;

pub(crate) const LENGTHS: KernelSource =
    kernel_source!("step_blocked/lengths", uniform span, read roster, read block, write lengths, write bits);
pub(crate) const NORM: KernelSource =
    kernel_source!("step_blocked/norm", uniform rules, read roster, read lengths, read bits, write states);
pub(crate) const MUSTER: KernelSource =
    kernel_source!("step_blocked/muster", uniform rules, read roster, write states, write fresh);
pub(crate) const MUSTER_DUAL: KernelSource = kernel_source!(
    "step_blocked/muster", uniform rules, read roster, write states, write fresh, read problems, write dual
);
pub(crate) const MUSTER_ROTATES: KernelSource = kernel_source!(
    "step_blocked/muster", uniform rules, read roster, write states, write fresh, read problems, write dual,
    write doubted
);
pub(crate) const SCALE: KernelSource = kernel_source!(
    "step_blocked/scale", read problems, read fresh, read unscaled, read measured, write lengths, write factor
);
pub(crate) const SCALE_APART: KernelSource = kernel_source!(
    "step_blocked/scale", read problems, read fresh, read unscaled, read measured, write lengths, write factor,
    write beside
);
pub(crate) const SETTLE: KernelSource = kernel_source!(
    "step_blocked/settle", read fresh, read w, read carried, read values, read reports, write states, write v,
    write sigma
);

/// The constant of the kernels that know of the parameters alone.
pub(crate) fn defs(sizes: Sizes) -> Vec<(&'static str, Def)> {
    vec![("P", Def::UInt(sizes.parameters as u32))]
}

/// The constants of the kernel of column lengths: of all columns, or of the residual alone.
pub(crate) fn lengths_defs(sizes: Sizes, alone: bool) -> Vec<(&'static str, Def)> {
    let mut all = defs(sizes);
    all.push(("ALONE", Def::Bool(alone)));
    all
}

/// The constants of the mustering kernel that knows of steps by the kernel matrix, and of those by rotations or not.
pub(crate) fn muster_defs(sizes: Sizes, rotates: bool) -> Vec<(&'static str, Def)> {
    vec![("DUAL", Def::Bool(true)), ("ROTATES", Def::Bool(rotates)), ("K", Def::UInt(sizes.directions as u32))]
}

/// The constants of the scaling kernel, where the matrices that it reads have so many rows.
pub(crate) fn scale_defs(sizes: Sizes, height: usize, apart: bool) -> Vec<(&'static str, Def)> {
    let mut defs = sizes.defs();
    defs.extend([("HEIGHT", Def::UInt(height as u32)), ("APART", Def::Bool(apart))]);
    defs
}
