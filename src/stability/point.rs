//! One point in f64, from the expression itself: what a certificate holds the device's figures against.

use faer::linalg::solvers::Svd;
use faer::{Col, Mat};

use crate::backend::{largest_eigenvalue, residual_and_jacobian};
use crate::curvature::MOST_OF_EXPRESSION;
use crate::model::Model;
use crate::ngd::{Filter, Precision};
use crate::sweep::Job;

/// e, J and their singular value decomposition at θ, in f64.
pub(crate) struct Point {
    pub(crate) set: usize,
    pub(crate) theta: Vec<f64>,
    pub(crate) residual: Vec<f64>,
    /// JD, n×p.
    pub(crate) jacobian: Mat<f64>,
    /// The diagonal of D.
    pub(crate) scale: Vec<f64>,
    /// Singular values of JD, descending, min(n, p) of them.
    pub(crate) sigma: Vec<f64>,
    /// n×min(n, p).
    pub(crate) u: Mat<f64>,
    /// p×min(n, p).
    pub(crate) v: Mat<f64>,
    /// ‖Jᵀe‖ of the plain J.
    pub(crate) gradient_norm: f64,
    /// λmax(JᵀJ) of the plain J.
    pub(crate) gn_sharpness: f64,
    /// The size of what a residual of zero is a difference of: the larger of ‖w∘y‖ and ‖J diag(θ)‖.
    pub(crate) size: f64,
}

impl Point {
    /// `None` where e or J is not finite.
    pub(crate) fn new(job: &Job, set: usize, theta: &[f64], scale: &[f64]) -> Option<Self> {
        let (residual, mut jacobian) = residual_and_jacobian(job, set, theta);
        if !jacobian.is_all_finite() || residual.iter().any(|e| !e.is_finite()) {
            return None;
        }
        let e = Col::from_fn(residual.len(), |i| residual[i]);
        let gradient_norm = (jacobian.transpose() * &e).norm_l2();
        let largest = |a: &Mat<f64>| {
            // JJᵀ has the eigenvalues of JᵀJ, but for zeros.
            let (n, p) = a.shape();
            largest_eigenvalue(&if n < p { a * a.transpose() } else { a.transpose() * a })
        };
        let gn_sharpness = largest(&jacobian);
        let moved = Mat::from_fn(jacobian.nrows(), theta.len(), |i, j| jacobian[(i, j)] * theta[j]).norm_l2();
        for (j, &factor) in scale.iter().enumerate() {
            jacobian.col_mut(j).iter_mut().for_each(|x| *x *= factor);
        }
        let svd: Svd<f64> = jacobian.thin_svd().ok()?;
        Some(Self {
            set,
            theta: theta.to_vec(),
            sigma: svd.S().column_vector().iter().copied().collect(),
            u: svd.U().to_owned(),
            v: svd.V().to_owned(),
            scale: scale.to_vec(),
            gradient_norm,
            gn_sharpness,
            size: job.response_norm(set).max(moved),
            residual,
            jacobian,
        })
    }

    /// ‖e‖.
    pub(crate) fn residual_norm(&self) -> f64 {
        self.residual.iter().map(|e| e * e).sum::<f64>().sqrt()
    }

    /// Singular values above a relative cutoff.
    pub(crate) fn rank(&self, cutoff: f64) -> usize {
        Filter::Exact.rank(&self.sigma, cutoff)
    }

    /// The rank that f64 tells.
    pub(crate) fn exact_rank(&self) -> usize {
        self.rank(Precision::F64.default_cutoff(self.jacobian.nrows(), self.jacobian.ncols()))
    }

    /// ‖Uᵣᵀe‖: what is left of the residual in the tangent space.
    pub(crate) fn tangent(&self, rank: usize) -> f64 {
        let e = Col::from_fn(self.residual.len(), |i| self.residual[i]);
        (self.u.subcols(0, rank).transpose() * &e).norm_l2()
    }
}

/// Sums of second derivatives at a point, in the coordinates ξ = D⁻¹θ.
pub(crate) struct Curvature {
    /// Σᵢ cᵢ·wᵢ D∇²fᵢD for every vector of coefficients c that was asked for, p×p.
    pub(crate) sums: Vec<Mat<f64>>,
    /// Row i is wᵢ(D∇²fᵢD s)ᵀ, n×p: the derivative of J s by θ.
    pub(crate) along: Mat<f64>,
}

/// The most parameters of which all second derivatives are formed: of an expression they are p(p+1)/2 expressions, of a
/// network p products with vectors.
pub(crate) fn most_curved(model: &Model) -> usize {
    if model.as_network().is_some() { 512 } else { MOST_OF_EXPRESSION }
}

impl Curvature {
    /// One pass over the data set's rows.
    pub(crate) fn new(job: &Job, point: &Point, coefficients: &[&[f64]], s: &[f64]) -> Self {
        let p = point.theta.len();
        let model = job.model();
        let mut scratch = Vec::new();
        model.prepare_curvature(&point.theta, &mut scratch);
        let mut triangle = vec![0.0; p * (p + 1) / 2];
        let mut sums = vec![Mat::<f64>::zeros(p, p); coefficients.len()];
        let mut along = Mat::<f64>::zeros(point.residual.len(), p);
        for (i, row) in job.rows(point.set).enumerate() {
            model.curvature_row(job.inputs(row), &mut scratch, &mut triangle);
            let weight = job.weight(row);
            for j in 0..p {
                for k in 0..=j {
                    let h = weight * point.scale[j] * triangle[j * (j + 1) / 2 + k] * point.scale[k];
                    for (sum, c) in sums.iter_mut().zip(coefficients) {
                        sum[(j, k)] += c[i] * h;
                    }
                    along[(i, j)] += h * s[k];
                    if k < j {
                        along[(i, k)] += h * s[j];
                    }
                }
            }
        }
        for sum in &mut sums {
            for j in 0..p {
                for k in 0..j {
                    sum[(k, j)] = sum[(j, k)];
                }
            }
        }
        Self { sums, along }
    }
}
