use std::io::{self, Write};

use super::columns::{Column, Values, columns, finite, made};
use crate::sweep::Outcome;

/// Writes the outcome as CSV, a row a problem under the column names of the Parquet file. Null is an empty cell;
/// a list stands in brackets; numbers are written with as many digits as it takes to read the same bits back.
///
/// # Errors
/// What the writer answers.
pub fn write_csv(outcome: &Outcome, writer: impl Write) -> io::Result<()> {
    write_columns(&made(columns(outcome)), writer)
}

pub(super) fn write_columns(columns: &[Column<'_>], writer: impl Write) -> io::Result<()> {
    write_with(writer, |csv| {
        csv.write_record(columns.iter().map(|column| column.name.as_str()))?;
        for row in 0..columns.first().map_or(0, |column| column.values.len()) {
            for column in columns {
                csv.write_field(cell(column, row))?;
            }
            csv.write_record(None::<&[u8]>)?;
        }
        Ok(())
    })
}

/// Writes CSV and flushes it. An error of the writer comes back as itself: the conversion that the csv crate has wraps
/// it, and a closed pipe could not be told from other failures.
pub(super) fn write_with<W: Write>(
    writer: W,
    write: impl FnOnce(&mut csv::Writer<W>) -> csv::Result<()>,
) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(writer);
    write(&mut csv).map_err(|error| match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    })?;
    csv.flush()
}

fn cell(column: &Column<'_>, row: usize) -> String {
    let optional = |value: Option<String>| value.unwrap_or_default();
    match &column.values {
        Values::Index(values) => values[row].to_string(),
        Values::OptionalIndex(values) => optional(values[row].map(|value| value.to_string())),
        Values::Count(values) => values[row].to_string(),
        Values::OptionalCount(values) => optional(values[row].map(|value| value.to_string())),
        Values::Integer(values) => values[row].to_string(),
        Values::Number(values) => optional(finite(values[row]).map(shortest)),
        Values::Numbers(values) => {
            format!("[{}]", values[row].iter().map(|&value| shortest(value)).collect::<Vec<_>>().join(", "))
        }
        Values::Text(values) => values[row].to_owned(),
        Values::Name { names, of } => optional(of[row].map(|k| names[k].clone())),
    }
}

/// The shortest text that reads back as the same number.
pub(crate) fn shortest(value: f64) -> String {
    format!("{value:?}")
}

#[cfg(test)]
mod tests {
    use super::super::example::{outcome, stale_outcome};
    use super::*;

    #[test]
    fn rows_read_back_as_the_numbers_that_were_written() {
        let mut bytes = Vec::new();
        write_csv(&outcome(), &mut bytes).unwrap();
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        let headers = reader.headers().unwrap().clone();
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        let cell = |row: usize, name: &str| rows[row][headers.iter().position(|h| h == name).unwrap()].to_owned();
        assert_eq!(rows.len(), 4);
        assert_eq!(cell(0, "cell"), "A, left");
        assert_eq!(cell(0, "b2").parse::<f64>().unwrap().to_bits(), 5.5e-4f64.to_bits());
        // √(covariance · reduced χ²) = √(4 · 0.25).
        assert_eq!(cell(0, "b1_se"), "1.0");
        assert_eq!(cell(1, "damping"), "");
        assert_eq!(cell(2, "loss"), "");
        assert_eq!(cell(2, "status"), "non_finite");
    }

    #[test]
    fn what_an_earlier_factorisation_said_is_empty_where_there_is_none_at_the_end() {
        let mut bytes = Vec::new();
        write_csv(&stale_outcome(), &mut bytes).unwrap();
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        let headers = reader.headers().unwrap().clone();
        for row in reader.records().map(Result::unwrap) {
            let cell = |name: &str| row[headers.iter().position(|h| h == name).unwrap()].to_owned();
            for name in ["rank", "sigma_max", "sigma_min", "b1_se", "b2_se"] {
                assert_eq!(cell(name), "", "{name} of a problem that is {}", cell("status"));
            }
            assert_eq!(cell("b1"), "238.5");
        }
    }
}
