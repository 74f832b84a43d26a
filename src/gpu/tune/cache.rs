//! The file of the user's in which measurements are kept. It is a convenience: where it cannot be read or written, things
//! are measured again, and a line in the log says so.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::Measured;
use crate::gpu::caches;

type Contents = BTreeMap<String, BTreeMap<String, Measured>>;

/// The file, where there is a place for it.
pub(super) fn path() -> Option<PathBuf> {
    Some(caches::folder()?.join("mappings.json"))
}

/// What was measured of an operation on a device.
pub(super) fn find(path: &Path, device: &str, operation: &str) -> Option<Measured> {
    read(path).remove(device)?.remove(operation)
}

/// Adds it. Of two processes that write at once one may win: the other's measurement is taken again one day.
pub(super) fn add(path: &Path, device: &str, operation: &str, measured: &Measured) -> std::io::Result<()> {
    let mut contents = read(path);
    contents.entry(device.to_owned()).or_default().insert(operation.to_owned(), measured.clone());
    caches::replace(path, |file| {
        serde_json::to_writer_pretty(&mut *file, &contents)?;
        file.write_all(b"\n")
    })
}

/// All of it; nothing where there is none, or none that makes sense.
pub(super) fn read(path: &Path) -> Contents {
    let Ok(text) = std::fs::read_to_string(path) else { return Contents::new() };
    serde_json::from_str(&text).unwrap_or_else(|error| {
        log::warn!("{} makes no sense ({error}): mappings are measured again", path.display());
        Contents::new()
    })
}
