//! `natgrad sweep` as its users meet it: the folder it leaves, what it refuses, and how it goes on when cut off.

use std::fs;
use std::process::{Command, Stdio};

use common::program::{Place, Run, rows};

mod common;

const SPEC: &str = r#"[model]
expression = "b1*(1 - exp(-b2*x))"
parameters = ["b1", "b2"]
[data]
file = "data.csv"
[start]
values = [{ b1 = 250, b2 = 5e-4 }]
[[step]]
size = [0.5, 1]
"#;

/// 150,000 problems of one step each: three parts, each saved as a whole however slow the machine is.
const MANY: &str = r#"[model]
expression = "b1*(1 - exp(-b2*x))"
parameters = ["b1", "b2"]
[data]
file = "data.csv"
[start]
random = { distribution = "uniform", scale = 1e-3, seeds = { from = 0, count = 150000 } }
[[step]]
size = 1
[stop]
steps = 1
tests = false
[run]
save_every = 1000
"#;

#[test]
fn a_sweep_leaves_its_files_and_equal_sweeps_give_equal_bytes() {
    let place = Place::new();
    place.write("sweep.toml", SPEC);
    let run = place.run(&["sweep", "sweep.toml", "--out", "one"]).good();
    assert!(run.stdout.starts_with("status     problems  share\nconverged         2   100%\n"), "{}", run.stdout);
    place.run(&["sweep", "sweep.toml", "--out", "two"]).good();
    let files = ["converged.svg", "plan.json", "results.parquet", "spec.toml", "steps.svg", "summary.json"];
    assert_eq!(place.names("one"), files);
    for file in files {
        assert_eq!(place.read(&format!("one/{file}")), place.read(&format!("two/{file}")), "{file}");
    }
    assert_eq!(place.read("one/spec.toml"), SPEC.as_bytes());
    let summary: serde_json::Value = serde_json::from_slice(&place.read("one/summary.json")).unwrap();
    assert_eq!((summary["problems"].as_u64(), summary["status"]["converged"].as_u64()), (Some(2), Some(2)));
}

#[test]
fn a_bad_spec_is_refused_with_file_line_and_key_and_nothing_is_written() {
    let place = Place::new();
    let cases: [(&str, &str, &[&str]); 12] = [
        ("size =", "siez =", &["sweep.toml, line 9", "\"siez\"", "did you mean \"size\"?"]),
        ("[0.5, 1]", "[]", &["sweep.toml, line 9", "step.size", "empty grid"]),
        ("[0.5, 1]", "{ from = 0.1, to = 1, count = 100_000_000_000_000 }", &["line 9", "100000000000000", "too many"]),
        ("[0.5, 1]", "[0.5, 1", &["sweep.toml, line", "not valid TOML"]),
        ("data.csv", "nowhere.csv", &["nowhere.csv", "check the path"]),
        ("exp(-b2*x)", "exp(-b2*z)", &["sweep.toml, line 2, model.expression", "\"z\""]),
        ("exp(-b2*x)", "exp(-b2*x", &["sweep.toml, line 2, model.expression", "column"]),
        ("[\"b1\", \"b2\"]", "[\"b1\", \"b1\"]", &["sweep.toml, line 3, model.parameters", "\"b1\"", "twice"]),
        ("b2 = 5e-4", "b3 = 5e-4", &["sweep.toml, line 7", "\"b3\"", "not a parameter"]),
        (", b2 = 5e-4", "", &["sweep.toml", "b2", "no start"]),
        ("[[step]]", "[[step]]\nmethod = \"dg\"", &["line 9", "step.method", "did you mean"]),
        ("[[step]]", "[history]\nparameters = true\n[[step]]", &["line 9", "history.parameters", "history.every"]),
    ];
    for (old, new, words) in cases {
        assert!(SPEC.contains(old));
        place.write("sweep.toml", &SPEC.replace(old, new));
        place.run(&["sweep", "sweep.toml", "--out", "run"]).refused(2, words);
    }
    place.run(&["sweep", "nowhere.toml", "--out", "run"]).refused(2, &["nowhere.toml", "check the path"]);
    place.write("sweep.toml", SPEC);
    place.run(&["sweep", "sweep.toml", "--out", "data.csv"]).refused(2, &["data.csv", "is a file"]);
    let run = place.run(&["sweep", "sweep.toml", "--out", "run", "--device", "no such adapter"]);
    assert_eq!((run.code, run.stderr.lines().count()), (3, 1), "{}", run.stderr);
    assert_eq!(place.names("."), ["data.csv", "sweep.toml"]);
}

#[test]
fn results_that_are_there_are_kept_replaced_or_gone_on_with_as_asked() {
    let place = Place::new();
    place.write("sweep.toml", SPEC);
    let sweep = ["sweep", "sweep.toml", "--out", "run"];
    let first = place.run(&sweep).good().stdout;
    let before = place.read("run/results.parquet");
    place.run(&sweep).refused(2, &["run", "already holds results", "--force", "--resume"]);
    place.run(&[&sweep[..], &["--force", "--resume"]].concat()).refused(2, &["--force", "--resume"]);
    // Nothing is left to do.
    assert_eq!(place.run(&[&sweep[..], &["--resume"]].concat()).good().stdout, first);
    assert_eq!(place.read("run/results.parquet"), before);

    place.write("run/notes.txt", "mine");
    place.write("sweep.toml", &SPEC.replace("[0.5, 1]", "[0.25, 0.5, 1]"));
    place
        .run(&[&sweep[..], &["--resume"]].concat())
        .refused(2, &["cannot resume", "plan.json", "problems was 2 and is 3"]);
    assert_eq!(place.read("run/results.parquet"), before);
    place.run(&[&sweep[..], &["--force"]].concat()).good();
    assert_ne!(place.read("run/results.parquet"), before);
    assert_eq!(place.read("run/notes.txt"), b"mine");
}

#[test]
fn a_sweep_that_was_killed_goes_on_and_ends_with_the_same_bytes() {
    let place = Place::new();
    place.write("sweep.toml", MANY);
    place.run(&["sweep", "sweep.toml", "--out", "whole"]).good();

    let mut child = place
        .command(&["sweep", "sweep.toml", "--out", "killed"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let first = place.path("killed/parts/part-00000000.parquet");
    while !first.exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!place.path("killed/results.parquet").exists(), "it was killed too late to show anything");
    let part = fs::metadata(&first).unwrap().modified().unwrap();

    place.run(&["sweep", "sweep.toml", "--out", "other", "--resume"]).good();
    // A file that was being written when the run was killed.
    place.write("killed/parts/.part-00000001.parquet.unfinished", "half");
    let mut resumed =
        place.command(&["sweep", "sweep.toml", "--out", "killed", "--resume"]).stdout(Stdio::null()).spawn().unwrap();
    // The finished part is not run again: its file is the one of before for as long as it is there.
    while resumed.try_wait().unwrap().is_none() {
        if let Ok(meta) = fs::metadata(&first) {
            assert_eq!(meta.modified().unwrap(), part);
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert!(resumed.wait().unwrap().success());
    for file in ["results.parquet", "summary.json", "plan.json"] {
        assert_eq!(place.read(&format!("killed/{file}")), place.read(&format!("whole/{file}")), "{file}");
        assert_eq!(place.read(&format!("other/{file}")), place.read(&format!("whole/{file}")), "{file}");
    }
    assert!(!place.path("killed/parts").exists());
}

/// A limit on the size of files stands in for a full disk: the same calls fail, and any user can set it.
#[cfg(unix)]
#[test]
fn a_disk_that_fills_up_is_told_in_one_line_and_finished_parts_are_kept() {
    let place = Place::new();
    place.write("sweep.toml", MANY);
    let limited = |kibibytes: u32, out: &str| {
        let program = env!("CARGO_BIN_EXE_natgrad");
        // Blocks of 512 bytes in every POSIX shell.
        let blocks = 2 * kibibytes;
        let line = format!("trap '' XFSZ; ulimit -f {blocks}; exec {program} sweep sweep.toml --out {out}");
        let mut shell = Command::new("sh");
        shell.current_dir(place.folder()).args(["-c", &line]).env("NATGRAD_DEVICE", "cpu");
        Run::of(shell.output().unwrap())
    };
    // A part takes about 3 MB, and all three together 7.
    limited(1024, "early").refused(2, &["early/parts/part-00000000.parquet", "0 of 150,000 problems", "--resume"]);
    assert_eq!(place.names("early"), ["parts", "plan.json", "spec.toml"]);
    assert!(place.names("early/parts").is_empty());

    limited(5 * 1024, "late").refused(2, &["late/results.parquet", "all parts are complete", "--resume"]);
    assert_eq!(place.names("late"), ["parts", "plan.json", "spec.toml"]);
    assert_eq!(place.names("late/parts").len(), 3);

    place.run(&["sweep", "sweep.toml", "--out", "late", "--resume"]).good();
    place.run(&["sweep", "sweep.toml", "--out", "early", "--resume"]).good();
    assert_eq!(place.read("late/results.parquet"), place.read("early/results.parquet"));
}

/// 100,000 starts of each of two data sets and two step rules: the best of a data set is found across parts.
#[test]
fn the_best_start_of_a_large_sweep_is_that_of_all_its_problems() {
    let place = Place::new();
    let lines: String = (0..8).map(|i| format!("{},{},{i}\n", i % 2, 3 * i + i % 3)).collect();
    place.write("data.csv", &format!("cell,y,x\n{lines}"));
    let spec = r#"[model]
expression = "a*x + exp(a)"
parameters = ["a"]
[data]
file = "data.csv"
group = "cell"
[start]
random = { distribution = "uniform", scale = 3, seeds = { from = 0, count = 50000 } }
[[step]]
size = [0.5, 1]
[stop]
steps = 1
tests = false
[output]
curves = true
formats = ["csv", "jsonl"]
"#;
    place.write("all.toml", &spec.replace("curves = true", "").replace("formats = [\"csv\", \"jsonl\"]", ""));
    place.write("best.toml", &spec.replace("[output]", "[output]\nkeep = \"best\""));
    place.run(&["sweep", "all.toml", "--out", "all"]).good();
    place.run(&["sweep", "best.toml", "--out", "best"]).good();
    let row = |text: &String| -> (String, String, f64) {
        let cell = |name: &str| {
            let at = text.find(&format!("{name}: ")).unwrap() + name.len() + 2;
            text[at..].split([',', '}']).next().unwrap().to_owned()
        };
        (cell("set"), cell("step_size"), cell("loss").parse().unwrap())
    };
    let mut expected: Vec<(String, String, f64, String)> = Vec::new();
    for text in rows(&place.path("all/results.parquet")) {
        let (set, size, loss) = row(&text);
        match expected.iter_mut().find(|e| (&e.0, &e.1) == (&set, &size)) {
            None => expected.push((set, size, loss, text)),
            Some(best) if loss < best.2 => (best.2, best.3) = (loss, text),
            Some(_) => {}
        }
    }
    let expected: Vec<String> = expected.into_iter().map(|e| e.3).collect();
    assert_eq!(rows(&place.path("best/results.parquet")), expected);
    let text = |name: &str| String::from_utf8(place.read(&format!("best/{name}"))).unwrap();
    assert_eq!(text("results.csv").lines().count(), 1 + 4);
    assert_eq!(text("results.jsonl").lines().count(), 4);
    assert_eq!(text("curves.csv").lines().count(), 1 + 4 * 4);
    assert!(!place.path("best/parts").exists());
}

/// The text forms of a sweep of several parts are those of one piece: one header, every problem once, in order.
#[test]
fn text_forms_of_several_parts_hold_one_header_and_every_problem() {
    let place = Place::new();
    let output = "[output]\nformats = [\"csv\", \"jsonl\"]\ncurves = true\n";
    place.write("sweep.toml", &format!("{MANY}{output}").replace("150000", "70000"));
    place.run(&["sweep", "sweep.toml", "--out", "run"]).good();
    let problems = |name: &str, rows: u64| {
        let text = String::from_utf8(place.read(&format!("run/{name}"))).unwrap();
        let mut lines = text.lines();
        assert!(lines.next().unwrap().starts_with("problem,"));
        let mut count = 0;
        for (k, line) in lines.enumerate() {
            assert_eq!(line.split(',').next().unwrap(), (k as u64 / rows).to_string(), "{name}");
            count += 1;
        }
        assert_eq!(count, 70_000 * rows);
    };
    problems("results.csv", 1);
    problems("curves.csv", 14);
    let json = String::from_utf8(place.read("run/results.jsonl")).unwrap();
    let starts = json.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["start"].as_u64());
    assert!(starts.eq((0..70_000).map(Some)));
    place.write("sweep.toml", &MANY.replace("150000", "70000"));
    place
        .run(&["sweep", "sweep.toml", "--out", "run", "--resume"])
        .refused(2, &["cannot resume", "curves was true and is false"]);
}

/// Starts of y = a + b·x after no step are the draws themselves.
#[test]
fn random_starts_fall_into_the_range_of_each_parameter_and_a_guess_fills_what_has_none() {
    let place = Place::new();
    place.write("data.csv", "cell,y,x\nA,1,0\nA,3,1\nB,7,0\nB,9,1\n");
    let spec = r#"[model]
expression = "a + b*x + c"
parameters = ["a", "b", "c"]
[data]
file = "data.csv"
group = "cell"
[start]
guess = { c = "min(y)" }
random = { ranges = { a = [-2, 6], b = { from = 0.01, to = 100, spacing = "log" } }, seeds = { from = 3, count = 400 } }
[stop]
steps = 0
[output]
formats = ["csv"]
"#;
    place.write("sweep.toml", spec);
    place.run(&["sweep", "sweep.toml", "--out", "run"]).good();
    let mut reader = csv::Reader::from_path(place.path("run/results.csv")).unwrap();
    let header = reader.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 800);
    let column = |name: &str| -> Vec<f64> {
        let at = header.iter().position(|h| h == name).unwrap();
        rows.iter().map(|row| row[at].parse().unwrap()).collect()
    };
    let (a, b, c, seeds) = (column("a"), column("b"), column("c"), column("seed"));
    for k in 0..400 {
        assert_eq!(seeds[k], 3.0 + k as f64);
        assert!((-2.0..=6.0).contains(&a[k]) && (0.01..=100.0).contains(&b[k]));
        // A draw depends on seed and parameter alone; the guess on the data set.
        assert_eq!((a[k], b[k], seeds[k]), (a[400 + k], b[400 + k], seeds[400 + k]));
        assert_eq!((c[k], c[400 + k]), (1.0, 7.0));
    }
    // The mean of n uniform draws over a width w has a standard deviation of w/√(12n); five of them are allowed.
    let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / 400.0;
    assert!((mean(&mut a[..400].iter().copied()) - 2.0).abs() < 5.0 * 8.0 / 4800_f64.sqrt());
    assert!(mean(&mut b[..400].iter().map(|b| b.log10())).abs() < 5.0 * 4.0 / 4800_f64.sqrt());
    place.write("sweep.toml", &spec.replace("guess = { c = \"min(y)\" }", ""));
    place.run(&["sweep", "sweep.toml", "--out", "other"]).refused(2, &["sweep.toml", "\"c\"", "no range"]);
}

/// The same with a history of everything, by two rules.
fn with_history() -> String {
    let steps = "[[step]]\nsize = [0.5, 0.8]\n[stop]\nsteps = 12\n[history]\nevery = 5\nparameters = true\n";
    format!(
        "{}{steps}hessian_sharpness = true\n[output]\nformats = [\"csv\", \"jsonl\"]\n",
        SPEC.split("[[step]]").next().unwrap()
    )
}

#[test]
fn a_history_is_written_beside_the_results_with_equal_bytes_and_is_replaced_with_them() {
    let place = Place::new();
    place.write("sweep.toml", &with_history());
    for folder in ["one", "two"] {
        place.run(&["sweep", "sweep.toml", "--out", folder]).good();
    }
    let files = ["history.csv", "history.jsonl", "history.parquet", "history.svg", "results.parquet"];
    for file in files {
        assert_eq!(place.read(&format!("one/{file}")), place.read(&format!("two/{file}")), "{file}");
    }
    let csv = String::from_utf8(place.read("one/history.csv")).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert!(lines[0].ends_with("gn_sharpness,hessian_sharpness,parameters"), "{}", lines[0]);
    let steps: Vec<&str> =
        lines[1..].iter().filter(|line| line.starts_with("0,")).map(|l| l.split(',').nth(1).unwrap()).collect();
    assert!(steps.starts_with(&["0", "5"]), "{steps:?}");
    assert_eq!(csv.lines().count() - 1, String::from_utf8(place.read("one/history.jsonl")).unwrap().lines().count());
    let svg = String::from_utf8(place.read("one/history.svg")).unwrap();
    assert!(svg.contains("η = 0.5, exact (1 problem)") && svg.contains("λmax of the Hessian"));

    // A run that was cut off between its parts and the results goes on to the same.
    let resume = ["sweep", "sweep.toml", "--out", "one", "--resume"];
    place.run(&resume).good();
    assert_eq!(place.read("one/history.svg"), place.read("two/history.svg"));
    place.write("sweep.toml", &with_history().replace("every = 5", "every = 6"));
    place.run(&resume).refused(2, &["cannot resume", "the data or the spec were others"]);
    place.write("sweep.toml", SPEC);
    place.run(&["sweep", "sweep.toml", "--out", "one", "--force"]).good();
    assert!(place.names("one").iter().all(|name| !name.starts_with("history")), "{:?}", place.names("one"));
}
