//! The kernels for matrices of any origin against their f64 twins, on every adapter present, in plain and in
//! interleaved layouts.

use super::product;
use super::tests::{U, for_each_device, uniform};
use crate::gpu::{Buffer, Device, layout::element};

/// Not a multiple of a tile.
const BATCH: usize = 9;

type Matrix = Vec<Vec<f64>>;

/// Matrix b, with entries in [−1, 1].
fn random(b: usize, rows: usize, columns: usize) -> Matrix {
    (0..rows).map(|i| (0..columns).map(|j| uniform(b, i * columns + j)).collect()).collect()
}

fn upload(device: &Device, matrices: &[Matrix], lanes: usize) -> Buffer<f32> {
    let (rows, columns) = (matrices[0].len(), matrices[0][0].len());
    let mut packed = vec![0.0; matrices.len().next_multiple_of(lanes) * rows * columns];
    for (b, matrix) in matrices.iter().enumerate() {
        for i in 0..rows {
            for j in 0..columns {
                packed[element(b, i, j, rows, columns, lanes)] = matrix[i][j] as f32;
            }
        }
    }
    device.buffer_from("matrices", &packed).unwrap()
}

fn room(device: &Device, rows: usize, columns: usize, lanes: usize) -> Buffer<f32> {
    device.buffer("matrices", BATCH.next_multiple_of(lanes) * rows * columns).unwrap()
}

fn download(device: &Device, buffer: &Buffer<f32>, rows: usize, columns: usize, lanes: usize) -> Vec<Matrix> {
    let values = device.read(buffer).unwrap();
    let at = |b, i, j| f64::from(values[element(b, i, j, rows, columns, lanes)]);
    (0..BATCH).map(|b| (0..rows).map(|i| (0..columns).map(|j| at(b, i, j)).collect()).collect()).collect()
}

#[test]
fn products_agree_with_their_twin_in_one_dispatch_and_in_several() {
    for_each_device(|device| {
        // 40,000 entries take three dispatches.
        for (rows, columns, lanes) in [(1, 1, 1), (3, 8, 4), (17, 5, 64), (9, 30, 2), (40_000, 2, 1)] {
            for of_rows in [false, true].into_iter().filter(|of_rows| !of_rows || rows < 100) {
                let a: Vec<Matrix> = (0..BATCH).map(|b| random(b, rows, columns)).collect();
                let (size, length) = if of_rows { (rows, columns) } else { (columns, rows) };
                let result = room(device, size, size, lanes);
                let form = product::host::Form { count: BATCH, rows, columns, of_rows, lanes, result_lanes: lanes };
                let mut commands = device.record("products");
                product::host::record(device, &mut commands, &form, &upload(device, &a, lanes), &result).unwrap();
                commands.submit().unwrap();
                for (found, a) in download(device, &result, size, size, lanes).iter().zip(&a) {
                    let expected = product::twin::product(a, of_rows);
                    for j in 0..size {
                        for k in 0..size {
                            // Terms are at most 1 in magnitude.
                            let bound = 6.0 * (length as f64).sqrt() * U * length as f64;
                            let off = (found[j][k] - expected[j][k]).abs();
                            assert!(off <= bound, "{rows}×{columns}: [{j}][{k}] off by {off:e}");
                        }
                    }
                }
            }
        }
    });
}
