//! Steps of problems that registers do not hold, by the kernels of the linear algebra: QR panel by panel, and the SVD by
//! whatever mapping is best.
//!
//! Each stage works on the problems that need it alone, side by side in its buffers: the roster of those at work has its J
//! evaluated and, where tall, factored; of these the ones whose point was accepted go on to the SVD.

use std::sync::Arc;

use crate::gpu::{Bindable, Buffer, Commands, Device, DeviceError, Kernel, KernelSource, Uniform};
use crate::kernels::batch::Count;
use crate::kernels::matrices::Report;
use crate::kernels::problem::{Block, Rules, Sizes};
use crate::kernels::qr_blocked::factors::Factors;
use crate::kernels::qr_blocked::host::Beside;
use crate::kernels::step_blocked::host;
use crate::kernels::step_blocked::wide::{self, Wide};
use crate::kernels::step_dual::steps::{self, DualSteps, Needed};
use crate::kernels::svd::host::{Form, Operands, Source, record};
use crate::kernels::{jacobian, qr_blocked};
use crate::ngd::Scaling;
use crate::sweep::Job;

use super::problems::Problems;

/// The most rows of [J | e] that are held at once; longer problems have their rows merged into the triangle block by block.
/// The same for all problems and devices, since the order of operations follows from it.
const MOST_ROWS: usize = 4096;

/// How the problems of a chunk are cut up. None of it depends on how many they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    parameters: usize,
    /// Rows of the longest problem, and some of zeros.
    rows: usize,
}

impl Cut {
    /// For problems of so many parameters and up to so many rows: those of tall problems are rounded up by an eighth at
    /// most, since every number of rows is code of its own, to be compiled.
    pub(super) fn of(parameters: usize, rows: usize) -> Self {
        let rows = rows.max(1);
        let grain = (rows.ilog2().saturating_sub(3)).min(9);
        Self { parameters, rows: if rows > parameters { rows.next_multiple_of(1 << grain) } else { rows } }
    }

    /// Singular directions.
    fn directions(self) -> usize {
        self.rows.min(self.parameters)
    }

    pub(super) fn sizes(self) -> Sizes {
        Sizes { parameters: self.parameters, directions: self.directions() }
    }

    /// Whether problems of so many rows, and of so many, can be in one chunk with the same bits as in one of their own:
    /// rows of zeros below change nothing of a tall problem's triangle, one of zeros above does, and a wide problem's are
    /// more columns for the SVD.
    pub(super) fn together(parameters: usize, [rows, others]: [usize; 2]) -> bool {
        let kind = |rows: usize| (rows > parameters, rows > MOST_ROWS, if rows > parameters { 0 } else { rows });
        kind(rows) == kind(others)
    }

    /// Whether problems have no more rows than parameters.
    pub(super) fn is_wide(self) -> bool {
        !self.is_tall()
    }

    fn is_tall(self) -> bool {
        self.rows > self.parameters
    }

    /// Rows of a block: all of a wide problem's, which no triangle sums up.
    fn block_rows(self) -> usize {
        if self.is_tall() { self.rows.min(MOST_ROWS) } else { self.rows }
    }

    /// Rows that the block has room for: the triangle so far comes above those of J, where there are several blocks.
    fn stride(self) -> usize {
        self.block_rows() + if self.rows > self.block_rows() { self.parameters + 1 } else { 0 }
    }

    /// Sizes of the QR of a tall problem's [J | e].
    fn tall(self) -> qr_blocked::host::Form {
        qr_blocked::host::Form { rows: self.stride(), columns: self.parameters + 1 }
    }

    /// The SVD of what the scaling leaves.
    fn form(self) -> Form {
        Form { rows: self.parameters, columns: self.directions(), source: Source::Factor(1), vectors: true }
    }

    /// Whether that is done by triangular factors, [Rᵀ | e] of (JD)ᵀ = QR and one more: of all wide problems that registers do
    /// not hold.
    fn is_preconditioned(self) -> bool {
        !self.is_tall() && !self.form().in_registers()
    }

    /// The SVD that the steps end with.
    pub(super) fn svd(self) -> Form {
        if self.is_preconditioned() { wide::form(self.sizes()) } else { self.form() }
    }

    /// Elements of the largest buffer of a problem.
    pub(super) fn elements(self) -> usize {
        let block = self.stride() * (self.parameters + 1);
        let kept = (self.parameters + 1) * self.directions();
        let factored = match () {
            () if self.is_tall() => self.tall().elements(),
            // Steps by rotations take these whatever the SVD is.
            () => {
                let turned = wide::turned(self.sizes());
                turned.elements().max(turned.elements_of(self.directions())).max(wide::again(self.sizes()).elements())
            }
        };
        block.max(kept).max(factored).max(self.svd().elements())
    }
}

/// The kernels between θ and its factorisation, and the buffers that they alone use.
pub(super) struct Blocked {
    cut: Cut,
    jacobian: Arc<Kernel>,
    lengths: Arc<Kernel>,
    norm: Arc<Kernel>,
    muster: Arc<Kernel>,
    scale: Arc<Kernel>,
    settle: Arc<Kernel>,
    spans: Vec<Uniform<Block>>,
    /// Rows of [J | e], of the roster.
    block: Buffer<f32>,
    /// The triangle of tall problems, of the roster.
    triangle: Option<Buffer<f32>>,
    /// Column lengths of [J | e], of the roster, and the largest magnitudes of J and e.
    measured: Buffer<f32>,
    bits: Buffer<u32>,
    /// The problems to be factored: how many, then which and their place in the roster.
    fresh: Buffer<u32>,
    /// Where a rule takes steps without singular values.
    dual: Option<DualSteps>,
    /// Whether one brings columns to unit length.
    scales: bool,
}

impl Blocked {
    pub(super) fn new(device: &Device, job: &Job, problems: &Problems, cut: Cut) -> Result<Self, DeviceError> {
        let (batch, sizes) = (problems.batch, problems.sizes);
        let side = sizes.parameters + 1;
        let kernel = |source: &KernelSource, defs| batch.kernel(device, source, defs);
        let dual = if cut.is_tall() { None } else { DualSteps::new(device, job.rules(), batch, sizes)? };
        let scales = job.rules().iter().any(|rule| rule.scaling != Scaling::None);
        let span = |first: usize| {
            let (rows, stride) = (cut.block_rows() as u32, cut.stride() as u32);
            device.uniform(&Block { first: first as u32, rows, all: 0, stride })
        };
        let scale = if cut.is_preconditioned() { &host::SCALE_APART } else { &host::SCALE };
        let height = if cut.is_tall() { side } else { cut.stride() };
        let floats = |label: &str, each: usize| device.buffer::<f32>(label, batch.whole() * each);
        Ok(Self {
            cut,
            jacobian: jacobian::host::listed(device, batch, job.model())?,
            lengths: kernel(&host::LENGTHS, host::lengths_defs(sizes, !scales))?,
            norm: kernel(&host::NORM, host::defs(sizes))?,
            muster: match &dual {
                Some(dual) if dual.doubted().is_some() => {
                    kernel(&host::MUSTER_ROTATES, host::muster_defs(sizes, true))?
                }
                Some(_) => kernel(&host::MUSTER_DUAL, host::muster_defs(sizes, false))?,
                None => kernel(&host::MUSTER, Vec::new())?,
            },
            scale: kernel(scale, host::scale_defs(sizes, height, cut.is_preconditioned()))?,
            settle: kernel(&host::SETTLE, sizes.defs())?,
            spans: (0..cut.rows).step_by(cut.block_rows()).map(span).collect::<Result<_, _>>()?,
            block: floats("block of [J | e]", cut.stride() * side)?,
            triangle: cut.is_tall().then(|| floats("R", side * side)).transpose()?,
            measured: floats("lengths of the columns of [J | e]", side)?,
            bits: device.buffer("largest magnitudes", 2 * batch.whole())?,
            fresh: device.buffer("problems to be factored", 1 + 2 * batch.count)?,
            dual,
            scales,
        })
    }

    /// Records J, its column lengths, its triangular factor where it is tall, and ‖e‖ at the trial points.
    pub(super) fn record_evaluation(
        &self,
        device: &Device,
        commands: &mut Commands,
        problems: &Problems,
    ) -> Result<(), DeviceError> {
        let groups = problems.groups();
        let Problems { rules, running, states, .. } = problems;
        let columns = if self.scales { problems.sizes.parameters as u32 + 1 } else { 1 };
        commands.clear(&self.bits)?;
        if self.spans.len() > 1 {
            // Above the first block there is no triangle yet.
            commands.clear(&self.block)?;
        }
        for (number, span) in self.spans.iter().enumerate() {
            let Problems { description, data, trial, .. } = problems;
            let bindings: [&dyn Bindable; 8] =
                [rules, span, description, running, data, trial, &self.block, &self.bits];
            commands.dispatch(&self.jacobian, &bindings, [groups, self.cut.block_rows() as u32, 1])?;
            let bindings: [&dyn Bindable; 5] = [span, running, &self.block, &self.measured, &self.bits];
            commands.dispatch(&self.lengths, &bindings, [groups, columns, 1])?;
            if let Some(triangle) = &self.triangle {
                let count = Count { most: problems.batch, word: Some((running, 0)) };
                let factors = Factors::record(device, commands, self.cut.tall(), false, count, &self.block)?;
                if number + 1 == self.spans.len() {
                    factors.triangle(device, commands, false, (Beside::Nothing, None), triangle)?;
                } else {
                    factors.triangle_above(device, commands, self.cut.stride(), &self.block)?;
                }
            }
        }
        let bindings: [&dyn Bindable; 5] = [rules, running, &self.measured, &self.bits, states];
        commands.dispatch(&self.norm, &bindings, [groups, 1, 1])
    }

    /// Records the steps from the points just accepted that take no singular vectors, those that are needed.
    pub(super) fn record_dual_steps(
        &self,
        device: &Device,
        commands: &mut Commands,
        problems: &Problems,
        (rules, needed): (&Uniform<Rules>, Needed),
    ) -> Result<(), DeviceError> {
        let Self { fresh, .. } = self;
        let groups = [problems.groups(), 1, 1];
        let Problems { description, states, running, .. } = problems;
        commands.clear(fresh)?;
        let Some(dual) = &self.dual else {
            return commands.dispatch(&self.muster, &[rules, running, states, fresh], groups);
        };
        commands.clear(dual.listed())?;
        let mut bindings: Vec<&dyn Bindable> = vec![rules, running, states, fresh, description, dual.listed()];
        if let Some(doubted) = dual.doubted() {
            commands.clear(doubted)?;
            bindings.push(doubted);
        }
        commands.dispatch(&self.muster, &bindings, groups)?;
        let Problems { theta, trial, .. } = problems;
        let block = &self.block;
        dual.record(
            device,
            commands,
            steps::Operands { rules, problems: description, states, theta, trial, block, fresh },
            needed,
        )
    }

    /// Records the SVDs of the other points just accepted.
    pub(super) fn record_factorisation(
        &self,
        device: &Device,
        commands: &mut Commands,
        problems: &Problems,
    ) -> Result<(), DeviceError> {
        let Self { cut, fresh, measured, .. } = self;
        let groups = problems.groups();
        let Problems { batch, description, states, lengths, v, sigma, .. } = problems;
        let Sizes { parameters, directions } = problems.sizes;
        let count = Count { most: *batch, word: Some((fresh, 0)) };
        let room = |label: &str, each: usize| device.scratch::<f32>(label, batch.whole() * each);
        let unscaled = self.triangle.as_ref().unwrap_or(&self.block);
        let w = room("W", parameters * directions)?;
        let over_columns = [groups, parameters as u32 + 1, 1];
        let (carried, values, reports) = if cut.is_preconditioned() {
            let jacobian = room("JD", directions * parameters)?;
            let residual = room("e", directions)?;
            let bindings: [&dyn Bindable; 7] = [description, fresh, unscaled, measured, lengths, &jacobian, &residual];
            commands.dispatch(&self.scale, &bindings, over_columns)?;
            let factors = Factors::record(device, commands, wide::turned(problems.sizes), true, count, &jacobian)?;
            let as_it_is = |_: &mut Commands, _: &Buffer<f32>| Ok(());
            let found = Wide::record(device, commands, (problems.sizes, count), factors, (&residual, as_it_is))?;
            found.record_directions(device, commands, &w)?;
            (found.carried, found.values, found.reports)
        } else {
            let factor = room("[R | c]", directions * (parameters + 1))?;
            let bindings: [&dyn Bindable; 6] = [description, fresh, unscaled, measured, lengths, &factor];
            commands.dispatch(&self.scale, &bindings, over_columns)?;
            let (carried, values) = (room("Vᵀc", directions)?, room("sigma of those factored", directions)?);
            let reports = device.buffer::<Report>("reports of the SVDs", batch.count)?;
            let operands = Operands { a: &factor, sigma: &values, reports: &reports, vectors: Some((&w, &carried)) };
            record(device, commands, cut.svd(), count, 0.0, &operands)?;
            (carried, values, reports)
        };
        let bindings: [&dyn Bindable; 8] = [fresh, &w, &carried, &values, &reports, states, v, sigma];
        commands.dispatch(&self.settle, &bindings, [groups, directions as u32, 1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_its_place_in_a_block_and_every_triangle_above_it() {
        for p in [11, 12, 100, 4095, 4096, 5000] {
            for rows in [1, 10, 11, 12, 99, 101, 4000, 4095, 4096, 4097, 4999, 5001, 100_000] {
                let cut = Cut::of(p, rows);
                assert!((rows..=rows + rows / 8).contains(&cut.rows), "{rows}×{p}: {} rows", cut.rows);
                assert_eq!(cut.directions(), rows.min(p), "{rows}×{p}");
                if rows <= p {
                    // Whatever the number: nothing would merge several blocks.
                    assert_eq!((cut.block_rows(), cut.stride()), (rows, rows), "{rows}×{p}");
                } else {
                    assert!(cut.block_rows() <= MOST_ROWS && cut.tall().short() == p + 1, "{rows}×{p}");
                    assert_eq!(cut.stride() > cut.block_rows(), rows > MOST_ROWS, "{rows}×{p}");
                }
            }
        }
    }

    #[test]
    fn problems_share_a_chunk_where_they_are_factored_in_the_same_order() {
        let p = 20;
        assert!(Cut::together(p, [21, 4096]) && Cut::together(p, [4097, 100_000]) && Cut::together(p, [7, 7]));
        for apart in [[7, 8], [7, 21], [20, 21], [4096, 4097]] {
            assert!(!Cut::together(p, apart), "{apart:?}");
        }
    }
}
