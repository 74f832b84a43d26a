//! A reader of standard output that has seen enough (`natgrad … | head -2`) ends the program silently, with exit 0.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

/// More than a pipe holds on Linux (64 KiB) and elsewhere, so that the program is still writing when the pipe closes.
const PIPE: usize = 1 << 17;

/// Writes 2,000 straight lines, the first thirty of them with names of 12 KB: every format prints more than a pipe holds,
/// the table with its 20 rows as well.
fn write_lines(path: &Path) {
    let mut data = String::from("cell,y,x\n");
    for cell in 0..2000 {
        let name = if cell < 30 { format!("{cell}{}", "n".repeat(12 << 10)) } else { cell.to_string() };
        data += &format!("{name},1,0\n{name},3,1\n{name},5,2\n");
    }
    std::fs::write(path, data).unwrap();
}

/// Runs the program, reads `lines` lines of what it prints and closes the pipe; its exit code and standard error.
fn cut_off(arguments: &[&str], lines: usize) -> (Option<i32>, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_natgrad"))
        .args(arguments)
        .env("NATGRAD_DEVICE", "cpu")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    for _ in 0..lines {
        assert!(reader.read_until(b'\n', &mut Vec::new()).unwrap() > 0, "nothing left to cut off");
    }
    drop(reader);
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_pipe_that_closes_early_ends_every_format_silently_wherever_it_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("lines.csv");
    write_lines(&data);
    let fit = |more: &[&'static str]| {
        let mut arguments = vec!["fit", "--model", "a*x + c", "--parameters", "a,c", "--start", "a=1,c=0"];
        arguments.extend(["--group", "cell", "--data", data.to_str().unwrap()]);
        arguments.extend(more);
        arguments.into_iter().map(str::to_owned).collect::<Vec<String>>()
    };
    let formats = ["table", "csv", "jsonl"].map(|format| fit(&["--format", format]));
    // A results file may be standard output too.
    let files = ["csv", "jsonl", "parquet"].map(|form| {
        let link = folder.path().join(format!("results.{form}"));
        std::os::unix::fs::symlink("/dev/stdout", &link).unwrap();
        let mut arguments = fit(&["--out"]);
        arguments.push(link.to_str().unwrap().to_owned());
        arguments
    });
    let mut curves = fit(&["--curves"]);
    curves.push("/dev/stdout".to_owned());
    for arguments in formats.iter().chain(&files).chain([&curves]) {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut whole = Command::new(env!("CARGO_BIN_EXE_natgrad"))
            .args(&arguments)
            .env("NATGRAD_DEVICE", "cpu")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut bytes = Vec::new();
        whole.stdout.take().unwrap().read_to_end(&mut bytes).unwrap();
        assert!(whole.wait().unwrap().success());
        let told = &arguments[arguments.len() - 2..];
        assert!(bytes.len() > PIPE, "{told:?} prints only {} bytes", bytes.len());
        for lines in [0, 1, 2, 3] {
            for _ in 0..5 {
                let (code, stderr) = cut_off(&arguments, lines);
                assert_eq!((code, stderr.as_str()), (Some(0), ""), "{told:?} after {lines} lines");
            }
        }
    }
}

#[test]
fn a_pipe_that_closes_early_ends_what_is_short_silently_too() {
    let spec: &[&str] =
        &["fit", "--model", "a*x", "--parameters", "a", "--data", "examples/decays.csv", "--start", "a=1"];
    let emitted = [spec, &["--emit-spec", "--response", "y", "--constant", "x=2"]].concat();
    for arguments in [&["--help"][..], &["fit", "--help"], &["--version"], &["devices"], &emitted] {
        for _ in 0..5 {
            let (code, stderr) = cut_off(arguments, 0);
            assert_eq!((code, stderr.as_str()), (Some(0), ""), "{arguments:?}");
        }
    }
}
