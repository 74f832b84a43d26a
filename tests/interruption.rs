//! A sweep that is cut off, however and whenever, and gone on with, ends with the bytes of one that was not.

#![cfg(unix)]

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::program::{Place, Run};

mod common;

/// 3,600 problems of 12 data sets in parts of 500, with everything that a sweep may write. Each chunk is saved; those of the
/// CPU are of 2,048 problems.
const SPEC: &str = r#"[model]
expression = "a*exp(-k*x) + c"
parameters = ["a", "k", "c"]
[data]
file = "cells.csv"
group = "cell"
[start]
random = { ranges = { a = [1, 20], k = [0.01, 2], c = [-1, 1] }, seeds = { count = 100 } }
[[step]]
size = [0.5, 0.8, 1]
[stop]
steps = 12
[history]
every = 4
[output]
formats = ["csv", "jsonl"]
curves = true
[run]
part = 500
save_every = 0
"#;

fn place() -> Place {
    let place = Place::new();
    let mut text = "cell,x,y\n".to_owned();
    for cell in 0..12 {
        for i in 0..10 {
            let (x, scale) = (f64::from(i) / 2.0, 5.0 + f64::from(cell));
            let y = scale * (-0.4 * x).exp() + 0.1 * f64::from((i * 7 + cell) % 5);
            text += &format!("c{cell},{x},{y}\n");
        }
    }
    place.write("cells.csv", &text);
    place.write("sweep.toml", SPEC);
    place
}

fn start(place: &Place, folder: &str, device: &str, more: &[&str]) -> Child {
    let arguments = [&["sweep", "sweep.toml", "--out", folder, "--device", device], more].concat();
    place.command(&arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Sends a signal.
fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap().success());
}

fn assert_equal_folders(place: &Place, one: &str, other: &str) {
    let names = place.names(one);
    assert_eq!(place.names(other), names);
    for name in names {
        let [a, b] = [one, other].map(|folder| place.read(&format!("{folder}/{name}")));
        assert!(a == b, "{one}/{name} and {other}/{name} differ");
    }
}

/// The numbers of Knuth's generator from a seed: the same moments in every run.
fn random(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Kills a sweep at so many moments, evenly spread over the time that it takes but for a random shift, goes on each time, and
/// compares the whole folder with that of a sweep that was left alone. Returns how many were still at work, and how many of
/// them in the midst of a part of which something was saved.
fn killed(device: &str, spec: &str, moments: u32, seed: u64) -> (u32, u32) {
    let place = place();
    place.write("sweep.toml", spec);
    let sweep = |folder: &str, more: &[&str]| {
        let arguments = [&["sweep", "sweep.toml", "--out", folder, "--device", device], more].concat();
        let run = Run::of(place.command(&arguments).output().unwrap());
        assert_eq!(run.code, 0, "{}", run.stderr);
    };
    sweep("warm", &[]);
    let begun = Instant::now();
    sweep("whole", &[]);
    let takes = begun.elapsed();
    assert_equal_folders(&place, "whole", "warm");
    let mut random = random(seed);
    let (mut cut_off, mut within) = (0, 0);
    for moment in 0..moments {
        let folder = format!("killed{moment}");
        let mut child = start(&place, &folder, device, &[]);
        std::thread::sleep(takes.mul_f64((f64::from(moment) + random()) / f64::from(moments)));
        cut_off += u32::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        let parts = place.path(&folder).join("parts");
        within +=
            u32::from(parts.exists() && place.names(&format!("{folder}/parts")).iter().any(|name| is_stretch(name)));
        sweep(&folder, &["--resume"]);
        assert_equal_folders(&place, "whole", &folder);
    }
    println!("{device}: {cut_off} of {moments} were cut off, {within} of them within a part");
    (cut_off, within)
}

/// Whether it is the file of some problems of a part: `part-00000000.00002048.parquet`.
fn is_stretch(name: &str) -> bool {
    name.starts_with("part-") && name.ends_with(".parquet") && name.len() == "part-00000000.00002048.parquet".len()
}

#[test]
fn a_sweep_killed_at_ten_moments_ends_with_the_bytes_of_one_that_was_not() {
    // 7,200 problems in parts of up to three chunks.
    let spec = SPEC.replace("count = 100", "count = 200").replace("part = 500", "part = 5000");
    let (cut_off, within) = killed("cpu", &spec, 10, 2026);
    assert!(cut_off >= 5 && within >= 1, "they were killed too late to show anything");
}

/// Fewer moments: opening the device takes most of the time.
#[test]
fn so_does_one_on_every_adapter() {
    for engine in common::gpu_engines() {
        let index = engine.device().unwrap().summary().index.to_string();
        assert!(killed(&index, SPEC, 3, 7).0 >= 1);
    }
}

/// The last steps are over in no time: each file that they write is the moment to kill at.
#[test]
fn so_does_one_killed_between_its_last_files() {
    let place = place();
    place.run(&["sweep", "sweep.toml", "--out", "whole"]).good();
    for file in ["parts/part-00000007.parquet", "results.csv", "history.parquet", "results.parquet", "summary.json"] {
        let folder = format!("killed-at-{}", file.replace('/', "-"));
        let path = place.path(&folder).join(file);
        let mut child = start(&place, &folder, "cpu", &[]);
        while !path.exists() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_micros(200));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        place.run(&["sweep", "sweep.toml", "--out", &folder, "--resume"]).good();
        assert_equal_folders(&place, "whole", &folder);
    }
}

/// Before there is a plan there is nothing to go on with: the run begins.
#[test]
fn so_does_one_killed_before_its_plan_was_written() {
    let place = place();
    place.run(&["sweep", "sweep.toml", "--out", "whole"]).good();
    std::fs::create_dir_all(place.path("killed/parts")).unwrap();
    place.run(&["sweep", "sweep.toml", "--out", "killed", "--resume"]).good();
    assert_equal_folders(&place, "whole", "killed");
    std::fs::create_dir_all(place.path("later/parts")).unwrap();
    place.write("later/spec.toml", SPEC);
    place.write("later/.plan.json.unfinished", "{");
    place.run(&["sweep", "sweep.toml", "--out", "later"]).refused(2, &["already holds results", "--resume"]);
    place.run(&["sweep", "sweep.toml", "--out", "later", "--resume"]).good();
    assert_equal_folders(&place, "whole", "later");
    // Parts of nobody knows what are another matter.
    place.write("other/parts/part-00000000.parquet", "");
    place.run(&["sweep", "sweep.toml", "--out", "other", "--resume"]).refused(2, &["cannot resume", "--force"]);
}

/// Goes on after each kill and is killed again: what was saved is never lost.
#[test]
fn one_killed_again_and_again_comes_to_its_end() {
    let place = place();
    place.run(&["sweep", "sweep.toml", "--out", "whole"]).good();
    let mut more: &[&str] = &[];
    let mut random = random(5);
    for _ in 0..10 {
        let mut child = start(&place, "killed", "cpu", more);
        std::thread::sleep(Duration::from_secs_f64(0.05 + 0.15 * random()));
        child.kill().unwrap();
        child.wait().unwrap();
        more = &["--resume"];
    }
    place.run(&["sweep", "sweep.toml", "--out", "killed", "--resume"]).good();
    assert_equal_folders(&place, "whole", "killed");
}

/// Waits until something is saved.
fn wait_for_parts(place: &Place, folder: &str, child: &mut Child) {
    let parts = place.path(folder).join("parts");
    let saved = || {
        let entries = std::fs::read_dir(&parts).into_iter().flatten();
        entries.filter_map(|e| e.ok()?.file_name().into_string().ok()).any(|name| name.starts_with("part-"))
    };
    while !saved() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before anything was saved");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn ctrl_c_saves_what_is_done_and_says_how_to_go_on() {
    let place = place();
    place.write("sweep.toml", &SPEC.replace("count = 100", "count = 600"));
    place.run(&["sweep", "sweep.toml", "--out", "whole"]).good();
    for name in ["INT", "TERM"] {
        let mut child = start(&place, name, "cpu", &[]);
        wait_for_parts(&place, name, &mut child);
        signal(&child, name);
        let run = Run::of(child.wait_with_output().unwrap());
        assert_eq!(run.code, 130, "{}", run.stderr);
        assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
        let words = ["natgrad: interrupted (", " of 21,600 problems are saved; --resume goes on from there)"];
        assert!(words.iter().all(|word| run.stderr.contains(word)), "{}", run.stderr);
        assert!(!run.stderr.contains("(0 of"), "{}", run.stderr);
        assert!(!place.path(name).join("results.parquet").exists());
        place.run(&["sweep", "sweep.toml", "--out", name, "--resume"]).good();
        assert_equal_folders(&place, "whole", name);
    }
}

#[test]
fn a_second_ctrl_c_does_not_wait_for_the_chunk() {
    let place = place();
    // A chunk of minutes.
    let endless = SPEC.replace("steps = 12", "steps = 4000000\ntests = false").replace("every = 4", "every = 0");
    place.write("sweep.toml", &endless);
    let mut child = start(&place, "run", "cpu", &[]);
    while !place.path("run/plan.json").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(300));
    signal(&child, "INT");
    std::thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none(), "the chunk in flight goes on");
    signal(&child, "INT");
    let asked = Instant::now();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(asked.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_run_is_kept_out_of_the_folder_of_another_that_is_at_work() {
    let place = place();
    place.write("sweep.toml", &SPEC.replace("count = 100", "count = 800"));
    let mut child = start(&place, "run", "cpu", &[]);
    wait_for_parts(&place, "run", &mut child);
    for more in ["--resume", "--force"] {
        place
            .run(&["sweep", "sweep.toml", "--out", "run", more])
            .refused(2, &["another run is writing into run/parts", "choose another folder"]);
    }
    assert!(child.try_wait().unwrap().is_none(), "it ended too early to show anything");
    child.kill().unwrap();
    child.wait().unwrap();
    place.run(&["sweep", "sweep.toml", "--out", "run", "--resume"]).good();
}
