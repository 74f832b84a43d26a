//! Cholesky factors and solutions by them on the device against f64, and the same bits wherever a matrix stands.

use faer::Mat;
use faer::linalg::solvers::Solve;
use natgrad::gpu::Device;
use natgrad::linalg::{
    CholeskyOptions, CholeskySolution, LinalgError, MatrixBatch, MatrixStatus, cholesky, cholesky_solve,
};
use natgrad::wgpu;
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};

mod common;
use common::matrices::{Spectrum, batch, gaussian, matrix, orthonormal, rounded};
use common::on_each_device;
use common::oracle::{U, worse};

/// Both sides of every border: in registers are matrices of up to 8 rows, blocks have 4.
const SIZES: [usize; 14] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 16, 33, 64];

/// QDQᵀ, rounded, with D from 1 down to 1/κ in even ratios: symmetric to the bit.
fn definite(n: usize, condition: f64, seed: u64) -> Mat<f64> {
    let (q, d) = (orthonormal(n, n, seed), Spectrum::Geometric(condition).values(n, seed));
    let entry = |i: usize, j: usize| (0..n).map(|k| q[(i, k)] * d[k] * q[(j, k)]).sum();
    rounded(&Mat::from_fn(n, n, |i, j| entry(i.max(j), i.min(j))))
}

/// So many of them; from 70 on they take more than one tile.
fn definites(count: usize, n: usize, condition: f64) -> Vec<Mat<f64>> {
    (0..count).map(|b| definite(n, condition, 1000 + b as u64)).collect()
}

fn rights(count: usize, n: usize, each: usize) -> Vec<Mat<f64>> {
    (0..count).map(|b| rounded(&gaussian(n, each, 5000 + b as u64))).collect()
}

/// The largest |A − LLᵀ| in units of (n + 16)·u·√(aᵢᵢaⱼⱼ), over the entries that `pick` takes.
fn off_by(a: &Mat<f64>, l: &MatrixBatch, b: usize, pick: impl Fn(usize, usize) -> bool) -> f64 {
    let n = a.nrows();
    let l = matrix(l, b);
    let mut worst = 0.0f64;
    for i in 0..n {
        for j in 0..=i {
            assert!(i == j || l[(j, i)] == 0.0, "L[{j}][{i}] is above the diagonal");
            if pick(i, j) {
                let product: f64 = (0..=j).map(|k| l[(i, k)] * l[(j, k)]).sum();
                let unit = a[(i, i)].sqrt() * a[(j, j)].sqrt();
                let error = (a[(i, j)] - product).abs() / ((n + 16) as f64 * U * unit);
                assert!(!error.is_nan(), "L of matrix {b} at [{i}][{j}]");
                worst = worst.max(error);
            }
        }
    }
    worst
}

/// The largest entry of column k; a NaN comes through.
fn largest(x: &Mat<f64>, k: usize) -> f64 {
    x.col(k).iter().map(|x| x.abs()).fold(0.0, worse)
}

/// ‖x − x₆₄‖/‖x₆₄‖ of each right-hand side of matrix b, in the largest entry.
fn forward_errors(a: &Mat<f64>, right: &Mat<f64>, found: &MatrixBatch, b: usize) -> Vec<f64> {
    let truth = a.partial_piv_lu().solve(right);
    let off = matrix(found, b) - &truth;
    (0..truth.ncols()).map(|k| largest(&off, k) / largest(&truth, k)).collect()
}

fn solved(device: &Device, a: &[Mat<f64>], b: &[Mat<f64>], refinements: u32) -> CholeskySolution {
    cholesky_solve(device, &batch(a), &batch(b), &CholeskyOptions::default().refinements(refinements)).unwrap()
}

fn all_converged(statuses: &[MatrixStatus]) -> bool {
    statuses.iter().all(|&status| status == MatrixStatus::Converged)
}

#[test]
fn factors_multiply_to_the_matrix_within_the_stated_bound_whatever_the_size() {
    on_each_device(|device| {
        for n in SIZES {
            let a = definites(70, n, 100.0);
            let found = cholesky(device, &batch(&a)).unwrap();
            assert!(all_converged(&found.statuses), "{n}×{n}");
            let worst = (0..70).map(|b| off_by(&a[b], &found.l, b, |_, _| true)).fold(0.0, worse);
            println!("{n}×{n}: {worst:.3} of 1");
            assert!(worst <= 1.0, "{n}×{n}: {worst}");
        }
    });
}

#[test]
fn large_matrices_are_within_the_same_bound() {
    // Reflections HDH, which cost n² where QDQᵀ costs n³.
    let reflected = |n: usize, seed: u64| {
        let (u, d) = (gaussian(n, 1, seed), Spectrum::Geometric(1e3).values(n, seed));
        let square: f64 = (0..n).map(|i| u[(i, 0)] * u[(i, 0)]).sum();
        let middle: f64 = (0..n).map(|i| u[(i, 0)] * d[i] * u[(i, 0)]).sum();
        rounded(&Mat::from_fn(n, n, |i, j| {
            let cross = 2.0 / square * u[(i, 0)] * u[(j, 0)] * (d[i] + d[j]);
            let own = if i == j { d[i] } else { 0.0 };
            own - cross + 4.0 * middle / (square * square) * u[(i, 0)] * u[(j, 0)]
        }))
    };
    on_each_device(|device| {
        for (n, count) in [(200, 3), (512, 2), (2048, 1)] {
            let a: Vec<Mat<f64>> = (0..count).map(|seed| reflected(n, seed)).collect();
            let found = cholesky(device, &batch(&a)).unwrap();
            assert!(all_converged(&found.statuses), "{n}×{n}");
            // All entries of the small ones; of the others some 1 in 500, and the diagonals.
            let pick = |i: usize, j: usize| n <= 200 || (i * 31 + j * 17) % 997 < 2 || i - j < 2;
            let worst = a.iter().enumerate().map(|(b, a)| off_by(a, &found.l, b, pick)).fold(0.0, worse);
            println!("{n}×{n}: {worst:.3} of 1");
            assert!(worst <= 1.0, "{n}×{n}: {worst}");
        }
    });
}

#[test]
fn graded_matrices_lose_nothing_to_their_scale() {
    // DAD with D over six powers of ten, times powers of ten near the ends of f32: the bound scales with each entry.
    on_each_device(|device| {
        for n in [5, 20] {
            let scale = |b: usize, i: usize| 10f64.powf((b as f64 - 30.0) / 2.0 - 6.0 * i as f64 / n as f64);
            let a: Vec<Mat<f64>> = definites(60, n, 10.0)
                .iter()
                .enumerate()
                .map(|(b, a)| rounded(&Mat::from_fn(n, n, |i, j| a[(i, j)] * scale(b, i) * scale(b, j))))
                .collect();
            let found = cholesky(device, &batch(&a)).unwrap();
            // Entries near the least normal number of f32 have lost their digits before they came here.
            let sound = |b: &usize| a[*b][(n - 1, n - 1)] > 1e-30;
            assert!((0..60).filter(sound).count() > 30);
            for b in (0..60).filter(sound) {
                assert_eq!(found.statuses[b], MatrixStatus::Converged, "matrix {b}");
                let worst = off_by(&a[b], &found.l, b, |_, _| true);
                assert!(worst <= 1.0, "{n}×{n}, matrix {b}: {worst}");
            }
        }
    });
}

#[test]
fn refined_solutions_are_good_to_the_last_bits_whatever_the_condition() {
    on_each_device(|device| {
        if !device.capabilities().error_free_transforms {
            println!("this device sums no residual to twice its digits");
            return;
        }
        for n in SIZES {
            for condition in [1.0, 1e2, 1e4] {
                // More right-hand sides than one invocation takes, and fewer.
                for each in [1, 3, 6] {
                    let (a, b) = (definites(70, n, condition), rights(70, n, each));
                    let found = solved(device, &a, &b, 3);
                    assert!(all_converged(&found.statuses), "{n}×{n}, κ = {condition:e}");
                    let errors = (0..70).flat_map(|of| forward_errors(&a[of], &b[of], &found.x, of));
                    let worst = errors.fold(0.0, worse) / U;
                    println!("{n}×{n}, κ = {condition:e}, {each} right-hand sides: {worst:.2} u");
                    // x + d is rounded once, and what the last correction left or refused is as little again.
                    assert!(worst <= 2.0, "{n}×{n}, κ = {condition:e}: {worst} u");
                }
            }
        }
    });
}

#[test]
fn without_refinement_the_error_is_that_of_the_factors_times_the_condition() {
    on_each_device(|device| {
        for n in SIZES {
            for condition in [1.0, 1e2, 1e4] {
                let (a, b) = (definites(70, n, condition), rights(70, n, 2));
                let found = solved(device, &a, &b, 0);
                let errors = (0..70).flat_map(|of| forward_errors(&a[of], &b[of], &found.x, of));
                let worst = errors.fold(0.0, worse);
                // LLᵀ + ΔA with (n + 16)u in the factor, and n + 1 roundings in each of the two substitutions: in the
                // largest entry, a norm of matrices that may be √n times the one that κ is of.
                let bound = (3 * n + 18) as f64 * (n as f64).sqrt() * condition * U;
                println!("{n}×{n}, κ = {condition:e}: {:.3} of the bound", worst / bound);
                assert!(worst <= bound, "{n}×{n}, κ = {condition:e}: {worst:e} > {bound:e}");
                assert!((0..70).all(|of| (0..2).all(|k| found.corrections.get(of, k, 0) == 1.0)));
            }
        }
    });
}

#[test]
fn corrections_and_bounds_hold_where_quotients_are_all_too_small_or_all_too_large() {
    common::again_with_loose_arithmetic(&["without_refinement"]);
}

#[test]
fn the_first_correction_tells_the_error_that_it_mends() {
    on_each_device(|device| {
        if !device.capabilities().error_free_transforms {
            return;
        }
        for n in [3, 8, 20] {
            let (a, b) = (definites(70, n, 1e4), rights(70, n, 2));
            let (before, after) = (solved(device, &a, &b, 0), solved(device, &a, &b, 1));
            let mut compared = 0;
            for of in 0..70 {
                for (k, error) in forward_errors(&a[of], &b[of], &before.x, of).into_iter().enumerate() {
                    let told = f64::from(after.corrections.get(of, k, 0));
                    // What is left after it, some 2u, is not in it.
                    if error > 16.0 * U {
                        compared += 1;
                        assert!((told / error - 1.0).abs() < 0.2, "{n}×{n}: {told:e} told of {error:e}");
                    }
                }
            }
            assert!(compared > 100, "{n}×{n}: {compared} compared");
        }
    });
}

#[test]
fn what_is_too_ill_conditioned_is_refused_or_its_correction_says_so() {
    // Hilbert's matrices: κ is 5e2 at 3×3, 1.5e10 at 8×8 and 1.6e16 at 12×12.
    on_each_device(|device| {
        if !device.capabilities().error_free_transforms {
            return;
        }
        for n in 2..=12 {
            let a = [rounded(&Mat::from_fn(n, n, |i, j| 1.0 / (i + j + 1) as f64))];
            let b = rights(1, n, 1);
            let found = solved(device, &a, &b, 10);
            let (told, status) = (f64::from(found.corrections.get(0, 0, 0)), found.statuses[0]);
            let error = forward_errors(&a[0], &b[0], &found.x, 0)[0];
            println!("Hilbert {n}×{n}: {status:?}, off by {error:.1e}, last correction {told:.1e}");
            match status {
                MatrixStatus::Converged => assert!(error <= 2.0 * U + 8.0 * told, "{n}×{n}: {error:e}, told {told:e}"),
                status => {
                    assert_eq!(status, MatrixStatus::NotPositiveDefinite);
                    // n·u is below the least eigenvalue up to 5×5, where no sound factorisation fails.
                    assert!(n > 5 && told.is_nan(), "{n}×{n}");
                }
            }
        }
    });
}

#[test]
fn powers_of_two_pass_through_factors_and_solutions_without_a_trace() {
    on_each_device(|device| {
        for n in [4, 15] {
            let (a, b) = (definites(10, n, 1e2), rights(10, n, 2));
            let plain = solved(device, &a, &b, 3);
            // LLᵀ scales by powers of four, and x by the one of b over that of A: from the low end of f32 to the high.
            for (of_a, of_b) in [(-48, -100), (-48, 20), (62, 120), (60, 20), (0, -90)] {
                let (times_a, times_b) = (4f64.powi(of_a), 2f64.powi(of_b));
                let scaled = |all: &[Mat<f64>], times: f64| all.iter().map(|a| faer::Scale(times) * a).collect();
                let (a, b): (Vec<_>, Vec<_>) = (scaled(&a, times_a), scaled(&b, times_b));
                let found = solved(device, &a, &b, 3);
                for of in 0..10 {
                    let expected = faer::Scale(times_b / times_a) * matrix(&plain.x, of);
                    assert_eq!(matrix(&found.x, of), expected, "{n}×{n}: A·4^{of_a}, b·2^{of_b}");
                    assert_eq!(found.corrections.matrix(of), plain.corrections.matrix(of));
                }
            }
        }
    });
}

#[test]
fn a_right_hand_side_of_zeros_has_the_solution_zero() {
    on_each_device(|device| {
        let found = solved(device, &definites(3, 5, 10.0), &vec![Mat::zeros(5, 2); 3], 3);
        assert!(all_converged(&found.statuses));
        assert!((0..3).all(|b| found.x.matrix(b).iter().chain(&found.corrections.matrix(b)).all(|&x| x == 0.0)));
    });
}

#[test]
fn a_matrix_without_a_factor_says_so_and_leaves_its_neighbours_bits_alone() {
    on_each_device(|device| {
        for n in [2, 6, 30] {
            let (a, mut b) = (definites(70, n, 10.0), rights(70, n, 2));
            let mut bad = a.clone();
            // A bad pivot at the beginning, at the end, and none but zeros after the first.
            bad[1][(0, 0)] = -1.0;
            bad[2][(n - 1, n - 1)] = 0.0;
            bad[3] = Mat::full(n, n, 1.0);
            bad[4] = Mat::zeros(n, n);
            // Not finite, on the diagonal and off it, with a bad pivot besides.
            bad[5][(n - 1, 0)] = f64::NAN;
            bad[6][(n - 1, n - 1)] = f64::INFINITY;
            bad[7][(n - 1, n - 1)] = f64::NAN;
            bad[7][(0, 0)] = -1.0;
            let status = |b: usize| match b {
                1..=4 => MatrixStatus::NotPositiveDefinite,
                5..=7 => MatrixStatus::NonFinite,
                _ => MatrixStatus::Converged,
            };
            let (found, expected) = (cholesky(device, &batch(&bad)).unwrap(), cholesky(device, &batch(&a)).unwrap());
            let solutions = solved(device, &a, &b, 3);
            // A bad right-hand side takes the others of its matrix with it.
            b[8][(0, 1)] = f64::NAN;
            b[9][(n - 1, 0)] = f64::NEG_INFINITY;
            let found_solutions = solved(device, &bad, &b, 3);
            for of in 0..70 {
                assert_eq!(found.statuses[of], status(of), "{n}×{n}, matrix {of}");
                let of_right = if (8..10).contains(&of) { MatrixStatus::NonFinite } else { status(of) };
                assert_eq!(found_solutions.statuses[of], of_right, "{n}×{n}, solution {of}");
                if of_right == MatrixStatus::Converged {
                    assert_eq!(found.l.matrix(of), expected.l.matrix(of));
                    assert_eq!(found_solutions.x.matrix(of), solutions.x.matrix(of));
                    assert_eq!(found_solutions.corrections.matrix(of), solutions.corrections.matrix(of));
                } else {
                    let has_factor = status(of) == MatrixStatus::Converged;
                    assert!(has_factor || found.l.matrix(of).iter().all(|x| x.is_nan()), "{n}×{n}, matrix {of}");
                    assert!(found_solutions.x.matrix(of).iter().all(|x| x.is_nan()), "{n}×{n}, solution {of}");
                    assert!(found_solutions.corrections.matrix(of).iter().all(|x| x.is_nan()));
                }
            }
        }
    });
}

#[test]
fn what_stands_above_the_diagonal_is_not_read() {
    on_each_device(|device| {
        for n in [4, 12] {
            let (a, b) = (definites(3, n, 10.0), rights(3, n, 1));
            let lower = |a: &Mat<f64>| Mat::from_fn(n, n, |i, j| if i < j { f64::NAN } else { a[(i, j)] });
            let lower: Vec<Mat<f64>> = a.iter().map(lower).collect();
            let (found, expected) = (solved(device, &lower, &b, 3), solved(device, &a, &b, 3));
            assert!((0..3).all(|b| found.x.matrix(b) == expected.x.matrix(b)));
            let factor = cholesky(device, &batch(&lower)).unwrap();
            assert!((0..3).all(|b| off_by(&a[b], &factor.l, b, |_, _| true) <= 1.0));
        }
    });
}

/// The same device with buffers that hold one tile of 60×60 matrices.
fn with_small_buffers(device: &Device) -> Device {
    let limits = wgpu::Limits { max_storage_buffer_binding_size: 1 << 20, ..wgpu::Limits::defaults() };
    common::with_limits(device, &limits)
}

fn assert_same_bits(found: &MatrixBatch, expected: &MatrixBatch, first: usize, what: &str) {
    for b in 0..found.batch() {
        let (found, expected) = (found.matrix(b), expected.matrix(first + b));
        assert!(found.iter().zip(&expected).all(|(x, y)| x.to_bits() == y.to_bits()), "{what}: matrix {b}");
    }
}

#[test]
fn a_matrix_has_the_same_bits_in_any_place_batch_chunk_and_layout() {
    on_each_device(|device| {
        for n in [5, 60] {
            let options = CholeskyOptions::default();
            let (a, b) = (definites(150, n, 1e3), rights(150, n, 5));
            let (all_a, all_b) = (batch(&a), batch(&b));
            let factor = cholesky(device, &all_a).unwrap().l;
            let solution = cholesky_solve(device, &all_a, &all_b, &options).unwrap().x;
            let small = with_small_buffers(device);
            assert_same_bits(&cholesky(&small, &all_a).unwrap().l, &factor, 0, "in chunks");
            let in_chunks = cholesky_solve(&small, &all_a, &all_b, &options).unwrap();
            assert_same_bits(&in_chunks.x, &solution, 0, "in chunks");
            assert_eq!(in_chunks.statuses.len(), 150);
            for (first, count) in [(149, 1), (3, 2), (70, 64)] {
                let part = |all: &[Mat<f64>]| batch(&all[first..first + count]);
                assert_same_bits(&cholesky(device, &part(&a)).unwrap().l, &factor, first, "a smaller batch");
                let found = cholesky_solve(device, &part(&a), &part(&b), &options).unwrap();
                assert_same_bits(&found.x, &solution, first, "a smaller batch");
            }
            for lanes in [1, 4, 256] {
                let a = device.upload(&all_a).unwrap().with_lanes(lanes).unwrap();
                let b = device.upload(&all_b).unwrap();
                assert_same_bits(&a.cholesky().unwrap().download().unwrap().l, &factor, 0, "other tiles");
                let found = a.cholesky_solve(&b, &options).unwrap().download().unwrap();
                assert_same_bits(&found.x, &solution, 0, "other tiles");
            }
        }
    });
}

#[test]
fn solutions_of_any_size_scale_and_number_satisfy_their_systems() {
    on_each_device(|device| {
        let config =
            ProptestConfig { cases: 40, rng_seed: RngSeed::Fixed(7), failure_persistence: None, ..Default::default() };
        let strategy = (1..40usize, 1..6usize, 0.0..3.0f64, -20.0..20.0f64, -15.0..15.0f64, any::<u32>());
        TestRunner::new(config)
            .run(&strategy, |(n, each, condition, of_a, of_b, seed)| {
                let seed = u64::from(seed);
                let scaled = |x: Mat<f64>, decades: f64| rounded(&(faer::Scale(10f64.powf(decades)) * x));
                let a = scaled(definite(n, 10f64.powf(condition), seed), of_a);
                let b = scaled(gaussian(n, each, seed), of_b);
                let found = solved(device, std::slice::from_ref(&a), std::slice::from_ref(&b), 3);
                prop_assert_eq!(found.statuses[0], MatrixStatus::Converged);
                // x is off by 2u where residuals are doubled, and by the bound above everywhere.
                let doubled = device.capabilities().error_free_transforms;
                let single = (3 * n + 18) as f64 * (n as f64).sqrt() * 10f64.powf(condition);
                let bound = if doubled { 2.0 } else { single } * U;
                for error in forward_errors(&a, &b, &found.x, 0) {
                    prop_assert!(error <= bound, "{}×{}: off by {:e}", n, n, error);
                }
                Ok(())
            })
            .unwrap();
    });
}

#[test]
fn what_does_not_fit_is_an_error_with_both_sizes() {
    on_each_device(|device| {
        let zeros = |b: usize, m: usize, n: usize| MatrixBatch::zeros(b, m, n).unwrap();
        let solve =
            |a, b| cholesky_solve(device, &a, &b, &CholeskyOptions::default()).map(|found| found.statuses.len());
        let error = cholesky(device, &zeros(2, 3, 4)).unwrap_err();
        assert!(matches!(error, LinalgError::NotSquare { rows: 3, columns: 4, .. }), "{error}");
        assert!(matches!(solve(zeros(2, 4, 3), zeros(2, 4, 1)).unwrap_err(), LinalgError::NotSquare { .. }));
        for (b, sizes) in [(zeros(2, 5, 1), (3, 5)), (zeros(4, 3, 1), (2, 4))] {
            match solve(zeros(2, 3, 3), b).unwrap_err() {
                LinalgError::Mismatch { left_size, right_size, .. } => assert_eq!((left_size, right_size), sizes),
                error => panic!("{error}"),
            }
        }
        assert!(cholesky(device, &zeros(0, 3, 3)).unwrap().statuses.is_empty());
        assert_eq!(solve(zeros(0, 3, 3), zeros(0, 3, 2)).unwrap(), 0);
    });
}

#[test]
fn on_swiftshader_the_same_claims_hold() {
    common::again_on_swiftshader(&["whatever", "what_", "a_", "powers", "first_correction", "graded", "any_size"]);
}
