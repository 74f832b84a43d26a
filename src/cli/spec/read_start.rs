//! The starts of a spec: values, guesses, a file and random draws.

use std::path::PathBuf;

use super::read::{keys, named_numbers};
use super::reader::{Table, Value};
use super::{Failure, ModelRequest, StartRequest};
use crate::expr::{RowExpression, did_you_mean};
use crate::starts::{Distribution, Initialisation, Initialiser, Spacing, StartRange};
use crate::sweep::{Draw, RandomStarts};

pub(super) fn read_start(table: Table<'_>, model: &ModelRequest) -> Result<StartRequest, Failure> {
    table.only(keys("start"))?;
    let mut start = StartRequest::default();
    if let Some(values) = table.get("start.values") {
        let sets = values.list_or_one();
        if sets.is_empty() {
            return Err(values.fail("the list is empty; give at least one start or leave the key out"));
        }
        for values in sets {
            for (name, value) in values.table()?.entries("start.values") {
                check_parameter(&name, &value, model)?;
            }
            start.values.push(named_numbers(&values)?);
        }
    }
    if let Some(guess) = table.get("start.guess") {
        for (name, value) in guess.table()?.entries("start.guess") {
            check_parameter(&name, &value, model)?;
            let text = if value.is_text() { value.text()?.to_owned() } else { format!("{:?}", value.number()?) };
            RowExpression::parse(&text).map_err(|error| value.fail(error))?;
            start.guesses.push((name, text));
        }
    }
    if let Some(file) = table.get("start.file") {
        start.file = Some(PathBuf::from(file.text()?));
    }
    start.random = table.get("start.random").map(|random| read_random(random.table()?, model)).transpose()?;
    Ok(start)
}

fn read_random(table: Table<'_>, model: &ModelRequest) -> Result<RandomStarts, Failure> {
    const EXAMPLE: &str = "random = { distribution = \"normal\", scale = 0.5, seeds = { from = 0, count = 1000 } }";
    table.only(keys("start.random"))?;
    let seeds = read_seeds(&table.require("start.random.seeds", EXAMPLE)?)?;
    if let Some(ranges) = table.get("start.random.ranges") {
        let others = ["distribution", "scale", "initialiser", "gain", "zero_output"];
        if let Some(other) = others.iter().find_map(|key| table.get(&format!("start.random.{key}"))) {
            return Err(other.fail("ranges say themselves how starts are drawn; leave this key or ranges out"));
        }
        return Ok(RandomStarts { draw: Draw::Ranges(read_ranges(&ranges, model)?), seeds });
    }
    if let ModelRequest::Network(_) = model {
        let initialisation = read_initialisation(&table, "start.random")?;
        return Ok(RandomStarts { draw: Draw::Initialised(initialisation), seeds });
    }
    for key in ["initialiser", "gain", "zero_output"] {
        if let Some(other) = table.get(&format!("start.random.{key}")) {
            return Err(other.fail("only a network has layers to initialise; give distribution and scale, or ranges"));
        }
    }
    let distribution = table.require("start.random.distribution", EXAMPLE)?.word(&DISTRIBUTIONS)?;
    let scale = read_positive(&table.require("start.random.scale", EXAMPLE)?)?;
    Ok(RandomStarts { draw: Draw::Scaled { distribution, scale }, seeds })
}

const DISTRIBUTIONS: [(&str, Distribution); 2] = [("normal", Distribution::Normal), ("uniform", Distribution::Uniform)];

/// How a network's parameters are drawn: `initialiser` with `gain`, or `scale` alone.
pub(super) fn read_initialisation(table: &Table<'_>, path: &str) -> Result<Initialisation, Failure> {
    let key = |key: &str| format!("{path}.{key}");
    let (gain, scale) = (table.get(&key("gain")), table.get(&key("scale")));
    let positive = |value: &Option<Value<'_>>| value.as_ref().map_or(Ok(1.0), read_positive);
    let words = [
        ("xavier", Initialiser::Xavier { gain: positive(&gain)? }),
        ("he", Initialiser::He { gain: positive(&gain)? }),
        ("normal", Initialiser::Normal { scale: positive(&scale)? }),
    ];
    let initialiser = match table.get(&key("initialiser")) {
        Some(word) => word.word(&words)?,
        None if scale.is_some() => words[2].1,
        None => words[0].1,
    };
    let (meaningless, instead) = match initialiser {
        Initialiser::Normal { .. } => (gain, "scale"),
        _ => (scale, "gain"),
    };
    if let Some(value) = meaningless {
        return Err(value.fail(format!("this initialiser has no such number; it goes by {instead}")));
    }
    Ok(Initialisation {
        initialiser,
        distribution: match table.get(&key("distribution")) {
            Some(word) => word.word(&DISTRIBUTIONS)?,
            None => Distribution::Normal,
        },
        zero_output: table.get(&key("zero_output")).map_or(Ok(false), |flag| flag.flag())?,
    })
}

fn read_positive(value: &Value<'_>) -> Result<f64, Failure> {
    match value.number()? {
        number if number > 0.0 => Ok(number),
        number => Err(value.fail(format!("{number} is not positive; give a number above 0"))),
    }
}

/// `{ from = 0, count = 1000 }`.
pub(super) fn read_seeds(value: &Value<'_>) -> Result<std::ops::Range<u64>, Failure> {
    let table = value.table()?;
    let key = |key: &str| format!("{}.{key}", value.path);
    table.only(keys("start.random.seeds"))?;
    let from = table.get(&key("from")).map_or(Ok(0), |from| from.count(i64::MAX as u64))?;
    let count = table.require(&key("count"), "seeds = { from = 0, count = 1000 }")?;
    match count.count(u64::from(u32::MAX))? {
        0 => Err(count.fail("no seeds make an empty grid; give at least 1")),
        number => Ok(from..from + number),
    }
}

fn read_ranges(ranges: &Value<'_>, model: &ModelRequest) -> Result<Vec<(String, StartRange)>, Failure> {
    let read = |(name, value): (String, Value<'_>)| {
        check_parameter(&name, &value, model)?;
        let range = read_range(&value)?;
        match range.problem() {
            Some(problem) => Err(value.fail(format!("the range {range} cannot be drawn from: {problem}"))),
            None => Ok((name, range)),
        }
    };
    ranges.table()?.entries("start.random.ranges").into_iter().map(read).collect()
}

/// `[0, 10]`, or `{ from = 0.1, to = 2, spacing = "log" }`.
fn read_range(value: &Value<'_>) -> Result<StartRange, Failure> {
    const EXAMPLE: &str = "[0, 10] or { from = 0.1, to = 2, spacing = \"log\" }";
    if value.is_table() {
        let table = value.table()?;
        table.only(keys("start.random.ranges.NAME"))?;
        let path = |key: &str| format!("{}.{key}", value.path);
        let words = [("linear", Spacing::Linear), ("log", Spacing::Log)];
        return Ok(StartRange {
            from: table.require(&path("from"), EXAMPLE)?.number()?,
            to: table.require(&path("to"), EXAMPLE)?.number()?,
            spacing: table.get(&path("spacing")).map_or(Ok(Spacing::Linear), |spacing| spacing.word(&words))?,
        });
    }
    match value.list_or_one().as_slice() {
        [from, to] => Ok(StartRange { from: from.number()?, to: to.number()?, spacing: Spacing::Linear }),
        _ => Err(value.fail(format!("a range has two ends; write {EXAMPLE}"))),
    }
}

fn check_parameter(name: &str, value: &Value<'_>, model: &ModelRequest) -> Result<(), Failure> {
    if model.parameters().iter().any(|parameter| parameter == name) {
        return Ok(());
    }
    if let Some((_, held)) = model.constants().iter().find(|(constant, _)| constant == name) {
        return Err(value.fail(format!("{name:?} is held at {held} by model.constants; leave it out of one of them")));
    }
    let known: Vec<&str> = model.parameters().iter().map(String::as_str).collect();
    let mend = match (did_you_mean(name, &known), known.as_slice()) {
        (Some(near), _) => format!("did you mean {near:?}?"),
        (None, [first, .., last]) if known.len() > 20 => {
            format!("the {} parameters are {first} to {last}", known.len())
        }
        (None, _) => format!("the parameters are {}", known.join(", ")),
    };
    Err(value.fail(format!("{name:?} is not a parameter; {mend}")))
}
