//! What a backend makes of Jacobians: singular values, pseudo-inverses and projectors on row spaces.

use std::collections::BTreeMap;

use faer::Mat;
use rayon::prelude::*;

use crate::error::Error;
use crate::gpu::Device;
use crate::linalg::{MatrixBatch, MatrixStatus, PinvOptions, SvdOptions, pinv, projector, svd};
use crate::ngd::{Filter, Scaling};
use crate::sweep::{Job, ProblemId};

use super::{Backend, residual_and_jacobian};

/// The most parameters for which a projector is formed: one of 512² takes 1 MiB in f32. Beyond, the row space is
/// given by an orthonormal basis.
pub(crate) const MOST_DENSE: usize = 512;

/// The row space of one JD in the precision at work.
#[derive(Clone, Debug)]
pub(crate) struct RowSpace {
    /// JD as the backend evaluated it, n×p.
    pub(crate) jacobian: Mat<f64>,
    /// The diagonal of D.
    pub(crate) scale: Vec<f64>,
    /// Singular values, min(n, p) of them, descending.
    pub(crate) sigma: Vec<f64>,
    /// Right singular vectors, p×min(n, p).
    pub(crate) v: Mat<f64>,
    /// Values above the cutoff.
    pub(crate) rank: usize,
    /// Relative cutoff on σ.
    pub(crate) cutoff: f64,
    /// (JD)†, p×n; `None` beyond [`MOST_DENSE`] parameters.
    pub(crate) inverse: Option<Mat<f64>>,
    /// (JD)†JD, p×p; `None` beyond [`MOST_DENSE`] parameters, where the first `rank` columns of `v` stand for it.
    pub(crate) projector: Option<Mat<f64>>,
}

impl Backend {
    /// The weighted Jacobians, n×p, at the starts of the problems `ids`, by ascending data set, in the precision at work.
    pub(crate) fn jacobians(&self, job: &Job, ids: &[ProblemId]) -> Result<Vec<Mat<f64>>, Error> {
        match self {
            Self::Gpu(gpu) => gpu.jacobians(job, ids),
            Self::Cpu => Ok(ids.par_iter().map(|&id| residual_and_jacobian(job, id.set, job.start(id)).1).collect()),
        }
    }

    /// The row spaces of Jacobians: `None` where one is not finite or its SVD did not converge.
    pub(crate) fn row_spaces(
        &self,
        jacobians: Vec<Mat<f64>>,
        scaling: Scaling,
        cutoff: Option<f64>,
    ) -> Result<Vec<Option<RowSpace>>, Error> {
        let mut all: Vec<Option<RowSpace>> = Vec::new();
        all.resize_with(jacobians.len(), || None);
        let mut by_shape: BTreeMap<(usize, usize), Vec<Scaled>> = BTreeMap::new();
        for (place, jacobian) in jacobians.into_iter().enumerate() {
            by_shape.entry(jacobian.shape()).or_default().push(Scaled::new(place, jacobian, scaling));
        }
        for ((rows, columns), scaled) in by_shape {
            let cutoff = cutoff.unwrap_or_else(|| self.precision().default_cutoff(rows, columns));
            let places: Vec<usize> = scaled.iter().map(|one| one.place).collect();
            let found = match self {
                Self::Gpu(gpu) => on_device(gpu.device(), scaled, cutoff)?,
                Self::Cpu => scaled.into_par_iter().map(|one| on_host(one.jacobian, one.scale, cutoff)).collect(),
            };
            for (place, found) in places.into_iter().zip(found) {
                all[place] = found;
            }
        }
        Ok(all)
    }
}

/// JD, and where it belongs.
struct Scaled {
    place: usize,
    jacobian: Mat<f64>,
    scale: Vec<f64>,
}

impl Scaled {
    fn new(place: usize, mut jacobian: Mat<f64>, scaling: Scaling) -> Self {
        let scale: Vec<f64> = (0..jacobian.ncols()).map(|j| scaling.factor(jacobian.col(j).norm_l2())).collect();
        for (j, &factor) in scale.iter().enumerate() {
            jacobian.col_mut(j).iter_mut().for_each(|x| *x *= factor);
        }
        Self { place, jacobian, scale }
    }
}

/// The row spaces of matrices of one shape by the kernels of linear algebra.
fn on_device(device: &Device, scaled: Vec<Scaled>, cutoff: f64) -> Result<Vec<Option<RowSpace>>, Error> {
    let (rows, columns) = scaled[0].jacobian.shape();
    let a = MatrixBatch::from_fn(scaled.len(), rows, columns, |b, i, j| scaled[b].jacobian[(i, j)] as f32)?;
    let svds = svd(device, &a, &SvdOptions::default().cutoff(cutoff))?;
    let options = PinvOptions::default().cutoff(cutoff);
    let dense = columns <= MOST_DENSE;
    let inverses = dense.then(|| pinv(device, &a, &options)).transpose()?;
    let projectors = dense.then(|| projector(device, &a, &options)).transpose()?;
    let matrix = |batch: &MatrixBatch, b: usize| {
        Mat::from_fn(batch.rows(), batch.columns(), |i, j| f64::from(batch.get(b, i, j)))
    };
    let Some(v) = &svds.v else { unreachable!("vectors are what the default asks for") };
    let one = |(b, one): (usize, Scaled)| {
        let report = svds.reports[b];
        (report.status == MatrixStatus::Converged).then(|| RowSpace {
            sigma: (0..svds.sigma.rows()).map(|i| f64::from(svds.sigma.get(b, i, 0))).collect(),
            v: matrix(v, b),
            rank: report.rank,
            cutoff,
            inverse: inverses.as_ref().map(|found| matrix(&found.matrices, b)),
            projector: projectors.as_ref().map(|found| matrix(&found.matrices, b)),
            jacobian: Mat::from_fn(rows, columns, |i, j| f64::from(a.get(b, i, j))),
            scale: one.scale,
        })
    };
    Ok(scaled.into_iter().enumerate().map(one).collect())
}

/// The row space of JD in f64.
fn on_host(jacobian: Mat<f64>, scale: Vec<f64>, cutoff: f64) -> Option<RowSpace> {
    if !jacobian.is_all_finite() {
        return None;
    }
    let (n, p) = jacobian.shape();
    let found = jacobian.thin_svd().ok()?;
    let sigma: Vec<f64> = found.S().column_vector().iter().copied().collect();
    let rank = Filter::Exact.rank(&sigma, cutoff);
    let v = found.V().to_owned();
    let kept = v.subcols(0, rank);
    let weighted = Mat::from_fn(n, rank, |i, k| found.U()[(i, k)] / sigma[k]);
    let dense = p <= MOST_DENSE;
    Some(RowSpace {
        rank,
        cutoff,
        inverse: dense.then(|| kept * weighted.transpose()),
        projector: dense.then(|| kept * kept.transpose()),
        v,
        sigma,
        jacobian,
        scale,
    })
}
