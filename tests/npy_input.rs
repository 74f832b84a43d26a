//! Arrays in NumPy's NPY files: read as numpy wrote them, refused with a mend, and fitted like arrays in memory.

use std::path::{Path, PathBuf};
use std::process::Command;

use natgrad::data::Data;
use natgrad::{Choice, Engine, Model, Outcome, Sweep};

#[allow(dead_code, reason = "each test file takes what it needs")]
#[path = "common/npy.rs"]
mod npy;

/// A folder that goes away with the test.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

fn values(path: &Path, axes: &[&str]) -> Vec<f64> {
    Data::read_npy(path, axes).unwrap().bind(&[]).unwrap().response.to_vec()
}

fn refusal(bytes: &[u8], axes: &[&str]) -> String {
    let folder = Folder::new();
    let path = folder.file("a.npy", bytes);
    let message = Data::read_npy(&path, axes).unwrap_err().to_string();
    assert_eq!(message.lines().count(), 1, "{message}");
    assert!(message.contains("a.npy"), "{message}");
    message
}

#[test]
fn every_plain_type_of_every_version_is_read() {
    let folder = Folder::new();
    let wide: Vec<u8> = [1.5_f64, -2.0, 3e300].iter().flat_map(|v| v.to_le_bytes()).collect();
    let narrow: Vec<u8> = [1.5_f32, -2.0, 3e30].iter().flat_map(|v| v.to_le_bytes()).collect();
    let cases: [(&str, &[u8], [f64; 3]); 10] = [
        ("<f8", &wide, [1.5, -2.0, 3e300]),
        ("<f4", &narrow, [1.5, -2.0, f64::from(3e30_f32)]),
        ("|u1", &[0, 1, 255], [0.0, 1.0, 255.0]),
        ("|i1", &[0, 1, 255], [0.0, 1.0, -1.0]),
        ("|b1", &[0, 1, 1], [0.0, 1.0, 1.0]),
        ("<u2", &[0, 1, 255, 255, 1, 0], [256.0, 65535.0, 1.0]),
        ("<i2", &[0, 1, 255, 255, 1, 0], [256.0, -1.0, 1.0]),
        ("<u4", &[255, 255, 255, 255, 0, 0, 1, 0, 1, 0, 0, 0], [4_294_967_295.0, 65536.0, 1.0]),
        ("<i4", &[255, 255, 255, 255, 0, 0, 1, 0, 1, 0, 0, 0], [-1.0, 65536.0, 1.0]),
        (
            "<i8",
            &[254, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0],
            [-2.0, 4_294_967_296.0, 1.0],
        ),
    ];
    for version in 1..=3 {
        for (descr, elements, expected) in cases {
            let path = folder.file("a.npy", &npy::versioned(version, &npy::header(descr, false, &[3]), elements));
            assert_eq!(values(&path, &["x"]), expected, "{descr}, version {version}");
        }
    }
}

#[test]
fn axes_become_coordinates_and_the_first_tells_the_sets_apart() {
    let folder = Folder::new();
    let numbers: Vec<f32> = (0..12_u8).map(f32::from).collect();
    let path = folder.file("a.npy", &npy::of_f32(&[2, 2, 3], &numbers));
    let data = Data::read_npy(&path, &["set", "py", "px"]).unwrap();
    let bound = data.bind(&["px", "py"]).unwrap();
    assert_eq!(bound.sets, [0..6, 6..12]);
    assert_eq!(*bound.inputs[0].slice(6..12), [0.0, 1.0, 2.0, 0.0, 1.0, 2.0]);
    assert_eq!(*bound.inputs[1].slice(6..12), [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
    assert_eq!(bound.response.get(7), 7.0);
    assert_eq!(bound.set_label(1), "set=1");
    let scaled = data.response("y/max(y)").sigma("sqrt(y + 1)").bind(&["px"]).unwrap();
    assert_eq!((scaled.response.get(5), scaled.response.get(11), scaled.sigma.unwrap().get(3)), (1.0, 1.0, 2.0));
}

#[test]
fn what_is_no_such_file_or_not_whole_is_said_with_the_mend() {
    let whole = npy::of_f64(&[2, 3], &[0.0; 6]);
    let axes = ["set", "x"];
    assert!(refusal(b"x,y\n1,2\n", &axes).ends_with("a.npy is no NPY file; write it with numpy.save"));
    assert!(refusal(b"", &axes).contains("is no NPY file"));
    assert!(refusal(&whole[..40], &axes).contains("ends within its header"));
    assert!(refusal(&whole[..9], &axes).contains("ends within its header"));
    let cut = refusal(&whole[..whole.len() - 1], &axes);
    assert!(cut.contains("is cut short: [2, 3] elements of the type \"<f8\" take 48 bytes and 47 are there"), "{cut}");
    assert!(refusal(&npy::versioned(4, &npy::header("<f8", false, &[1]), &[0; 8]), &["x"]).contains("version 4"));
    assert!(refusal(&npy::file("{'descr': '<f8'}", &[0; 8]), &["x"]).contains("header that cannot be read"));
    let mut long = b"\x93NUMPY\x02\x00".to_vec();
    long.extend(u32::MAX.to_le_bytes());
    assert!(refusal(&long, &["x"]).contains("header that cannot be read"));
}

#[test]
fn orders_and_types_that_are_not_read_are_said_with_the_mend() {
    let of = |descr: &str, fortran_order: bool| npy::file(&npy::header(descr, fortran_order, &[2, 3]), &[0; 96]);
    let axes = ["set", "x"];
    assert!(refusal(&of("<f8", true), &axes).contains("Fortran order; save numpy.ascontiguousarray(a)"));
    assert!(refusal(&of(">f4", false), &axes).contains("big-endian elements (\">f4\"); save a.astype("));
    for descr in ["<c16", "|O", "<U5", "<f2", "<M8[ns]"] {
        assert!(refusal(&of(descr, false), &axes).contains(&format!("elements of the type {descr:?}")), "{descr}");
    }
    let fields =
        npy::file("{'descr': [('a', '<f8'), ('b', '<i4')], 'fortran_order': False, 'shape': (2,), }", &[0; 24]);
    assert!(refusal(&fields, &["x"]).contains("[('a', '<f8'), ('b', '<i4')]"));
    // Of one axis both orders are the same.
    let folder = Folder::new();
    let path = folder.file("a.npy", &npy::file(&npy::header("|u1", true, &[3]), &[1, 2, 3]));
    assert_eq!(values(&path, &["x"]), [1.0, 2.0, 3.0]);
}

#[test]
fn shapes_that_do_not_fit_their_axes_are_refused() {
    let array = npy::of_f64(&[2, 3], &[0.0; 6]);
    assert!(refusal(&array, &["set"]).contains("a.npy of shape [2, 3] has 2 axes, but 1 are named (set)"));
    assert!(refusal(&array, &["set", "y"]).contains("two columns named \"y\""));
    assert!(refusal(&npy::of_f64(&[0, 3], &[]), &["set", "x"]).contains("has no rows of data"));
    let huge = npy::file(&npy::header("<f8", false, &[usize::MAX, 2]), &[]);
    let folder = Folder::new();
    let message = Data::read_npy(folder.file("a.npy", &huge), &["set", "x"]).unwrap_err().to_string();
    assert!(message.contains("too large"), "{message}");
    let message = Data::read_npy("no/such.npy", &["x"]).unwrap_err().to_string();
    assert!(message.starts_with("cannot open no/such.npy"), "{message}");
}

/// Exponentials of 8 points, one a set.
fn decays(sets: usize) -> Vec<f32> {
    let value = |set: usize, x: usize| {
        let (a, k) = (100.0 + set as f64, 0.1 + 0.01 * (set % 7) as f64);
        (a * (-k * x as f64).exp() + 0.01 * ((set * 8 + x) % 5) as f64) as f32
    };
    (0..sets).flat_map(|set| (0..8).map(move |x| value(set, x))).collect()
}

fn fit(data: &Data) -> Outcome {
    let model = Model::parse("a*exp(-k*x)", &["a", "k"]).unwrap();
    let sweep = Sweep::new(&model, data).guess("a", "max(y)").start_named([("k", 0.2)]);
    Engine::open(Choice::Cpu).unwrap().run(&sweep).unwrap()
}

fn bits(outcome: &Outcome) -> Vec<(u64, usize, Vec<u64>)> {
    let of = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect();
    outcome.iter().map(|problem| (problem.index(), problem.set(), of(problem.parameters()))).collect()
}

#[test]
fn a_stack_in_a_file_is_fitted_to_the_bits_of_the_same_array_in_memory() {
    let folder = Folder::new();
    let numbers = decays(5000);
    let path = folder.file("a.npy", &npy::of_f32(&[5000, 8], &numbers));
    let in_file = fit(&Data::read_npy(&path, &["set", "x"]).unwrap());
    let in_memory = fit(&Data::from_array(&numbers, &[5000, 8], &["set", "x"]).unwrap());
    assert_eq!(in_file.len(), 5000);
    assert!(bits(&in_file) == bits(&in_memory));
    assert_eq!(in_file.context().keys, in_memory.context().keys);
}

#[test]
fn missing_pixels_are_named_or_left_out() {
    let folder = Folder::new();
    let mut numbers = decays(3);
    numbers[9] = f32::NAN;
    let path = folder.file("a.npy", &npy::of_f32(&[3, 8], &numbers));
    let data = Data::read_npy(&path, &["set", "x"]).unwrap();
    let model = Model::parse("a*exp(-k*x)", &["a", "k"]).unwrap();
    let resolve = |data: &Data| Sweep::new(&model, data).start([100.0, 0.1]).resolve();
    let message = resolve(&data).unwrap_err().to_string();
    assert!(message.contains("a.npy, element 10, column \"y\": NaN is no finite number"), "{message}");
    let outcome = fit(&data.missing(natgrad::data::Missing::Drop));
    assert_eq!(outcome.iter().map(|problem| problem.points()).collect::<Vec<_>>(), [8, 7, 8]);
}

#[test]
fn starts_are_read_from_an_array_of_their_own() {
    let folder = Folder::new();
    let data = Data::from_array(&decays(3), &[3, 8], &["set", "x"]).unwrap();
    let model = Model::parse("a*exp(-k*x)", &["a", "k"]).unwrap();
    let starts = [90.0, 0.1, 91.0, 0.2, 92.0, 0.3];
    let run = |sweep: Sweep| Engine::open(Choice::Cpu).unwrap().run(&sweep);
    let path = folder.file("starts.npy", &npy::of_f64(&[3, 2], &starts));
    let outcome = run(Sweep::new(&model, &data).starts_from_npy(&path)).unwrap();
    let found: Vec<f64> = outcome.iter().flat_map(|problem| problem.start().to_vec()).collect();
    assert_eq!(found, starts);
    let path = folder.file("starts.npy", &npy::of_f64(&[2, 3], &starts));
    let message = run(Sweep::new(&model, &data).starts_from_npy(&path)).unwrap_err().to_string();
    assert!(
        message.contains("starts.npy has the shape [2, 3], but 3 data sets and 2 parameters need [3, 2]"),
        "{message}"
    );
}

/// numpy itself writes the file; without one the test says so and stands aside.
#[test]
fn files_of_numpy_are_read_as_numpy_reads_them() {
    let Some(python) = std::env::var_os("NATGRAD_TEST_PYTHON") else {
        eprintln!("NATGRAD_TEST_PYTHON is not set: no file of numpy is read (run scripts/test)");
        return;
    };
    if !Command::new(&python).args(["-c", "import numpy"]).output().is_ok_and(|output| output.status.success()) {
        eprintln!("there is no numpy: no file of it is read (run scripts/test)");
        return;
    }
    let folder = Folder::new();
    for kind in ["f4", "f8", "u1", "i2", "u4", "i8", "bool"] {
        let path = folder.0.path().join(format!("{kind}.npy"));
        let script = "import sys, numpy as n\na = (n.arange(24) * 7 % 11).reshape(2, 3, 4).astype(sys.argv[2])\n\
                      n.save(sys.argv[1], a)\nprint(*a.ravel().astype('f8').tolist())";
        let output = Command::new(&python).arg("-c").arg(script).arg(&path).arg(kind).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let printed = String::from_utf8(output.stdout).unwrap();
        let expected: Vec<f64> = printed.split_whitespace().map(|number| number.parse().unwrap()).collect();
        assert_eq!(values(&path, &["set", "py", "px"]), expected, "{kind}");
    }
}
