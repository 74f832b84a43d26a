//! e and J in f64 on the host.

use faer::Mat;

use crate::expr::SIDE_BY_SIDE;
use crate::sweep::Job;

/// e and the rows of J, weighted, at θ: `row(i, e, J row)` for every point of the data set.
pub(crate) fn weighted_rows(
    job: &Job,
    set: usize,
    theta: &[f64],
    scratch: &mut Vec<f64>,
    mut row: impl FnMut(usize, f64, &[f64]),
) {
    let model = job.model();
    let mut values = vec![0.0; theta.len() + 1];
    let mut tell = |i: usize, values: &mut [f64]| {
        let weight = job.weight(i);
        let e = weight * (values[0] - job.response(i));
        for d in &mut values[1..] {
            *d *= weight;
        }
        row(i, e, &values[1..]);
    };
    let rows = job.rows(set);
    let Some(tape) = model.side_by_side() else {
        model.prepare(theta, scratch);
        for i in rows {
            model.row(job.inputs(i), scratch, &mut values);
            tell(i, &mut values);
        }
        return;
    };
    tape.prepare_rows(theta, scratch);
    let mut side_by_side = vec![[0.0; SIDE_BY_SIDE]; values.len()];
    for first in rows.clone().step_by(SIDE_BY_SIDE) {
        // Past the end the last row once more.
        let inputs = std::array::from_fn(|k| job.inputs((first + k).min(rows.end - 1)));
        tape.rows(&inputs, scratch, &mut side_by_side);
        for i in first..rows.end.min(first + SIDE_BY_SIDE) {
            values.iter_mut().zip(&side_by_side).for_each(|(value, of_rows)| *value = of_rows[i - first]);
            tell(i, &mut values);
        }
    }
}

/// e and J, weighted, at θ.
pub(crate) fn residual_and_jacobian(job: &Job, set: usize, theta: &[f64]) -> (Vec<f64>, Mat<f64>) {
    let first = job.rows(set).start;
    let count = job.rows(set).len();
    let mut residual = Vec::with_capacity(count);
    let mut jacobian = Mat::zeros(count, theta.len());
    weighted_rows(job, set, theta, &mut Vec::new(), |i, e, row| {
        residual.push(e);
        row.iter().enumerate().for_each(|(j, &d)| jacobian[(i - first, j)] = d);
    });
    (residual, jacobian)
}
