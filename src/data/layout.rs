//! Which rows belong to which data set, told without a word a row.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// The rows of each data set: one set after the other, their lengths equal or not.
#[derive(Clone, PartialEq, Eq)]
pub struct DataSets(Lengths);

#[derive(Clone, PartialEq, Eq)]
enum Lengths {
    Equal {
        sets: usize,
        rows: usize,
    },
    /// Where each set ends.
    Ends(Arc<[usize]>),
}

impl DataSets {
    /// So many sets of so many rows each.
    pub(super) fn equal(sets: usize, rows: usize) -> Self {
        Self(Lengths::Equal { sets, rows })
    }

    /// Sets of these lengths.
    pub(super) fn of_lengths(lengths: &[usize]) -> Self {
        match lengths {
            [first, rest @ ..] if rest.iter().all(|length| length == first) => Self::equal(lengths.len(), *first),
            _ => {
                let mut end = 0;
                let ends = lengths.iter().map(|length| {
                    end += length;
                    end
                });
                Self(Lengths::Ends(ends.collect()))
            }
        }
    }

    /// The same with every row so many times.
    pub(super) fn repeated(self, times: usize) -> Self {
        Self(match self.0 {
            Lengths::Equal { sets, rows } => Lengths::Equal { sets, rows: rows * times },
            Lengths::Ends(ends) => Lengths::Ends(ends.iter().map(|end| end * times).collect()),
        })
    }

    /// The number of data sets.
    pub fn len(&self) -> usize {
        match &self.0 {
            Lengths::Equal { sets, .. } => *sets,
            Lengths::Ends(ends) => ends.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows of a data set.
    ///
    /// # Panics
    /// Where there is no such data set.
    pub fn get(&self, set: usize) -> Range<usize> {
        match &self.0 {
            Lengths::Equal { sets, rows } => {
                assert!(set < *sets, "data set {set} of {sets}");
                set * rows..(set + 1) * rows
            }
            Lengths::Ends(ends) => {
                let start = if set == 0 { 0 } else { ends[set - 1] };
                start..ends[set]
            }
        }
    }

    /// The rows of all data sets together.
    pub fn rows(&self) -> usize {
        match &self.0 {
            Lengths::Equal { sets, rows } => sets * rows,
            Lengths::Ends(ends) => ends.last().copied().unwrap_or(0),
        }
    }

    /// The rows of every data set, in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Range<usize>> + Clone + '_ {
        (0..self.len()).map(|set| self.get(set))
    }

    /// How many rows each data set has, where all have the same number.
    pub fn equal_rows(&self) -> Option<usize> {
        match &self.0 {
            Lengths::Equal { rows, .. } => Some(*rows),
            Lengths::Ends(_) => None,
        }
    }

    /// The most rows that a data set has.
    pub(crate) fn most_rows(&self) -> usize {
        self.equal_rows().or_else(|| self.iter().map(|rows| rows.len()).max()).unwrap_or(0)
    }

    /// The fewest.
    pub(crate) fn least_rows(&self) -> usize {
        self.equal_rows().or_else(|| self.iter().map(|rows| rows.len()).min()).unwrap_or(0)
    }
}

impl fmt::Debug for DataSets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Lengths::Equal { sets, rows } => write!(f, "{sets} sets of {rows} rows"),
            Lengths::Ends(_) => f.debug_list().entries(self.iter()).finish(),
        }
    }
}

impl<const N: usize> PartialEq<[Range<usize>; N]> for DataSets {
    fn eq(&self, other: &[Range<usize>; N]) -> bool {
        self.iter().eq(other.iter().cloned())
    }
}

/// The table's row of each row in use.
#[derive(Clone, Debug)]
pub(super) enum Rows {
    /// Every row, in the table's order: how many there are.
    All(usize),
    Listed(Vec<usize>),
}

impl Rows {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::All(rows) => *rows,
            Self::Listed(rows) => rows.len(),
        }
    }

    pub(super) fn get(&self, k: usize) -> usize {
        match self {
            Self::All(_) => k,
            Self::Listed(rows) => rows[k],
        }
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = usize> + '_ {
        (0..self.len()).map(|k| self.get(k))
    }

    /// Whether these are all rows of a table of so many, in its order.
    pub(super) fn are_all(&self, rows: usize) -> bool {
        match self {
            Self::All(count) => *count == rows,
            Self::Listed(listed) => listed.len() == rows && listed.iter().copied().eq(0..rows),
        }
    }
}
