//! Test matrices: entries are numbers of f32, kept in f64 so that an oracle sees exactly what the device sees.
//!
//! Kinds of spectra as in LAPACK's test matrix generator (xLATMS), and the classics that have broken SVDs before.

use faer::Mat;
use natgrad::linalg::MatrixBatch;
use natgrad::{Distribution, random_start};

/// The shapes that the suite runs through: tall, wide, square, odd, and both sides of every border between two ways in
/// which the library treats a matrix. In registers are those of up to 8 columns that hold with their V up to 128 numbers:
/// 8×8 and 28×4 are the last and 9×8 and 29×4 the first that are not (9×8 is without V). Blocks are 4 columns wide up
/// to 32 columns, and 8 beyond.
pub(crate) const SHAPES: [(usize, usize); 14] = [
    (1, 1),
    (1, 5),
    (7, 1),
    (2, 3),
    (3, 3),
    (5, 2),
    (8, 8),
    (9, 8),
    (28, 4),
    (4, 29),
    (37, 5),
    (13, 16),
    (30, 40),
    (33, 33),
];

/// LAPACK's unit in the last place of f32, 2⁻²³.
pub(crate) const ULP: f64 = f32::EPSILON as f64;

/// Smaller results may come out as zero: devices may flush what is below the smallest normal number of f32.
pub(crate) const TINY: f64 = f32::MIN_POSITIVE as f64;

/// The nearest numbers of f32; subnormal ones become zero, as devices may have it.
pub(crate) fn rounded(a: &Mat<f64>) -> Mat<f64> {
    Mat::from_fn(a.nrows(), a.ncols(), |i, j| {
        let entry = f64::from(a[(i, j)] as f32);
        if entry.abs() < TINY { 0.0 } else { entry }
    })
}

/// Independent normal entries.
pub(crate) fn gaussian(rows: usize, columns: usize, seed: u64) -> Mat<f64> {
    Mat::from_fn(rows, columns, |i, j| random_start(seed, (i * columns + j) as u32, Distribution::Normal, 1.0))
}

/// Orthonormal columns, uniformly distributed: Q of a Gaussian matrix, with the signs that make R's diagonal positive
/// (Mezzadri, Notices of the AMS 54 (2007) 592).
pub(crate) fn orthonormal(rows: usize, columns: usize, seed: u64) -> Mat<f64> {
    let factors = gaussian(rows, columns, seed).qr();
    let (q, r) = (factors.compute_thin_Q(), factors.thin_R());
    Mat::from_fn(rows, columns, |i, j| q[(i, j)] * r[(j, j)].signum())
}

/// Random singular vectors with these singular values, not rounded.
pub(crate) fn with_spectrum(rows: usize, columns: usize, sigma: &[f64], seed: u64) -> Mat<f64> {
    let (u, v) = (orthonormal(rows, sigma.len(), 2 * seed), orthonormal(columns, sigma.len(), 2 * seed + 1));
    Mat::from_fn(rows, columns, |i, j| sigma.iter().enumerate().map(|(k, s)| u[(i, k)] * s * v[(j, k)]).sum())
}

/// The singular values 1 = σ₁ ≥ … ≥ σᵣ of a test matrix.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Spectrum {
    /// All 1.
    Equal,
    /// Even steps down to 1/r.
    Even,
    /// Even steps of the logarithm down to 1/κ.
    Geometric(f64),
    /// All 1, and one of a unit in the last place.
    ClusteredAtOne,
    /// One 1, and all others a unit in the last place.
    ClusteredAtUlp,
    /// Logarithms uniformly distributed over [−ln κ, 0].
    LogRandom(f64),
    /// Half of them 1, the others 0.
    Deficient,
}

/// Every kind of spectrum of the suite.
pub(crate) const SPECTRA: [Spectrum; 9] = [
    Spectrum::Equal,
    Spectrum::Even,
    Spectrum::Geometric(1e2),
    Spectrum::Geometric(1e4),
    Spectrum::Geometric(1e6),
    Spectrum::ClusteredAtOne,
    Spectrum::ClusteredAtUlp,
    Spectrum::LogRandom(1e5),
    Spectrum::Deficient,
];

impl Spectrum {
    /// `size` singular values; the first is 1.
    pub(crate) fn values(self, size: usize, seed: u64) -> Vec<f64> {
        let last = (size - 1).max(1) as f64;
        (0..size)
            .map(|k| match self {
                Self::Equal => 1.0,
                Self::Even => 1.0 - k as f64 / size as f64,
                Self::Geometric(condition) => condition.powf(-(k as f64) / last),
                Self::ClusteredAtOne if k > 0 && k + 1 == size => ULP,
                Self::ClusteredAtOne => 1.0,
                Self::ClusteredAtUlp => [1.0, ULP][usize::from(k > 0)],
                Self::LogRandom(_) if k == 0 => 1.0,
                Self::LogRandom(condition) => {
                    condition.powf(0.5 * random_start(seed, k as u32, Distribution::Uniform, 1.0) - 0.5)
                }
                Self::Deficient => f64::from(u8::from(k < size.div_ceil(2))),
            })
            .collect()
    }
}

/// A test matrix.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) matrix: Mat<f64>,
    /// Entries, singular values and their squares are far from the ends of f32's range.
    pub(crate) well_scaled: bool,
}

impl Case {
    fn new(name: impl Into<String>, matrix: &Mat<f64>) -> Self {
        Self { name: name.into(), matrix: rounded(matrix), well_scaled: true }
    }
}

/// Every type of matrix, of one shape.
pub(crate) fn catalogue(rows: usize, columns: usize) -> Vec<Case> {
    let size = rows.min(columns);
    let mut cases = Vec::new();
    for (seed, spectrum) in (100..).zip(SPECTRA) {
        let matrix = with_spectrum(rows, columns, &spectrum.values(size, seed), seed);
        cases.push(Case::new(format!("{spectrum:?}"), &matrix));
    }
    for (seed, scale) in (200..).zip([1e-37, 1e-30, 1e30, 1e37]) {
        for spectrum in [Spectrum::Even, Spectrum::Geometric(1e4)] {
            let sigma: Vec<f64> = spectrum.values(size, seed).iter().map(|s| s * scale).collect();
            let case = Case::new(format!("{spectrum:?}·{scale:e}"), &with_spectrum(rows, columns, &sigma, seed));
            cases.push(Case { well_scaled: false, ..case });
        }
    }
    for scale in [TINY, 3e38] {
        let case = Case::new(format!("I·{scale:e}"), &(faer::Scale(scale) * Mat::<f64>::identity(rows, columns)));
        cases.push(Case { well_scaled: false, ..case });
    }
    cases.push(Case::new("0", &Mat::zeros(rows, columns)));
    cases.push(Case::new("I", &Mat::identity(rows, columns)));
    cases.push(Case::new("ones", &Mat::full(rows, columns, 1.0)));
    // Exactly of rank one. Rounding leaves of each column the like of a unit in the last place of the one before it, and equal rows
    // alike: a sweep may leave 10⁻²⁴ of a column, or 10⁻³², whose squares underflow.
    for seed in 302..310 {
        let numbers = gaussian(rows.max(columns), 1, seed);
        cases.push(Case::new(format!("equal rows {seed}"), &Mat::from_fn(rows, columns, |_, j| numbers[(j, 0)])));
        cases.push(Case::new(format!("equal columns {seed}"), &Mat::from_fn(rows, columns, |i, _| numbers[(i, 0)])));
    }
    cases.push(Case::new("Gaussian", &gaussian(rows, columns, 300)));
    cases.push(Case::new("columns of norm 1e-10", &small_columns(rows, columns)));
    cases.push(Case::new("small integers of rank 2", &integers_of_rank_two(rows, columns)));
    cases.push(Case::new("Hilbert", &Mat::from_fn(rows, columns, |i, j| 1.0 / (i + j + 1) as f64)));
    cases.push(Case::new("Kahan", &tall_or_wide(rows, columns, kahan)));
    cases.push(Case::new("Läuchli", &tall_or_wide(rows, columns, laeuchli)));
    cases
}

/// What `entry` makes of the longer side as rows and the shorter one as columns.
fn tall_or_wide(rows: usize, columns: usize, entry: impl Fn(usize, usize) -> f64) -> Mat<f64> {
    Mat::from_fn(rows, columns, |i, j| if rows < columns { entry(j, i) } else { entry(i, j) })
}

/// Kahan's upper triangular matrix with sine 0.8: rank-revealing factorisations without exchanges miss its last σ.
fn kahan(i: usize, j: usize) -> f64 {
    let (sine, cosine) = (0.8f64, 0.6f64);
    match i.cmp(&j) {
        std::cmp::Ordering::Less => -cosine * sine.powi(i as i32),
        std::cmp::Ordering::Equal => sine.powi(i as i32),
        std::cmp::Ordering::Greater => 0.0,
    }
}

/// Läuchli's matrix: a row of ones over √u·I. Its AᵀA is singular in f32, its last singular values are √u.
fn laeuchli(i: usize, j: usize) -> f64 {
    if i == 0 { 1.0 } else { f64::from(u8::from(i == j + 1)) * (ULP / 2.0).sqrt() }
}

/// Columns of norm 1e-10 beside columns of norm 1.
fn small_columns(rows: usize, columns: usize) -> Mat<f64> {
    let a = gaussian(rows, columns, 301);
    Mat::from_fn(rows, columns, |i, j| a[(i, j)] / a.col(j).norm_l2() * [1.0, 1e-10][j % 2])
}

/// Exactly of rank 2 (1 where a side is 1): integers, and so are all products in AᵀA.
fn integers_of_rank_two(rows: usize, columns: usize) -> Mat<f64> {
    Mat::from_fn(rows, columns, |i, j| (i + 1) as f64 * (j % 3) as f64 + ((i * i) % 5) as f64 * (j + 1) as f64)
}

/// B with unit columns, and the lengths of its graded companion B·D, or D·B where that is wide: high relative accuracy is
/// to be had where the grading is on the shorter side.
#[derive(Clone, Debug)]
pub(crate) struct Graded {
    pub(crate) name: String,
    /// The graded matrix, rounded.
    pub(crate) matrix: Mat<f64>,
    /// κ(B) of B = A·D⁻¹, with the columns of length 1.
    pub(crate) condition: f64,
}

/// Graded matrices of one shape: D descends, ascends, or is mixed, over as many as 20 powers of ten.
pub(crate) fn graded(rows: usize, columns: usize) -> Vec<Graded> {
    let (long, short) = (rows.max(columns), rows.min(columns));
    let mut all = Vec::new();
    for (seed, condition) in (400..).zip([1.0, 10.0, 1e3]) {
        let b = with_spectrum(long, short, &Spectrum::Geometric(condition).values(short, seed), seed);
        for decades in [0.0, 4.0, 20.0] {
            let step = |k: usize| 10f64.powf(decades * (0.5 - k as f64 / (short - 1).max(1) as f64));
            let orders: [(&str, &dyn Fn(usize) -> f64); 3] = [
                ("descending", &step),
                ("ascending", &|k| step(short - 1 - k)),
                ("mixed", &|k| step(if k % 2 == 0 { k / 2 } else { short - 1 - k / 2 })),
            ];
            for (order, d) in orders {
                let tall = rounded(&Mat::from_fn(long, short, |i, j| b[(i, j)] * d(j)));
                let unit = Mat::from_fn(long, short, |i, j| tall[(i, j)] / tall.col(j).norm_l2());
                let sigma = unit.singular_values().unwrap();
                all.push(Graded {
                    name: format!("κ {condition:e}, {decades} decades {order}"),
                    matrix: if rows < columns { tall.transpose().to_owned() } else { tall },
                    condition: sigma[0] / sigma[short - 1],
                });
            }
        }
    }
    all
}

/// Small matrices that others got wrong, with their ranks: equal columns, whose rotation's angle hangs on sign(0);
/// nothing at all; columns of length 1e-10; a deficient 3×3; columns along each other; one number; a row and a column.
pub(crate) fn regressions() -> Vec<(Mat<f64>, usize)> {
    vec![
        (Mat::full(2, 2, 1.0), 1),
        (Mat::zeros(2, 2), 0),
        (Mat::zeros(3, 2), 0),
        (rounded(&Mat::from_fn(3, 2, |i, j| if i == j { 1e-10 } else { 0.0 })), 2),
        (rounded(&Mat::from_fn(3, 3, |i, j| 1e-10 * f64::from(u8::from(i == j)))), 3),
        (Mat::from_fn(3, 3, |i, j| (3 * i + j + 1) as f64), 2),
        (Mat::from_fn(3, 3, |i, j| if i == 0 { (j + 1) as f64 } else { 0.0 }), 1),
        (Mat::from_fn(3, 3, |i, j| ((i + 1) * (j + 1)) as f64), 1),
        (Mat::full(1, 1, -2.5), 1),
        (Mat::zeros(1, 1), 0),
        (Mat::full(1, 3, 1.0), 1),
        (Mat::full(5, 1, -1.0), 1),
    ]
}

/// Matrices of one size as the library takes them.
pub(crate) fn batch<'a>(matrices: impl IntoIterator<Item = &'a Mat<f64>>) -> MatrixBatch {
    let matrices: Vec<&Mat<f64>> = matrices.into_iter().collect();
    let (rows, columns) = (matrices[0].nrows(), matrices[0].ncols());
    assert!(matrices.iter().all(|a| (a.nrows(), a.ncols()) == (rows, columns)));
    MatrixBatch::from_fn(matrices.len(), rows, columns, |b, i, j| matrices[b][(i, j)] as f32).unwrap()
}

/// Matrix b of a batch.
pub(crate) fn matrix(batch: &MatrixBatch, b: usize) -> Mat<f64> {
    Mat::from_fn(batch.rows(), batch.columns(), |i, j| f64::from(batch.get(b, i, j)))
}
