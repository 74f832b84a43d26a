//! Where the problems of an outcome started.

use std::sync::Arc;

use crate::memory;

use super::{Job, ProblemId, Row};

/// θ₀ of problem after problem.
#[derive(Clone, Debug)]
pub(crate) enum StartValues {
    /// p values a problem.
    Own(Vec<f64>),
    /// Those of the job: there may be as many as there are data sets, and nobody writes to them.
    Lent(Lent),
}

/// The starts of a job that holds all of them.
#[derive(Clone, Debug)]
pub(crate) struct Lent {
    /// p values a start.
    values: Arc<Vec<f64>>,
    numbering: Numbering,
}

/// Which start is that of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Numbering {
    /// Every data set has the same: that of its number.
    Shared,
    /// One after the other from this problem on, each for as many problems as there are rules.
    InTurn { first: u64, rules: u64 },
}

impl Lent {
    pub(super) fn shared(values: Arc<Vec<f64>>) -> Self {
        Self { values, numbering: Numbering::Shared }
    }

    /// The starts of data set after data set.
    pub(super) fn in_turn(values: Arc<Vec<f64>>, rules: usize) -> Self {
        Self { values, numbering: Numbering::InTurn { first: 0, rules: rules.max(1) as u64 } }
    }

    /// θ₀, p values, of a problem.
    fn of(&self, row: &Row, p: usize) -> &[f64] {
        let place = match self.numbering {
            Numbering::Shared => row.start as usize,
            Numbering::InTurn { first, rules } => ((row.problem - first) / rules) as usize,
        };
        &self.values[place * p..(place + 1) * p]
    }

    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.values, &other.values) && self.numbering == other.numbering
    }
}

impl StartValues {
    /// θ₀, p values, of the problem at this position, of which this is the row.
    pub(super) fn of(&self, position: usize, row: &Row, p: usize) -> &[f64] {
        match self {
            Self::Own(values) => &values[position * p..(position + 1) * p],
            Self::Lent(lent) => lent.of(row, p),
        }
    }

    /// Makes room for so many values, where they are not lent.
    pub(super) fn reserve(&mut self, count: usize) {
        if let Self::Own(values) = self {
            memory::make_room(values, count);
        }
    }

    /// Adds those of further problems, `ids` of a job, on all cores; `rows` are those that are here.
    pub(crate) fn add(&mut self, job: &Job, ids: &[ProblemId], rows: &[Row]) {
        const TASK: usize = 4096;
        let p = job.model().parameters().len();
        match (job.lent_starts(), &*self) {
            (Some(lent), _) if rows.is_empty() => *self = Self::Lent(lent),
            (Some(lent), Self::Lent(known)) if known.is(&lent) => {}
            _ => memory::extend_in_blocks(self.owned(rows, p), ids.len() * p, TASK * p, |range, places| {
                ids[range.start / p..range.end / p].iter().for_each(|&id| places.extend_from_slice(job.start(id)));
            }),
        }
    }

    /// Adds those of the problems of several parts, each with its rows; `rows` are those that are here.
    pub(super) fn append(&mut self, rows: &[Row], parts: &[(&Self, &[Row])], p: usize) {
        let parts = || parts.iter().filter(|(_, rows)| !rows.is_empty());
        if rows.is_empty()
            && let Some((Self::Lent(lent), _)) = parts().next()
        {
            *self = Self::Lent(lent.clone());
        }
        let is_lent = |lent: &Lent, other: &Self| matches!(other, Self::Lent(other) if other.is(lent));
        if let Self::Lent(lent) = &*self
            && parts().all(|(part, _)| is_lent(lent, part))
        {
            return;
        }
        let own = parts().map(|(part, _)| match part {
            Self::Own(values) => Some(&values[..]),
            Self::Lent(_) => None,
        });
        let values = self.owned(rows, p);
        match own.collect::<Option<Vec<&[f64]>>>() {
            Some(parts) => memory::extend_from_parts(values, &parts),
            None => parts().for_each(|(part, rows)| part.add_to(values, rows, p)),
        }
    }

    /// Those of the problems at these positions.
    pub(super) fn select(&self, rows: &[Row], positions: &[usize], p: usize) -> Self {
        match self {
            Self::Lent(lent) => Self::Lent(lent.clone()),
            Self::Own(_) => Self::Own(positions.iter().flat_map(|&i| self.of(i, &rows[i], p)).copied().collect()),
        }
    }

    /// The same where so many problems come before these.
    pub(super) fn counted_from(&mut self, problems: u64) {
        if let Self::Lent(Lent { numbering: Numbering::InTurn { first, .. }, .. }) = self {
            *first += problems;
        }
    }

    /// Those of these rows, no longer lent.
    fn owned(&mut self, rows: &[Row], p: usize) -> &mut Vec<f64> {
        if let Self::Lent(_) = self {
            let mut values = Vec::with_capacity(rows.len() * p);
            self.add_to(&mut values, rows, p);
            *self = Self::Own(values);
        }
        match self {
            Self::Own(values) => values,
            Self::Lent(_) => unreachable!("what was lent is a copy now"),
        }
    }

    fn add_to(&self, values: &mut Vec<f64>, rows: &[Row], p: usize) {
        rows.iter().enumerate().for_each(|(i, row)| values.extend_from_slice(self.of(i, row, p)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ngd::Status;

    /// Rows of two data sets with two starts each and two rules.
    fn rows() -> Vec<Row> {
        let one = Row {
            problem: 0,
            set: 0,
            start: 0,
            rule: 0,
            seed_place: 0,
            points: 4,
            status: Status::Converged,
            reason: None,
            steps: 3,
            rank: 1,
            loss: 0.5,
        };
        (0..8)
            .map(|k| Row { problem: k, set: k as u32 / 4, start: k as u32 / 2 % 2, rule: k as u32 % 2, ..one })
            .collect()
    }

    fn read(values: &StartValues, rows: &[Row]) -> Vec<f64> {
        rows.iter().enumerate().map(|(i, row)| values.of(i, row, 1)[0]).collect()
    }

    #[test]
    fn lent_starts_are_those_of_their_problems_wherever_these_stand() {
        let (values, rows) = (Arc::new(vec![10.0, 11.0, 20.0, 21.0]), rows());
        let in_turn = StartValues::Lent(Lent::in_turn(Arc::clone(&values), 2));
        let expected = [10.0, 10.0, 11.0, 11.0, 20.0, 20.0, 21.0, 21.0];
        assert_eq!(read(&in_turn, &rows), expected);
        assert_eq!(read(&StartValues::Lent(Lent::shared(values)), &rows), [10.0, 10.0, 11.0, 11.0].repeat(2));
        let positions = [6, 1, 3];
        let chosen: Vec<Row> = positions.iter().map(|&i| rows[i]).collect();
        assert_eq!(read(&in_turn.select(&rows, &positions, 1), &chosen), [21.0, 10.0, 11.0]);
        let mut later = in_turn.clone();
        later.counted_from(100);
        let rows: Vec<Row> = rows.into_iter().map(|row| Row { problem: row.problem + 100, ..row }).collect();
        assert_eq!(read(&later, &rows), expected);
    }

    #[test]
    fn parts_that_were_lent_the_same_are_joined_without_a_copy_and_others_by_one() {
        let (values, rows) = (Arc::new(vec![10.0, 11.0, 20.0, 21.0]), rows());
        let lent = StartValues::Lent(Lent::in_turn(Arc::clone(&values), 2));
        let other = StartValues::Lent(Lent::in_turn(Arc::new(vec![1.0, 2.0, 3.0, 4.0]), 2));
        let own = StartValues::Own(vec![7.0, 8.0]);
        let joined = |parts: &[(&StartValues, &[Row])]| {
            let mut all = StartValues::Own(Vec::new());
            all.append(&[], parts, 1);
            let rows: Vec<Row> = parts.iter().flat_map(|(_, rows)| *rows).copied().collect();
            (matches!(all, StartValues::Lent(_)), read(&all, &rows))
        };
        assert_eq!(joined(&[(&lent, &rows[..3]), (&lent, &rows[3..5])]), (true, vec![10.0, 10.0, 11.0, 11.0, 20.0]));
        assert_eq!(joined(&[(&lent, &rows[..1]), (&other, &rows[6..])]), (false, vec![10.0, 4.0, 4.0]));
        assert_eq!(joined(&[(&own, &rows[..2]), (&lent, &rows[7..])]), (false, vec![7.0, 8.0, 21.0]));
        assert_eq!(joined(&[(&own, &rows[..2]), (&own, &rows[2..4])]), (false, vec![7.0, 8.0, 7.0, 8.0]));
        assert_eq!(joined(&[(&own, &[]), (&lent, &rows[..1])]), (true, vec![10.0]));
    }
}
