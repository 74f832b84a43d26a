//! The heavy ball, in f64.

/// The trial point with the step before added β times, and what is the point before from then on.
pub(crate) fn moved(trial: &[f64], theta: &[f64], previous: &[f64], momentum: f64) -> (Vec<f64>, Vec<f64>) {
    let add = |j: usize| trial[j] + momentum * (theta[j] - previous[j]);
    ((0..trial.len()).map(add).collect(), theta.to_vec())
}
