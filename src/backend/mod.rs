//! Where a chunk of problems is solved: on a GPU through the kernels, or on the CPU in f64.

pub(crate) mod cpu;
mod evaluation;
mod figures;
mod finish;
pub(crate) mod gpu;
mod row_space;
mod second_look;
mod solutions;
mod spectrum;
pub(crate) mod stream;

pub(crate) use evaluation::residual_and_jacobian;
pub(crate) use figures::largest_eigenvalue;
pub(crate) use finish::{finish, row};
pub(crate) use row_space::{MOST_DENSE, RowSpace};
pub(crate) use second_look::second_look;
pub(crate) use solutions::Solutions;
pub(crate) use spectrum::{Factorisation, Spectrum};

use crate::error::Error;
use crate::ngd::{Precision, Reason, Status};
use crate::sweep::{Job, ProblemId};

/// Problems a CPU chunk: enough to keep every core busy, few enough for a lively progress bar.
const CPU_CHUNK: usize = 2048;

/// Where problems are solved.
#[derive(Debug)]
pub(crate) enum Backend {
    /// On a GPU, in f32.
    Gpu(gpu::GpuBackend),
    /// On the CPU, in f64.
    Cpu,
}

impl Backend {
    /// The precision of the steps.
    pub(crate) fn precision(&self) -> Precision {
        match self {
            Self::Gpu(_) => Precision::F32,
            Self::Cpu => Precision::F64,
        }
    }

    /// Refuses jobs that no chunking makes fit.
    pub(crate) fn check(&self, job: &Job) -> Result<(), Error> {
        match self {
            Self::Gpu(gpu) => gpu.check(job),
            Self::Cpu => Ok(()),
        }
    }

    /// The most problems that the next chunk may have.
    pub(crate) fn most_at_once(&self, job: &Job) -> usize {
        match self {
            Self::Gpu(gpu) => gpu.most_at_once(job),
            Self::Cpu => CPU_CHUNK,
        }
    }

    /// Bytes of the largest chunk of at most so many problems on the device, beside its data.
    #[cfg(feature = "cli")]
    pub(crate) fn bytes_on_device(&self, job: &Job, most: u64) -> u64 {
        match self {
            Self::Gpu(gpu) => gpu.bytes(job, most),
            Self::Cpu => 0,
        }
    }

    /// Solves as many problems from the front of `ids`, by ascending data set, as make a chunk.
    pub(crate) fn solve_some(&self, job: &Job, ids: &[ProblemId]) -> Result<Solutions, Error> {
        match self {
            Self::Gpu(gpu) => pollster::block_on(gpu.solve(job, &ids[..gpu.fitting(job, ids)?])),
            Self::Cpu => Ok(Solutions::Made(cpu::solve(job, ids))),
        }
    }

    /// The GPU, where it does chunks of a job best several at a time.
    pub(crate) fn flying(&self, job: &Job) -> Option<&gpu::GpuBackend> {
        match self {
            Self::Gpu(gpu) if gpu.flies(job) => Some(gpu),
            _ => None,
        }
    }

    /// Solves the problems `ids`, by ascending data set, and keeps of each what is asked for: all of a problem with many
    /// parameters is much.
    pub(crate) fn solve<T>(&self, job: &Job, ids: &[ProblemId], keep: impl Fn(Solved) -> T) -> Result<Vec<T>, Error> {
        self.check(job)?;
        let mut kept = Vec::with_capacity(ids.len());
        while kept.len() < ids.len() {
            let end = ids.len().min(kept.len() + self.most_at_once(job));
            let some = &ids[kept.len()..end];
            kept.extend(self.solve_some(job, some)?.all(job, some).into_iter().map(&keep));
        }
        Ok(kept)
    }
}

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
    /// What was recorded before the end.
    pub(crate) way: Vec<Waypoint>,
}

/// Where a problem stood on its way, in the user's units.
#[derive(Clone, Debug)]
pub(crate) struct Waypoint {
    pub(crate) step: u32,
    pub(crate) residual_norm: f64,
    pub(crate) rank: usize,
    /// The largest and the smallest singular value of the J that was factored.
    pub(crate) sigma: (f64, f64),
    /// Where it is kept.
    pub(crate) theta: Vec<f64>,
}
