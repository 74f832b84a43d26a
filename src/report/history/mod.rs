//! Histories of problems as files: a row a record.

#[cfg(feature = "plot")]
mod lines;
#[cfg(feature = "plot")]
mod picture;

use std::io::{self, Write};
#[cfg(feature = "parquet")]
use std::path::Path;

use serde::ser::{SerializeMap, Serializer};

#[cfg(feature = "parquet")]
use super::ReportError;
use super::columns::{Column, Planned, Values, finite, made};
use crate::sweep::{Outcome, Record};

#[cfg(feature = "cli")]
pub(crate) use lines::Lines;
#[cfg(feature = "plot")]
pub use picture::write_history_plot;
#[cfg(feature = "cli")]
pub(crate) use picture::{HISTORY_PLOT, draw_history};

/// Writes the records of an outcome's problems as a Parquet file: a row a record, problem after problem, with the columns
/// `problem`, `step`, `loss`, `residual_norm`, `rank`, `sigma_max`, `sigma_min` and `gn_sharpness`; then, where asked for,
/// `hessian_sharpness` and `parameters`, a list. What is not finite is null, and so is what no factorisation tells. Equal
/// outcomes give equal bytes.
///
/// # Errors
/// The file cannot be written; what was there before then still is.
#[cfg(feature = "parquet")]
pub fn write_history_parquet(outcome: &Outcome, path: &Path) -> Result<(), ReportError> {
    super::parquet::write_columns(columns(outcome), path)
}

/// Writes the records as CSV, in the columns of the Parquet file. Null is an empty cell.
///
/// # Errors
/// What the writer answers.
pub fn write_history_csv(outcome: &Outcome, writer: impl Write) -> io::Result<()> {
    super::csv::write_columns(&made(columns(outcome)), writer)
}

/// Writes the records as JSON lines, an object a record with the columns of the Parquet file as keys.
///
/// # Errors
/// What the writer answers.
pub fn write_history_jsonl(outcome: &Outcome, mut writer: impl Write) -> io::Result<()> {
    let columns = made(columns(outcome));
    for row in 0..columns.first().map_or(0, |column| column.values.len()) {
        let mut line = Vec::new();
        let mut json = serde_json::Serializer::new(&mut line);
        let mut object = json.serialize_map(None)?;
        for Column { name, values } in &columns {
            match values {
                Values::Index(values) => object.serialize_entry(name, &values[row])?,
                Values::Count(values) => object.serialize_entry(name, &values[row])?,
                Values::OptionalCount(values) => object.serialize_entry(name, &values[row])?,
                Values::Number(values) => object.serialize_entry(name, &finite(values[row]))?,
                Values::Numbers(values) => object.serialize_entry(name, values[row])?,
                // No record holds any other.
                _ => {}
            }
        }
        object.end()?;
        line.push(b'\n');
        writer.write_all(&line)?;
    }
    writer.flush()
}

/// The columns of the records, in the order of the file.
fn columns(outcome: &Outcome) -> Vec<Planned<'_>> {
    let history = outcome.context().history;
    let records: Vec<(u64, Record<'_>)> =
        outcome.iter().flat_map(|problem| problem.history().map(move |record| (problem.index(), record))).collect();
    let number = |of: fn(&Record<'_>) -> Option<f64>| {
        Values::Number(records.iter().map(|(_, record)| of(record).unwrap_or(f64::NAN)).collect())
    };
    let mut columns = vec![
        ("problem", Values::Index(records.iter().map(|(problem, _)| *problem).collect())),
        ("step", Values::Count(records.iter().map(|(_, record)| record.step).collect())),
        ("loss", number(|record| Some(record.loss))),
        ("residual_norm", number(|record| Some(record.residual_norm))),
        ("rank", Values::OptionalCount(records.iter().map(|(_, record)| record.rank.map(|r| r as u32)).collect())),
        ("sigma_max", number(|record| record.sigma_max)),
        ("sigma_min", number(|record| record.sigma_min)),
        ("gn_sharpness", number(|record| Some(record.gn_sharpness))),
    ];
    if history.hessian_sharpness {
        columns.push(("hessian_sharpness", number(|record| record.hessian_sharpness)));
    }
    if history.parameters {
        let lists = records.iter().map(|(_, record)| record.parameters).collect();
        columns.push(("parameters", Values::Numbers(lists)));
    }
    columns.into_iter().map(|(name, values)| Planned::new(name, move || values)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::example::{empty_outcome_with, with_history};
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut bytes = Vec::new();
        write(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_record_is_a_row_and_what_is_not_there_is_empty() {
        let outcome = with_history();
        let csv = text(|writer| write_history_csv(&outcome, writer));
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(
            lines[0],
            "problem,step,loss,residual_norm,rank,sigma_max,sigma_min,gn_sharpness,hessian_sharpness,parameters"
        );
        assert_eq!(lines[1], "0,0,8.0,4.0,2,1.5,0.5,4.0,5.0,\"[500.0, 0.0001]\"");
        assert_eq!(lines.last().unwrap(), &"3,2,,,,,,,,\"[2.0, 0.0]\"");
        assert_eq!(lines.len(), 1 + 8);
        let json = text(|writer| write_history_jsonl(&outcome, writer));
        let first = json.lines().next().unwrap();
        assert_eq!(
            first,
            "{\"problem\":0,\"step\":0,\"loss\":8.0,\"residual_norm\":4.0,\"rank\":2,\"sigma_max\":1.5,\
             \"sigma_min\":0.5,\"gn_sharpness\":4.0,\"hessian_sharpness\":5.0,\"parameters\":[500.0,0.0001]}"
        );
        assert!(json.lines().last().unwrap().contains("\"loss\":null,\"residual_norm\":null,\"rank\":null"));
    }

    #[test]
    fn no_problems_are_a_header_alone_with_the_columns_that_were_asked_for() {
        let empty = empty_outcome_with(&[], &["a"]);
        let csv = text(|writer| write_history_csv(&empty, writer));
        assert_eq!(csv, "problem,step,loss,residual_norm,rank,sigma_max,sigma_min,gn_sharpness\n");
        assert_eq!(text(|writer| write_history_jsonl(&empty, writer)), "");
    }
}
