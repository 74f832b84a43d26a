//! A small outcome, written by hand, that the tests of this folder share.

use std::sync::Arc;

use crate::data::{KeyColumn, KeyValues};
use crate::ngd::{Damping, Filter, Precision, Reason, Scaling, Status};
use crate::sweep::{Context, Errors, History, Moment, Outcome, Records, Row, SizeUnit, Slopes, StartValues, StepRule};

fn rule(size: f64, damping: Damping) -> StepRule {
    let (filter, scaling) = (Filter::Exact, Scaling::Columns);
    StepRule { size, unit: SizeUnit::Absolute, damping, filter, scaling, cutoff: None, momentum: 0.0 }
}

fn context(parameters: &[&str], keys: Vec<KeyColumn>) -> Context {
    Context {
        parameters: parameters.iter().map(|&name| name.to_owned()).collect(),
        network: false,
        parameter_lists: false,
        keys,
        rules: vec![rule(0.5, Damping::Fixed(0.0)), rule(1.0, Damping::Adaptive)],
        device: "test".to_owned(),
        precision: Precision::F64,
        errors: Errors::Scaled,
        detail: crate::sweep::Detail::Full,
        dropped_rows: 0,
        history: History::default(),
        notices: Vec::new(),
        first_seed: 7,
    }
}

/// No problems, with these group columns and parameters.
pub(crate) fn empty_outcome_with(groups: &[&str], parameters: &[&str]) -> Outcome {
    let keys = groups.iter().map(|&name| KeyColumn::new(name.to_owned(), KeyValues::Integer(Vec::new()))).collect();
    Outcome::empty(Arc::new(context(parameters, keys)))
}

/// Two data sets with one start each and two rules: a fixed step that converged, an adaptive one that converged, one
/// that left the model's domain, and one of rank 1 with a random start.
pub(crate) fn outcome() -> Outcome {
    let cells = KeyValues::Text(vec!["A, left".to_owned(), "B".to_owned()]);
    let row = Row {
        problem: 0,
        set: 0,
        start: 0,
        rule: 0,
        seed_place: 0,
        points: 4,
        status: Status::Converged,
        reason: Some(Reason::Gradient),
        steps: 12,
        rank: 2,
        loss: 0.25,
    };
    let slopes = Slopes { gradient_norm: 1e-9, gn_sharpness: 4.0 };
    let rows = vec![
        row,
        Row { problem: 1, rule: 1, reason: Some(Reason::Loss), steps: 5, ..row },
        Row { problem: 2, set: 1, status: Status::NonFinite, reason: None, steps: 0, rank: 0, loss: f64::NAN, ..row },
        Row { problem: 3, set: 1, rule: 1, seed_place: 1, rank: 1, loss: 0.75, ..row },
    ];
    Outcome {
        context: Arc::new(context(&["b1", "b2"], vec![KeyColumn::new("cell".to_owned(), cells)])),
        rows,
        parameters: vec![238.5, 5.5e-4, 238.5, 5.5e-4, 500.0, -1.0, 2.0, 0.0],
        starts: StartValues::Own(vec![500.0, 1e-4, 500.0, 1e-4, 500.0, -1.0, 1.0, 1.0]),
        step_sizes: Vec::new(),
        slopes: vec![slopes, slopes, Slopes { gradient_norm: f64::NAN, gn_sharpness: f64::INFINITY }, slopes],
        singular_values: vec![1.5, 0.5, 1.5, 0.5, 0.0, 0.0, 1.0, 0.0],
        // Reduced χ² is 0.5/2 in the first two problems and 1.5/3 in the last.
        covariance: vec![4.0, -1.0, 16.0, 4.0, -1.0, 16.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0],
        unresolved: vec![false, false, false, false, true, true, false, true],
        history: Records::default(),
    }
}

/// A problem of each status that leaves no factorisation to speak of, as a backend might hand them on: with the rank,
/// spectrum, covariance and mixed parameters of an earlier step; and one that diverged, whose backend said it has none.
pub(crate) fn stale_outcome() -> Outcome {
    let mut stale = outcome().select([0, 0, 0]);
    stale.rows[0].status = Status::FactorizationLimit;
    stale.rows[1].status = Status::NonFinite;
    stale.rows[2].status = Status::Diverged;
    for row in &mut stale.rows {
        row.reason = None;
    }
    stale.unresolved = [false, true].repeat(3);
    stale.rows[2].rank = 0;
    stale.singular_values[4..].fill(f64::NAN);
    stale.covariance[6..].fill(f64::NAN);
    stale
}

/// The same problems with two records each, of their starts and their ends.
pub(crate) fn with_history() -> Outcome {
    let mut outcome = outcome();
    let history = History { every: 2, parameters: true, hessian_sharpness: true };
    Arc::make_mut(&mut outcome.context).history = history;
    for i in 0..outcome.len() {
        let start =
            Moment { step: 0, loss: 8.0, factored: Some((2, 1.5, 0.5)), gn_sharpness: 4.0, hessian_sharpness: 5.0 };
        let end = match i {
            3 => {
                Moment { step: 2, loss: f64::NAN, factored: None, gn_sharpness: f64::NAN, hessian_sharpness: f64::NAN }
            }
            _ => Moment { step: 4, loss: 0.5, ..start },
        };
        let theta = [outcome.problem(i).start().to_vec(), outcome.parameters[2 * i..2 * i + 2].to_vec()].concat();
        outcome.history.push(&[start, end], &theta);
    }
    outcome
}
