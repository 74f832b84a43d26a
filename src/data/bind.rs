//! Data brought to a model: the columns it names, as numbers, sorted by data set.

use std::collections::HashMap;
use std::sync::OnceLock;

use rayon::prelude::*;

use super::bound::{BoundData, SETS_PER_TASK, label, on_rows};
use super::error::{DataError, one_line};
use super::sets::{self, KeyColumn, Sets};
use super::table::Column;
use super::{Data, Missing};
use crate::expr::{RowExpression, RowValue};

/// Where the values of a response or a sigma come from.
enum Source {
    Column(usize),
    Expression { expression: RowExpression, columns: Vec<usize> },
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
            source: Box::new(source),
        })?;
        let used_by = format!("used by the {role}");
        let columns = expression
            .names()
            .map(|name| data.find_for(name, &used_by))
            .collect::<Result<_, _>>()
            .map_err(|source| DataError::Names { role, source: Box::new(source) })?;
        Ok(Self::Expression { expression, columns })
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
        let texts = self.response_texts();
        let responses: Vec<Source> =
            texts.iter().map(|text| Source::resolve(self, "response", text)).collect::<Result<_, _>>()?;
        let sigma = self.reading.sigma.as_deref().map(|text| Source::resolve(self, "sigma", text)).transpose()?;
        let further: Vec<&str> = further.iter().copied().filter(|&name| !self.is_response_name(name)).collect();
        let further = find_all(&further, "used by a guess")?;
        let groups = self.group_columns()?;

        let sigma_columns = sigma.as_ref().map_or(&[][..], Source::columns);
        let used = [input_columns.as_slice(), sigma_columns, &further].into_iter();
        let used = used.chain(responses.iter().map(Source::columns));
        let mut numbers = self.numbers(used.flatten().copied())?;
        let rows = self.complete_rows(&numbers, &groups)?;

        let (mut sets, mut keys) = sets::group(&self.named(&groups), rows);
        gather_all(&mut numbers, &sets.rows);
        let mut values = Values {
            responses: texts
                .iter()
                .zip(&responses)
                .map(|(text, source)| self.evaluate("response", text, source, &numbers, &sets, &keys))
                .collect::<Result<_, _>>()?,
            sigma: match (&sigma, &self.reading.sigma) {
                (Some(source), Some(text)) => Some(self.evaluate("sigma", text, source, &numbers, &sets, &keys)?),
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
            values.responses.iter_mut().for_each(|response| *response = gather(response, &moved));
            values.sigma = values.sigma.map(|sigma| gather(&sigma, &moved));
        }

        let outputs = responses.len();
        if outputs > 1 {
            // A residual for each output, those of a row side by side.
            sets = sets.repeated(outputs);
            numbers.values_mut().for_each(|values| *values = repeated(values, outputs));
            values.sigma = values.sigma.map(|sigma| repeated(&sigma, outputs));
        }
        let inputs = input_columns.iter().map(|column| numbers.get(column).cloned().unwrap_or_default()).collect();
        let others: Vec<OnceLock<Vec<f64>>> = self.table.columns.iter().map(|_| OnceLock::new()).collect();
        for (column, values) in numbers {
            if !input_columns.contains(&column) {
                // The cell is new, so nothing is lost.
                let _ = others[column].set(values);
            }
        }
        Ok(BoundData {
            inputs,
            response: values.interleaved(),
            sigma: values.sigma,
            lines: sets.rows.iter().map(|&row| self.table.line(row)).collect(),
            sets: sets.ranges,
            keys,
            dropped: self.rows() - sets.rows.len() / outputs,
            data: self.clone(),
            rows: sets.rows,
            input_columns,
            others,
        })
    }

    /// The responses as they were named, `y` where none is.
    fn response_texts(&self) -> Vec<String> {
        let named = &self.reading.responses;
        if named.is_empty() { vec!["y".to_owned()] } else { named.clone() }
    }

    /// The group columns, each once.
    fn group_columns(&self) -> Result<Vec<usize>, DataError> {
        let mut columns = Vec::new();
        for name in &self.reading.groups {
            let column = self.find_for(name, "to group by")?;
            if columns.contains(&column) {
                return Err(DataError::NamedTwice { column: name.clone(), role: "a group column" });
            }
            columns.push(column);
        }
        Ok(columns)
    }

    /// Group columns under the names that the user gave them.
    fn named(&self, groups: &[usize]) -> Vec<(&str, &Column)> {
        let names = self.reading.groups.iter().map(String::as_str);
        names.zip(groups.iter().map(|&column| &self.table.columns[column])).collect()
    }

    /// The columns as numbers, all rows of the table, a missing value as NaN; or the first text in them.
    fn numbers(&self, used: impl Iterator<Item = usize>) -> Result<HashMap<usize, Vec<f64>>, DataError> {
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
                    first_text = Some((row, column));
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
    fn complete_rows(&self, numbers: &HashMap<usize, Vec<f64>>, groups: &[usize]) -> Result<Vec<usize>, DataError> {
        let mut complete = vec![true; self.rows()];
        for values in numbers.values() {
            for (complete, value) in complete.iter_mut().zip(values) {
                *complete &= value.is_finite();
            }
        }
        for &column in groups {
            for (row, complete) in complete.iter_mut().enumerate() {
                *complete &= !self.table.columns[column].is_missing(row);
            }
        }
        let Some(first) = complete.iter().position(|complete| !complete) else {
            return Ok((0..self.rows()).collect());
        };
        if self.reading.missing == Missing::Error {
            let used = numbers.keys().chain(groups).copied();
            let column = used.filter(|&column| self.table.columns[column].is_missing(first)).min();
            return Err(self.table.missing_value(first, column.unwrap_or_default()));
        }
        let rows: Vec<usize> = (0..self.rows()).filter(|&row| complete[row]).collect();
        if rows.is_empty() { Err(self.no_rows_left()) } else { Ok(rows) }
    }

    fn no_rows_left(&self) -> DataError {
        DataError::NoRowsLeft { file: self.table.source.clone(), dropped: self.rows() }
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
            Source::Expression { expression, columns } => (expression, columns),
        };
        let named: Vec<(&str, &[f64])> = expression
            .names()
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
                on_rows(expression, &named, range, &candidates).map_err(|source| DataError::Evaluate {
                    role,
                    expression: one_line(text),
                    set: label(keys, set),
                    source: Box::new(source),
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
        let sigma_is_finite = |k: usize| values.sigma.as_ref().is_none_or(|sigma| sigma[k].is_finite());
        let responses_are_finite = |k: usize| values.responses.iter().all(|response| response[k].is_finite());
        let is_finite = |k: usize| responses_are_finite(k) && sigma_is_finite(k);
        let Some(bad) = first(&|k| !is_finite(k)) else {
            return Ok(None);
        };
        if self.reading.missing == Missing::Drop {
            let kept: Vec<usize> = (0..sets.rows.len()).filter(|&k| is_finite(k)).collect();
            return if kept.is_empty() { Err(self.no_rows_left()) } else { Ok(Some(kept)) };
        }
        let place = self.table.place(sets.rows[bad]);
        Err(match &values.sigma {
            Some(sigma) if responses_are_finite(bad) => {
                DataError::NotFinite { place, role: "sigma", expression: sigma_text(), value: sigma[bad] }
            }
            _ => {
                let which = values.responses.iter().position(|response| !response[bad].is_finite()).unwrap_or(0);
                let (expression, value) = (one_line(&self.response_texts()[which]), values.responses[which][bad]);
                DataError::NotFinite { place, role: "response", expression, value }
            }
        })
    }
}

/// What was computed from the columns, set by set.
struct Values {
    responses: Vec<Vec<f64>>,
    sigma: Option<Vec<f64>>,
}

impl Values {
    /// The responses of a row side by side.
    fn interleaved(&mut self) -> Vec<f64> {
        if self.responses.len() == 1 {
            return self.responses.swap_remove(0);
        }
        let rows = self.responses[0].len();
        (0..rows).flat_map(|row| self.responses.iter().map(move |response| response[row])).collect()
    }
}

/// Each value so many times.
fn repeated(values: &[f64], times: usize) -> Vec<f64> {
    values.iter().flat_map(|&value| std::iter::repeat_n(value, times)).collect()
}

pub(super) fn gather(values: &[f64], rows: &[usize]) -> Vec<f64> {
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
