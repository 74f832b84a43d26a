//! Where a chunk of problems is solved: on a GPU through the kernels, or on the CPU in f64.

pub(crate) mod cpu;
mod finish;
pub(crate) mod gpu;
mod second_look;
mod spectrum;

pub(crate) use finish::finish;
pub(crate) use second_look::second_look;
pub(crate) use spectrum::{Factorisation, Spectrum};

use crate::ngd::{Reason, Status};

/// What a backend finds for one problem; `finish` makes the final row of it.
#[derive(Clone, Debug)]
pub(crate) struct Solved {
    pub(crate) theta: Vec<f64>,
    pub(crate) status: Status,
    pub(crate) reason: Option<Reason>,
    pub(crate) steps: u32,
    /// The factorisation at `theta`; `None` where there is none (the start is not finite, the problem
    /// diverged, or the SVD did not converge).
    pub(crate) spectrum: Option<Spectrum>,
    /// λmax(JᵀJ) where the backend measured it.
    pub(crate) gn_sharpness: Option<f64>,
}
