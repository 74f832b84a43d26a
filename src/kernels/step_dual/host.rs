//! Declares `shaders/step_dual`: steps of wide problems by the kernel matrix JJᵀ, and those of gradient descent. Neither
//! takes singular values; where a test, the end of a problem or its rounding asks for them, it goes on to the SVD.

use bytemuck::{Pod, Zeroable};

use crate::gpu::{Def, KernelSource, UNROLLED, kernel_source};
use crate::kernels::problem::Sizes;
use crate::kernels::substitute;

pub(crate) const REGISTERS: KernelSource = kernel_source!(
    "step_dual/registers", uniform rules, read problems, write states, read listed, read block, read theta, write trial,
    write sums, write fresh
);
pub(crate) const ROTATIONS: KernelSource = kernel_source!(
    "step_dual/rotations", uniform rules, read problems, write states, read listed, read block, read theta, write trial,
    write fresh
);
pub(crate) const CURTAIL: KernelSource = kernel_source!("step_dual/curtail", read doubted, write triangle);
pub(crate) const WEIGH: KernelSource = kernel_source!(
    "step_dual/weigh", read problems, read doubted, read w, read carried, read values, read reports, write solution,
    write tangents
);
pub(crate) const TURNED: KernelSource = kernel_source!(
    "step_dual/turned", uniform rules, read problems, write states, read doubted, read step, read tangents, read theta,
    write trial, write fresh
);
pub(crate) const PREPARE: KernelSource = kernel_source!(
    "step_dual/prepare", read problems, read listed, read block, write kernel, write residual, write alpha, write plans,
    write bits
);
pub(crate) const PLAN: KernelSource =
    kernel_source!("step_dual/plan", read problems, read listed, read notes, read bits, read squares, write plans);
pub(crate) const SOLVE: KernelSource = kernel_source!(
    "step_dual/solve", uniform round, read listed, read plans, read l, write residual, write alpha
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

/// Blocks of singular directions, of which an invocation sums the entries of one.
pub(crate) fn direction_blocks(sizes: Sizes) -> usize {
    sizes.directions.div_ceil(WIDTH)
}

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

/// The constants of the kernel that does all, and leaves what f32 cannot solve to rotations or not; its loops are unrolled or as
/// they are written: slower, and compiled by every driver.
pub(crate) fn registers_defs(sizes: Sizes, rotates: bool, unrolled: bool) -> Vec<(&'static str, Def)> {
    let mut defs = rotations_defs(sizes, unrolled);
    defs.push(("ROTATES", Def::Bool(rotates)));
    defs
}

/// The constants of the kernel of rotations, with its loops the same way.
pub(crate) fn rotations_defs(sizes: Sizes, unrolled: bool) -> Vec<(&'static str, Def)> {
    let mut defs = sizes.defs();
    defs.push((UNROLLED, Def::Bool(unrolled)));
    defs
}

/// The constants of the kernel that prepares, where there is a kernel matrix or not.
pub(crate) fn prepare_defs(sizes: Sizes, solves: bool) -> Vec<(&'static str, Def)> {
    let mut defs = sizes.defs();
    defs.push(("SOLVES", Def::Bool(solves)));
    defs
}

/// The constants of the kernel that weighs singular directions.
pub(crate) fn weigh_defs(sizes: Sizes) -> Vec<(&'static str, Def)> {
    let mut defs = sizes.defs();
    defs.extend([("WIDTH", Def::UInt(WIDTH as u32)), (UNROLLED, Def::Bool(true))]);
    defs
}

/// The inverse of the Cholesky factor, which tells the condition.
pub(crate) fn inverse(sizes: Sizes) -> substitute::host::Form {
    substitute::host::Form { size: sizes.directions, rights: 0, lower: true }
}

/// The constants of the kernel that plans.
pub(crate) fn plan_defs(sizes: Sizes) -> Vec<(&'static str, Def)> {
    vec![("BLOCKS", Def::UInt(inverse(sizes).blocks() as u32))]
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
    all.extend([true, false].map(|solves| (PREPARE, prepare_defs(sizes, solves))));
    all.extend([(PLAN, plan_defs(sizes)), (CURTAIL, sizes.defs()), (WEIGH, weigh_defs(sizes)), (TURNED, sizes.defs())]);
    all.extend(
        [true, false].map(|unrolled| (substitute::host::SOURCE, substitute::host::defs(inverse(sizes), unrolled))),
    );
    if sizes.directions <= MOST_UNROLLED {
        for unrolled in [true, false] {
            all.extend([true, false].map(|rotates| (REGISTERS, registers_defs(sizes, rotates, unrolled))));
            all.push((ROTATIONS, rotations_defs(sizes, unrolled)));
        }
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
