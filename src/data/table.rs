//! Named columns of equal length, kept as they came until somebody asks for numbers.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::error::{DataError, Place, listed, one_line, shown};
use super::numbers::Numbers;
use crate::expr::did_you_mean;

/// A column of text: all cells in one string, so that millions of them cost two allocations.
#[derive(Debug, Default)]
pub(super) struct TextColumn {
    text: String,
    ends: Vec<usize>,
}

impl TextColumn {
    pub(super) fn push(&mut self, cell: &str) {
        self.text.push_str(cell);
        self.ends.push(self.text.len());
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    /// The cell of a row without the blanks around it.
    pub(super) fn cell(&self, row: usize) -> &str {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        self.text[start..self.ends[row]].trim()
    }
}

/// The values of one column.
#[derive(Debug)]
pub(super) enum Column {
    /// Cells of a file, not yet looked at.
    Text(TextColumn),
    /// Numbers.
    Numbers(Numbers),
    /// A coordinate of an array: row `r` has the value `r / stride % length`.
    Axis { stride: usize, length: usize, rows: usize },
}

/// What stands in a cell that is read as a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cell {
    Number(f64),
    /// Empty, NA, or not finite.
    Missing,
    /// Other text.
    Text,
}

/// Reads one cell as a number.
pub(super) fn read_cell(cell: &str) -> Cell {
    if is_blank(cell) {
        return Cell::Missing;
    }
    match cell.parse::<f64>() {
        Ok(value) if value.is_finite() => Cell::Number(value),
        Ok(_) => Cell::Missing,
        Err(_) => Cell::Text,
    }
}

fn is_blank(cell: &str) -> bool {
    cell.is_empty() || cell.eq_ignore_ascii_case("na")
}

impl Column {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Numbers(numbers) => numbers.len(),
            Self::Axis { rows, .. } => *rows,
        }
    }

    /// The coordinate of a row along an axis.
    pub(super) fn axis_value(row: usize, stride: usize, length: usize) -> usize {
        row / stride % length
    }

    /// Whether the row's value is missing: an empty cell, NA, or not finite.
    pub(super) fn is_missing(&self, row: usize) -> bool {
        match self {
            Self::Text(text) => read_cell(text.cell(row)) == Cell::Missing,
            Self::Numbers(numbers) => !numbers.get(row).is_finite(),
            Self::Axis { .. } => false,
        }
    }

    /// All values as numbers, a missing one as NaN; or the first row that holds other text.
    pub(super) fn numbers(&self) -> Result<Numbers, usize> {
        match self {
            Self::Text(text) => {
                let first_text = AtomicUsize::new(usize::MAX);
                let numbers: Vec<f64> = (0..text.len())
                    .into_par_iter()
                    .map(|row| match read_cell(text.cell(row)) {
                        Cell::Number(value) => value,
                        Cell::Missing => f64::NAN,
                        Cell::Text => {
                            first_text.fetch_min(row, Ordering::Relaxed);
                            f64::NAN
                        }
                    })
                    .collect();
                match first_text.into_inner() {
                    usize::MAX => Ok(numbers.into()),
                    row => Err(row),
                }
            }
            Self::Numbers(numbers) => Ok(numbers.clone()),
            Self::Axis { stride, length, rows } => Ok(Numbers::axis(*stride, *length, *rows)),
        }
    }

    /// Some of the rows of a column of numbers; of text none.
    pub(super) fn part(&self, rows: Range<usize>) -> Result<Numbers, DataError> {
        match self {
            Self::Text(_) => Ok(Vec::<f64>::new().into()),
            Self::Numbers(numbers) => numbers.part(rows),
            Self::Axis { stride, length, .. } => Numbers::axis(*stride, *length, rows.end).part(rows),
        }
    }

    /// The row's value as a message shows it.
    pub(super) fn shown(&self, row: usize) -> String {
        match self {
            Self::Text(text) => shown(text.cell(row)),
            Self::Numbers(numbers) => numbers.get(row).to_string(),
            Self::Axis { stride, length, .. } => Self::axis_value(row, *stride, *length).to_string(),
        }
    }
}

/// How the rows are counted in messages.
#[derive(Debug)]
pub(super) enum Numbering {
    /// By the file's line of each row.
    Lines(Vec<u64>),
    /// From 1, under the name of what is counted.
    FromOne(&'static str),
}

/// Columns with their names, where they came from, and the line of each row.
#[derive(Debug)]
pub(super) struct Table {
    /// The file's name, or what data in memory are called.
    pub(super) source: String,
    pub(super) names: Vec<String>,
    pub(super) columns: Vec<Column>,
    numbering: Numbering,
    /// Columns of the file that are not read, with their types.
    left_out: Vec<(String, String)>,
}

impl Table {
    /// Puts a table together and checks what every table must fulfil.
    pub(super) fn new(
        source: &str,
        names: Vec<String>,
        columns: Vec<Column>,
        numbering: Numbering,
    ) -> Result<Self, DataError> {
        let source = one_line(source);
        // A column without a name can be carried along but never asked for.
        let mut sorted: Vec<&String> = names.iter().filter(|name| !name.is_empty()).collect();
        sorted.sort_unstable();
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            let column = pair[0].clone();
            return Err(DataError::DuplicateColumn { file: source, column });
        }
        if let (Some(first), Some(k)) = (columns.first(), columns.iter().position(|c| c.len() != columns[0].len())) {
            return Err(DataError::UnequalColumns {
                column: names[k].clone(),
                first: names[0].clone(),
                expected: first.len(),
                found: columns[k].len(),
            });
        }
        if columns.first().is_none_or(|column| column.len() == 0) {
            return Err(DataError::NoRows { file: source });
        }
        Ok(Self { source, names, columns, numbering, left_out: Vec::new() })
    }

    /// The same, with the names and types of columns that were not read.
    #[cfg(feature = "parquet")]
    pub(super) fn without(self, left_out: Vec<(String, String)>) -> Self {
        Self { left_out, ..self }
    }

    pub(super) fn rows(&self) -> usize {
        self.columns.first().map_or(0, Column::len)
    }

    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|n| n == name && !n.is_empty())
    }

    /// The row's number: its line in the file, or counted from 1.
    pub(super) fn line(&self, row: usize) -> u64 {
        match &self.numbering {
            Numbering::Lines(lines) => lines[row],
            Numbering::FromOne(_) => row as u64 + 1,
        }
    }

    pub(super) fn place(&self, row: usize) -> Place {
        let unit = match self.numbering {
            Numbering::Lines(_) => "line",
            Numbering::FromOne(unit) => unit,
        };
        Place::new(&self.source, unit, self.line(row))
    }

    pub(super) fn missing_value(&self, row: usize, column: usize) -> DataError {
        DataError::MissingValue {
            place: self.place(row),
            column: self.names[column].clone(),
            value: self.columns[column].shown(row),
        }
    }

    pub(super) fn not_a_number(&self, row: usize, column: usize) -> DataError {
        DataError::NotANumber {
            place: self.place(row),
            column: self.names[column].clone(),
            value: self.columns[column].shown(row),
        }
    }

    /// The error for a name that is no column; `aliases` are names the user added.
    pub(super) fn no_such_column<'a>(
        &'a self,
        name: &str,
        role: &str,
        aliases: impl IntoIterator<Item = &'a str>,
    ) -> DataError {
        let known: Vec<&str> = self.names.iter().map(String::as_str).chain(aliases).filter(|n| !n.is_empty()).collect();
        let left_out = self.left_out.iter().find(|(other, _)| other == name);
        let hint = match (left_out, did_you_mean(name, &known)) {
            (Some((_, kind)), _) => {
                format!(" that can be used: its type is {}; write it as numbers or text", one_line(kind))
            }
            (None, Some(near)) => format!("; did you mean {near:?}?"),
            (None, None) => format!("; its columns are {}", listed(known)),
        };
        DataError::NoSuchColumn { file: self.source.clone(), column: name.to_owned(), role: role.to_owned(), hint }
    }
}
