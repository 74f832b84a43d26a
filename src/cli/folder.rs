//! The folder of a sweep's results: what may be in it, what counts, and what is left alone.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::Serialize;
use serde_json::Value;

use super::failure::Failure;
use super::plan::Plan;
use super::shard::Shard;
use crate::report::{self, ReportError};

pub(super) const PLAN: &str = "plan.json";
const RESULTS: &str = "results.parquet";
/// Results as text and histories, where a spec asks for them.
const FURTHER: [&str; 6] =
    ["results.csv", "results.jsonl", "curves.csv", "history.parquet", "history.csv", "history.jsonl"];
const SUMMARY: &str = "summary.json";
const SPEC: &str = "spec.toml";
const PARTS: &str = "parts";
/// What `natgrad stability` writes beside.
const STABILITY: [&str; 2] = ["stability.json", "stability.parquet"];

/// What to do with results that are there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Existing {
    /// Refuse.
    Keep,
    /// Go on where they end.
    Resume,
    /// Replace them.
    Replace,
}

/// A folder of results, or of those of one shard: of which no two touch the same file.
pub(super) struct Folder {
    path: PathBuf,
    shard: Option<Shard>,
    /// Held for as long as this run writes into the parts.
    lock: OnceLock<File>,
}

impl Folder {
    /// Looks at the folder and refuses it where its results may not be touched. Writes nothing.
    /// `resumable`: whether there is a way to go on with them.
    pub(super) fn open(
        path: &Path,
        shard: Option<Shard>,
        existing: Existing,
        resumable: bool,
    ) -> Result<Self, Failure> {
        let folder = Self { path: path.to_path_buf(), shard, lock: OnceLock::new() };
        match fs::metadata(path) {
            Ok(meta) if !meta.is_dir() => {
                let shown = path.display();
                return Err(Failure::request(format!("--out {shown} is a file; name a folder")));
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(Failure::request(format!("cannot look into --out {}: {error}", path.display()))),
        }
        if existing == Existing::Keep && folder.is_occupied() {
            return Err(Failure::request(format!(
                "--out {} already holds results{}; choose another folder, or use --force to replace them{}",
                path.display(),
                shard.map_or(String::new(), |shard| format!(" of shard {shard}")),
                if resumable { " or --resume to go on" } else { "" }
            )));
        }
        Ok(folder)
    }

    /// Whether an earlier run came so far that there is a plan to go on by: before that it leaves its spec at most, and a
    /// folder without parts.
    pub(super) fn is_begun(&self) -> bool {
        let names = [PLAN, RESULTS, SUMMARY];
        let has_parts = || fs::read_dir(self.file(PARTS)).is_ok_and(|mut entries| entries.next().is_some());
        names.iter().chain(&FURTHER).chain(&STABILITY).any(|name| self.file(name).exists()) || has_parts()
    }

    /// Whether an earlier run left anything here.
    pub(super) fn is_occupied(&self) -> bool {
        let names = [PLAN, RESULTS, SUMMARY, SPEC, PARTS];
        names.iter().chain(&FURTHER).chain(&STABILITY).any(|name| self.file(name).exists())
    }

    /// The shard whose results these are.
    pub(super) fn shard(&self) -> Option<Shard> {
        self.shard
    }

    /// A file by its name in a sweep without shards.
    fn file(&self, name: &str) -> PathBuf {
        match self.shard {
            Some(shard) => self.path.join(shard.name(name)),
            None => self.path.join(name),
        }
    }

    pub(super) fn results(&self) -> PathBuf {
        self.file(RESULTS)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn plan(&self) -> PathBuf {
        self.file(PLAN)
    }

    pub(super) fn spec(&self) -> PathBuf {
        self.file(SPEC)
    }

    /// The results, records or curves in the form that names of their parts end with: `csv`, `history.csv`, `curves.csv`.
    pub(super) fn of_ending(&self, ending: &str) -> PathBuf {
        match ending.strip_prefix("history.") {
            Some(form) => self.history_as(form),
            None if ending.starts_with("curves.") => self.file(ending),
            None => self.file(&format!("results.{ending}")),
        }
    }

    /// The records of the way, in the form that names end with.
    pub(super) fn history_as(&self, ending: &str) -> PathBuf {
        self.file(&format!("history.{ending}"))
    }

    /// The certificates, as JSON and as Parquet.
    pub(super) fn certificates(&self) -> [PathBuf; 2] {
        STABILITY.map(|name| self.path.join(name))
    }

    /// A file of a part; its Parquet file ends with `parquet`.
    pub(super) fn part(&self, part: usize, ending: &str) -> PathBuf {
        self.file(PARTS).join(format!("part-{part:08}.{ending}"))
    }

    /// A file of a stretch of a part that is not done: of its problems from the one at this place on.
    pub(super) fn stretch(&self, part: usize, from: u64, ending: &str) -> PathBuf {
        self.file(PARTS).join(format!("part-{part:08}.{from:08}.{ending}"))
    }

    /// Whether the earlier run's plan is this one; if not, says what differs.
    pub(super) fn check_resumable(&self, plan: &Plan) -> Result<(), Failure> {
        let path = self.plan();
        let shown = path.display();
        let text = fs::read_to_string(&path)
            .map_err(|error| Failure::request(format!("cannot resume: {shown}: {error}; start over with --force")))?;
        let before: Value = serde_json::from_str(&text).map_err(|error| {
            Failure::request(format!("cannot resume: {shown} is not a plan ({error}); start over with --force"))
        })?;
        let now =
            serde_json::to_value(plan).map_err(|error| Failure::request(format!("cannot resume: {shown}: {error}")))?;
        let differences = differences(&before, &now);
        if differences.is_empty() {
            return Ok(());
        }
        Err(Failure::request(format!(
            "cannot resume: by {shown} {}; run it as it was, or start over with --force",
            differences.join(", ")
        )))
    }

    /// Makes the folder ready for a new run: earlier results go, other files stay.
    pub(super) fn begin(&self, plan: &Plan, spec: &str) -> Result<(), Failure> {
        fs::create_dir_all(&self.path).map_err(|error| ReportError::write(&self.path, error))?;
        self.make_parts_folder()?;
        self.clear()?;
        self.write(&self.spec(), spec.as_bytes())?;
        // Last: a folder with a plan is one that can be resumed.
        self.write_json(&self.plan(), plan)
    }

    /// Makes the folder ready to go on: what was being written when the run was cut off is removed.
    pub(super) fn go_on(&self) -> Result<(), Failure> {
        self.make_parts_folder()?;
        self.remove_unfinished()?;
        self.remove_where(&self.file(PARTS), report::is_temporary)
    }

    /// Makes the folder of the parts, and keeps other runs out of it: the system lets go of it whatever ends this one.
    fn make_parts_folder(&self) -> Result<(), Failure> {
        let parts = self.file(PARTS);
        fs::create_dir_all(&parts).map_err(|error| ReportError::write(&parts, error))?;
        // Where the system has no locks on folders, nobody is kept out.
        let Ok(file) = File::open(&parts) else { return Ok(()) };
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            let shown = parts.display();
            return Err(Failure::request(format!(
                "another run is writing into {shown}; wait until it ends, or choose another folder"
            )));
        }
        // Set already where this run has begun before.
        let _ = self.lock.set(file);
        Ok(())
    }

    /// Whether a part is there, complete: its Parquet file is written last.
    pub(super) fn has_part(&self, part: usize, rows: u64) -> bool {
        rows_of(&self.part(part, "parquet")) == Some(rows)
    }

    /// The stretches of a part that are there, one after the other from the first problem on: where each begins, and where
    /// the last one ends.
    pub(super) fn stretches(&self, part: usize) -> (Vec<u64>, u64) {
        let (mut found, mut end) = (Vec::new(), 0);
        while let Some(rows) = rows_of(&self.stretch(part, end, "parquet")).filter(|&rows| rows > 0) {
            found.push(end);
            end += rows;
        }
        (found, end)
    }

    /// Removes the stretches of a part that is there as a whole.
    pub(super) fn remove_stretches(&self, part: usize) -> Result<(), Failure> {
        let start = format!("part-{part:08}.");
        let is_stretch =
            |name: &str| name.strip_prefix(&start).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        self.remove_where(&self.file(PARTS), is_stretch)
    }

    pub(super) fn write_summary(&self, summary: &report::Summary) -> Result<(), Failure> {
        self.write_json(&self.file(SUMMARY), summary)
    }

    /// Writes a plan beside results that are there already.
    pub(super) fn write_plan(&self, plan: &Plan) -> Result<(), Failure> {
        self.write_json(&self.plan(), plan)
    }

    fn write_json(&self, path: &Path, value: &impl Serialize) -> Result<(), Failure> {
        let mut text = serde_json::to_string_pretty(value)
            .map_err(|error| ReportError::write(path, std::io::Error::other(error)))?;
        text.push('\n');
        self.write(path, text.as_bytes())
    }

    pub(super) fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), Failure> {
        report::write_whole(path, |writer| writer.write_all(bytes).map_err(|source| ReportError::write(path, source)))?;
        Ok(())
    }

    /// Every file that runs write here.
    fn names() -> impl Iterator<Item = &'static str> {
        // The plan goes last: what is left beside it is a part of what it tells, which can be gone on with.
        let names = [SUMMARY, SPEC, RESULTS].into_iter().chain(FURTHER).chain(STABILITY).chain(report::PLOTS);
        names.chain([report::HISTORY_PLOT]).chain(report::STABILITY_PLOTS).chain([PLAN])
    }

    /// Removes what an earlier run left, and nothing else.
    pub(super) fn clear(&self) -> Result<(), Failure> {
        self.clear_parts()?;
        for name in Self::names() {
            self.remove(&self.file(name))?;
        }
        self.remove_unfinished()
    }

    /// Removes the parts and, if nothing else is in it, their folder.
    pub(super) fn remove_parts(&self) -> Result<(), Failure> {
        self.clear_parts()?;
        let parts = self.file(PARTS);
        match fs::remove_dir(&parts) {
            // Somebody else's files in it keep the folder.
            Err(error) if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::DirectoryNotEmpty) => {
                Err(removal_failed(&parts, &error))
            }
            _ => Ok(()),
        }
    }

    fn clear_parts(&self) -> Result<(), Failure> {
        let is_part = |name: &str| {
            let ending = [".parquet", ".csv", ".jsonl"].iter().any(|ending| name.ends_with(ending));
            report::is_temporary(name) || (name.starts_with("part-") && ending)
        };
        self.remove_where(&self.file(PARTS), is_part)
    }

    /// Removes what was being written of this run: beside it another shard may be writing.
    fn remove_unfinished(&self) -> Result<(), Failure> {
        let own: Vec<PathBuf> = Self::names().map(|name| self.file(name)).collect();
        let is_own = |name: &str| own.iter().any(|path| report::temporary_name(path).is_ok_and(|t| t.ends_with(name)));
        self.remove_where(&self.path, |name| report::is_temporary(name) && is_own(name))
    }

    fn remove_where(&self, folder: &Path, wanted: impl Fn(&str) -> bool) -> Result<(), Failure> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(removal_failed(folder, &error)),
        };
        for entry in entries {
            let entry = entry.map_err(|error| removal_failed(folder, &error))?;
            if entry.file_name().to_str().is_some_and(&wanted) {
                self.remove(&entry.path())?;
            }
        }
        Ok(())
    }

    fn remove(&self, path: &Path) -> Result<(), Failure> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(removal_failed(path, &error)),
            _ => Ok(()),
        }
    }
}

fn removal_failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::request(format!("cannot remove {}: {error}; remove it or choose another folder", path.display()))
}

/// The rows of a Parquet file, where there is one and it is complete.
fn rows_of(path: &Path) -> Option<u64> {
    if path.exists() { report::parts::row_count(path).ok() } else { None }
}

/// The keys whose values differ, with both values.
pub(super) fn differences(before: &Value, now: &Value) -> Vec<String> {
    let empty = serde_json::Map::new();
    let (before, now) = (before.as_object().unwrap_or(&empty), now.as_object().unwrap_or(&empty));
    let keys: std::collections::BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    keys.into_iter()
        .filter(|key| before.get(*key) != now.get(*key))
        .map(|key| match key.as_str() {
            // Nobody reads a hash.
            "digest" => "the data or the spec were others".to_owned(),
            // Nor the list of its parts; what made it another stands beside.
            "shard" => "the shard was another".to_owned(),
            _ => {
                let shown = |value: Option<&Value>| value.map_or("nothing".to_owned(), Value::to_string);
                format!("{key} was {} and is {}", shown(before.get(key)), shown(now.get(key)))
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::job;
    use super::super::spec::OutputRequest;
    use super::*;

    fn plan(device: &str) -> Plan {
        let info = serde_json::json!({
            "version": "0.1.0", "device": device, "driver": "d", "backend": "CPU", "precision": "f64",
            "mapping": "m", "replaced_functions": [], "problems": 10, "digest": "abc",
        });
        Plan::new(serde_json::from_value(info).unwrap(), &job(10, 1), OutputRequest::default(), None, None)
    }

    #[test]
    fn a_plan_that_differs_is_refused_and_the_difference_named() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(&temporary.path().join("run"), None, Existing::Keep, true).unwrap();
        folder.begin(&plan("CPU"), "[model]\n").unwrap();
        folder.check_resumable(&plan("CPU")).unwrap();
        let message = folder.check_resumable(&plan("Mesa")).unwrap_err().message;
        assert!(message.contains("device was \"CPU\" and is \"Mesa\""), "{message}");
        assert!(Folder::open(folder.path(), None, Existing::Keep, true).is_err());
    }

    #[test]
    fn force_replaces_results_and_leaves_other_files_alone() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path();
        for name in ["notes.txt", "results.parquet", "results.csv", "summary.json", ".results.parquet.unfinished"] {
            fs::write(path.join(name), "old").unwrap();
        }
        fs::create_dir(path.join("parts")).unwrap();
        fs::write(path.join("parts/part-00000000.parquet"), "old").unwrap();
        let folder = Folder::open(path, None, Existing::Replace, true).unwrap();
        folder.begin(&plan("CPU"), "[model]\n").unwrap();
        let mut names: Vec<String> =
            fs::read_dir(path).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, ["notes.txt", "parts", "plan.json", "spec.toml"]);
        assert_eq!(fs::read_dir(path.join("parts")).unwrap().count(), 0);
        assert_eq!(fs::read_to_string(path.join("notes.txt")).unwrap(), "old");
    }
}
