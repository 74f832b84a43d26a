//! Data given in memory: named columns, and arrays with named axes.

use super::error::{DataError, listed};
use super::numbers::Numbers;
use super::table::{Column, Numbering, Table};

/// The column that an array's values become.
const VALUES: &str = "y";
/// The axis that groups an array's elements into data sets.
pub(super) const SET_AXIS: &str = "set";

/// A table of columns of numbers.
pub(super) fn columns_table(columns: impl Iterator<Item = (String, Vec<f64>)>) -> Result<Table, DataError> {
    let (names, columns) = columns.map(|(name, values)| (name, Column::Numbers(values.into()))).unzip();
    Table::new("the data", names, columns, Numbering::FromOne("row"))
}

/// A table of an array's elements in row-major order, with a column of coordinates for each axis.
pub(super) fn array_table(source: &str, values: Numbers, shape: &[usize], axes: &[&str]) -> Result<Table, DataError> {
    if shape.len() != axes.len() {
        return Err(DataError::Shape {
            problem: format!(
                "{source} of shape {shape:?} has {} axes, but {} are named ({}); name each once",
                shape.len(),
                axes.len(),
                listed(axes.iter().copied())
            ),
        });
    }
    let too_large = || DataError::TooLarge { shape: shape.to_vec() };
    let rows = shape.iter().try_fold(1_usize, |product, &length| product.checked_mul(length)).ok_or_else(too_large)?;
    if rows != values.len() {
        return Err(DataError::Shape {
            problem: format!(
                "{source} of shape {shape:?} has {rows} elements, but there are {} values; mend the shape",
                values.len()
            ),
        });
    }
    let mut columns = vec![Column::Numbers(values)];
    let mut names = vec![VALUES.to_owned()];
    for (k, &axis) in axes.iter().enumerate() {
        // No overflow: with rows > 0 it divides their number, and with none the table is refused unread.
        let stride = shape[k + 1..].iter().fold(1_usize, |product, &length| product.saturating_mul(length));
        let length = shape[k];
        names.push(axis.to_owned());
        columns.push(Column::Axis { stride, length, rows });
    }
    Table::new(source, names, columns, Numbering::FromOne("element"))
}
