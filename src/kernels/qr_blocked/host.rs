//! Declares `shaders/qr_blocked`: Householder QR of matrices of any size, panel by panel.

use bytemuck::{Pod, Zeroable};

use crate::gpu::{Def, KernelSource, UNROLLED, kernel_source};

pub(crate) const PREPARE: KernelSource = kernel_source!("qr_blocked/prepare", uniform panel, read a, write copied);
pub(crate) const PREPARE_MEASURED: KernelSource =
    kernel_source!("qr_blocked/prepare", uniform panel, read a, write copied, write bits);
pub(crate) const PREPARE_LISTED: KernelSource =
    kernel_source!("qr_blocked/prepare", uniform panel, read a, write copied, write bits, read list, write beside);
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

/// The most rows of a block where no further panel has to fit them.
const HEIGHT: usize = 8;

/// So many are a block alone: it is read once, where two would be read twice.
const ALONE: usize = 5;

/// What a dispatch is about.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Panel {
    pub(super) count: u32,
    pub(super) first: u32,
    pub(super) top: u32,
    pub(super) begin: u32,
    pub(super) nan: f32,
    pub(super) padding_a: u32,
    pub(super) padding_b: u32,
    pub(super) padding_c: u32,
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
    pub(crate) fn width(self) -> usize {
        block(self.short())
    }

    /// Rows that are cleared at once: those of a panel's triangle, where several panels have to fit the same rows.
    pub(super) fn height(self) -> usize {
        let below = (self.rows - self.short()).max(1);
        if self.short() > self.width() { self.width() } else { below.div_ceil(below.div_ceil(HEIGHT)) }
    }

    /// Rows of whole blocks.
    pub(super) fn padded_rows(self) -> usize {
        let top = self.width();
        top + (self.rows.max(top) - top).next_multiple_of(self.height())
    }

    /// Columns of whole panels.
    pub(super) fn padded_columns(self) -> usize {
        self.columns.next_multiple_of(self.width())
    }

    /// Rows and columns of whole blocks.
    pub(crate) fn padded(self) -> (usize, usize) {
        (self.padded_rows(), self.padded_columns())
    }

    /// Reflectors in every block of rows, those of zero columns included.
    pub(super) fn reflectors(self) -> usize {
        self.short().next_multiple_of(self.width())
    }

    /// Blocks of rows, the triangle included.
    pub(super) fn blocks(self) -> usize {
        1 + (self.padded_rows() - self.width()) / self.height()
    }

    /// Multiply-adds in the code of the longest kernel: the reflectors of a block of rows, applied to a block of columns.
    pub(crate) fn code(self) -> usize {
        2 * self.width() * self.width() * (self.width() + self.height())
    }

    pub(super) fn panels(self) -> impl DoubleEndedIterator<Item = usize> {
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
    if size <= ALONE { size } else { size.div_ceil(size.div_ceil(BLOCK)) }
}

/// Columns of which an entry each is had by one access, where blocks are so wide.
pub(crate) fn group(width: usize) -> usize {
    if width.is_multiple_of(4) { 4 } else { 1 }
}

/// Columns of whole blocks.
pub(super) fn padded(columns: usize) -> usize {
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
        ("GROUP", Def::UInt(group(columns.map_or(form.width(), block)) as u32)),
        ("TRANSPOSED", Def::Bool(transposed)),
        ("MEASURED", Def::Bool(columns.is_none())),
    ]
}

/// The constants of the copying kernel, for the transposes of matrices in a list.
pub(crate) fn listed_defs(form: Form) -> Vec<(&'static str, Def)> {
    let mut defs = prepare_defs(form, true, None);
    defs.push(("LISTED", Def::Bool(true)));
    defs
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
        ("QUADS", Def::Bool(group(form.width()) == 4)),
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
    pub(super) fn columns(self, form: Form) -> (usize, usize) {
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
        ("A_QUADS", Def::Bool(group(form.width()) == 4)),
        ("C_QUADS", Def::Bool(group(across) == 4)),
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

/// The constants of the kernel that takes out R, or Rᵀ, into the first rows of matrices of `height` rows.
pub(crate) fn triangle_defs(form: Form, lower: bool, beside: Beside, height: usize) -> Vec<(&'static str, Def)> {
    let (columns, c_rows, c_columns, c_group) = match beside {
        Beside::Nothing => (0, 1, 1, 1),
        Beside::Padded(columns) => (columns, form.padded_rows(), padded(columns), group(block(columns))),
        Beside::Whole(columns) => (columns, form.short(), columns, 1),
    };
    vec![
        ("A_ROWS", Def::UInt(form.padded_rows() as u32)),
        ("A_COLUMNS", Def::UInt(form.padded_columns() as u32)),
        ("K", Def::UInt(form.short() as u32)),
        ("N", Def::UInt(if lower { form.short() } else { form.columns } as u32)),
        ("C", Def::UInt(columns as u32)),
        ("C_ROWS", Def::UInt(c_rows as u32)),
        ("C_COLUMNS", Def::UInt(c_columns as u32)),
        ("HEIGHT", Def::UInt(height as u32)),
        ("A_GROUP", Def::UInt(group(form.width()) as u32)),
        ("C_GROUP", Def::UInt(c_group as u32)),
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
        ("GROUP", Def::UInt(group(block(columns)) as u32)),
        ("UPPER", Def::Bool(!identity)),
    ]
}

/// The constants of the kernel that takes the zeros around so many columns away, and gives them unit length.
pub(crate) fn crop_defs(form: Form, columns: usize, unit: bool) -> Vec<(&'static str, Def)> {
    vec![
        ("UNIT", Def::Bool(unit)),
        ("M", Def::UInt(form.rows as u32)),
        ("N", Def::UInt(columns as u32)),
        ("ROWS", Def::UInt(form.padded_rows() as u32)),
        ("COLUMNS", Def::UInt(padded(columns) as u32)),
        ("GROUP", Def::UInt(group(block(columns)) as u32)),
    ]
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
