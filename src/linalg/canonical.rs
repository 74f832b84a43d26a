//! The form in which least squares and projectors meet the SVD: matrices [R | c], whose transposes have the row space of A
//! where R is the triangular factor of a tall A, or A itself where it is wide.

use crate::gpu::{Buffer, Candidate, Commands, Timing, Worth};
use crate::kernels::batch::{Batch, Count};
use crate::kernels::matrices::Report;
use crate::kernels::qr_blocked::factors::Factors;
use crate::kernels::qr_blocked::host::{Beside, Target};
use crate::kernels::svd::host::{Form, Source};
use crate::kernels::trial::{filled, timed, trial_count};
use crate::kernels::{join, qr_blocked, sift, solve, substitute};

use super::{DeviceBatch, LinalgError, Shape};

/// Matrices [R | c] in the form that the SVD takes.
pub(super) struct Canonical {
    pub(super) factor: DeviceBatch,
    pub(super) form: Form,
    /// The list of the matrices they belong to, where those are not all.
    pub(super) listed: Option<Buffer<u32>>,
    /// Q, and where to put what it has to be applied to.
    pub(super) turned: Option<(Factors, DeviceBatch)>,
}

/// The ways to the triangular factor of tall matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// One invocation a matrix: rows pass by a triangle that stays in registers.
    Registers,
    /// Panel by panel in memory.
    Blocks,
}

impl Canonical {
    /// [R | c], [Rᵀ | b] or [A | b], of which the transposes get the SVD: of all matrices A, or of those whose rank is in
    /// doubt at this limit, the others' solutions and reports being written.
    pub(super) fn record(
        a: &DeviceBatch,
        commands: &mut Commands,
        b: Option<&DeviceBatch>,
        limit: f64,
        x: &DeviceBatch,
        words: &Buffer<Report>,
    ) -> Result<Self, LinalgError> {
        let Shape { rows, columns, .. } = a.shape();
        let rights = b.map_or(0, |b| b.shape().columns);
        let wide = Form { rows: columns, columns: rows, source: Source::Factor(rights), vectors: true };
        match b {
            _ if rows >= columns && a.way(rights)? == Way::Registers => {
                a.triangle_in_registers(commands, b, limit, x, words)
            }
            Some(b) if rows >= columns => a.triangle(commands, b, limit, Some(x), words),
            None if rows >= columns => a.bare_triangle(commands),
            Some(b) if wide.in_registers() => a.beside(commands, b, wide),
            Some(b) => a.triangle(commands, b, limit, None, words),
            None => Ok(Self { factor: a.clone(), form: wide, listed: None, turned: None }),
        }
    }
}

impl DeviceBatch {
    /// The way to the triangular factors of tall matrices of this shape, and so many right-hand sides.
    fn way(&self, rights: usize) -> Result<Way, LinalgError> {
        let Shape { rows, columns, .. } = self.shape();
        let form = solve::host::Form { rows, columns, rights };
        if !form.in_registers() {
            return Ok(Way::Blocks);
        }
        let ways = [Way::Registers, Way::Blocks];
        let candidates = [
            Candidate { name: "registers".to_owned(), code: form.code(), worth: Worth::Everywhere },
            Candidate {
                name: "blocks".to_owned(),
                code: qr_blocked::host::Form { rows, columns }.code(),
                worth: if form.is_large() { Worth::Everywhere } else { Worth::LastResort },
            },
        ];
        let shape = format!("{rows}x{columns}, {rights} beside");
        let device = self.device();
        Ok(ways[device.tuner().choose("triangle", &shape, &candidates, |k| self.measure(rights, ways[k]))?])
    }

    /// What the triangular factors of random matrices of this shape take, with so many right-hand sides.
    fn measure(&self, rights: usize, way: Way) -> Result<Timing, LinalgError> {
        let (device, Shape { rows, columns, .. }) = (self.device(), self.shape());
        let batch = Batch { count: trial_count(device, rows * columns), ..self.tiled() };
        let count = batch.count;
        let random = |columns: usize| {
            let shape = Shape::new(count, rows, columns, batch.lanes)?;
            Ok::<_, LinalgError>(Self::of(device, shape, filled(device, batch, rows * columns)?))
        };
        let (a, b) = (random(columns)?, if rights == 0 { None } else { Some(random(rights)?) });
        let limit = if rights == 0 { solve::host::ALWAYS } else { solve::host::doubt(0.0, f64::from(f32::EPSILON)) };
        timed(count, || {
            let mut commands = device.record("a trial");
            let x = Self::room(device, "results", batch, columns, rights.max(1))?;
            let words = device.buffer::<Report>("reports", count)?;
            let found = match (way, &b) {
                (Way::Registers, b) => a.triangle_in_registers(&mut commands, b.as_ref(), limit, &x, &words)?,
                (Way::Blocks, Some(b)) => a.triangle(&mut commands, b, limit, Some(&x), &words)?,
                (Way::Blocks, None) => a.bare_triangle(&mut commands)?,
            };
            commands.submit()?;
            // One word back on the host: everything before it is done.
            device.read_range(found.factor.buffer(), 0..1)?;
            Ok(())
        })
    }

    /// [A | b] of wide matrices.
    fn beside(&self, commands: &mut Commands, b: &Self, form: Form) -> Result<Canonical, LinalgError> {
        let device = self.device();
        let (batch, Shape { rows, columns, .. }, rights) = (self.tiled(), self.shape(), b.shape().columns);
        let factor = Self::room(device, "[A | b]", batch, rows, columns + rights)?;
        let sizes = join::host::Form { rows, left: columns, right: rights };
        join::host::record(device, commands, sizes, batch, [self.buffer(), b.buffer(), factor.buffer()])?;
        Ok(Canonical { factor, form, listed: None, turned: None })
    }

    /// R alone.
    fn bare_triangle(&self, commands: &mut Commands) -> Result<Canonical, LinalgError> {
        let device = self.device();
        let (batch, Shape { rows, columns, .. }) = (self.tiled(), self.shape());
        let sizes = qr_blocked::host::Form { rows, columns };
        let factors = Factors::record(device, commands, sizes, false, Count::known(batch), self.buffer())?;
        let factor = Self::room(device, "R", batch, columns, columns)?;
        factors.triangle(device, commands, false, (Beside::Nothing, None), factor.buffer())?;
        let form = Form { rows: columns, columns, source: Source::Factor(0), vectors: true };
        Ok(Canonical { factor, form, listed: None, turned: None })
    }

    /// [R | Qᵀb] of tall matrices A = QR, with x for the solutions; [Rᵀ | b] of wide ones, Aᵀ = QR, without.
    fn triangle(
        &self,
        commands: &mut Commands,
        b: &Self,
        limit: f64,
        x: Option<&Self>,
        words: &Buffer<Report>,
    ) -> Result<Canonical, LinalgError> {
        let device = self.device();
        let (batch, Shape { rows, columns, .. }, rights) = (self.tiled(), self.shape(), b.shape().columns);
        let (size, lower) = (rows.min(columns), x.is_none());
        let sizes = qr_blocked::host::Form { rows: rows.max(columns), columns: size };
        let factors = Factors::record(device, commands, sizes, lower, Count::known(batch), self.buffer())?;
        let whole = Self::room(device, "[T | c]", batch, size, size + rights)?;
        if lower {
            factors.triangle(device, commands, true, (Beside::Whole(rights), Some(b.buffer())), whole.buffer())?;
        } else {
            let c = factors.padded(device, commands, b.buffer(), rights)?;
            factors.apply(device, commands, Target::Transposed(rights), &c)?;
            factors.triangle(device, commands, false, (Beside::Padded(rights), Some(&c)), whole.buffer())?;
        }
        let form = substitute::host::Form { size, rights, lower };
        let solved = Self::room(device, "T⁻¹[I | c]", batch, size, size + rights)?;
        let sums = Self::room(device, "sums of squares", batch, form.blocks(), 1)?;
        let buffers = [whole.buffer(), solved.buffer(), sums.buffer()];
        substitute::host::record(device, commands, form, Count::known(batch), buffers, factors.bits())?;
        let y = Self::room(device, "y", batch, size, rights)?;
        let factor = Self::room(device, "[T | c] in doubt", batch, size, size + rights)?;
        let doubt = device.buffer::<u32>("matrices in doubt", 1 + batch.count)?;
        let operands = sift::host::Operands {
            triangle: whole.buffer(),
            solved: solved.buffer(),
            sums: sums.buffer(),
            x: x.unwrap_or(&y).buffer(),
            reports: words,
            factor: factor.buffer(),
            doubt: &doubt,
            bits: factors.bits(),
        };
        sift::host::record(device, commands, form, batch, limit, &operands)?;
        let form = Form { rows: size, columns: size, source: Source::Factor(rights), vectors: true };
        if !lower {
            return Ok(Canonical { factor, form, listed: Some(doubt), turned: None });
        }
        // Rᵀ = Q₂R₂: rotations of the columns of R₂ᵀ converge where those of R, as long as the rows of A, hardly do.
        let again = qr_blocked::host::Form { rows: size, columns: size + rights };
        let count = Count { most: batch, word: Some((&doubt, 0)) };
        let second = Factors::record(device, commands, again, false, count, factor.buffer())?;
        let twice = Self::room(device, "[R₂ | Q₂ᵀb] in doubt", batch, size, size + rights)?;
        second.triangle(device, commands, false, (Beside::Nothing, None), twice.buffer())?;
        Ok(Canonical { factor: twice, form, listed: Some(doubt), turned: Some((factors, y)) })
    }

    /// [R | c] of tall matrices that registers hold.
    fn triangle_in_registers(
        &self,
        commands: &mut Commands,
        b: Option<&Self>,
        limit: f64,
        x: &Self,
        words: &Buffer<Report>,
    ) -> Result<Canonical, LinalgError> {
        let device = self.device();
        let (batch, Shape { rows, columns, .. }) = (self.tiled(), self.shape());
        let rights = b.map_or(0, |b| b.shape().columns);
        let factor = Self::room(device, "[R | c]", batch, columns, columns + rights)?;
        let doubt = device.buffer::<u32>("matrices in doubt", 1 + batch.count)?;
        let (nothing, nowhere) = (device.buffer::<f32>("no b", 1)?, device.buffer::<f32>("no x", 1)?);
        let operands = solve::host::Operands {
            a: self.buffer(),
            b: b.map_or(&nothing, Self::buffer),
            x: if b.is_some() { x.buffer() } else { &nowhere },
            reports: words,
            factor: factor.buffer(),
            doubt: &doubt,
        };
        let sizes = solve::host::Form { rows, columns, rights };
        solve::host::record(device, commands, sizes, batch, limit, &operands)?;
        let form = Form { rows: columns, columns, source: Source::Factor(rights), vectors: true };
        Ok(Canonical { factor, form, listed: Some(doubt), turned: None })
    }
}
