//! Arrays whose slowest axis is that of the data sets: their rows stand together as they are, all sets have the same
//! coordinates, and any of the sets can be bound without the others.

use std::collections::HashMap;
use std::ops::Range;

use super::bind::{BoundRows, Selection, Wanted};
use super::bound::BoundData;
use super::error::DataError;
use super::keys::{KeyColumn, KeyValues};
use super::layout::{DataSets, Rows};
use super::table::Column;
use super::{Data, Missing};

/// A stack of data sets, of which nothing is copied.
#[derive(Clone, Debug)]
pub(crate) struct Stack {
    data: Data,
    wanted: Wanted,
    sets: DataSets,
    keys: Vec<KeyColumn>,
}

impl Data {
    /// The data as a model with these inputs and guesses by further columns see them, where they are a stack.
    ///
    /// # Errors
    /// Those of names and expressions of [`bind`](Self::bind).
    pub(crate) fn stack(&self, inputs: &[&str], further: &[&str]) -> Result<Option<Stack>, DataError> {
        Ok(self.stack_of(&self.wanted(inputs, further)?))
    }

    /// Whether rows with a missing value are left out.
    pub(crate) fn drops_gaps(&self) -> bool {
        self.reading.missing == Missing::Drop
    }

    /// The data as a stack, where they are one and the model reads them as such: with one response, grouped by the slowest
    /// axis alone, and with no input along it.
    pub(super) fn stack_of(&self, wanted: &Wanted) -> Option<Stack> {
        let ([group], 1) = (wanted.groups.as_slice(), wanted.responses.len()) else { return None };
        let Column::Axis { stride, length, rows } = self.table.columns[*group] else { return None };
        let columns = &self.table.columns;
        let is_axis = |&column: &usize| matches!(columns[column], Column::Axis { .. }) && column != *group;
        if stride * length != rows || !wanted.inputs.iter().all(is_axis) {
            return None;
        }
        Some(Stack {
            data: self.clone(),
            wanted: wanted.clone(),
            sets: DataSets::equal(length, stride),
            keys: vec![KeyColumn::new(self.reading.groups[0].clone(), KeyValues::Places(length))],
        })
    }
}

impl Stack {
    /// The number of data sets.
    pub(crate) fn sets(&self) -> usize {
        self.sets.len()
    }

    /// Whether all values are held in memory.
    pub(crate) fn is_in_memory(&self) -> bool {
        self.data.table.columns.iter().all(|column| match column {
            Column::Numbers(numbers) => numbers.is_in_memory(),
            Column::Text(_) | Column::Axis { .. } => true,
        })
    }

    /// Binds some of the data sets; rows and sets are counted as in the whole.
    pub(crate) fn bind(&self, sets: Range<usize>) -> Result<BoundData, DataError> {
        let selection = Selection { sets: &self.sets, first: sets.start, end: sets.end, keys: &self.keys };
        let rows = selection.rows();
        let columns = &self.data.table.columns;
        let mut numbers = HashMap::new();
        for column in self.wanted.columns() {
            let rows = if self.wanted.inputs.contains(&column) { 0..self.data.rows() } else { rows.clone() };
            let values = columns[column].part(rows)?;
            if let Some(row) = values.first_not_finite() {
                return Err(self.data.missing_value(row, self.wanted.columns()));
            }
            numbers.insert(column, values);
        }
        let values = self.data.values(&self.wanted, &numbers, selection)?;
        let all = Rows::All(self.data.rows());
        if self.data.check_values(&self.wanted, &values, &all, rows.clone())?.is_some() {
            // Some are to be dropped: the caller binds row by row.
            return Err(self.data.missing_value(rows.start, self.wanted.columns()));
        }
        let rows = BoundRows { sets: self.sets.clone(), keys: self.keys.clone(), dropped: 0, outputs: 1, rows: all };
        Ok(self.data.bound(self.wanted.clone(), numbers, values, rows))
    }
}
