//! e and J in f64 on the host.

use faer::Mat;

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
    model.prepare(theta, scratch);
    let mut values = vec![0.0; theta.len() + 1];
    for i in job.rows(set) {
        model.row(job.inputs(i), scratch, &mut values);
        let weight = job.weight(i);
        let e = weight * (values[0] - job.response(i));
        for d in &mut values[1..] {
            *d *= weight;
        }
        row(i, e, &values[1..]);
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
