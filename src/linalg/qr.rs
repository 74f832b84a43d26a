//! QR factorisations.

use crate::gpu::{Buffer, Device};
use crate::kernels::batch::{Count, tile};
use crate::kernels::qr_blocked::factors::Factors;
use crate::kernels::qr_blocked::host::{Beside, Form, Target};

use super::tiles::{at_once, results};
use super::{DeviceBatch, LinalgError, MatrixBatch, MatrixStatus, Shape};

/// The thin QR factorisation A = QR of every matrix of a batch, with k = min(m, n).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Qr {
    /// Q, m×k with orthonormal columns, whatever the rank of A.
    pub q: MatrixBatch,
    /// R, k×n, zero below its diagonal; the diagonal may have either sign.
    pub r: MatrixBatch,
    /// [`Converged`](MatrixStatus::Converged), or [`NonFinite`](MatrixStatus::NonFinite) where all numbers are NaN.
    pub statuses: Vec<MatrixStatus>,
}

/// The same, still on the device.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DeviceQr {
    /// Q, m×k.
    pub q: DeviceBatch,
    /// R, k×n.
    pub r: DeviceBatch,
    bits: Buffer<u32>,
}

impl DeviceQr {
    /// Copies everything to the host.
    ///
    /// # Errors
    /// If the device is lost.
    pub fn download(&self) -> Result<Qr, LinalgError> {
        let (q, r) = (self.q.download()?, self.r.download()?);
        let bits = self.q.device().read_range(&self.bits, 0..q.batch())?;
        let status = |&bits: &u32| {
            if f32::from_bits(bits).is_finite() { MatrixStatus::Converged } else { MatrixStatus::NonFinite }
        };
        Ok(Qr { q, r, statuses: bits.iter().map(status).collect() })
    }
}

/// The QR factorisations of m×n matrices on the host, as many at a time as the device holds.
///
/// Householder's, without pivoting: every column of A is that of QR within some (m + k)·u of its own length, u = 2⁻²⁴,
/// and Q's columns are orthonormal as well as that. Where a column is longer than f32 has numbers, R is infinite.
///
/// # Errors
/// If the results do not fit the host's memory, a matrix does not fit a buffer of the device, or the device fails. A
/// matrix that is not finite is no error: its [status](Qr::statuses) says so.
pub fn qr(device: &Device, matrices: &MatrixBatch) -> Result<Qr, LinalgError> {
    let Shape { batch, rows, columns, .. } = matrices.shape();
    let size = rows.min(columns);
    let at_once = at_once(device, elements(matrices.shape()))?;
    let of = |rows: usize, columns: usize| results(Shape::new(batch, rows, columns, at_once.lanes)?);
    let mut all = Qr { q: of(rows, size)?, r: of(size, columns)?, statuses: Vec::with_capacity(batch) };
    for first in (0..batch).step_by(at_once.count) {
        let part = matrices.part(first..(first + at_once.count).min(batch), at_once.lanes);
        let found = device.upload(&part)?.qr()?.download()?;
        all.q.place(first, &found.q);
        all.r.place(first, &found.r);
        all.statuses.extend(found.statuses);
    }
    Ok(all)
}

impl DeviceBatch {
    /// The QR factorisations of these matrices, left on the device.
    ///
    /// # Errors
    /// As [`qr`].
    pub fn qr(&self) -> Result<DeviceQr, LinalgError> {
        let device = self.device();
        let a = self.with_lanes(tile(device, elements(self.shape())))?;
        let (batch, Shape { rows, columns, .. }) = (a.tiled(), self.shape());
        let form = Form { rows, columns };
        let size = form.short();
        let q = Self::room(device, "Q", batch, rows, size)?;
        let r = Self::room(device, "R", batch, size, columns)?;
        let mut commands = device.record("qr");
        let factors = Factors::record(device, &mut commands, form, false, Count::known(batch), a.buffer())?;
        factors.triangle(device, &mut commands, false, (Beside::Nothing, None), r.buffer())?;
        let columns = factors.extended(device, &mut commands, None, size)?;
        factors.apply(device, &mut commands, Target::Plain(size), &columns)?;
        factors.crop(device, &mut commands, &columns, (size, true), q.buffer())?;
        commands.submit()?;
        Ok(DeviceQr { q, r, bits: factors.bits().clone() })
    }
}

/// Elements of the largest buffer that a factorisation takes, of each matrix.
fn elements(shape: Shape) -> usize {
    let form = Form { rows: shape.rows, columns: shape.columns };
    form.elements().max(form.elements_of(form.short()))
}
