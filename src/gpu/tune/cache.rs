//! The file of the user's in which measurements are kept. It is a convenience: where it cannot be read or written, things
//! are measured again, and a line in the log says so.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::Measured;

/// The environment variable that names the folder, instead of natgrad's in the user's folder of caches.
const FOLDER: &str = "NATGRAD_CACHE_DIR";

type Contents = BTreeMap<String, BTreeMap<String, Measured>>;

/// The file, where there is a place for it.
pub(super) fn path() -> Option<PathBuf> {
    let folder = match std::env::var_os(FOLDER) {
        Some(folder) if folder.is_empty() => return None,
        Some(folder) => PathBuf::from(folder),
        None => dirs::cache_dir()?.join("natgrad"),
    };
    Some(folder.join("mappings.json"))
}

/// What was measured of an operation on a device.
pub(super) fn find(path: &Path, device: &str, operation: &str) -> Option<Measured> {
    read(path).remove(device)?.remove(operation)
}

/// Adds it. Of two processes that write at once one may win: the other's measurement is taken again one day.
pub(super) fn add(path: &Path, device: &str, operation: &str, measured: &Measured) -> std::io::Result<()> {
    let mut contents = read(path);
    contents.entry(device.to_owned()).or_default().insert(operation.to_owned(), measured.clone());
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    // Whole under another name first, so that nobody ever reads half of it.
    let unfinished = folder.join(format!("mappings.{}.unfinished", std::process::id()));
    let mut file = std::fs::File::create(&unfinished)?;
    serde_json::to_writer_pretty(&mut file, &contents)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)
}

/// All of it; nothing where there is none, or none that makes sense.
pub(super) fn read(path: &Path) -> Contents {
    let Ok(text) = std::fs::read_to_string(path) else { return Contents::new() };
    serde_json::from_str(&text).unwrap_or_else(|error| {
        log::warn!("{} makes no sense ({error}): mappings are measured again", path.display());
        Contents::new()
    })
}
