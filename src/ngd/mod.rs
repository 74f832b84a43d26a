//! The rules of a natural-gradient step: filter, damping, scaling, stop and status.
//!
//! Everything here is plain arithmetic on one problem in f64. The CPU backend runs on it directly; the GPU kernels
//! restate it in WGSL and are tested against it.

mod damping;
mod filter;
mod scaling;
mod status;
mod stop;

pub use damping::Damping;
pub(crate) use damping::{LevenbergMarquardt, Verdict};
pub use filter::Filter;
pub(crate) use filter::Weighting;
pub use scaling::Scaling;
pub(crate) use status::Norms;
pub use status::{Reason, Status};
pub use stop::Stop;
pub(crate) use stop::{Tolerances, divergence_factor};

/// The precision a backend works in, with its unit roundoff.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Precision {
    /// IEEE binary32.
    F32,
    /// IEEE binary64.
    F64,
}

impl Precision {
    /// Unit roundoff u: half the distance from 1 to the next larger number.
    #[must_use]
    pub fn unit_roundoff(self) -> f64 {
        match self {
            Self::F32 => f64::from(f32::EPSILON) / 2.0,
            Self::F64 => f64::EPSILON / 2.0,
        }
    }

    /// The default rank cutoff for an n×p Jacobian, relative to σ₁: max(n, p) times the machine epsilon 2u.
    #[must_use]
    pub fn default_cutoff(self, rows: usize, parameters: usize) -> f64 {
        2.0 * self.unit_roundoff() * rows.max(parameters).max(1) as f64
    }
}

impl std::fmt::Display for Precision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
        })
    }
}
