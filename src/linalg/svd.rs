//! Singular value decompositions.

use crate::block_on;
use crate::gpu::layout::LANES;
use crate::gpu::{Buffer, Device};
use crate::kernels::complete;
use crate::kernels::matrices::Report;
use crate::kernels::svd::host::{Count, Form, Operands, Source, record};

use super::pinv::cutoff;
use super::tiles::{at_once, results};
use super::{DeviceBatch, LinalgError, MatrixBatch, MatrixReport, Shape};

/// What an SVD is to find.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct SvdOptions {
    /// Whether U and V are wanted beside the singular values.
    pub vectors: bool,
    /// Singular values up to this times the largest do not count in the rank. In [0, 1); `None`: max(m, n) times the
    /// machine epsilon.
    pub cutoff: Option<f64>,
}

impl Default for SvdOptions {
    fn default() -> Self {
        Self { vectors: true, cutoff: None }
    }
}

impl SvdOptions {
    /// Singular values only.
    #[must_use]
    pub fn values() -> Self {
        Self { vectors: false, cutoff: None }
    }

    /// With this cutoff for the rank.
    #[must_use]
    pub fn cutoff(mut self, cutoff: f64) -> Self {
        self.cutoff = Some(cutoff);
        self
    }
}

/// The thin SVD A = U Σ Vᵀ of every matrix of a batch, with r = min(m, n).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Svd {
    /// U, m×r with orthonormal columns, those of zero singular values included. `None` where not asked for.
    pub u: Option<MatrixBatch>,
    /// The singular values, r×1, descending.
    pub sigma: MatrixBatch,
    /// V, n×r with orthonormal columns, those of zero singular values included. `None` where not asked for.
    pub v: Option<MatrixBatch>,
    /// How each went.
    pub reports: Vec<MatrixReport>,
}

/// The same, still on the device.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeviceSvd {
    /// U, m×r.
    pub u: Option<DeviceBatch>,
    /// The singular values, r×1, descending.
    pub sigma: DeviceBatch,
    /// V, n×r.
    pub v: Option<DeviceBatch>,
    pub(super) words: Buffer<Report>,
}

impl DeviceSvd {
    /// Copies everything to the host.
    ///
    /// # Errors
    /// If the device is lost.
    pub fn download(&self) -> Result<Svd, LinalgError> {
        let host = |batch: &Option<DeviceBatch>| batch.as_ref().map(DeviceBatch::download).transpose();
        let sigma = self.sigma.download()?;
        let words = self.sigma.device().read_range(&self.words, 0..sigma.batch())?;
        let reports = words.iter().map(MatrixReport::of).collect();
        Ok(Svd { u: host(&self.u)?, v: host(&self.v)?, sigma, reports })
    }
}

/// The SVDs of matrices on the host, as many at a time as the device holds.
///
/// # Errors
/// If the cutoff is outside [0, 1), the results do not fit the host's memory, 64 matrices with what they carry do not fit
/// a buffer of the device (of 128 MiB, the least that WebGPU promises: 512×512 with vectors do), or the device fails. A
/// matrix that is not finite is no error: its [report](Svd::reports) says so.
pub fn svd(device: &Device, matrices: &MatrixBatch, options: &SvdOptions) -> Result<Svd, LinalgError> {
    let Shape { batch, rows, columns, .. } = matrices.shape();
    let size = rows.min(columns);
    cutoff(options.cutoff, matrices.shape())?;
    let of = |rows: usize, columns: usize| results(Shape::new(batch, rows, columns, LANES)?);
    let mut all = Svd {
        u: options.vectors.then(|| of(rows, size)).transpose()?,
        sigma: of(size, 1)?,
        v: options.vectors.then(|| of(columns, size)).transpose()?,
        reports: Vec::with_capacity(batch),
    };
    let chunk = at_once(device, form(matrices.shape(), options).elements())?;
    for first in (0..batch).step_by(chunk) {
        let part = matrices.part(first..(first + chunk).min(batch), LANES);
        let found = device.upload(&part)?.svd(options)?.download()?;
        all.sigma.place(first, &found.sigma);
        for (whole, part) in [(&mut all.u, &found.u), (&mut all.v, &found.v)] {
            if let (Some(whole), Some(part)) = (whole, part) {
                whole.place(first, part);
            }
        }
        all.reports.extend(found.reports);
    }
    Ok(all)
}

fn form(shape: Shape, options: &SvdOptions) -> Form {
    Form::of_matrices(shape.rows, shape.columns, options.vectors)
}

impl DeviceBatch {
    /// The SVDs of these matrices, left on the device.
    ///
    /// # Errors
    /// As [`svd`].
    pub fn svd(&self, options: &SvdOptions) -> Result<DeviceSvd, LinalgError> {
        let cutoff = cutoff(options.cutoff, self.shape())?;
        let Shape { batch, rows, columns, .. } = self.shape();
        let device = self.device();
        let size = rows.min(columns);
        let form = form(self.shape(), options);
        let of = |label: &str, rows: usize| {
            DeviceBatch::uninitialized(device, label, Shape::new(batch, rows, size, LANES)?).map_err(LinalgError::from)
        };
        let tiled = self.with_lanes(LANES)?;
        let sigma = DeviceBatch::uninitialized(device, "sigma", Shape::new(batch, size, 1, LANES)?)?;
        let words = device.buffer::<Report>("reports", batch.max(1))?;
        let vectors =
            options.vectors.then(|| Ok::<_, LinalgError>((of("W", form.rows)?, of("V", size)?))).transpose()?;
        let buffers = vectors.as_ref().map(|(long, short)| (long.buffer(), short.buffer()));
        let mut commands = device.record("svd");
        let operands = Operands { a: tiled.buffer(), sigma: sigma.buffer(), reports: &words, vectors: buffers };
        record(device, &mut commands, form, Count::known(batch), cutoff, &operands)?;
        if let Some((long, _)) = buffers {
            complete::host::record(device, &mut commands, [batch, form.rows, form.columns], sigma.buffer(), long)?;
        }
        commands.submit()?;
        let (u, v) = match vectors {
            Some((long, short)) if form.source == Source::Transpose => (Some(short), Some(long)),
            Some((long, short)) => (Some(long), Some(short)),
            None => (None, None),
        };
        Ok(DeviceSvd { u, sigma, v, words })
    }

    /// These matrices in tiles of `lanes`, copied by way of the host where they are not.
    pub(super) fn with_lanes(&self, lanes: usize) -> Result<Self, LinalgError> {
        if self.shape().lanes == lanes {
            return Ok(self.clone());
        }
        Ok(self.device().upload(&block_on(self.download_async())?.with_lanes(lanes)?)?)
    }
}
