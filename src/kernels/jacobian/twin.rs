//! [J | e] row by row, in f64.

use crate::model::Model;

/// One row of data: the inputs, y and w.
pub(crate) struct DataRow {
    pub(crate) inputs: Vec<f64>,
    pub(crate) y: f64,
    pub(crate) w: f64,
}

/// The rows (w ∂f/∂θ₁ … w ∂f/∂θₚ, w(f − y)).
pub(crate) fn jacobian(model: &Model, theta: &[f64], rows: &[DataRow]) -> Vec<Vec<f64>> {
    let p = theta.len();
    let mut scratch = Vec::new();
    model.prepare(theta, &mut scratch);
    rows.iter()
        .map(|row| {
            let mut values = vec![0.0; p + 1];
            model.row(&row.inputs, &mut scratch, &mut values);
            let mut out: Vec<f64> = values[1..].iter().map(|d| row.w * d).collect();
            out.push(row.w * (values[0] - row.y));
            out
        })
        .collect()
}
