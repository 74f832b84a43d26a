//! The columns of a result table: one list of names and types behind the Parquet and the CSV file.

use std::borrow::Cow;

use crate::data::{KeyColumn, KeyValues};
use crate::ngd::{Damping, Reason};
use crate::sweep::{Context, Outcome, Problem, SizeUnit, StepRule};

/// The values of one column; `None` is null.
#[derive(Clone, Debug, PartialEq)]
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
    Number(Vec<Option<f64>>),
    /// Text.
    Text(Vec<Option<Cow<'a, str>>>),
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
            Self::Numbers(values) => values.len(),
        }
    }
}

/// One column of the result table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Column<'a> {
    pub(crate) name: String,
    pub(crate) values: Values<'a>,
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

fn multiple(rule: &StepRule) -> Option<f64> {
    (rule.unit == SizeUnit::TwoOverSharpness).then_some(rule.size)
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
pub(crate) fn columns<'a>(outcome: &'a Outcome) -> Vec<Column<'a>> {
    let context = outcome.context();
    let names = Names::new(context);
    let filters: Vec<String> = context.rules.iter().map(StepRule::filter_name).collect();
    let filter_names = |problem: Problem<'_>| Some(Cow::Owned(filters[problem.rule_index()].clone()));

    let index = |of: fn(&Problem<'a>) -> u64| Values::Index(outcome.iter().map(|p| of(&p)).collect());
    let count = |of: fn(&Problem<'a>) -> u32| Values::Count(outcome.iter().map(|p| of(&p)).collect());
    let number = |of: &dyn Fn(&Problem<'_>) -> Option<f64>| Values::Number(outcome.iter().map(|p| of(&p)).collect());
    let text = |of: fn(&Problem<'_>) -> Option<&'static str>| {
        Values::Text(outcome.iter().map(|p| of(&p).map(Cow::Borrowed)).collect())
    };

    let fixed = |name: &str| match name {
        "problem" => index(Problem::index),
        "set" => index(|p| p.set() as u64),
        "start" => index(|p| p.start_index() as u64),
        "seed" => Values::OptionalIndex(outcome.iter().map(|p| p.seed()).collect()),
        "method" => text(|p| Some(p.rule().filter.method())),
        "step_size" => number(&|p| finite(p.step_size())),
        "damping" => number(&|p| damping(p.rule())),
        "filter" => Values::Text(outcome.iter().map(filter_names).collect()),
        "scaling" => text(|p| Some(p.rule().scaling.name())),
        "cutoff" => number(&|p| finite(cutoff(context, p))),
        "status" => text(|p| Some(p.status().name())),
        "reason" => text(|p| p.reason().map(Reason::name)),
        "steps" => count(Problem::steps),
        "points" => count(|p| p.points() as u32),
        "loss" => number(&|p| finite(p.loss())),
        "residual_sum_of_squares" => number(&|p| finite(p.residual_sum_of_squares())),
        "gradient_norm" => number(&|p| finite(p.gradient_norm())),
        "rank" => Values::OptionalCount(outcome.iter().map(|p| p.rank().map(|rank| rank as u32)).collect()),
        "sigma_max" => number(&|p| p.singular_values().first().copied().and_then(finite)),
        "sigma_min" => number(&|p| p.singular_values().last().copied().and_then(finite)),
        _ => number(&|p| finite(p.gn_sharpness())),
    };

    let mut columns = Vec::new();
    let has_units = context.rules.iter().any(|rule| rule.unit != SizeUnit::Absolute);
    for name in FIXED {
        columns.push(Column { name: name.to_owned(), values: fixed(name) });
        if name == "step_size" && has_units {
            columns.push(Column { name: SIZE_MULTIPLE.to_owned(), values: number(&|p| multiple(p.rule())) });
        }
        if name == "set" {
            let keys = context.keys.iter().zip(&names.groups);
            columns.extend(keys.map(|(key, name)| Column { name: name.clone(), values: key_values(outcome, key) }));
        }
    }
    if context.network && context.parameter_lists {
        let lists = outcome.iter().map(|p| p.parameters()).collect();
        columns.push(Column { name: "parameters".to_owned(), values: Values::Numbers(lists) });
    }
    // One pass for all standard errors: each problem computes them together.
    let errors: Vec<Vec<f64>> = outcome.iter().map(|p| p.standard_errors()).collect();
    for (j, (name, error_name)) in names.parameters.into_iter().enumerate() {
        columns.push(Column { name, values: number(&|p| finite(p.parameters()[j])) });
        let errors = errors.iter().map(|errors| finite(errors[j])).collect();
        columns.push(Column { name: error_name, values: Values::Number(errors) });
    }
    columns
}

fn key_values<'a>(outcome: &'a Outcome, key: &'a KeyColumn) -> Values<'a> {
    let places = outcome.iter().map(|p| key.place(p.set()));
    match &key.values {
        KeyValues::Places(_) => Values::Integer(places.map(|place| place as i64).collect()),
        KeyValues::Integer(values) => Values::Integer(places.map(|place| values[place]).collect()),
        KeyValues::Number(values) => Values::Number(places.map(|place| finite(values[place])).collect()),
        KeyValues::Text(values) => {
            Values::Text(places.map(|place| Some(Cow::Borrowed(values[place].as_str()))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::example::{empty_outcome_with, outcome};
    use super::*;

    #[test]
    fn the_columns_stand_in_the_documented_order() {
        let outcome = outcome();
        let names: Vec<String> = columns(&outcome).into_iter().map(|c| c.name).collect();
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
        let mut all: Vec<String> = columns(&outcome).into_iter().map(|c| c.name).collect();
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn what_is_not_finite_or_not_there_is_null() {
        let outcome = outcome();
        let value = |name: &str, row: usize| {
            let column = columns(&outcome).into_iter().find(|c| c.name == name).unwrap();
            match column.values {
                Values::Number(values) => values[row].map(|v| v.to_string()),
                Values::Text(values) => values[row].clone().map(Cow::into_owned),
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
