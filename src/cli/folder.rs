//! The folder of a sweep's results: what may be in it, what counts, and what is left alone.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::failure::Failure;
use super::plan::Plan;
use super::spec::TextForm;
use crate::report::{self, ReportError};

const PLAN: &str = "plan.json";
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

/// A folder of results.
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Looks at the folder and refuses it where its results may not be touched. Writes nothing.
    /// `resumable`: whether there is a way to go on with them.
    pub(super) fn open(path: &Path, existing: Existing, resumable: bool) -> Result<Self, Failure> {
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
                "--out {} already holds results; choose another folder, or use --force to replace them{}",
                path.display(),
                if resumable { " or --resume to go on" } else { "" }
            )));
        }
        Ok(folder)
    }

    /// Whether an earlier run left anything here.
    pub(super) fn is_occupied(&self) -> bool {
        let names = [PLAN, RESULTS, SUMMARY, SPEC, PARTS];
        names.iter().chain(&FURTHER).chain(&STABILITY).any(|name| self.path.join(name).exists())
    }

    pub(super) fn results(&self) -> PathBuf {
        self.path.join(RESULTS)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The results in a form of text.
    pub(super) fn results_as(&self, form: TextForm) -> PathBuf {
        self.path.join(format!("results.{}", form.extension()))
    }

    /// The records of the way, in the form that names end with.
    pub(super) fn history_as(&self, ending: &str) -> PathBuf {
        self.path.join(format!("history.{ending}"))
    }

    /// Data, fit and residual, row by row.
    pub(super) fn curves(&self) -> PathBuf {
        self.path.join("curves.csv")
    }

    /// The certificates, as JSON and as Parquet.
    pub(super) fn certificates(&self) -> [PathBuf; 2] {
        STABILITY.map(|name| self.path.join(name))
    }

    /// A file of a part; its Parquet file ends with `parquet`.
    pub(super) fn part(&self, part: usize, ending: &str) -> PathBuf {
        self.path.join(PARTS).join(format!("part-{part:08}.{ending}"))
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

    /// Whether a part is there, complete: its Parquet file is written last.
    pub(super) fn has_part(&self, part: usize, rows: u64) -> bool {
        let path = self.part(part, "parquet");
        path.exists() && report::parts::row_count(&path).is_ok_and(|found| found == rows)
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
        let names = [PLAN, SUMMARY, SPEC, RESULTS].into_iter().chain(FURTHER).chain(STABILITY);
        let names = names.chain(report::PLOTS).chain([report::HISTORY_PLOT]).chain(report::STABILITY_PLOTS);
        for name in names {
            self.remove(&self.path.join(name))?;
        }
        self.remove_parts()?;
        self.remove_unfinished(&self.path)
    }

    /// Removes the parts and, if nothing else is in it, their folder.
    pub(super) fn remove_parts(&self) -> Result<(), Failure> {
        let parts = self.path.join(PARTS);
        let is_part = |name: &str| {
            let ending = [".parquet", ".csv", ".jsonl"].iter().any(|ending| name.ends_with(ending));
            report::is_temporary(name) || (name.starts_with("part-") && ending)
        };
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
    use super::super::plan::tests::job;
    use super::super::spec::OutputRequest;
    use super::*;

    fn plan(device: &str) -> Plan {
        let info = serde_json::json!({
            "version": "0.1.0", "device": device, "driver": "d", "backend": "CPU", "precision": "f64",
            "mapping": "m", "replaced_functions": [], "problems": 10, "digest": "abc",
        });
        Plan::new(serde_json::from_value(info).unwrap(), &job(10, 1), OutputRequest::default())
    }

    #[test]
    fn a_plan_that_differs_is_refused_and_the_difference_named() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(&temporary.path().join("run"), Existing::Keep, true).unwrap();
        folder.begin(&plan("CPU"), "[model]\n").unwrap();
        folder.check_resumable(&plan("CPU")).unwrap();
        let message = folder.check_resumable(&plan("Mesa")).unwrap_err().message;
        assert!(message.contains("device was \"CPU\" and is \"Mesa\""), "{message}");
        assert!(Folder::open(folder.path(), Existing::Keep, true).is_err());
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
        let folder = Folder::open(path, Existing::Replace, true).unwrap();
        folder.begin(&plan("CPU"), "[model]\n").unwrap();
        let mut names: Vec<String> =
            fs::read_dir(path).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, ["notes.txt", "parts", "plan.json", "spec.toml"]);
        assert_eq!(fs::read_dir(path.join("parts")).unwrap().count(), 0);
        assert_eq!(fs::read_to_string(path.join("notes.txt")).unwrap(), "old");
    }
}
