//! Data brought to a model: the columns it names, as numbers, sorted by data set.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::OnceLock;

use rayon::prelude::*;

use super::bound::{BoundData, SETS_PER_TASK, label, on_rows};
use super::error::{DataError, one_line};
use super::keys::KeyColumn;
use super::layout::{DataSets, Rows};
use super::numbers::Numbers;
use super::sets;
use super::table::Column;
use super::{Data, Missing};
use crate::expr::{RowExpression, RowValue};

/// Where the values of a response or a sigma come from.
#[derive(Clone, Debug)]
pub(super) enum Source {
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

    pub(super) fn columns(&self) -> &[usize] {
        match self {
            Self::Column(column) => std::slice::from_ref(column),
            Self::Expression { columns, .. } => columns,
        }
    }
}

/// What a model and its guesses ask of the data, each name looked up.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) inputs: Vec<usize>,
    pub(super) responses: Vec<Source>,
    pub(super) sigma: Option<Source>,
    /// Columns that guesses name.
    pub(super) further: Vec<usize>,
    pub(super) groups: Vec<usize>,
}

impl Wanted {
    /// The columns in use, but for those that group.
    pub(super) fn columns(&self) -> impl Iterator<Item = usize> + '_ {
        let sigma = self.sigma.as_ref().map_or(&[][..], Source::columns);
        let used = [self.inputs.as_slice(), sigma, &self.further].into_iter();
        used.chain(self.responses.iter().map(Source::columns)).flatten().copied()
    }
}

/// Some of the data sets.
#[derive(Clone, Copy)]
pub(super) struct Selection<'a> {
    pub(super) sets: &'a DataSets,
    pub(super) first: usize,
    pub(super) end: usize,
    pub(super) keys: &'a [KeyColumn],
}

impl<'a> Selection<'a> {
    fn all(sets: &'a DataSets, keys: &'a [KeyColumn]) -> Self {
        Self { sets, first: 0, end: sets.len(), keys }
    }

    pub(super) fn rows(&self) -> Range<usize> {
        if self.first == self.end { 0..0 } else { self.sets.get(self.first).start..self.sets.get(self.end - 1).end }
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
        let wanted = self.wanted(inputs, further)?;
        if let Some(stack) = self.stack_of(&wanted) {
            match stack.bind(0..stack.sets()) {
                // Sets of unequal length are left, and with them no stack.
                Err(error) if error.is_gap() && self.drops_gaps() => {}
                bound => return bound,
            }
        }
        self.bind_rows(wanted)
    }

    /// Looks up every name.
    pub(super) fn wanted(&self, inputs: &[&str], further: &[&str]) -> Result<Wanted, DataError> {
        self.check_renames()?;
        let find_all = |names: &[&str], role: &str| -> Result<Vec<usize>, DataError> {
            names.iter().map(|name| self.find_for(name, role)).collect()
        };
        let inputs = find_all(inputs, "an input of the model")?;
        let texts = self.response_texts();
        let responses = texts.iter().map(|text| Source::resolve(self, "response", text)).collect::<Result<_, _>>()?;
        let sigma = self.reading.sigma.as_deref().map(|text| Source::resolve(self, "sigma", text)).transpose()?;
        let further: Vec<&str> = further.iter().copied().filter(|&name| !self.is_response_name(name)).collect();
        let further = find_all(&further, "used by a guess")?;
        Ok(Wanted { inputs, responses, sigma, further, groups: self.group_columns()? })
    }

    /// Brings rows together in whatever order they stand.
    fn bind_rows(&self, wanted: Wanted) -> Result<BoundData, DataError> {
        let mut numbers = self.numbers(wanted.columns())?;
        let groups = &wanted.groups;
        let rows = self.complete_rows(&numbers, groups)?;

        let (mut sets, mut keys) = sets::group(&self.named(groups), rows);
        gather_all(&mut numbers, &sets.rows, self.rows());
        let mut values = self.values(&wanted, &numbers, Selection::all(&sets.ranges, &keys))?;
        if let Some(kept) = self.check_values(&wanted, &values, &sets.rows, 0..sets.rows.len())? {
            let rows_before = sets.rows;
            let mut rows: Vec<usize> = kept.iter().map(|&k| rows_before.get(k)).collect();
            rows.sort_unstable();
            (sets, keys) = sets::group(&self.named(groups), Rows::Listed(rows));
            // Where each row that stays was before.
            let mut place = vec![0_usize; self.rows()];
            for (k, row) in rows_before.iter().enumerate() {
                place[row] = k;
            }
            let moved = |numbers: &Numbers| numbers.gather(sets.rows.iter().map(|row| place[row]));
            numbers.values_mut().for_each(|values| *values = moved(values));
            values.responses.iter_mut().for_each(|response| *response = moved(response));
            values.sigma = values.sigma.map(|sigma| moved(&sigma));
        }

        let outputs = wanted.responses.len();
        let dropped = self.rows() - sets.rows.len();
        let mut ranges = sets.ranges;
        if outputs > 1 {
            // A residual for each output, those of a row side by side.
            ranges = ranges.repeated(outputs);
            numbers.values_mut().for_each(|values| *values = repeated(values, outputs));
            values.sigma = values.sigma.map(|sigma| repeated(&sigma, outputs));
        }
        if let Some(period) = ranges.equal_rows() {
            // What all data sets share is held once.
            numbers = numbers.into_iter().map(|(column, values)| (column, values.compacted(period))).collect();
        }
        let rows = if sets.rows.are_all(self.rows()) { Rows::All(self.rows()) } else { sets.rows };
        Ok(self.bound(wanted, numbers, values, BoundRows { sets: ranges, keys, dropped, outputs, rows }))
    }

    pub(super) fn bound(
        &self,
        wanted: Wanted,
        numbers: HashMap<usize, Numbers>,
        mut values: Values,
        rows: BoundRows,
    ) -> BoundData {
        let input = |column: &usize| numbers.get(column).cloned().unwrap_or_else(|| Vec::<f64>::new().into());
        let inputs = wanted.inputs.iter().map(input).collect();
        let others: Vec<OnceLock<Numbers>> = self.table.columns.iter().map(|_| OnceLock::new()).collect();
        for (column, values) in numbers {
            if !wanted.inputs.contains(&column) {
                // The cell is new, so nothing is lost.
                let _ = others[column].set(values);
            }
        }
        BoundData {
            inputs,
            response: values.interleaved(),
            sigma: values.sigma,
            sets: rows.sets,
            keys: rows.keys,
            dropped: rows.dropped,
            outputs: rows.outputs,
            rows: rows.rows,
            data: self.clone(),
            input_columns: wanted.inputs,
            others,
        }
    }

    /// The responses as they were named, `y` where none is.
    pub(super) fn response_texts(&self) -> Vec<String> {
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
    fn numbers(&self, used: impl Iterator<Item = usize>) -> Result<HashMap<usize, Numbers>, DataError> {
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
    fn complete_rows(&self, numbers: &HashMap<usize, Numbers>, groups: &[usize]) -> Result<Rows, DataError> {
        let has_gap = |column: &&usize| match &self.table.columns[**column] {
            Column::Numbers(values) => values.first_not_finite().is_some(),
            column => (0..self.rows()).into_par_iter().any(|row| column.is_missing(row)),
        };
        let gaps: Vec<usize> = groups.iter().filter(has_gap).copied().collect();
        let broken: Vec<&Numbers> = numbers.values().filter(|values| values.first_not_finite().is_some()).collect();
        let is_complete = |row: usize| {
            broken.iter().all(|values| values.get(row).is_finite())
                && gaps.iter().all(|&column| !self.table.columns[column].is_missing(row))
        };
        if broken.is_empty() && gaps.is_empty() {
            return Ok(Rows::All(self.rows()));
        }
        if self.reading.missing == Missing::Error {
            let first = (0..self.rows()).find(|&row| !is_complete(row)).unwrap_or(0);
            return Err(self.missing_value(first, numbers.keys().chain(groups).copied()));
        }
        let rows: Vec<usize> = (0..self.rows()).filter(|&row| is_complete(row)).collect();
        if rows.is_empty() { Err(self.no_rows_left()) } else { Ok(Rows::Listed(rows)) }
    }

    /// The error for a row in which one of these columns has no value.
    pub(super) fn missing_value(&self, row: usize, used: impl Iterator<Item = usize>) -> DataError {
        let column = { used }.filter(|&column| self.table.columns[column].is_missing(row)).min();
        self.table.missing_value(row, column.unwrap_or_default())
    }

    pub(super) fn no_rows_left(&self) -> DataError {
        DataError::NoRowsLeft { file: self.table.source.clone(), dropped: self.rows() }
    }

    /// Responses and sigma of the data sets selected.
    pub(super) fn values(
        &self,
        wanted: &Wanted,
        numbers: &HashMap<usize, Numbers>,
        selection: Selection<'_>,
    ) -> Result<Values, DataError> {
        let texts = self.response_texts();
        let responses = texts.iter().zip(&wanted.responses);
        Ok(Values {
            responses: responses
                .map(|(text, source)| self.evaluate("response", text, source, numbers, selection))
                .collect::<Result<_, _>>()?,
            sigma: match (&wanted.sigma, &self.reading.sigma) {
                (Some(source), Some(text)) => Some(self.evaluate("sigma", text, source, numbers, selection)?),
                _ => None,
            },
        })
    }

    /// The values of a response or sigma; each data set is evaluated on its own.
    fn evaluate(
        &self,
        role: &'static str,
        text: &str,
        source: &Source,
        numbers: &HashMap<usize, Numbers>,
        selection: Selection<'_>,
    ) -> Result<Numbers, DataError> {
        let (expression, columns) = match source {
            Source::Column(column) => {
                return Ok(numbers.get(column).cloned().unwrap_or_else(|| Vec::<f64>::new().into()));
            }
            Source::Expression { expression, columns } => (expression, columns),
        };
        let named: Vec<(&str, &Numbers)> =
            expression.names().zip(columns).filter_map(|(name, column)| Some((name, numbers.get(column)?))).collect();
        let candidates = self.candidates();
        let Selection { sets, first, end, keys } = selection;
        let of_set = |set: usize| {
            on_rows(expression, &named, sets.get(set), &candidates).map_err(|source| DataError::Evaluate {
                role,
                expression: one_line(text),
                set: label(keys, set),
                source: Box::new(source),
            })
        };
        let rows = selection.rows();
        // Without names there is nothing that could go wrong.
        if named.is_empty()
            && let Ok(RowValue::Scalar(value)) = on_rows(expression, &named, 0..1, &candidates)
        {
            return Ok(Numbers::periodic(vec![value], rows));
        }
        let parts: Vec<RowValue> =
            (first..end).into_par_iter().with_min_len(SETS_PER_TASK).map(of_set).collect::<Result<_, _>>()?;
        let mut values = Vec::with_capacity(rows.len());
        for (set, part) in (first..end).zip(parts) {
            match part {
                RowValue::Scalar(value) => values.extend(std::iter::repeat_n(value, sets.get(set).len())),
                RowValue::Vector(part) => values.extend(part),
            }
        }
        Ok(Numbers::of_rows(values, rows))
    }
}

/// The rows of bound data.
pub(super) struct BoundRows {
    pub(super) sets: DataSets,
    pub(super) keys: Vec<KeyColumn>,
    pub(super) dropped: usize,
    pub(super) outputs: usize,
    pub(super) rows: Rows,
}

/// What was computed from the columns, set by set.
pub(super) struct Values {
    pub(super) responses: Vec<Numbers>,
    pub(super) sigma: Option<Numbers>,
}

impl Values {
    /// The responses of a row side by side.
    fn interleaved(&mut self) -> Numbers {
        if self.responses.len() == 1 {
            return self.responses.swap_remove(0);
        }
        let rows = self.responses[0].len();
        let values: Vec<f64> =
            (0..rows).flat_map(|row| self.responses.iter().map(move |response| response.get(row))).collect();
        values.into()
    }
}

/// Each value so many times.
fn repeated(values: &Numbers, times: usize) -> Numbers {
    values.iter().flat_map(|value| std::iter::repeat_n(value, times)).collect::<Vec<_>>().into()
}

fn gather_all(columns: &mut HashMap<usize, Numbers>, rows: &Rows, all: usize) {
    if rows.are_all(all) {
        return;
    }
    columns.values_mut().for_each(|values| *values = values.gather(rows.iter()));
}
