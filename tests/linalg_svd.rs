//! SVDs on the device against the algebra: LAPACK's ratios, clusters, and the same bits wherever a matrix stands.

use natgrad::gpu::Device;
use natgrad::linalg::{LinalgError, MatrixBatch, MatrixStatus, Shape, Svd, SvdOptions, svd};
use natgrad::{Distribution, random_start, wgpu};

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

/// Decomposes the matrices and holds every one to the claims: converged, σ descending, LAPACK's ratios below ten.
fn holds_to_its_claims(device: &Device, a: &MatrixBatch) {
    let (m, n) = (a.rows(), a.columns());
    let Svd { u: Some(u), sigma, v: Some(v), reports, .. } = svd(device, a, &SvdOptions::default()).unwrap() else {
        panic!("no vectors")
    };
    let mut worst = [0.0f64; 3];
    for b in 0..a.batch() {
        assert_eq!(reports[b].status, MatrixStatus::Converged, "{m}×{n}, matrix {b}");
        assert!((1..m.min(n)).all(|k| sigma.get(b, k - 1, 0) >= sigma.get(b, k, 0)), "{m}×{n}, matrix {b}");
        for (worst, ratio) in worst.iter_mut().zip(ratios(a, &u, &sigma, &v, b)) {
            assert!(!ratio.is_nan());
            *worst = worst.max(ratio);
        }
    }
    println!("{m}×{n}: {worst:.2?}");
    assert!(worst.iter().all(|&ratio| ratio < 10.0), "{m}×{n}: {worst:?}");
}

#[test]
fn lapacks_ratios_of_random_matrices_are_below_ten() {
    for device in common::devices() {
        for (m, n) in
            [(1, 1), (2, 3), (3, 3), (5, 2), (8, 8), (7, 12), (16, 16), (30, 8), (13, 9), (9, 40), (33, 33), (64, 64)]
        {
            holds_to_its_claims(device, &random(70, m, n));
        }
    }
}

#[test]
fn lapacks_ratios_of_matrices_that_many_invocations_share_are_below_ten() {
    // 200 columns are more than one invocation sweeps: a round of the tournament is a dispatch of its own.
    for device in common::devices() {
        for (m, n) in [(200, 200), (150, 220)] {
            holds_to_its_claims(device, &random(2, m, n));
        }
    }
}

/// Sweeps pass over blocks of zeros: the columns that are there are made orthogonal all the same, wherever they stand, and in one
/// block, two next to each other or two apart.
#[test]
fn columns_among_zeros_are_orthogonal_wherever_they_stand() {
    for device in common::devices() {
        for n in [20, 48] {
            let drawn = random(n, n, n);
            let a = MatrixBatch::from_fn(n, n, n, |b, i, j| {
                let is_there = (b..b + 5).contains(&j) || (b % 2 == 1 && (b + 30..b + 33).contains(&j));
                if is_there { drawn.get(b, i, j) } else { 0.0 }
            });
            holds_to_its_claims(device, &a.unwrap());
        }
    }
}

#[test]
fn many_rotations_make_no_column_longer() {
    // A column takes part in a rotation with each other in every sweep. If their errors are as often gains as losses, its
    // length walks √(sweeps·n) roundings at random, and the mean of n squared lengths two √sweeps: held to thrice that.
    for device in common::devices() {
        for n in [12, 33, 64] {
            let a = random(8, n, n);
            let found = svd(device, &a, &SvdOptions::default()).unwrap();
            let v = found.v.as_ref().unwrap();
            for b in 0..8 {
                let excess = |k: usize| (0..n).map(|i| f64::from(v.get(b, i, k)).powi(2)).sum::<f64>() - 1.0;
                let mean = (0..n).map(excess).sum::<f64>() / n as f64;
                let bound = 6.0 * f64::from(found.reports[b].sweeps).sqrt() * ULP / 2.0;
                assert!(mean.abs() <= bound, "{n} columns are longer by {:.1} roundings", mean / ULP * 2.0);
            }
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
            holds_to_its_claims(device, &clustered(300, n));
        }
    }
}

#[test]
fn of_equal_columns_one_direction_is_left_and_the_rest_is_orthogonal_to_it() {
    // Rotations cancel such columns to rounding, parallel to what they were, and again in every sweep.
    for device in common::devices() {
        for (m, n) in [(5, 5), (37, 5), (5, 37), (40, 30), (35, 50)] {
            let ones = MatrixBatch::from_fn(2, m, n, |_, _, _| 1.0).unwrap();
            let Svd { u: Some(u), sigma, v: Some(v), reports, .. } =
                svd(device, &ones, &SvdOptions::default()).unwrap()
            else {
                panic!("no vectors")
            };
            assert_eq!(reports[0].rank, 1, "{m}×{n}");
            let expected = ((m * n) as f64).sqrt();
            assert!((f64::from(sigma.get(0, 0, 0)) - expected).abs() <= 10.0 * ULP * expected);
            for (vectors, rows) in [(&u, m), (&v, n)] {
                let dot = |j: usize, k: usize| -> f64 {
                    (0..rows).map(|i| f64::from(vectors.get(0, i, j)) * f64::from(vectors.get(0, i, k))).sum()
                };
                for j in 0..m.min(n) {
                    for k in 0..j {
                        assert!(dot(j, k).abs() <= 10.0 * rows as f64 * ULP, "{m}×{n}, columns {j} and {k}");
                    }
                }
            }
        }
    }
}

/// Sizes in registers, tall and wide, and beyond.
const SIZES: [(usize, usize); 4] = [(4, 3), (3, 5), (20, 6), (9, 12)];

#[test]
fn values_without_vectors_are_those_with_them() {
    for device in common::devices() {
        for (m, n) in SIZES {
            let a = random(70, m, n);
            let (with, without) =
                (svd(device, &a, &SvdOptions::default()).unwrap(), svd(device, &a, &SvdOptions::values()).unwrap());
            assert!(without.u.is_none() && without.v.is_none());
            for b in 0..70 {
                assert_eq!((without.reports[b].status, without.reports[b].rank), (MatrixStatus::Converged, m.min(n)));
                for k in 0..m.min(n) {
                    // Both are backward stable; the compiler may contract one kernel's arithmetic and not the other's.
                    let off = (with.sigma.get(b, k, 0) - without.sigma.get(b, k, 0)).abs();
                    let bound = 8.0 * ULP as f32 * (m.max(n) as f32).sqrt() * with.sigma.get(b, 0, 0);
                    assert!(off <= bound, "{m}×{n}, matrix {b}: σ[{k}] off by {off:e}");
                }
            }
        }
    }
}

/// Everything of matrix b of a decomposition, to the bit.
fn bits(found: &Svd, b: usize) -> Vec<u32> {
    let parts = [found.u.as_ref().unwrap(), &found.sigma, found.v.as_ref().unwrap()];
    let numbers = parts.into_iter().flat_map(|part| part.matrix(b)).map(f32::to_bits);
    numbers.chain([found.reports[b].sweeps]).collect()
}

#[test]
fn a_matrix_has_the_same_bits_in_any_place_batch_chunk_and_layout() {
    for device in common::devices() {
        // Buffers too small for all of the larger sizes at once.
        let limits = wgpu::Limits { max_storage_buffer_binding_size: 1 << 18, ..wgpu::Limits::defaults() };
        let small = common::with_limits(device, &limits);
        for (m, n) in SIZES {
            let a = random(300, m, n);
            let options = SvdOptions::default();
            let whole = svd(device, &a, &options).unwrap();
            let same = |found: &Svd, first: usize, what: &str| {
                for b in 0..found.reports.len() {
                    assert_eq!(bits(found, b), bits(&whole, first + b), "{m}×{n}, {what}: matrix {b}");
                }
            };
            same(&svd(device, &a, &options).unwrap(), 0, "once more");
            same(&svd(&small, &a, &options).unwrap(), 0, "in chunks");
            for (first, count) in [(149, 1), (3, 2), (70, 64)] {
                let part = MatrixBatch::from_fn(count, m, n, |b, i, j| a.get(first + b, i, j)).unwrap();
                same(&svd(device, &part, &options).unwrap(), first, "a smaller batch");
            }
            let there = device.upload(&a).unwrap().with_lanes(4).unwrap();
            same(&there.svd(&options).unwrap().download().unwrap(), 0, "other tiles");
        }
    }
}

#[test]
fn a_matrix_that_is_not_finite_has_a_status_and_changes_no_bit_of_its_neighbours() {
    for device in common::devices() {
        for (m, n) in SIZES {
            let a = random(70, m, n);
            let mut bad = a.clone();
            bad.set(33, 1, 2, f32::NAN);
            bad.set(34, 0, 0, f32::NEG_INFINITY);
            let options = SvdOptions::default();
            let (found, expected) = (svd(device, &bad, &options).unwrap(), svd(device, &a, &options).unwrap());
            for b in 0..70 {
                if b != 33 && b != 34 {
                    assert_eq!(bits(&found, b), bits(&expected, b), "{m}×{n}, matrix {b}");
                    continue;
                }
                assert_eq!((found.reports[b].status, found.reports[b].rank), (MatrixStatus::NonFinite, 0));
                for part in [found.u.as_ref().unwrap(), &found.sigma, found.v.as_ref().unwrap()] {
                    assert!(part.matrix(b).iter().all(|value| value.is_nan()), "{m}×{n}, matrix {b}");
                }
            }
        }
    }
}

#[test]
fn ranks_are_counted_at_the_cutoff_and_zero_matrices_have_none() {
    for device in common::devices() {
        for (m, n) in SIZES {
            // Diagonal: 1, 10⁻³, 0, …; and nothing at all.
            let entry = |b: usize, i: usize, j: usize| if b == 0 && i == j { [1.0, 1e-3, 0.0][i.min(2)] } else { 0.0 };
            let a = MatrixBatch::from_fn(2, m, n, entry).unwrap();
            for (options, rank) in [
                (SvdOptions::default(), 2),
                (SvdOptions::default().cutoff(1e-2), 1),
                (SvdOptions::values().cutoff(0.0), 2),
            ] {
                let found = svd(device, &a, &options).unwrap();
                assert_eq!((found.reports[0].rank, found.reports[1].rank), (rank, 0), "{m}×{n}");
                assert_eq!((found.sigma.get(0, 0, 0), found.sigma.get(0, 2, 0)), (1.0, 0.0));
                assert_eq!(found.reports[1].status, MatrixStatus::Converged);
            }
        }
    }
}

#[test]
fn bad_requests_are_errors_with_their_numbers_and_no_matrices_have_no_results() {
    for device in common::devices() {
        let a = random(3, 4, 3);
        let error = svd(device, &a, &SvdOptions::default().cutoff(1.0)).unwrap_err();
        assert_eq!(error.to_string(), "cutoff 1 is outside [0, 1): it is relative to the largest singular value");
        let none = svd(device, &random(0, 4, 3), &SvdOptions::default()).unwrap();
        assert_eq!((none.reports.len(), none.sigma.rows()), (0, 3));
        let there = device.upload(&random(0, 4, 3)).unwrap();
        assert_eq!(there.svd(&SvdOptions::default()).unwrap().download().unwrap().reports.len(), 0);
    }
    // A shape made by hand is checked where it is used.
    for shape in [Shape { batch: 1, rows: 0, columns: 2, lanes: 1 }, Shape { batch: 1, rows: 2, columns: 2, lanes: 0 }]
    {
        let error = MatrixBatch::from_layout(shape, vec![0.0f32; 4]).unwrap_err();
        assert!(matches!(error, LinalgError::Empty { .. } | LinalgError::Lanes { .. }), "{error}");
    }
}

#[test]
fn on_swiftshader_the_same_claims_hold() {
    common::again_on_swiftshader(&[]);
}
