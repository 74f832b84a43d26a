//! The oracles and measures of the accuracy tests, and the matrices they measure, against what is known of them.

use faer::Mat;

mod common;
use common::matrices::{TINY, ULP, catalogue, gaussian, orthonormal};
use common::oracle::{
    lapack_ratio, moore_penrose, orthogonality, outside_row_space, projector, singular_values,
    singular_values_to_relative_accuracy,
};

#[test]
fn the_oracle_for_graded_matrices_finds_what_is_known_of_them() {
    // [1 1; 1 2]·diag(1, d): σ₁σ₂ = d and σ₁² + σ₂² = 2 + 5d².
    for d in [1.0, 1e-5, 1e-12, 1e-30] {
        let found = singular_values_to_relative_accuracy(&Mat::from_fn(2, 2, |i, j| [[1.0, d], [1.0, 2.0 * d]][i][j]));
        let squares = 2.0 + 5.0 * d * d;
        let most = (0.5 * (squares + (squares * squares - 4.0 * d * d).sqrt())).sqrt();
        for (value, expected) in found.into_iter().zip([most, d / most]) {
            assert!((value / expected - 1.0).abs() < 1e-14, "{d:e}: {value:e} for {expected:e}");
        }
    }
    // The product of σ is the determinant: 1 for B = L·Lᵀ with ones and twos, times the powers of two in D.
    let lower = |i: usize, j: usize| {
        [0.0, 1.0, 2.0][if i == j {
            1
        } else if i > j {
            1 + (i + j) % 2
        } else {
            0
        }]
    };
    let b = |i: usize, j: usize| (0..6).map(|k| lower(i, k) * lower(j, k)).sum::<f64>();
    let exponents = [-40, 30, 0, 35, -33, 8];
    let found = singular_values_to_relative_accuracy(&Mat::from_fn(6, 6, |i, j| b(i, j) * 2f64.powi(exponents[j])));
    assert!((found.iter().product::<f64>() - 1.0).abs() < 1e-11, "{found:?}");
    // Where nothing is graded faer's way is as good.
    for shape in [(5, 5), (9, 4), (4, 9)] {
        let a = gaussian(shape.0, shape.1, 3);
        for (x, y) in singular_values_to_relative_accuracy(&a).iter().zip(singular_values(&a)) {
            assert!((x - y).abs() < 1e-14 * singular_values(&a)[0]);
        }
    }
}

#[test]
fn the_ratios_and_gates_see_what_is_wrong_and_pass_what_is_right() {
    let (u, v) = (orthonormal(7, 3, 1), orthonormal(4, 3, 2));
    let product = |values: [f64; 3], left: &Mat<f64>, right: &Mat<f64>| {
        Mat::from_fn(left.nrows(), 3, |i, k| left[(i, k)] * values[k]) * right.transpose()
    };
    let (a, x) = (product([1.0, 0.5, 0.25], &u, &v), product([1.0, 2.0, 4.0], &v, &u));
    let p = &v * v.transpose();
    // Off by a part in a thousand, and by a rounding of f64.
    let shifted = |a: &Mat<f64>| Mat::from_fn(a.nrows(), a.ncols(), |i, j| a[(i, j)] + 1e-3 * (1 + i) as f64);
    let sees = |measured: &dyn Fn(&Mat<f64>) -> f64, right: &Mat<f64>, what: &str| {
        let (good, bad) = (measured(right), measured(&shifted(right)));
        assert!(good < 1e-6 && bad > 10.0, "{what}: {good:e} and {bad:e}");
    };
    sees(&|u| orthogonality(u), &u, "orthogonality");
    sees(&|product| lapack_ratio(&a, product, 0.0), &a, "the ratio of a product");
    for k in 0..4 {
        sees(&|x| moore_penrose(&a, x, 4.0)[k], &x, "Moore and Penrose");
    }
    for k in 0..3 {
        sees(&|p| projector(p, 3)[k], &p, "a projector");
    }
    sees(&|p| outside_row_space(&a, p), &p, "the row space");
    // A projector on another space is one for all that, but not for this matrix.
    let q = orthonormal(4, 3, 5);
    let other = &q * q.transpose();
    assert!(projector(&other, 3).iter().all(|&gate| gate < 1e-6) && outside_row_space(&a, &other) > 1e5);
    assert_eq!(moore_penrose(&Mat::zeros(2, 3), &Mat::zeros(3, 2), 1.0), [0.0; 4]);
    // NaN is told, not passed over.
    assert!(orthogonality(&Mat::full(3, 2, f64::NAN)).is_nan() && projector(&Mat::full(2, 2, f64::NAN), 1)[0].is_nan());
}

#[test]
fn the_catalogue_is_what_it_says() {
    for (m, n) in [(8, 8), (4, 7), (12, 8)] {
        let size = m.min(n);
        let cases = catalogue(m, n);
        let of = |name: &str| singular_values(&cases.iter().find(|case| case.name == name).unwrap().matrix);
        assert!(of("Equal").iter().all(|&value| (value - 1.0).abs() <= 1e-6));
        assert!((of("Geometric(10000.0)")[size - 1] * 1e4 - 1.0).abs() < 0.01);
        assert!(of("ClusteredAtUlp")[1] < 20.0 * ULP && of("ClusteredAtOne")[size - 2] > 1.0 - 1e-6);
        assert!(of("Deficient")[size.div_ceil(2)] < 1e-6);
        assert!(of("small integers of rank 2")[1] > 0.1 && of("small integers of rank 2")[2] < 1e-13);
        assert!((of("Läuchli")[0] - (size as f64).sqrt()).abs() < 1e-6 && of("Läuchli")[size - 1] < 3e-4);
        assert!(of("Hilbert")[size - 1] < 1e-3);
        // Kahan's σₙ is far below the last entry of its diagonal, which exchanges of columns would leave where it is.
        assert!(of("Kahan")[size - 1] < 0.5 * 0.8f64.powi(size as i32 - 1));
        // Entries that f32 holds, and none that a device may flush.
        let held = |x: f64| x == 0.0 || (f64::from(x as f32) == x && x.abs() >= TINY);
        assert!(cases.iter().all(|case| (0..m).all(|i| (0..n).all(|j| held(case.matrix[(i, j)])))));
    }
}
