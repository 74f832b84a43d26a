//! What a job holds of its data.

use crate::data::Data;
use crate::model::Model;
use crate::starts::{Spacing, StartRange};

use super::{Draw, Job, RandomStarts, SizeUnit, Sweep};

fn job(model: &str, data: &Data) -> Job {
    Sweep::new(&Model::parse(model, &["a"]).unwrap(), data).start([1.0]).resolve().unwrap()
}

fn csv(text: &str) -> Data {
    Data::from_reader("a.csv", text.as_bytes()).unwrap().group_by(&["k"])
}

#[test]
fn data_sets_with_the_same_inputs_share_a_grid_wherever_their_rows_stand() {
    let job = job("a*x + z", &csv("k,x,z,y\n1,0,5,1\n2,0,5,2\n1,1,7,3\n2,1,7,4\n"));
    assert_eq!(job.shared_grid(), Some(2));
    let inputs: Vec<&[f64]> = (0..4).map(|row| job.inputs(row)).collect();
    assert_eq!(inputs, [[0.0, 5.0], [1.0, 7.0], [0.0, 5.0], [1.0, 7.0]]);
    assert_eq!([0, 1, 2, 3].map(|row| job.response(row)), [1.0, 3.0, 2.0, 4.0]);
}

#[test]
fn an_input_in_another_place_a_longer_set_or_another_order_is_no_shared_grid() {
    for text in
        ["k,x,y\n1,0,1\n1,1,3\n2,0,2\n2,1.5,4\n", "k,x,y\n1,0,1\n1,1,3\n2,0,2\n", "k,x,y\n1,0,1\n1,1,3\n2,1,2\n2,0,4\n"]
    {
        let job = job("a*x", &csv(text));
        assert_eq!(job.shared_grid(), None);
        let x: Vec<f64> = text.lines().skip(1).map(|line| line.split(',').nth(1).unwrap().parse().unwrap()).collect();
        assert_eq!((0..x.len()).map(|row| job.inputs(row)[0]).collect::<Vec<_>>(), x);
    }
}

#[test]
fn one_data_set_and_images_share_a_grid_unless_the_model_reads_the_axis_of_sets() {
    assert_eq!(
        job("a*x", &Data::from_columns([("x", vec![1.0, 2.0]), ("y", vec![1.0, 2.0])]).unwrap()).shared_grid(),
        Some(2)
    );
    let values: Vec<f32> = (0..12_u8).map(f32::from).collect();
    let images = Data::from_array(&values, &[2, 2, 3], &["set", "py", "px"]).unwrap();
    let shared = job("a*px + py", &images);
    assert_eq!(shared.shared_grid(), Some(6));
    assert_eq!((shared.inputs(10), shared.inputs(4)), (&[1.0, 1.0][..], &[1.0, 1.0][..]));
    let own = job("a*px + set", &images);
    assert_eq!((own.shared_grid(), own.inputs(10)), (None, &[1.0, 1.0][..]));
    assert_eq!(own.inputs(4), [1.0, 0.0]);
    assert_eq!(shared.responses_f32(6..9)[..], [6.0, 7.0, 8.0]);
}

#[test]
fn a_sigma_of_one_is_none() {
    let data = csv("k,x,y,s\n1,0,1,1\n1,1,3,2\n");
    let has_sigma = |data: &Data| job("a*x", data).has_sigma();
    assert!(!has_sigma(&data) && !has_sigma(&data.clone().sigma("1")));
    assert!(has_sigma(&data.clone().sigma("2")) && has_sigma(&data.sigma("s")));
}

/// Three data sets of two rows.
fn three() -> Data {
    csv("k,x,y\n1,0,1\n1,1,3\n2,0,2\n2,1,4\n3,0,5\n3,1,6\n")
}

#[test]
fn an_array_of_starts_gives_each_data_set_its_own_and_adds_to_others() {
    let model = Model::parse("a*x + b", &["a", "b"]).unwrap();
    let sweep =
        Sweep::new(&model, &three()).starts_from_array(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).step_sizes([0.5, 1.0]);
    let alone = sweep.resolve().unwrap();
    assert_eq!((alone.len(), alone.starts()), (6, 3));
    let thetas: Vec<&[f64]> = (0..6).map(|index| alone.start(alone.problem(index))).collect();
    assert_eq!(thetas, [[1.0, 2.0], [1.0, 2.0], [3.0, 4.0], [3.0, 4.0], [5.0, 6.0], [5.0, 6.0]]);
    let both = sweep.start([7.0, 8.0]).resolve().unwrap();
    assert_eq!(both.starts_of(1).collect::<Vec<_>>(), [[7.0, 8.0], [3.0, 4.0]]);
    assert_ne!(alone.digest(), both.digest());
}

#[test]
fn an_array_of_starts_of_another_size_or_with_a_gap_is_refused() {
    let model = Model::parse("a*x + b", &["a", "b"]).unwrap();
    let message = |values: Vec<f64>| {
        let message = Sweep::new(&model, &three()).starts_from_array(values).resolve().unwrap_err().to_string();
        assert_eq!(message.lines().count(), 1);
        message
    };
    assert!(message(vec![1.0; 5]).contains("has the shape [5], but 3 data sets and 2 parameters need [3, 2]"));
    let gap = message(vec![1.0, 2.0, 3.0, f64::NAN, 5.0, 6.0]);
    assert!(gap.starts_with("the array of starts, row 2: the start of \"b\" is NaN"), "{gap}");
}

/// A file of `sets` × 3 numbers, and the same numbers in memory.
fn stack(folder: &std::path::Path, sets: usize) -> (Data, Data) {
    let values: Vec<f32> = (0..sets * 3).map(|k| 1.0 + (k * k % 17) as f32).collect();
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({sets}, 3), }}");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    let path = folder.join("stack.npy");
    std::fs::write(&path, bytes).unwrap();
    let axes = ["set", "x"];
    (Data::read_npy(&path, &axes).unwrap(), Data::from_array(&values, &[sets, 3], &axes).unwrap())
}

/// Guesses, values, random starts, weights and units that depend on the data: whatever a window makes of its own rows.
fn rich(data: &Data) -> Sweep {
    let ranges = vec![("b".to_owned(), StartRange { from: -1.0, to: 1.0, spacing: Spacing::Linear })];
    Sweep::new(&Model::parse("a*exp(-b*x)", &["a", "b"]).unwrap(), &data.clone().sigma("sqrt(y)"))
        .guess("a", "max(y)")
        .start_named([("b", 0.5)])
        .random_starts(RandomStarts { draw: Draw::Ranges(ranges), seeds: 5..7 })
        .step_sizes([0.25, 1.0])
        .size_unit(SizeUnit::TwoOverSharpness)
}

#[test]
fn a_window_answers_as_the_whole_does_by_the_numbers_of_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (in_file, in_memory) = stack(folder.path(), 50);
    let (windowed, whole) = (rich(&in_file).resolve().unwrap(), rich(&in_memory).resolve().unwrap());
    assert_eq!((windowed.len(), windowed.starts(), windowed.shared_grid()), (50 * 6, 150, Some(3)));
    // From within one data set into another, one problem alone, and all.
    for range in [7..25, 299..300, 0..300] {
        let window = windowed.window(range.clone()).unwrap();
        assert_eq!((window.len(), window.digest()), (whole.len(), windowed.digest()));
        for index in range {
            let id = whole.problem(index);
            assert_eq!(window.problem(index), id);
            assert_eq!(
                (window.start(id), window.seed(id), window.rule(id)),
                (whole.start(id), whole.seed(id), whole.rule(id))
            );
            assert_eq!(window.response_norm(id.set), whole.response_norm(id.set));
            for row in whole.rows(id.set) {
                assert_eq!((window.response(row), window.weight(row)), (whole.response(row), whole.weight(row)));
                assert_eq!(window.inputs(row), whole.inputs(row));
                assert_eq!(window.data().line(row), whole.data().line(row));
            }
        }
    }
    assert_eq!(windowed.keys(), whole.keys());
}

#[test]
fn windows_cover_every_data_set_once_and_hold_no_more_than_they_cover() {
    let folder = tempfile::tempdir().unwrap();
    let (in_file, in_memory) = stack(folder.path(), 50);
    let job = rich(&in_file).resolve().unwrap();
    let sets: Vec<usize> = job.windows().flat_map(|window| window.unwrap().1).collect();
    assert_eq!(sets, (0..50).collect::<Vec<_>>());
    assert_eq!(job.window(12..13).unwrap().data().response.len(), 3);
    let in_memory = rich(&in_memory).resolve().unwrap();
    assert_eq!(in_memory.window(12..13).unwrap().data().response.len(), 150);
}

#[test]
fn a_fault_deep_in_a_file_is_told_before_anything_runs() {
    let folder = tempfile::tempdir().unwrap();
    let (in_file, _) = stack(folder.path(), 50);
    let model = Model::parse("a*exp(-b*x)", &["a", "b"]).unwrap();
    let message = |data: &Data, guess: &str| {
        Sweep::new(&model, data).guess("a", guess).guess("b", "1").resolve().unwrap_err().to_string()
    };
    assert!(message(&in_file.clone().sigma("y - 9"), "1").contains("stack.npy, element"));
    assert!(message(&in_file.clone().response("log(y - 17)"), "1").contains("the response \"log(y - 17)\" is NaN"));
    assert!(message(&in_file, "y[5]").contains("index 5"));
}
