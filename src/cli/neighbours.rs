//! Shards that share a folder: which are there, and whether they belong together.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde_json::Value;

use super::failure::Failure;
use super::folder::{Existing, Folder, PLAN, differences};
use super::plan::Plan;
use super::shard::Shard;

/// The shards that have a plan in this folder, in order; none where there is no folder.
pub(super) fn shards_in(path: &Path) -> Result<Vec<Shard>, Failure> {
    let failed = |error: &std::io::Error| Failure::request(format!("cannot look into {}: {error}", path.display()));
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(&error)),
    };
    let mut shards = Vec::new();
    for entry in entries {
        let name = entry.map_err(|error| failed(&error))?.file_name();
        shards.extend(name.to_str().and_then(|name| Shard::of_name(name, PLAN)));
    }
    shards.sort_unstable();
    Ok(shards)
}

/// Refuses a folder in which results of another kind are: those of a whole sweep beside shards, or of other numbers of shards.
pub(super) fn check(folder: &Folder, existing: Existing) -> Result<(), Failure> {
    let shown = folder.path().display();
    let shards = shards_in(folder.path())?;
    match (folder.shard(), shards.first()) {
        (None, Some(other)) => Err(Failure::request(format!(
            "--out {shown} holds shards of a sweep ({}); choose another folder, or put them together with natgrad merge",
            other.name(PLAN)
        ))),
        (Some(shard), _) => {
            if let Some(other) = shards.iter().find(|other| other.of != shard.of) {
                return Err(Failure::request(format!(
                    "--out {shown} holds shard {other}, which does not go with {shard}; choose another folder, or remove it"
                )));
            }
            if existing != Existing::Resume && folder.path().join(PLAN).exists() {
                return Err(Failure::request(format!(
                    "--out {shown} holds the results of a whole sweep; choose another folder for shards, or remove them"
                )));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Refuses to run a shard by another plan than those beside it: they would not go together in the end.
pub(super) fn check_plan(folder: &Folder, plan: &Plan) -> Result<(), Failure> {
    let Some(shard) = folder.shard() else { return Ok(()) };
    let shards = shards_in(folder.path())?;
    let Some(other) = shards.into_iter().find(|&other| other != shard) else { return Ok(()) };
    let path = folder.path().join(other.name(PLAN));
    // One that cannot be read is the concern of those who put shards together.
    let Some(before) = fs::read_to_string(&path).ok().and_then(|text| serde_json::from_str::<Value>(&text).ok()) else {
        return Ok(());
    };
    let differences = between_shards(&before, &serde_json::to_value(plan).unwrap_or_default());
    if differences.is_empty() {
        return Ok(());
    }
    Err(Failure::request(format!(
        "shard {shard} does not go with the one beside it: by {} {}; run it as that one, or choose another folder",
        path.display(),
        differences.join(", ")
    )))
}

/// What differs between the plans of two shards, but for which they are.
pub(super) fn between_shards(one: &Value, other: &Value) -> Vec<String> {
    let [one, other] = [one, other].map(|plan| {
        let mut plan = plan.clone();
        if let Some(keys) = plan.as_object_mut() {
            keys.remove("shard");
        }
        plan
    });
    differences(&one, &other)
}
