//! Rows into data sets by the values of group columns.

use std::collections::HashMap;
use std::hash::Hash;

use rayon::prelude::*;

use super::keys::{KeyColumn, KeyValues};
use super::layout::{DataSets, Rows};
use super::table::{Cell, Column, read_cell};

/// Below this an integer is exact as f64, and no other number rounds to it.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Rows that one core looks at at a time.
const ROWS_PER_TASK: usize = 1 << 14;

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

/// What a column's keys are: these rows have all there are.
fn kind(column: &Column, rows: &[usize]) -> Kind {
    match column {
        Column::Axis { .. } => Kind::Integers,
        Column::Numbers(values) => {
            let is_whole = |value: f64| value.fract() == 0.0 && value.abs() < EXACT;
            let whole = rows.par_iter().all(|&row| is_whole(values.get(row)));
            if whole { Kind::Integers } else { Kind::Numbers }
        }
        Column::Text(text) => {
            if rows.par_iter().all(|&row| integer(text.cell(row)).is_some()) {
                return Kind::Integers;
            }
            let exact = |cell: &str| number(cell).is_some_and(|v| !is_integer_text(cell) || v.abs() < EXACT);
            if rows.par_iter().all(|&row| exact(text.cell(row))) { Kind::Numbers } else { Kind::Text }
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
/// Rows of one set mostly follow each other. Where the next ones begin is looked for on all cores, and only of these rows keys
/// are looked up, one after the other.
pub(super) fn group(columns: &[(&str, &Column)], rows: Rows) -> (Sets, Vec<KeyColumn>) {
    if columns.is_empty() {
        let ranges = DataSets::equal(1, rows.len());
        return (Sets { rows, ranges }, Vec::new());
    }
    let runs = runs(columns, &rows);
    let firsts: Vec<usize> = runs.iter().map(|&k| rows.get(k)).collect();
    let kinds: Vec<Kind> = columns.iter().map(|(_, column)| kind(column, &firsts)).collect();
    let mut ids = vec![0_usize; runs.len()];
    for (&(_, column), &kind) in columns.iter().zip(&kinds) {
        refine(&mut ids, &firsts, column, kind);
    }
    let sets = sort_by_set(&ids, &runs, rows);
    let firsts: Vec<usize> = sets.ranges.iter().map(|range| sets.rows.get(range.start)).collect();
    let key = |(&(name, column), &kind): (&(&str, &Column), &Kind)| {
        KeyColumn::new(name.to_owned(), values(column, kind, &firsts))
    };
    let keys = columns.iter().zip(&kinds).map(key).collect();
    (sets, keys)
}

/// Where among `rows` those begin whose cells differ from the row's before: 0 and the places that follow, ascending.
fn runs(columns: &[(&str, &Column)], rows: &Rows) -> Vec<usize> {
    let task = |first: usize| {
        let mut begins = vec![false; rows.len().min(first + ROWS_PER_TASK) - first];
        for (_, column) in columns {
            mark(column, rows, first.max(1), &mut begins[first.max(1) - first..]);
        }
        begins[0] |= first == 0;
        begins.into_iter().enumerate().filter(|(_, begins)| *begins).map(|(k, _)| first + k).collect::<Vec<usize>>()
    };
    let firsts: Vec<usize> = (0..rows.len()).step_by(ROWS_PER_TASK).collect();
    firsts.into_par_iter().flat_map_iter(task).collect()
}

/// Marks the places, from `first` on, at which a column's cells differ from the row's before.
fn mark(column: &Column, rows: &Rows, first: usize, begins: &mut [bool]) {
    if let (Column::Numbers(values), Rows::All(_)) = (column, rows) {
        // The same without asking every row where it is.
        let values = values.slice(first - 1..first + begins.len());
        let pairs = values.iter().zip(&values[1..]);
        begins.iter_mut().zip(pairs).for_each(|(begins, (a, b))| *begins |= a.to_bits() != b.to_bits());
        return;
    }
    for (k, begins) in begins.iter_mut().enumerate() {
        *begins = *begins || differ(column, rows.get(first + k - 1), rows.get(first + k));
    }
}

/// Whether two cells of a column are not written alike; they may be the same key even so.
fn differ(column: &Column, a: usize, b: usize) -> bool {
    match column {
        Column::Axis { stride, length, .. } => {
            Column::axis_value(a, *stride, *length) != Column::axis_value(b, *stride, *length)
        }
        Column::Numbers(values) => values.get(a).to_bits() != values.get(b).to_bits(),
        Column::Text(text) => text.cell(a) != text.cell(b),
    }
}

/// Splits the sets in `ids` by one more column, of which these are the rows. New ids count up in the order of first appearance.
fn refine(ids: &mut [usize], rows: &[usize], column: &Column, kind: Kind) {
    let rows = rows.iter().copied();
    match (column, kind) {
        (Column::Axis { stride, length, .. }, _) => {
            renumber(ids, rows.map(|row| Column::axis_value(row, *stride, *length)));
        }
        (Column::Numbers(values), _) => renumber(ids, rows.map(|row| (values.get(row) + 0.0).to_bits())),
        (Column::Text(text), Kind::Integers) => {
            renumber(ids, rows.map(|row| integer(text.cell(row)).unwrap_or_default()));
        }
        (Column::Text(text), Kind::Numbers) => {
            renumber(ids, rows.map(|row| number(text.cell(row)).unwrap_or_default().to_bits()));
        }
        (Column::Text(text), Kind::Text) => renumber(ids, rows.map(|row| text.cell(row))),
    }
}

fn renumber<K: Copy + Eq + Hash>(ids: &mut [usize], keys: impl Iterator<Item = K>) {
    let mut known = HashMap::with_hasher(foldhash::fast::RandomState::default());
    for (id, key) in ids.iter_mut().zip(keys) {
        let next = known.len();
        *id = *known.entry((*id, key)).or_insert(next);
    }
}

/// A stable counting sort of the rows by their set: `ids` tells that of each run, and `runs` where it begins.
fn sort_by_set(ids: &[usize], runs: &[usize], rows: Rows) -> Sets {
    let count = ids.iter().max().map_or(0, |last| last + 1);
    let end = |run: usize| runs.get(run + 1).copied().unwrap_or(rows.len());
    let mut lengths = vec![0_usize; count];
    for (run, &id) in ids.iter().enumerate() {
        lengths[id] += end(run) - runs[run];
    }
    let ranges = DataSets::of_lengths(&lengths);
    if ids.is_sorted() {
        return Sets { rows, ranges };
    }
    let mut next: Vec<usize> = ranges.iter().map(|range| range.start).collect();
    let mut sorted = vec![0_usize; rows.len()];
    for (run, &id) in ids.iter().enumerate() {
        for k in runs[run]..end(run) {
            sorted[next[id]] = rows.get(k);
            next[id] += 1;
        }
    }
    Sets { rows: Rows::Listed(sorted), ranges }
}

fn values(column: &Column, kind: Kind, rows: &[usize]) -> KeyValues {
    let rows = rows.iter().copied();
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
