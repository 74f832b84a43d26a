//! Starting points from a file, joined to data sets on the group columns.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use super::bound::BoundData;
use super::csv;
use super::error::{DataError, listed};
use super::keys::{Key, KeyValues};
use super::sets::{integer, number};
use super::table::{Column, Table};
use crate::expr::did_you_mean;

/// Starting points read from a CSV file: a column for each parameter, and one for each group column that tells the
/// data sets apart. With none of the group columns its rows are starts of every data set; several rows with the same
/// keys are several starts.
#[derive(Debug)]
pub struct StartTable {
    table: Table,
    /// The group columns that the file has, each with its place in the table.
    groups: Vec<(String, usize)>,
    /// Row-major: a row for each start, a column for each parameter.
    values: Vec<f64>,
    parameters: usize,
}

/// The starts of each data set.
#[derive(Debug)]
pub struct JoinedStarts {
    values: Vec<f64>,
    parameters: usize,
    rows: RowsOfSets,
}

#[derive(Debug)]
enum RowsOfSets {
    /// Every row, for every set.
    All(Vec<usize>),
    /// Rows of one set after those of another; set `s` has those from `ends[s - 1]` to `ends[s]`.
    Each { rows: Vec<usize>, ends: Vec<usize> },
}

impl JoinedStarts {
    /// The starts of a data set in the order of the file; each has a value for every parameter.
    pub fn of_set(&self, set: usize) -> impl ExactSizeIterator<Item = &[f64]> {
        let rows = match &self.rows {
            RowsOfSets::All(rows) => rows.as_slice(),
            RowsOfSets::Each { rows, ends } => {
                let start = if set == 0 { 0 } else { ends[set - 1] };
                &rows[start..ends[set]]
            }
        };
        let p = self.parameters;
        rows.iter().map(move |&row| &self.values[row * p..(row + 1) * p])
    }
}

impl StartTable {
    /// Reads starts for these parameters from a CSV file (see [`Data::read_csv`](super::Data::read_csv) for its
    /// form); `groups` are the data's group columns.
    ///
    /// # Errors
    /// Those of the form; a parameter without a column, a column that is neither a parameter nor a group column, and
    /// a value that is no finite number.
    pub fn read_csv(path: impl AsRef<Path>, parameters: &[&str], groups: &[&str]) -> Result<Self, DataError> {
        Self::new(csv::read_path(path.as_ref())?, parameters, groups)
    }

    /// The same from any reader; `name` stands for the file in messages.
    ///
    /// # Errors
    /// As for [`read_csv`](Self::read_csv).
    pub fn from_reader(name: &str, reader: impl Read, parameters: &[&str], groups: &[&str]) -> Result<Self, DataError> {
        Self::new(csv::read_table(name, reader)?, parameters, groups)
    }

    fn new(table: Table, parameters: &[&str], groups: &[&str]) -> Result<Self, DataError> {
        let wanted: Vec<&str> = parameters.iter().chain(groups).copied().collect();
        if let Some(column) = table.names.iter().find(|name| !wanted.contains(&name.as_str())) {
            let hint = did_you_mean(column, &wanted).map(|near| format!("; did you mean {near:?}?"));
            return Err(DataError::UnknownStartColumn {
                file: table.source.clone(),
                column: column.clone(),
                hint: hint.unwrap_or_default(),
            });
        }
        let rows = table.rows();
        let mut values = vec![0.0; rows * parameters.len()];
        for (k, &parameter) in parameters.iter().enumerate() {
            let column = table.find(parameter).ok_or_else(|| DataError::NoStartColumn {
                file: table.source.clone(),
                parameter: parameter.to_owned(),
                columns: listed(table.names.iter().map(String::as_str)),
            })?;
            let numbers = table.columns[column].numbers().map_err(|row| table.not_a_number(row, column))?;
            for (row, number) in numbers.iter().enumerate() {
                if !number.is_finite() {
                    return Err(DataError::StartNotFinite {
                        place: table.place(row),
                        parameter: parameter.to_owned(),
                        value: table.columns[column].shown(row),
                    });
                }
                values[row * parameters.len() + k] = number;
            }
        }
        let groups = groups.iter().filter_map(|&group| Some((group.to_owned(), table.find(group)?))).collect();
        Ok(Self { groups, values, parameters: parameters.len(), table })
    }

    /// Finds the starts of each data set: the rows whose group columns have the set's values. Rows that belong to no
    /// data set are left aside.
    ///
    /// # Errors
    /// A data set without a start, or a group column of the file by which the data are not grouped.
    pub fn join(self, data: &BoundData) -> Result<JoinedStarts, DataError> {
        let rows = if self.groups.is_empty() {
            RowsOfSets::All((0..self.table.rows()).collect())
        } else {
            self.match_sets(data)?
        };
        Ok(JoinedStarts { values: self.values, parameters: self.parameters, rows })
    }

    fn match_sets(&self, data: &BoundData) -> Result<RowsOfSets, DataError> {
        let mut keys = Vec::new();
        for (name, column) in &self.groups {
            let key = data.keys.iter().find(|key| key.name == *name);
            let key = key.ok_or_else(|| DataError::UnknownStartColumn {
                file: self.table.source.clone(),
                column: name.clone(),
                hint: String::new(),
            })?;
            keys.push((&key.values, &self.table.columns[*column]));
        }
        let mut starts: HashMap<Vec<Part<'_>>, Vec<usize>> = HashMap::new();
        for row in 0..self.table.rows() {
            let parts = keys.iter().map(|(values, column)| part_of_cell(values, column, row)).collect();
            if let Some(parts) = parts {
                starts.entry(parts).or_default().push(row);
            }
        }
        let mut rows = Vec::new();
        let mut ends = Vec::with_capacity(data.sets.len());
        let mut without = Vec::new();
        for set in 0..data.sets.len() {
            let parts: Vec<Part<'_>> = keys.iter().map(|(values, _)| part_of_key(values.get(set))).collect();
            match starts.get(&parts) {
                Some(found) => rows.extend_from_slice(found),
                None => without.push(set),
            }
            ends.push(rows.len());
        }
        if without.is_empty() {
            return Ok(RowsOfSets::Each { rows, ends });
        }
        Err(DataError::NoStart { file: self.table.source.clone(), sets: data.sets_label(&without) })
    }
}

/// A key that can be looked up: numbers by their bits, minus zero being zero.
#[derive(Hash, PartialEq, Eq)]
enum Part<'a> {
    Integer(i64),
    Bits(u64),
    Text(&'a str),
}

fn part_of_key(key: Key<'_>) -> Part<'_> {
    match key {
        Key::Integer(value) => Part::Integer(value),
        Key::Number(value) => Part::Bits(value.to_bits()),
        Key::Text(value) => Part::Text(value),
    }
}

/// A cell of the start file read as the data's keys are, whatever the other cells of its column look like.
fn part_of_cell<'a>(values: &KeyValues, column: &'a Column, row: usize) -> Option<Part<'a>> {
    let Column::Text(text) = column else {
        return None;
    };
    let cell = text.cell(row);
    match values {
        // `3.0` in the start file means the data's `3`.
        KeyValues::Places(_) | KeyValues::Integer(_) => integer(cell)
            .or_else(|| number(cell).filter(|value| value.fract() == 0.0).map(|value| value as i64))
            .map(Part::Integer),
        KeyValues::Number(_) => number(cell).map(|value| Part::Bits(value.to_bits())),
        KeyValues::Text(_) => Some(Part::Text(cell)),
    }
}
