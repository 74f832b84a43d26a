use std::io::{self, ErrorKind};
#[cfg(any(feature = "parquet", feature = "plot"))]
use std::path::Path;

/// A result file could not be written or read back. Every message is one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// Writing failed: the disk is full, the folder is missing or may not be written to.
    #[error("cannot write {file}: {}", told(.source))]
    Write {
        /// The file's path.
        file: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file of an earlier run could not be read back.
    #[error("cannot read {file}: {problem}; it is no complete result of this version: run again with --force")]
    Read {
        /// The file's path.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A picture could not be drawn.
    #[error("cannot draw {file}: {problem}")]
    Draw {
        /// The picture's path.
        file: String,
        /// What the drawing library said.
        problem: String,
    },
}

impl ReportError {
    #[cfg(any(feature = "parquet", feature = "plot"))]
    pub(crate) fn write(path: &Path, source: io::Error) -> Self {
        Self::Write { file: path.display().to_string(), source }
    }
}

/// What the operating system said, with the mend where there is a usual one.
fn told(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::StorageFull => "the disk is full; free some space or choose another folder".to_owned(),
        ErrorKind::QuotaExceeded => "the disk quota is used up; free some space or choose another folder".to_owned(),
        ErrorKind::FileTooLarge => "the file grew past the largest size allowed here; raise the limit".to_owned(),
        ErrorKind::NotFound => "its folder does not exist; create it first".to_owned(),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "it may not be written to; choose another place".to_owned()
        }
        ErrorKind::IsADirectory => "it is a folder; name a file".to_owned(),
        _ => error.to_string(),
    }
}
