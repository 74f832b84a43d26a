//! Data brought to a model: the columns it names, as numbers, sorted by data set.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::OnceLock;

use rayon::prelude::*;

use super::error::{DataError, one_line};
use super::sets::{self, KeyColumn, Sets};
use super::table::Column;
use super::{Data, Missing};
use crate::expr::{RowError, RowExpression, RowValue};

/// The name under which guesses find the response after its transformation.
const RESPONSE: &str = "response";

/// Fewest data sets that are worth a task of their own.
const SETS_PER_TASK: usize = 256;

/// Data as a model sees them: one value a row, the rows of each data set together.
///
/// Data sets are in the order in which they first appear in the source, and so are the rows within each.
#[derive(Debug)]
pub struct BoundData {
    /// The values of each of the model's inputs, in the order of the names given to [`Data::bind`]; all rows.
    pub inputs: Vec<Vec<f64>>,
    /// The response of every row.
    pub response: Vec<f64>,
    /// The standard deviation of every row's response, in its units; all positive. None: every row weighs the same.
    pub sigma: Option<Vec<f64>>,
    /// Each data set's rows; their lengths may differ.
    pub sets: Vec<Range<usize>>,
    /// The group columns' values, one for each data set.
    pub keys: Vec<KeyColumn>,
    /// The line of the file from which each row came (1-based, the header is line 1; rows in memory count from 1).
    pub lines: Vec<u64>,
    /// How many rows were left out for a missing value.
    pub dropped: usize,
    data: Data,
    /// The table's row of each row.
    rows: Vec<usize>,
    /// The table's column of each input.
    input_columns: Vec<usize>,
    /// Further columns that guesses asked for, by their place in the table.
    others: Vec<OnceLock<Vec<f64>>>,
}

/// Where the values of a response or a sigma come from.
enum Source {
    Column(usize),
    Expression {
        expression: RowExpression,
        columns: Vec<usize>,
    },
}

impl Source {
    /// A column's name stands for the column, whatever characters it has; other text is parsed.
    fn resolve(data: &Data, role: &'static str, text: &str) -> Result<Self, DataError> {
        if let Some(column) = data.find(text.trim()) {
            return Ok(Self::Column(column));
        }
        let expression = RowExpression::parse(text).map_err(|source| DataError::Parse {
            role,
            expression: one_line(text),
            source,
        })?;
        let used_by = format!("used by the {role}");
        let columns = expression.names()
            .map(|name| data.find_for(name, &used_by))
            .collect::<Result<_, _>>()?;
        Ok(Self::Expression {
            expression,
            columns,
        })
    }

    fn columns(&self) -> &[usize] {
        match self {
            Self::Column(column) => std::slice::from_ref(column),
            Self::Expression { columns, .. } => columns,
        }
    }
}

impl Data {
    /// Brings the data to a model with these inputs.
    ///
    /// # Errors
    /// A name that is no column, an expression that does not parse, text where a number should be, missing values
    /// (with [`Missing::Error`]), a sigma that is not positive, or no row left.
    pub fn bind(&self, inputs: &[&str]) -> Result<BoundData, DataError> {
        self.bind_with(inputs, &[])
    }

    /// The same as [`bind`](Self::bind), with further columns counted as in use, so that a missing value in one of
    /// them is dealt with as in the others; those that guesses name, say.
    ///
    /// # Errors
    /// As for [`bind`](Self::bind).
    pub fn bind_with(&self, inputs: &[&str], further: &[&str]) -> Result<BoundData, DataError> {
        self.check_renames()?;
        let find_all = |names: &[&str], role: &str| -> Result<Vec<usize>, DataError> {
            names.iter().map(|name| self.find_for(name, role)).collect()
        };
        let input_columns = find_all(inputs, "an input of the model")?;
        let response = Source::resolve(self, "response", &self.reading.response)?;
        let sigma = self
            .reading
            .sigma
            .as_deref()
            .map(|text| Source::resolve(self, "sigma", text))
            .transpose()?;
        let further: Vec<&str> = further
            .iter()
            .copied()
            .filter(|&name| !self.is_response_name(name))
            .collect();
        let further = find_all(&further, "used by a guess")?;
        let groups = self.group_columns()?;

        let sigma_columns = sigma.as_ref().map_or(&[][..], Source::columns);
        let used = [
            input_columns.as_slice(),
            response.columns(),
            sigma_columns,
            &further,
        ];
        let mut numbers = self.numbers(used.into_iter().flatten().copied())?;
        let rows = self.complete_rows(&numbers, &groups)?;

        let (mut sets, mut keys) = sets::group(&self.named(&groups), rows);
        gather_all(&mut numbers, &sets.rows);
        let mut values = Values {
            response: self.evaluate(
                "response",
                &self.reading.response,
                &response,
                &numbers,
                &sets,
                &keys,
            )?,
            sigma: match (&sigma, &self.reading.sigma) {
                (Some(source), Some(text)) => {
                    Some(self.evaluate("sigma", text, source, &numbers, &sets, &keys)?)
                }
                _ => None,
            },
        };
        if let Some(kept) = self.check_values(&values, &sets)? {
            let rows_before = sets.rows;
            let mut rows: Vec<usize> = kept.iter().map(|&k| rows_before[k]).collect();
            rows.sort_unstable();
            (sets, keys) = sets::group(&self.named(&groups), rows);
            // Where each row that stays was before.
            let mut place = vec![0_usize; self.rows()];
            for (k, &row) in rows_before.iter().enumerate() {
                place[row] = k;
            }
            let moved: Vec<usize> = sets.rows.iter().map(|&row| place[row]).collect();
            gather_all(&mut numbers, &moved);
            values.response = gather(&values.response, &moved);
            values.sigma = values.sigma.map(|sigma| gather(&sigma, &moved));
        }

        let inputs = input_columns
            .iter()
            .map(|column| numbers.get(column).cloned().unwrap_or_default())
            .collect();
        let others: Vec<OnceLock<Vec<f64>>> =
            self.table.columns.iter().map(|_| OnceLock::new()).collect();
        for (column, values) in numbers {
            if !input_columns.contains(&column) {
                // The cell is new, so nothing is lost.
                let _ = others[column].set(values);
            }
        }
        Ok(BoundData {
            inputs,
            response: values.response,
            sigma: values.sigma,
            lines: sets.rows.iter().map(|&row| self.table.line(row)).collect(),
            sets: sets.ranges,
            keys,
            dropped: self.rows() - sets.rows.len(),
            data: self.clone(),
            rows: sets.rows,
            input_columns,
            others,
        })
    }

    /// Whether a guess means the transformed response by this name: unless a column has it.
    fn is_response_name(&self, name: &str) -> bool {
        name == RESPONSE && self.find(name).is_none()
    }

    /// The group columns, each once.
    fn group_columns(&self) -> Result<Vec<usize>, DataError> {
        let mut columns = Vec::new();
        for name in &self.reading.groups {
            let column = self.find_for(name, "to group by")?;
            if columns.contains(&column) {
                return Err(DataError::NamedTwice {
                    column: name.clone(),
                    role: "a group column",
                });
            }
            columns.push(column);
        }
        Ok(columns)
    }

    /// Group columns under the names that the user gave them.
    fn named(&self, groups: &[usize]) -> Vec<(&str, &Column)> {
        let names = self.reading.groups.iter().map(String::as_str);
        names
            .zip(groups.iter().map(|&column| &self.table.columns[column]))
            .collect()
    }

    /// The columns as numbers, all rows of the table, a missing value as NaN; or the first text in them.
    fn numbers(
        &self,
        used: impl Iterator<Item = usize>,
    ) -> Result<HashMap<usize, Vec<f64>>, DataError> {
        let mut numbers = HashMap::new();
        let mut first_text: Option<(usize, usize)> = None;
        for column in used {
            if numbers.contains_key(&column) {
                continue;
            }
            match self.table.columns[column].numbers() {
                Ok(values) => {
                    numbers.insert(column, values);
                }
                Err(row) if first_text.is_none_or(|(before, _)| row < before) => {
                    first_text = Some((row, column))
                }
                Err(_) => {}
            }
        }
        match first_text {
            Some((row, column)) => Err(self.table.not_a_number(row, column)),
            None => Ok(numbers),
        }
    }

    /// The rows without a missing value, in order.
    fn complete_rows(
        &self,
        numbers: &HashMap<usize, Vec<f64>>,
        groups: &[usize],
    ) -> Result<Vec<usize>, DataError> {
        let is_missing = |column: usize, row: usize| match numbers.get(&column) {
            Some(values) => !values[row].is_finite(),
            None => self.table.columns[column].is_missing(row),
        };
        let mut columns: Vec<usize> = numbers.keys().chain(groups).copied().collect();
        columns.sort_unstable();
        columns.dedup();
        let complete = |row: &usize| !columns.iter().any(|&column| is_missing(column, *row));
        let rows: Vec<usize> = (0..self.rows()).filter(complete).collect();
        if rows.len() == self.rows() {
            return Ok(rows);
        }
        if self.reading.missing == Missing::Error {
            let row = rows
                .iter()
                .enumerate()
                .find(|&(k, &row)| k != row)
                .map_or(rows.len(), |(k, _)| k);
            let column = columns
                .iter()
                .copied()
                .find(|&column| is_missing(column, row))
                .unwrap_or_default();
            return Err(self.table.missing_value(row, column));
        }
        if rows.is_empty() {
            return Err(self.no_rows_left());
        }
        Ok(rows)
    }

    fn no_rows_left(&self) -> DataError {
        DataError::NoRowsLeft {
            file: self.table.source.clone(),
            dropped: self.rows(),
        }
    }

    /// The values of a response or sigma for all rows; each data set is evaluated on its own.
    fn evaluate(
        &self,
        role: &'static str,
        text: &str,
        source: &Source,
        numbers: &HashMap<usize, Vec<f64>>,
        sets: &Sets,
        keys: &[KeyColumn],
    ) -> Result<Vec<f64>, DataError> {
        let (expression, columns) = match source {
            Source::Column(column) => return Ok(numbers.get(column).cloned().unwrap_or_default()),
            Source::Expression {
                expression,
                columns,
            } => (expression, columns),
        };
        let names = expression.names();
        let named: Vec<(&str, &[f64])> = names
            .zip(columns)
            .filter_map(|(name, column)| Some((name, numbers.get(column)?.as_slice())))
            .collect();
        let candidates = self.candidates();
        let parts: Vec<RowValue> = sets
            .ranges
            .par_iter()
            .with_min_len(SETS_PER_TASK)
            .enumerate()
            .map(|(set, range)| {
                on_rows(expression, &named, range, &candidates).map_err(|source| {
                    DataError::Evaluate {
                        role,
                        expression: one_line(text),
                        set: label(keys, set),
                        source,
                    }
                })
            })
            .collect::<Result<_, _>>()?;
        let mut values = Vec::with_capacity(sets.rows.len());
        for (range, part) in sets.ranges.iter().zip(parts) {
            match part {
                RowValue::Scalar(value) => values.extend(std::iter::repeat_n(value, range.len())),
                RowValue::Vector(part) => values.extend(part),
            }
        }
        Ok(values)
    }

    /// Refuses a sigma that is not positive; tells the rows to keep where some response or sigma is not finite.
    fn check_values(&self, values: &Values, sets: &Sets) -> Result<Option<Vec<usize>>, DataError> {
        let sigma_text = || one_line(self.reading.sigma.as_deref().unwrap_or_default());
        let first = |is_bad: &dyn Fn(usize) -> bool| {
            let bad = (0..sets.rows.len()).filter(|&k| is_bad(k));
            bad.min_by_key(|&k| sets.rows[k])
        };
        if let Some(sigma) = &values.sigma
            && let Some(k) = first(&|k| sigma[k] <= 0.0)
        {
            return Err(DataError::SigmaNotPositive {
                place: self.table.place(sets.rows[k]),
                expression: sigma_text(),
                value: sigma[k],
            });
        }
        let sigma_is_finite = |k: usize| {
            values
                .sigma
                .as_ref()
                .is_none_or(|sigma| sigma[k].is_finite())
        };
        let is_finite = |k: usize| values.response[k].is_finite() && sigma_is_finite(k);
        let Some(bad) = first(&|k| !is_finite(k)) else {
            return Ok(None);
        };
        if self.reading.missing == Missing::Drop {
            let kept: Vec<usize> = (0..sets.rows.len()).filter(|&k| is_finite(k)).collect();
            return if kept.is_empty() {
                Err(self.no_rows_left())
            } else {
                Ok(Some(kept))
            };
        }
        let place = self.table.place(sets.rows[bad]);
        Err(match &values.sigma {
            Some(sigma) if values.response[bad].is_finite() => DataError::NotFinite {
                place,
                role: "sigma",
                expression: sigma_text(),
                value: sigma[bad],
            },
            _ => DataError::NotFinite {
                place,
                role: "response",
                expression: one_line(&self.reading.response),
                value: values.response[bad],
            },
        })
    }

    /// Names that an expression can use, for a suggestion.
    fn candidates(&self) -> Vec<&str> {
        self.table
            .names
            .iter()
            .map(String::as_str)
            .chain(self.aliases())
            .filter(|name| !name.is_empty())
            .collect()
    }
}

/// What was computed from the columns, set by set.
struct Values {
    response: Vec<f64>,
    sigma: Option<Vec<f64>>,
}

fn gather(values: &[f64], rows: &[usize]) -> Vec<f64> {
    rows.iter().map(|&row| values[row]).collect()
}

fn gather_all(columns: &mut HashMap<usize, Vec<f64>>, rows: &[usize]) {
    for values in columns.values_mut() {
        let unchanged = values.len() == rows.len() && rows.is_sorted();
        if !unchanged {
            *values = gather(values, rows);
        }
    }
}

/// Evaluates an expression on some of the rows of its columns.
fn on_rows(
    expression: &RowExpression,
    named: &[(&str, &[f64])],
    range: &Range<usize>,
    candidates: &[&str],
) -> Result<RowValue, RowError> {
    let column = |name: &str| {
        let found = named.iter().find(|(n, _)| *n == name);
        found.map(|(_, values)| &values[range.clone()])
    };
    expression.evaluate(range.len(), &column, candidates)
}

/// A data set's name in messages: its keys, as in `cell=3, dye=red`.
fn label(keys: &[KeyColumn], set: usize) -> String {
    if keys.is_empty() {
        return "all rows".to_owned();
    }
    let parts = keys
        .iter()
        .map(|key| format!("{}={}", key.name, key.values.get(set)));
    one_line(&parts.collect::<Vec<_>>().join(", "))
}

impl BoundData {
    /// The number of rows kept.
    pub fn rows(&self) -> usize {
        self.response.len()
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
    pub fn column(&self, name: &str) -> Option<&[f64]> {
        self.column_for_guess(name).ok()
    }

    fn column_for_guess(&self, name: &str) -> Result<&[f64], DataError> {
        if self.data.is_response_name(name) {
            return Ok(&self.response);
        }
        let table = &self.data.table;
        let aliases = self.data.aliases().chain([RESPONSE]);
        let column = self.data.find(name);
        let column =
            column.ok_or_else(|| table.no_such_column(name, "used by a guess", aliases))?;
        if let Some(input) = self.input_columns.iter().position(|&c| c == column) {
            return Ok(&self.inputs[input]);
        }
        if let Some(values) = self.others[column].get() {
            return Ok(values);
        }
        let values = table.columns[column]
            .numbers()
            .map_err(|row| table.not_a_number(row, column))?;
        let values = gather(&values, &self.rows);
        if let Some(k) = values.iter().position(|value| !value.is_finite()) {
            return Err(DataError::MissingInGuess {
                place: table.place(self.rows[k]),
                column: table.names[column].clone(),
                value: table.columns[column].shown(self.rows[k]),
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
        let named = self.guess_columns(expression)?;
        let candidates = self.guess_candidates();
        (0..self.sets.len())
            .into_par_iter()
            .with_min_len(SETS_PER_TASK)
            .map(|set| self.guess_on(set, expression, &named, &candidates))
            .collect()
    }

    fn guess_columns<'a>(
        &'a self,
        expression: &'a RowExpression,
    ) -> Result<Vec<(&'a str, &'a [f64])>, DataError> {
        let names = expression.names();
        names
            .map(|name| Ok((name, self.column_for_guess(name)?)))
            .collect()
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
        named: &[(&str, &[f64])],
        candidates: &[&str],
    ) -> Result<f64, DataError> {
        match on_rows(expression, named, &self.sets[set], candidates) {
            Ok(RowValue::Scalar(value)) => Ok(value),
            Ok(RowValue::Vector(_)) => Err(DataError::NotScalar {
                expression: one_line(expression.text()),
            }),
            Err(source) => Err(DataError::Evaluate {
                role: "guess",
                expression: one_line(expression.text()),
                set: self.set_label(set),
                source,
            }),
        }
    }

    /// What a list of data sets is called in a message.
    pub(super) fn sets_label(&self, sets: &[usize]) -> String {
        match sets {
            [] => String::new(),
            [only] => self.set_label(*only),
            [first, rest @ ..] => format!(
                "{} and {} more data sets",
                self.set_label(*first),
                rest.len()
            ),
        }
    }
}
