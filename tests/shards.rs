//! Shards of a sweep are the sweep: run side by side, read as one data set, and put together to the same bytes.

use std::fs;

use common::program::{Place, Run, rows};

mod common;

/// 7 data sets of 10 starts and 2 step rules each: 140 problems, in parts of 30.
const SPEC: &str = r#"[model]
expression = "a*exp(-k*x)"
parameters = ["a", "k"]
[data]
file = "cells.csv"
group = "cell"
[start]
random = { ranges = { a = [1, 20], k = [0.01, 2] }, seeds = { count = 10 } }
[[step]]
size = [0.5, 1]
[stop]
steps = 9
[history]
every = 3
parameters = true
[output]
formats = ["csv", "jsonl"]
curves = true
[run]
part = 30
"#;

fn place() -> Place {
    let place = Place::new();
    let mut text = "cell,x,y\n".to_owned();
    for cell in 0..7 {
        for i in 0..6 + cell % 3 {
            text += &format!("\"c\n{cell}\",{i},{}\n", (9.0 + f64::from(cell)) * (-0.3 * f64::from(i)).exp());
        }
    }
    place.write("cells.csv", &text);
    place.write("sweep.toml", SPEC);
    place
}

/// Runs all shards of a sweep at the same time, into one folder or each into its own.
fn shards(place: &Place, of: usize, folder: impl Fn(usize) -> String, device: &str) {
    let children: Vec<_> = (1..=of)
        .map(|index| {
            let (shard, folder) = (format!("{index}/{of}"), folder(index));
            let arguments = ["sweep", "sweep.toml", "--out", &folder, "--shard", &shard, "--device", device];
            let mut command = place.command(&arguments);
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for child in children {
        let run = Run::of(child.wait_with_output().unwrap());
        assert_eq!(run.code, 0, "{}", run.stderr);
    }
}

fn shard(place: &Place, folder: &str, shard: &str, more: &[&str]) -> Run {
    place.run(&[&["sweep", "sweep.toml", "--out", folder, "--shard", shard], more].concat())
}

fn assert_is_whole(place: &Place, whole: &str, merged: &str) {
    for name in place.names(whole) {
        let [a, b] = [whole, merged].map(|folder| place.read(&format!("{folder}/{name}")));
        assert!(a == b, "{whole}/{name} and {merged}/{name} differ");
    }
}

#[test]
fn shards_put_together_are_the_whole_to_the_byte() {
    let place = place();
    place.run(&["sweep", "sweep.toml", "--out", "whole"]).good();
    shards(&place, 3, |_| "run".to_owned(), "cpu");
    let names = place.names("run");
    for name in ["results.parquet", "results.csv", "history.parquet", "plan.json", "spec.toml", "summary.json"] {
        let (stem, ending) = name.split_once('.').unwrap();
        for index in 1..=3 {
            assert!(names.contains(&format!("{stem}-000{index}-of-0003.{ending}")), "{names:?}");
        }
    }
    // Three of each of ten kinds, and nothing else.
    assert_eq!(names.len(), 3 * 10, "{names:?}");
    let mut together = Vec::new();
    for index in 1..=3 {
        let rows = rows(&place.path(&format!("run/results-000{index}-of-0003.parquet")));
        assert!((46..=47).contains(&rows.len()));
        together.extend(rows);
    }
    assert_eq!(together, rows(&place.path("whole/results.parquet")));

    let run = place.run(&["merge", "run"]).good();
    assert!(run.stdout.contains("results: run/results.parquet"), "{}", run.stdout);
    assert_is_whole(&place, "whole", "run");
    place.run(&["merge", "run"]).refused(2, &["run already holds results", "--force"]);
    place.run(&["merge", "run", "--force"]).good();
    // In folders of their own, named in any order, one of them twice.
    shards(&place, 4, |index| format!("own{index}"), "cpu");
    place.run(&["merge", "own3", "own1", "own4", "own2", "own1", "--out", "put/together"]).good();
    assert_is_whole(&place, "whole", "put/together");
    assert_eq!(place.names("whole"), place.names("put/together"));
}

#[test]
fn where_the_best_are_kept_no_data_set_is_cut() {
    let place = place();
    place.write("sweep.toml", &SPEC.replace("[output]", "[output]\nkeep = \"best\""));
    place.run(&["sweep", "sweep.toml", "--out", "whole"]).good();
    shards(&place, 3, |_| "run".to_owned(), "cpu");
    place.run(&["merge", "run", "--out", "merged"]).good();
    assert_is_whole(&place, "whole", "merged");
    assert_eq!(rows(&place.path("merged/results.parquet")).len(), 14);
}

#[test]
fn more_shards_than_problems_are_empty_ones_and_the_whole_all_the_same() {
    let place = place();
    place.write(
        "sweep.toml",
        &SPEC.replace("count = 10", "count = 1").replace("[output]", "[loss]\nreduction = \"sum\"\n[output]"),
    );
    place.run(&["sweep", "sweep.toml", "--out", "whole"]).good();
    shards(&place, 16, |_| "run".to_owned(), "cpu");
    assert_eq!(rows(&place.path("run/results-0001-of-0016.parquet")).len(), 0);
    place.run(&["merge", "run", "--out", "merged"]).good();
    assert_is_whole(&place, "whole", "merged");
}

/// Step sizes of gradient descent on a mean are converted by the number of points, which `merge` knows without the data.
#[test]
fn shards_are_put_together_without_the_data() {
    let place = place();
    let data: String = (0..8).map(|i| format!("c{},{},{}\n", i / 4, i % 4, 1 + i)).collect();
    place.write("cells.csv", &format!("cell,x,y\n{data}"));
    place.write(
        "sweep.toml",
        &SPEC.replace("size = [0.5, 1]", "method = \"gd\"\nsize = [1e-4, 0.01]\n[loss]\nreduction = \"mean\""),
    );
    let run = place.run(&["sweep", "sweep.toml", "--out", "whole"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    shards(&place, 2, |_| "run".to_owned(), "cpu");
    fs::remove_file(place.path("cells.csv")).unwrap();
    place.run(&["merge", "run"]).good();
    assert_is_whole(&place, "whole", "run");
}

#[test]
fn what_is_not_the_whole_of_one_sweep_is_refused_and_what_is_missing_is_named() {
    let place = place();
    shards(&place, 3, |index| format!("s{index}"), "cpu");
    let merge = |folders: &[&str]| place.run(&[&["merge"], folders, &["--out", "merged"]].concat());
    merge(&["s1", "s3"]).refused(2, &["shard 2 of 3 is missing", "--shard"]);
    merge(&["s2"]).refused(2, &["shards 1 and 3 of 3 are missing"]);
    merge(&["s1", "s2", "nowhere"]).refused(2, &["nowhere", "check the path"]);
    place.write("empty/notes.txt", "");
    merge(&["s1", "s2", "s3", "empty"]).refused(2, &["empty holds no shards", "--shard"]);
    place.run(&["merge", "s1", "s2", "s3"]).refused(2, &["3 folders", "--out"]);

    shard(&place, "twice", "2/3", &[]).good();
    merge(&["s1", "s2", "s3", "twice"]).refused(2, &["shard 2/3 is there twice", "s2/plan", "twice/plan"]);
    shard(&place, "others", "1/4", &[]).good();
    merge(&["s1", "s2", "s3", "others"]).refused(2, &["cut differently", "others/plan-0001-of-0004.json"]);

    place.write("sweep.toml", &SPEC.replace("steps = 9", "steps = 8"));
    shard(&place, "other", "2/3", &[]).good();
    merge(&["s1", "other", "s3"]).refused(2, &["not of one plan", "the data or the spec were others"]);
    place.write("sweep.toml", &SPEC.replace("part = 30", "part = 31"));
    shard(&place, "cut", "2/3", &[]).good();
    merge(&["s1", "cut", "s3"]).refused(2, &["not of one plan", "part_size was 30 and is 31"]);

    // Unfinished, or not as long as its plan says.
    fs::copy(place.path("s1/results-0001-of-0003.parquet"), place.path("s2/results-0002-of-0003.parquet")).unwrap();
    merge(&["s1", "s2", "s3"]).refused(2, &["shard 2 of 3 is not finished", "--resume"]);
    fs::remove_file(place.path("s3/results-0003-of-0003.parquet")).unwrap();
    merge(&["s1", "s2", "s3"]).refused(2, &["shards 2 and 3 of 3 are not finished"]);
    // Rows of another shard under its name.
    place.write("sweep.toml", &SPEC.replace("count = 10", "count = 6"));
    shards(&place, 3, |index| format!("t{index}"), "cpu");
    fs::copy(place.path("t1/results-0001-of-0003.parquet"), place.path("t2/results-0002-of-0003.parquet")).unwrap();
    merge(&["t1", "t2", "t3"]).refused(2, &["t2/results-0002-of-0003.parquet", "problem 0 is none of 28 to 56"]);
    // A plan whose problems overlap with those of the shard before.
    let plan = String::from_utf8(place.read("t3/plan-0003-of-0003.json")).unwrap();
    assert!(plan.contains("\"from\": 56"));
    place.write("t3/plan-0003-of-0003.json", &plan.replace("\"from\": 56", "\"from\": 50"));
    merge(&["t1", "t2", "t3"]).refused(2, &["begins at problem 50", "overlaps", "ends at 56"]);
    place.write("t3/plan-0003-of-0003.json", &plan.replace("\"from\": 56", "\"from\": 60"));
    merge(&["t1", "t2", "t3"]).refused(2, &["begins at problem 60", "gap", "ends at 56"]);
    assert!(!place.path("merged/results.parquet").exists());
}

#[test]
fn a_folder_holds_the_shards_of_one_sweep_and_each_is_kept_replaced_or_gone_on_with() {
    let place = place();
    shard(&place, "run", "1/3", &[]).good();
    shard(&place, "run", "1/3", &[]).refused(2, &["already holds results of shard 1/3", "--force", "--resume"]);
    let before = place.read("run/results-0001-of-0003.parquet");
    shard(&place, "run", "1/3", &["--resume"]).good();
    shard(&place, "run", "1/3", &["--force"]).good();
    assert_eq!(place.read("run/results-0001-of-0003.parquet"), before);
    shard(&place, "run", "1/4", &[]).refused(2, &["holds shard 1/3", "choose another folder"]);
    place.run(&["sweep", "sweep.toml", "--out", "run", "--force"]).refused(2, &["holds shards", "natgrad merge"]);
    shard(&place, "run", "4/3", &[]).refused(2, &["--shard", "4/3", "as in 2/16"]);
    // What another shard is writing is left alone.
    place.write("run/.results-0002-of-0003.parquet.unfinished", "half");
    shard(&place, "run", "1/3", &["--force"]).good();
    assert!(place.path("run/.results-0002-of-0003.parquet.unfinished").exists());
    shard(&place, "run", "2/3", &[]).good();
    assert!(!place.path("run/.results-0002-of-0003.parquet.unfinished").exists());

    place.write("sweep.toml", &SPEC.replace("steps = 9", "steps = 8"));
    shard(&place, "run", "3/3", &[])
        .refused(2, &["does not go with the one beside it", "plan-0001-of-0003.json", "the data or the spec"]);
    shard(&place, "run", "1/3", &["--resume"]).refused(2, &["the data or the spec were others"]);
    place.run(&["sweep", "sweep.toml", "--out", "whole"]).good();
    shard(&place, "whole", "1/3", &[]).refused(2, &["holds the results of a whole sweep"]);
}

#[test]
fn so_it_is_on_every_adapter() {
    for engine in common::gpu_engines() {
        let device = engine.device().unwrap().summary().index.to_string();
        let place = place();
        let run = place.run(&["sweep", "sweep.toml", "--out", "whole", "--device", &device]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        shards(&place, 2, |_| "run".to_owned(), &device);
        let run = place.run(&["merge", "run"]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert_is_whole(&place, "whole", "run");
        let run = place.run(&["plan", "sweep.toml", "--device", &device, "--format", "json"]);
        let plan = &run.json_of_all();
        assert_eq!((run.code, plan["problems"].as_u64()), (0, Some(140)), "{}", run.stderr);
        assert!(plan["device_bytes"].as_u64() > Some(0) && plan["dispatches"].as_u64() > Some(0), "{plan}");
    }
}

#[test]
fn a_plan_tells_sizes_and_time_and_writes_nothing() {
    let place = place();
    let before = place.names(".");
    let run = place.run(&["plan", "sweep.toml"]).good();
    for words in ["140 (2 step rules)", "7 (48 points)", "5 of up to 30 problems", "estimate"] {
        assert!(run.stdout.contains(words), "{}", run.stdout);
    }
    let plan = place.run(&["plan", "sweep.toml", "--shard", "2/3", "--format", "json"]).good().json_of_all();
    // Problems 46 to 92 meet the parts from 30, 60 and 90 on.
    assert_eq!((plan["problems"].as_u64(), plan["parts"].as_u64()), (Some(47), Some(3)));
    assert!(plan["host_bytes"].as_u64().unwrap() > 0 && plan["estimated_seconds"].as_f64().unwrap() >= 0.0);
    assert!(plan["calibration"]["problems"].as_u64().unwrap() <= 47);
    assert_eq!(place.names("."), before);
    place.write("sweep.toml", &SPEC.replace("size =", "siez ="));
    place.run(&["plan", "sweep.toml"]).refused(2, &["\"siez\""]);
    let run = place.run(&["plan", "sweep.toml", "--device", "no such adapter"]);
    assert_eq!(run.code, 2);
    place.write("sweep.toml", SPEC);
    let run = place.run(&["plan", "sweep.toml", "--device", "no such adapter"]);
    assert_eq!((run.code, run.stderr.lines().count()), (3, 1), "{}", run.stderr);
}
