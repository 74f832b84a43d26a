//! The parts of a sweep: run, written, and put together.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::failure::Failure;
use super::folder::Folder;
use super::plan::{Part, Plan};
use super::progress::Bar;
use super::spec::{Keep, TextForm};
use crate::engine::Engine;
use crate::report::{self, ReportError};
use crate::sweep::{Job, Outcome};

/// How the names of a part's curves end.
const CURVES: &str = "curves.csv";
/// And of its history, in Parquet.
const HISTORY: &str = "history.parquet";

/// A sweep on its way into its folder.
pub(super) struct Parts<'a> {
    pub(super) engine: &'a Engine,
    pub(super) job: &'a Job,
    pub(super) plan: &'a Plan,
    pub(super) folder: &'a Folder,
    /// The outcome of no problems: what heads every table.
    pub(super) nothing: &'a Outcome,
}

impl Parts<'_> {
    /// Runs the parts that are not there yet, each complete on disk before the next one begins.
    pub(super) fn run(&self) -> Result<(), Failure> {
        let parts = self.plan.parts();
        let there: Vec<bool> = parts.iter().enumerate().map(|(k, part)| self.folder.has_part(k, part.rows)).collect();
        let mut finished = there.iter().filter(|&&there| there).count();
        let mut bar = Bar::new(self.job.len());
        for (part, _) in parts.iter().zip(&there).filter(|(_, there)| **there) {
            bar.skip(part.len());
        }
        for (k, part) in parts.iter().enumerate().filter(|(k, _)| !there[*k]) {
            self.run_part(part, &mut bar).and_then(|outcome| self.write_part(k, &outcome)).map_err(|failure| {
                let (message, all) = (failure.message, parts.len());
                let message =
                    format!("{message} ({finished} of {all} parts are complete; --resume goes on from there)");
                Failure { message, ..failure }
            })?;
            finished += 1;
        }
        bar.finish();
        Ok(())
    }

    fn run_part(&self, part: &Part, bar: &mut Bar) -> Result<Outcome, Failure> {
        let mut kept: Option<Outcome> = None;
        for piece in part.pieces(self.plan.part_size()) {
            let problems = piece.end - piece.start;
            let outcome = self.engine.run_job(self.job, piece, &mut |progress| bar.report(progress))?;
            let mut all = kept.unwrap_or_else(|| self.nothing.clone());
            all.append(outcome);
            kept = Some(match self.plan.output.keep {
                Keep::All => all,
                Keep::Best => all.keep_best(),
            });
            bar.next_part(problems);
        }
        Ok(kept.unwrap_or_else(|| self.nothing.clone()))
    }

    /// Writes the files of a part, the Parquet file last: with it the part counts.
    fn write_part(&self, part: usize, outcome: &Outcome) -> Result<(), Failure> {
        for &form in &self.plan.output.formats {
            write(&self.folder.part(part, form.extension()), |writer| form.write(outcome, writer))?;
        }
        if self.plan.output.curves {
            write(&self.folder.part(part, CURVES), |writer| report::write_curves(self.job, outcome, writer))?;
        }
        if self.job.history().is_kept() {
            for &form in &self.plan.output.formats {
                let path = self.folder.part(part, &of_history(form));
                write(&path, |writer| form.write_history(outcome, writer))?;
            }
            report::write_history_parquet(outcome, &self.folder.part(part, HISTORY))?;
        }
        report::write_parquet(outcome, &self.folder.part(part, "parquet"))?;
        Ok(())
    }

    /// Puts the parts together, the Parquet file last: with it the results count.
    pub(super) fn merge(&self) -> Result<(), Failure> {
        let files = |ending: &str| -> Vec<PathBuf> {
            (0..self.plan.parts().len()).map(|part| self.folder.part(part, ending)).collect()
        };
        for &form in &self.plan.output.formats {
            let header = match form {
                TextForm::Csv => length(|writer| form.write(self.nothing, writer))?,
                TextForm::Jsonl => 0,
            };
            join(&files(form.extension()), header, &self.folder.results_as(form))?;
        }
        if self.plan.output.curves {
            let header = length(|writer| report::write_curves(self.job, self.nothing, writer))?;
            join(&files(CURVES), header, &self.folder.curves())?;
        }
        if self.job.history().is_kept() {
            for &form in &self.plan.output.formats {
                let header = match form {
                    TextForm::Csv => length(|writer| form.write_history(self.nothing, writer))?,
                    TextForm::Jsonl => 0,
                };
                join(&files(&of_history(form)), header, &self.folder.history_as(form.extension()))?;
            }
            report::parts::merge(&files(HISTORY), &self.folder.history_as("parquet"))?;
        }
        report::parts::merge(&files("parquet"), &self.folder.results())?;
        Ok(())
    }
}

/// How the names of a part's history end in a form of text.
fn of_history(form: TextForm) -> String {
    format!("history.{}", form.extension())
}

fn write(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), ReportError> {
    report::write_whole(path, |writer| write(writer).map_err(|source| ReportError::write(path, source)))
}

/// How many bytes are written.
fn length(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<u64, Failure> {
    let mut bytes = Vec::new();
    write(&mut bytes).map_err(|error| Failure::request(format!("cannot write the results: {error}")))?;
    Ok(bytes.len() as u64)
}

/// One text file after the other, the header of the first one only.
fn join(files: &[PathBuf], header: u64, target: &Path) -> Result<(), ReportError> {
    write(target, |mut writer| {
        for (k, path) in files.iter().enumerate() {
            let mut file = File::open(path)?;
            if k > 0 {
                file.seek(SeekFrom::Start(header))?;
            }
            io::copy(&mut file, &mut writer)?;
        }
        Ok(())
    })
}
