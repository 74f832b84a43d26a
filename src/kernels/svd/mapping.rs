//! The ways to spread SVDs over a device.

use crate::gpu::{Candidate, Device, DeviceError, Timing, Worth};
use crate::kernels::batch::{Batch, Count};
use crate::kernels::matrices::Report;
use crate::kernels::trial::{filled, timed, trial_count};

use super::blocked::Blocks;
use super::host::{Form, Operands, Source, record_by};
use super::{group, private};

/// A way to do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mapping {
    /// One invocation a matrix, which it keeps in registers, without loops.
    Registers,
    /// A workgroup for so many matrices, which it keeps in its memory; one invocation a pair of columns.
    Group {
        /// Matrices a workgroup.
        pack: usize,
    },
    /// One invocation a matrix, which it keeps in its private memory; pairs of blocks are diagonalised in registers.
    Private {
        /// Columns a block.
        width: usize,
    },
    /// Blocks of columns in memory, whose pairs are diagonalised in registers; one invocation a matrix, or a pair.
    Blocks {
        /// Columns a block.
        width: usize,
        /// Whether the code is free of loops over a block's columns: several times as fast, where the driver compiles it.
        unrolled: bool,
    },
}

impl Form {
    /// The mappings that there are for this form, what a rule would choose first.
    ///
    /// Wider blocks move fewer words for the same arithmetic: measured on llvmpipe, twice the width is 1.5 times as fast
    /// from 64 columns on and slower below 16. It also makes eight times the code for the driver to compile.
    pub(crate) fn mappings(self, workgroup_bytes: usize) -> Vec<Mapping> {
        let blocks = |width, unrolled| Mapping::Blocks { width, unrolled };
        let mut all = Vec::new();
        if self.fits_registers() {
            all.push(Mapping::Registers);
        }
        match self.columns {
            33.. => all.extend([blocks(8, true), blocks(4, true)]),
            17.. => all.extend([blocks(4, true), blocks(8, true)]),
            5.. => all.push(blocks(4, true)),
            // A block alone is little work for one invocation in registers already.
            _ if self.in_registers() => {}
            _ => all.push(blocks(4, true)),
        }
        // Much to compile, for those who measure: on llvmpipe four times as fast as blocks at 16 columns, and from two to three
        // and a half times from 32 to 20.
        if self.in_registers() && !self.fits_registers() {
            all.push(Mapping::Registers);
        }
        all.extend(private::width(self).map(|width| Mapping::Private { width }));
        all.push(blocks(4, false));
        // Small matrices leave most of a workgroup's invocations without a pair, or its memory without room.
        let pack = group::pack(self, workgroup_bytes);
        if self.columns > 4 && pack > 0 {
            all.push(Mapping::Group { pack });
        }
        all
    }

    /// Elements of the largest buffer that an SVD takes of each matrix, by whatever mapping: so that what is done at once does
    /// not depend on the choice.
    pub(crate) fn elements(self) -> usize {
        let of = |mapping| match mapping {
            Mapping::Registers | Mapping::Private { .. } | Mapping::Group { .. } => 0,
            Mapping::Blocks { width, .. } => Blocks::of(self, width).elements(self),
        };
        self.mappings(0).into_iter().map(of).max().unwrap_or(0).max(self.rows * self.columns)
    }

    /// Its name among the tuner's: what is read, what is carried.
    fn name(self) -> String {
        let Self { rows, columns, vectors, .. } = self;
        match self.source {
            Source::Matrix | Source::Transpose => {
                let (m, n) = self.operand();
                format!("{m}x{n}{}", if vectors { " with vectors" } else { "" })
            }
            Source::Factor(carried) => format!("{rows}x{columns} of a factor, {carried} carried"),
        }
    }
}

impl Mapping {
    /// Its name among the tuner's.
    pub(crate) fn name(self, form: Form) -> String {
        match self {
            Self::Registers => "registers".to_owned(),
            Self::Private { width } => format!("private-{width}"),
            Self::Group { .. } => "group".to_owned(),
            Self::Blocks { width, unrolled } => {
                let way = if Blocks::of(form, width).grid { "grid" } else { "lane" };
                format!("{way}-{width}{}", if unrolled { "" } else { "-looped" })
            }
        }
    }

    /// Multiply-adds in the code of the longest kernel.
    fn code(self, form: Form) -> usize {
        match self {
            Self::Registers => form.register_work() / 6,
            // Loops, and much around them.
            Self::Group { .. } | Self::Blocks { unrolled: false, .. } => 300,
            Self::Private { width } | Self::Blocks { width, .. } => {
                let both = 2 * width;
                both * (both + 1) / 2 + both * (both - 1) / 2 * 2 * both + both * both
            }
        }
    }
}

/// The mapping to take on this device, for matrices in tiles of so many.
pub(crate) fn choose(device: &Device, form: Form, lanes: usize) -> Result<Mapping, DeviceError> {
    let mappings = form.mappings(device.limits().max_compute_workgroup_storage_size as usize);
    let candidate = |mapping: &Mapping| Candidate {
        name: mapping.name(form),
        code: mapping.code(form),
        worth: match mapping {
            Mapping::Blocks { unrolled: false, .. } => Worth::LastResort,
            Mapping::Group { .. } => Worth::CheapBarriers,
            Mapping::Private { .. } => Worth::CpusOnly,
            Mapping::Registers if !form.gpus_may_hold_it() => Worth::CpusOnly,
            _ => Worth::Everywhere,
        },
    };
    let candidates: Vec<Candidate> = mappings.iter().map(candidate).collect();
    let chosen = device
        .tuner()
        .choose("svd", &form.name(), &candidates, |place| measure(device, (form, lanes), mappings[place]))?;
    Ok(mappings[chosen])
}

/// What SVDs of random matrices take.
fn measure(device: &Device, (form, lanes): (Form, usize), mapping: Mapping) -> Result<Timing, DeviceError> {
    let (rows, columns) = form.operand();
    let count = trial_count(device, rows * columns);
    let batch = Batch { count, lanes };
    let a = filled(device, batch, rows * columns)?;
    let room = |label, numbers: usize| device.scratch(label, batch.whole() * numbers);
    let sigma = room("sigma", form.columns)?;
    let w = room("W", form.rows * form.columns)?;
    let v = room("V", form.columns * form.carried().max(1))?;
    let reports = device.buffer::<Report>("reports", count)?;
    let vectors = form.vectors.then_some((&w, &v));
    timed(count, || {
        let mut commands = device.record("a trial");
        let operands = Operands { a: &a, sigma: &sigma, reports: &reports, vectors };
        record_by(device, &mut commands, form, mapping, Count::known(batch), 0.0, &operands)?;
        commands.submit()?;
        // One word back on the host: everything before it is done.
        device.read_range(&sigma, 0..1).map(|_| ())
    })
}
