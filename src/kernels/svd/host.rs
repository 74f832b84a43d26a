//! Declares `shaders/svd.wgsl`: one-sided Jacobi for the steps, and for matrices of any origin.

use std::sync::Arc;

use crate::gpu::{Def, Device, DeviceError, Kernel, KernelSource, UNROLLED, kernel_source};

/// W, σ and β of (RD)ᵀ with c carried.
pub(crate) const STEP: KernelSource =
    kernel_source!("svd", uniform rules, read problems, write states, read factor, write w, write sigma, write lengths);

/// Singular values only.
pub(crate) const VALUES: KernelSource = kernel_source!("svd", uniform matrices, read a, write sigma, write reports);

/// Singular values and vectors.
pub(crate) const VECTORS: KernelSource =
    kernel_source!("svd", uniform matrices, read a, write sigma, write reports, write w, write v);

/// The most parameters of steps whose kernels are unrolled. SwiftShader takes seconds to compile six and minutes for seven.
pub(crate) const MOST_UNROLLED_STEP: usize = 5;

/// The most columns of matrices that are kept in registers by code without loops.
pub(crate) const MOST_UNROLLED: usize = 8;

/// The most numbers of a matrix and what it carries that are kept in registers: an 8×8 with its V. Larger ones spill to
/// memory, and take drivers long to compile.
const MOST_REGISTERS: usize = 128;

/// The constants of the kernel for a step in `parameters` parameters, with its loops unrolled or as they are written.
pub(crate) fn step_defs(parameters: usize, unrolled: bool) -> Vec<(&'static str, Def)> {
    vec![
        ("M", Def::UInt(parameters as u32)),
        ("N", Def::UInt(parameters as u32)),
        ("C", Def::UInt(1)),
        ("STEP", Def::Bool(true)),
        (UNROLLED, Def::Bool(unrolled)),
    ]
}

/// The kernel for problems of `parameters` parameters.
pub(crate) fn kernel(device: &Device, parameters: usize) -> Result<Arc<Kernel>, DeviceError> {
    device.kernel(&STEP, &step_defs(parameters, parameters <= MOST_UNROLLED_STEP), &[])
}

/// The same with its loops as they are written: slower, and in a moment compiled.
pub(crate) fn looped(device: &Device, parameters: usize) -> Result<Arc<Kernel>, DeviceError> {
    device.kernel(&STEP, &step_defs(parameters, false), &[])
}

/// What an SVD of matrices is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    /// The longer side.
    pub(crate) rows: usize,
    /// The shorter side.
    pub(crate) columns: usize,
    /// Whether the matrices are wide, so that the kernel works on their transposes.
    pub(crate) transposed: bool,
    /// Whether U and V are wanted.
    pub(crate) vectors: bool,
}

impl Form {
    /// Rows carried along: V, where it is wanted.
    pub(crate) fn carried(self) -> usize {
        if self.vectors { self.columns } else { 0 }
    }

    /// Whether the matrix and what it carries fit in registers; the rest is for the blocked kernels.
    pub(crate) fn in_registers(self) -> bool {
        self.columns <= MOST_UNROLLED && (self.rows + self.carried()) * self.columns <= MOST_REGISTERS
    }
}

/// The constants of the kernel for matrices.
pub(crate) fn matrix_defs(form: Form) -> Vec<(&'static str, Def)> {
    vec![
        ("M", Def::UInt(form.rows as u32)),
        ("N", Def::UInt(form.columns as u32)),
        ("C", Def::UInt(form.carried() as u32)),
        ("TRANSPOSED", Def::Bool(form.transposed)),
        ("VECTORS", Def::Bool(form.vectors)),
        (UNROLLED, Def::Bool(true)),
    ]
}

/// The kernel for matrices.
pub(crate) fn matrix_kernel(device: &Device, form: Form) -> Result<Arc<Kernel>, DeviceError> {
    device.kernel(if form.vectors { &VECTORS } else { &VALUES }, &matrix_defs(form), &[])
}
