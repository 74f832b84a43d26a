//! The parts of a sweep: which are to be run, how they are written, and how they are put together.
//!
//! A part counts when it is complete on disk. One that takes long is saved on the way as stretches of its problems, which make
//! it up in the end: what a run that is cut off has to repeat is what it ran since the last of them. While a thread of its own
//! writes one stretch the device runs the next, so that at most two are in memory.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use super::failure::Failure;
use super::folder::Folder;
use super::interruption::Interruption;
use super::lasting::{Lasting, Solver};
use super::plan::{Part, Plan};
use super::progress::Bar;
use super::runner::{Run, Runner};
use super::spec::{OutputRequest, TextForm};
use crate::report::{self, ReportError, count};
use crate::sweep::{Job, Outcome};

/// How the names of a part's curves end.
const CURVES: &str = "curves.csv";
/// And of its history, in Parquet.
const HISTORY: &str = "history.parquet";

/// A sweep on its way into its folder.
pub(super) struct Parts<'a> {
    pub(super) job: &'a Job,
    pub(super) plan: &'a Plan,
    pub(super) folder: &'a Folder,
    /// The outcome of no problems: what heads every table.
    pub(super) nothing: &'a Outcome,
}

/// Problems of a part that were run one after the other.
pub(super) struct Stretch {
    pub(super) part: usize,
    /// Problems of the part before these.
    pub(super) from: u64,
    /// How many.
    pub(super) problems: u64,
    /// What is kept of them.
    pub(super) outcome: Outcome,
    /// Whether they are the last of the part.
    pub(super) ends: bool,
}

impl Parts<'_> {
    /// Runs what is not there yet, and saves it: part by part, and within a part each time when so long has passed since.
    pub(super) fn run<S: Solver>(
        &self,
        device: &mut Lasting<'_, S>,
        interruption: &Interruption,
        save_every: Duration,
    ) -> Result<(), Failure> {
        let bar = Bar::new(self.plan.problems());
        let mut runs: Vec<Run> = Vec::new();
        let mut there = 0;
        for (k, part) in self.plan.parts().iter().enumerate() {
            let is_there = self.folder.has_part(k, part.rows);
            let done = if is_there { part.len() } else { self.saved_of(k, part) };
            there += done;
            match runs.last_mut() {
                _ if is_there => {}
                Some(run) if run.end == k && done == 0 => run.end += 1,
                _ => runs.push(Run { first: k, done, end: k + 1 }),
            }
        }
        bar.skip(there);
        let saved = AtomicU64::new(there);
        let ended = thread::scope(|scope| {
            // Without room in between: one stretch is written, the next one runs, and no third waits in memory.
            let (sender, receiver) = sync_channel(0);
            let writer = scope.spawn(|| self.save_all(receiver, &saved));
            let mut runner = Runner::new(self, interruption, save_every, sender, &bar);
            let ran = runs.iter().try_for_each(|run| runner.run(run, device));
            drop(runner);
            let wrote = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            // A writer that has failed ends the running too.
            wrote.and(ran)
        });
        bar.finish();
        ended.map_err(|failure| {
            let (saved, all) = (count(saved.into_inner()), count(self.plan.problems()));
            let message =
                format!("{} ({saved} of {all} problems are saved; --resume goes on from there)", failure.message);
            Failure { message, ..failure }
        })
    }

    /// The problems of an unfinished part that are saved.
    fn saved_of(&self, k: usize, part: &Part) -> u64 {
        let (_, end) = self.folder.stretches(k);
        if end <= part.len() { end } else { 0 }
    }

    fn save_all(&self, stretches: Receiver<Stretch>, saved: &AtomicU64) -> Result<(), Failure> {
        for stretch in stretches {
            self.save(&stretch)?;
            saved.fetch_add(stretch.problems, Ordering::Relaxed);
        }
        Ok(())
    }

    fn save(&self, stretch: &Stretch) -> Result<(), Failure> {
        let &Stretch { part, from, ref outcome, ends, .. } = stretch;
        if ends && from == 0 {
            self.write(outcome, |ending| self.folder.part(part, ending))?;
            return self.folder.remove_stretches(part);
        }
        if !outcome.is_empty() {
            self.write(outcome, |ending| self.folder.stretch(part, from, ending))?;
        }
        if ends { self.assemble(part) } else { Ok(()) }
    }

    /// Writes the files of some problems, the Parquet file last: with it they count.
    fn write(&self, outcome: &Outcome, file: impl Fn(&str) -> PathBuf) -> Result<(), Failure> {
        for &form in &self.plan.output.formats {
            write(&file(form.extension()), |writer| form.write(outcome, writer))?;
        }
        if self.plan.output.curves {
            write(&file(CURVES), |writer| report::write_curves(self.job, outcome, writer))?;
        }
        if self.job.history().is_kept() {
            for &form in &self.plan.output.formats {
                write(&file(&of_history(form)), |writer| form.write_history(outcome, writer))?;
            }
            report::write_history_parquet(outcome, &file(HISTORY))?;
        }
        report::write_parquet(outcome, &file("parquet"))?;
        Ok(())
    }

    /// Makes a part of its stretches, the same that it would be without them.
    fn assemble(&self, part: usize) -> Result<(), Failure> {
        let (begin, _) = self.folder.stretches(part);
        let files = |ending: &str| -> Vec<PathBuf> {
            begin.iter().map(|&from| self.folder.stretch(part, from, ending)).collect()
        };
        self.join_texts(&files, |ending| self.folder.part(part, ending))?;
        if self.job.history().is_kept() {
            report::recut::assemble(&files(HISTORY), &self.folder.part(part, HISTORY))?;
        }
        report::recut::assemble(&files("parquet"), &self.folder.part(part, "parquet"))?;
        self.folder.remove_stretches(part)
    }

    /// Puts the parts together, the Parquet file last: with it the results count.
    pub(super) fn merge(&self) -> Result<(), Failure> {
        let files = |ending: &str| -> Vec<PathBuf> {
            (0..self.plan.parts().len()).map(|part| self.folder.part(part, ending)).collect()
        };
        self.join_texts(&files, |ending| self.folder.of_ending(ending))?;
        if self.job.history().is_kept() {
            report::parts::merge(&files(HISTORY), &self.folder.history_as("parquet"))?;
        }
        report::parts::merge(&files("parquet"), &self.folder.results())?;
        Ok(())
    }

    /// Joins every kind of text file that is asked for.
    fn join_texts(
        &self,
        files: &impl Fn(&str) -> Vec<PathBuf>,
        target: impl Fn(&str) -> PathBuf,
    ) -> Result<(), Failure> {
        for ending in text_endings(&self.plan.output, self.job.history().is_kept()) {
            join(&files(&ending), &target(&ending))?;
        }
        Ok(())
    }
}

/// How the names of the text files that are asked for end.
pub(super) fn text_endings(output: &OutputRequest, history: bool) -> Vec<String> {
    let forms = output.formats.iter().map(|form| form.extension().to_owned());
    let curves = output.curves.then(|| CURVES.to_owned());
    let histories = output.formats.iter().filter(|_| history).map(|&form| of_history(form));
    forms.chain(curves).chain(histories).collect()
}

/// How the names of a part's history end in a form of text.
fn of_history(form: TextForm) -> String {
    format!("history.{}", form.extension())
}

fn write(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), ReportError> {
    report::write_whole(path, |writer| write(writer).map_err(|source| ReportError::write(path, source)))
}

/// One text file after the other, of CSV files the header of the first one only.
pub(super) fn join(files: &[PathBuf], target: &Path) -> Result<(), ReportError> {
    let is_csv = target.extension().is_some_and(|ending| ending == "csv");
    write(target, |mut writer| {
        for (k, path) in files.iter().enumerate() {
            let mut file = File::open(path)?;
            if k > 0 && is_csv {
                let header = header(&file)?;
                file.seek(SeekFrom::Start(header))?;
            }
            io::copy(&mut file, &mut writer)?;
        }
        Ok(())
    })
}

/// Bytes of the header of a CSV file. A name in it may hold a line break.
fn header(file: &File) -> io::Result<u64> {
    let mut reader = csv::Reader::from_reader(file);
    reader.byte_headers()?;
    Ok(reader.position().byte())
}
