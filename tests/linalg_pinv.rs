//! Pseudo-inverses, least squares and projectors on the device against singular value decompositions in f64.

use faer::Mat;
use natgrad::linalg::{LinalgError, MatrixBatch, MatrixStatus, PinvOptions, Reported, pinv, pinv_solve, projector};
use natgrad::{Distribution, random_start};

mod common;

/// The unit roundoff of f32: 2⁻²⁴.
const U: f64 = f32::EPSILON as f64 / 2.0;

fn normal(b: usize, k: usize) -> f64 {
    random_start(b as u64, k as u32, Distribution::Normal, 1.0)
}

fn random(batch: usize, rows: usize, columns: usize) -> MatrixBatch {
    MatrixBatch::from_fn(batch, rows, columns, |b, i, j| normal(b, i * columns + j) as f32).unwrap()
}

/// Matrices U Σ Vᵀ with given singular values and random orthonormal U and V, rounded to f32.
fn with_singular_values(batch: usize, m: usize, n: usize, sigma: &[f64]) -> MatrixBatch {
    let matrices: Vec<Mat<f64>> = (0..batch)
        .map(|b| {
            let of = |rows: usize, at: usize| {
                Mat::from_fn(rows, sigma.len(), |i, j| normal(b + 1000, at + i * sigma.len() + j)).qr().compute_thin_Q()
            };
            let (u, v) = (of(m, 0), of(n, 1 << 16));
            Mat::from_fn(m, n, |i, j| (0..sigma.len()).map(|k| u[(i, k)] * sigma[k] * v[(j, k)]).sum())
        })
        .collect();
    MatrixBatch::from_fn(batch, m, n, |b, i, j| matrices[b][(i, j)] as f32).unwrap()
}

fn f64_of(a: &MatrixBatch, b: usize) -> Mat<f64> {
    Mat::from_fn(a.rows(), a.columns(), |i, j| f64::from(a.get(b, i, j)))
}

/// The pseudo-inverse of rank r in f64, and σ₁ and σᵣ.
fn oracle(a: &MatrixBatch, b: usize, rank: usize) -> (Mat<f64>, f64, f64) {
    let svd = f64_of(a, b).thin_svd().unwrap();
    let (u, s, v) = (svd.U(), svd.S().column_vector(), svd.V());
    let inverse = Mat::from_fn(a.columns(), a.rows(), |j, i| (0..rank).map(|k| v[(j, k)] / s[k] * u[(i, k)]).sum());
    (inverse, s[0], if rank == 0 { 1.0 } else { s[rank - 1] })
}

/// ‖x − x₆₄‖/‖x₆₄‖ of matrix b's solution.
fn forward_error(x: &MatrixBatch, truth: &Mat<f64>, b: usize) -> f64 {
    (f64_of(x, b) - truth).norm_l2() / truth.norm_l2()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Least-squares problems that have a solution: b = Ax with x normal, rounded to f32.
fn consistent(a: &MatrixBatch, rights: usize) -> MatrixBatch {
    let (n, batch) = (a.columns(), a.batch());
    MatrixBatch::from_fn(batch, a.rows(), rights, |b, i, k| {
        (0..n).map(|j| f64::from(a.get(b, i, j)) * normal(b + 5000, j * rights + k)).sum::<f64>() as f32
    })
    .unwrap()
}

/// Sizes in registers and beyond, tall, square and wide.
const SIZES: [(usize, usize); 8] = [(1, 1), (5, 1), (1, 5), (3, 3), (20, 4), (4, 9), (14, 10), (9, 30)];

#[test]
fn solutions_are_those_of_the_pseudo_inverse_in_f64_by_either_way() {
    // The backward error is a few roundings a column: within 8(m + n)u, times κ, and with a residual κ² times it.
    for device in common::devices() {
        for (m, n) in SIZES {
            for rights in [1, 3] {
                let (a, b) = (random(70, m, n), random(70, m, rights));
                for options in [PinvOptions::default(), PinvOptions::default().by_svd()] {
                    let Reported { matrices: x, reports, .. } = pinv_solve(device, &a, &b, &options).unwrap();
                    for of in 0..a.batch() {
                        assert_eq!(reports[of].status, MatrixStatus::Converged);
                        assert_eq!(reports[of].rank, m.min(n), "{m}×{n}, matrix {of}");
                        let (inverse, first, last) = oracle(&a, of, m.min(n));
                        let right = f64_of(&b, of);
                        let truth = &inverse * &right;
                        let residual = &f64_of(&a, of) * &truth - &right;
                        let kappa = first / last;
                        let steep = kappa * residual.norm_l2() / (first * truth.norm_l2());
                        let bound = 8.0 * (m + n) as f64 * U * kappa * (1.0 + steep);
                        let error = forward_error(&x, &truth, of);
                        assert!(error <= bound, "{m}×{n}, matrix {of}, {options:?}: {error:e} > {bound:e}");
                    }
                }
            }
        }
    }
}

#[test]
fn forward_errors_at_each_condition_are_those_of_jacobi() {
    // The medians that one-sided Jacobi reached for a step of 100×5 in trials, and ten times as much.
    for device in common::devices() {
        for (kappa, reached) in [(1e2, 1e-6), (1e3, 1.4e-5), (1e4, 2e-4)] {
            let sigma: Vec<f64> = (0..5).map(|k| f64::powf(kappa, -f64::from(k) / 4.0)).collect();
            let a = with_singular_values(65, 100, 5, &sigma);
            let b = consistent(&a, 1);
            for options in [PinvOptions::default(), PinvOptions::default().by_svd()] {
                let x = pinv_solve(device, &a, &b, &options).unwrap().matrices;
                let errors = (0..a.batch()).map(|of| forward_error(&x, &(oracle(&a, of, 5).0 * f64_of(&b, of)), of));
                let error = median(errors.collect());
                println!("κ = {kappa:e}, {options:?}: {error:e}");
                assert!(error <= 10.0 * reached, "κ = {kappa:e}, {options:?}: {error:e}");
            }
        }
    }
}

#[test]
fn of_matrices_without_full_rank_the_solution_is_the_one_of_least_norm() {
    for device in common::devices() {
        for (m, n, rank) in [(6, 6, 3), (20, 5, 2), (4, 7, 2), (12, 10, 7), (10, 20, 4), (5, 5, 1)] {
            let sigma: Vec<f64> = (0..rank).map(|k| 1.0 - 0.5 * k as f64 / rank as f64).collect();
            let a = with_singular_values(66, m, n, &sigma);
            let b = random(66, m, 2);
            // Rounding to f32 makes singular values of some √(mn)·u out of zeros.
            let options = PinvOptions::default().cutoff(1e-5);
            let Reported { matrices: x, reports, .. } = pinv_solve(device, &a, &b, &options).unwrap();
            for of in 0..a.batch() {
                assert_eq!(reports[of].rank, rank, "{m}×{n}");
                let (inverse, first, last) = oracle(&a, of, rank);
                let truth = inverse * f64_of(&b, of);
                // A perturbation E turns the row space by ‖E‖/σᵣ: the right-hand side's part outside the range comes in.
                let bound = 8.0 * (m + n) as f64 * U * (first / last).powi(2) * f64_of(&b, of).norm_l2()
                    / (first * truth.norm_l2());
                let error = forward_error(&x, &truth, of);
                assert!(error <= bound.max(64.0 * U), "{m}×{n}, matrix {of}: {error:e} > {bound:e}");
            }
        }
    }
}

#[test]
fn the_four_conditions_of_moore_and_penrose_hold() {
    for device in common::devices() {
        for (m, n) in SIZES {
            for kappa in [1.0, 1e3, 1e5] {
                let r = m.min(n);
                let sigma: Vec<f64> = (0..r).map(|k| f64::powf(kappa, -(k as f64) / (r.max(2) - 1) as f64)).collect();
                let a = with_singular_values(33, m, n, &sigma);
                let found = pinv(device, &a, &PinvOptions::default()).unwrap();
                for of in 0..a.batch() {
                    let (a, x) = (f64_of(&a, of), f64_of(&found.matrices, of));
                    let (ax, xa) = (&a * &x, &x * &a);
                    let off = |found: &Mat<f64>, expected: &Mat<f64>| (found - expected).norm_l2() / expected.norm_l2();
                    // Gates of a sound one-sided Jacobi, u = 2⁻²⁴.
                    let (once, twice) = ((4.0 * kappa + 32.0) * U, (8.0 * kappa + 32.0) * U);
                    assert!(off(&(&ax * &a), &a) <= once, "{m}×{n}, κ = {kappa:e}: JJ†J = J");
                    assert!(off(&(&xa * &x), &x) <= once, "{m}×{n}, κ = {kappa:e}: J†JJ† = J†");
                    assert!(off(&ax, &ax.transpose().to_owned()) <= twice, "{m}×{n}, κ = {kappa:e}: JJ† symmetric");
                    assert!(off(&xa, &xa.transpose().to_owned()) <= twice, "{m}×{n}, κ = {kappa:e}: J†J symmetric");
                }
            }
        }
    }
}

#[test]
fn projectors_are_idempotent_of_trace_r_and_keep_every_row_of_the_matrix() {
    for device in common::devices() {
        for (m, n) in SIZES {
            for kappa in [1.0, 1e3, 1e5] {
                let r = m.min(n).div_ceil(2).max(1);
                let sigma: Vec<f64> = (0..r).map(|k| f64::powf(kappa, -(k as f64) / (r.max(2) - 1) as f64)).collect();
                let a = with_singular_values(33, m, n, &sigma);
                // Above the noise of the rounding to f32, and below the least of the singular values given.
                let options = PinvOptions::default().cutoff(3e-6);
                let Reported { matrices: p, reports, .. } = projector(device, &a, &options).unwrap();
                for of in 0..a.batch() {
                    assert_eq!(reports[of].rank, r, "{m}×{n}, κ = {kappa:e}, matrix {of}");
                    let gate = f64::max(32.0, 4.0 * r as f64) * U;
                    let (projector, a) = (f64_of(&p, of), f64_of(&a, of));
                    assert_eq!(projector, projector.transpose().to_owned(), "symmetric to the bit");
                    let again = (&projector * &projector - &projector).norm_max();
                    let trace = (0..n).map(|j| projector[(j, j)]).sum::<f64>() - r as f64;
                    assert!(again <= gate && trace.abs() <= gate, "{m}×{n}, κ = {kappa:e}: {again:e}, {trace:e}");
                    // ‖A(I − P)‖ against the matrix in f64: what rounding to f32 left beyond the rank, some √(mn)·u, comes
                    // on top of the rounding of P.
                    let kept = (&a * &projector - &a).norm_l2() / a.norm_l2();
                    let bound = (64.0 + ((m * n) as f64).sqrt()) * U;
                    assert!(kept <= bound, "{m}×{n}, κ = {kappa:e}: {kept:e}");
                }
            }
        }
    }
}

#[test]
fn a_matrix_that_is_not_finite_has_a_status_and_changes_no_bit_of_its_neighbours() {
    for device in common::devices() {
        for (m, n) in [(3, 3), (20, 4), (4, 9), (12, 10)] {
            let (good, right) = (random(9, m, n), random(9, m, 1));
            let (mut bad, mut bad_right) = (good.clone(), right.clone());
            bad.set(4, m - 1, 0, f32::NAN);
            bad_right.set(7, 0, 0, f32::INFINITY);
            let options = PinvOptions::default();
            let expected = pinv_solve(device, &good, &right, &options).unwrap();
            let found = pinv_solve(device, &bad, &bad_right, &options).unwrap();
            let projected = projector(device, &bad, &options).unwrap();
            assert!(projected.matrices.matrix(4).iter().all(|entry| entry.is_nan()));
            for of in 0..9 {
                if of == 4 || of == 7 {
                    assert_eq!(found.reports[of].status, MatrixStatus::NonFinite, "{m}×{n}, matrix {of}");
                    assert!(found.matrices.matrix(of).iter().all(|entry| entry.is_nan()));
                } else {
                    assert_eq!(found.matrices.matrix(of), expected.matrices.matrix(of), "{m}×{n}, matrix {of}");
                    assert_eq!(found.reports[of], expected.reports[of]);
                }
            }
        }
    }
}

#[test]
fn a_matrix_has_the_same_bits_in_any_place_batch_and_layout() {
    for device in common::devices() {
        for (m, n) in [(6, 5), (4, 9), (12, 10)] {
            // Every third matrix is of rank 1 and takes the other way.
            let a = MatrixBatch::from_fn(130, m, n, |b, i, j| match b % 3 {
                0 => ((i + 1) * (j + 1)) as f32,
                _ => normal(b, i * n + j) as f32,
            })
            .unwrap();
            let b = random(130, m, 2);
            let all = pinv_solve(device, &a, &b, &PinvOptions::default()).unwrap();
            for of in [0, 1, 64, 129] {
                let alone = |of_all: &MatrixBatch| {
                    let (rows, columns) = (of_all.rows(), of_all.columns());
                    MatrixBatch::from_column_major(1, rows, columns, of_all.matrix(of)).unwrap()
                };
                let found = pinv_solve(device, &alone(&a), &alone(&b), &PinvOptions::default()).unwrap();
                assert_eq!(found.matrices.matrix(0), all.matrices.matrix(of), "{m}×{n}, matrix {of}");
                assert_eq!(found.reports[0], all.reports[of]);
            }
        }
    }
}

#[test]
fn bad_requests_are_errors_with_both_numbers() {
    for device in common::devices().take(1) {
        let a = random(3, 4, 2);
        let said = |error: LinalgError| error.to_string();
        let solve = |b: &MatrixBatch, options: &PinvOptions| pinv_solve(device, &a, b, options).unwrap_err();
        assert_eq!(
            said(solve(&random(3, 5, 1), &PinvOptions::default())),
            "rows: A is 4 and b is 5, and they must be equal"
        );
        assert_eq!(
            said(solve(&random(2, 4, 1), &PinvOptions::default())),
            "matrices in a batch: A is 3 and b is 2, and they must be equal"
        );
        let b = random(3, 4, 1);
        assert!(matches!(solve(&b, &PinvOptions::default().cutoff(1.0)), LinalgError::Cutoff { value: 1.0 }));
        assert!(matches!(
            pinv(device, &a, &PinvOptions::default().cutoff(-0.1)),
            Err(LinalgError::Cutoff { value: -0.1 })
        ));
        assert!(projector(device, &a, &PinvOptions::default().cutoff(f64::NAN)).is_err());
        let none = |rows, columns| MatrixBatch::zeros(0, rows, columns).unwrap();
        let found = pinv_solve(device, &none(4, 2), &none(4, 1), &PinvOptions::default()).unwrap();
        assert!(found.reports.is_empty() && found.matrices.batch() == 0);
    }
}

#[test]
fn zero_matrices_have_zero_solutions_projectors_and_inverses() {
    for device in common::devices() {
        for (m, n) in SIZES {
            let a = MatrixBatch::zeros(2, m, n).unwrap();
            let options = PinvOptions::default();
            let zero = |found: Reported| {
                assert!(found.reports.iter().all(|report| report.rank == 0));
                assert!(found.matrices.as_slice().iter().all(|&entry| entry == 0.0), "{m}×{n}");
            };
            zero(pinv_solve(device, &a, &random(2, m, 1), &options).unwrap());
            zero(pinv(device, &a, &options).unwrap());
            zero(projector(device, &a, &options).unwrap());
        }
    }
}

#[test]
fn on_swiftshader_the_same_claims_hold() {
    common::again_on_swiftshader(&[]);
}
