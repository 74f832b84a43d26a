//! Results as Parquet files: a row a problem.

use std::path::Path;
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, compute_leaves};
use ::parquet::basic::Compression;
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use arrow_array::builder::{Float64Builder, ListBuilder};
use arrow_array::{Array, ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, UInt32Array, UInt64Array};
use arrow_schema::{DataType, Field, Schema};
use rayon::prelude::*;

use super::columns::{Column, Planned, Values, columns, finite};
use super::{ReportError, write_whole};
use crate::sweep::Outcome;

/// Writes the outcome as a Parquet file: a row a problem with the columns `problem`, `set`, the group columns under
/// their own names and types, `start`, `seed`, `method`, `step_size` (and `size_multiple`, where a rule's size is one of 2/sharpness), `damping` (null
/// where adaptive), `filter`,
/// `scaling`, `cutoff`, `status`, `reason`, `steps`, `points`, `loss`, `residual_sum_of_squares`, `gradient_norm`,
/// `rank`, `sigma_max`, `sigma_min`, `gn_sharpness`, then each parameter and, with `_se` at the end of its name, its
/// standard error. What is not finite is null, and so are `rank`, `sigma_max`, `sigma_min` and
/// the standard errors where J was [not factored](crate::Problem::is_factored) at the end. Equal outcomes give equal
/// bytes.
///
/// The parameters of a network are no columns of their own; where [asked for](Outcome::with_parameter_lists) they are one
/// column of lists, `parameters`.
///
/// A group column or parameter whose name is taken gets the prefix `group_` or `parameter_`.
///
/// # Errors
/// The file cannot be written; what was there before then still is.
pub fn write_parquet(outcome: &Outcome, path: &Path) -> Result<(), ReportError> {
    write_columns(columns(outcome), path)
}

pub(super) fn write_columns(columns: Vec<Planned<'_>>, path: &Path) -> Result<(), ReportError> {
    write_whole(path, |writer| {
        let batch = record_batch(columns).map_err(|error| write_error(path, error))?;
        write_batch(&batch, writer).map_err(|error| write_error(path, error))
    })
}

/// Writes rows as the whole of a Parquet file, the columns of a row group encoded side by side.
pub(super) fn write_batch(batch: &RecordBatch, writer: impl std::io::Write + Send) -> Result<(), ParquetError> {
    let properties = properties();
    let most = properties.max_row_group_row_count().unwrap_or(usize::MAX);
    let parquet = ArrowWriter::try_new(writer, batch.schema(), Some(properties))?;
    let (mut file, factory) = parquet.into_serialized_writer()?;
    for (group, first) in (0..batch.num_rows()).step_by(most).enumerate() {
        let rows = batch.slice(first, most.min(batch.num_rows() - first));
        let columns = factory.create_column_writers(group)?.into_par_iter().enumerate();
        let encode =
            |(k, writer): (usize, ArrowColumnWriter)| encoded(rows.schema_ref().field(k), rows.column(k), writer);
        let chunks: Vec<ArrowColumnChunk> = columns.map(encode).collect::<Result<_, _>>()?;
        let mut row_group = file.next_row_group()?;
        chunks.into_iter().try_for_each(|chunk| chunk.append_to_row_group(&mut row_group))?;
        row_group.close()?;
    }
    file.close()?;
    Ok(())
}

/// A column of a row group. No column of ours has more than one leaf, as lists of structures would.
fn encoded(field: &Field, array: &ArrayRef, mut writer: ArrowColumnWriter) -> Result<ArrowColumnChunk, ParquetError> {
    compute_leaves(field, array)?.iter().try_for_each(|leaf| writer.write(leaf))?;
    writer.close()
}

pub(super) fn properties() -> WriterProperties {
    // Columns of few values are written by a dictionary. That they are not of few shows early: a dictionary of numbers that are
    // ever new, as large as the usual limit of a megabyte allows, took a third of the time of writing them.
    WriterProperties::builder().set_compression(Compression::SNAPPY).set_dictionary_page_size_limit(1 << 16).build()
}

fn record_batch(columns: Vec<Planned<'_>>) -> Result<RecordBatch, ParquetError> {
    let made = columns.into_par_iter().map(|column| field_and_array(column.made()));
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = made.collect::<Vec<_>>().into_iter().unzip();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}

fn field_and_array(column: Column<'_>) -> (Field, ArrayRef) {
    let (kind, nullable, array): (DataType, bool, ArrayRef) = match column.values {
        Values::Index(values) => (DataType::UInt64, false, Arc::new(UInt64Array::from(values))),
        Values::OptionalIndex(values) => (DataType::UInt64, true, Arc::new(UInt64Array::from(values))),
        Values::Count(values) => (DataType::UInt32, false, Arc::new(UInt32Array::from(values))),
        Values::OptionalCount(values) => (DataType::UInt32, true, Arc::new(UInt32Array::from(values))),
        Values::Integer(values) => (DataType::Int64, false, Arc::new(Int64Array::from(values))),
        Values::Number(values) => (DataType::Float64, true, Arc::new(numbers(values))),
        Values::Numbers(values) => {
            let mut lists = ListBuilder::new(Float64Builder::new());
            values.iter().for_each(|values| lists.append_value(values.iter().copied().map(Some)));
            let lists = lists.finish();
            (lists.data_type().clone(), false, Arc::new(lists))
        }
        Values::Text(values) => (DataType::Utf8, true, Arc::new(StringArray::from(values))),
        Values::Name { names, of } => {
            let names = of.iter().map(|&name| name.map(|k| names[k].as_str()));
            (DataType::Utf8, true, Arc::new(names.collect::<StringArray>()))
        }
    };
    (Field::new(column.name, kind, nullable), array)
}

/// What is not finite is null.
fn numbers(values: Vec<f64>) -> Float64Array {
    if values.iter().all(|value| value.is_finite()) {
        return Float64Array::from(values);
    }
    values.into_iter().map(finite).collect()
}

pub(super) fn write_error(path: &Path, error: ParquetError) -> ReportError {
    let source = match error {
        ParquetError::External(source) => match source.downcast::<std::io::Error>() {
            Ok(source) => *source,
            Err(other) => std::io::Error::other(other),
        },
        other => std::io::Error::other(other),
    };
    ReportError::write(path, source)
}

#[cfg(test)]
mod tests {
    use super::super::example::{empty_outcome_with, outcome};
    use super::*;

    #[test]
    fn equal_outcomes_give_equal_bytes_and_no_time_stands_in_them() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["a.parquet", "b.parquet"].map(|name| folder.path().join(name));
        for path in &paths {
            write_parquet(&outcome(), path).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert_eq!(std::fs::read(&paths[0]).unwrap(), std::fs::read(&paths[1]).unwrap());
    }

    #[test]
    fn an_outcome_without_problems_is_a_file_without_rows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.parquet");
        write_parquet(&empty_outcome_with(&["cell"], &["a"]), &path).unwrap();
        let file = std::fs::File::open(&path).unwrap();
        let reader = ::parquet::file::reader::SerializedFileReader::new(file).unwrap();
        let metadata = ::parquet::file::reader::FileReader::metadata(&reader).file_metadata();
        assert_eq!((metadata.num_rows(), metadata.schema_descr().num_columns()), (0, 24));
    }
}
