//! The structures of `shaders/shared/matrices.wgsl`, word for word.

use bytemuck::{Pod, Zeroable};

/// What all matrices of a batch share.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Matrices {
    pub(crate) count: u32,
    pub(crate) max_sweeps: u32,
    pub(crate) tolerance: f32,
    pub(crate) nan: f32,
    pub(crate) cutoff: f32,
    pub(crate) doubt: f32,
    pub(crate) first: u32,
    pub(crate) padding: u32,
}

/// What a kernel tells of one matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Report {
    pub(crate) status: u32,
    pub(crate) sweeps: u32,
    pub(crate) rank: u32,
}

impl Matrices {
    /// For `count` matrices whose columns have `length` entries, and ranks at a relative cutoff.
    pub(crate) fn new(count: usize, length: usize, cutoff: f64) -> Self {
        Self {
            count: count as u32,
            max_sweeps: super::problem::Rules::MAX_SWEEPS,
            tolerance: super::problem::rotation_tolerance(length) as f32,
            nan: f32::NAN,
            cutoff: cutoff as f32,
            doubt: 0.0,
            first: 0,
            padding: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::structures::{in_rust, in_shader};
    use crate::kernels::svd::host::{Form, VALUES, matrix_defs};

    #[test]
    fn host_and_shader_agree_on_every_offset() {
        let defs = matrix_defs(Form::of_matrices(2, 2, false), false);
        assert_eq!(
            in_shader(&VALUES, &defs, "Matrices"),
            in_rust!(Matrices: count, max_sweeps, tolerance, nan, cutoff, doubt, first, padding)
        );
        assert_eq!(in_shader(&VALUES, &defs, "Report"), in_rust!(Report: status, sweeps, rank));
    }
}
