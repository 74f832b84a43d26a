use super::*;

fn candidate(name: &str, code: usize) -> Candidate {
    Candidate { name: name.to_owned(), code, worth: Worth::Everywhere }
}

fn timing(compile: f64, run: f64) -> Timing {
    let (first, best) = (Duration::from_secs_f64(compile + run), Duration::from_secs_f64(run));
    Timing { first, best, count: 10 }
}

/// A tuner that knows no file and no environment.
fn tuner(device: &str, tuning: Tuning) -> Tuner {
    let state = State { tuning, named: Vec::new(), chosen: BTreeMap::new() };
    Tuner {
        device: device.to_owned(),
        compiles_little: false,
        is_cpu: false,
        patience: PATIENCE,
        file: None,
        state: Mutex::new(state),
    }
}

fn ok(timing: Timing) -> Result<Timing, DeviceError> {
    Ok(timing)
}

fn never(_: usize) -> Result<Timing, DeviceError> {
    panic!("nothing is to be measured")
}

#[test]
fn the_fastest_wins_and_every_time_is_kept() {
    let candidates = [candidate("wide", 100), candidate("narrow", 10), candidate("odd", 20)];
    let found = measured(&candidates, vec![0, 1, 2], PATIENCE, |k| ok(timing(0.0, [3.0, 2.0, 4.0][k]))).unwrap();
    assert_eq!(found.mapping, "narrow");
    let seconds = [("narrow", 0.2), ("odd", 0.4), ("wide", 0.3)];
    assert_eq!(found.seconds, seconds.map(|(name, seconds)| (name.to_owned(), Some(seconds))).into());
}

#[test]
fn what_would_compile_for_minutes_is_not_tried() {
    // By what the second one takes, 32 times its code takes 32 times as long.
    let candidates = [candidate("small", 10), candidate("double", 20), candidate("huge", 640)];
    let mut tried = Vec::new();
    let found = measured(&candidates, vec![0, 1, 2], PATIENCE, |k| {
        tried.push(k);
        ok(timing(0.2, [3.0, 2.0, 0.1][k]))
    });
    assert_eq!((tried, found.unwrap().seconds["huge"]), (vec![0, 1, 2], Some(0.01)));
    let found = measured(&candidates, vec![0, 1, 2], PATIENCE, |k| ok(timing([0.2, 2.0, 99.0][k], [3.0, 2.0, 0.1][k])))
        .unwrap();
    assert_eq!((&*found.mapping, found.seconds["huge"]), ("double", None));
    // A matrix of one column has no pair to rotate, and code of no multiply-add.
    let candidates = [candidate("nothing", 0), candidate("loops", 300)];
    let found = measured(&candidates, vec![0, 1], PATIENCE, |k| ok(timing(1.0, [2.0, 3.0][k]))).unwrap();
    assert_eq!((&*found.mapping, found.seconds["loops"]), ("nothing", None));
    let candidates = [candidate("small", 10), candidate("double", 20), candidate("huge", 640)];
    // Where nothing was compiled, it was done before: nothing speaks against it.
    let found = measured(&candidates, vec![0, 1, 2], PATIENCE, |k| ok(timing(0.001, [3.0, 2.0, 0.1][k]))).unwrap();
    assert_eq!(found.mapping, "huge");
}

#[test]
fn a_shape_is_measured_once_in_a_process_and_the_choice_holds_for_other_devices_of_the_adapter() {
    let candidates = [candidate("a", 1), candidate("b", 1)];
    let (one, other) = (tuner("adapter 1", Tuning::Measured), tuner("adapter 1", Tuning::Measured));
    assert_eq!(one.choose("once", "3x3", &candidates, |k| ok(timing(0.0, [2.0, 1.0][k]))).unwrap(), 1);
    assert_eq!(one.choose("once", "3x3", &candidates, never).unwrap(), 1);
    assert_eq!(other.choose("once", "3x3", &candidates, never).unwrap(), 1);
    let chosen = &other.chosen()[0];
    assert_eq!((&*chosen.operation, &*chosen.mapping, chosen.by), ("once 3x3", "b", ChosenBy::Measurement));
    assert_eq!(chosen.seconds["a"], Some(0.2));
    // Another adapter, and another shape, are measured for themselves.
    let elsewhere = tuner("adapter 2", Tuning::Measured);
    assert_eq!(elsewhere.choose("once", "3x3", &candidates, |k| ok(timing(0.0, [1.0, 2.0][k]))).unwrap(), 0);
    assert_eq!(one.choose("once", "4x4", &candidates, |k| ok(timing(0.0, [1.0, 2.0][k]))).unwrap(), 0);
}

#[test]
fn what_is_named_is_taken_and_nothing_is_measured() {
    let candidates = [candidate("a", 1), candidate("b", 1), candidate("c", 1)];
    let tuner = tuner("adapter 3", Tuning::Measured);
    tuner.pin("svd", "b");
    tuner.pin("svd 3x3", "c");
    assert_eq!(tuner.choose("svd", "4x4", &candidates, never).unwrap(), 1);
    assert_eq!(tuner.choose("svd", "3x3", &candidates, never).unwrap(), 2);
    assert!(tuner.chosen().iter().all(|chosen| chosen.by == ChosenBy::Pin && chosen.seconds.is_empty()));
    // A pin holds from then on, also where something was chosen before.
    tuner.pin("svd 4x4", "a");
    assert_eq!(tuner.choose("svd", "4x4", &candidates, never).unwrap(), 0);
    tuner.pin("svd 4x4", "d");
    let error = tuner.choose("svd", "4x4", &candidates, never).unwrap_err().to_string();
    assert_eq!(error, "svd 4x4 has no mapping \"d\": there are a, b, c");
}

#[test]
fn without_tuning_or_an_alternative_the_rules_choice_is_taken() {
    let candidates = [candidate("a", 1), candidate("b", 1)];
    let preset = tuner("adapter 4", Tuning::Preset);
    assert_eq!(preset.choose("svd", "3x3", &candidates, never).unwrap(), 0);
    let measured = tuner("adapter 4", Tuning::Measured);
    assert_eq!(measured.choose("svd", "3x3", &candidates[..1], never).unwrap(), 0);
    assert_eq!(measured.chosen()[0].by, ChosenBy::Rule);
}

#[test]
fn a_driver_that_compiles_little_is_given_little_and_if_there_is_no_little_the_last() {
    let tuner = Tuner { compiles_little: true, ..tuner("adapter 5", Tuning::Measured) };
    let candidates = [candidate("long", LITTLE + 1), candidate("short", LITTLE)];
    assert_eq!(tuner.choose("svd", "3x3", &candidates, never).unwrap(), 1);
    // What is slow everywhere else is for these alone.
    let candidates = [candidate("long", LITTLE + 1), Candidate { worth: Worth::LastResort, ..candidate("looped", 9) }];
    assert_eq!(tuner.choose("svd", "5x5", &candidates, never).unwrap(), 1);
    let other = super::tests::tuner("adapter 8", Tuning::Measured);
    assert_eq!(other.choose("svd", "5x5", &candidates, never).unwrap(), 0);
    let candidates = [candidate("longest", 9 * LITTLE), candidate("long", LITTLE + 1)];
    assert_eq!(tuner.choose("svd", "4x4", &candidates, never).unwrap(), 1);
}

#[test]
fn barriers_are_tried_where_they_are_cheap_and_anywhere_if_asked_for() {
    let candidates = [candidate("lane", 9), Candidate { worth: Worth::CheapBarriers, ..candidate("group", 1) }];
    let gpu = tuner("adapter 9", Tuning::Measured);
    assert_eq!(gpu.choose("svd", "6x6", &candidates, |k| ok(timing(0.0, [2.0, 1.0][k]))).unwrap(), 1);
    let cpu = Tuner { is_cpu: true, ..tuner("adapter 10", Tuning::Measured) };
    assert_eq!(cpu.choose("svd", "6x6", &candidates, never).unwrap(), 0);
    cpu.pin("svd", "group");
    assert_eq!(cpu.choose("svd", "6x6", &candidates, never).unwrap(), 1);
}

#[test]
fn private_memory_is_for_cpus_that_play_the_device() {
    let candidates = [candidate("lane", 9), Candidate { worth: Worth::CpusOnly, ..candidate("private", 1) }];
    let gpu = tuner("adapter 11", Tuning::Measured);
    assert_eq!(gpu.choose("svd", "20x20", &candidates, never).unwrap(), 0);
    let cpu = Tuner { is_cpu: true, ..tuner("adapter 12", Tuning::Measured) };
    assert_eq!(cpu.choose("svd", "20x20", &candidates, |k| ok(timing(0.0, [2.0, 1.0][k]))).unwrap(), 1);
}

#[test]
fn what_was_measured_between_fewer_ways_is_measured_again() {
    let candidates = [candidate("a", 1), candidate("b", 1), candidate("c", 1)];
    let earlier = tuner("adapter 13", Tuning::Measured);
    assert_eq!(earlier.choose("grown", "3x3", &candidates[..2], |k| ok(timing(0.0, [1.0, 2.0][k]))).unwrap(), 0);
    let later = tuner("adapter 13", Tuning::Measured);
    assert_eq!(later.choose("grown", "3x3", &candidates, |k| ok(timing(0.0, [2.0, 3.0, 1.0][k]))).unwrap(), 2);
    let again = tuner("adapter 13", Tuning::Measured);
    assert_eq!(again.choose("grown", "3x3", &candidates, never).unwrap(), 2);
}

#[test]
fn where_compiling_holds_up_other_threads_less_of_it_is_risked() {
    let candidates = [candidate("short", 1), candidate("long", 10)];
    // A second for the short one promises ten for the other, which would be worth it.
    let all = |k: usize| ok(timing([1.0, 10.0][k], [2.0, 1.0][k]));
    assert_eq!(measured(&candidates, vec![0, 1], PATIENCE, all).unwrap().mapping, "long");
    let found = measured(&candidates, vec![0, 1], PATIENCE_OF_GL, all).unwrap();
    assert_eq!((&*found.mapping, found.seconds["long"]), ("short", None));
}

#[test]
fn an_error_while_measuring_is_passed_on_and_nothing_is_chosen() {
    let candidates = [candidate("a", 1), candidate("b", 1)];
    let tuner = tuner("adapter 6", Tuning::Measured);
    let lost = |_| Err(DeviceError::Lost { reason: "unplugged".to_owned() });
    assert!(tuner.choose("svd", "3x3", &candidates, lost).is_err());
    assert!(tuner.chosen().is_empty());
    assert_eq!(tuner.choose("svd", "3x3", &candidates, |k| ok(timing(0.0, [2.0, 1.0][k]))).unwrap(), 1);
}

#[test]
fn what_another_process_measured_is_found_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = Some(folder.path().join("mappings.json"));
    let candidates = [candidate("a", 1), candidate("b", 1)];
    let first = Tuner { file: file.clone(), ..tuner("adapter 7", Tuning::Measured) };
    assert_eq!(first.choose("svd", "3x3", &candidates, |k| ok(timing(0.0, [2.0, 1.0][k]))).unwrap(), 1);
    // As another process: nothing in memory.
    locked(&KNOWN).remove("adapter 7");
    let second = Tuner { file, ..tuner("adapter 7", Tuning::Measured) };
    assert_eq!(second.choose("svd", "3x3", &candidates, never).unwrap(), 1);
    assert_eq!(first.chosen(), second.chosen());
    // A winner that there is no more is not believed.
    locked(&KNOWN).remove("adapter 7");
    let third = Tuner { file: second.file, ..tuner("adapter 7", Tuning::Measured) };
    let fewer = [candidate("a", 1), candidate("c", 1)];
    assert_eq!(third.choose("svd", "3x3", &fewer, |k| ok(timing(0.0, [1.0, 2.0][k]))).unwrap(), 0);
}

#[test]
fn the_file_keeps_what_others_wrote_and_nonsense_in_it_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/mappings.json");
    let measured = |mapping: &str| Measured {
        mapping: mapping.to_owned(),
        seconds: [("a".to_owned(), Some(1e-6)), ("b".to_owned(), None)].into(),
    };
    for (device, operation, mapping) in [("one", "svd 3x3", "a"), ("one", "svd 4x4", "b"), ("two", "svd 3x3", "b")] {
        cache::add(&path, device, operation, &measured(mapping)).unwrap();
    }
    let read = cache::read(&path);
    assert_eq!(read["one"]["svd 3x3"], measured("a"));
    assert_eq!(read["one"]["svd 4x4"], measured("b"));
    assert_eq!(read["two"]["svd 3x3"], measured("b"));
    for nonsense in ["", "{\"one\": 3}", "\0"] {
        std::fs::write(&path, nonsense).unwrap();
        assert!(cache::read(&path).is_empty());
        cache::add(&path, "one", "svd 3x3", &measured("a")).unwrap();
        assert_eq!(cache::read(&path)["one"]["svd 3x3"], measured("a"));
    }
    assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing unfinished is left");
}
