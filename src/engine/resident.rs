//! Fits that stay on the device.

use std::sync::Arc;

use crate::backend::gpu::{GpuBackend, MOST_IN_REGISTERS, Settled};
use crate::error::{Error, RequestError};
use crate::gpu::{Buffer, layout};
use crate::sweep::{Context, Outcome, Sweep};

use super::Engine;

/// Problems on a device with their data and results: run as often as is wanted, and read back only when asked for.
#[derive(Debug)]
pub struct Resident<'e> {
    gpu: &'e GpuBackend,
    context: Arc<Context>,
    settled: Settled,
    problems: u64,
}

impl Engine {
    /// Takes all problems of a sweep to the device, where they stay. What is told of them is what is
    /// [essential](crate::Detail::Essential), whatever the sweep asks for.
    ///
    /// ```no_run
    /// # use natgrad::{Choice, Data, Engine, Error, Model, Sweep};
    /// # fn main() -> Result<(), Error> {
    /// # let (model, data) = (Model::parse("a*x", &["a"])?, Data::read_csv("lines.csv")?);
    /// let engine = Engine::open(Choice::Gpu)?;
    /// let mut fits = engine.resident(&Sweep::new(&model, &data).start([1.0]))?;
    /// fits.run()?;
    /// let on_the_device = fits.parameters();
    /// let outcome = fits.outcome()?;
    /// # let _ = (on_the_device, outcome);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the request is wrong, its problems are not of the kind whose steps are taken in registers (expressions of few
    /// parameters, with as many points or more), they do not fit the device at once, or the engine runs on the CPU.
    pub fn resident(&self, sweep: &Sweep) -> Result<Resident<'_>, Error> {
        let job = sweep.clone().detail(crate::Detail::Essential).resolve()?;
        let refused = |why: String| Error::from(RequestError::NotResident { why });
        let gpu = self.backend.flying(&job).ok_or_else(|| {
            refused(format!(
                "steps in registers take a GPU and an expression of at most {MOST_IN_REGISTERS} parameters"
            ))
        })?;
        self.backend.check(&job)?;
        let most = gpu.most_settled(&job) as u64;
        if job.len() > most {
            return Err(refused(format!("{} problems, and this device holds {most} at once; run parts", job.len())));
        }
        let context = Arc::new(self.context(&job));
        let problems = job.len();
        match gpu.settle(job.window(0..problems)?, 0..problems)? {
            Some(settled) => Ok(Resident { gpu, context, settled, problems }),
            None => Err(refused("none of its problems has as many points as parameters".to_owned())),
        }
    }
}

impl Resident<'_> {
    /// Number of problems.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.problems
    }

    /// Whether there is none; a resolved sweep always has one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.problems == 0
    }

    /// Runs every problem from its start to its end. Two counters come back.
    ///
    /// # Errors
    /// If the device fails.
    pub fn run(&mut self) -> Result<(), Error> {
        self.run_and_count().map(drop)
    }

    /// The same, and how many problems went on by rotations, where normal equations left f32 in doubt.
    pub(crate) fn run_and_count(&mut self) -> Result<u64, Error> {
        self.gpu.run_settled(&self.settled)
    }

    /// θ of all problems on the device, in f32: parameter j of problem b is element [`place(b, j)`](Self::place). Problems of
    /// which the rank is in doubt are where doubt arose; their status is in the [outcome](Self::outcome) alone.
    #[must_use]
    pub fn parameters(&self) -> &Buffer<f32> {
        self.settled.parameters()
    }

    /// Where in the [parameters](Self::parameters) parameter j of problem b lies: problems are interleaved in tiles of 64.
    #[must_use]
    pub fn place(&self, problem: usize, parameter: usize) -> usize {
        layout::element(problem, parameter, 0, self.context.parameters.len(), 1, layout::LANES)
    }

    /// What the last run came to, read back. Problems whose rank is in doubt are run once more, with singular values.
    ///
    /// # Errors
    /// If the device fails.
    pub fn outcome(&self) -> Result<Outcome, Error> {
        self.gpu.outcome_of(&self.settled, &self.context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::present::devices;
    use crate::kernels::fused::host::{MOST_ROWS, STEPS};
    use crate::{Data, Detail, Model, Status};

    #[test]
    fn what_one_workgroup_takes_says_nothing_of_the_pace_of_the_device() {
        const SETS: usize = 32;
        for device in devices() {
            let values: Vec<f32> = (0..SETS * MOST_ROWS).map(|k| (k % MOST_ROWS) as f32).collect();
            let data = Data::from_array(&values, &[SETS, MOST_ROWS], &["set", "x"]).unwrap();
            let model = Model::parse("a*x + b*cos(x)", &["a", "b"]).unwrap();
            // Fits that end long before the evaluations that a dispatch may hold.
            let sweep = Sweep::new(&model, &data).starts_from_array([2.0, 1.0].repeat(SETS)).detail(Detail::Essential);
            let engine = Engine::from_device(device.clone()).unwrap();
            let before = device.pace().work(STEPS.name);
            for _ in 0..5 {
                let outcome = engine.run(&sweep).unwrap();
                assert!(outcome.iter().all(|fit| fit.status() == Status::Converged));
            }
            assert_eq!(device.pace().work(STEPS.name), before);
        }
    }
}
