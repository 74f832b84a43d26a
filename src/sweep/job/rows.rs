//! What the problems of a job stand on: the rows of its data sets, and its starts.

use std::borrow::Cow;
use std::ops::Range;

use crate::sweep::ProblemId;
use crate::sweep::check::sigma;
use crate::sweep::start_values::Lent;

use super::Job;

impl Job {
    /// The rows of a data set.
    pub(crate) fn rows(&self, set: usize) -> Range<usize> {
        self.0.whole.sets.get(set)
    }

    /// The most points that a data set has.
    pub(crate) fn most_rows(&self) -> usize {
        self.0.whole.sets.most_rows()
    }

    /// The number of rows of every data set, where all have as many.
    pub(crate) fn equal_rows(&self) -> Option<usize> {
        self.0.whole.sets.equal_rows()
    }

    /// The model's inputs at a row.
    pub(crate) fn inputs(&self, row: usize) -> &[f64] {
        let whole = &self.0.whole;
        let width = whole.model.row_inputs();
        let place = match whole.grid {
            Some(rows) if row >= rows => row % rows,
            _ => row,
        };
        &whole.inputs[place * width..(place + 1) * width]
    }

    /// The model's inputs at the rows of a data set, row after row.
    pub(crate) fn inputs_of(&self, set: usize) -> &[f64] {
        let whole = &self.0.whole;
        let (width, rows) = (whole.model.row_inputs(), self.rows(set));
        let rows = if whole.grid.is_some() { 0..rows.len() } else { rows };
        &whole.inputs[rows.start * width..rows.end * width]
    }

    /// The values that one of the model's inputs takes; once where all data sets share them.
    pub(crate) fn input_values(&self, input: usize) -> impl Iterator<Item = f64> + Clone + '_ {
        let whole = &self.0.whole;
        whole.inputs.iter().skip(input).step_by(whole.model.row_inputs()).copied()
    }

    /// The number of rows of every data set, where all have the same inputs, bit for bit and in the same order:
    /// `inputs(k)` for k below it are those of any.
    pub(crate) fn shared_grid(&self) -> Option<usize> {
        self.0.whole.grid
    }

    pub(crate) fn response(&self, row: usize) -> f64 {
        self.held().data.response.get(row)
    }

    /// The responses of a data set.
    pub(crate) fn responses_of(&self, set: usize) -> Cow<'_, [f64]> {
        self.held().data.response.slice(self.rows(set))
    }

    /// The responses of data sets at hand.
    pub(crate) fn responses(&self, sets: Range<usize>) -> impl Iterator<Item = f64> + '_ {
        sets.flat_map(|set| self.rows(set)).map(|row| self.response(row))
    }

    /// The responses of a range of rows, rounded to f32; borrowed where they are held as such.
    pub(crate) fn responses_f32(&self, rows: Range<usize>) -> Cow<'_, [f32]> {
        self.held().data.response.slice_f32(rows)
    }

    /// Whether a row may weigh something other than 1.
    pub(crate) fn has_sigma(&self) -> bool {
        self.0.whole.has_sigma
    }

    /// 1/σ of a row.
    pub(crate) fn weight(&self, row: usize) -> f64 {
        1.0 / sigma(&self.held().data, row)
    }

    /// ‖w∘y‖ of a data set.
    pub(crate) fn response_norm(&self, set: usize) -> f64 {
        let data = &self.held().data;
        let rows = self.rows(set);
        // The same sum, without asking every row what it is.
        if !self.has_sigma() {
            return match data.response.as_f32(&rows) {
                Some(values) => norm(values.len(), |i| f64::from(values[i])),
                None => {
                    let values = data.response.slice(rows);
                    norm(values.len(), |i| values[i])
                }
            };
        }
        norm(rows.len(), |i| data.response.get(rows.start + i) / sigma(data, rows.start + i))
    }

    /// θ at the start of a problem.
    pub(crate) fn start(&self, id: ProblemId) -> &[f64] {
        let starts = &self.held().starts;
        starts.theta(starts.range(id.set).start + id.start)
    }

    /// The starts of all problems, where all are held.
    pub(crate) fn lent_starts(&self) -> Option<Lent> {
        let held = self.0.held.as_ref()?;
        (held.sets == (0..self.sets())).then(|| held.starts.lent(self.rules().len())).flatten()
    }

    /// The first of the seeds of random starts.
    pub(crate) fn first_seed(&self) -> u64 {
        self.0.whole.seeds.as_ref().map_or(0, |seeds| seeds.start)
    }

    /// The place of the seed of a problem's start among those of random starts, counted from 1; 0 where it has none.
    pub(crate) fn seed_place(&self, id: ProblemId) -> u32 {
        // No data set has more starts than u32 counts.
        self.seed(id).map_or(0, |seed| (seed - self.first_seed()) as u32 + 1)
    }

    /// The seed of a problem's start, where it is a random one: those come last among the starts of a data set.
    pub(crate) fn seed(&self, id: ProblemId) -> Option<u64> {
        let seeds = self.0.whole.seeds.as_ref()?;
        let problems = self.problems_of(id.set);
        let starts = ((problems.end - problems.start) / self.rules().len() as u64) as usize;
        let before = starts - (seeds.end - seeds.start) as usize;
        id.start.checked_sub(before).map(|i| seeds.start + i as u64)
    }
}

/// ‖v‖ of so many entries, in four sums, none of which waits for another.
fn norm(entries: usize, v: impl Fn(usize) -> f64) -> f64 {
    let mut sums = [0.0; 4];
    let whole = entries / 4 * 4;
    for first in (0..whole).step_by(4) {
        for (k, sum) in sums.iter_mut().enumerate() {
            *sum += v(first + k).powi(2);
        }
    }
    let rest: f64 = (whole..entries).map(|i| v(i).powi(2)).sum();
    ((sums[0] + sums[1]) + (sums[2] + sums[3]) + rest).sqrt()
}
