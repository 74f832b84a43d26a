//! What a model sees of the data, and the guesses made from it.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::OnceLock;

use rayon::prelude::*;

use super::Data;
use super::error::{DataError, one_line};
use super::keys::KeyColumn;
use super::layout::{DataSets, Rows};
use super::numbers::Numbers;
use crate::expr::{RowError, RowExpression, RowValue};

/// The name under which guesses find the response after its transformation.
const RESPONSE: &str = "response";

/// Fewest data sets that are worth a task of their own.
pub(super) const SETS_PER_TASK: usize = 256;

/// Data as a model sees them: one value a row, the rows of each data set together.
///
/// Data sets are in the order in which they first appear in the source, and so are the rows within each.
#[derive(Debug)]
pub struct BoundData {
    /// The values of each of the model's inputs, in the order of the names given to [`Data::bind`]; all rows. Those that
    /// all data sets share are held once.
    pub inputs: Vec<Numbers>,
    /// The response of every row.
    pub response: Numbers,
    /// The standard deviation of every row's response, in its units; all positive. None: every row weighs the same.
    pub sigma: Option<Numbers>,
    /// Each data set's rows; their lengths may differ.
    pub sets: DataSets,
    /// The group columns' values, one for each data set.
    pub keys: Vec<KeyColumn>,
    /// How many rows were left out for a missing value.
    pub dropped: usize,
    pub(super) data: Data,
    /// How many rows a row of the table makes: one for each output of the model.
    pub(super) outputs: usize,
    /// The table's row of each row, the outputs of one counted once.
    pub(super) rows: Rows,
    /// The table's column of each input.
    pub(super) input_columns: Vec<usize>,
    /// Further columns that guesses asked for, by their place in the table.
    pub(super) others: Vec<OnceLock<Numbers>>,
}

impl Data {
    /// Whether a guess means the transformed response by this name: unless a column has it.
    pub(super) fn is_response_name(&self, name: &str) -> bool {
        name == RESPONSE && self.find(name).is_none()
    }

    /// Whether every name of a guess is a column.
    pub(crate) fn check_guess(&self, guess: &RowExpression) -> Result<(), DataError> {
        let aliases = || self.aliases().chain([RESPONSE]);
        let unknown = guess.names().find(|name| self.find(name).is_none() && !self.is_response_name(name));
        match unknown {
            Some(name) => Err(self.table.no_such_column(name, "used by a guess", aliases())),
            None => Ok(()),
        }
    }

    /// Names that an expression can use, for a suggestion.
    pub(super) fn candidates(&self) -> Vec<&str> {
        self.table.names.iter().map(String::as_str).chain(self.aliases()).filter(|name| !name.is_empty()).collect()
    }
}

/// Evaluates an expression on some of the rows of its columns.
pub(super) fn on_rows(
    expression: &RowExpression,
    named: &[(&str, &Numbers)],
    range: Range<usize>,
    candidates: &[&str],
) -> Result<RowValue, RowError> {
    let slices: Vec<(&str, Cow<'_, [f64]>)> =
        named.iter().map(|(name, values)| (*name, values.slice(range.clone()))).collect();
    let column = |name: &str| {
        let found = slices.iter().find(|(n, _)| *n == name);
        found.map(|(_, values)| values.as_ref())
    };
    expression.evaluate(range.len(), &column, candidates)
}

/// A data set's name in messages: its keys, as in `cell=3, dye=red`.
pub(super) fn label(keys: &[KeyColumn], set: usize) -> String {
    if keys.is_empty() {
        return "all rows".to_owned();
    }
    let parts = keys.iter().map(|key| format!("{}={}", key.name, key.get(set)));
    one_line(&parts.collect::<Vec<_>>().join(", "))
}

impl BoundData {
    /// The number of rows kept.
    pub fn rows(&self) -> usize {
        self.response.len()
    }

    /// The line of the file from which a row came (1-based, the header is line 1; rows in memory count from 1).
    ///
    /// # Panics
    /// Where there is no such row.
    pub fn line(&self, row: usize) -> u64 {
        self.data.table.line(self.table_row(row))
    }

    fn table_row(&self, row: usize) -> usize {
        self.rows.get(row / self.outputs)
    }

    /// The number of rows of every data set, where all have the same inputs, bit for bit and in the same order.
    pub(crate) fn shared_grid(&self) -> Option<usize> {
        self.sets.equal_rows().filter(|&rows| self.inputs.iter().all(|input| input.repeats(rows)))
    }

    /// Where the data came from: the file's name, or what data in memory are called.
    pub fn source(&self) -> &str {
        self.data.source()
    }

    /// A data set's name in messages: its keys, as in `cell=3, dye=red`; `all rows` without groups.
    ///
    /// # Panics
    /// Where there is no such data set.
    pub fn set_label(&self, set: usize) -> String {
        label(&self.keys, set)
    }

    /// A column over the rows kept, in their order; `response` is the response as it is fitted, unless a column has
    /// that name. None where there is no such column or where it does not hold a finite number in each of the rows.
    pub fn column(&self, name: &str) -> Option<&Numbers> {
        self.column_for_guess(name).ok()
    }

    fn column_for_guess(&self, name: &str) -> Result<&Numbers, DataError> {
        if self.data.is_response_name(name) {
            return Ok(&self.response);
        }
        let table = &self.data.table;
        let aliases = self.data.aliases().chain([RESPONSE]);
        let column = self.data.find(name);
        let column = column.ok_or_else(|| table.no_such_column(name, "used by a guess", aliases))?;
        if let Some(input) = self.input_columns.iter().position(|&c| c == column) {
            return Ok(&self.inputs[input]);
        }
        if let Some(values) = self.others[column].get() {
            return Ok(values);
        }
        let values = table.columns[column].numbers().map_err(|row| table.not_a_number(row, column))?;
        let values = match self.rows {
            Rows::All(_) if self.outputs == 1 => values,
            _ => values.gather((0..self.response.len()).map(|row| self.table_row(row))),
        };
        if let Some(k) = values.first_not_finite() {
            return Err(DataError::MissingInGuess {
                place: table.place(self.table_row(k)),
                column: table.names[column].clone(),
                value: table.columns[column].shown(self.table_row(k)),
            });
        }
        Ok(self.others[column].get_or_init(|| values))
    }

    /// The value of a guess on one data set. Its names are columns, as the file has them, and `response`, which is
    /// the response as it is fitted (unless a column has that name). The value may be NaN or infinite where the
    /// expression is.
    ///
    /// # Errors
    /// A name that is no column, a column that does not hold numbers, or an expression that does not give one number.
    ///
    /// # Panics
    /// Where there is no such data set.
    pub fn guess(&self, set: usize, expression: &RowExpression) -> Result<f64, DataError> {
        let named = self.guess_columns(expression)?;
        self.guess_on(set, expression, &named, &self.guess_candidates())
    }

    /// The values of a guess on every data set.
    ///
    /// # Errors
    /// As for [`guess`](Self::guess).
    pub fn guesses(&self, expression: &RowExpression) -> Result<Vec<f64>, DataError> {
        self.guesses_of(expression, 0..self.sets.len())
    }

    /// The values of a guess on some of the data sets.
    pub(crate) fn guesses_of(&self, expression: &RowExpression, sets: Range<usize>) -> Result<Vec<f64>, DataError> {
        let named = self.guess_columns(expression)?;
        let candidates = self.guess_candidates();
        sets.into_par_iter()
            .with_min_len(SETS_PER_TASK)
            .map(|set| self.guess_on(set, expression, &named, &candidates))
            .collect()
    }

    fn guess_columns<'a>(&'a self, expression: &'a RowExpression) -> Result<Vec<(&'a str, &'a Numbers)>, DataError> {
        expression.names().map(|name| Ok((name, self.column_for_guess(name)?))).collect()
    }

    fn guess_candidates(&self) -> Vec<&str> {
        let mut candidates = self.data.candidates();
        candidates.push(RESPONSE);
        candidates
    }

    fn guess_on(
        &self,
        set: usize,
        expression: &RowExpression,
        named: &[(&str, &Numbers)],
        candidates: &[&str],
    ) -> Result<f64, DataError> {
        match on_rows(expression, named, self.sets.get(set), candidates) {
            Ok(RowValue::Scalar(value)) => Ok(value),
            Ok(RowValue::Vector(_)) => Err(DataError::NotScalar { expression: one_line(expression.text()) }),
            Err(source) => Err(DataError::Evaluate {
                role: "guess",
                expression: one_line(expression.text()),
                set: self.set_label(set),
                source: Box::new(source),
            }),
        }
    }

    /// What a list of data sets is called in a message.
    pub(super) fn sets_label(&self, sets: &[usize]) -> String {
        match sets {
            [] => String::new(),
            [only] => format!("the data set {}", self.set_label(*only)),
            [first, ..] => format!("{} data sets, the first of them {}", sets.len(), self.set_label(*first)),
        }
    }
}
