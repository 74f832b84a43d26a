//! Declares `shaders/step_dual`: damped steps of wide problems by the kernel matrix JJᵀ, and steps of gradient descent. Neither
//! takes singular values; where a test, the end of a problem or its rounding asks for them, it goes on to the SVD.

use bytemuck::{Pod, Zeroable};

use crate::gpu::{Def, KernelSource, UNROLLED, kernel_source};
use crate::kernels::problem::Sizes;

pub(crate) const REGISTERS: KernelSource = kernel_source!(
    "step_dual/registers", uniform rules, read problems, write states, read listed, read block, read theta, write trial,
    write sums, write fresh
);
pub(crate) const PREPARE: KernelSource = kernel_source!(
    "step_dual/prepare", read problems, read listed, read block, write kernel, write residual, write alpha, write plans
);
pub(crate) const SOLVE: KernelSource = kernel_source!(
    "step_dual/solve", uniform round, read listed, read notes, read l, write plans, write residual, write alpha
);
pub(crate) const BACK: KernelSource = kernel_source!(
    "step_dual/back", uniform round, read problems, read listed, read plans, read block, read change, read theta,
    write trial, write sums
);
pub(crate) const RESIDUAL: KernelSource = kernel_source!(
    "step_dual/residual", uniform round, read problems, read listed, read plans, read block, read alpha, read sums,
    write residual
);
pub(crate) const SIEVE: KernelSource = kernel_source!(
    "step_dual/sieve", uniform rules, read problems, write states, read listed, read block, read alpha, read sums,
    read plans, write fresh
);

/// The most rows of problems of which one invocation keeps JJᵀ in registers.
pub(crate) const MOST_UNROLLED: usize = 8;

/// The most rounds of refinement.
pub(crate) const MOST_ROUNDS: u32 = 3;

/// Parameters that an invocation sums at a time.
const WIDTH: usize = 8;

/// Rows of the residual that an invocation sums at a time.
const ROWS: usize = 4;

/// A round of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Round {
    pub(crate) number: u32,
    padding: [u32; 3],
}

impl Round {
    pub(crate) fn new(number: u32) -> Self {
        Self { number, padding: [0; 3] }
    }
}

/// Blocks of parameters.
pub(crate) fn blocks(sizes: Sizes) -> usize {
    sizes.parameters.div_ceil(WIDTH)
}

/// Blocks of rows.
pub(crate) fn row_blocks(sizes: Sizes) -> usize {
    sizes.directions.div_ceil(ROWS)
}

/// Numbers of a problem's sums: Jᵀα, and three squares of each block.
pub(crate) fn height(sizes: Sizes) -> usize {
    sizes.parameters + 3 * blocks(sizes)
}

/// The constants of the kernel that does all, whose loops are unrolled or as they are written: slower, and compiled by every
/// driver.
pub(crate) fn registers_defs(sizes: Sizes, unrolled: bool) -> Vec<(&'static str, Def)> {
    let mut defs = sizes.defs();
    defs.push((UNROLLED, Def::Bool(unrolled)));
    defs
}

/// The constants of the kernel that prepares, where there is a kernel matrix or not.
pub(crate) fn prepare_defs(sizes: Sizes, damped: bool) -> Vec<(&'static str, Def)> {
    let mut defs = sizes.defs();
    defs.push(("DAMPED", Def::Bool(damped)));
    defs
}

/// The constants of the others.
pub(crate) fn defs(sizes: Sizes) -> Vec<(&'static str, Def)> {
    let mut defs = sizes.defs();
    let size = |name, value: usize| (name, Def::UInt(value as u32));
    defs.extend([size("WIDTH", WIDTH), size("ROWS", ROWS), (UNROLLED, Def::Bool(true))]);
    defs
}

/// All kernels of problems of these sizes, with their constants.
pub(crate) fn kernels(sizes: Sizes) -> Vec<(KernelSource, Vec<(&'static str, Def)>)> {
    let mut all: Vec<_> = [SOLVE, BACK, RESIDUAL, SIEVE].map(|source| (source, defs(sizes))).into();
    all.extend([true, false].map(|damped| (PREPARE, prepare_defs(sizes, damped))));
    if sizes.directions <= MOST_UNROLLED {
        all.extend([true, false].map(|unrolled| (REGISTERS, registers_defs(sizes, unrolled))));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::structures::in_shader;

    #[test]
    fn host_and_shader_agree_on_rounds() {
        let sizes = Sizes { parameters: 20, directions: 9 };
        let (size, members) = in_shader(&BACK, &defs(sizes), "Round");
        assert_eq!((size as usize, members[0].0.as_str(), members[0].1), (size_of::<Round>(), "number", 0));
        // The word beyond the rounds is that of gradient descent.
        assert!(
            include_str!("../../../shaders/shared/dual.wgsl").contains(&format!("MOST_ROUNDS: u32 = {MOST_ROUNDS}u;"))
        );
    }
}
