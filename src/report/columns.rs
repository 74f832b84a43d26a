//! The columns of a result table: one list of names and types behind the Parquet and the CSV file.

use rayon::prelude::*;

use crate::data::{KeyColumn, KeyValues};
use crate::ngd::{Damping, Reason, Status};
use crate::sweep::{Context, Outcome, Problem, SizeUnit, StepRule};

/// The values of one column; `None` is null.
#[derive(Debug)]
pub(crate) enum Values<'a> {
    /// Indices.
    Index(Vec<u64>),
    /// Indices that some rows lack.
    OptionalIndex(Vec<Option<u64>>),
    /// Counts.
    Count(Vec<u32>),
    /// Counts that some rows lack.
    OptionalCount(Vec<Option<u32>>),
    /// Whole numbers of a group column.
    Integer(Vec<i64>),
    /// Numbers; what is not finite is null.
    Number(Vec<f64>),
    /// Text.
    Text(Vec<&'a str>),
    /// One of a few names in every row, or none of them.
    Name { names: Vec<String>, of: Vec<Option<usize>> },
    /// A list of numbers in every row.
    Numbers(Vec<&'a [f64]>),
}

impl Values<'_> {
    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Index(values) => values.len(),
            Self::OptionalIndex(values) => values.len(),
            Self::Count(values) => values.len(),
            Self::OptionalCount(values) => values.len(),
            Self::Integer(values) => values.len(),
            Self::Number(values) => values.len(),
            Self::Text(values) => values.len(),
            Self::Name { of, .. } => of.len(),
            Self::Numbers(values) => values.len(),
        }
    }
}

/// One column of a table.
#[derive(Debug)]
pub(crate) struct Column<'a> {
    pub(crate) name: String,
    pub(crate) values: Values<'a>,
}

/// A column whose values are not made yet: columns are made, and encoded, side by side.
pub(crate) struct Planned<'a> {
    name: String,
    values: Box<dyn FnOnce() -> Values<'a> + Send + 'a>,
}

impl<'a> Planned<'a> {
    pub(crate) fn new(name: impl Into<String>, values: impl FnOnce() -> Values<'a> + Send + 'a) -> Self {
        Self { name: name.into(), values: Box::new(values) }
    }

    pub(crate) fn made(self) -> Column<'a> {
        Column { name: self.name, values: (self.values)() }
    }
}

/// Columns with their values, made side by side.
pub(crate) fn made(columns: Vec<Planned<'_>>) -> Vec<Column<'_>> {
    columns.into_par_iter().map(Planned::made).collect()
}

/// The columns that every result has, in their order; group columns come after `set`, parameters at the end.
const FIXED: [&str; 21] = [
    "problem",
    "set",
    "start",
    "seed",
    "method",
    "step_size",
    "damping",
    "filter",
    "scaling",
    "cutoff",
    "status",
    "reason",
    "steps",
    "points",
    "loss",
    "residual_sum_of_squares",
    "gradient_norm",
    "rank",
    "sigma_max",
    "sigma_min",
    "gn_sharpness",
];

/// Further names of the JSON form, which group columns stand beside.
const JSON: [&str; 8] = [
    "reduced_chi_square",
    "parameters",
    "standard_errors",
    "covariance",
    "unresolved",
    "singular_values",
    "device",
    "precision",
];

/// The names under which group columns and parameters stand in a result. They keep their own, unless it is taken: a
/// group column called `status` becomes `group_status`, a parameter called `loss` becomes `parameter_loss`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Names {
    pub(crate) groups: Vec<String>,
    /// Each parameter's column and that of its standard error; none of a network.
    pub(crate) parameters: Vec<(String, String)>,
}

impl Names {
    pub(crate) fn new(context: &Context) -> Self {
        let mut taken: Vec<String> = FIXED.iter().map(|&name| name.to_owned()).collect();
        let json = |name: &str| JSON.contains(&name);
        let groups = context
            .keys
            .iter()
            .map(|key| {
                let name = free_name(&key.name, "group", |name| json(name) || taken.iter().any(|t| t == name));
                taken.push(name.clone());
                name
            })
            .collect();
        // A network's are too many for columns.
        let named = if context.network { &[][..] } else { &context.parameters };
        let parameters = named
            .iter()
            .map(|name| {
                let error = |name: &str| format!("{name}_se");
                let name = free_name(name, "parameter", |name| taken.iter().any(|t| t == name || *t == error(name)));
                taken.extend([name.clone(), error(&name)]);
                let error = error(&name);
                (name, error)
            })
            .collect();
        Self { groups, parameters }
    }
}

fn free_name(name: &str, prefix: &str, taken: impl Fn(&str) -> bool) -> String {
    let mut free = name.to_owned();
    while taken(&free) {
        free = format!("{prefix}_{free}");
    }
    free
}

/// A number as a table shows it: null where it is not finite.
pub(crate) fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

/// The column of step sizes in units of 2/sharpness, where a rule has such.
pub(crate) const SIZE_MULTIPLE: &str = "size_multiple";

fn multiple(rule: &StepRule) -> f64 {
    if rule.unit == SizeUnit::TwoOverSharpness { rule.size } else { f64::NAN }
}

/// The damping as a number; null where it is adaptive.
pub(crate) fn damping(rule: &StepRule) -> Option<f64> {
    match rule.damping {
        Damping::Fixed(epsilon) => Some(epsilon),
        Damping::Adaptive => None,
    }
}

/// The relative cutoff on σ that the problem's rank was counted with.
pub(crate) fn cutoff(context: &Context, problem: &Problem<'_>) -> f64 {
    problem.rule().cutoff.unwrap_or_else(|| {
        let precision = context.precision;
        precision.default_cutoff(problem.points(), context.parameters.len())
    })
}

/// All columns of an outcome, in the order of the file.
pub(crate) fn columns(outcome: &Outcome) -> Vec<Planned<'_>> {
    let context = outcome.context();
    let names = Names::new(context);
    let mut columns = Vec::new();
    let has_units = context.rules.iter().any(|rule| rule.unit != SizeUnit::Absolute);
    for name in FIXED {
        columns.push(Planned::new(name, move || fixed(outcome, name)));
        if name == "step_size" && has_units {
            columns.push(Planned::new(SIZE_MULTIPLE, move || numbers(outcome, |p| multiple(p.rule()))));
        }
        if name == "set" {
            let keys = context.keys.iter().zip(&names.groups);
            columns.extend(keys.map(|(key, name)| Planned::new(name, move || key_values(outcome, key))));
        }
    }
    if context.network && context.parameter_lists {
        let lists = move || Values::Numbers(outcome.iter().map(|p| p.parameters()).collect());
        columns.push(Planned::new("parameters", lists));
    }
    for (j, (name, error_name)) in names.parameters.into_iter().enumerate() {
        columns.push(Planned::new(name, move || numbers(outcome, |p| p.parameters()[j])));
        columns.push(Planned::new(error_name, move || numbers(outcome, |p| p.standard_error(j))));
    }
    columns
}

fn numbers<'a>(outcome: &'a Outcome, of: impl Fn(&Problem<'a>) -> f64) -> Values<'a> {
    Values::Number(outcome.iter().map(|problem| of(&problem)).collect())
}

/// A name that hangs on the rule alone.
fn by_rule(outcome: &Outcome, name: impl Fn(&StepRule) -> String) -> Values<'_> {
    let names = outcome.context().rules.iter().map(name).collect();
    Values::Name { names, of: outcome.iter().map(|problem| Some(problem.rule_index())).collect() }
}

/// The values of a column that every result has.
fn fixed<'a>(outcome: &'a Outcome, name: &str) -> Values<'a> {
    let index = |of: fn(&Problem<'a>) -> u64| Values::Index(outcome.iter().map(|p| of(&p)).collect());
    let count = |of: fn(&Problem<'a>) -> u32| Values::Count(outcome.iter().map(|p| of(&p)).collect());
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    match name {
        "problem" => index(Problem::index),
        "set" => index(|p| p.set() as u64),
        "start" => index(|p| p.start_index() as u64),
        "seed" => Values::OptionalIndex(outcome.iter().map(|p| p.seed()).collect()),
        "method" => by_rule(outcome, |rule| rule.filter.method().to_owned()),
        "step_size" => numbers(outcome, Problem::step_size),
        "damping" => numbers(outcome, |p| damping(p.rule()).unwrap_or(f64::NAN)),
        "filter" => by_rule(outcome, StepRule::filter_name),
        "scaling" => by_rule(outcome, |rule| rule.scaling.name().to_owned()),
        "cutoff" => numbers(outcome, |p| cutoff(outcome.context(), p)),
        "status" => {
            let place = |p: Problem<'a>| Status::ALL.iter().position(|&status| status == p.status());
            Values::Name { names: owned(&Status::ALL.map(Status::name)), of: outcome.iter().map(place).collect() }
        }
        "reason" => {
            let place = |p: Problem<'a>| Reason::ALL.iter().position(|&reason| Some(reason) == p.reason());
            Values::Name { names: owned(&Reason::ALL.map(Reason::name)), of: outcome.iter().map(place).collect() }
        }
        "steps" => count(Problem::steps),
        "points" => count(|p| p.points() as u32),
        "loss" => numbers(outcome, Problem::loss),
        "residual_sum_of_squares" => numbers(outcome, Problem::residual_sum_of_squares),
        "gradient_norm" => numbers(outcome, Problem::gradient_norm),
        "rank" => Values::OptionalCount(outcome.iter().map(|p| p.rank().map(|rank| rank as u32)).collect()),
        "sigma_max" => numbers(outcome, |p| p.singular_values().first().copied().unwrap_or(f64::NAN)),
        "sigma_min" => numbers(outcome, |p| p.singular_values().last().copied().unwrap_or(f64::NAN)),
        _ => numbers(outcome, Problem::gn_sharpness),
    }
}

fn key_values<'a>(outcome: &'a Outcome, key: &'a KeyColumn) -> Values<'a> {
    let places = outcome.iter().map(|p| key.place(p.set()));
    match &key.values {
        KeyValues::Places(_) => Values::Integer(places.map(|place| place as i64).collect()),
        KeyValues::Integer(values) => Values::Integer(places.map(|place| values[place]).collect()),
        KeyValues::Number(values) => Values::Number(places.map(|place| values[place]).collect()),
        KeyValues::Text(values) => Values::Text(places.map(|place| values[place].as_str()).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::example::{empty_outcome_with, outcome};
    use super::*;

    #[test]
    fn the_columns_stand_in_the_documented_order() {
        let outcome = outcome();
        let names: Vec<String> = made(columns(&outcome)).into_iter().map(|c| c.name).collect();
        assert_eq!(
            names.join(" "),
            "problem set cell start seed method step_size damping filter scaling cutoff status reason steps points \
             loss residual_sum_of_squares gradient_norm rank sigma_max sigma_min gn_sharpness b1 b1_se b2 b2_se"
        );
    }

    #[test]
    fn a_group_column_or_parameter_whose_name_is_taken_gets_a_prefix_and_no_name_stands_twice() {
        let outcome = empty_outcome_with(&["set", "b", "b_se"], &["b", "loss", "loss_se", "a"]);
        let names = Names::new(outcome.context());
        assert_eq!(names.groups, ["group_set", "b", "b_se"]);
        let parameters: Vec<&str> = names.parameters.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(parameters, ["parameter_b", "parameter_loss", "loss_se", "a"]);
        let mut all: Vec<String> = made(columns(&outcome)).into_iter().map(|c| c.name).collect();
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn what_is_not_finite_or_not_there_is_null() {
        let outcome = outcome();
        let value = |name: &str, row: usize| {
            let column = made(columns(&outcome)).into_iter().find(|c| c.name == name).unwrap();
            match column.values {
                Values::Number(values) => finite(values[row]).map(|v| v.to_string()),
                Values::Name { names, of } => of[row].map(|k| names[k].clone()),
                Values::OptionalIndex(values) => values[row].map(|v| v.to_string()),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(value("loss", 2), None);
        assert_eq!(value("reason", 2), None);
        assert_eq!(value("damping", 1), None);
        assert_eq!(value("damping", 0), Some("0".to_owned()));
        assert_eq!(value("seed", 0), None);
        assert_eq!(value("seed", 3), Some("7".to_owned()));
        assert_eq!(value("b2_se", 3), None);
    }
}
