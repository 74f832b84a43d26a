//! e and J in f64 on the host.

use faer::Mat;

use crate::expr::{SIDE_BY_SIDE, Tape};
use crate::sweep::Job;

/// A value at each of the rows that are evaluated side by side.
pub(crate) type Lanes = [f64; SIDE_BY_SIDE];

/// What evaluations write to, reused from problem to problem.
#[derive(Default)]
pub(crate) struct Room {
    scratch: Vec<f64>,
    values: Vec<f64>,
    side_by_side: Vec<Lanes>,
}

/// e and the rows of J, weighted, at θ: `row(i, e, J row)` for every point of the data set.
pub(crate) fn weighted_rows(
    job: &Job,
    set: usize,
    theta: &[f64],
    room: &mut Room,
    mut row: impl FnMut(usize, f64, &[f64]),
) {
    let model = job.model();
    let mut values = std::mem::take(&mut room.values);
    values.resize(theta.len() + 1, 0.0);
    if let Some(tape) = model.side_by_side() {
        weighted_blocks(job, set, (tape, theta), room, |rows, block| {
            for (k, i) in rows.enumerate() {
                values.iter_mut().zip(block).for_each(|(value, lanes)| *value = lanes[k]);
                row(i, values[0], &values[1..]);
            }
        });
    } else {
        model.prepare(theta, &mut room.scratch);
        for i in job.rows(set) {
            model.row(job.inputs(i), &mut room.scratch, &mut values);
            let weight = job.weight(i);
            values[0] = weight * (values[0] - job.response(i));
            values[1..].iter_mut().for_each(|d| *d *= weight);
            row(i, values[0], &values[1..]);
        }
    }
    room.values = values;
}

/// The same several rows at a time: `block(rows, [e, J])`, e and every column of J with a lane for each of the rows, and zeros in
/// the others.
pub(crate) fn weighted_blocks(
    job: &Job,
    set: usize,
    (tape, theta): (&Tape, &[f64]),
    room: &mut Room,
    mut block: impl FnMut(std::ops::Range<usize>, &[Lanes]),
) {
    let Room { scratch, side_by_side, .. } = room;
    tape.prepare_rows(theta, scratch);
    side_by_side.resize(theta.len() + 1, [0.0; SIDE_BY_SIDE]);
    let (rows, width) = (job.rows(set), job.model().row_inputs());
    let (inputs, responses) = (job.inputs_of(set), job.responses_of(set));
    for first in (0..rows.len()).step_by(SIDE_BY_SIDE) {
        let here = first..rows.len().min(first + SIDE_BY_SIDE);
        // Past the end the last row once more.
        let at = |k: usize| (first + k).min(rows.len() - 1);
        tape.rows(&std::array::from_fn(|k| &inputs[at(k) * width..][..width]), scratch, side_by_side);
        side_by_side[0].iter_mut().zip(&responses[here.clone()]).for_each(|(f, y)| *f -= y);
        if job.has_sigma() {
            let weights: Lanes = std::array::from_fn(|k| job.weight(rows.start + at(k)));
            for lanes in side_by_side.iter_mut() {
                lanes.iter_mut().zip(weights).for_each(|(value, weight)| *value *= weight);
            }
        }
        if here.len() < SIDE_BY_SIDE {
            side_by_side.iter_mut().for_each(|lanes| lanes[here.len()..].fill(0.0));
        }
        block(rows.start + here.start..rows.start + here.end, side_by_side);
    }
}

/// e and J, weighted, at θ.
pub(crate) fn residual_and_jacobian(job: &Job, set: usize, theta: &[f64]) -> (Vec<f64>, Mat<f64>) {
    let first = job.rows(set).start;
    let count = job.rows(set).len();
    let mut residual = Vec::with_capacity(count);
    let mut jacobian = Mat::zeros(count, theta.len());
    weighted_rows(job, set, theta, &mut Room::default(), |i, e, row| {
        residual.push(e);
        row.iter().enumerate().for_each(|(j, &d)| jacobian[(i - first, j)] = d);
    });
    (residual, jacobian)
}
