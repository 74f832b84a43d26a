//! Formulas over the rows of one data set: responses, sigmas and guesses.

use std::borrow::Cow;
use std::sync::Arc;

use super::ast::{Ast, AstKind, Reduction};
use super::error::{ParseError, ParseErrorKind};

/// A formula over the rows of one data set, parsed and checked: a response, a sigma or a guess.
///
/// The text is that of models, names are columns, and there is more: with one argument `min`, `max`, `mean`, `sum`,
/// `first`, `last`, `count`, `median`, `argmin`, `argmax` reduce a column to one number, and `x[i]` picks the row i of
/// a column (from 0, or from the end where i is negative). A number and a column combine row by row.
///
/// NaN in a column: `min`, `max`, `argmin` and `argmax` ignore such rows (min and max of nothing else are NaN);
/// `mean`, `sum` and `median` become NaN; `count`, `first`, `last` and indices count rows as they stand.
/// At ties `argmin` and `argmax` give the first row.
#[derive(Clone, Debug)]
pub struct RowExpression {
    ast: Arc<Ast>,
}

/// What a formula over rows comes to.
#[derive(Clone, Debug, PartialEq)]
pub enum RowValue {
    /// One number for the whole data set.
    Scalar(f64),
    /// A number a row.
    Vector(Vec<f64>),
}

/// Why a formula has no value on a data set.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RowError {
    /// A name that is no column.
    #[error(transparent)]
    Name(#[from] ParseError),
    /// A column that has not one value a row.
    #[error("column \"{name}\" has {found} values where the data set has {rows} rows")]
    Length {
        /// The column.
        name: String,
        /// How many values it has.
        found: usize,
        /// How many rows there are.
        rows: usize,
    },
    /// A reduction or an index on a data set without rows.
    #[error("{what} in \"{text}\" needs at least one row, and the data set has none")]
    NoRows {
        /// The reduction.
        what: &'static str,
        /// The formula.
        text: String,
    },
    /// argmin or argmax of a column of NaN.
    #[error("{what} in \"{text}\" finds nothing but NaN: check the column, or leave those rows out")]
    OnlyNan {
        /// The reduction.
        what: &'static str,
        /// The formula.
        text: String,
    },
    /// An index beyond the rows, or no whole number.
    #[error(
        "index {index} in \"{text}\" is no row of a data set of {rows}: whole numbers from -{rows} to {rows}-1 are"
    )]
    Index {
        /// The index.
        index: f64,
        /// How many rows there are.
        rows: usize,
        /// The formula.
        text: String,
    },
}

/// A value on the way; columns are borrowed until something is computed from them.
enum Value<'a> {
    Scalar(f64),
    Vector(Cow<'a, [f64]>),
}

impl RowExpression {
    /// Reads a formula over rows.
    ///
    /// # Errors
    /// When the text is no expression, when a reduction or index is applied to one number, and when an index is a
    /// column.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let ast = Ast::parse(text)?;
        check_kinds(&ast)?;
        Ok(RowExpression { ast: Arc::new(ast) })
    }

    /// The text as it was given.
    #[must_use]
    pub fn text(&self) -> &str {
        self.ast.text()
    }

    /// The distinct columns it uses, in order of first appearance.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.ast.names().map(|(name, _)| name)
    }

    /// The value on a data set of `rows` rows; `column` gives the values of a column by name, one a row, and
    /// `candidates` are the names to suggest from where it gives none.
    ///
    /// # Errors
    /// For unknown columns or ones of another length, reductions over no rows, and indices beyond the rows. A value
    /// outside a function's domain is NaN and no error.
    pub fn evaluate<'a>(
        &self,
        rows: usize,
        column: &dyn Fn(&str) -> Option<&'a [f64]>,
        candidates: &[&str],
    ) -> Result<RowValue, RowError> {
        let columns = self.columns(rows, column, candidates)?;
        // Every node is used once, so its value is taken, not copied.
        let mut values: Vec<Value<'a>> = Vec::with_capacity(self.ast.nodes.len());
        let take = |values: &mut Vec<Value<'a>>, index: u32| {
            std::mem::replace(&mut values[index as usize], Value::Scalar(f64::NAN))
        };
        for node in &self.ast.nodes {
            let value = match node.kind {
                AstKind::Number(value) => Value::Scalar(value),
                AstKind::Name(index) => Value::Vector(Cow::Borrowed(columns[index as usize])),
                AstKind::Unary(op, a) => match take(&mut values, a) {
                    Value::Scalar(a) => Value::Scalar(op.apply(a)),
                    Value::Vector(mut a) => {
                        a.to_mut().iter_mut().for_each(|a| *a = op.apply(*a));
                        Value::Vector(a)
                    }
                },
                AstKind::Binary(op, a, b) => {
                    let (a, b) = (take(&mut values, a), take(&mut values, b));
                    combine(a, b, |a, b| op.apply(a, b))
                }
                AstKind::Reduce(reduction, a) => match take(&mut values, a) {
                    Value::Vector(a) => Value::Scalar(self.reduce(reduction, &a)?),
                    // Refused by check_kinds.
                    Value::Scalar(a) => Value::Scalar(a),
                },
                AstKind::Index(a, index) => {
                    match (take(&mut values, a), take(&mut values, index)) {
                        (Value::Vector(a), Value::Scalar(index)) => Value::Scalar(self.pick(&a, index)?),
                        // Refused by check_kinds.
                        (other, _) => other,
                    }
                }
            };
            values.push(value);
        }
        Ok(match values.pop() {
            Some(Value::Vector(values)) => RowValue::Vector(values.into_owned()),
            Some(Value::Scalar(value)) => RowValue::Scalar(value),
            // The parser refuses empty texts.
            None => RowValue::Scalar(f64::NAN),
        })
    }

    fn columns<'a>(
        &self,
        rows: usize,
        column: &dyn Fn(&str) -> Option<&'a [f64]>,
        candidates: &[&str],
    ) -> Result<Vec<&'a [f64]>, RowError> {
        let mut columns = Vec::with_capacity(self.ast.names.len());
        for name in &self.ast.names {
            let Some(values) = column(&name.text) else {
                let (text, span) = (&self.ast.text, name.span.clone());
                return Err(ParseError::unknown_name(text, span, &name.text, candidates).into());
            };
            if values.len() != rows {
                return Err(RowError::Length { name: name.text.clone(), found: values.len(), rows });
            }
            columns.push(values);
        }
        Ok(columns)
    }

    fn reduce(&self, reduction: Reduction, a: &[f64]) -> Result<f64, RowError> {
        let what = reduction.name();
        let no_rows = || RowError::NoRows { what, text: self.text().to_owned() };
        let only_nan = || RowError::OnlyNan { what, text: self.text().to_owned() };
        let (Some(&first), Some(&last)) = (a.first(), a.last()) else {
            return match reduction {
                Reduction::Sum | Reduction::Count => Ok(0.0),
                _ => Err(no_rows()),
            };
        };
        Ok(match reduction {
            // f64::min and max give the other argument where one is NaN.
            Reduction::Min => a.iter().copied().fold(f64::NAN, f64::min),
            Reduction::Max => a.iter().copied().fold(f64::NAN, f64::max),
            Reduction::Mean => a.iter().sum::<f64>() / a.len() as f64,
            Reduction::Sum => a.iter().sum(),
            Reduction::First => first,
            Reduction::Last => last,
            Reduction::Count => a.len() as f64,
            Reduction::Median => median(a),
            Reduction::Argmin => extreme_row(a, |x, best| x < best).ok_or_else(only_nan)?,
            Reduction::Argmax => extreme_row(a, |x, best| x > best).ok_or_else(only_nan)?,
        })
    }

    fn pick(&self, a: &[f64], index: f64) -> Result<f64, RowError> {
        let rows = a.len();
        let position = if index < 0.0 { index + rows as f64 } else { index };
        if position.trunc() == position && position >= 0.0 && position < rows as f64 {
            Ok(a[position as usize])
        } else if rows == 0 {
            Err(RowError::NoRows { what: "an index", text: self.text().to_owned() })
        } else {
            Err(RowError::Index { index, rows, text: self.text().to_owned() })
        }
    }
}

/// Refuses reductions and indices of what is one number, and indices that are columns.
fn check_kinds(ast: &Ast) -> Result<(), ParseError> {
    let mut is_column: Vec<bool> = Vec::with_capacity(ast.nodes.len());
    for node in &ast.nodes {
        let column = |index: u32| is_column[index as usize];
        let fault = |index: u32, kind| Err(ParseError::new(&ast.text, ast.nodes[index as usize].span(), kind));
        is_column.push(match node.kind {
            AstKind::Number(_) => false,
            AstKind::Name(_) => true,
            AstKind::Unary(_, a) => column(a),
            AstKind::Binary(_, a, b) => column(a) || column(b),
            AstKind::Reduce(reduction, a) => {
                if !column(a) {
                    return fault(a, ParseErrorKind::NotAColumn(reduction.name()));
                }
                false
            }
            AstKind::Index(a, index) => {
                if !column(a) {
                    return fault(a, ParseErrorKind::NotAColumn("an index"));
                } else if column(index) {
                    return fault(index, ParseErrorKind::ColumnAsIndex);
                }
                false
            }
        });
    }
    Ok(())
}

fn combine<'a>(a: Value<'a>, b: Value<'a>, apply: impl Fn(f64, f64) -> f64) -> Value<'a> {
    match (a, b) {
        (Value::Scalar(a), Value::Scalar(b)) => Value::Scalar(apply(a, b)),
        (Value::Vector(mut a), Value::Scalar(b)) => {
            a.to_mut().iter_mut().for_each(|a| *a = apply(*a, b));
            Value::Vector(a)
        }
        (Value::Scalar(a), Value::Vector(mut b)) => {
            b.to_mut().iter_mut().for_each(|b| *b = apply(a, *b));
            Value::Vector(b)
        }
        (Value::Vector(mut a), Value::Vector(b)) => {
            a.to_mut().iter_mut().zip(b.iter()).for_each(|(a, &b)| *a = apply(*a, b));
            Value::Vector(a)
        }
    }
}

/// The middle value, or the mean of the two in the middle; NaN if any value is.
fn median(a: &[f64]) -> f64 {
    if a.iter().any(|a| a.is_nan()) {
        return f64::NAN;
    }
    let mut sorted = a.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { sorted[middle - 1].midpoint(sorted[middle]) }
}

/// The first row whose value no other beats, NaN left out.
fn extreme_row(a: &[f64], beats: impl Fn(f64, f64) -> bool) -> Option<f64> {
    let mut best: Option<(usize, f64)> = None;
    for (row, &x) in a.iter().enumerate() {
        if !x.is_nan() && best.is_none_or(|(_, value)| beats(x, value)) {
            best = Some((row, x));
        }
    }
    best.map(|(row, _)| row as f64)
}

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;
