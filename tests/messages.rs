//! What the program says to a request that cannot be run: one line, the place and the mend, and an exit code.

use std::fs;

use common::program::{MODEL, Place, Run, START};

mod common;

#[test]
fn bad_data_are_refused_with_file_line_and_mend() {
    let place = Place::new();
    let cases: [(&str, &[&str]); 9] = [
        ("y,x\n1,2\n3\n", &["bad.csv, line 3", "fields", "header"]),
        ("y,x\n1,2\nthree,4\n", &["bad.csv, line 3", "\"three\"", "number"]),
        ("y,x\n1,2\nNaN,4\n", &["bad.csv, line 3", "NaN", "--missing drop"]),
        ("y,x\n1,2\n3,inf\n", &["bad.csv, line 3", "inf", "--missing drop"]),
        ("y,x\n1,2\n3,\n", &["bad.csv, line 3", "empty cell", "--missing drop"]),
        ("y,z\n1,2\n", &["\"x\"", "known are"]),
        ("x\n2\n", &["bad.csv", "\"y\""]),
        ("y,x\n", &["bad.csv", "no rows"]),
        ("", &["bad.csv", "header"]),
    ];
    for (text, words) in cases {
        place.write("bad.csv", text);
        place.run(&[&["fit"], &MODEL[..], &START[..], &["--data", "bad.csv"]].concat()).refused(2, words);
    }
    place.write("bad.csv", "y,x,s\n1,2,1\n3,4,-1\n");
    place
        .run(&[&["fit"], &MODEL[..], &START[..], &["--data", "bad.csv", "--sigma", "s"]].concat())
        .refused(2, &["bad.csv, line 3", "sigma", "-1", "positive"]);
    place
        .run(&[&["fit"], &MODEL[..], &START[..], &["--data", "nowhere.csv"]].concat())
        .refused(2, &["nowhere.csv", "check the path"]);
    place.fit(&["--group", "cell"]).refused(2, &["data.csv", "\"cell\""]);
    assert_eq!(place.names("."), ["bad.csv", "data.csv"]);
}

#[test]
fn a_request_that_cannot_be_meant_is_refused_in_one_line() {
    let place = Place::new();
    let data = ["--data", "data.csv"];
    let model = |expression: &str, parameters: &str, more: &[&str]| {
        place.run(&[&["fit", "--model", expression, "--parameters", parameters], &data[..], more].concat())
    };
    model("b1*(1 - exp(-b2*x)", "b1,b2", &START).refused(2, &["--model", "column"]);
    model("b1*(1 - exp(-b4*x))", "b1,b2", &START).refused(2, &["\"b4\"", "b2"]);
    model("b1*x", "b1,b1", &["--start", "b1=1"]).refused(2, &["\"b1\"", "twice"]);
    model("b1*x", "b1,b7", &["--start", "b1=1"]).refused(2, &["\"b7\""]);
    model("b1*x", "", &[]).refused(2, &["parameter"]);
    model("b1*x + b2", "b1,b2", &["--start", "b1=1,b3=2"]).refused(2, &["\"b3\"", "not a parameter"]);
    model("b1*x + b2", "b1,b2", &["--start", "b1=1"]).refused(2, &["b2", "no start"]);
    model("b1*x + b2", "b1,b2", &["--start", "b1=1,b1=2,b2=1"]).refused(2, &["b1", "twice"]);
    model("b1*x + b2", "b1,b2", &["--guess", "b1=max(z)", "--guess", "b2=0"]).refused(2, &["\"z\""]);
    model("b1*x + b2", "b1,b2", &["--start", "b1=1,b2=1", "--fix", "b3=2"]).refused(2, &["--fix", "\"b3\""]);
    model("b1*x", "b1", &["--fix", "b1=2"]).refused(2, &["--fix", "leave one free"]);
    place.fit(&["--start", "b1:3"]).refused(2, &["--start", "b1:3", "NAME=VALUE"]);
    place
        .fit(&["--step-size", "0.5", "--damping", "adaptive"])
        .refused(2, &["--step-size 0.5", "leave one of them out"]);
    place.fit(&["--damping", "-1"]).refused(2, &["--damping", "0 or more, or adaptive"]);
    place.fit(&["--require-converged", "99"]).refused(2, &["--require-converged", "from 0 to 1"]);
    place.fit(&["--out", "results.txt"]).refused(2, &["--out", ".parquet, .csv or .jsonl"]);
    place.fit(&["--formt", "csv"]).refused(2, &["--formt", "--format"]);
    place.fit(&["--precision", "f32"]).refused(2, &["f32", "CPU", "--device gpu"]);
    place.fit(&["--out", "nowhere/results.csv"]).refused(2, &["nowhere/results.csv", "folder does not exist"]);
    assert_eq!(place.names("."), ["data.csv"]);
}

#[test]
fn a_device_that_is_not_there_exits_with_3() {
    let place = Place::new();
    let run = place.fit(&["--device", "no such adapter"]);
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.lines().count()), (3, "", 1), "{}", run.stderr);
    let mut command = place.command(&[&["fit"], &MODEL[..], &START[..], &["--data", "data.csv"]].concat());
    let run = Run::of(command.env("NATGRAD_DEVICE", "no such adapter").output().unwrap());
    assert_eq!(run.code, 3);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_standard_output_or_a_results_file_is_told_in_one_line() {
    let place = Place::new();
    let full = || fs::File::options().write(true).open("/dev/full").unwrap();
    let arguments = [&["fit"], &MODEL[..], &START[..], &["--data", "data.csv", "--format", "jsonl"]].concat();
    let output = place.command(&arguments).stdout(full()).output().unwrap();
    Run::of(output).refused(2, &["cannot write the results", "disk is full"]);
    std::os::unix::fs::symlink("/dev/full", place.path("full.csv")).unwrap();
    std::os::unix::fs::symlink("/dev/full", place.path("full.parquet")).unwrap();
    place.fit(&["--out", "full.csv"]).refused(2, &["full.csv", "disk is full"]);
    place.fit(&["--out", "full.parquet"]).refused(2, &["full.parquet", "disk is full"]);
    place.fit(&["--curves", "full.csv"]).refused(2, &["full.csv", "disk is full"]);
}

#[test]
fn f64_on_a_gpu_is_refused_in_one_line() {
    let place = Place::new();
    if !place.run(&["devices"]).stdout.lines().any(|line| line.starts_with("0 ")) {
        println!("no adapter: nothing to refuse");
        return;
    }
    place.fit(&["--device", "0", "--precision", "f64"]).refused(2, &["f64", "--device cpu"]);
}

#[test]
fn without_an_adapter_auto_takes_the_cpu_with_one_line_of_notice_and_gpu_exits_with_3() {
    let place = Place::new();
    let hidden = |arguments: &[&str]| {
        let mut command = place.command(arguments);
        // No Vulkan driver, no EGL vendor.
        for variable in ["VK_DRIVER_FILES", "VK_ICD_FILENAMES", "__EGL_VENDOR_LIBRARY_FILENAMES"] {
            command.env(variable, "/nonexistent");
        }
        Run::of(command.env("NATGRAD_DEVICE", "auto").output().unwrap())
    };
    if hidden(&["devices"]).stdout.lines().any(|line| line.starts_with("0 ")) {
        println!("the adapters of this machine cannot be hidden");
        return;
    }
    let fit = [&["fit"], &MODEL[..], &START[..], &["--data", "data.csv", "--format", "csv"]].concat();
    let run = hidden(&fit);
    assert_eq!((run.code, run.stderr.lines().count()), (0, 1), "{}", run.stderr);
    assert!(run.stderr.contains("CPU"), "{}", run.stderr);
    assert_eq!(run.stdout, place.fit(&["--format", "csv"]).good().stdout);
    let run = hidden(&[&fit[..], &["--device", "gpu"]].concat());
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.lines().count()), (3, "", 1), "{}", run.stderr);
}
