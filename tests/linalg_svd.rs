//! SVDs on the device against the algebra: LAPACK's ratios, known spectra, and the same bits wherever a matrix stands.

use natgrad::linalg::{MatrixBatch, MatrixStatus, SvdOptions, svd};
use natgrad::{Distribution, random_start};

mod common;

/// LAPACK's unit in the last place: 2⁻²³.
const ULP: f64 = f32::EPSILON as f64;

fn random(batch: usize, rows: usize, columns: usize) -> MatrixBatch {
    MatrixBatch::from_fn(batch, rows, columns, |b, i, j| {
        random_start(b as u64, (i * columns + j) as u32, Distribution::Normal, 1.0) as f32
    })
    .unwrap()
}

/// The three ratios of LAPACK's test suite (drivers of DGESVD): ‖A − UΣVᵀ‖/(‖A‖·max(m, n)·ulp), ‖I − UᵀU‖/(m·ulp) and
/// ‖I − VᵀV‖/(n·ulp), in the 1-norm.
fn ratios(a: &MatrixBatch, u: &MatrixBatch, sigma: &MatrixBatch, v: &MatrixBatch, b: usize) -> [f64; 3] {
    let (m, n, r) = (a.rows(), a.columns(), sigma.rows());
    let get = |x: &MatrixBatch, i: usize, j: usize| f64::from(x.get(b, i, j));
    let one_norm = |rows: usize, columns: usize, entry: &dyn Fn(usize, usize) -> f64| {
        (0..columns).map(|j| (0..rows).map(|i| entry(i, j).abs()).sum::<f64>()).fold(0.0, f64::max)
    };
    let residual = one_norm(m, n, &|i, j| {
        get(a, i, j) - (0..r).map(|k| get(u, i, k) * get(sigma, k, 0) * get(v, j, k)).sum::<f64>()
    });
    let unit = |x: &MatrixBatch, rows: usize| {
        one_norm(r, r, &|i, j| {
            f64::from(u8::from(i == j)) - (0..rows).map(|k| get(x, k, i) * get(x, k, j)).sum::<f64>()
        })
    };
    let norm = one_norm(m, n, &|i, j| get(a, i, j));
    let longest = m.max(n) as f64;
    [residual / (norm * longest * ULP), unit(u, m) / (m as f64 * ULP), unit(v, n) / (n as f64 * ULP)]
}

#[test]
fn lapacks_ratios_of_random_matrices_are_below_ten() {
    for device in common::devices() {
        for (m, n) in
            [(1, 1), (2, 3), (3, 3), (5, 2), (8, 8), (7, 12), (16, 16), (30, 8), (13, 9), (9, 40), (33, 33), (64, 64)]
        {
            let a = random(70, m, n);
            let found = svd(&device, &a, &SvdOptions::default()).unwrap();
            let (u, v) = (found.u.unwrap(), found.v.unwrap());
            let mut worst = [0.0f64; 3];
            for b in 0..70 {
                assert_eq!(found.reports[b].status, MatrixStatus::Converged);
                assert!((1..r(m, n)).all(|k| found.sigma.get(b, k - 1, 0) >= found.sigma.get(b, k, 0)));
                for (worst, ratio) in worst.iter_mut().zip(ratios(&a, &u, &found.sigma, &v, b)) {
                    *worst = worst.max(ratio);
                }
            }
            println!("{m}×{n}: {worst:.2?}");
            assert!(worst.iter().all(|&ratio| ratio < 10.0), "{m}×{n}: {worst:?}");
        }
    }
}

/// U Σ Vᵀ with σ = (1, …, 1, 2⁻²³) and U, V products of reflections: a cluster, and one direction at rounding.
fn clustered(batch: usize, n: usize) -> MatrixBatch {
    let normal = |b: usize, k: usize| random_start(b as u64, k as u32, Distribution::Normal, 1.0);
    let matrices: Vec<Vec<f64>> = (0..batch)
        .map(|b| {
            let mut a: Vec<f64> = (0..n * n).map(|k| f64::from(u8::from(k % (n + 1) == 0))).collect();
            a[n * n - 1] = ULP;
            // I − 2wwᵀ/wᵀw from the left, and from the right by way of the transpose, n times each.
            for k in 0..2 * n {
                let w: Vec<f64> = (0..n).map(|i| normal(b, k * n + i)).collect();
                let square: f64 = w.iter().map(|x| x * x).sum();
                for j in 0..n {
                    let along = 2.0 * (0..n).map(|i| w[i] * a[j * n + i]).sum::<f64>() / square;
                    (0..n).for_each(|i| a[j * n + i] -= along * w[i]);
                }
                a = (0..n * n).map(|at| a[at % n * n + at / n]).collect();
            }
            a
        })
        .collect();
    MatrixBatch::from_fn(batch, n, n, |b, i, j| matrices[b][j * n + i] as f32).unwrap()
}

#[test]
fn vectors_of_clustered_singular_values_are_orthogonal() {
    for device in common::devices() {
        for n in [4, 8, 16] {
            let a = clustered(300, n);
            let found = svd(&device, &a, &SvdOptions::default()).unwrap();
            let (u, v) = (found.u.unwrap(), found.v.unwrap());
            let mut worst = [0.0f64; 3];
            for b in 0..300 {
                assert_eq!(found.reports[b].status, MatrixStatus::Converged);
                for (worst, ratio) in worst.iter_mut().zip(ratios(&a, &u, &found.sigma, &v, b)) {
                    *worst = worst.max(ratio);
                }
            }
            println!("{n}×{n}: {worst:.2?}");
            assert!(worst.iter().all(|&ratio| ratio < 10.0), "{n}×{n}: {worst:?}");
        }
    }
}

fn r(m: usize, n: usize) -> usize {
    m.min(n)
}
