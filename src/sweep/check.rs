//! What no job can be: numbers out of their range, looked at one by one.

use std::ops::Range;

use rayon::prelude::*;

use crate::data::BoundData;
use crate::error::RequestError;
use crate::ngd::{Damping, Filter, Scaling, Stop};

use super::{SizeUnit, StepRule};

/// Fewest data sets that are worth a task of their own.
const SETS_PER_TASK: usize = 256;

/// The standard deviation of a row's response, 1 where none is given.
pub(super) fn sigma(data: &BoundData, row: usize) -> f64 {
    data.sigma.as_ref().map_or(1.0, |sigma| sigma.get(row))
}

/// Refuses responses whose squares, and so the loss, leave the range of f64.
pub(super) fn check_response(data: &BoundData, sets: Range<usize>) -> Result<(), RequestError> {
    if data.sigma.is_none() && data.response.is_f32() {
        // No number of f32 is that large or that small.
        return Ok(());
    }
    let largest = |set: usize| {
        let rows = data.sets.get(set);
        let value = rows.map(|i| (data.response.get(i) / sigma(data, i)).abs()).fold(0.0, f64::max);
        (value != 0.0 && !(1e-150..=1e150).contains(&value)).then_some((set, value))
    };
    let fault = sets.into_par_iter().with_min_len(SETS_PER_TASK).filter_map(largest).find_first(|_| true);
    fault.map_or(Ok(()), |(set, value)| Err(RequestError::ResponseRange { set, value }))
}

/// Refuses a rule that takes no sound step.
pub(super) fn check_rule(rule: &StepRule) -> Result<(), RequestError> {
    if !(rule.size.is_finite() && rule.size > 0.0) {
        return Err(RequestError::StepSize { value: rule.size });
    }
    match rule.damping {
        Damping::Fixed(epsilon) if !(epsilon.is_finite() && epsilon >= 0.0) => {
            return Err(RequestError::Damping { value: epsilon });
        }
        Damping::Adaptive if rule.size != 1.0 => return Err(RequestError::AdaptiveStepSize { value: rule.size }),
        _ => {}
    }
    if let Some(cutoff) = rule.cutoff.filter(|cutoff| !(0.0..1.0).contains(cutoff)) {
        return Err(RequestError::Cutoff { value: cutoff });
    }
    if rule.unit != SizeUnit::Absolute && rule.damping == Damping::Adaptive {
        return Err(RequestError::AdaptiveSizeUnit { unit: rule.unit.name() });
    }
    check_filter(rule)?;
    if !(0.0..1.0).contains(&rule.momentum) {
        return Err(RequestError::Momentum { value: rule.momentum });
    }
    if rule.momentum != 0.0 && rule.damping == Damping::Adaptive {
        return Err(RequestError::AdaptiveMomentum { value: rule.momentum });
    }
    Ok(())
}

fn check_filter(rule: &StepRule) -> Result<(), RequestError> {
    match rule.filter {
        Filter::FixedRank(0) => return Err(RequestError::FixedRank),
        Filter::ResidualScaled { factor, power } => {
            for (what, value, sound) in [("factor", factor, factor >= 0.0), ("power", power, power > 0.0)] {
                if !(value.is_finite() && sound) {
                    return Err(RequestError::ResidualScaled { what, value });
                }
            }
        }
        _ => {}
    }
    if rule.filter == Filter::Gradient && rule.scaling == Scaling::Columns {
        return Err(RequestError::GradientScaling);
    }
    if !rule.filter.takes_damping() && rule.damping != Damping::Fixed(0.0) {
        return Err(RequestError::FilterDamping { filter: rule.filter.name(Damping::Fixed(0.0)) });
    }
    Ok(())
}

/// Refuses tolerances that are none.
pub(super) fn check_stop(stop: &Stop) -> Result<(), RequestError> {
    for (name, value) in
        [("loss", stop.loss), ("initial loss", stop.initial_loss), ("gradient", stop.gradient), ("change", stop.change)]
    {
        if let Some(value) = value.filter(|value| !(value.is_finite() && *value >= 0.0)) {
            return Err(RequestError::Tolerance { name, value });
        }
    }
    Ok(())
}
