//! What tells data sets apart: the values of group columns.

use std::fmt;

/// A group column's value for each data set, under the column's name and of its type.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyColumn {
    /// The name of the column, as `group_by` named it.
    pub name: String,
    /// One value for each data set.
    pub values: KeyValues,
    /// The data set that the first value belongs to.
    first: usize,
}

impl KeyColumn {
    /// The values of all data sets.
    pub(crate) fn new(name: String, values: KeyValues) -> Self {
        Self { name, values, first: 0 }
    }

    /// The same where `sets` data sets come before these.
    pub(crate) fn counted_from(self, sets: usize) -> Self {
        Self { first: self.first + sets, ..self }
    }

    /// The value of a data set, counted as in results.
    ///
    /// # Panics
    /// Where there is no such data set.
    pub fn get(&self, set: usize) -> Key<'_> {
        self.values.get(self.place(set))
    }

    /// Where the value of a data set stands in `values`.
    pub(crate) fn place(&self, set: usize) -> usize {
        set - self.first
    }
}

/// The values of a group column: integers where all are, else numbers where all are, else text.
///
/// A column with an integer that f64 cannot hold beside numbers that are no integers is text: as numbers, different
/// keys could become one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum KeyValues {
    /// The places 0, 1, 2, … along an array's axis: how many there are.
    Places(usize),
    /// All values are integers.
    Integer(Vec<i64>),
    /// All values are numbers.
    Number(Vec<f64>),
    /// Anything else.
    Text(Vec<String>),
}

/// One value of a group column.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Key<'a> {
    /// An integer.
    Integer(i64),
    /// A number.
    Number(f64),
    /// Text.
    Text(&'a str),
}

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => value.fmt(f),
            Self::Number(value) => value.fmt(f),
            Self::Text(value) => value.fmt(f),
        }
    }
}

impl KeyValues {
    /// The value of one data set.
    ///
    /// # Panics
    /// Where there is no such data set.
    pub fn get(&self, set: usize) -> Key<'_> {
        match self {
            Self::Places(count) => {
                assert!(set < *count, "data set {set} of {count}");
                // An axis is shorter than memory, so it fits i64.
                Key::Integer(set as i64)
            }
            Self::Integer(values) => Key::Integer(values[set]),
            Self::Number(values) => Key::Number(values[set]),
            Self::Text(values) => Key::Text(&values[set]),
        }
    }

    /// The number of data sets.
    pub fn len(&self) -> usize {
        match self {
            Self::Places(count) => *count,
            Self::Integer(values) => values.len(),
            Self::Number(values) => values.len(),
            Self::Text(values) => values.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl PartialEq for KeyValues {
    /// Places along an axis are integers like others.
    fn eq(&self, other: &Self) -> bool {
        let is_integer = |values: &Self| matches!(values, Self::Places(_) | Self::Integer(_));
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a == b,
            (Self::Text(a), Self::Text(b)) => a == b,
            (a, b) if is_integer(a) && is_integer(b) => {
                a.len() == b.len() && (0..a.len()).all(|set| a.get(set) == b.get(set))
            }
            _ => false,
        }
    }
}
