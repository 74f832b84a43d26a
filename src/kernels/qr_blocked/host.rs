//! Declares `shaders/qr_blocked`: Householder QR of matrices of any size, panel by panel.

use bytemuck::{Pod, Zeroable};

use crate::gpu::layout::LANES;
use crate::gpu::{Bindable, Buffer, Commands, Def, Device, DeviceError, KernelSource, UNROLLED, Uniform, kernel_source};
use crate::kernels::work::slices;

pub(crate) const PREPARE: KernelSource = kernel_source!("qr_blocked/prepare", uniform panel, read a, write copied);
pub(crate) const PREPARE_MEASURED: KernelSource =
    kernel_source!("qr_blocked/prepare", uniform panel, read a, write copied, write bits);
pub(crate) const FACTOR: KernelSource = kernel_source!("qr_blocked/factor", uniform panel, write a, write taus);
pub(crate) const APPLY: KernelSource = kernel_source!("qr_blocked/apply", uniform panel, read taus, write c, read a);
pub(crate) const APPLY_INSIDE: KernelSource = kernel_source!("qr_blocked/apply", uniform panel, read taus, write c);
pub(crate) const TRIANGLE: KernelSource =
    kernel_source!("qr_blocked/triangle", uniform panel, read a, read bits, write triangle);
pub(crate) const TRIANGLE_BESIDE: KernelSource =
    kernel_source!("qr_blocked/triangle", uniform panel, read a, read bits, write triangle, read c);
pub(crate) const IDENTITY: KernelSource = kernel_source!("qr_blocked/extend", uniform panel, write extended);
pub(crate) const EXTEND: KernelSource = kernel_source!("qr_blocked/extend", uniform panel, write extended, read upper);
pub(crate) const CROP: KernelSource =
    kernel_source!("qr_blocked/crop", uniform panel, read padded, read bits, write cropped);

/// The most rows and columns of a block. Eight take half the way to the memory and are up to twice as fast; drivers compile
/// their code for ten seconds, and four's for one.
const BLOCK: usize = 4;

/// What a dispatch is about.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Panel {
    count: u32,
    first: u32,
    top: u32,
    begin: u32,
    nan: f32,
    padding_a: u32,
    padding_b: u32,
    padding_c: u32,
}

/// Sizes of the factored matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    /// Rows.
    pub(crate) rows: usize,
    /// Columns.
    pub(crate) columns: usize,
}

impl Form {
    /// Rows of R: the smaller of both sides.
    pub(crate) fn short(self) -> usize {
        self.rows.min(self.columns)
    }

    /// Columns of a panel.
    fn width(self) -> usize {
        block(self.short())
    }

    /// Rows that are cleared at once: those of a panel's triangle, where several panels have to fit the same rows.
    fn height(self) -> usize {
        if self.short() > self.width() { self.width() } else { block((self.rows - self.short()).max(1)) }
    }

    /// Rows of whole blocks.
    fn padded_rows(self) -> usize {
        let top = self.width();
        top + (self.rows.max(top) - top).next_multiple_of(self.height())
    }

    /// Columns of whole panels.
    fn padded_columns(self) -> usize {
        self.columns.next_multiple_of(self.width())
    }

    /// Reflectors in every block of rows, those of zero columns included.
    fn reflectors(self) -> usize {
        self.short().next_multiple_of(self.width())
    }

    /// Blocks of rows, the triangle included.
    fn blocks(self) -> usize {
        1 + (self.padded_rows() - self.width()) / self.height()
    }

    /// Multiply-adds in the code of the longest kernel: the reflectors of a block of rows, applied to a block of columns.
    pub(crate) fn code(self) -> usize {
        2 * self.width() * self.width() * (self.width() + self.height())
    }

    fn panels(self) -> impl DoubleEndedIterator<Item = usize> {
        (0..self.reflectors()).step_by(self.width())
    }

    /// Elements of a matrix of so many columns that Q may be multiplied with.
    pub(crate) fn elements_of(self, columns: usize) -> usize {
        self.padded_rows() * padded(columns)
    }

    /// Elements of the largest buffer that the factorisation takes, of each matrix.
    pub(crate) fn elements(self) -> usize {
        self.padded_rows() * self.padded_columns().max(self.reflectors())
    }
}

/// Rows or columns of a block that so many are cut into, as even as can be.
fn block(size: usize) -> usize {
    size.div_ceil(size.div_ceil(BLOCK))
}

/// Columns of whole blocks.
fn padded(columns: usize) -> usize {
    columns.next_multiple_of(block(columns))
}

/// The constants of the copying kernel, for matrices of so many columns.
pub(crate) fn prepare_defs(form: Form, transposed: bool, columns: Option<usize>) -> Vec<(&'static str, Def)> {
    let whole = columns.map_or(form.padded_columns(), padded);
    vec![
        ("M", Def::UInt(form.rows as u32)),
        ("N", Def::UInt(columns.unwrap_or(form.columns) as u32)),
        ("ROWS", Def::UInt(form.padded_rows() as u32)),
        ("COLUMNS", Def::UInt(whole as u32)),
        ("TRANSPOSED", Def::Bool(transposed)),
        ("MEASURED", Def::Bool(columns.is_none())),
    ]
}

/// The constants of the kernel that factors a panel.
pub(crate) fn factor_defs(form: Form) -> Vec<(&'static str, Def)> {
    vec![
        ("M", Def::UInt(form.padded_rows() as u32)),
        ("N", Def::UInt(form.padded_columns() as u32)),
        ("K", Def::UInt(form.reflectors() as u32)),
        ("WIDTH", Def::UInt(form.width() as u32)),
        ("HEIGHT", Def::UInt(form.height() as u32)),
        ("BLOCKS", Def::UInt(form.blocks() as u32)),
        (UNROLLED, Def::Bool(true)),
    ]
}

/// What reflectors are applied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The further columns of the factored matrix: Qᵀ.
    Inside,
    /// A matrix of so many columns, with zeros around it up to whole blocks: Qᵀ.
    Transposed(usize),
    /// The same: Q.
    Plain(usize),
}

impl Target {
    /// Columns in all, and of a block.
    fn columns(self, form: Form) -> (usize, usize) {
        match self {
            Self::Inside => (form.padded_columns(), form.width()),
            Self::Transposed(columns) | Self::Plain(columns) => (padded(columns), block(columns)),
        }
    }
}

/// The constants of the kernel that applies a panel.
pub(crate) fn apply_defs(form: Form, target: Target) -> Vec<(&'static str, Def)> {
    let (columns, across) = target.columns(form);
    let mut defs = factor_defs(form);
    defs.extend([
        ("C", Def::UInt(columns as u32)),
        ("ACROSS", Def::UInt(across as u32)),
        ("INSIDE", Def::Bool(target == Target::Inside)),
        ("BACKWARD", Def::Bool(matches!(target, Target::Plain(_)))),
    ]);
    defs
}

/// What stands beside R.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beside {
    /// Nothing.
    Nothing,
    /// The first rows of a matrix of so many columns that Qᵀ was applied to.
    Padded(usize),
    /// A matrix of so many columns and as many rows as R.
    Whole(usize),
}

/// The constants of the kernel that takes out R, or Rᵀ.
pub(crate) fn triangle_defs(form: Form, lower: bool, beside: Beside) -> Vec<(&'static str, Def)> {
    let (columns, c_rows, c_columns) = match beside {
        Beside::Nothing => (0, 1, 1),
        Beside::Padded(columns) => (columns, form.padded_rows(), padded(columns)),
        Beside::Whole(columns) => (columns, form.short(), columns),
    };
    vec![
        ("A_ROWS", Def::UInt(form.padded_rows() as u32)),
        ("A_COLUMNS", Def::UInt(form.padded_columns() as u32)),
        ("K", Def::UInt(form.short() as u32)),
        ("N", Def::UInt(if lower { form.short() } else { form.columns } as u32)),
        ("C", Def::UInt(columns as u32)),
        ("C_ROWS", Def::UInt(c_rows as u32)),
        ("C_COLUMNS", Def::UInt(c_columns as u32)),
        ("LOWER", Def::Bool(lower)),
        ("BESIDE", Def::Bool(columns > 0)),
    ]
}

/// The constants of the kernel that adds rows of zeros to so many columns.
pub(crate) fn extend_defs(form: Form, columns: usize, identity: bool) -> Vec<(&'static str, Def)> {
    vec![
        ("ROWS", Def::UInt(form.padded_rows() as u32)),
        ("COLUMNS", Def::UInt(padded(columns) as u32)),
        ("K", Def::UInt(form.short() as u32)),
        ("C", Def::UInt(columns as u32)),
        ("UPPER", Def::Bool(!identity)),
    ]
}

/// The constants of the kernel that takes the zeros around so many columns away.
pub(crate) fn crop_defs(form: Form, columns: usize) -> Vec<(&'static str, Def)> {
    vec![
        ("M", Def::UInt(form.rows as u32)),
        ("N", Def::UInt(columns as u32)),
        ("ROWS", Def::UInt(form.padded_rows() as u32)),
        ("COLUMNS", Def::UInt(padded(columns) as u32)),
    ]
}

/// A batch of factored matrices, in tiles of `LANES`.
pub(crate) struct Factors {
    form: Form,
    count: usize,
    /// R, and the reflectors below it.
    a: Buffer<f32>,
    taus: Buffer<f32>,
    /// The bits of the largest magnitude of each matrix.
    bits: Buffer<u32>,
}

impl Factors {
    /// Records the factorisation of `count` matrices, or of the transposes of matrices; they stay as they are.
    pub(crate) fn record(
        device: &Device,
        commands: &mut Commands,
        form: Form,
        transposed: bool,
        count: usize,
        a: &Buffer<f32>,
    ) -> Result<Self, DeviceError> {
        let whole = count.next_multiple_of(LANES);
        let factors = Self {
            form,
            count,
            a: device.scratch("R and reflectors", whole * form.padded_rows() * form.padded_columns())?,
            taus: device.scratch("reflectors' factors", whole * form.blocks() * form.reflectors())?,
            bits: device.buffer("largest magnitudes", whole.max(1))?,
        };
        let prepare = (&PREPARE_MEASURED, &*prepare_defs(form, transposed, None));
        let size = (form.padded_columns(), form.padded_rows());
        factors.over_matrices(device, commands, prepare, size, 0, &[a, &factors.a, &factors.bits])?;
        let of_panel = form.padded_rows() * form.width() * form.width();
        for top in form.panels() {
            let factor = (&FACTOR, &*factor_defs(form));
            factors.over_matrices(device, commands, factor, (1, of_panel), top, &[&factors.a, &factors.taus])?;
            let begin = top + form.width();
            if begin < form.padded_columns() {
                factors.apply_panel(device, commands, Target::Inside, top, begin, &factors.a)?;
            }
        }
        Ok(factors)
    }

    /// Records a copy of matrices of as many rows and so many columns, for Qᵀ to be applied to.
    pub(crate) fn padded(
        &self,
        device: &Device,
        commands: &mut Commands,
        c: &Buffer<f32>,
        columns: usize,
    ) -> Result<Buffer<f32>, DeviceError> {
        let room = self.room(device, columns)?;
        let prepare = (&PREPARE, &*prepare_defs(self.form, false, Some(columns)));
        self.over_matrices(device, commands, prepare, (padded(columns), self.form.padded_rows()), 0, &[c, &room])?;
        Ok(room)
    }

    /// Records so many columns of the identity; or matrices of as many rows as R has, with zeros below: for Q to be applied
    /// to.
    pub(crate) fn extended(
        &self,
        device: &Device,
        commands: &mut Commands,
        upper: Option<&Buffer<f32>>,
        columns: usize,
    ) -> Result<Buffer<f32>, DeviceError> {
        let room = self.room(device, columns)?;
        let defs = extend_defs(self.form, columns, upper.is_none());
        let size = (padded(columns), self.form.padded_rows());
        match upper {
            Some(upper) => self.over_matrices(device, commands, (&EXTEND, &defs), size, 0, &[&room, upper])?,
            None => self.over_matrices(device, commands, (&IDENTITY, &defs), size, 0, &[&room])?,
        }
        Ok(room)
    }

    fn room(&self, device: &Device, columns: usize) -> Result<Buffer<f32>, DeviceError> {
        device.scratch("beside the factors", self.count.next_multiple_of(LANES) * self.form.elements_of(columns))
    }

    /// Records Qᵀ or Q times matrices in their place, which have zeros around them up to whole blocks.
    pub(crate) fn apply(
        &self,
        device: &Device,
        commands: &mut Commands,
        target: Target,
        c: &Buffer<f32>,
    ) -> Result<(), DeviceError> {
        let one = |top: usize, commands: &mut Commands| self.apply_panel(device, commands, target, top, 0, c);
        match target {
            Target::Plain(_) => self.form.panels().rev().try_for_each(|top| one(top, commands)),
            _ => self.form.panels().try_for_each(|top| one(top, commands)),
        }
    }

    fn apply_panel(
        &self,
        device: &Device,
        commands: &mut Commands,
        target: Target,
        top: usize,
        begin: usize,
        c: &Buffer<f32>,
    ) -> Result<(), DeviceError> {
        let inside = target == Target::Inside;
        let source = if inside { &APPLY_INSIDE } else { &APPLY };
        let kernel = device.kernel(source, &apply_defs(self.form, target), &[])?;
        let (columns, across) = target.columns(self.form);
        let invocations = self.count.next_multiple_of(LANES) * ((columns - begin) / across);
        let each = 2 * self.form.padded_rows() * self.form.width() * across;
        for slice in slices(device, source, invocations, each) {
            let uniform = self.uniform(device, slice.first, top, begin)?;
            let groups = [slice.groups, 1, 1];
            if inside {
                commands.dispatch_measured(&kernel, &[&uniform, &self.taus, c], groups, slice.work)?;
            } else {
                commands.dispatch_measured(&kernel, &[&uniform, &self.taus, c, &self.a], groups, slice.work)?;
            }
        }
        Ok(())
    }

    /// Records R or, `lower`, Rᵀ, with what stands beside it.
    pub(crate) fn triangle(
        &self,
        device: &Device,
        commands: &mut Commands,
        lower: bool,
        (beside, c): (Beside, Option<&Buffer<f32>>),
        triangle: &Buffer<f32>,
    ) -> Result<(), DeviceError> {
        let defs = triangle_defs(self.form, lower, beside);
        let columns = match beside {
            Beside::Nothing => 0,
            Beside::Padded(columns) | Beside::Whole(columns) => columns,
        };
        let width = if lower { self.form.short() } else { self.form.columns };
        let size = (width + columns, self.form.short());
        let (a, bits) = (&self.a, &self.bits);
        match c {
            Some(c) => {
                let beside = (&TRIANGLE_BESIDE, &*defs);
                self.over_matrices(device, commands, beside, size, 0, &[a, bits, triangle, c])
            }
            None => self.over_matrices(device, commands, (&TRIANGLE, &defs), size, 0, &[a, bits, triangle]),
        }
    }

    /// Records matrices without the zeros around them.
    pub(crate) fn crop(
        &self,
        device: &Device,
        commands: &mut Commands,
        padded: &Buffer<f32>,
        columns: usize,
        cropped: &Buffer<f32>,
    ) -> Result<(), DeviceError> {
        let crop = (&CROP, &*crop_defs(self.form, columns));
        let size = (columns, self.form.rows);
        self.over_matrices(device, commands, crop, size, 0, &[padded, &self.bits, cropped])
    }

    /// The bits of the largest magnitude of each matrix.
    pub(crate) fn bits(&self) -> &Buffer<u32> {
        &self.bits
    }

    /// Records the dispatches of a kernel that has `across` invocations a matrix, of `each` multiply-adds or words.
    fn over_matrices(
        &self,
        device: &Device,
        commands: &mut Commands,
        (source, defs): (&KernelSource, &[(&'static str, Def)]),
        (across, each): (usize, usize),
        top: usize,
        buffers: &[&dyn Bindable],
    ) -> Result<(), DeviceError> {
        let kernel = device.kernel(source, defs, &[])?;
        for slice in slices(device, source, self.count, across * each) {
            let uniform = self.uniform(device, slice.first, top, 0)?;
            let mut bindings: Vec<&dyn Bindable> = vec![&uniform];
            bindings.extend(buffers);
            commands.dispatch_measured(&kernel, &bindings, [slice.groups, across as u32, 1], slice.work)?;
        }
        Ok(())
    }

    fn uniform(&self, device: &Device, first: u32, top: usize, begin: usize) -> Result<Uniform<Panel>, DeviceError> {
        device.uniform(&Panel {
            count: self.count as u32,
            first,
            top: top as u32,
            begin: begin as u32,
            nan: f32::NAN,
            padding_a: 0,
            padding_b: 0,
            padding_c: 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::structures::{in_rust, in_shader};

    #[test]
    fn host_and_shader_agree_on_every_offset() {
        let defs = prepare_defs(Form { rows: 3, columns: 2 }, false, None);
        assert_eq!(
            in_shader(&PREPARE_MEASURED, &defs, "Panel"),
            in_rust!(Panel: count, first, top, begin, nan, padding_a, padding_b, padding_c)
        );
    }
}
