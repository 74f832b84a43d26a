//! QR factorisations on the device against the algebra: LAPACK's ratios, columns of any size, any rank.

use natgrad::gpu::Device;
use natgrad::linalg::{MatrixBatch, MatrixStatus, Qr, Shape, qr};
use natgrad::{Distribution, random_start, wgpu};

mod common;

/// LAPACK's unit in the last place: 2⁻²³.
const ULP: f64 = f32::EPSILON as f64;

fn normal(b: usize, k: usize) -> f64 {
    random_start(b as u64, k as u32, Distribution::Normal, 1.0)
}

fn random(batch: usize, rows: usize, columns: usize) -> MatrixBatch {
    MatrixBatch::from_fn(batch, rows, columns, |b, i, j| normal(b, i * columns + j) as f32).unwrap()
}

/// The worst of the batch: LAPACK's ‖I − QᵀQ‖/(m·ulp) in the 1-norm, and ‖aⱼ − Q rⱼ‖/(‖aⱼ‖·max(m, n)·ulp), column by
/// column, which is more than LAPACK asks.
fn ratios(a: &MatrixBatch, found: &Qr) -> [f64; 2] {
    let (m, n, k) = (a.rows(), a.columns(), found.r.rows());
    let mut worst = [0.0f64; 2];
    for b in 0..a.batch() {
        let get = |x: &MatrixBatch, i: usize, j: usize| f64::from(x.get(b, i, j));
        for j in 0..k {
            let sum: f64 = (0..k)
                .map(|l| {
                    let dot: f64 = (0..m).map(|i| get(&found.q, i, j) * get(&found.q, i, l)).sum();
                    (dot - f64::from(u8::from(j == l))).abs()
                })
                .sum();
            worst[0] = worst[0].max(sum / (m as f64 * ULP));
        }
        for j in 0..n {
            let (mut off, mut length) = (0.0, 0.0);
            for i in 0..m {
                let product: f64 = (0..k).map(|l| get(&found.q, i, l) * get(&found.r, l, j)).sum();
                off += (get(a, i, j) - product).powi(2);
                length += get(a, i, j).powi(2);
            }
            let ratio = if length == 0.0 { off } else { (off / length).sqrt() / (m.max(n) as f64 * ULP) };
            assert!(!ratio.is_nan());
            worst[1] = worst[1].max(ratio);
        }
    }
    worst
}

fn holds_to_its_claims(device: &Device, a: &MatrixBatch, what: &str) {
    let found = qr(device, a).unwrap();
    let (m, n) = (a.rows(), a.columns());
    assert!(found.statuses.iter().all(|&status| status == MatrixStatus::Converged), "{what}");
    let below = (0..a.batch()).all(|b| (0..n).all(|j| (j + 1..m.min(n)).all(|i| found.r.get(b, i, j) == 0.0)));
    assert!(below, "{what}, {m}×{n}: R is not triangular");
    let worst = ratios(a, &found);
    println!("{what}, {m}×{n}: {worst:.2?}");
    assert!(worst.iter().all(|&ratio| ratio < 10.0), "{what}, {m}×{n}: {worst:?}");
}

const SIZES: [(usize, usize); 14] = [
    (1, 1),
    (1, 7),
    (7, 1),
    (2, 3),
    (8, 8),
    (9, 9),
    (16, 17),
    (20, 100),
    (100, 5),
    (23, 8),
    (100, 100),
    (130, 40),
    (64, 192),
    (700, 33),
];

#[test]
fn lapacks_ratios_are_below_ten_whatever_the_shape() {
    common::for_each_device(|device| {
        for (m, n) in SIZES {
            holds_to_its_claims(device, &random(if m * n > 1000 { 3 } else { 70 }, m, n), "random");
        }
    });
}

#[test]
fn columns_stay_orthonormal_whatever_the_rank() {
    for device in common::devices() {
        for (m, n) in [(5, 5), (20, 12), (12, 20), (40, 9)] {
            holds_to_its_claims(device, &MatrixBatch::zeros(3, m, n).unwrap(), "zero");
            let ones = MatrixBatch::from_fn(3, m, n, |_, _, _| 1.0).unwrap();
            holds_to_its_claims(device, &ones, "ones");
            let repeated = MatrixBatch::from_fn(66, m, n, |b, i, j| normal(b, i * n + j / 3) as f32).unwrap();
            holds_to_its_claims(device, &repeated, "repeated columns");
            let last = MatrixBatch::from_fn(3, m, n, |b, i, j| if j + 1 == n { normal(b, i) as f32 } else { 0.0 });
            holds_to_its_claims(device, &last.unwrap(), "zero columns but the last");
        }
    }
}

#[test]
fn every_column_keeps_its_own_accuracy_up_to_the_ends_of_the_range() {
    for device in common::devices() {
        for (m, n) in [(6, 6), (30, 13), (12, 20)] {
            for scale in [1e-30f64, 1e30] {
                let a = MatrixBatch::from_fn(66, m, n, |b, i, j| (scale * normal(b, i * n + j)) as f32).unwrap();
                holds_to_its_claims(device, &a, "scaled");
            }
            let grade = |j: usize, from: f64, to: f64| (from + (to - from) * j as f64 / n as f64).exp2();
            for (from, to) in [(-33.0, 33.0), (33.0, -33.0)] {
                let entry = |b: usize, i: usize, j: usize| (grade(j, from, to) * normal(b, i * n + j)) as f32;
                holds_to_its_claims(device, &MatrixBatch::from_fn(66, m, n, entry).unwrap(), "graded");
            }
        }
    }
}

#[test]
fn a_matrix_that_is_not_finite_has_a_status_and_changes_no_bit_of_its_neighbours() {
    for device in common::devices() {
        for (m, n) in [(4, 3), (20, 12), (6, 15)] {
            let good = random(9, m, n);
            for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let mut bad = good.clone();
                bad.set(4, m - 1, n - 1, value);
                let (expected, found) = (qr(device, &good).unwrap(), qr(device, &bad).unwrap());
                for b in 0..9 {
                    if b == 4 {
                        assert_eq!(found.statuses[b], MatrixStatus::NonFinite);
                        let all = [found.q.matrix(b), found.r.matrix(b)].concat();
                        assert!(all.iter().all(|entry| entry.is_nan()), "{m}×{n}");
                    } else {
                        assert_eq!(found.statuses[b], MatrixStatus::Converged);
                        assert_eq!(found.q.matrix(b), expected.q.matrix(b), "{m}×{n}, matrix {b}");
                        assert_eq!(found.r.matrix(b), expected.r.matrix(b), "{m}×{n}, matrix {b}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_matrix_has_the_same_bits_in_any_place_batch_chunk_and_layout() {
    for device in common::devices() {
        let limits = wgpu::Limits { max_storage_buffer_binding_size: 1 << 20, ..wgpu::Limits::defaults() };
        let small = common::with_limits(device, &limits);
        for (m, n) in [(8, 5), (30, 20), (12, 40)] {
            let a = random(700, m, n);
            let all = qr(device, &a).unwrap();
            let chunks = qr(&small, &a).unwrap();
            assert!(all.q == chunks.q && all.r == chunks.r, "{m}×{n} in chunks");
            for b in [0, 63, 699] {
                let alone = MatrixBatch::from_column_major(1, m, n, a.matrix(b)).unwrap();
                let found = device.upload(&alone).unwrap().qr().unwrap().download().unwrap();
                assert_eq!(found.q.matrix(0), all.q.matrix(b), "{m}×{n}, matrix {b}");
                assert_eq!(found.r.matrix(0), all.r.matrix(b), "{m}×{n}, matrix {b}");
            }
        }
    }
}

#[test]
fn no_matrices_have_no_factors_and_those_that_no_buffer_holds_are_an_error_with_both_sizes() {
    for device in common::devices().take(1) {
        let none = qr(device, &MatrixBatch::zeros(0, 5, 3).unwrap()).unwrap();
        assert!(none.statuses.is_empty());
        assert_eq!(none.q.shape(), Shape { batch: 0, rows: 5, columns: 3, ..none.q.shape() });
        let limits = wgpu::Limits { max_storage_buffer_binding_size: 1 << 20, ..wgpu::Limits::defaults() };
        let small = common::with_limits(device, &limits);
        let error = qr(&small, &MatrixBatch::zeros(1, 600, 600).unwrap()).unwrap_err().to_string();
        assert!(error.contains("1440000") && error.contains("1048576"), "{error}");
    }
}

#[test]
fn on_swiftshader_the_same_claims_hold() {
    common::again_on_swiftshader(&[]);
}
