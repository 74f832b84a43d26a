//! Result files cut at other places: so that the bytes of a whole do not depend on where it was interrupted, or on the shards
//! that it was run in.
//!
//! The row groups of a result file are the parts of its sweep, and the bytes of a row group are a function of its rows. Rows
//! that come from several files are decoded, gathered part by part, and encoded as if they had been written together.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use arrow_array::{RecordBatch, UInt64Array};
use arrow_schema::{ArrowError, Schema};
use arrow_select::concat::concat_batches;

use super::parquet::{write_batch, write_error};
use super::parts::{Merged, column, metadata, read_error};
use super::{ReportError, write_whole};

/// Rows that are decoded at once.
const ROWS: usize = 1 << 16;

/// The files of one part's stretches as the file of the part.
pub(crate) fn assemble(stretches: &[PathBuf], target: &Path) -> Result<(), ReportError> {
    let mut rows = Rows::default();
    for path in stretches {
        each_batch(path, |batch| {
            rows.add(batch);
            Ok(())
        })?;
    }
    write_whole(target, |writer| match rows.take().map_err(|error| read_error(target, error))? {
        Some(batch) => write_batch(&batch, writer).map_err(|error| write_error(target, error)),
        None => Ok(()),
    })
}

/// A file, and the problems that it may hold.
pub(crate) struct Piece {
    pub(crate) path: PathBuf,
    pub(crate) problems: Range<u64>,
}

/// One file of all rows of these, which follow each other, in the row groups of a sweep whose parts begin at `parts`. Holds
/// the rows of a part in memory.
pub(crate) fn recut(pieces: &[Piece], parts: &[u64], target: &Path) -> Result<(), ReportError> {
    write_whole(target, |writer| {
        let mut merged = Merged::new(writer, target);
        let mut rows = Rows::default();
        let mut ends = parts.iter().copied().skip(1);
        let mut end = ends.next().unwrap_or(u64::MAX);
        for Piece { path, problems } in pieces {
            each_batch(path, |mut batch| {
                check_problems(&batch, problems)?;
                loop {
                    let of: &UInt64Array = column(&batch, "problem")?;
                    let cut = of.values().partition_point(|&problem| problem < end);
                    if cut == batch.num_rows() {
                        rows.add(batch);
                        return Ok(());
                    }
                    rows.add(batch.slice(0, cut));
                    flush(&mut rows, &mut merged)?;
                    batch = batch.slice(cut, batch.num_rows() - cut);
                    end = ends.next().unwrap_or(u64::MAX);
                }
            })?;
        }
        flush(&mut rows, &mut merged).map_err(|error| read_error(target, error))?;
        merged.close()
    })
}

/// Writes the rows of a part.
fn flush(rows: &mut Rows, merged: &mut Merged<'_>) -> Result<(), String> {
    let Some(batch) = rows.take().map_err(|error| error.to_string())? else { return Ok(()) };
    let mut bytes = Vec::new();
    write_batch(&batch, &mut bytes).map_err(|error| error.to_string())?;
    let bytes = bytes::Bytes::from(bytes);
    let metadata = metadata(&bytes).map_err(|error| error.to_string())?;
    merged.append(&bytes, &metadata).map_err(|error| error.to_string())
}

/// Rows on their way.
#[derive(Default)]
struct Rows {
    schema: Option<Arc<Schema>>,
    batches: Vec<RecordBatch>,
}

impl Rows {
    fn add(&mut self, batch: RecordBatch) {
        self.schema.get_or_insert_with(|| batch.schema());
        self.batches.push(batch);
    }

    /// All of them in one; none where there is not even a schema, or no row of any file.
    fn take(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        let batches = std::mem::take(&mut self.batches);
        self.schema.as_ref().map(|schema| concat_batches(schema, &batches)).transpose()
    }
}

/// Refuses rows of other problems.
fn check_problems(batch: &RecordBatch, allowed: &Range<u64>) -> Result<(), String> {
    let problems: &UInt64Array = column(batch, "problem")?;
    match problems.values().iter().find(|problem| !allowed.contains(problem)) {
        Some(problem) => Err(format!("problem {problem} is none of {} to {}", allowed.start, allowed.end)),
        None => Ok(()),
    }
}

/// Goes through a file, batch by batch.
fn each_batch(path: &Path, mut see: impl FnMut(RecordBatch) -> Result<(), String>) -> Result<(), ReportError> {
    let file = File::open(path).map_err(|error| read_error(path, error))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| read_error(path, error))?;
    let schema = Arc::clone(builder.schema());
    let reader = builder.with_batch_size(ROWS).build().map_err(|error| read_error(path, error))?;
    // A file without rows has a schema too.
    see(RecordBatch::new_empty(schema)).map_err(|error| read_error(path, error))?;
    for batch in reader {
        let batch = batch.map_err(|error| read_error(path, error))?;
        see(batch).map_err(|error| read_error(path, error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::example::{outcome, with_history};
    use super::super::parts::merge;
    use super::super::{write_history_parquet, write_parquet};
    use super::*;
    use crate::sweep::Outcome;

    type Writer = fn(&Outcome, &Path) -> Result<(), ReportError>;

    #[test]
    fn rows_cut_anywhere_come_to_the_bytes_of_parts_that_were_written_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let cases: [(Outcome, Writer); 2] = [(outcome(), write_parquet), (with_history(), write_history_parquet)];
        for (outcome, write) in cases {
            let file = |name: &str, positions: &[usize]| {
                write(&outcome.select(positions.iter().copied()), &path(name)).unwrap();
                path(name)
            };
            let parts = [file("p0", &[0, 1, 2]), file("p1", &[3])];
            merge(&parts, &path("whole")).unwrap();
            let whole = std::fs::read(path("whole")).unwrap();
            for cut in 0..=4 {
                let positions: Vec<usize> = (0..4).collect();
                let pieces = [
                    Piece { path: file("a", &positions[..cut]), problems: 0..cut as u64 },
                    Piece { path: file("b", &positions[cut..]), problems: cut as u64..4 },
                ];
                recut(&pieces, &[0, 3], &path("again")).unwrap();
                assert_eq!(std::fs::read(path("again")).unwrap(), whole, "cut at {cut}");
                assemble(&pieces.map(|piece| piece.path), &path("one")).unwrap();
                let one = file("all", &positions);
                assert_eq!(std::fs::read(path("one")).unwrap(), std::fs::read(one).unwrap(), "cut at {cut}");
            }
        }
    }

    #[test]
    fn a_row_of_another_piece_is_told_with_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.parquet");
        write_parquet(&outcome(), &path).unwrap();
        let pieces = [Piece { path, problems: 0..3 }];
        let message = recut(&pieces, &[0], &folder.path().join("again")).unwrap_err().to_string();
        assert!(message.contains("results.parquet: problem 3 is none of 0 to 3"), "{message}");
    }
}
