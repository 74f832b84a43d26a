//! Rows into data sets by the values of group columns.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;

use super::layout::{DataSets, Rows};
use super::table::{Cell, Column, read_cell};

/// Below this an integer is exact as f64, and no other number rounds to it.
const EXACT: f64 = 9_007_199_254_740_992.0;

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

/// A cell as an integer key: `7`, `+7` or `007`.
pub(super) fn integer(cell: &str) -> Option<i64> {
    cell.parse().ok()
}

/// A cell as a number key; minus zero is zero.
pub(super) fn number(cell: &str) -> Option<f64> {
    match read_cell(cell) {
        Cell::Number(value) => Some(value + 0.0),
        Cell::Missing | Cell::Text => None,
    }
}

/// Whether a cell is written as an integer, of whatever size.
fn is_integer_text(cell: &str) -> bool {
    let digits = cell.strip_prefix(['+', '-']).unwrap_or(cell);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// The kinds of key, in the order in which they are tried.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Integers,
    Numbers,
    Text,
}

fn kind(column: &Column, rows: &Rows) -> Kind {
    match column {
        Column::Axis { .. } => Kind::Integers,
        Column::Numbers(values) => {
            let is_whole = |value: f64| value.fract() == 0.0 && value.abs() < EXACT;
            let whole = rows.iter().all(|row| is_whole(values.get(row)));
            if whole { Kind::Integers } else { Kind::Numbers }
        }
        Column::Text(text) => {
            if rows.iter().all(|row| integer(text.cell(row)).is_some()) {
                return Kind::Integers;
            }
            let exact = |cell: &str| number(cell).is_some_and(|v| !is_integer_text(cell) || v.abs() < EXACT);
            if rows.iter().all(|row| exact(text.cell(row))) { Kind::Numbers } else { Kind::Text }
        }
    }
}

/// The rows of every data set: sets in the order of their first rows, rows in the order of the table.
pub(super) struct Sets {
    /// The rows of the table, set by set.
    pub(super) rows: Rows,
    /// Each set's part of `rows`.
    pub(super) ranges: DataSets,
}

/// Groups `rows` of the table by the columns' values; no column: all rows are one set.
///
/// Rows of one set mostly follow each other, so a key is looked up only where it differs from the row's before.
pub(super) fn group(columns: &[(&str, &Column)], rows: Rows) -> (Sets, Vec<KeyColumn>) {
    let kinds: Vec<Kind> = columns.iter().map(|(_, column)| kind(column, &rows)).collect();
    if columns.is_empty() {
        let ranges = DataSets::equal(1, rows.len());
        return (Sets { rows, ranges }, Vec::new());
    }
    let mut ids = vec![0_usize; rows.len()];
    for (&(_, column), &kind) in columns.iter().zip(&kinds) {
        refine(&mut ids, &rows, column, kind);
    }
    let sets = sort_by_set(&ids, rows);
    let keys = columns
        .iter()
        .zip(&kinds)
        .map(|(&(name, column), &kind)| {
            let firsts = sets.ranges.iter().map(|range| sets.rows.get(range.start));
            KeyColumn::new(name.to_owned(), values(column, kind, firsts))
        })
        .collect();
    (sets, keys)
}

/// Splits the sets in `ids` by one more column. New ids count up in the order of first appearance.
fn refine(ids: &mut [usize], rows: &Rows, column: &Column, kind: Kind) {
    match (column, kind) {
        (Column::Axis { stride, length, .. }, _) => {
            number_runs(ids, rows.iter().map(|row| Column::axis_value(row, *stride, *length)));
        }
        (Column::Numbers(values), _) => {
            number_runs(ids, rows.iter().map(|row| (values.get(row) + 0.0).to_bits()));
        }
        (Column::Text(text), Kind::Integers) => {
            number_runs(ids, rows.iter().map(|row| integer(text.cell(row)).unwrap_or_default()));
        }
        (Column::Text(text), Kind::Numbers) => {
            number_runs(ids, rows.iter().map(|row| number(text.cell(row)).unwrap_or_default().to_bits()));
        }
        (Column::Text(text), Kind::Text) => {
            number_runs(ids, rows.iter().map(|row| text.cell(row)));
        }
    }
}

fn number_runs<K: Copy + Eq + Hash>(ids: &mut [usize], keys: impl Iterator<Item = K>) {
    let mut known = HashMap::new();
    let mut last = None;
    for (id, key) in ids.iter_mut().zip(keys) {
        let here = (*id, key);
        *id = match last {
            Some((before, number)) if before == here => number,
            _ => {
                let next = known.len();
                *known.entry(here).or_insert(next)
            }
        };
        last = Some((here, *id));
    }
}

/// A stable counting sort of the rows by their set.
fn sort_by_set(ids: &[usize], rows: Rows) -> Sets {
    let count = ids.iter().max().map_or(0, |last| last + 1);
    let mut lengths = vec![0_usize; count];
    for &id in ids {
        lengths[id] += 1;
    }
    let ranges = DataSets::of_lengths(&lengths);
    if ids.is_sorted() {
        return Sets { rows, ranges };
    }
    let mut next: Vec<usize> = ranges.iter().map(|range| range.start).collect();
    let mut sorted = vec![0_usize; rows.len()];
    for (&id, row) in ids.iter().zip(rows.iter()) {
        sorted[next[id]] = row;
        next[id] += 1;
    }
    Sets { rows: Rows::Listed(sorted), ranges }
}

fn values(column: &Column, kind: Kind, rows: impl Iterator<Item = usize>) -> KeyValues {
    match (column, kind) {
        (Column::Axis { stride, length, .. }, _) => {
            // An axis is shorter than memory, so it fits i64.
            KeyValues::Integer(rows.map(|row| Column::axis_value(row, *stride, *length) as i64).collect())
        }
        // Exact: `kind` let only whole numbers below 2^53 be integers.
        (Column::Numbers(values), Kind::Integers) => {
            KeyValues::Integer(rows.map(|row| values.get(row) as i64).collect())
        }
        (Column::Numbers(values), _) => KeyValues::Number(rows.map(|row| values.get(row) + 0.0).collect()),
        (Column::Text(text), Kind::Integers) => {
            KeyValues::Integer(rows.map(|row| integer(text.cell(row)).unwrap_or_default()).collect())
        }
        (Column::Text(text), Kind::Numbers) => {
            KeyValues::Number(rows.map(|row| number(text.cell(row)).unwrap_or_default()).collect())
        }
        (Column::Text(text), Kind::Text) => KeyValues::Text(rows.map(|row| text.cell(row).to_owned()).collect()),
    }
}
