//! SVDs of every type and shape of matrix against the algebra and against f64: LAPACK's ratios, singular values, ranks.

use faer::Mat;
use natgrad::gpu::Device;
use natgrad::linalg::{MatrixBatch, MatrixStatus, Svd, SvdOptions, svd};
use natgrad::{Distribution, random_start};
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};

mod common;
use common::matrices::{
    Case, SHAPES, Spectrum, ULP, batch, catalogue, graded, matrix, regressions, rounded, with_spectrum,
};
use common::on_each_device;
use common::oracle::{
    U, absolute_bound, bits, column_error, moore_penrose, outside_row_space, projector, relative_bound, sigma,
    singular_values, singular_values_to_relative_accuracy, svd_ratios, worse,
};

/// Every type of matrix of one shape, and what the device makes of it.
fn catalogued(device: &Device, (m, n): (usize, usize), options: &SvdOptions) -> (Vec<Case>, Svd) {
    let cases = catalogue(m, n);
    let found = svd(device, &batch(cases.iter().map(|case| &case.matrix)), options).unwrap();
    (cases, found)
}

/// The middle of some numbers.
fn median(numbers: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = numbers.collect();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// Every entry moved by up to a unit roundoff of f32, at random.
fn rounded_again(a: &Mat<f64>, seed: usize) -> Mat<f64> {
    let shift = |k: usize| 1.0 + U * random_start(seed as u64, k as u32, Distribution::Uniform, 1.0);
    Mat::from_fn(a.nrows(), a.ncols(), |i, j| a[(i, j)] * shift(i * a.ncols() + j))
}

#[test]
fn lapacks_ratios_are_below_ten_and_near_underflow_and_overflow_below_fifty() {
    on_each_device(|device| {
        let mut failures = Vec::new();
        for shape in SHAPES {
            let (cases, found) = catalogued(device, shape, &SvdOptions::default());
            let mut worst = [[0.0f64; 3]; 2];
            for (b, case) in cases.iter().enumerate() {
                let ratios = svd_ratios(&case.matrix, &found, b);
                let limit = if case.well_scaled { 10.0 } else { 50.0 };
                if !ratios.iter().all(|&ratio| ratio < limit) {
                    failures.push(format!("{shape:?} {}: {ratios:.2?}", case.name));
                }
                let worst = &mut worst[usize::from(!case.well_scaled)];
                (0..3).for_each(|k| worst[k] = worse(worst[k], ratios[k]));
            }
            println!("{shape:?}: {:.2?}, near underflow and overflow {:.2?}", worst[0], worst[1]);
        }
        assert!(failures.is_empty(), "{failures:#?}");
    });
}

#[test]
fn ratios_and_least_values_are_as_good_where_quotients_and_roots_are_all_too_small_or_all_too_large() {
    common::again_with_loose_arithmetic(&["lapacks_ratios_are_below_ten", "the_least_singular_value"]);
}

#[test]
fn singular_values_descend_to_no_less_than_zero_and_every_matrix_converges() {
    on_each_device(|device| {
        for shape in SHAPES {
            let (cases, found) = catalogued(device, shape, &SvdOptions::default());
            for (b, case) in cases.iter().enumerate() {
                let values = sigma(&found, b);
                assert_eq!(values.len(), shape.0.min(shape.1));
                assert!(values.windows(2).all(|pair| pair[0] >= pair[1]), "{shape:?} {}: {values:?}", case.name);
                assert!(values[values.len() - 1] >= 0.0, "{shape:?} {}: {values:?}", case.name);
                assert_eq!(found.reports[b].status, MatrixStatus::Converged, "{shape:?} {}", case.name);
            }
            let sweeps = found.reports.iter().map(|report| report.sweeps);
            println!("{shape:?}: {} sweeps in all, at most {:?}", sweeps.clone().sum::<u32>(), sweeps.max());
        }
    });
}

#[test]
fn singular_values_are_those_of_f64_to_the_rounding_of_the_columns_with_vectors_and_without() {
    on_each_device(|device| {
        for shape in SHAPES {
            let (cases, with) = catalogued(device, shape, &SvdOptions::default());
            let (_, without) = catalogued(device, shape, &SvdOptions::values());
            assert!(without.u.is_none() && without.v.is_none());
            let mut worst = [0.0f64; 3];
            for (b, case) in cases.iter().enumerate() {
                let bound = absolute_bound(&case.matrix);
                let values = [singular_values(&case.matrix), sigma(&with, b), sigma(&without, b)];
                for k in 0..values[0].len() {
                    let off = |x: usize, y: usize| (values[x][k] - values[y][k]).abs() / bound;
                    // Both ways are within the bound of f64, and so within twice that of each other.
                    let offs = [off(0, 1), off(0, 2), off(1, 2) / 2.0];
                    assert!(offs.iter().all(|&off| off <= 1.0), "{shape:?} {}: σ[{k}] off by {offs:?}", case.name);
                    (0..3).for_each(|k| worst[k] = worst[k].max(offs[k]));
                }
            }
            println!("{shape:?}: with vectors {:.3}, without {:.3}, each other {:.3}", worst[0], worst[1], worst[2]);
        }
    });
}

#[test]
fn every_singular_value_of_a_graded_matrix_is_right_whatever_the_grading() {
    on_each_device(|device| {
        let mut failures = Vec::new();
        for shape in SHAPES {
            let all = graded(shape.0, shape.1);
            for options in [SvdOptions::default(), SvdOptions::values()] {
                let found = svd(device, &batch(all.iter().map(|case| &case.matrix)), &options).unwrap();
                let mut worst: f64 = 0.0;
                for (b, case) in all.iter().enumerate() {
                    let bound = relative_bound(&case.matrix, case.condition);
                    let expected = singular_values_to_relative_accuracy(&case.matrix);
                    for (k, (value, expected)) in sigma(&found, b).into_iter().zip(expected).enumerate() {
                        let error = (value / expected - 1.0).abs() / bound;
                        if error.is_nan() || error > 1.0 {
                            failures.push(format!("{shape:?} {}: σ[{k}] {value:e} for {expected:e}", case.name));
                        }
                        worst = worse(worst, error);
                    }
                }
                println!("{shape:?}, vectors {}: {worst:.3} of the bound", options.vectors);
            }
        }
        assert!(failures.is_empty(), "{failures:#?}");
    });
}

#[test]
fn the_least_singular_value_at_condition_1e5_is_known_to_a_few_parts_in_ten_thousand() {
    // Of general matrices no method can know more than their entries tell: rounding each once moves σₙ by 3e-4 already where
    // n is 8. The median is held to as many such roundings as a column suffers, as `column_error` counts them. Half of the
    // long ones are good to 2e-4, the figure of a sound one-sided Jacobi on A itself. 37×5 goes by R, each of whose
    // roundings weighs √(37/5) times as much, since a vector of 5 has that much more of itself along one direction than one
    // of 37: it is held to two roundings of the entries of A.
    on_each_device(|device| {
        for (m, n) in SHAPES.into_iter().filter(|&(m, n)| m.min(n) > 1) {
            let size = m.min(n);
            let spectrum = Spectrum::Geometric(1e5).values(size, 0);
            let all: Vec<Mat<f64>> = (700..750).map(|seed| rounded(&with_spectrum(m, n, &spectrum, seed))).collect();
            let found = svd(device, &batch(&all), &SvdOptions::values()).unwrap();
            let off = |b: usize, value: f64| (value / singular_values(&all[b])[size - 1] - 1.0).abs();
            let error = median((0..50).map(|b| off(b, sigma(&found, b)[size - 1])));
            let rounding = median((0..50).map(|b| off(b, singular_values(&rounded_again(&all[b], b))[size - 1])));
            println!("{m}×{n}: {error:.2e}, by rounding the entries {rounding:.2e}");
            assert!(error <= column_error(m, n) / U * rounding, "{m}×{n}: {error:e}, by one rounding {rounding:e}");
            let bound = if size < 5 { 2e-4 } else { 2.0 * rounding };
            assert!(m.max(n) < 28 || size > 5 || error <= bound, "{m}×{n}: {error:e}");
        }
    });
}

#[test]
fn small_matrices_that_others_got_wrong_come_out_right() {
    on_each_device(|device| {
        for (a, rank) in regressions() {
            let found = svd(device, &batch([&a]), &SvdOptions::default()).unwrap();
            let (bound, expected) = (absolute_bound(&a), singular_values(&a));
            for (value, expected) in sigma(&found, 0).into_iter().zip(&expected) {
                assert!((value - expected).abs() <= bound, "{a:?}: {value:e} and not {expected:e}");
            }
            let ratios = svd_ratios(&a, &found, 0);
            assert!(ratios.iter().all(|&ratio| ratio < 10.0), "{a:?}: {ratios:?}");
            assert_eq!(found.reports[0].rank, rank, "{a:?}");
        }
    });
}

#[test]
fn ranks_are_those_of_f64_away_from_the_cutoff() {
    on_each_device(|device| {
        let mut compared = 0;
        for shape in SHAPES {
            for cutoff in [0.0, 1e-6, 1e-3, 0.3, 0.999] {
                let (cases, found) = catalogued(device, shape, &SvdOptions::values().cutoff(cutoff));
                for (b, case) in cases.iter().enumerate() {
                    if let Some(rank) = rank_beyond_doubt(&case.matrix, cutoff) {
                        assert_eq!(found.reports[b].rank, rank, "{shape:?} {} at {cutoff}", case.name);
                        compared += 1;
                    }
                }
            }
        }
        println!("{compared} ranks compared");
        assert!(compared > 40 * SHAPES.len());
    });
}

/// How many singular values lie above the cutoff, unless one is within its error of it.
fn rank_beyond_doubt(a: &Mat<f64>, cutoff: f64) -> Option<usize> {
    let expected = singular_values(a);
    let (edge, error) = (cutoff * expected[0], 2.0 * absolute_bound(a));
    let clear = expected.iter().all(|value| (value - edge).abs() > error);
    clear.then(|| expected.iter().filter(|&&value| value > edge).count())
}

/// The columns up to the rank.
fn leading(x: &Mat<f64>, rank: usize) -> Mat<f64> {
    Mat::from_fn(x.nrows(), rank, |i, k| x[(i, k)])
}

#[test]
fn the_factors_make_a_pseudo_inverse_within_the_gates_of_moore_and_penrose() {
    on_each_device(|device| {
        for shape in SHAPES {
            let (cases, found) = catalogued(device, shape, &SvdOptions::default());
            let mut worst = [0.0f64; 4];
            for (b, case) in cases.iter().enumerate().filter(|(_, case)| case.well_scaled) {
                let (rank, sigma) = (found.reports[b].rank, sigma(&found, b));
                let [u, v] = [&found.u, &found.v].map(|x| leading(&matrix(x.as_ref().unwrap(), b), rank));
                let over = Mat::from_fn(shape.1, rank, |i, k| v[(i, k)] / sigma[k]);
                let condition = if rank > 0 { sigma[0] / sigma[rank - 1] } else { 1.0 };
                let gates = moore_penrose(&case.matrix, &(over * u.transpose()), condition);
                assert!(gates.iter().all(|&gate| gate <= 1.0), "{shape:?} {}: {gates:?}", case.name);
                (0..4).for_each(|k| worst[k] = worst[k].max(gates[k]));
            }
            println!("{shape:?}: {worst:.2?} of the gates");
        }
    });
}

#[test]
fn the_longer_vectors_make_a_projector_and_the_one_of_that_very_matrix() {
    on_each_device(|device| {
        for shape in SHAPES {
            let (cases, found) = catalogued(device, shape, &SvdOptions::default());
            let (m, r) = (shape.0.max(shape.1) as f64, shape.0.min(shape.1) as f64);
            let mut worst = [0.0f64; 4];
            for (b, case) in cases.iter().enumerate().filter(|(_, case)| case.well_scaled) {
                // The row space of the wide one of A and Aᵀ.
                let wide = if shape.0 < shape.1 { case.matrix.clone() } else { case.matrix.transpose().to_owned() };
                let long = if shape.0 < shape.1 { &found.v } else { &found.u };
                let rank = found.reports[b].rank;
                let long = leading(&matrix(long.as_ref().unwrap(), b), rank);
                let p = &long * long.transpose();
                let [idempotence, symmetry, trace] = projector(&p, rank);
                // In units of u: the error of the columns, what the cutoff of max(m, n)·2u leaves out, and cosines of
                // √max(m, 16)·u that count as none.
                let most = column_error(shape.0, shape.1) / U + 2.0 * m * r.sqrt() + r * m.max(16.0).sqrt();
                let gates = [idempotence, symmetry, trace, outside_row_space(&wide, &p) / most];
                assert!(gates.iter().all(|&gate| gate <= 1.0), "{shape:?} {}: {gates:?}", case.name);
                (0..4).for_each(|k| worst[k] = worst[k].max(gates[k]));
            }
            println!("{shape:?}: {worst:.2?} of the gates");
        }
    });
}

#[test]
fn every_type_of_matrix_has_the_same_bits_in_any_place_and_beside_nan() {
    on_each_device(|device| {
        for shape in [(3, 3), (28, 4), (13, 16)] {
            let (cases, alone) = catalogued(device, shape, &SvdOptions::default());
            let count = cases.len();
            // Backwards, four times over, with a matrix of NaN and infinity in each round.
            let nan = Mat::from_fn(shape.0, shape.1, |i, j| [f64::NAN, f64::INFINITY][(i + j) % 2]);
            let order: Vec<usize> = (0..4 * (count + 1)).map(|k| count - k % (count + 1)).collect();
            let all = order.iter().map(|&b| cases.get(b).map_or(&nan, |case| &case.matrix));
            let found = svd(device, &batch(all), &SvdOptions::default()).unwrap();
            for (at, &b) in order.iter().enumerate() {
                match cases.get(b) {
                    Some(case) => assert_eq!(bits(&found, at), bits(&alone, b), "{shape:?} {}", case.name),
                    None => assert_eq!(found.reports[at].status, MatrixStatus::NonFinite),
                }
            }
        }
    });
}

#[test]
fn batches_of_none_one_and_65536_matrices_are_all_worked_on() {
    on_each_device(|device| {
        for (m, n) in [(2, 2), (3, 2)] {
            let entry = |b: usize, i: usize, j: usize| {
                random_start(b as u64, (i * n + j) as u32, Distribution::Normal, 1.0) as f32
            };
            let none = svd(device, &MatrixBatch::from_fn(0, m, n, entry).unwrap(), &SvdOptions::default()).unwrap();
            assert_eq!((none.reports.len(), none.sigma.batch()), (0, 0));
            let all = MatrixBatch::from_fn(65_536, m, n, entry).unwrap();
            let found = svd(device, &all, &SvdOptions::default()).unwrap();
            assert_eq!(found.reports.len(), 65_536);
            for b in 0..65_536 {
                let squares: f64 = all.matrix(b).iter().map(|&x| f64::from(x).powi(2)).sum();
                let of_sigma: f64 = sigma(&found, b).iter().map(|x| x * x).sum();
                // ‖Σ‖ = ‖A‖ to the error of the columns, twice that of squares.
                assert!((of_sigma / squares - 1.0).abs() <= 2.0 * column_error(m, n), "{m}×{n}, matrix {b}");
                assert_eq!(found.reports[b].status, MatrixStatus::Converged);
            }
            for b in (0..65_536).step_by(911).chain([65_535]) {
                let ratios = svd_ratios(&matrix(&all, b), &found, b);
                assert!(ratios.iter().all(|&ratio| ratio < 10.0), "{m}×{n}, matrix {b}: {ratios:?}");
                let one = MatrixBatch::from_fn(1, m, n, |_, i, j| entry(b, i, j)).unwrap();
                assert_eq!(bits(&svd(device, &one, &SvdOptions::default()).unwrap(), 0), bits(&found, b));
            }
        }
    });
}

/// What a random matrix of a property test is made of.
#[derive(Clone, Copy, Debug)]
struct Recipe {
    /// Powers of ten between σ₁ and σᵣ.
    decades: f64,
    /// The power of ten of σ₁.
    scale: f64,
    /// The rank as a part of the shorter side.
    part: f64,
    seed: u64,
}

impl Recipe {
    fn any() -> impl Strategy<Value = Self> {
        (0.0..6.0, -25.0..25.0, 0.0..=1.0, 0u64..1 << 32).prop_map(|(decades, scale, part, seed)| Self {
            decades,
            scale,
            part,
            seed,
        })
    }

    fn matrix(self, rows: usize, columns: usize) -> Mat<f64> {
        let rank = (self.part * rows.min(columns) as f64).round() as usize;
        if rank == 0 {
            return Mat::zeros(rows, columns);
        }
        let values = Spectrum::Geometric(10f64.powf(self.decades)).values(rank, self.seed);
        let scaled: Vec<f64> = values.iter().map(|value| value * 10f64.powf(self.scale)).collect();
        rounded(&with_spectrum(rows, columns, &scaled, self.seed))
    }
}

#[test]
fn the_claims_hold_for_matrices_of_any_shape_scale_and_rank() {
    // In registers, tall and wide, and in blocks; many matrices of a shape share one compilation.
    let shape = prop_oneof![(1usize..=12, 1usize..=4), (1usize..=4, 1usize..=12), (9usize..=14, 9usize..=14)];
    let many = (shape, proptest::collection::vec(Recipe::any(), 40));
    on_each_device(|device| {
        let config = ProptestConfig {
            cases: 10,
            max_shrink_iters: 40,
            failure_persistence: None,
            rng_seed: RngSeed::Fixed(20),
            ..ProptestConfig::default()
        };
        let claim = |((m, n), recipes): ((usize, usize), Vec<Recipe>)| {
            let all: Vec<Mat<f64>> = recipes.iter().map(|recipe| recipe.matrix(m, n)).collect();
            let found = svd(device, &batch(&all), &SvdOptions::default()).unwrap();
            for (b, a) in all.iter().enumerate() {
                let (values, expected, bound) = (sigma(&found, b), singular_values(a), absolute_bound(a));
                prop_assert_eq!(found.reports[b].status, MatrixStatus::Converged);
                prop_assert!(values.windows(2).all(|pair| pair[0] >= pair[1]) && values[values.len() - 1] >= 0.0);
                prop_assert!(values.iter().zip(&expected).all(|(x, y)| (x - y).abs() <= bound), "{:?}", values);
                let ratios = svd_ratios(a, &found, b);
                prop_assert!(ratios.iter().all(|&ratio| ratio < 10.0), "{:?}: {:?}", recipes[b], ratios);
                let cutoff = m.max(n) as f64 * ULP;
                prop_assert!(rank_beyond_doubt(a, cutoff).is_none_or(|rank| rank == found.reports[b].rank));
            }
            Ok(())
        };
        TestRunner::new(config).run(&many, claim).unwrap();
    });
}

#[test]
fn on_swiftshader_too() {
    common::again_on_swiftshader(&[]);
}
