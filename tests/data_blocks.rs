//! Data that come block by block: the results of one run over all of them, counted on.

use std::ops::ControlFlow;

use natgrad::data::{Data, Key};
use natgrad::{Choice, Engine, Model, Outcome, Sweep};

const POINTS: usize = 8;

fn value(set: usize, x: usize) -> f32 {
    ((100 + set) as f64 * (-(0.1 + 0.01 * (set % 7) as f64) * x as f64).exp() + 0.01 * ((set * 8 + x) % 5) as f64)
        as f32
}

/// The data sets of a range.
fn block(sets: std::ops::Range<usize>) -> Data {
    let count = sets.len();
    let values: Vec<f32> = sets.flat_map(|set| (0..POINTS).map(move |x| value(set, x))).collect();
    Data::from_array(&values, &[count, POINTS], &["set", "x"]).unwrap()
}

fn sweep(data: &Data) -> Sweep {
    let model = Model::parse("a*exp(-k*x)", &["a", "k"]).unwrap();
    Sweep::new(&model, data).guess("a", "max(y)").start_named([("k", 0.2)]).start([90.0, 0.3])
}

fn bits(outcome: &Outcome) -> Vec<(u64, usize, usize, Vec<u64>)> {
    let of = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect();
    outcome.iter().map(|p| (p.index(), p.set(), p.start_index(), of(p.parameters()))).collect()
}

#[test]
fn blocks_give_the_bits_and_the_numbers_of_one_run_over_all() {
    let engine = Engine::open(Choice::Cpu).unwrap();
    let whole = engine.run(&sweep(&block(0..100))).unwrap();
    let mut found = Vec::new();
    let blocks = [0..1, 1..40, 40..100].map(block);
    let problems = engine.run_each(&sweep(&blocks[0]), blocks, |outcome| {
        found.extend(bits(&outcome));
        ControlFlow::Continue(())
    });
    assert_eq!(problems.unwrap(), 200);
    assert!(found == bits(&whole));
}

#[test]
fn keys_are_those_of_the_block_and_are_written_with_its_results() {
    let engine = Engine::open(Choice::Cpu).unwrap();
    let of = |cells: &str| {
        let rows: String = cells.chars().flat_map(|cell| (0..3).map(move |x| format!("{cell},{x},{x}.5\n"))).collect();
        Data::from_reader("a.csv", format!("cell,x,y\n{rows}").as_bytes()).unwrap().group_by(&["cell"])
    };
    let blocks = [of("ab"), of("cd")];
    let model = Model::parse("a*x", &["a"]).unwrap();
    let mut lines = Vec::new();
    let sweep = Sweep::new(&model, &blocks[0]).start([1.0]);
    engine
        .run_each(&sweep, blocks, |outcome| {
            let key = &outcome.context().keys[0];
            let names = outcome.iter().map(|problem| (problem.set(), key.get(problem.set()).to_string()));
            assert!(outcome.iter().all(|problem| matches!(key.get(problem.set()), Key::Text(_))));
            lines.extend(names);
            let mut csv = Vec::new();
            natgrad::report::write_csv(&outcome, &mut csv).unwrap();
            let csv = String::from_utf8(csv).unwrap();
            let (set, cell) = lines.last().unwrap();
            assert!(csv.lines().last().unwrap().starts_with(&format!("{set},{set},{cell},")), "{csv}");
            ControlFlow::Continue(())
        })
        .unwrap();
    let expected = [(0, "a"), (1, "b"), (2, "c"), (3, "d")].map(|(set, cell)| (set, cell.to_owned()));
    assert_eq!(lines, expected);
}

#[test]
fn breaking_off_asks_for_no_further_block() {
    let engine = Engine::open(Choice::Cpu).unwrap();
    let mut made = 0;
    let blocks = (0..10).map(|k| {
        made += 1;
        block(k * 3..k * 3 + 3)
    });
    let problems = engine.run_each(&sweep(&block(0..1)), blocks, |outcome| {
        if outcome.problem(0).set() == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!((problems.unwrap(), made), (12, 2));
}

#[test]
fn an_array_of_starts_is_dealt_out_to_the_blocks_and_has_to_reach() {
    let engine = Engine::open(Choice::Cpu).unwrap();
    let model = Model::parse("a*exp(-k*x)", &["a", "k"]).unwrap();
    let starts: Vec<f64> = (0..10).flat_map(|set| [90.0 + f64::from(set), 0.1]).collect();
    let sweep = |starts: &[f64]| Sweep::new(&model, &block(0..1)).starts_from_array(starts.to_vec());
    let mut found = Vec::new();
    let mut see = |outcome: Outcome| {
        found.extend(outcome.iter().flat_map(|problem| problem.start().to_vec()));
        ControlFlow::Continue(())
    };
    engine.run_each(&sweep(&starts), [0..4, 4..10].map(block), &mut see).unwrap();
    assert_eq!(found, starts);
    let error = engine.run_each(&sweep(&starts[..18]), [0..4, 4..10].map(block), |_| ControlFlow::Continue(()));
    let message = error.unwrap_err().to_string();
    assert!(message.contains("has the shape [18], but 10 data sets and 2 parameters need [10, 2]"), "{message}");
}
