//! Cholesky factors and solutions by them against their twins.

use super::*;
use crate::kernels::{cholesky, cholesky_solve};

/// I + AAᵀ/n for a random A with entries in [−1, 1]: κ is below n + 1.
fn definite(b: usize, n: usize) -> Matrix {
    let a = random(b, n, n);
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>() / n as f64;
    (0..n).map(|i| (0..n).map(|j| f64::from(u8::from(i == j)) + dot(&a[i], &a[j])).collect()).collect()
}

#[test]
fn factors_and_solutions_agree_with_their_twins_in_plain_and_interleaved_layouts() {
    for_each_device(|device| {
        // In registers; whole blocks; a last block that is not full.
        for (n, rights, lanes) in [(1, 1, 1), (3, 2, 64), (8, 5, 2), (12, 4, 64), (21, 3, 4)] {
            let a: Vec<Matrix> = (0..BATCH).map(|b| definite(b, n)).collect();
            let b: Vec<Matrix> = (0..BATCH).map(|b| random(b + 100, n, rights)).collect();
            let (l, x) = (room(device, n, n, lanes), room(device, n, rights, lanes));
            let (given, sides) = (upload(device, &a, lanes), upload(device, &b, lanes));
            let roots = room(device, 1, 1, lanes);
            let states = device.buffer::<u32>("states", BATCH).unwrap();
            let last = room(device, rights, 1, lanes);
            let count = Count::known(Batch { count: BATCH, lanes });
            let form = cholesky::host::Form { count, size: n };
            let mut commands = device.record("solutions");
            let operands = cholesky::host::Operands { a: &given, l: &l, roots: &roots, states: &states };
            cholesky::host::record(device, &mut commands, form, &operands).unwrap();
            let operands =
                cholesky_solve::host::Operands { a: &given, rights: &sides, x: &x, last: &last, states: &states };
            cholesky_solve::host::record(device, &mut commands, form, (rights, 0), &operands).unwrap();
            commands.submit().unwrap();
            assert!(device.read(&states).unwrap().iter().all(|&state| state == 0));
            let (factors, solutions) = (download(device, &l, n, n, lanes), download(device, &x, n, rights, lanes));
            for of in 0..BATCH {
                let expected = cholesky::twin::cholesky(&a[of]).unwrap();
                // A and b are rounded to f32 on their way, and A is factored to (n + 16)u: times κ in the factor, whose
                // entries are at most 2, and times κ in the solutions after two substitutions more.
                let bound = (n + 1) as f64 * (3 * n + 20) as f64 * U;
                for (found, expected) in factors[of].iter().flatten().zip(expected.iter().flatten()) {
                    assert!((found - expected).abs() <= 2.0 * bound, "{n}×{n}, matrix {of}: {found} for {expected}");
                }
                for k in 0..rights {
                    let right: Vec<f64> = b[of].iter().map(|row| row[k]).collect();
                    let expected = cholesky_solve::twin::solve(&expected, &right);
                    let size = expected.iter().fold(0.0f64, |size, x| size.max(x.abs()));
                    for (row, expected) in solutions[of].iter().zip(&expected) {
                        let off = (row[k] - expected).abs();
                        assert!(off <= bound * size, "{n}×{n}, matrix {of}: off by {off:e}");
                    }
                }
            }
        }
    });
}
