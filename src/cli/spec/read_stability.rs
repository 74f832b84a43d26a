//! The `[stability]` table of a spec.

use super::read::{keys, read_cutoff, read_filter, read_momentum};
use super::reader::{Table, Value};
use super::{Failure, Points, StabilityRequest};
use crate::ngd::{Damping, Filter, Scaling};
use crate::stability::{FilterRule, StabilityOptions};

pub(super) fn read_stability(table: Table<'_>) -> Result<StabilityRequest, Failure> {
    table.only(keys("stability"))?;
    let mut request = StabilityRequest::default();
    let mut options = StabilityOptions::default();
    if let Some(points) = table.get("stability.points") {
        request.points = points.word(&[("minimisers", Points::Minimisers), ("starts", Points::Starts)])?;
    }
    if let Some(sizes) = table.get("stability.step_sizes") {
        options.step_sizes = positive_axis(&sizes, "step size")?;
    }
    if let Some(filters) = table.get("stability.filters") {
        options.filters = filters.list_or_one().iter().map(read_filter_rule).collect::<Result<_, _>>()?;
        if options.filters.is_empty() {
            return Err(filters.fail("the list is empty; name at least one filter, such as \"exact\""));
        }
    }
    if let Some(scaling) = table.get("stability.scaling") {
        options.scaling = scaling.word(&[("columns", Scaling::Columns), ("none", Scaling::None)])?;
    }
    options.cutoff = table.get("stability.cutoff").map(|cutoff| read_cutoff(&cutoff)).transpose()?;
    let number = |key: &str, sound: fn(f64) -> bool, wanted: &str| {
        let read = |value: Value<'_>| match value.number()? {
            number if sound(number) => Ok(number),
            number => Err(value.fail(format!("{number} is not {wanted}"))),
        };
        table.get(key).map(read).transpose()
    };
    options.perturbation = number("stability.perturbation", |x| x > 0.0 && x <= 0.1, "above 0 and at most 0.1")?;
    options.residual = number("stability.residual", |x| (0.0..1.0).contains(&x), "from 0 to below 1")?;
    options.margin = number("stability.margin", |x| x >= 1.0, "1 or more")?.unwrap_or(options.margin);
    if let Some(directions) = table.get("stability.directions") {
        options.directions = match directions.count(u64::from(u32::MAX))? {
            0 => return Err(directions.fail("no direction would be perturbed; give at least 1")),
            count => count as usize,
        };
    }
    if let Some(steps) = table.get("stability.steps") {
        options.steps = steps.count(1_000_000)? as u32;
    }
    if let Some(map) = table.get("stability.map") {
        let map = map.table()?;
        map.only(keys("stability.map"))?;
        if let Some(sizes) = map.get("stability.map.step_sizes") {
            request.map_sizes = positive_axis(&sizes, "step size")?;
        }
        if let Some(dampings) = map.get("stability.map.dampings") {
            request.map_dampings = dampings.axis()?;
            if let Some(bad) = request.map_dampings.iter().find(|damping| **damping < 0.0) {
                return Err(dampings.fail(format!("the damping {bad} is negative; give 0 or more")));
            }
        }
    }
    Ok(StabilityRequest { options, ..request })
}

fn positive_axis(value: &Value<'_>, what: &str) -> Result<Vec<f64>, Failure> {
    let values = value.axis()?;
    match values.iter().find(|value| **value <= 0.0) {
        Some(bad) => Err(value.fail(format!("the {what} {bad} is not positive; give values above 0"))),
        None if values.is_empty() => Err(value.fail("no values make an empty grid; give at least one")),
        None => Ok(values),
    }
}

/// A filter by its word, or a table with filter, damping and momentum.
fn read_filter_rule(value: &Value<'_>) -> Result<FilterRule, Failure> {
    if !value.is_table() {
        let gradient = value.text()? == "gradient";
        let filter = if gradient { Filter::Gradient } else { read_filter(value)? };
        return Ok(FilterRule { filter, ..FilterRule::default() });
    }
    let table = value.table()?;
    table.only(keys("stability.filters"))?;
    let filter = match table.get("stability.filters.filter") {
        None => Filter::Exact,
        Some(filter) if filter.is_text() && filter.text()? == "gradient" => Filter::Gradient,
        Some(filter) => read_filter(&filter)?,
    };
    let damping = match table.get("stability.filters.damping") {
        None => 0.0,
        Some(damping) => match damping.number()? {
            number if number >= 0.0 => number,
            number => return Err(damping.fail(format!("the damping {number} is negative; give 0 or more"))),
        },
    };
    if damping != 0.0 && !filter.takes_damping() {
        let name = filter.name(Damping::Fixed(0.0));
        return Err(value.fail(format!("the filter {name} takes no damping beside; leave damping out")));
    }
    let momentum = match table.get("stability.filters.momentum") {
        None => 0.0,
        Some(momentum) => read_momentum(&momentum, &[])?,
    };
    Ok(FilterRule { filter, damping, momentum })
}
