//! Parquet files into tables: numbers, truth values and text.

use std::fs::File;
use std::path::Path;

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;

use super::error::{DataError, one_line};
use super::table::{Column, Numbering, Table, TextColumn};

/// Above this f64 does not hold every integer.
const EXACT: u64 = 1 << 53;

/// Reads the file at `path`. Columns of types that are neither numbers nor truth values nor text are left out, and named
/// where somebody asks for one.
pub(super) fn read_path(path: &Path) -> Result<Table, DataError> {
    let file = one_line(&path.display().to_string());
    let open = File::open(path).map_err(|source| DataError::Open { file: file.clone(), source })?;
    let fail = |error: &dyn std::fmt::Display| DataError::Parquet {
        file: file.clone(),
        message: one_line(error.to_string().trim()),
    };
    let builder = ParquetRecordBatchReaderBuilder::try_new(open).map_err(|error| fail(&error))?;
    let fields = builder.schema().fields().clone();
    let mut chunks: Vec<Vec<ArrayRef>> = vec![Vec::new(); fields.len()];
    for batch in builder.build().map_err(|error| fail(&error))? {
        let batch = batch.map_err(|error| fail(&error))?;
        for (chunks, array) in chunks.iter_mut().zip(batch.columns()) {
            chunks.push(array.clone());
        }
    }
    let (mut names, mut columns, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
    for (field, chunks) in fields.iter().zip(chunks) {
        match column(field.data_type(), &chunks) {
            Some(column) => {
                names.push(field.name().clone());
                columns.push(column);
            }
            None => left_out.push((field.name().clone(), field.data_type().to_string())),
        }
    }
    Ok(Table::new(&file, names, columns, Numbering::FromOne("row"))?.without(left_out))
}

/// The values of a column, a null as a missing one; `None` where its type is not read.
fn column(kind: &DataType, chunks: &[ArrayRef]) -> Option<Column> {
    macro_rules! numbers {
        ($t:ty, $to:ty, $null:expr) => {{
            let values = chunks.iter().flat_map(|chunk| chunk.as_primitive::<$t>().iter());
            let values: Vec<$to> = values.map(|value| value.map_or($null, <$to>::from)).collect();
            Some(Column::Numbers(values.into()))
        }};
    }
    // As f64 two large integers could become one, and with them two data sets: as text they stay apart.
    macro_rules! integers {
        ($t:ty, $size:expr) => {{
            let values = || chunks.iter().flat_map(|chunk| chunk.as_primitive::<$t>().iter());
            if values().flatten().all(|value| $size(value) <= EXACT) {
                let values: Vec<f64> = values().map(|value| value.map_or(f64::NAN, |value| value as f64)).collect();
                return Some(Column::Numbers(values.into()));
            }
            text(values().map(|value| value.map(|value| value.to_string())))
        }};
    }
    match kind {
        DataType::Float64 => numbers!(Float64Type, f64, f64::NAN),
        DataType::Float32 => numbers!(Float32Type, f32, f32::NAN),
        DataType::Int8 => numbers!(Int8Type, f64, f64::NAN),
        DataType::Int16 => numbers!(Int16Type, f64, f64::NAN),
        DataType::Int32 => numbers!(Int32Type, f64, f64::NAN),
        DataType::UInt8 => numbers!(UInt8Type, f64, f64::NAN),
        DataType::UInt16 => numbers!(UInt16Type, f64, f64::NAN),
        DataType::UInt32 => numbers!(UInt32Type, f64, f64::NAN),
        DataType::Int64 => integers!(Int64Type, i64::unsigned_abs),
        DataType::UInt64 => integers!(UInt64Type, u64::from),
        DataType::Boolean => {
            let values = chunks.iter().flat_map(|chunk| chunk.as_boolean().iter());
            let values: Vec<f64> =
                values.map(|value| value.map_or(f64::NAN, |value| f64::from(u8::from(value)))).collect();
            Some(Column::Numbers(values.into()))
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            text(chunks.iter().flat_map(|chunk| (0..chunk.len()).map(|row| cell(chunk.as_ref(), row))))
        }
        // A column of few different values.
        DataType::Dictionary(_, values) if matches!(**values, DataType::Utf8 | DataType::LargeUtf8) => {
            text(chunks.iter().flat_map(|chunk| {
                let dictionary = chunk.as_any_dictionary();
                let places = dictionary.normalized_keys();
                (0..chunk.len()).map(move |row| {
                    if chunk.is_null(row) { None } else { cell(dictionary.values().as_ref(), places[row]) }
                })
            }))
        }
        _ => None,
    }
}

/// A cell of a column of text.
fn cell(array: &dyn Array, row: usize) -> Option<String> {
    if array.is_null(row) {
        return None;
    }
    let text = match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(row),
        DataType::LargeUtf8 => array.as_string::<i64>().value(row),
        _ => array.as_string_view().value(row),
    };
    Some(text.to_owned())
}

fn text(cells: impl Iterator<Item = Option<String>>) -> Option<Column> {
    let mut column = TextColumn::default();
    cells.for_each(|cell| column.push(cell.as_deref().unwrap_or_default()));
    Some(Column::Text(column))
}
