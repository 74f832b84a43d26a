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
}

/// What a kernel tells of one matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Report {
    pub(crate) status: u32,
    pub(crate) sweeps: u32,
}

impl Matrices {
    /// For `count` matrices whose columns have `length` entries.
    pub(crate) fn new(count: usize, length: usize) -> Self {
        Self {
            count: count as u32,
            max_sweeps: super::problem::Rules::MAX_SWEEPS,
            tolerance: super::problem::rotation_tolerance(length) as f32,
            nan: f32::NAN,
        }
    }
}
