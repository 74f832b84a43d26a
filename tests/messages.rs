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
    place
        .fit(&["--detail", "essential", "--verify", "3"])
        .refused(2, &["--verify", "--detail \"essential\"", "leave one of them out"]);
    place.fit(&["--detail", "some"]).refused(2, &["--detail", "\"full\" or \"essential\""]);
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

/// In the model a name of a parameter or constant means just that, so a column of that name would be passed over.
#[test]
fn a_column_of_a_parameters_or_constants_name_is_refused_until_one_of_them_has_another_name() {
    let place = Place::new();
    place.write("data.csv", "x,y,A,k\n0,2,1,5\n1,3,1,5\n2,4,1,5\n");
    let fit = |parameters: &str, more: &[&str]| {
        let fit = ["fit", "--model", "A + k*x", "--parameters", parameters, "--data", "data.csv", "--format", "csv"];
        place.run(&[&fit[..], more].concat())
    };
    let start = ["--start", "A=0,k=0"];
    let words: [&str; 4] = ["\"A\"", "parameter", "column", "--columns A_column=\"A\""];
    fit("A,k", &start).refused(2, &words);
    let words: [&str; 4] = ["\"A\"", "constant", "column", "--columns A_column=\"A\""];
    fit("k", &["--constant", "A=2", "--start", "k=1", "--columns", "k_column=k"]).refused(2, &words);
    fit("A,k", &[&start[..], &["--fix", "A=2", "--columns", "k_column=k"]].concat()).refused(2, &["\"A\""]);
    // Once the columns have other names, their own are free for the model, and still hold in guesses.
    let renamed = ["--columns", "A_true=A", "--columns", "k_true=k"];
    let row =
        fit("A,k", &[&["--guess", "A=mean(A_true)", "--guess", "k=mean(k)"], &renamed[..]].concat()).good().stdout;
    let number = |name: &str| -> f64 {
        let column = row.lines().next().unwrap().split(',').position(|n| n == name).unwrap();
        row.lines().nth(1).unwrap().split(',').nth(column).unwrap().parse().unwrap()
    };
    // y = 2 + x.
    assert!((number("A") - 2.0).abs() < 1e-9 && (number("k") - 1.0).abs() < 1e-9, "{row}");
    fit("A,k", &[&start[..], &["--columns", "A=x", "--columns", "k_true=k"]].concat())
        .refused(2, &["\"A\"", "already has that name"]);
    let spec = "[model]\nexpression = \"A*x\"\nparameters = [\"A\"]\n[data]\nfile = \"data.csv\"\n[start]\nvalues = { A = 1 }\n";
    place.write("sweep.toml", spec);
    place.run(&["sweep", "sweep.toml", "--out", "run"]).refused(2, &["sweep.toml", "\"A\"", "A_column = \"A\""]);
}

#[test]
fn a_fault_in_an_expression_names_the_option_or_key_it_stands_under() {
    let place = Place::new();
    let fit = |more: &[&str]| place.fit(more);
    fit(&["--guess", "b1=max(y"]).refused(2, &["--guess b1: column"]);
    fit(&["--guess", "b2=max(q)"]).refused(2, &["--guess b2: data.csv", "\"q\""]);
    fit(&["--guess", "b2=y[99]"]).refused(2, &["--guess b2: ", "99"]);
    fit(&["--guess", "b2=y"]).refused(2, &["--guess b2: ", "max(y)"]);
    fit(&["--response", "log(y"]).refused(2, &["--response: column"]);
    fit(&["--response", "log(q)"]).refused(2, &["--response: data.csv", "\"q\""]);
    fit(&["--sigma", "2*"]).refused(2, &["--sigma: column"]);
    fit(&["--sigma", "y[99]"]).refused(2, &["--sigma: ", "99"]);
    fit(&["--model", "b1*(1 - exp(-b2*x)"]).refused(2, &["cannot be used multiple times"]);
    place.write("other.csv", "x,z\n1,2\n");
    place
        .run(&[&["fit"], &MODEL[..], &START[..], &["--data", "other.csv"]].concat())
        .refused(2, &["--response (y unless given): other.csv", "x, z"]);

    let spec = "[model]\nexpression = \"b1*(1 - exp(-b2*x))\"\nparameters = [\"b1\", \"b2\"]\n[data]\nfile = \"data.csv\"\n\
                response = \"y\"\nsigma = 1\n[start]\nguess = { b1 = \"max(y)\", b2 = \"1/mean(x)\" }\n";
    let cases: [(&str, &str, &[&str]); 5] = [
        ("exp(-b2*x)", "exp(-b2*q)", &["sweep.toml, line 2, model.expression: ", "\"q\""]),
        ("response = \"y\"", "response = \"log(\"", &["sweep.toml, line 6, data.response: column"]),
        ("sigma = 1", "sigma = \"s\"", &["sweep.toml, line 7, data.sigma: data.csv", "\"s\""]),
        ("mean(x)", "mean(q)", &["sweep.toml, line 9, start.guess.b2: data.csv", "\"q\""]),
        ("max(y)", "y[20]", &["sweep.toml, line 9, start.guess.b1: ", "20"]),
    ];
    for (old, new, words) in cases {
        assert!(spec.contains(old));
        place.write("sweep.toml", &spec.replace(old, new));
        place.run(&["sweep", "sweep.toml", "--out", "run"]).refused(2, words);
    }
}

#[test]
fn a_column_whose_name_is_no_plain_word_is_found_with_backticks_or_another_name() {
    let place = Place::new();
    place.write("data.csv", "Time [s],flow rate,y\n0,1,1\n1,1,3\n2,1,5\n");
    let fit = |model: &str, more: &[&str]| {
        let fit = ["fit", "--model", model, "--parameters", "a,c", "--data", "data.csv", "--start", "a=1,c=0"];
        place.run(&[&fit[..], &["--format", "csv"], more].concat())
    };
    let words = ["--model: ", "`Time [s]`", "backticks", "--columns time=\"Time [s]\""];
    fit("a*Time [s] + c", &[]).refused(2, &words);
    fit("a*flow rate + c", &[]).refused(2, &["--model: ", "`flow rate`", "--columns flow=\"flow rate\""]);
    fit("a*x + c", &["--columns", "x=Time [s]", "--sigma", "1 + 0*flow rate"])
        .refused(2, &["--sigma: ", "`flow rate`"]);
    fit("a*x + c", &["--columns", "x=Time [s]", "--guess", "a=max(Time [s])"])
        .refused(2, &["--guess a: ", "`Time [s]`"]);
    // Another fault beside a name in backticks has no such mend.
    let run = fit("a*`Time [s]` + c)", &[]);
    assert!(run.code == 2 && !run.stderr.contains("backticks"), "{}", run.stderr);
    let quoted = fit("a*`Time [s]` + c", &[]).good().stdout;
    assert_eq!(fit("a*t + c", &["--columns", "t=Time [s]"]).good().stdout, quoted);
    fit("a*t + c", &["--columns", "t=Time"]).refused(2, &["\"Time\" (to be called \"t\")", "Time [s]"]);
    let spec = "[model]\nexpression = \"a*Time [s]\"\nparameters = [\"a\"]\n[data]\nfile = \"data.csv\"\n[start]\nvalues = { a = 1 }\n";
    place.write("sweep.toml", spec);
    place
        .run(&["sweep", "sweep.toml", "--out", "run"])
        .refused(2, &["sweep.toml, line 2, model.expression: ", "data.columns = { time = \"Time [s]\" }"]);
}

#[test]
fn a_start_or_guess_of_a_parameter_that_is_held_says_so() {
    let place = Place::new();
    let fit = [&["fit"], &MODEL[..], &["--data", "data.csv", "--fix", "b2=5e-4"]].concat();
    place.run(&[&fit[..], &START].concat()).refused(2, &["--start", "\"b2\"", "--fix", "0.0005"]);
    place
        .run(&[&fit[..], &["--start", "b1=200", "--guess", "b2=1/mean(x)"]].concat())
        .refused(2, &["--guess", "\"b2\"", "--fix", "0.0005"]);
    let spec = "[model]\nexpression = \"b1*x + b2\"\nparameters = [\"b1\"]\nconstants = { b2 = 3 }\n[data]\nfile = \"data.csv\"\n\
                [start]\nvalues = { b1 = 1, b2 = 1 }\n";
    place.write("sweep.toml", spec);
    place
        .run(&["sweep", "sweep.toml", "--out", "run"])
        .refused(2, &["sweep.toml, line 8, start.values.b2", "held at 3", "model.constants"]);
}

#[test]
fn of_several_starts_the_incomplete_one_is_named() {
    let place = Place::new();
    let fit = [&["fit"], &MODEL[..], &["--data", "data.csv", "--start", "b1=1,b2=1", "--start", "b1=2"]].concat();
    place.run(&fit).refused(2, &["start 2 of 2", "\"b2\""]);
    place.run(&[&fit[..], &["--guess", "b2=1/mean(x)"]].concat()).good();
}

#[test]
fn absolute_errors_without_a_sigma_are_computed_and_remarked_on() {
    let place = Place::new();
    let run = place.fit(&["--errors", "absolute", "--format", "jsonl"]);
    assert_eq!((run.code, run.stderr.lines().count()), (0, 1), "{}", run.stderr);
    assert!(run.stderr.contains("--errors") && run.stderr.contains("--sigma"), "{}", run.stderr);
    // With every sigma 1 the scaled errors are √(reduced χ²) times these.
    let absolute = run.json()[0].clone();
    let scaled = place.fit(&["--format", "jsonl"]).good().json()[0].clone();
    let number = |line: &serde_json::Value, key: &str| line[key].as_f64().unwrap();
    let error = |line: &serde_json::Value| number(&line["standard_errors"], "b1");
    let root = number(&scaled, "reduced_chi_square").sqrt();
    assert!((error(&scaled) / (error(&absolute) * root) - 1.0).abs() < 1e-9);
    place.fit(&["--errors", "absolute", "--sigma", "0.1"]).good();
    let spec = place.fit(&["--errors", "absolute", "--emit-spec"]).good().stdout;
    place.write("sweep.toml", &spec);
    let run = place.run(&["sweep", "sweep.toml", "--out", "run"]);
    assert_eq!((run.code, run.stderr.lines().count()), (0, 1), "{}", run.stderr);
    assert!(run.stderr.contains("sweep.toml: data.errors = \"absolute\" without data.sigma"), "{}", run.stderr);
}

/// A constant that f32 does not hold: more than the GPU path takes, whatever GPU there is.
#[test]
fn a_model_beyond_the_gpu_runs_on_the_cpu_where_the_device_is_left_open() {
    let place = Place::new();
    // y = 3x − 2, as 3e60·(x/1e60) − 2.
    place.write("data.csv", "x,y\n0,-2\n1,1\n2,4\n3,7\n");
    let fit =
        ["fit", "--model", "a*(x/1e60) + b", "--parameters", "a,b", "--data", "data.csv", "--start", "a=1e59,b=0"];
    let output = place.command(&[&fit[..], &["--format", "jsonl"]].concat()).env("NATGRAD_DEVICE", "auto").output();
    let run = Run::of(output.unwrap());
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.lines().count() == 1 && run.stderr.contains("running on the CPU in f64"), "{}", run.stderr);
    let found = &run.json()[0]["parameters"];
    for (name, expected) in [("a", 3e60), ("b", -2.0)] {
        let value = found[name].as_f64().unwrap();
        assert!((value / expected - 1.0).abs() < 1e-9, "{name} = {value}");
    }
}
