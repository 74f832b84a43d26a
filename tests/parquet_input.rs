//! Data in Parquet files: columns of every type that is read, nulls, and what is said of the rest.
#![cfg(feature = "parquet")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, DictionaryArray, Float32Array, Float64Array, Int8Array, Int64Array,
    RecordBatch, StringArray, UInt16Array,
};
use natgrad::data::{Data, KeyValues, Missing};
use parquet::arrow::ArrowWriter;

/// A file of these columns in the folder.
fn file(folder: &Path, columns: Vec<(&str, ArrayRef)>) -> PathBuf {
    let path = folder.join("a.parquet");
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    path
}

fn array<A: arrow_array::Array + 'static>(array: A) -> ArrayRef {
    Arc::new(array)
}

#[test]
fn numbers_truth_values_and_text_become_columns() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(
        folder.path(),
        vec![
            ("y", array(Float64Array::from(vec![1.5, -2.0, 1e300]))),
            ("x", array(Float32Array::from(vec![0.1, 2.0, 3.0]))),
            ("small", array(Int8Array::from(vec![-1, 0, 127]))),
            ("count", array(UInt16Array::from(vec![1, 2, 65_535]))),
            ("flag", array(BooleanArray::from(vec![true, false, true]))),
            ("cell", array(StringArray::from(vec!["b", "größe", "b"]))),
        ],
    );
    let data = Data::read_parquet(&path).unwrap().group_by(&["cell"]);
    assert_eq!(data.column_names(), ["y", "x", "small", "count", "flag", "cell"]);
    let bound = data.bind(&["x", "small", "count", "flag"]).unwrap();
    // The rows of the cell "b" come first.
    assert_eq!(bound.response, [1.5, 1e300, -2.0]);
    assert_eq!(
        bound.inputs,
        [[f64::from(0.1_f32), 3.0, 2.0], [-1.0, 127.0, 0.0], [1.0, 65_535.0, 2.0], [1.0, 1.0, 0.0]]
    );
    assert_eq!(bound.keys[0].values, KeyValues::Text(vec!["b".to_owned(), "größe".to_owned()]));
}

#[test]
fn large_integers_stay_apart_as_keys_and_small_ones_are_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let large = vec![9_007_199_254_740_993, 9_007_199_254_740_992];
    let path = file(
        folder.path(),
        vec![("id", array(Int64Array::from(large.clone()))), ("y", array(Int64Array::from(vec![1, 2])))],
    );
    let bound = Data::read_parquet(&path).unwrap().group_by(&["id"]).bind(&[]).unwrap();
    assert_eq!(bound.keys[0].values, KeyValues::Integer(large));
    assert_eq!(bound.response, [1.0, 2.0]);
}

#[test]
fn a_categorical_column_is_text() {
    let folder = tempfile::tempdir().unwrap();
    let cells: DictionaryArray<Int32Type> = vec![Some("b"), Some("a"), None, Some("b")].into_iter().collect();
    let y = array(Float64Array::from(vec![1.0, 2.0, 3.0, 4.0]));
    let path = file(folder.path(), vec![("cell", array(cells)), ("y", y)]);
    let data = Data::read_parquet(&path).unwrap().group_by(&["cell"]).missing(Missing::Drop);
    let bound = data.bind(&[]).unwrap();
    assert_eq!((bound.dropped, bound.response.to_vec()), (1, vec![1.0, 4.0, 2.0]));
    assert_eq!(bound.keys[0].values, KeyValues::Text(vec!["b".to_owned(), "a".to_owned()]));
}

#[test]
fn nulls_are_missing_values() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(
        folder.path(),
        vec![
            ("x", array(Int64Array::from(vec![Some(1), Some(2), None]))),
            ("y", array(Float64Array::from(vec![Some(1.0), None, Some(3.0)]))),
        ],
    );
    let data = Data::read_parquet(&path).unwrap();
    let message = data.bind(&["x"]).unwrap_err().to_string();
    assert!(message.contains("a.parquet, row 2, column \"y\""), "{message}");
    let bound = data.missing(Missing::Drop).bind(&["x"]).unwrap();
    assert_eq!((bound.dropped, bound.response.to_vec()), (2, vec![1.0]));
}

#[test]
fn a_column_of_another_type_is_passed_over_until_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(
        folder.path(),
        vec![("day", array(Date32Array::from(vec![1, 2]))), ("y", array(Float64Array::from(vec![1.0, 2.0])))],
    );
    let data = Data::read_parquet(&path).unwrap();
    assert_eq!(data.bind(&[]).unwrap().response, [1.0, 2.0]);
    let message = data.bind(&["day"]).unwrap_err().to_string();
    assert!(message.contains("no column \"day\"") && message.contains("its type is Date32"), "{message}");
}

#[test]
fn what_is_no_parquet_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    for text in [&b"x,y\n1,2\n"[..], b"", b"PAR1 and more PAR1"] {
        std::fs::write(&path, text).unwrap();
        let message = Data::read_parquet(&path).unwrap_err().to_string();
        assert!(message.lines().count() == 1 && message.contains("a.parquet as Parquet"), "{message}");
    }
    let message = Data::read_parquet("no/such.parquet").unwrap_err().to_string();
    assert!(message.starts_with("cannot open no/such.parquet"), "{message}");
}

/// Arrow's C++ library writes the file; without it the test says so and stands aside.
#[test]
fn files_of_another_writer_are_read() {
    let Some(python) = std::env::var_os("NATGRAD_TEST_PYTHON") else {
        eprintln!("NATGRAD_TEST_PYTHON is not set: no Parquet file of another writer is read (run scripts/test)");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let script = "import sys, pyarrow as pa, pyarrow.parquet as pq\n\
                  t = pa.table({'y': [1.5, None, 2.5], 'k': pa.array(['b', 'a', 'b']).dictionary_encode(), 'n': [1, 2, 3]})\n\
                  pq.write_table(t, sys.argv[1], row_group_size=2)";
    let output = Command::new(python).arg("-c").arg(script).arg(&path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let data = Data::read_parquet(&path).unwrap().group_by(&["k"]).missing(Missing::Drop);
    let bound = data.bind(&["n"]).unwrap();
    assert_eq!((bound.dropped, bound.response.to_vec(), bound.inputs[0].to_vec()), (1, vec![1.5, 2.5], vec![1.0, 3.0]));
}
