//! The starts of a spec: values, guesses, a file and random draws.

use std::path::PathBuf;

use super::read::{keys, named_numbers};
use super::reader::{Table, Value};
use super::{Failure, ModelRequest, StartRequest};
use crate::expr::{RowExpression, did_you_mean};
use crate::starts::{Distribution, Spacing, StartRange};
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
    let seeds = table.require("start.random.seeds", EXAMPLE)?.table()?;
    seeds.only(keys("start.random.seeds"))?;
    let from = seeds.get("start.random.seeds.from").map_or(Ok(0), |from| from.count(i64::MAX as u64))?;
    let count = seeds.require("start.random.seeds.count", EXAMPLE)?;
    let number = count.count(u64::from(u32::MAX))?;
    if number == 0 {
        return Err(count.fail("no seeds make an empty grid; give at least 1"));
    }
    let seeds = from..from + number;
    if let Some(ranges) = table.get("start.random.ranges") {
        let other = table.get("start.random.distribution").or_else(|| table.get("start.random.scale"));
        if let Some(other) = other {
            return Err(other.fail("ranges say themselves how starts are drawn; leave this key or ranges out"));
        }
        return Ok(RandomStarts { draw: Draw::Ranges(read_ranges(&ranges, model)?), seeds });
    }
    let words = [("normal", Distribution::Normal), ("uniform", Distribution::Uniform)];
    let distribution = table.require("start.random.distribution", EXAMPLE)?.word(&words)?;
    let value = table.require("start.random.scale", EXAMPLE)?;
    let scale = value.number()?;
    if scale <= 0.0 {
        return Err(value.fail(format!("{scale} is not positive; give a scale above 0")));
    }
    Ok(RandomStarts { draw: Draw::Scaled { distribution, scale }, seeds })
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
    if model.parameters.iter().any(|parameter| parameter == name) {
        return Ok(());
    }
    if let Some((_, held)) = model.constants.iter().find(|(constant, _)| constant == name) {
        return Err(value.fail(format!("{name:?} is held at {held} by model.constants; leave it out of one of them")));
    }
    let known: Vec<&str> = model.parameters.iter().map(String::as_str).collect();
    let mend = match did_you_mean(name, &known) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("the parameters are {}", known.join(", ")),
    };
    Err(value.fail(format!("{name:?} is not a parameter; {mend}")))
}
