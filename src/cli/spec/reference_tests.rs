//! docs/spec.md, held against what the program reads and writes.

use super::read::KEYS;
use super::reader::RANGE;
use super::*;
use crate::engine::{Choice, Engine};
use crate::expr::{RowExpression, UnaryOp};
use crate::ngd::{Reason, Status};
use crate::stability::{Doubt, Verdict};

const REFERENCE: &str = include_str!("../../../docs/spec.md");

/// What stands between backticks in the first cell of the rows of tables.
fn first_cells() -> Vec<&'static str> {
    let rows = REFERENCE.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    rows.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect()
}

fn known(path: &str) -> bool {
    let (table, key) = path.rsplit_once('.').unwrap_or(("", path));
    KEYS.iter().any(|(name, keys)| *name == table && keys.contains(&key))
}

#[test]
fn every_key_that_is_read_stands_in_the_reference() {
    let cells = first_cells();
    for (table, keys) in KEYS {
        for key in keys {
            if table.is_empty() {
                let header = if *key == "step" { "## `[[step]]`".to_owned() } else { format!("## `[{key}]`") };
                assert!(REFERENCE.contains(&header), "{header}");
            } else {
                let path = format!("{table}.{key}");
                assert!(cells.contains(&path.as_str()), "{path}");
            }
        }
    }
    for key in RANGE {
        assert!(REFERENCE.contains(&format!("`{key}`")), "{key}");
    }
}

#[test]
fn every_key_that_stands_in_the_reference_is_read() {
    let tables: Vec<&str> = KEYS.iter().map(|(table, _)| *table).filter(|table| !table.is_empty()).collect();
    let mut keys = 0;
    for cell in first_cells() {
        if tables.iter().any(|table| cell.starts_with(&format!("{table}."))) {
            assert!(known(cell), "{cell}");
            keys += 1;
        }
    }
    assert!(keys > 30, "only {keys} keys were found");
}

/// Examples of one table stand for a whole spec with the rest of the first one.
#[test]
fn every_example_of_the_reference_is_a_spec() {
    let examples: Vec<&str> =
        REFERENCE.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(examples.len() >= 7, "only {} examples were found", examples.len());
    let tables = |text: &str| -> Vec<(String, String)> {
        let blocks = format!("\n{text}").replace("\n[", "\n\u{0}[");
        let blocks = blocks.split('\u{0}').skip(1);
        blocks.map(|block| (block.split(']').next().unwrap().to_owned(), block.to_owned())).collect()
    };
    let first = tables(examples[0]);
    for example in examples {
        let own = tables(example);
        let mut text = example.to_owned();
        for (name, block) in &first {
            if !own.iter().any(|(table, _)| table == name) {
                text += block;
            }
        }
        let request = read_spec(Path::new("spec.toml"), &text).map_err(|failure| failure.message);
        assert!(request.is_ok(), "{request:?}\n{text}");
    }
}

#[test]
fn every_function_of_the_reference_is_one_and_none_is_left_out() {
    let cells = first_cells();
    for op in UnaryOp::NAMED {
        assert!(cells.contains(&op.name()), "{}", op.name());
    }
    let called = ["pow(a, b)", "atan2(y, x)", "min(x)", "max(x)", "mean(x)", "median(x)", "sum(x)", "first(x)"];
    let others = ["last(x)", "x[i]", "count(x)", "argmin(x)", "argmax(x)"];
    for call in called.into_iter().chain(others) {
        assert!(cells.contains(&call), "{call}");
        RowExpression::parse(&call.replace("[i]", "[-1]")).unwrap();
    }
}

#[test]
fn every_column_status_and_reason_stands_in_the_reference() {
    let text = "model = { expression = \"a*x\", parameters = [\"a\"] }\nstart = { values = { a = 1 } }\n\
                data = { file = \"misra1a.csv\" }\n";
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/spec.toml");
    let Ok(job) = read_spec(Path::new(folder), text).and_then(|request| request.resolve()) else {
        panic!("the example is not read");
    };
    let engine = Engine::open(Choice::Cpu).unwrap();
    let outcome = engine.run_job(&job, 0..0, &mut |_| std::ops::ControlFlow::Continue(())).unwrap();
    let mut header = Vec::new();
    crate::report::write_csv(&outcome, &mut header).unwrap();
    let header = String::from_utf8(header).unwrap();
    let columns = header.trim().strip_suffix(",a,a_se").unwrap().split(',');
    let words = Status::ALL.iter().map(|status| status.name());
    let reasons = [Reason::Loss, Reason::Gradient, Reason::Change, Reason::Rounding].map(Reason::name);
    let options = crate::stability::StabilityOptions::default();
    let points = crate::stability::Minimiser::of_starts(&job);
    let certificates = engine.certify_points(&job, &points, &options).unwrap().certificates;
    let object = serde_json::to_value(&certificates[0]).unwrap();
    let of_filter = object["filters"][0].as_object().unwrap().keys();
    let checks = object["checks"].as_object().unwrap().keys();
    let keys = object.as_object().unwrap().keys().chain(of_filter).chain(checks).map(String::as_str);
    let verdicts = [Verdict::Holds, Verdict::RowSpaceOnly, Verdict::DoesNotApply].map(Verdict::name);
    let doubts = [Doubt::ResidualNotZero, Doubt::NotStationary, Doubt::RankZero, Doubt::RankGap, Doubt::Precision];
    let words = words.chain(keys).chain(verdicts).chain(doubts.map(Doubt::name));
    for word in columns.chain(words).chain(reasons) {
        assert!(REFERENCE.contains(&format!("`{word}`")), "{word}");
    }
}
