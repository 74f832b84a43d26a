//! The user's folder in which natgrad keeps what it has measured and compiled. All of it is a convenience: where it cannot be
//! read or written, things are done again.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// The environment variable that names the folder, instead of natgrad's in the user's folder of caches.
const FOLDER: &str = "NATGRAD_CACHE_DIR";

/// The folder, where there is a place for it: an empty name says that there is none.
pub(super) fn folder() -> Option<PathBuf> {
    match std::env::var_os(FOLDER) {
        Some(folder) if folder.is_empty() => None,
        Some(folder) => Some(PathBuf::from(folder)),
        None => Some(dirs::cache_dir()?.join("natgrad")),
    }
}

/// Puts a file in the place of what was there: whole under another name first, so that nobody ever reads half of it.
pub(super) fn replace(
    path: &Path,
    write: impl FnOnce(&mut std::fs::File) -> std::io::Result<()>,
) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let unfinished = path.with_extension(format!("{}-{number}.unfinished", std::process::id()));
    let mut file = std::fs::File::create(&unfinished)?;
    write(&mut file)?;
    // Not synchronised: whoever reads it looks whether it is sound.
    file.flush()?;
    std::fs::rename(&unfinished, path)
}
