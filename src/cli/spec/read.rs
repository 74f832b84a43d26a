//! A sweep's spec, from TOML.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use super::read_data::read_data;
use super::read_model::read_model;
use super::read_stability::read_stability;
use super::read_start::read_start;
use super::reader::{Source, Table, Value};
use super::{Failure, Keep, ModelRequest, Origin, OutputRequest, PrecisionChoice, Request, SavingRequest, TextForm};
use crate::ngd::{Damping, Filter, Scaling, Stop};
use crate::sweep::{Detail, History, Reduction, SizeUnit, StepBlock};

/// Every key that a spec may have, table by table. What a table may hold is looked up here and nowhere else, so that
/// the reference in docs/spec.md can be held against it.
pub(super) const KEYS: [(&str, &[&str]); 23] = [
    ("", &["model", "data", "start", "step", "loss", "stop", "history", "run", "output", "stability"]),
    ("model", &["expression", "parameters", "constants", "network"]),
    ("model.network", &["layers", "activation", "parametrisation", "output_bias", "inputs"]),
    ("data", &["file", "axes", "builtin", "response", "sigma", "group", "missing", "columns", "errors"]),
    ("data.builtin", &["chebyshev", "teacher"]),
    ("data.builtin.chebyshev", &["degree", "points"]),
    ("data.builtin.teacher", TEACHER),
    ("data.builtin.teacher.seeds", &["from", "count"]),
    ("start", &["values", "guess", "file", "random"]),
    ("start.random", &["distribution", "scale", "initialiser", "gain", "zero_output", "ranges", "seeds"]),
    ("start.random.ranges.NAME", &["from", "to", "spacing"]),
    ("start.random.seeds", &["from", "count"]),
    ("step", &["method", "size", "size_unit", "damping", "filter", "scaling", "cutoff", "momentum"]),
    ("step.filter", &["fixed_rank", "residual_scaled"]),
    ("step.filter.residual_scaled", &["factor", "power"]),
    ("stop", &["steps", "loss", "initial_loss", "gradient", "change", "tests"]),
    ("history", &["every", "parameters", "hessian_sharpness"]),
    ("run", &["device", "precision", "verify", "require_converged", "part", "save_every"]),
    ("loss", &["reduction"]),
    ("output", &["keep", "detail", "formats", "curves", "parameters"]),
    ("stability", STABILITY),
    ("stability.filters", &["filter", "damping", "momentum"]),
    ("stability.map", &["step_sizes", "dampings"]),
];

const TEACHER: &[&str] =
    &["layers", "activation", "output_bias", "initialiser", "gain", "scale", "points", "seeds", "noise"];

const STABILITY: &[&str] = &[
    "points",
    "step_sizes",
    "filters",
    "scaling",
    "cutoff",
    "perturbation",
    "directions",
    "steps",
    "residual",
    "margin",
    "map",
];

/// The keys of one table.
pub(super) fn keys(table: &str) -> &'static [&'static str] {
    KEYS.iter().find(|(name, _)| *name == table).map_or(&[], |(_, keys)| keys)
}

/// Reads a spec; `path` names it in messages, and its folder is where relative paths start.
pub(in super::super) fn read_spec(path: &Path, text: &str) -> Result<Request, Failure> {
    let name = path.display().to_string();
    let source = Source { name: &name, text };
    let document = DeTable::parse(text).map_err(|error| source.syntax(&error))?;
    let root = Table::root(&source, &document);
    root.only(keys(""))?;
    let model = read_model(root.require("model", "a [model] table with expression and parameters")?.table()?)?;
    let data = read_data(root.require("data", "a [data] table with file")?.table()?)?;
    let start = root.get("start").map(|start| read_start(start.table()?, &model)).transpose()?;
    let reduction = root.get("loss").map(|loss| read_loss(loss.table()?)).transpose()?;
    let blocks = match root.get("step") {
        Some(steps) => steps.list_or_one().iter().map(|step| read_step(step.table()?)).collect::<Result<_, _>>()?,
        None => vec![StepBlock::default()],
    };
    let stop = root.get("stop").map(|stop| read_stop(stop.table()?)).transpose()?;
    let history = root.get("history").map(|history| read_history(history.table()?)).transpose()?;
    let mut request = Request {
        model,
        data,
        start: start.unwrap_or_default(),
        blocks,
        reduction: reduction.unwrap_or_default(),
        stop: stop.unwrap_or_default(),
        history: history.unwrap_or_default(),
        device: None,
        precision: PrecisionChoice::Auto,
        verify: None,
        require_converged: None,
        saving: SavingRequest::default(),
        output: root.get("output").map_or(Ok(OutputRequest::default()), |output| read_output(output.table()?))?,
        stability: root.get("stability").map(|table| read_stability(table.table()?)).transpose()?.unwrap_or_default(),
        folder: path.parent().map_or_else(PathBuf::new, Path::to_path_buf),
        origin: Origin::Spec { name: name.clone(), lines: expression_lines(&root)? },
    };
    if let Some(run) = root.get("run") {
        read_run(run.table()?, &mut request)?;
    }
    Ok(request)
}

/// The lines of the keys under which expressions stand.
fn expression_lines(root: &Table<'_>) -> Result<BTreeMap<String, usize>, Failure> {
    let mut lines = BTreeMap::new();
    for (table, keys) in [("model", &["expression"][..]), ("data", &["response", "sigma"]), ("start", &["guess"])] {
        let Some(table_value) = root.get(table) else { continue };
        for key in keys {
            let path = format!("{table}.{key}");
            let Some(value) = table_value.table()?.get(&path) else { continue };
            if value.is_table() {
                lines.extend(
                    value.table()?.entries(&path).into_iter().map(|(_, entry)| (entry.path.clone(), entry.line())),
                );
            } else {
                lines.insert(path, value.line());
            }
        }
    }
    Ok(lines)
}

fn read_run(run: Table<'_>, request: &mut Request) -> Result<(), Failure> {
    run.only(keys("run"))?;
    if let Some(device) = run.get("run.device") {
        request.device = Some(device.text()?.to_owned());
    }
    if let Some(precision) = run.get("run.precision") {
        request.precision = precision.word(&PrecisionChoice::WORDS)?;
    }
    if let Some(verify) = run.get("run.verify") {
        let count = verify.count(u64::from(u32::MAX))? as usize;
        if count > 0 && matches!(request.model, ModelRequest::Network(_)) {
            return Err(verify.fail("a network's parameters have no standard errors to compare in; leave the key out"));
        }
        request.verify = Some(count);
    }
    if let Some(share) = run.get("run.require_converged") {
        let number = share.number()?;
        if !(0.0..=1.0).contains(&number) {
            return Err(share.fail(format!("the share {number} is outside 0 to 1; write 0.99 for 99%")));
        }
        request.require_converged = Some(number);
    }
    if let Some(part) = run.get("run.part") {
        match part.count(u64::from(u32::MAX))? {
            0 => return Err(part.fail("a part of 0 problems holds none; give at least 1")),
            count => request.saving.part = Some(count),
        }
    }
    if let Some(seconds) = run.get("run.save_every") {
        let number = seconds.number()?;
        // Years of seconds are as good as never.
        if !(0.0..=1e9).contains(&number) {
            return Err(seconds.fail(format!("{number} seconds are outside 0 to 1e9; 0 saves after every chunk")));
        }
        request.saving.seconds = number;
    }
    Ok(())
}

fn read_output(output: Table<'_>) -> Result<OutputRequest, Failure> {
    output.only(keys("output"))?;
    let mut formats = Vec::new();
    if let Some(value) = output.get("output.formats") {
        for value in value.list_or_one() {
            // The Parquet file is always written; to name it is no mistake.
            let words = [("parquet", None), ("csv", Some(TextForm::Csv)), ("jsonl", Some(TextForm::Jsonl))];
            formats.extend(value.word(&words)?.filter(|form| !formats.contains(form)));
        }
    }
    Ok(OutputRequest {
        keep: output.get("output.keep").map_or(Ok(Keep::All), |keep| keep.word(&Keep::WORDS))?,
        detail: output.get("output.detail").map_or(Ok(Detail::Full), |detail| detail.word(&Detail::WORDS))?,
        formats,
        curves: output.get("output.curves").map_or(Ok(false), |curves| curves.flag())?,
        parameters: output.get("output.parameters").map_or(Ok(false), |parameters| parameters.flag())?,
    })
}

fn read_step(table: Table<'_>) -> Result<StepBlock, Failure> {
    table.only(keys("step"))?;
    let descends = match table.get("step.method") {
        Some(method) => method.word(&[("ngd", false), ("gd", true)])?,
        None => false,
    };
    let filter = match table.get("step.filter") {
        Some(value) if descends => return Err(value.fail("gradient descent has no filter; leave it out")),
        Some(value) => read_filter(&value)?,
        None if descends => Filter::Gradient,
        None => Filter::Exact,
    };
    let size = table.get("step.size");
    let sizes = size.as_ref().map_or(Ok(vec![1.0]), Value::axis)?;
    let dampings = match table.get("step.damping") {
        Some(damping) => nonempty(&damping, read_dampings(&damping)?)?,
        // Sizes ask for the step as it is, and so do filters that damp by themselves; without any, the adaptive rule
        // finds its own way.
        None if size.is_some() || !filter.takes_damping() => vec![Damping::Fixed(0.0)],
        None => vec![Damping::Adaptive],
    };
    if let Some(size) = &size {
        nonempty(size, sizes.clone())?;
        if let Some(bad) = sizes.iter().find(|&&size| size <= 0.0) {
            return Err(size.fail(format!("the step size {bad} is not positive; give sizes above 0")));
        }
        if dampings.contains(&Damping::Adaptive) && sizes.iter().any(|&size| size != 1.0) {
            return Err(size.fail(
                "adaptive damping sets the step itself, so its size is 1; put it in a [[step]] block of its own",
            ));
        }
    }
    if let Some(value) =
        table.get("step.filter").or_else(|| table.get("step.method")).filter(|_| !filter.takes_damping())
        && dampings != [Damping::Fixed(0.0)]
    {
        return Err(value.fail(format!(
            "the filter {} takes no damping beside; leave step.damping out",
            filter.name(Damping::Fixed(0.0))
        )));
    }
    Ok(StepBlock {
        unit: table.get("step.size_unit").map_or(Ok(SizeUnit::Absolute), |unit| read_unit(&unit, &dampings))?,
        momentum: table.get("step.momentum").map_or(Ok(0.0), |momentum| read_momentum(&momentum, &dampings))?,
        filter,
        scaling: match table.get("step.scaling") {
            Some(scaling) if descends && scaling.text()? == "columns" => {
                return Err(scaling.fail("gradient descent takes the plain J; leave the key out"));
            }
            Some(scaling) => Some(scaling.word(&[("columns", Scaling::Columns), ("none", Scaling::None)])?),
            None => None,
        },
        cutoff: table.get("step.cutoff").map(|cutoff| read_cutoff(&cutoff)).transpose()?,
        sizes,
        dampings,
    })
}

fn read_unit(value: &Value<'_>, dampings: &[Damping]) -> Result<SizeUnit, Failure> {
    let units = [SizeUnit::Absolute, SizeUnit::TwoOverSharpness].map(|unit| (unit.name(), unit));
    let unit = value.word(&units)?;
    if unit != SizeUnit::Absolute && dampings.contains(&Damping::Adaptive) {
        return Err(value.fail("adaptive damping sets the step itself; give step.size, in this unit"));
    }
    Ok(unit)
}

pub(super) fn read_momentum(value: &Value<'_>, dampings: &[Damping]) -> Result<f64, Failure> {
    let momentum = value.number()?;
    if !(0.0..1.0).contains(&momentum) {
        return Err(value.fail(format!("the momentum {momentum} is outside [0, 1); give 0 for none")));
    }
    if momentum != 0.0 && dampings.contains(&Damping::Adaptive) {
        return Err(value.fail("momentum does not go with adaptive damping; give step.damping a number, 0 or more"));
    }
    Ok(momentum)
}

fn read_dampings(value: &Value<'_>) -> Result<Vec<Damping>, Failure> {
    let numbers = if value.is_table() {
        value.axis()?.into_iter().map(Damping::Fixed).collect()
    } else {
        let one = |value: &Value<'_>| {
            if value.is_text() {
                value.word(&[("adaptive", Damping::Adaptive)])
            } else {
                value.number().map(Damping::Fixed)
            }
        };
        value.list_or_one().iter().map(one).collect::<Result<Vec<_>, _>>()?
    };
    for damping in &numbers {
        if let Damping::Fixed(epsilon) = damping
            && *epsilon < 0.0
        {
            return Err(value.fail(format!("the damping {epsilon} is negative; give 0 or more, or \"adaptive\"")));
        }
    }
    Ok(numbers)
}

pub(super) fn read_filter(value: &Value<'_>) -> Result<Filter, Failure> {
    if value.is_table() {
        let table = value.table()?;
        table.only(keys("step.filter"))?;
        if let Some(scaled) = table.get(&format!("{}.residual_scaled", value.path)) {
            return read_residual_scaled(&scaled);
        }
        let rank = table.require(&format!("{}.fixed_rank", value.path), "filter = { fixed_rank = 2 }")?;
        return match rank.count(u64::from(u32::MAX))? {
            0 => Err(rank.fail("a rank of 0 takes no step; give at least 1")),
            count => Ok(Filter::FixedRank(count as u32)),
        };
    }
    value.word(&[("exact", Filter::Exact), ("smooth", Filter::Smooth), ("residual_scaled", RESIDUAL_SCALED)])
}

/// ε = ‖e‖, where neither factor nor power is given.
const RESIDUAL_SCALED: Filter = Filter::ResidualScaled { factor: 1.0, power: 1.0 };

fn read_residual_scaled(value: &Value<'_>) -> Result<Filter, Failure> {
    let table = value.table()?;
    table.only(keys("step.filter.residual_scaled"))?;
    let key = |key: &str| format!("{}.{key}", value.path);
    let number = |key: &str, sound: fn(f64) -> bool, wanted: &str| match table.get(key) {
        None => Ok(1.0),
        Some(value) => match value.number()? {
            number if sound(number) => Ok(number),
            number => Err(value.fail(format!("{number} is not {wanted}, as ε = factor·‖e‖^power needs it"))),
        },
    };
    Ok(Filter::ResidualScaled {
        factor: number(&key("factor"), |factor| factor >= 0.0, "0 or more")?,
        power: number(&key("power"), |power| power > 0.0, "above 0")?,
    })
}

pub(super) fn read_cutoff(value: &Value<'_>) -> Result<f64, Failure> {
    let cutoff = value.number()?;
    if (0.0..1.0).contains(&cutoff) {
        Ok(cutoff)
    } else {
        Err(value.fail(format!("the cutoff {cutoff} is outside 0 to 1; it is relative to the largest singular value")))
    }
}

fn read_loss(table: Table<'_>) -> Result<Reduction, Failure> {
    table.only(keys("loss"))?;
    match table.get("loss.reduction") {
        Some(reduction) => reduction.word(&[("sum", Reduction::Sum), ("mean", Reduction::Mean)]),
        None => Ok(Reduction::Sum),
    }
}

fn read_stop(table: Table<'_>) -> Result<Stop, Failure> {
    table.only(keys("stop"))?;
    let mut stop = Stop::default();
    if let Some(steps) = table.get("stop.steps") {
        stop.steps = steps.count(u64::from(u32::MAX))? as u32;
    }
    let tolerance = |key: &str| {
        table
            .get(key)
            .map(|value| match value.number()? {
                number if number >= 0.0 => Ok(number),
                number => Err(value.fail(format!("the tolerance {number} is negative; give 0 or more"))),
            })
            .transpose()
    };
    stop.loss = tolerance("stop.loss")?;
    stop.initial_loss = tolerance("stop.initial_loss")?;
    stop.gradient = tolerance("stop.gradient")?;
    stop.change = tolerance("stop.change")?;
    if let Some(tests) = table.get("stop.tests") {
        stop.tests = tests.flag()?;
    }
    Ok(stop)
}

fn read_history(table: Table<'_>) -> Result<History, Failure> {
    table.only(keys("history"))?;
    let every = table.get("history.every").map_or(Ok(0), |every| every.count(u64::from(u32::MAX)))? as u32;
    let asked = |key: &str| match table.get(key) {
        None => Ok(false),
        Some(value) if value.flag()? && every == 0 => {
            Err(value.fail("nothing is recorded; give history.every the number of steps from record to record"))
        }
        Some(value) => value.flag(),
    };
    let (parameters, hessian_sharpness) = (asked("history.parameters")?, asked("history.hessian_sharpness")?);
    Ok(History { every, parameters, hessian_sharpness })
}

pub(super) fn texts(value: &Value<'_>) -> Result<Vec<String>, Failure> {
    value.list_or_one().iter().map(|value| value.text().map(str::to_owned)).collect()
}

pub(super) fn named_numbers(value: &Value<'_>) -> Result<Vec<(String, f64)>, Failure> {
    let entries = value.table()?.entries(&value.path);
    entries.into_iter().map(|(name, value)| Ok((name, value.number()?))).collect()
}

fn nonempty<T>(value: &Value<'_>, values: Vec<T>) -> Result<Vec<T>, Failure> {
    if values.is_empty() {
        return Err(value.fail("no values make an empty grid; give at least one"));
    }
    Ok(values)
}
