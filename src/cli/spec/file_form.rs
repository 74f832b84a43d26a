//! What a file of data or starts holds, told by the ending of its name.

use std::path::Path;

use crate::data::{Data, DataError};

/// The forms of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum FileForm {
    Csv,
    Npy,
    Parquet,
}

/// The form that a name ends in; every other name is that of a CSV file.
pub(in crate::cli) fn ending(path: &Path) -> FileForm {
    let extension = path.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase);
    match extension.as_deref() {
        Some("npy") => FileForm::Npy,
        Some("parquet" | "pq") => FileForm::Parquet,
        _ => FileForm::Csv,
    }
}

/// Reads data in whatever form they are.
pub(super) fn read(path: &Path, axes: &[String]) -> Result<Data, DataError> {
    let axes: Vec<&str> = axes.iter().map(String::as_str).collect();
    match ending(path) {
        FileForm::Csv => Data::read_csv(path),
        FileForm::Npy => Data::read_npy(path, &axes),
        FileForm::Parquet => Data::read_parquet(path),
    }
}
