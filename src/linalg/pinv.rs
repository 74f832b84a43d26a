//! Pseudo-inverses, least squares and projectors: one machinery.
//!
//! One-sided Jacobi leaves W = Xᵀ V with orthogonal columns of length σ, X the matrix itself where it is wide and the
//! triangular factor of its QR where it is tall, and a right-hand side c that was carried along as Vᵀc. Then
//! A†b = W Σ⁻² (Vᵀc), the projector A†A on the row space is W Σ⁻² Wᵀ, and A† = W Σ⁻² Vᵀ, each over the singular values
//! above the cutoff: no pseudo-inverse is formed to solve, and no product A†A to project.

use crate::gpu::{Buffer, Commands, Device};
use crate::kernels::batch::{Batch, Count, tile};
use crate::kernels::matrices::Report;
use crate::kernels::qr_blocked::host::Target;
use crate::kernels::svd::host::{Form, Source};
use crate::kernels::{combine, qr_blocked, solve, substitute, svd};
use crate::ngd::Precision;

use super::canonical::Canonical;
use super::svd::svd_elements;
use super::tiles::{at_once, in_chunks};
use super::{DeviceBatch, LinalgError, MatrixBatch, MatrixReport, Shape, SvdOptions};

/// How a pseudo-inverse is to be taken.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct PinvOptions {
    /// Singular values up to this times the largest count as zero. In [0, 1); `None`: max(m, n) times the machine
    /// epsilon.
    pub cutoff: Option<f64>,
    /// Whether [`pinv_solve`] may stop at the triangular factor where the rank is in no doubt: several times as fast, and
    /// as accurate. The others get the SVD; with `false` all do.
    pub triangular: bool,
}

impl Default for PinvOptions {
    fn default() -> Self {
        Self { cutoff: None, triangular: true }
    }
}

impl PinvOptions {
    /// With this cutoff for the rank.
    #[must_use]
    pub fn cutoff(mut self, cutoff: f64) -> Self {
        self.cutoff = Some(cutoff);
        self
    }

    /// By the SVD, whatever the rank.
    #[must_use]
    pub fn by_svd(mut self) -> Self {
        self.triangular = false;
        self
    }
}

/// Matrices, and how each was found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Reported {
    /// The result. All of a matrix that was not finite is NaN.
    pub matrices: MatrixBatch,
    /// Status, rank at the cutoff, and sweeps: none where the triangular factor was enough.
    pub reports: Vec<MatrixReport>,
}

/// The same, still on the device.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeviceReported {
    /// The result.
    pub matrices: DeviceBatch,
    words: Buffer<Report>,
}

impl DeviceReported {
    /// Copies everything to the host.
    ///
    /// # Errors
    /// If the device is lost.
    pub fn download(&self) -> Result<Reported, LinalgError> {
        let matrices = self.matrices.download()?;
        let words = self.matrices.device().read_range(&self.words, 0..matrices.batch())?;
        Ok(Reported { matrices, reports: words.iter().map(MatrixReport::of).collect() })
    }
}

/// The least-squares solutions of least norm x = A†b, for m×n matrices A and m×k right-hand sides b: n×k.
///
/// Every column of x makes ‖Ax − b‖ least, and among all that do, has the least length itself. The relative error is some
/// κu, u = 2⁻²⁴, with κ the ratio of the largest singular value to the least that counts (and κ² u times the relative
/// residual, where the residual is not small), as in every backward stable method.
///
/// # Errors
/// If the batches or the rows of A and b differ, the cutoff is outside [0, 1), the results do not fit the host's memory,
/// a matrix with what it carries does not fit a buffer of the device, or the device fails.
pub fn pinv_solve(
    device: &Device,
    a: &MatrixBatch,
    b: &MatrixBatch,
    options: &PinvOptions,
) -> Result<Reported, LinalgError> {
    let Shape { batch, columns, .. } = a.shape();
    let rights = b.columns();
    check(a.shape(), b.shape())?;
    cutoff(options.cutoff, a.shape())?;
    let at_once = at_once(device, solve_elements(a.shape(), rights))?;
    let lanes = at_once.lanes;
    in_chunks(Shape::new(batch, columns, rights, lanes)?, at_once, |range| {
        let part = device.upload(&a.part(range.clone(), lanes))?;
        part.pinv_solve(&device.upload(&b.part(range, lanes))?, options)?.download()
    })
}

/// The pseudo-inverses A† (Moore and Penrose), n×m, of m×n matrices.
///
/// To solve with, [`pinv_solve`] is faster and more accurate.
///
/// # Errors
/// As [`pinv_solve`].
pub fn pinv(device: &Device, a: &MatrixBatch, options: &PinvOptions) -> Result<Reported, LinalgError> {
    let Shape { batch, rows, columns, .. } = a.shape();
    cutoff(options.cutoff, a.shape())?;
    let at_once = at_once(device, svd_elements(a.shape(), true))?;
    in_chunks(Shape::new(batch, columns, rows, at_once.lanes)?, at_once, |range| {
        device.upload(&a.part(range, at_once.lanes))?.pinv(options)?.download()
    })
}

/// The orthogonal projectors P = A†A on the row spaces of m×n matrices, n×n and symmetric to the bit.
///
/// Formed of the singular vectors, never as a product A†·A: idempotent and of trace r within max(32, 4r)·u whatever the
/// condition. That alone says nothing about A: ‖A(I − P)‖ does.
///
/// # Errors
/// As [`pinv_solve`].
pub fn projector(device: &Device, a: &MatrixBatch, options: &PinvOptions) -> Result<Reported, LinalgError> {
    let Shape { batch, columns, .. } = a.shape();
    cutoff(options.cutoff, a.shape())?;
    let at_once = at_once(device, projector_elements(a.shape()))?;
    in_chunks(Shape::new(batch, columns, columns, at_once.lanes)?, at_once, |range| {
        device.upload(&a.part(range, at_once.lanes))?.projector(options)?.download()
    })
}

impl DeviceBatch {
    /// The least-squares solutions of least norm of these matrices and right-hand sides, left on the device.
    ///
    /// # Errors
    /// As [`pinv_solve`].
    pub fn pinv_solve(&self, b: &Self, options: &PinvOptions) -> Result<DeviceReported, LinalgError> {
        check(self.shape(), b.shape())?;
        let lanes = tile(self.device(), solve_elements(self.shape(), b.shape().columns));
        self.with_lanes(lanes)?.by_the_row_space(Some(&b.with_lanes(lanes)?), options)
    }

    /// The pseudo-inverses of these matrices, left on the device.
    ///
    /// # Errors
    /// As [`pinv`].
    pub fn pinv(&self, options: &PinvOptions) -> Result<DeviceReported, LinalgError> {
        let cutoff = cutoff(options.cutoff, self.shape())?;
        let Shape { rows, columns, .. } = self.shape();
        let device = self.device();
        let found = self.svd(&SvdOptions::default().cutoff(cutoff))?;
        let batch = found.sigma.tiled();
        let inverses = Self::room(device, "pseudo-inverses", batch, columns, rows)?;
        let (Some(u), Some(v)) = (&found.u, &found.v) else { unreachable!("vectors are what the default asks for") };
        let form = combine::host::Form { terms: rows.min(columns), left: columns, right: rows, plain: false };
        let mut commands = device.record("pseudo-inverses");
        let operands = combine::host::Operands {
            left: v.buffer(),
            right: u.buffer(),
            sigma: found.sigma.buffer(),
            found: &found.words,
            result: inverses.buffer(),
            listed: None,
        };
        combine::host::record(device, &mut commands, form, Count::known(batch), &operands)?;
        commands.submit()?;
        Ok(DeviceReported { matrices: inverses, words: found.words })
    }

    /// The projectors on the row spaces of these matrices, left on the device.
    ///
    /// # Errors
    /// As [`projector`].
    pub fn projector(&self, options: &PinvOptions) -> Result<DeviceReported, LinalgError> {
        let lanes = tile(self.device(), projector_elements(self.shape()));
        self.with_lanes(lanes)?.by_the_row_space(None, options)
    }

    /// W Σ⁻² (Vᵀc) of right-hand sides, or W Σ⁻² Wᵀ where there are none.
    fn by_the_row_space(&self, b: Option<&Self>, options: &PinvOptions) -> Result<DeviceReported, LinalgError> {
        let cutoff = cutoff(options.cutoff, self.shape())?;
        let device = self.device();
        let (batch, Shape { columns, .. }) = (self.tiled(), self.shape());
        let rights = b.map(|b| b.shape().columns);
        let result = Self::room(device, "results", batch, columns, rights.unwrap_or(columns))?;
        let words = device.buffer::<Report>("reports", batch.count.max(1))?;
        let mut commands = device.record("by the row space");
        let noise = Precision::F32.default_cutoff(self.shape().rows, columns);
        let limit =
            if options.triangular && b.is_some() { solve::host::doubt(cutoff, noise) } else { solve::host::ALWAYS };
        // What the row space of [R | c] gives is the result, or what Q has to be applied to.
        let canonical = Canonical::record(self, &mut commands, b, limit, &result, &words)?;
        let Canonical { factor, form, listed, turned } = &canonical;
        let count = Count { most: batch, word: listed.as_ref().map(|list| (list, 0)) };
        let factored = Factored::record(&mut commands, factor, *form, count, cutoff)?;
        let combination = combine::host::Form {
            terms: form.columns,
            left: form.rows,
            right: rights.unwrap_or(columns),
            plain: rights.is_none(),
        };
        let operands = combine::host::Operands {
            left: factored.w.buffer(),
            right: if rights.is_none() { factored.w.buffer() } else { factored.carried.buffer() },
            sigma: factored.sigma.buffer(),
            found: &factored.words,
            result: turned.as_ref().map_or(result.buffer(), |(_, y)| y.buffer()),
            listed: listed.as_ref().map(|list| (list, &words)),
        };
        combine::host::record(device, &mut commands, combination, count, &operands)?;
        if let Some((factors, y)) = turned {
            let rights = y.shape().columns;
            let extended = factors.extended(device, &mut commands, Some(y.buffer()), rights)?;
            factors.apply(device, &mut commands, Target::Plain(rights), &extended)?;
            factors.crop(device, &mut commands, &extended, (rights, false), result.buffer())?;
        }
        commands.submit()?;
        Ok(DeviceReported { matrices: result, words: if listed.is_some() { words } else { factored.words } })
    }

    /// Room for so many matrices.
    pub(super) fn room(
        device: &Device,
        label: &str,
        Batch { count, lanes }: Batch,
        rows: usize,
        columns: usize,
    ) -> Result<Self, LinalgError> {
        Ok(Self::uninitialized(device, label, Shape::new(count, rows, columns, lanes)?)?)
    }

    /// How many there are, and how they lie.
    pub(super) fn tiled(&self) -> Batch {
        let Shape { batch: count, lanes, .. } = self.shape();
        Batch { count, lanes }
    }
}

/// W Σ⁻¹, Vᵀc and σ of [R | c].
struct Factored {
    w: DeviceBatch,
    carried: DeviceBatch,
    sigma: DeviceBatch,
    words: Buffer<Report>,
}

impl Factored {
    /// Records the SVDs of the transposes of `factor`, a batch of [R | c].
    fn record(
        commands: &mut Commands,
        factor: &DeviceBatch,
        form: Form,
        count: Count<'_>,
        cutoff: f64,
    ) -> Result<Self, LinalgError> {
        let device = factor.device();
        let room =
            |label: &str, rows: usize, columns: usize| DeviceBatch::room(device, label, factor.tiled(), rows, columns);
        let w = room("W", form.rows, form.columns)?;
        let carried = room("Vᵀc", form.carried().max(1), form.columns)?;
        let sigma = room("sigma", form.columns, 1)?;
        let words = device.buffer::<Report>("reports of the SVDs", factor.shape().batch.max(1))?;
        let operands = svd::host::Operands {
            a: factor.buffer(),
            sigma: sigma.buffer(),
            reports: &words,
            vectors: Some((w.buffer(), carried.buffer())),
        };
        svd::host::record(device, commands, form, count, cutoff, &operands)?;
        Ok(Self { w, carried, sigma, words })
    }
}

/// The cutoff asked for, or the default of matrices of this shape.
pub(super) fn cutoff(asked: Option<f64>, shape: Shape) -> Result<f64, LinalgError> {
    match asked {
        Some(value) if (0.0..1.0).contains(&value) => Ok(value),
        Some(value) => Err(LinalgError::Cutoff { value }),
        None => Ok(Precision::F32.default_cutoff(shape.rows, shape.columns)),
    }
}

/// Whether right-hand sides b fit matrices A.
pub(super) fn check(a: Shape, b: Shape) -> Result<(), LinalgError> {
    let mismatch =
        |what, left_size, right_size| LinalgError::Mismatch { what, left: "A", left_size, right: "b", right_size };
    match () {
        () if a.batch != b.batch => Err(mismatch("matrices in a batch", a.batch, b.batch)),
        () if a.rows != b.rows => Err(mismatch("rows", a.rows, b.rows)),
        () => Ok(()),
    }
}

/// Elements of the largest buffer that a projector takes, of each matrix.
fn projector_elements(shape: Shape) -> usize {
    let Shape { rows, columns, .. } = shape;
    Form::of_matrices(rows, columns, true).elements().max(solve_elements(shape, 1)).max(columns * columns)
}

/// Elements of the largest buffer that a solution takes, of each matrix.
fn solve_elements(shape: Shape, rights: usize) -> usize {
    let (long, short) = (shape.rows.max(shape.columns), shape.rows.min(shape.columns));
    let of_svd = Form { rows: short, columns: short, source: Source::Factor(rights), vectors: true }.elements();
    let of_qr = qr_blocked::host::Form { rows: long, columns: short };
    let triangle = substitute::host::Form { size: short, rights, lower: false }.elements();
    let again = qr_blocked::host::Form { rows: short, columns: short + rights };
    of_svd
        .max(again.elements())
        .max(of_qr.elements())
        .max(of_qr.elements_of(rights))
        .max(triangle)
        .max(long * (short + rights))
}
