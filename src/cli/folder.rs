//! The folder of a sweep's results: what may be in it, what counts, and what is left alone.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::failure::Failure;
use crate::engine::PlanInfo;
use crate::report::{self, ReportError};

const PLAN: &str = "plan.json";
const RESULTS: &str = "results.parquet";
const SUMMARY: &str = "summary.json";
const SPEC: &str = "spec.toml";
const PARTS: &str = "parts";

/// Most problems a part holds, whatever the device: the same run always has the same parts.
const PART: u64 = 65_536;
/// About as many bytes of results as one part may take in memory.
const PART_BYTES: u64 = 1 << 28;

/// The content of `plan.json`: what a run is done with, which `--resume` obeys or refuses.
#[derive(Serialize)]
pub(super) struct Plan {
    #[serde(flatten)]
    info: PlanInfo,
    /// Problems a part.
    part_size: u64,
}

impl Plan {
    /// `parameters` is p: with many parameters a problem's covariance is large and a part holds fewer.
    pub(super) fn new(info: PlanInfo, parameters: usize) -> Self {
        let p = parameters as u64;
        let each = 8 * (4 * p + p * (p + 1) / 2) + 128;
        let fits = (PART_BYTES / each).max(1);
        // The largest power of two that fits.
        let part_size = PART.min(1 << fits.ilog2());
        Self { info, part_size }
    }

    pub(super) fn parts(&self) -> u64 {
        self.info.problems.div_ceil(self.part_size)
    }

    /// The problems of a part.
    pub(super) fn range(&self, part: u64) -> std::ops::Range<u64> {
        let first = part * self.part_size;
        first..(first + self.part_size).min(self.info.problems)
    }
}

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

/// A folder of results.
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Looks at the folder and refuses it where its results may not be touched. Writes nothing.
    pub(super) fn open(path: &Path, existing: Existing) -> Result<Self, Failure> {
        let folder = Self { path: path.to_path_buf() };
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
                "--out {} already holds results; choose another folder, or use --force to replace them or --resume to go on",
                path.display()
            )));
        }
        Ok(folder)
    }

    /// Whether an earlier run left anything here.
    pub(super) fn is_occupied(&self) -> bool {
        [PLAN, RESULTS, SUMMARY, SPEC, PARTS].iter().any(|name| self.path.join(name).exists())
    }

    pub(super) fn results(&self) -> PathBuf {
        self.path.join(RESULTS)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn part(&self, part: u64) -> PathBuf {
        self.path.join(PARTS).join(format!("part-{part:08}.parquet"))
    }

    /// Whether the earlier run's plan is this one; if not, says what differs.
    pub(super) fn check_resumable(&self, plan: &Plan) -> Result<(), Failure> {
        let path = self.path.join(PLAN);
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
        self.clear()?;
        self.make_parts_folder()?;
        self.write(SPEC, spec.as_bytes())?;
        let mut text = serde_json::to_string_pretty(plan)
            .map_err(|error| ReportError::write(&self.path.join(PLAN), std::io::Error::other(error)))?;
        text.push('\n');
        // Last: a folder with a plan is one that can be resumed.
        self.write(PLAN, text.as_bytes())
    }

    /// Makes the folder ready to go on: what was being written when the run was cut off is removed.
    pub(super) fn go_on(&self) -> Result<(), Failure> {
        self.remove_unfinished(&self.path)?;
        self.make_parts_folder()?;
        self.remove_unfinished(&self.path.join(PARTS))
    }

    fn make_parts_folder(&self) -> Result<(), Failure> {
        let parts = self.path.join(PARTS);
        fs::create_dir_all(&parts).map_err(|error| ReportError::write(&parts, error).into())
    }

    /// Whether a part is there, complete.
    pub(super) fn has_part(&self, part: u64, problems: u64) -> bool {
        let path = self.part(part);
        path.exists() && report::parts::row_count(&path).is_ok_and(|rows| rows == problems)
    }

    /// Puts the parts together and removes them.
    pub(super) fn merge(&self, parts: u64) -> Result<(), Failure> {
        let paths: Vec<PathBuf> = (0..parts).map(|part| self.part(part)).collect();
        report::parts::merge(&paths, &self.results())?;
        Ok(())
    }

    pub(super) fn write_summary(&self, summary: &report::Summary) -> Result<(), Failure> {
        let path = self.path.join(SUMMARY);
        let mut text = serde_json::to_string_pretty(summary)
            .map_err(|error| ReportError::write(&path, std::io::Error::other(error)))?;
        text.push('\n');
        self.write(SUMMARY, text.as_bytes())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        let path = self.path.join(name);
        report::write_whole(&path, |writer| {
            writer.write_all(bytes).map_err(|source| ReportError::write(&path, source))
        })?;
        Ok(())
    }

    /// Removes what an earlier run left, and nothing else.
    fn clear(&self) -> Result<(), Failure> {
        // The plan goes first: without it nothing of the rest can be taken for a run to resume.
        let names = [PLAN, SUMMARY, SPEC, RESULTS].into_iter().chain(report::PLOTS);
        for name in names {
            self.remove(&self.path.join(name))?;
        }
        self.remove_parts()?;
        self.remove_unfinished(&self.path)
    }

    /// Removes the parts and, if nothing else is in it, their folder.
    pub(super) fn remove_parts(&self) -> Result<(), Failure> {
        let parts = self.path.join(PARTS);
        let is_part =
            |name: &str| report::is_temporary(name) || (name.starts_with("part-") && name.ends_with(".parquet"));
        self.remove_where(&parts, is_part)?;
        match fs::remove_dir(&parts) {
            // Somebody else's files in it keep the folder.
            Err(error) if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::DirectoryNotEmpty) => {
                Err(removal_failed(&parts, &error))
            }
            _ => Ok(()),
        }
    }

    fn remove_unfinished(&self, folder: &Path) -> Result<(), Failure> {
        self.remove_where(folder, report::is_temporary)
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

/// The keys whose values differ, with both values.
fn differences(before: &Value, now: &Value) -> Vec<String> {
    let empty = serde_json::Map::new();
    let (before, now) = (before.as_object().unwrap_or(&empty), now.as_object().unwrap_or(&empty));
    let keys: std::collections::BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    keys.into_iter()
        .filter(|key| before.get(*key) != now.get(*key))
        .map(|key| match key.as_str() {
            // Nobody reads a hash.
            "digest" => "the data or the spec were others".to_owned(),
            _ => {
                let shown = |value: Option<&Value>| value.map_or("nothing".to_owned(), Value::to_string);
                format!("{key} was {} and is {}", shown(before.get(key)), shown(now.get(key)))
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(device: &str, problems: u64, parameters: usize) -> Plan {
        let info = serde_json::json!({
            "version": "0.1.0", "device": device, "driver": "d", "backend": "CPU", "precision": "f64",
            "mapping": "m", "replaced_functions": [], "problems": problems, "digest": "abc",
        });
        Plan::new(serde_json::from_value(info).unwrap(), parameters)
    }

    #[test]
    fn the_parts_cover_every_problem_once() {
        for problems in [1, 65_535, 65_536, 65_537, 1_000_000] {
            let plan = plan("CPU", problems, 3);
            let mut next = 0;
            for part in 0..plan.parts() {
                let range = plan.range(part);
                assert!(range.start == next && !range.is_empty());
                next = range.end;
            }
            assert_eq!(next, problems);
        }
    }

    #[test]
    fn a_part_of_a_wide_problem_stays_within_memory() {
        let plan = plan("CPU", 1_000_000, 1000);
        // A covariance of 1000 parameters takes 4 MB.
        assert!(plan.part_size <= 64 && plan.part_size >= 16, "{}", plan.part_size);
    }

    #[test]
    fn a_plan_that_differs_is_refused_and_the_difference_named() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(&temporary.path().join("run"), Existing::Keep).unwrap();
        folder.begin(&plan("CPU", 10, 2), "[model]\n").unwrap();
        folder.check_resumable(&plan("CPU", 10, 2)).unwrap();
        let message = folder.check_resumable(&plan("Mesa", 10, 2)).unwrap_err().message;
        assert!(message.contains("device was \"CPU\" and is \"Mesa\""), "{message}");
        assert!(Folder::open(folder.path(), Existing::Keep).is_err());
    }

    #[test]
    fn force_replaces_results_and_leaves_other_files_alone() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path();
        for name in ["notes.txt", "results.parquet", "summary.json", ".results.parquet.unfinished"] {
            fs::write(path.join(name), "old").unwrap();
        }
        fs::create_dir(path.join("parts")).unwrap();
        fs::write(path.join("parts/part-00000000.parquet"), "old").unwrap();
        let folder = Folder::open(path, Existing::Replace).unwrap();
        folder.begin(&plan("CPU", 10, 2), "[model]\n").unwrap();
        let mut names: Vec<String> =
            fs::read_dir(path).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, ["notes.txt", "parts", "plan.json", "spec.toml"]);
        assert_eq!(fs::read_dir(path.join("parts")).unwrap().count(), 0);
        assert_eq!(fs::read_to_string(path.join("notes.txt")).unwrap(), "old");
    }
}
