//! Gram matrices on the device against f64, and the same bits wherever and however a matrix lies.

use natgrad::gpu::Device;
use natgrad::linalg::{DeviceBatch, GramKind, LinalgError, MatrixBatch, Shape, gram};
use natgrad::{DeviceError, Distribution, random_start, wgpu};

mod common;

const U: f64 = 1.0 / (1u64 << 24) as f64;
const KINDS: [GramKind; 2] = [GramKind::Columns, GramKind::Rows];

fn random(batch: usize, rows: usize, columns: usize) -> MatrixBatch {
    MatrixBatch::from_fn(batch, rows, columns, |b, i, j| {
        random_start(b as u64, (i * columns + j) as u32, Distribution::Normal, 1.0) as f32
    })
    .unwrap()
}

/// One lane, so that a large matrix takes no more memory than it has elements.
fn random_plain(batch: usize, rows: usize, columns: usize) -> MatrixBatch {
    let data = (0..batch * rows * columns)
        .map(|k| random_start((k >> 20) as u64, (k & 0xf_ffff) as u32, Distribution::Uniform, 1.0) as f32);
    MatrixBatch::from_column_major(batch, rows, columns, data.collect()).unwrap()
}

/// The vectors of matrix b whose dot products are wanted.
fn vectors(a: &MatrixBatch, b: usize, kind: GramKind) -> Vec<Vec<f64>> {
    let (m, n) = (a.rows(), a.columns());
    match kind {
        GramKind::Columns => (0..n).map(|j| (0..m).map(|i| f64::from(a.get(b, i, j))).collect()).collect(),
        GramKind::Rows => (0..m).map(|i| (0..n).map(|j| f64::from(a.get(b, i, j))).collect()).collect(),
    }
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

/// Largest error of a Gram matrix in units of √length·u·|x|ᵀ|y|, over the pairs (j, k) that `pick` takes.
fn worst(a: &MatrixBatch, found: &MatrixBatch, b: usize, kind: GramKind, pick: impl Fn(usize, usize) -> bool) -> f64 {
    let vectors = vectors(a, b, kind);
    let size = vectors.len();
    assert_eq!((found.rows(), found.columns()), (size, size));
    let mut worst = 0.0f64;
    for j in 0..size {
        for k in 0..=j {
            let value = found.get(b, j, k);
            assert_eq!(value.to_bits(), found.get(b, k, j).to_bits(), "[{j}][{k}] of matrix {b} has no mirror image");
            if pick(j, k) {
                let (x, y) = (&vectors[j], &vectors[k]);
                let size: f64 = x.iter().zip(y).map(|(x, y)| (x * y).abs()).sum();
                let error = (f64::from(value) - dot(x, y)).abs();
                worst = worst.max(error / ((x.len() as f64).sqrt() * U * size));
                assert!(!error.is_nan());
            }
        }
    }
    worst
}

#[test]
fn every_entry_is_within_the_stated_bound_whatever_the_shape() {
    // Segments of S = max(32, √n to 2√n) terms make at most S + n/S ≤ 6√n roundings of each sum.
    common::for_each_device(|device| {
        for (m, n) in [(1, 1), (1, 5), (4, 1), (3, 3), (5, 8), (8, 7), (9, 9), (40, 17), (12, 33), (100, 5), (70, 64)] {
            let a = random(70, m, n);
            for kind in KINDS {
                let found = gram(device, &a, kind).unwrap();
                let worst = (0..70).map(|b| worst(&a, &found, b, kind, |_, _| true)).fold(0.0, f64::max);
                assert!(worst <= 6.0, "{m}×{n} {kind:?}: {worst}");
            }
        }
    });
}

#[test]
fn large_matrices_are_within_the_same_bound() {
    for device in common::devices() {
        for (m, n, batch) in [(200, 100, 2), (2048, 512, 1), (512, 2048, 2), (70_000, 3, 1)] {
            let a = random_plain(batch, m, n);
            for kind in KINDS {
                if kind == GramKind::Rows && m == 70_000 {
                    continue; // Its 20 GB are more than a buffer holds: the next test.
                }
                let found = gram(device, &a, kind).unwrap();
                // Every entry in f64 would take longer than the device: all of small results, a sample of large ones.
                let sample = |j: usize, k: usize| found.rows() <= 100 || (j * 31 + k * 17) % 997 < 2 || j - k == 1;
                let worst = (0..batch).map(|b| worst(&a, &found, b, kind, sample)).fold(0.0, f64::max);
                println!("{m}×{n} {kind:?}: {worst:.3} of 6");
                assert!(worst <= 6.0, "{m}×{n} {kind:?}: {worst}");
            }
        }
    }
}

#[test]
fn the_rounding_of_a_long_sum_does_not_grow_with_its_length() {
    // Equal terms are the worst case of a plain sum: of 0.1² 2²⁰ times it would be off by 10⁻⁴ and more.
    for device in common::devices() {
        let a = MatrixBatch::from_column_major(1, 1 << 20, 1, vec![0.1; 1 << 20]).unwrap();
        let found = f64::from(gram(device, &a, GramKind::Columns).unwrap().get(0, 0, 0));
        let expected = f64::from(0.1f32).powi(2) * f64::from(1 << 20);
        // Two levels of 1024 terms each.
        assert!((found / expected - 1.0).abs() <= 2050.0 * U, "{found} for {expected}");
    }
}

#[test]
fn products_that_no_buffer_holds_are_an_error_with_both_sizes() {
    for device in common::devices() {
        let a = random_plain(1, 70_000, 1);
        match gram(device, &a, GramKind::Rows) {
            Err(LinalgError::Device(DeviceError::TooLarge { bytes, limit, .. })) => assert!(bytes > limit),
            other => panic!("{other:?}"),
        }
    }
}

/// The same device with buffers that hold one tile of 60×50 matrices.
fn with_small_buffers(device: &Device) -> Device {
    let limits = wgpu::Limits { max_storage_buffer_binding_size: 1 << 20, ..wgpu::Limits::defaults() };
    common::with_limits(device, &limits)
}

#[test]
fn a_matrix_has_the_same_bits_in_any_place_batch_chunk_and_layout() {
    for device in common::devices() {
        for (m, n) in [(6, 4), (60, 50)] {
            let a = random(150, m, n);
            for kind in KINDS {
                let whole = gram(device, &a, kind).unwrap();
                let same = |other: &MatrixBatch, first: usize, what: &str| {
                    for b in 0..other.batch() {
                        let (found, expected) = (other.matrix(b), whole.matrix(first + b));
                        assert!(found.iter().zip(&expected).all(|(x, y)| x.to_bits() == y.to_bits()), "{what}: {b}");
                    }
                };
                same(&gram(&with_small_buffers(device), &a, kind).unwrap(), 0, "in chunks");
                for (first, count) in [(149, 1), (3, 2), (70, 64)] {
                    let part = MatrixBatch::from_fn(count, m, n, |b, i, j| a.get(first + b, i, j)).unwrap();
                    same(&gram(device, &part, kind).unwrap(), first, "a smaller batch");
                }
                for lanes in [1, 4, 256] {
                    let there = device.upload(&a).unwrap().with_lanes(lanes).unwrap();
                    same(&there.gram(kind).unwrap().download().unwrap(), 0, "other tiles");
                }
            }
        }
    }
}

#[test]
fn what_is_not_finite_stays_in_its_matrix() {
    for device in common::devices() {
        let a = random(70, 20, 11);
        let mut bad = a.clone();
        bad.set(33, 4, 5, f32::NAN);
        bad.set(34, 0, 0, f32::MAX);
        for kind in KINDS {
            let (found, expected) = (gram(device, &bad, kind).unwrap(), gram(device, &a, kind).unwrap());
            for b in (0..70).filter(|&b| b != 33 && b != 34) {
                assert_eq!(found.matrix(b), expected.matrix(b));
            }
            let at = if kind == GramKind::Columns { 5 } else { 4 };
            assert!(found.get(33, at, at).is_nan());
            assert_eq!(found.get(34, 0, 0), f32::INFINITY);
        }
    }
}

#[test]
fn products_of_no_matrix_are_none_and_those_on_the_device_stay_there() {
    for device in common::devices() {
        let none = gram(device, &random(0, 3, 2), GramKind::Columns).unwrap();
        assert_eq!((none.batch(), none.rows(), none.columns()), (0, 2, 2));
        let there: DeviceBatch = device.upload(&random(5, 3, 2)).unwrap();
        let twice = there.gram(GramKind::Rows).unwrap().gram(GramKind::Columns).unwrap();
        let Shape { batch, rows, columns, .. } = twice.shape();
        assert_eq!((batch, rows, columns), (5, 3, 3));
    }
}

#[test]
fn on_swiftshader_the_same_claims_hold() {
    common::again_on_swiftshader(&[]);
}
