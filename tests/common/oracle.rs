//! What factorisations must satisfy, measured in f64. Nothing here knows how the library works.
//!
//! Matrices come in as the device sees them: numbers of f32, kept in f64.

use faer::Mat;
use natgrad::linalg::{MatrixBatch, Svd};

use super::matrices::{TINY, ULP, matrix};

/// Unit roundoff of f32, 2⁻²⁴.
pub(crate) const U: f64 = ULP / 2.0;

/// Singular values of a matrix, descending, by faer in f64: good to f64's rounding of the largest.
pub(crate) fn singular_values(a: &Mat<f64>) -> Vec<f64> {
    a.singular_values().unwrap()
}

/// The same to f64's rounding of *each*, for matrices graded along their shorter side, where the bidiagonal form that
/// faer starts with loses the small ones: one-sided Jacobi on the columns of the tall one of A and Aᵀ.
pub(crate) fn singular_values_to_relative_accuracy(a: &Mat<f64>) -> Vec<f64> {
    let mut a = if a.nrows() < a.ncols() { a.transpose().to_owned() } else { a.clone() };
    let (m, n) = (a.nrows(), a.ncols());
    let tolerance = (m as f64).sqrt() * f64::EPSILON;
    for sweep in 0.. {
        assert!(sweep < 60, "the oracle does not converge");
        let mut rotated = false;
        for j in 0..n {
            for k in j + 1..n {
                let (x, y) = (a.col(j).norm_l2(), a.col(k).norm_l2());
                // A column of zeros has no cosine.
                let cosine = (0..m).map(|i| a[(i, j)] / x * (a[(i, k)] / y)).sum::<f64>();
                if cosine.is_nan() || cosine.abs() <= tolerance {
                    continue;
                }
                rotated = true;
                let zeta = (y / x - x / y) / (2.0 * cosine);
                let tangent = 1f64.copysign(zeta) / (zeta.abs() + zeta.hypot(1.0));
                let c = 1.0 / tangent.hypot(1.0);
                for i in 0..m {
                    let (p, q) = (a[(i, j)], a[(i, k)]);
                    a[(i, j)] = c * p - c * tangent * q;
                    a[(i, k)] = c * tangent * p + c * q;
                }
            }
        }
        if !rotated {
            break;
        }
    }
    let mut sigma: Vec<f64> = (0..n).map(|j| a.col(j).norm_l2()).collect();
    sigma.sort_by(|x, y| y.total_cmp(x));
    sigma
}

/// How far rounding may move a column of an m×n matrix on its way through an SVD, relative to the column's length.
///
/// A rotation commits at most 4u in the length of its two columns: two products and a sum, and as much again in its
/// cosine and sine. A column meets each of the r − 1 others in each of at most 10 sweeps, and reflections and dot
/// products over the longer side come to as many roundings as it has entries. Roundings are as often up as down, so that
/// k of them add up to √k, not k (Higham and Mary, SIAM J. Sci. Comput. 41 (2019) A2815): 4u·√(10·r + max(m, n)).
pub(crate) fn column_error(rows: usize, columns: usize) -> f64 {
    4.0 * U * (10.0 * rows.min(columns) as f64 + rows.max(columns) as f64).sqrt()
}

/// How far a singular value may be from that of f64: the columns of A are moved by δA with ‖δA‖_F ≤ `column_error`·‖A‖_F,
/// and no singular value moves by more than ‖δA‖ (Weyl); beyond that a result may be flushed.
pub(crate) fn absolute_bound(a: &Mat<f64>) -> f64 {
    column_error(a.nrows(), a.ncols()) * a.norm_l2() + TINY
}

/// How far each singular value of a graded A = B·D may be from that of f64, relative to itself: c·√r·κ(B)·ε with
/// c·ε = `column_error`, which is c = 2·√(10·r + max(m, n)) with ε = 2u.
///
/// The errors are those of columns, so that they are δB·D with ‖δB‖ ≤ ‖δB‖_F ≤ √r·`column_error`, the columns of B being of
/// length 1. With (B + δB)·D = (I + δB·B⁺)·B·D every σ is off by the factor 1 ± ‖δB·B⁺‖, and ‖B⁺‖ ≤ κ(B) since ‖B‖ ≥ 1
/// (Demmel and Veselić, SIAM J. Matrix Anal. Appl. 13 (1992) 1204, Theorem 2.1).
pub(crate) fn relative_bound(a: &Mat<f64>, condition: f64) -> f64 {
    let r = a.nrows().min(a.ncols()) as f64;
    column_error(a.nrows(), a.ncols()) * r.sqrt() * condition
}

/// LAPACK's ratio of a factorisation: ‖A − B‖/(‖A‖·max(m, n)·ulp) in the 1-norm, B the product of the factors. Where
/// both are zero, 0. `flushed` is let off: what a result below the smallest normal number may have lost.
pub(crate) fn lapack_ratio(a: &Mat<f64>, product: &Mat<f64>, flushed: f64) -> f64 {
    let residual = one_norm(&(a - product));
    if residual <= flushed {
        return 0.0;
    }
    (residual - flushed) / (one_norm(a) * a.nrows().max(a.ncols()) as f64 * ULP)
}

/// LAPACK's ratio of orthonormal columns of length m: ‖I − XᵀX‖/(m·ulp) in the 1-norm.
pub(crate) fn orthogonality(x: &Mat<f64>) -> f64 {
    one_norm(&(Mat::<f64>::identity(x.ncols(), x.ncols()) - x.transpose() * x)) / (x.nrows() as f64 * ULP)
}

/// The three ratios of LAPACK's test suite (driver DGESVD) of matrix b: of A and UΣVᵀ, of U, and of V.
pub(crate) fn svd_ratios(a: &Mat<f64>, found: &Svd, b: usize) -> [f64; 3] {
    let (u, v) = (matrix(found.u.as_ref().unwrap(), b), matrix(found.v.as_ref().unwrap(), b));
    let sigma = sigma(found, b);
    let (m, r) = (a.nrows(), sigma.len());
    let scaled = Mat::from_fn(m, r, |i, k| u[(i, k)] * sigma[k]);
    // A flushed σ takes TINY·|u||v|ᵀ with it, of which a column has the 1-norm √m at most.
    let flushed = r as f64 * (m as f64).sqrt() * TINY;
    [lapack_ratio(a, &(&scaled * v.transpose()), flushed), orthogonality(&u), orthogonality(&v)]
}

/// The four Moore–Penrose conditions of X = A⁺, each measured in its gate: AXA = A and XAX = X to (4κ+32)u, AX and XA
/// symmetric to (8κ+32)u, in the Frobenius norm relative to A, X, AX and XA, with κ = σ₁/σᵣ of what counts in the rank.
/// At most 1 each for a sound pseudo-inverse; all 0 of a zero matrix and its zero pseudo-inverse.
pub(crate) fn moore_penrose(a: &Mat<f64>, x: &Mat<f64>, condition: f64) -> [f64; 4] {
    let (ax, xa) = (a * x, x * a);
    let of = |off: &Mat<f64>, of: &Mat<f64>, gate: f64| {
        let off = off.norm_l2();
        if off == 0.0 { 0.0 } else { off / of.norm_l2() / (gate * U) }
    };
    [
        of(&(&ax * a - a), a, 4.0 * condition + 32.0),
        of(&(&xa * x - x), x, 4.0 * condition + 32.0),
        of(&(&ax - ax.transpose()), &ax, 8.0 * condition + 32.0),
        of(&(&xa - xa.transpose()), &xa, 8.0 * condition + 32.0),
    ]
}

/// What makes P an orthogonal projector of this rank, each measured in the gate max(32, 4r)·u, whatever the condition
/// of the matrix whose row space it is: P² = P and P = Pᵀ in the Frobenius norm, and trace P = r.
pub(crate) fn projector(p: &Mat<f64>, rank: usize) -> [f64; 3] {
    let gate = 32f64.max(4.0 * rank as f64) * U;
    let trace: f64 = (0..p.nrows()).map(|i| p[(i, i)]).sum();
    [(p * p - p).norm_l2() / gate, (p - p.transpose()).norm_l2() / gate, (trace - rank as f64).abs() / gate]
}

/// ‖A(I − P)‖/‖A‖ in the Frobenius norm, in units of u: whether P projects on the row space of *this* A, which no
/// property of P alone can tell.
pub(crate) fn outside_row_space(a: &Mat<f64>, p: &Mat<f64>) -> f64 {
    let outside = (a - a * p).norm_l2();
    if outside == 0.0 { 0.0 } else { outside / (a.norm_l2() * U) }
}

/// The larger of two, and NaN if either is.
pub(crate) fn worse(x: f64, y: f64) -> f64 {
    if x.is_nan() || x >= y { x } else { y }
}

/// The largest sum of a column's absolute values; NaN comes through.
fn one_norm(a: &Mat<f64>) -> f64 {
    (0..a.ncols()).map(|j| a.col(j).norm_l1()).fold(0.0, worse)
}

/// The singular values of matrix b.
pub(crate) fn sigma(found: &Svd, b: usize) -> Vec<f64> {
    (0..found.sigma.rows()).map(|k| f64::from(found.sigma.get(b, k, 0))).collect()
}

/// All that was found of matrix b, to the bit: singular values, vectors, status, rank and sweeps.
pub(crate) fn bits(found: &Svd, b: usize) -> Vec<u32> {
    let words = |x: &MatrixBatch| x.matrix(b).into_iter().map(f32::to_bits).collect::<Vec<_>>();
    let report = &found.reports[b];
    let mut bits = words(&found.sigma);
    for vectors in [&found.u, &found.v].into_iter().flatten() {
        bits.extend(words(vectors));
    }
    bits.extend([report.status as u32, report.rank as u32, report.sweeps]);
    bits
}
