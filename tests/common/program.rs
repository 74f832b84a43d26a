//! The built program as its users meet it: run in a folder of its own, its output and exit code looked at.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

pub(crate) const MISRA1A: &str = include_str!("../../examples/misra1a.csv");
pub(crate) const MODEL: [&str; 4] = ["--model", "b1*(1 - exp(-b2*x))", "--parameters", "b1,b2"];
pub(crate) const START: [&str; 2] = ["--start", "b1=250,b2=5e-4"];

/// A folder of its own with `data.csv` in it; the program runs there, on the CPU.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.write("data.csv", MISRA1A);
        place
    }

    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// Writes a file, and the folder it is in.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_natgrad"));
        command.current_dir(self.folder()).args(arguments).env("NATGRAD_DEVICE", "cpu").stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        Run::of(self.command(arguments).output().unwrap())
    }

    /// `fit` with the usual model, start and data.
    pub(crate) fn fit(&self, more: &[&str]) -> Run {
        let data = ["--data", "data.csv"];
        self.run(&[&["fit"], &MODEL[..], &START[..], &data[..], more].concat())
    }

    /// Names in a folder, sorted.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code().expect("no signal ended it"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// It went well and had nothing to remark.
    pub(crate) fn good(self) -> Self {
        assert_eq!((self.code, self.stderr.as_str()), (0, ""), "{}", self.stdout);
        self
    }

    /// It was refused with this code, in one line that holds all of these words, and printed no results.
    pub(crate) fn refused(self, code: i32, words: &[&str]) {
        assert_eq!((self.code, self.stdout.as_str()), (code, ""), "{}", self.stderr);
        assert!(self.stderr.starts_with("natgrad: ") && self.stderr.ends_with('\n'), "{:?}", self.stderr);
        assert_eq!(self.stderr.lines().count(), 1, "{}", self.stderr);
        assert!(self.stderr.len() < 400, "{}", self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "{:?} lacks {word:?}", self.stderr);
        }
    }

    /// Standard output as one JSON value.
    pub(crate) fn json_of_all(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap()
    }

    pub(crate) fn json(&self) -> Vec<serde_json::Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Every row of a Parquet file as text.
pub(crate) fn rows(path: &Path) -> Vec<String> {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    let reader = SerializedFileReader::new(fs::File::open(path).unwrap()).unwrap();
    reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect()
}
