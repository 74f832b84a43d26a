//! Singular value decompositions.

use crate::gpu::{Buffer, Commands, Device};
use crate::kernels::batch::{Count, tile};
use crate::kernels::matrices::Report;
use crate::kernels::qr_blocked::factors::Factors;
use crate::kernels::qr_blocked::host::{Beside, Target};
use crate::kernels::svd::host::{Form, Operands, Source, record};
use crate::kernels::{complete, qr_blocked};

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
/// If the cutoff is outside [0, 1), the results do not fit the host's memory, a matrix with what it carries does not fit a
/// buffer of the device, or the device fails. A matrix that is not finite is no error: its [report](Svd::reports) says so.
pub fn svd(device: &Device, matrices: &MatrixBatch, options: &SvdOptions) -> Result<Svd, LinalgError> {
    let Shape { batch, rows, columns, .. } = matrices.shape();
    let size = rows.min(columns);
    cutoff(options.cutoff, matrices.shape())?;
    let at_once = at_once(device, svd_elements(matrices.shape(), options.vectors))?;
    let of = |rows: usize, columns: usize| results(Shape::new(batch, rows, columns, at_once.lanes)?);
    let mut all = Svd {
        u: options.vectors.then(|| of(rows, size)).transpose()?,
        sigma: of(size, 1)?,
        v: options.vectors.then(|| of(columns, size)).transpose()?,
        reports: Vec::with_capacity(batch),
    };
    for first in (0..batch).step_by(at_once.count) {
        let part = matrices.part(first..(first + at_once.count).min(batch), at_once.lanes);
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

/// Elements of the largest buffer that an SVD takes, of each matrix.
pub(super) fn svd_elements(shape: Shape, vectors: bool) -> usize {
    let form = Form::of_matrices(shape.rows, shape.columns, vectors);
    if !form.is_better_factored() {
        return form.elements();
    }
    let factors = qr_blocked::host::Form { rows: form.rows, columns: form.columns };
    let turned = if vectors { factors.elements_of(form.columns) } else { 0 };
    factors.elements().max(turned).max(form.of_triangle().elements()).max(shape.rows * shape.columns)
}

impl DeviceBatch {
    /// The SVDs of these matrices, left on the device.
    ///
    /// # Errors
    /// As [`svd`].
    pub fn svd(&self, options: &SvdOptions) -> Result<DeviceSvd, LinalgError> {
        let cutoff = cutoff(options.cutoff, self.shape())?;
        let Shape { rows, columns, .. } = self.shape();
        let device = self.device();
        let form = Form::of_matrices(rows, columns, options.vectors);
        let tiled = self.with_lanes(tile(device, svd_elements(self.shape(), options.vectors)))?;
        let batch = tiled.tiled();
        let found = Found {
            sigma: Self::room(device, "sigma", batch, form.columns, 1)?,
            words: device.buffer::<Report>("reports", batch.count.max(1))?,
            vectors: if options.vectors {
                let long = Self::room(device, "singular vectors", batch, form.rows, form.columns)?;
                Some((long, Self::room(device, "singular vectors", batch, form.columns, form.columns)?))
            } else {
                None
            },
        };
        let mut commands = device.record("svd");
        if form.is_better_factored() {
            tiled.svd_by_the_triangle(&mut commands, form, cutoff, &found)?;
        } else {
            tiled.svd_as_they_are(&mut commands, form, cutoff, &found)?;
        }
        commands.submit()?;
        let Found { sigma, words, vectors } = found;
        let (u, v) = match vectors {
            Some((long, short)) if form.source == Source::Transpose => (Some(short), Some(long)),
            Some((long, short)) => (Some(long), Some(short)),
            None => (None, None),
        };
        Ok(DeviceSvd { u, sigma, v, words })
    }

    /// Records the SVDs by one-sided Jacobi on the matrices, or on their transposes where they are wide.
    fn svd_as_they_are(
        &self,
        commands: &mut Commands,
        form: Form,
        cutoff: f64,
        found: &Found,
    ) -> Result<(), LinalgError> {
        let device = self.device();
        let vectors = found.vectors.as_ref().map(|(long, short)| (long.buffer(), short.buffer()));
        let operands = Operands { a: self.buffer(), sigma: found.sigma.buffer(), reports: &found.words, vectors };
        record(device, commands, form, Count::known(self.tiled()), cutoff, &operands)?;
        if let Some((long, _)) = vectors {
            let size = [form.rows, form.columns];
            complete::host::record(device, commands, (self.tiled(), size), found.sigma.buffer(), long)?;
        }
        Ok(())
    }

    /// Records the SVDs of AΠ = QR (or AᵀΠ), Π sorting the columns: of Rᵀ = WΣVᵀ, so that A = (QV)Σ(ΠW)ᵀ.
    fn svd_by_the_triangle(
        &self,
        commands: &mut Commands,
        form: Form,
        cutoff: f64,
        found: &Found,
    ) -> Result<(), LinalgError> {
        let (device, batch, size) = (self.device(), self.tiled(), form.columns);
        let transposed = form.source == Source::Transpose;
        let sizes = qr_blocked::host::Form { rows: form.rows, columns: size };
        let (factors, sorted) = Factors::record_sorted(device, commands, sizes, transposed, batch, self.buffer())?;
        let r = Self::room(device, "R", batch, size, size)?;
        factors.triangle(device, commands, false, (Beside::Nothing, None), r.buffer())?;
        let of_r = if form.vectors {
            let w = Self::room(device, "W", batch, size, size)?;
            Some((w, Self::room(device, "V of R", batch, size, size)?))
        } else {
            None
        };
        let sigma = found.sigma.buffer();
        let vectors = of_r.as_ref().map(|(w, v)| (w.buffer(), v.buffer()));
        let operands = Operands { a: r.buffer(), sigma, reports: &found.words, vectors };
        record(device, commands, form.of_triangle(), Count::known(batch), cutoff, &operands)?;
        let (Some((w, v)), Some((long, short))) = (&of_r, &found.vectors) else {
            return Ok(sorted.restore(device, commands, sigma, None)?);
        };
        complete::host::record(device, commands, (batch, [size, size]), sigma, w.buffer())?;
        sorted.restore(device, commands, sigma, Some([w.buffer(), short.buffer()]))?;
        let extended = factors.extended(device, commands, Some(v.buffer()), size)?;
        factors.apply(device, commands, Target::Plain(size), &extended)?;
        Ok(factors.crop(device, commands, &extended, (size, true), long.buffer())?)
    }
}

/// Where the SVDs of a batch go.
struct Found {
    sigma: DeviceBatch,
    words: Buffer<Report>,
    /// Singular vectors of the longer side, and of the shorter.
    vectors: Option<(DeviceBatch, DeviceBatch)>,
}
