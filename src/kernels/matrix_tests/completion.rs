//! The singular vectors of zero singular values against their twin.

use super::*;
use crate::kernels::complete;

/// Orthonormal columns: those of a random matrix, each without its parts along the ones before.
fn orthonormal(b: usize, rows: usize, columns: usize) -> Matrix {
    let a = random(b, rows, columns);
    let mut all: Matrix = Vec::new();
    for j in 0..columns {
        let mut column: Vec<f64> = a.iter().map(|row| row[j]).collect();
        for other in all.iter().chain(&all.clone()) {
            let dot: f64 = column.iter().zip(other).map(|(x, y)| x * y).sum();
            column.iter_mut().zip(other).for_each(|(x, y)| *x -= dot * y);
        }
        let length = column.iter().map(|x| x * x).sum::<f64>().sqrt();
        all.push(column.iter().map(|x| f64::from((x / length) as f32)).collect());
    }
    all
}

#[test]
fn empty_columns_of_zero_sigma_are_completed_as_their_twin_does_and_nothing_else_is_touched() {
    for_each_device(|device| {
        for (rows, columns) in [(1, 1), (3, 3), (9, 6), (6, 6), (40, 12)] {
            // Matrix b has b zero values, the last one has NaN, and the one before a σ that alone was flushed.
            let zeros = |b: usize| if b + 2 < BATCH { b.min(columns).min(2) } else { 0 };
            let full: Vec<Matrix> = (0..BATCH).map(|b| orthonormal(b, rows, columns)).collect();
            let empty = |b: usize, j: usize| j + zeros(b) >= columns;
            let entry = |b: usize, i: usize, j: usize| if empty(b, j) { 0.0 } else { full[b][j][i] };
            let given = |b: usize| (0..rows).map(|i| (0..columns).map(|j| entry(b, i, j)).collect()).collect();
            let given: Vec<Matrix> = (0..BATCH).map(given).collect();
            let value = |b: usize, j: usize| match b {
                _ if b + 1 == BATCH => f64::NAN,
                _ if b + 2 == BATCH || empty(b, j) => 0.0,
                _ => 1.0,
            };
            let sigma: Vec<Matrix> = (0..BATCH).map(|b| (0..columns).map(|j| vec![value(b, j)]).collect()).collect();
            let w = upload(device, &given, LANES);
            let mut commands = device.record("completion");
            let sigma = upload(device, &sigma, LANES);
            complete::host::record(device, &mut commands, (all(), [rows, columns]), &sigma, &w).unwrap();
            commands.submit().unwrap();
            // A dot product of unit vectors errs by √m·u, up to n of them twice over in a column, of which 1/√n may be
            // left before it is brought to unit length; the second column sees the first one's error once more.
            let (m, n) = (rows as f64, columns as f64);
            let bound = 2.0 * n * m.sqrt() * n.sqrt() * (1.0 + n.sqrt()) * U;
            for (b, found) in download(device, &w, rows, columns, LANES).iter().enumerate() {
                let mut expected: Matrix = (0..columns).map(|j| given[b].iter().map(|row| row[j]).collect()).collect();
                complete::twin::complete(&mut expected);
                for j in 0..columns {
                    for i in 0..rows {
                        let off = (found[i][j] - expected[j][i]).abs();
                        let bound = if empty(b, j) { bound } else { 0.0 };
                        assert!(off <= bound, "{rows}×{columns}, matrix {b}: [{i}][{j}] off by {off:e}");
                    }
                }
            }
        }
    });
}
