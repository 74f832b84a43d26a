//! Files that are whole or not there.

use std::fs::{self, File};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::ReportError;

/// Writes a file so that it is either complete under its name or not there at all: into a temporary name in the same
/// folder, flushed to the disk, then renamed. A file of that name is replaced at the last moment only. What is no
/// ordinary file (a pipe, a terminal, `/dev/stdout`) is written to directly; a pipe whose reader has seen enough is no
/// failure.
pub(crate) fn write_whole(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<(), ReportError>,
) -> Result<(), ReportError> {
    let failed = |source| ReportError::write(path, source);
    if path.metadata().is_ok_and(|meta| !meta.is_file() && !meta.is_dir()) {
        let file = File::options().write(true).open(path).map_err(failed)?;
        let mut writer = BufWriter::new(file);
        let written = write(&mut writer).and_then(|()| writer.flush().map_err(failed));
        // What is still buffered would be tried once more on drop.
        drop(writer.into_parts());
        return match written {
            Err(ReportError::Write { source, .. }) if source.kind() == ErrorKind::BrokenPipe => Ok(()),
            written => written,
        };
    }
    // Through a link, the file it points to is replaced, not the link.
    let target = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let temporary = temporary_name(&target)?;
    let result = write_and_sync(&temporary, path, write).and_then(|()| {
        fs::rename(&temporary, &target).map_err(failed)?;
        sync_folder(&target);
        Ok(())
    });
    if result.is_err() {
        // The first error is the one to tell; that nothing was left behind is the best that can be tried.
        let _ = fs::remove_file(&temporary);
    }
    result
}

fn write_and_sync(
    temporary: &Path,
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<(), ReportError>,
) -> Result<(), ReportError> {
    let failed = |source| ReportError::write(path, source);
    let mut writer = BufWriter::with_capacity(1 << 18, File::create(temporary).map_err(failed)?);
    let written = write(&mut writer);
    match written {
        Ok(()) => {
            let file = writer.into_inner().map_err(|error| failed(error.into_error()))?;
            file.sync_all().map_err(failed)
        }
        Err(error) => {
            // Its buffer would be written once more on drop, into a file that is about to go.
            drop(writer.into_parts());
            Err(error)
        }
    }
}

/// The name under which a file is written until it is complete.
pub(crate) fn temporary_name(target: &Path) -> Result<PathBuf, ReportError> {
    let name = target.file_name().ok_or_else(|| {
        let missing = std::io::Error::new(std::io::ErrorKind::InvalidInput, "it names no file");
        ReportError::write(target, missing)
    })?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(TEMPORARY);
    Ok(target.with_file_name(hidden))
}

/// How temporary names end.
const TEMPORARY: &str = ".unfinished";

#[cfg(feature = "cli")]
/// Whether this is a temporary name of [`write_whole`], left behind by a run that was killed.
pub(crate) fn is_temporary(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(TEMPORARY)
}

/// Makes a rename durable where the system allows it; it is done already where it does not.
fn sync_folder(path: &Path) {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Ok(folder) = File::open(folder.unwrap_or(Path::new("."))) {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.csv");
        fs::write(&path, "old").unwrap();
        let result = write_whole(&path, |writer| {
            writer.write_all(b"half").unwrap();
            Err(ReportError::write(&path, std::io::Error::from(std::io::ErrorKind::StorageFull)))
        });
        assert!(result.is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(names(folder.path()), ["results.csv"]);
    }

    #[test]
    fn a_finished_write_replaces_the_old_file_and_leaves_no_temporary_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.csv");
        fs::write(&path, "old and longer").unwrap();
        write_whole(&path, |writer| writer.write_all(b"new").map_err(|e| ReportError::write(&path, e))).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(names(folder.path()), ["results.csv"]);
        assert!(is_temporary(temporary_name(&path).unwrap().file_name().unwrap().to_str().unwrap()));
        assert!(!is_temporary("results.csv"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_told_in_one_line_with_the_files_name() {
        let error = write_whole(Path::new("/dev/full"), |writer| {
            writer.write_all(b"text").map_err(|e| ReportError::write(Path::new("/dev/full"), e))
        })
        .unwrap_err()
        .to_string();
        assert_eq!(error, "cannot write /dev/full: the disk is full; free some space or choose another folder");
    }
}
