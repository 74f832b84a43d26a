//! A long run's results in parts, each a Parquet file that counts only when it is complete: put together, counted and
//! summed up.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::Arc;

use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use ::parquet::column::writer::ColumnCloseResult;
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use ::parquet::file::reader::ChunkReader;
use ::parquet::file::writer::SerializedFileWriter;
use arrow_array::{Array, Float64Array, RecordBatch, StringArray, UInt32Array, UInt64Array};
use rayon::prelude::*;

use super::columns::SIZE_MULTIPLE;
use super::parquet::{properties, write_error};
use super::summary::{Line, SummaryBuilder};
use super::{ReportError, Summary, write_whole};
use crate::sweep::SizeUnit;

/// The number of rows of a Parquet file, from its footer.
pub(crate) fn row_count(path: &Path) -> Result<u64, ReportError> {
    let (_, metadata) = open(path)?;
    u64::try_from(metadata.file_metadata().num_rows()).map_err(|error| read_error(path, error))
}

/// Puts parts together, row group by row group, without decoding them: the pages go over as they are.
pub(crate) fn merge(parts: &[impl AsRef<Path>], target: &Path) -> Result<(), ReportError> {
    write_whole(target, |writer| {
        let mut merged = Merged::new(writer, target);
        for part in parts {
            let (input, metadata) = open(part.as_ref())?;
            merged.append(&input, &metadata)?;
        }
        merged.close()
    })
}

/// A Parquet file on its way, of the row groups of others.
pub(super) struct Merged<'a> {
    target: &'a Path,
    /// Until the first file says what the schema is.
    waiting: Option<&'a mut BufWriter<File>>,
    writer: Option<SerializedFileWriter<&'a mut BufWriter<File>>>,
}

impl<'a> Merged<'a> {
    pub(super) fn new(writer: &'a mut BufWriter<File>, target: &'a Path) -> Self {
        Self { target, waiting: Some(writer), writer: None }
    }

    /// Copies the row groups of another file.
    pub(super) fn append(&mut self, input: &impl ChunkReader, metadata: &ParquetMetaData) -> Result<(), ReportError> {
        let failed = |error| write_error(self.target, error);
        if let Some(writer) = self.waiting.take() {
            let schema = metadata.file_metadata().schema_descr().root_schema_ptr();
            let keys = metadata.file_metadata().key_value_metadata().cloned();
            let properties = properties().into_builder().set_key_value_metadata(keys).build();
            self.writer = Some(SerializedFileWriter::new(writer, schema, Arc::new(properties)).map_err(failed)?);
        }
        match self.writer.as_mut() {
            Some(writer) => copy_row_groups(writer, input, metadata).map_err(failed),
            None => Ok(()),
        }
    }

    /// Writes what stands at the end of the file.
    pub(super) fn close(self) -> Result<(), ReportError> {
        match self.writer {
            Some(writer) => writer.close().map(|_| ()).map_err(|error| write_error(self.target, error)),
            None => Ok(()),
        }
    }
}

fn copy_row_groups(
    merged: &mut SerializedFileWriter<&mut BufWriter<File>>,
    input: &impl ChunkReader,
    metadata: &ParquetMetaData,
) -> Result<(), ParquetError> {
    let pages = metadata.page_index();
    for (group, row_group) in metadata.row_groups().iter().enumerate() {
        let mut out = merged.next_row_group()?;
        for (k, column) in row_group.columns().iter().enumerate() {
            let close = ColumnCloseResult {
                bytes_written: column.compressed_size() as u64,
                rows_written: row_group.num_rows() as u64,
                metadata: column.clone(),
                bloom_filter: None,
                column_index: pages.and_then(|pages| pages.column_index(group, k)).cloned(),
                offset_index: pages.and_then(|pages| pages.offset_index(group, k)).cloned(),
            };
            out.append_column(input, close)?;
        }
        out.close()?;
    }
    Ok(())
}

/// The summary of a result file of a model with so many parameters, its row groups read side by side.
pub(crate) fn summarize(path: &Path, parameters: usize) -> Result<Summary, ReportError> {
    let (_, metadata) = open(path)?;
    let groups = 0..metadata.num_row_groups();
    let builders = groups.into_par_iter().map(|group| summary_of(path, group, parameters as u32));
    let mut summary = SummaryBuilder::default();
    for builder in builders.collect::<Result<Vec<_>, _>>()? {
        summary.append(builder);
    }
    Ok(summary.finish())
}

/// What a row group adds to the summary.
fn summary_of(path: &Path, group: usize, parameters: u32) -> Result<SummaryBuilder, ReportError> {
    const COLUMNS: [&str; 12] = [
        "problem",
        "step_size",
        SIZE_MULTIPLE,
        "damping",
        "filter",
        "scaling",
        "status",
        "reason",
        "steps",
        "loss",
        "points",
        "rank",
    ];
    let mut summary = SummaryBuilder::default();
    each_batch(path, &COLUMNS, Some(group), |batch| {
        let problems: &UInt64Array = column(batch, "problem")?;
        let sizes: &Float64Array = column(batch, "step_size")?;
        let multiples: Option<&Float64Array> =
            batch.column_by_name(SIZE_MULTIPLE).map(|_| column(batch, SIZE_MULTIPLE)).transpose()?;
        let dampings: &Float64Array = column(batch, "damping")?;
        let filters: &StringArray = column(batch, "filter")?;
        let scalings: &StringArray = column(batch, "scaling")?;
        let statuses: &StringArray = column(batch, "status")?;
        let reasons: &StringArray = column(batch, "reason")?;
        let steps: &UInt32Array = column(batch, "steps")?;
        let points: &UInt32Array = column(batch, "points")?;
        let ranks: &UInt32Array = column(batch, "rank")?;
        let losses: &Float64Array = column(batch, "loss")?;
        for row in 0..batch.num_rows() {
            let multiple = multiples.filter(|multiples| multiples.is_valid(row)).map(|multiples| multiples.value(row));
            summary.add(&Line {
                problem: problems.value(row),
                step_size: multiple.unwrap_or(sizes.value(row)),
                unit: if multiple.is_some() { SizeUnit::TwoOverSharpness } else { SizeUnit::Absolute },
                damping: dampings.is_valid(row).then(|| dampings.value(row)),
                filter: filters.value(row),
                scaling: scalings.value(row),
                status: statuses.value(row),
                reason: reasons.is_valid(row).then(|| reasons.value(row)),
                steps: steps.value(row),
                loss: losses.is_valid(row).then(|| losses.value(row)),
                short: ranks.is_valid(row) && ranks.value(row) < points.value(row).min(parameters),
            });
        }
        Ok(())
    })?;
    Ok(summary)
}

/// Goes through these columns of a file, or of one row group of it, batch by batch.
pub(super) fn each_batch(
    path: &Path,
    columns: &[&str],
    group: Option<usize>,
    mut see: impl FnMut(&RecordBatch) -> Result<(), String>,
) -> Result<(), ReportError> {
    let file = File::open(path).map_err(|error| read_error(path, error))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| read_error(path, error))?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
    let builder = match group {
        Some(group) => builder.with_row_groups(vec![group]),
        None => builder,
    };
    let reader = builder.with_projection(mask).build().map_err(|error| read_error(path, error))?;
    for batch in reader {
        let batch = batch.map_err(|error| read_error(path, error))?;
        see(&batch).map_err(|error| read_error(path, error))?;
    }
    Ok(())
}

pub(super) fn column<'a, A: 'static>(batch: &'a RecordBatch, name: &str) -> Result<&'a A, String> {
    let array = batch.column_by_name(name).ok_or_else(|| format!("it has no column {name:?}"))?;
    array.as_any().downcast_ref().ok_or_else(|| format!("its column {name:?} is of another type"))
}

fn open(path: &Path) -> Result<(File, ParquetMetaData), ReportError> {
    let file = File::open(path).map_err(|error| read_error(path, error))?;
    let metadata = metadata(&file).map_err(|error| read_error(path, error))?;
    Ok((file, metadata))
}

pub(super) fn metadata(input: &impl ChunkReader) -> Result<ParquetMetaData, ParquetError> {
    ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Optional).parse_and_finish(input)
}

pub(super) fn read_error(path: &Path, problem: impl std::fmt::Display) -> ReportError {
    ReportError::Read { file: path.display().to_string(), problem: problem.to_string().replace('\n', " ") }
}

#[cfg(test)]
mod tests {
    use super::super::example::outcome;
    use super::super::write_parquet;
    use super::*;

    fn read(path: &Path) -> RecordBatch {
        let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
        let schema = Arc::clone(builder.schema());
        let mut batches = builder.build().unwrap();
        let batch = batches.next().map_or_else(|| RecordBatch::new_empty(schema), Result::unwrap);
        assert!(batches.next().is_none(), "the examples fit one batch");
        batch
    }

    #[test]
    fn parts_merge_into_the_rows_of_the_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        write_parquet(&outcome(), &path("whole.parquet")).unwrap();
        write_parquet(&outcome().select([0, 1]), &path("0.parquet")).unwrap();
        write_parquet(&outcome().select([2, 3]), &path("1.parquet")).unwrap();
        merge(&[path("0.parquet"), path("1.parquet")], &path("merged.parquet")).unwrap();
        assert_eq!(read(&path("merged.parquet")), read(&path("whole.parquet")));
        assert_eq!(row_count(&path("merged.parquet")).unwrap(), 4);
        // Row groups went over one by one.
        assert_eq!(open(&path("merged.parquet")).unwrap().1.num_row_groups(), 2);
    }

    #[test]
    fn the_summary_of_the_file_is_that_of_the_outcome() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.parquet");
        write_parquet(&outcome(), &path).unwrap();
        assert_eq!(summarize(&path, 2).unwrap(), Summary::new(&outcome()));
    }

    #[test]
    fn a_file_cut_short_is_told_in_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("part.parquet");
        write_parquet(&outcome(), &path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let message = row_count(&path).unwrap_err().to_string();
        assert!(message.contains("part.parquet") && !message.contains('\n'), "{message}");
    }
}
