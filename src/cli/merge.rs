//! `natgrad merge`: the shards of a sweep as the whole.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::failure::Failure;
use super::folder::{Existing, Folder, PLAN};
use super::plan::{Plan, ShardPlan};
use super::shard::Shard;
use super::spec::read_file;
use super::{checks, conclude, neighbours, output, parts};
use crate::ngd::Status;
use crate::report::recut::{Piece, recut};
use crate::report::{self, ReportError};

/// Put the shards of a sweep together, when they are whole.
#[derive(Debug, Args)]
#[command(
    after_help = "The shards have to be of one plan, each finished, and every problem of the sweep in one of them. \
                        The results are those of the sweep without shards, to the byte. The shards stay as they are."
)]
pub(super) struct Arguments {
    /// The folder that holds the shards, or the folders where there are several
    #[arg(value_name = "DIR", required = true)]
    folders: Vec<PathBuf>,
    /// The folder for the whole [default: the folder of the shards, where they are in one]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Replace the results of a whole sweep that the folder already holds
    #[arg(long)]
    force: bool,
}

/// Runs `natgrad merge`.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let out = match (&arguments.out, arguments.folders.as_slice()) {
        (Some(out), _) => out,
        (None, [one]) => one,
        (None, several) => {
            let problem =
                format!("the shards are in {} folders: say with --out where the whole is to go", several.len());
            return Err(Failure::request(problem));
        }
    };
    let shards = find(&arguments.folders)?;
    check(&shards)?;
    let existing = if arguments.force { Existing::Replace } else { Existing::Keep };
    let whole = Folder::open(out, None, existing, false)?;
    let first = &shards[0];
    let (request, spec) = read_file(&first.folder.spec())?;
    let rules = request.rules(first.part.averaged)?;

    fs::create_dir_all(out).map_err(|error| ReportError::write(out, error))?;
    whole.clear()?;
    let files = |of: &dyn Fn(&Folder) -> PathBuf| -> Vec<PathBuf> { shards.iter().map(|s| of(&s.folder)).collect() };
    for ending in parts::text_endings(&first.plan.output, request.history.is_kept()) {
        parts::join(&files(&|folder| folder.of_ending(&ending)), &whole.of_ending(&ending))?;
    }
    let starts: Vec<u64> = shards.iter().flat_map(|shard| shard.part.parts.iter().copied()).collect();
    let put_together = |of: &dyn Fn(&Folder) -> PathBuf| {
        let piece = |shard: &Found| Piece { path: of(&shard.folder), problems: shard.part.from..shard.part.to };
        recut(&shards.iter().map(piece).collect::<Vec<Piece>>(), &starts, &of(&whole))
    };
    if request.history.is_kept() {
        put_together(&|folder| folder.history_as("parquet"))?;
    }
    put_together(&Folder::results)?;
    whole.write(&whole.spec(), spec.as_bytes())?;
    let parameters = request.model.parameters().len();
    let summary = conclude::whole(&whole, parameters, &rules, request.history)?;
    whole.write_plan(&first.plan.of_whole())?;

    output::results(|writer| {
        use std::io::Write;
        summary.write_table(&mut *writer)?;
        writeln!(writer, "\nresults: {}", whole.results().display())
    })?;
    Ok(checks::require_converged(&request, summary.count(Status::Converged), summary.problems))
}

/// A shard that was found.
struct Found {
    folder: Folder,
    shard: Shard,
    plan: Plan,
    part: ShardPlan,
    /// The plan as it stands in its file.
    value: Value,
}

impl Found {
    fn read(path: &Path, shard: Shard) -> Result<Self, Failure> {
        let folder = Folder::open(path, Some(shard), Existing::Resume, true)?;
        let file = folder.plan();
        let wrong = |problem: String| {
            let shown = file.display();
            Failure::request(format!("{shown}: {problem}; run shard {shard} again with --force"))
        };
        let text = fs::read_to_string(&file).map_err(|error| wrong(error.to_string()))?;
        let value: Value = serde_json::from_str(&text).map_err(|error| wrong(format!("it is no plan ({error})")))?;
        let plan: Plan = serde_json::from_str(&text).map_err(|error| wrong(format!("it is no plan ({error})")))?;
        let part = plan.shard.clone().ok_or_else(|| wrong("it is no plan of a shard".to_owned()))?;
        if (part.index, part.of) != (shard.index, shard.of) {
            return Err(wrong(format!("it is of shard {}/{}", part.index, part.of)));
        }
        Ok(Self { folder, shard, plan, part, value })
    }

    fn file(&self) -> String {
        self.folder.plan().display().to_string()
    }
}

/// All shards in these folders, by their number.
fn find(folders: &[PathBuf]) -> Result<Vec<Found>, Failure> {
    let mut seen = Vec::new();
    let mut found: Vec<Found> = Vec::new();
    for path in folders {
        let shown = path.display();
        let real = path
            .canonicalize()
            .map_err(|error| Failure::request(format!("cannot look into {shown}: {error}; check the path")))?;
        // A folder named twice holds its shards once.
        if seen.contains(&real) {
            continue;
        }
        seen.push(real);
        let shards = neighbours::shards_in(path)?;
        if shards.is_empty() {
            let wanted = Shard { index: 1, of: 3 }.name(PLAN);
            return Err(Failure::request(format!(
                "{shown} holds no shards (a file such as {wanted}); name folders given to natgrad sweep --shard"
            )));
        }
        for shard in shards {
            found.push(Found::read(path, shard)?);
        }
    }
    found.sort_by_key(|found| found.shard);
    Ok(found)
}

/// Refuses shards that are not the whole of one sweep, once.
fn check(shards: &[Found]) -> Result<(), Failure> {
    let refused = |problem: String| Err(Failure::request(problem));
    let Some(first) = shards.first() else { return refused("there are no shards to put together".to_owned()) };
    let of = first.shard.of;
    if let Some(other) = shards.iter().find(|other| other.shard.of != of) {
        let (one, other) = (first.file(), other.file());
        return refused(format!("{one} and {other} are of sweeps cut differently; name the folders of one of them"));
    }
    if let Some(pair) = shards.windows(2).find(|pair| pair[0].shard == pair[1].shard) {
        let (shard, one, other) = (pair[0].shard, pair[0].file(), pair[1].file());
        return refused(format!("shard {shard} is there twice, as {one} and {other}; leave one of them out"));
    }
    for other in &shards[1..] {
        let differences = neighbours::between_shards(&first.value, &other.value);
        if !differences.is_empty() {
            let (one, other, differences) = (first.file(), other.file(), differences.join(", "));
            return refused(format!(
                "{one} and {other} are not of one plan: by the first {differences}; run the shards by one plan"
            ));
        }
    }
    let missing = (1..=of).filter(|&index| shards.binary_search_by_key(&index, |s| s.shard.index).is_err());
    if let Some(told) = told(missing, of) {
        return refused(format!("{told} missing; run them with --shard, or name their folders too"));
    }
    let unfinished = shards.iter().filter(|s| report::parts::row_count(&s.folder.results()).ok() != Some(s.part.rows));
    if let Some(told) = told(unfinished.map(|shard| shard.shard.index), of) {
        return refused(format!("{told} not finished; go on with --resume"));
    }
    let mut next = 0;
    for shard in shards {
        let (from, file) = (shard.part.from, shard.file());
        if from != next || shard.part.to < from {
            let how = if from < next { "overlaps with" } else { "leaves a gap to" };
            return refused(format!(
                "{file} begins at problem {from}, which {how} the shard before, that ends at {next}"
            ));
        }
        next = shard.part.to;
    }
    let all = first.plan.all_problems();
    if next != all {
        return refused(format!("the shards end at problem {next} and the sweep has {all}; run them by one plan"));
    }
    Ok(())
}

/// `shard 3 of 9 is`, `shards 3, 4 and 7 of 9 are`, or `shards 1, 2, 3, 4, 5 and 2 more of 9 are`; `None` of none.
fn told(shards: impl Iterator<Item = u64>, of: u64) -> Option<String> {
    const NAMED: usize = 5;
    let all: Vec<String> = shards.map(|index| index.to_string()).collect();
    match all.as_slice() {
        [] => None,
        [one] => Some(format!("shard {one} of {of} is")),
        [some @ .., last] if all.len() <= NAMED => Some(format!("shards {} and {last} of {of} are", some.join(", "))),
        many => Some(format!("shards {} and {} more of {of} are", many[..NAMED].join(", "), many.len() - NAMED)),
    }
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn missing_shards_are_named_and_many_are_counted() {
        let told = |shards: &[u64]| told(shards.iter().copied(), 9);
        assert_eq!(told(&[]), None);
        assert_eq!(told(&[3]).unwrap(), "shard 3 of 9 is");
        assert_eq!(told(&[3, 4, 7]).unwrap(), "shards 3, 4 and 7 of 9 are");
        assert_eq!(told(&[1, 2, 3, 4, 5, 6, 7]).unwrap(), "shards 1, 2, 3, 4, 5 and 2 more of 9 are");
    }
}
