//! Parts of a sweep whose device fails, whose user loses patience, or whose disk does not take them.

use std::cell::Cell;
use std::fs;
use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::failure::Failure;
use super::folder::{Existing, Folder};
use super::interruption::Interruption;
use super::lasting::tests::Frail;
use super::lasting::{Lasting, Solver};
use super::parts::Parts;
use super::plan::{Plan, tests::job};
use super::spec::{Keep, OutputRequest, TextForm};
use crate::engine::{Choice, Engine, PlanInfo, Sink};
use crate::error::Error;
use crate::sweep::{Job, Outcome};

/// The CPU with chunks of 4 problems, which has the user press Ctrl-C after so many of them.
struct Patience<'a> {
    frail: Frail<'a>,
    chunks: &'a Cell<usize>,
    flag: Arc<AtomicBool>,
}

impl Solver for Patience<'_> {
    fn solve(&self, job: &Job, range: Range<u64>, sink: &mut dyn Sink) -> Result<(), Error> {
        self.frail.solve(job, range, &mut Watched { sink, patience: self })
    }

    fn plan(&self, job: &Job) -> PlanInfo {
        self.frail.plan(job)
    }
}

/// A sink at which somebody waits.
struct Watched<'a, 'p> {
    sink: &'a mut dyn Sink,
    patience: &'a Patience<'p>,
}

impl Sink for Watched<'_, '_> {
    fn outcome(&mut self) -> &mut Outcome {
        self.sink.outcome()
    }

    fn landed(&mut self, problems: u64) -> ControlFlow<()> {
        let Patience { chunks, flag, .. } = self.patience;
        chunks.set(chunks.get().saturating_sub(1));
        if chunks.get() == 0 {
            flag.store(true, Ordering::SeqCst);
        }
        self.sink.landed(problems)
    }

    fn cut_after(&self, problem: u64) -> u64 {
        self.sink.cut_after(problem)
    }

    fn held(&self, problems: u64) -> u64 {
        self.sink.held(problems)
    }
}

/// How a run is disturbed: the chunks after which the device is lost, how often it is then, and those after which the user has
/// had enough.
#[derive(Clone, Copy)]
struct Trouble {
    until: usize,
    losses: usize,
    patience: usize,
}

const NONE: Trouble = Trouble { until: 1000, losses: 0, patience: 1000 };

/// Runs 60 problems in parts of 25, or what is left of them, with every chunk saved. Returns the chunks that were run.
fn run(path: &Path, keep: Keep, trouble: Trouble) -> (usize, Result<(), Failure>) {
    let job = job(10, 3);
    let (until, losses, chunks) = (Cell::new(trouble.until), Cell::new(trouble.losses), Cell::new(trouble.patience));
    let flag = Arc::new(AtomicBool::new(false));
    let open = || Patience { frail: Frail::open(&until, &losses, "A"), chunks: &chunks, flag: Arc::clone(&flag) };
    let engine = Engine::open(Choice::Cpu).unwrap();
    let nothing = engine.run_job(&job, 0..0, &mut |_| ControlFlow::Continue(())).unwrap();
    let output = OutputRequest { keep, formats: vec![TextForm::Csv], curves: true, ..OutputRequest::default() };
    let plan = Plan::new(engine.plan(&job), &job, output, Some(25), None);
    let folder = Folder::open(path, None, Existing::Resume, true).unwrap();
    if folder.is_begun() {
        folder.check_resumable(&plan).and_then(|()| folder.go_on()).unwrap();
    } else {
        folder.begin(&plan, "").unwrap();
    }
    let parts = Parts { job: &job, plan: &plan, folder: &folder, nothing: &nothing };
    let mut device = Lasting::new(open(), || Ok(open())).at_once();
    let ended = parts.run(&mut device, &Interruption::of(Arc::clone(&flag)), Duration::ZERO);
    let ran = trouble.patience - chunks.get();
    (ran, ended.and_then(|()| parts.merge()))
}

fn results(path: &Path) -> [Vec<u8>; 3] {
    ["results.parquet", "results.csv", "curves.csv"].map(|name| fs::read(path.join(name)).unwrap())
}

/// The results of a run without trouble, and its chunks.
fn undisturbed(keep: Keep) -> ([Vec<u8>; 3], usize) {
    let folder = tempfile::tempdir().unwrap();
    let (chunks, ended) = run(folder.path(), keep, NONE);
    ended.unwrap();
    (results(folder.path()), chunks)
}

#[test]
fn an_interrupted_run_repeats_no_chunk_that_it_ran() {
    let (whole, chunks) = undisturbed(Keep::All);
    // Parts of 25, 25 and 10 in chunks of 4.
    assert_eq!(chunks, 7 + 7 + 3);
    for patience in 1..=chunks {
        let folder = tempfile::tempdir().unwrap();
        let (ran, ended) = run(folder.path(), Keep::All, Trouble { patience, ..NONE });
        // After the last chunk nothing is left to interrupt.
        if patience < chunks {
            let failure = ended.unwrap_err();
            assert_eq!(failure.code, Failure::INTERRUPTED);
            assert!(!failure.message.contains("(0 of 60") && failure.message.contains("of 60 problems are saved"));
        } else {
            ended.unwrap();
        }
        let (rest, ended) = run(folder.path(), Keep::All, NONE);
        ended.unwrap();
        assert_eq!((ran, ran + rest), (patience, chunks));
        assert_eq!(results(folder.path()), whole, "after {patience} chunks");
    }
}

#[test]
fn where_the_best_are_kept_an_interrupted_run_repeats_no_part() {
    let (whole, chunks) = undisturbed(Keep::Best);
    for patience in 1..chunks {
        let folder = tempfile::tempdir().unwrap();
        let (ran, ended) = run(folder.path(), Keep::Best, Trouble { patience, ..NONE });
        ended.unwrap_err();
        let (rest, ended) = run(folder.path(), Keep::Best, NONE);
        ended.unwrap();
        // A part is a data set of 20 problems.
        assert!(ran == patience && ran + rest < chunks + 20usize.div_ceil(4));
        assert_eq!(results(folder.path()), whole, "after {patience} chunks");
    }
}

#[test]
fn a_lost_device_costs_nothing_and_one_that_is_given_up_no_more_than_its_chunk() {
    for keep in [Keep::All, Keep::Best] {
        let (whole, chunks) = undisturbed(keep);
        for until in (0..chunks).step_by(4) {
            for losses in [1, 2, 3] {
                let folder = tempfile::tempdir().unwrap();
                let (ran, ended) = run(folder.path(), keep, Trouble { until, losses, ..NONE });
                if losses < 3 {
                    ended.unwrap();
                    assert_eq!(ran, chunks);
                } else {
                    let failure = ended.unwrap_err();
                    assert_eq!(failure.code, Failure::DEVICE);
                    let told = ["the device was lost", "of 60 problems are saved; --resume goes on from there"];
                    assert!(told.iter().all(|words| failure.message.contains(words)), "{}", failure.message);
                    let (rest, ended) = run(folder.path(), keep, NONE);
                    ended.unwrap();
                    if keep == Keep::All {
                        assert_eq!(ran + rest, chunks);
                    }
                }
                assert_eq!(results(folder.path()), whole, "lost {losses} times after {until} chunks");
            }
        }
    }
}

#[test]
fn what_the_disk_does_not_take_ends_the_run_and_what_is_saved_stays() {
    let (whole, _) = undisturbed(Keep::All);
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), Keep::All, Trouble { patience: 1, ..NONE }).1.unwrap_err();
    // A folder under the name of the second part's file, which is made of 7 chunks.
    let obstacle = folder.path().join("parts/part-00000001.parquet");
    fs::create_dir_all(obstacle.join("held")).unwrap();
    let (_, ended) = run(folder.path(), Keep::All, NONE);
    let message = ended.unwrap_err().message;
    assert!(message.contains("part-00000001.parquet") && message.contains("saved; --resume"), "{message}");
    assert!(folder.path().join("parts/part-00000000.parquet").is_file());
    fs::remove_dir_all(&obstacle).unwrap();
    let (chunks, ended) = run(folder.path(), Keep::All, NONE);
    ended.unwrap();
    // What the third part is made of.
    assert_eq!(chunks, 3);
    assert_eq!(results(folder.path()), whole);
}
