//! Declares `shaders/svd.wgsl`: one-sided Jacobi for the steps, and for matrices of any origin.

use std::sync::Arc;

use crate::gpu::{Buffer, Commands, Def, Device, DeviceError, Kernel, KernelSource, UNROLLED, kernel_source};
use crate::kernels::batch::Count;
use crate::kernels::matrices::{Matrices, Report};
use crate::kernels::work::slices;

use super::blocked::Blocks;
use super::mapping::{Mapping, choose};

/// The most columns of a nearly square matrix whose SVD is not that of its triangular factor.
const LARGE: usize = 128;

/// W, σ and β of (RD)ᵀ with c carried.
pub(crate) const STEP: KernelSource =
    kernel_source!("svd", uniform rules, read problems, write states, read factor, write v, write sigma, write lengths);

/// Singular values only.
pub(crate) const VALUES: KernelSource = kernel_source!("svd", uniform matrices, read a, write sigma, write reports);

/// Singular values, W Σ⁻¹ and what is carried.
pub(crate) const VECTORS: KernelSource =
    kernel_source!("svd", uniform matrices, read a, write sigma, write reports, write w, write v);

/// The most parameters of steps whose kernels are unrolled for drivers that compile little: SwiftShader takes seconds to
/// compile five and minutes for seven.
const MOST_UNROLLED_OF_LITTLE: usize = 5;

/// The most parameters of steps whose kernels are unrolled for drivers that compile more.
pub(crate) const MOST_UNROLLED: usize = 8;

/// The most numbers of a matrix and what it carries that are kept in registers: an 8×8 with its V.
const MOST_REGISTERS: usize = 128;

/// The same of nearly square matrices: a 16×16 with its V. Most of them are spilt to memory, but by the compiler, at addresses
/// that it knows: on llvmpipe that is several times as fast as anything that is indexed.
const MOST_SPILT: usize = 512;

/// The same on GPUs, whose invocations have 255 registers or fewer and spill to memory that is far: 16×16 with its V took NVIDIA's
/// compiler 16 s.
const MOST_OF_GPUS: usize = 200;

/// The most columns of matrices that are kept in registers: more take drivers too long to compile.
const MOST_COLUMNS: usize = 16;

/// The constants of the kernel for a step in `parameters` parameters, with its loops unrolled or as they are written, and what
/// it reads and writes by loops or one entry after another.
pub(crate) fn step_defs(parameters: usize, unrolled: bool, looped: bool) -> Vec<(&'static str, Def)> {
    vec![
        ("M", Def::UInt(parameters as u32)),
        ("N", Def::UInt(parameters as u32)),
        ("C", Def::UInt(1)),
        ("STEP", Def::Bool(true)),
        ("VECTORS", Def::Bool(true)),
        (UNROLLED, Def::Bool(unrolled)),
        ("LOOPED", Def::Bool(looped)),
    ]
}

/// Whether the kernels of steps in so many parameters are free of loops on this device: then all they work on stays in
/// registers.
pub(crate) fn steps_are_unrolled(device: &Device, parameters: usize) -> bool {
    parameters <= if device.compiles_little() { MOST_UNROLLED_OF_LITTLE } else { MOST_UNROLLED }
}

/// The kernel for problems of `parameters` parameters.
pub(crate) fn kernel(device: &Device, parameters: usize) -> Result<Arc<Kernel>, DeviceError> {
    device.kernel(&STEP, &step_defs(parameters, steps_are_unrolled(device, parameters), device.is_cpu()), &[])
}

/// What an SVD of matrices is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    /// The longer side.
    pub(crate) rows: usize,
    /// The shorter side.
    pub(crate) columns: usize,
    /// What the matrices are and carry.
    pub(crate) source: Source,
    /// Whether W Σ⁻¹ and what is carried are wanted.
    pub(crate) vectors: bool,
}

/// What a kernel rotates the columns of, and what it carries along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The matrices as they are, with the identity where vectors are wanted: it becomes V.
    Matrix,
    /// The transposes of wide matrices, with the identity where vectors are wanted.
    Transpose,
    /// [R | c]ᵀ of matrices [R | c], R with as many rows as the form has columns, and so many columns c: cᵀ is carried and
    /// becomes (Vᵀc)ᵀ.
    Factor(usize),
}

impl Form {
    /// The form of plain matrices of this size: wide ones by their transposes.
    pub(crate) fn of_matrices(rows: usize, columns: usize, vectors: bool) -> Self {
        let source = if rows < columns { Source::Transpose } else { Source::Matrix };
        Self { rows: rows.max(columns), columns: rows.min(columns), source, vectors }
    }

    /// Whether one-sided Jacobi is faster on the triangular factor of the QR, for all that Q costs: the sweeps then turn
    /// columns as short as the matrix is narrow, and of large matrices they are fewer.
    ///
    /// Measured on llvmpipe: by half at 100×5, by a sixth at 128×64, by a tenth at 400×400; at 128×128 nothing.
    pub(crate) fn is_better_factored(self) -> bool {
        !self.in_registers() && (self.is_tall() || self.columns > LARGE)
    }

    /// The form of the transposes of such triangular factors.
    pub(crate) fn of_triangle(self) -> Self {
        Self { rows: self.columns, source: Source::Transpose, ..self }
    }

    /// Rows carried along.
    pub(crate) fn carried(self) -> usize {
        match self.source {
            Source::Factor(columns) => columns,
            _ if self.vectors => self.columns,
            _ => 0,
        }
    }

    /// Rows and columns of what the kernel reads.
    pub(crate) fn operand(self) -> (usize, usize) {
        match self.source {
            Source::Matrix => (self.rows, self.columns),
            Source::Transpose => (self.columns, self.rows),
            Source::Factor(carried) => (self.columns, self.rows + carried),
        }
    }

    /// The defs that say all this.
    pub(super) fn defs(self) -> Vec<(&'static str, Def)> {
        vec![
            ("M", Def::UInt(self.rows as u32)),
            ("N", Def::UInt(self.columns as u32)),
            ("C", Def::UInt(self.carried() as u32)),
            ("TRANSPOSED", Def::Bool(self.source == Source::Transpose)),
            ("BY_ROWS", Def::Bool(self.source != Source::Matrix)),
            ("IDENTITY", Def::Bool(self.vectors && !matches!(self.source, Source::Factor(_)))),
            ("CARRIED", Def::Bool(matches!(self.source, Source::Factor(_)))),
            ("CARRIES", Def::Bool(self.carried() > 0)),
            ("VECTORS", Def::Bool(self.vectors)),
        ]
    }

    /// Multiply-adds of a matrix in registers, of the six sweeps that most take at these sizes: a dot product for each
    /// pair of columns, and two for each pair of entries that is rotated.
    pub(super) fn register_work(self) -> usize {
        6 * self.columns * self.columns.saturating_sub(1) / 2 * (3 * self.rows + 2 * self.carried()).max(1)
    }

    /// Whether the matrix and what it carries are kept in registers, by code without loops.
    pub(crate) fn in_registers(self) -> bool {
        self.fits_registers() || (self.columns <= MOST_COLUMNS && !self.is_tall() && self.numbers() <= MOST_SPILT)
    }

    /// Whether it might stay there.
    pub(super) fn fits_registers(self) -> bool {
        self.columns <= MOST_COLUMNS && self.numbers() <= MOST_REGISTERS
    }

    /// Whether a GPU might have the registers, beside those for angles and scales.
    pub(super) fn gpus_may_hold_it(self) -> bool {
        self.numbers() <= MOST_OF_GPUS
    }

    /// Numbers of a matrix and what it carries.
    fn numbers(self) -> usize {
        (self.rows + self.carried()) * self.columns
    }

    /// Whether a triangular factor would be much smaller.
    fn is_tall(self) -> bool {
        self.rows >= 2 * self.columns
    }
}

/// The constants of the kernel for matrices, which come and go by loops or one entry after another.
pub(crate) fn matrix_defs(form: Form, looped: bool) -> Vec<(&'static str, Def)> {
    let mut defs = form.defs();
    defs.extend([("LOOPED", Def::Bool(looped)), (UNROLLED, Def::Bool(true))]);
    defs
}

/// What the SVDs of a batch read and write.
pub(crate) struct Operands<'a> {
    pub(crate) a: &'a Buffer<f32>,
    pub(crate) sigma: &'a Buffer<f32>,
    pub(crate) reports: &'a Buffer<Report>,
    /// W Σ⁻¹, and what was carried, transposed: V, or (Vᵀc)ᵀ.
    pub(crate) vectors: Option<(&'a Buffer<f32>, &'a Buffer<f32>)>,
}

/// Records the SVDs of a batch, of singular values with their ranks at a relative cutoff, by the mapping chosen for this
/// device.
pub(crate) fn record(
    device: &Device,
    commands: &mut Commands,
    form: Form,
    count: Count<'_>,
    cutoff: f64,
    operands: &Operands<'_>,
) -> Result<(), DeviceError> {
    record_by(device, commands, form, choose(device, form, count.most.lanes)?, count, cutoff, operands)
}

/// The same by a given mapping.
pub(super) fn record_by(
    device: &Device,
    commands: &mut Commands,
    form: Form,
    mapping: Mapping,
    count: Count<'_>,
    cutoff: f64,
    operands: &Operands<'_>,
) -> Result<(), DeviceError> {
    match mapping {
        Mapping::Registers => record_in_registers(device, commands, form, count, cutoff, operands),
        Mapping::Private { width } => super::private::record(device, commands, (form, width), count, cutoff, operands),
        Mapping::Group { pack } => super::group::record(device, commands, (form, pack), count, cutoff, operands),
        Mapping::Blocks { width, unrolled } => {
            let blocks = Blocks::of(form, width);
            super::blocked::record(device, commands, (form, blocks, unrolled), count, cutoff, operands)
        }
    }
}

fn record_in_registers(
    device: &Device,
    commands: &mut Commands,
    form: Form,
    count: Count<'_>,
    cutoff: f64,
    operands: &Operands<'_>,
) -> Result<(), DeviceError> {
    let source = if form.vectors { &VECTORS } else { &VALUES };
    let batch = count.most;
    let kernel = batch.kernel(device, source, matrix_defs(form, device.is_cpu()))?;
    let Operands { a, sigma, reports, vectors } = *operands;
    for slice in slices(device, source, batch.count, form.register_work()) {
        let uniform =
            device.uniform(&Matrices { first: slice.first, ..Matrices::new(batch.count, form.rows, cutoff) })?;
        count.put(commands, &uniform)?;
        let (groups, work) = ([slice.groups, 1, 1], count.work(slice.work));
        match vectors {
            Some((w, v)) => {
                commands.dispatch_measured(&kernel, &[&uniform, a, sigma, reports, w, v], groups, work)?;
            }
            None => commands.dispatch_measured(&kernel, &[&uniform, a, sigma, reports], groups, work)?,
        }
    }
    Ok(())
}
