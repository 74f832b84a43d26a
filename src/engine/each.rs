//! Runs over data that come block by block.

use std::ops::ControlFlow;

use crate::data::Data;
use crate::error::{Error, RequestError};
use crate::sweep::{Outcome, Sweep};

use super::Engine;

impl Engine {
    /// Runs the sweep on each of these blocks of data sets and hands its outcome to `see`, which may end the run by breaking
    /// off; the number of problems run. One block and its outcome are in memory at a time, whatever their number.
    ///
    /// Model, starts, rules and stops are the sweep's; its own data are not used, and each block is read as it says itself.
    /// Problems and data sets are counted on from block to block, and each problem's result is that of a single run over all
    /// of them, to the bit, as long as in each block, as in all, the data sets have the same coordinates or have not. Group columns keep the values that the block gives them. An
    /// [array of starts](Sweep::starts_from_array) has a row for each data set of all blocks.
    ///
    /// ```
    /// # use std::ops::ControlFlow;
    /// # use natgrad::{Choice, Data, Engine, Error, Model, Sweep};
    /// # fn main() -> Result<(), Error> {
    /// let model = Model::parse("a*x", &["a"])?;
    /// // Three blocks of two data sets of three points each.
    /// let block = |k: u8| Data::from_array(&[f32::from(k); 6], &[2, 3], &["set", "x"]);
    /// let blocks = [block(1)?, block(2)?, block(3)?];
    /// let sweep = Sweep::new(&model, &blocks[0]).start([1.0]);
    /// let mut sets = Vec::new();
    /// Engine::open(Choice::Cpu)?.run_each(&sweep, blocks, |outcome| {
    ///     sets.extend(outcome.iter().map(|problem| problem.set()));
    ///     ControlFlow::Continue(())
    /// })?;
    /// assert_eq!(sets, [0, 1, 2, 3, 4, 5]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`run`](Self::run), at the first block at fault; what `see` has been given before stays.
    pub fn run_each(
        &self,
        sweep: &Sweep,
        blocks: impl IntoIterator<Item = Data>,
        mut see: impl FnMut(Outcome) -> ControlFlow<()>,
    ) -> Result<u64, Error> {
        let (mut problems, mut sets) = (0, 0);
        for data in blocks {
            let job = sweep.on(&data, sets).resolve()?;
            // Rows of results count data sets in 32 bits.
            let most = u64::from(u32::MAX);
            if (sets + job.sets()) as u64 > most {
                return Err(RequestError::TooManyProblems { most }.into());
            }
            let outcome = self.run_job(&job, 0..job.len(), &mut |_| ControlFlow::Continue(()))?;
            let seen = see(outcome.counted_from(problems, sets));
            problems += job.len();
            sets += job.sets();
            if seen.is_break() {
                break;
            }
        }
        Ok(problems)
    }
}
