//! Declares `shaders/svd_blocked`: block Jacobi in device memory, for matrices that registers do not hold.

use bytemuck::{Pod, Zeroable};

use crate::gpu::{
    Bindable, Buffer, Commands, Def, Device, DeviceError, KernelSource, UNROLLED, Uniform, kernel_source,
};
use crate::kernels::batch::Count;
use crate::kernels::problem::{Rules, rotation_tolerance};
use crate::kernels::work::GROUP;

use super::host::{Form, Operands};

pub(crate) const MEASURE: KernelSource = kernel_source!("svd_blocked/measure", uniform batch, write states, read a);
pub(crate) const START: KernelSource =
    kernel_source!("svd_blocked/start", uniform batch, write states, read a, write x, write scales, write sweeps);
pub(crate) const SWEEP: KernelSource =
    kernel_source!("svd_blocked/sweep", uniform batch, write states, write x, write scales);
pub(crate) const JUDGE: KernelSource = kernel_source!("svd_blocked/judge", uniform batch, write states, write sweeps);
pub(crate) const LENGTHS: KernelSource = kernel_source!("svd_blocked/lengths", uniform batch, read x, write lengths);
pub(crate) const PLACE_VALUES: KernelSource = kernel_source!(
    "svd_blocked/place", uniform batch, write states, read x, read lengths, write sigma, write reports
);
pub(crate) const PLACE_VECTORS: KernelSource = kernel_source!(
    "svd_blocked/place", uniform batch, write states, read x, read lengths, write sigma, write reports, write w, write v
);

/// Multiply-adds of one sweep that one invocation may do; matrices with more are spread over several, a pair of blocks each.
/// From here on a buffer holds too few matrices to keep a device busy with one invocation each: on two cores 46 matrices of
/// 64×64 were 1.6 times as fast in pairs. A slow invocation of a GPU takes a millisecond for it.
const SWEEP_BUDGET: u64 = 1_000_000;

/// What all matrices of a batch share.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Blocked {
    pub(crate) count: u32,
    pub(crate) tolerance: f32,
    pub(crate) nan: f32,
    pub(crate) round: u32,
    pub(crate) sweep: u32,
    pub(crate) groups: u32,
    pub(crate) cutoff: f32,
    pub(crate) first: u32,
    pub(crate) pair: u32,
}

/// The state of one matrix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct State {
    pub(crate) largest: u32,
    pub(crate) rotating: u32,
    pub(crate) running: u32,
    pub(crate) sweeps: u32,
}

/// How a form is cut into blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Blocks {
    /// An even number.
    pub(crate) blocks: usize,
    /// Columns of each.
    pub(crate) width: usize,
    /// One dispatch a round, one invocation a pair.
    pub(crate) grid: bool,
}

impl Blocks {
    /// With so many columns a block.
    pub(crate) fn of(form: Form, width: usize) -> Self {
        let blocks = form.columns.div_ceil(width).next_multiple_of(2);
        let lane = Self { blocks, width, grid: false };
        Self { grid: lane.work(form) > SWEEP_BUDGET, ..lane }
    }

    /// Columns of the working matrix.
    pub(crate) fn padded(self) -> usize {
        self.blocks * self.width
    }
}

/// The constants of the kernels.
pub(crate) fn defs(form: Form, blocks: Blocks) -> Vec<(&'static str, Def)> {
    let (rows, columns) = form.operand();
    let mut defs = form.defs();
    defs.extend([
        ("A_ROWS", Def::UInt(rows as u32)),
        ("A_COLUMNS", Def::UInt(columns as u32)),
        ("PADDED", Def::UInt(blocks.padded() as u32)),
        ("WIDTH", Def::UInt(blocks.width as u32)),
        ("BLOCKS", Def::UInt(blocks.blocks as u32)),
        ("GRID", Def::Bool(blocks.grid)),
        ("QUADS", Def::Bool(true)),
    ]);
    defs
}

/// The constants of the sweep, whose loops are unrolled or as they are written.
pub(crate) fn sweep_defs(form: Form, blocks: Blocks, unrolled: bool) -> Vec<(&'static str, Def)> {
    let mut defs = defs(form, blocks);
    defs.push((UNROLLED, Def::Bool(unrolled)));
    defs
}

/// What the dispatches of a batch's sweeps hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cut {
    /// Workgroups over the matrices, at most.
    groups: u32,
    /// Pairs of blocks of a round: all, unless a single workgroup's are too many.
    pairs: u32,
}

impl Blocks {
    /// Multiply-adds of one pair of blocks: its Gram matrix, and the rotation of its columns.
    pub(super) fn pair_work(self, form: Form) -> u64 {
        let both = 2 * self.width;
        (both * (both + 1) / 2 * form.rows + both * both * (form.rows + form.carried())) as u64
    }

    /// Multiply-adds of one invocation in one dispatch of pairs.
    fn work(self, form: Form) -> u64 {
        let pairs = if self.grid { 1 } else { self.blocks * (self.blocks - 1) / 2 };
        pairs as u64 * self.pair_work(form)
    }

    /// Invocations a matrix of one dispatch: the pairs of a round, or the one that does all.
    fn across(self) -> u32 {
        if self.grid { self.blocks as u32 / 2 } else { 1 }
    }

    fn cut(self, form: Form, budget: u64, most_groups: u32) -> Cut {
        let column = GROUP.saturating_mul(self.work(form));
        let pairs = (budget / column).clamp(1, u64::from(self.across())) as u32;
        let groups = (budget / (column.saturating_mul(u64::from(pairs)))).clamp(1, u64::from(most_groups)) as u32;
        Cut { groups, pairs }
    }
}

/// Records the SVDs of a batch, cut into ranges of matrices whose dispatches keep to the time budget.
pub(crate) fn record(
    device: &Device,
    commands: &mut Commands,
    (form, blocks, unrolled): (Form, Blocks, bool),
    count: Count<'_>,
    cutoff: f64,
    operands: &Operands<'_>,
) -> Result<(), DeviceError> {
    let padded = blocks.padded();
    let (matrices, whole) = (count.most.count, count.most.whole());
    let budget = device.pace().work(SWEEP.name);
    let cut = blocks.cut(form, budget, device.limits().max_compute_workgroups_per_dimension);
    let ranges: Vec<usize> = (0..matrices).step_by(cut.groups as usize * GROUP as usize).collect();
    let batch = Batch {
        device,
        form,
        blocks,
        unrolled,
        count,
        cutoff,
        cut,
        operands,
        states: device.buffer_from("states", &vec![State::default(); matrices.max(1)])?,
        x: device.scratch("working matrix", whole * (form.rows + form.carried()) * padded)?,
        scales: device.scratch("scales", whole * padded)?,
        lengths: device.scratch("lengths", whole * padded)?,
        // The workgroups of each sweep: none, until the sweep before it finds that a matrix goes on.
        sweeps: device.buffer_from("sweeps", &[0, cut.pairs, 1].repeat(ranges.len() * SWEEPS))?,
    };
    ranges.into_iter().enumerate().try_for_each(|(range, first)| batch.record(commands, range, first))
}

/// Places in the list of workgroups that each range has: one more than there are sweeps.
const SWEEPS: usize = Rules::MAX_SWEEPS as usize + 1;

/// The matrices of a batch, and the memory that their SVDs take.
struct Batch<'a> {
    device: &'a Device,
    form: Form,
    blocks: Blocks,
    /// The sweep's code, without loops over the columns of a block.
    unrolled: bool,
    count: Count<'a>,
    cutoff: f64,
    cut: Cut,
    operands: &'a Operands<'a>,
    states: Buffer<State>,
    x: Buffer<f32>,
    scales: Buffer<f32>,
    lengths: Buffer<f32>,
    sweeps: Buffer<u32>,
}

impl Batch<'_> {
    /// Records the SVDs of one range, from matrix `first` on.
    fn record(&self, commands: &mut Commands, range: usize, first: usize) -> Result<(), DeviceError> {
        let Self { device, form, blocks, operands, states, x, scales, lengths, sweeps, .. } = self;
        let matrices = (self.count.most.count - first).min(self.cut.groups as usize * GROUP as usize);
        let groups = matrices.div_ceil(GROUP as usize) as u32;
        let of_batch = self.count.most;
        let kernel = |source: &KernelSource| of_batch.kernel(device, source, defs(*form, *blocks));
        let sweep = of_batch.kernel(device, &SWEEP, sweep_defs(*form, *blocks, self.unrolled))?;
        let uniform = |commands: &mut Commands, round: usize, pair: usize, sweep: usize| {
            let uniform = device.uniform(&Blocked {
                count: of_batch.count as u32,
                tolerance: rotation_tolerance(form.rows) as f32,
                nan: f32::NAN,
                round: round as u32,
                sweep: sweep as u32,
                groups,
                cutoff: self.cutoff as f32,
                first: first as u32,
                pair: pair as u32,
            })?;
            self.count.put(commands, &uniform)?;
            Ok::<_, DeviceError>(uniform)
        };
        let place = range * SWEEPS;
        let rounds = if blocks.grid { blocks.blocks - 1 } else { 1 };
        let mut parts: Vec<Uniform<Blocked>> = Vec::new();
        for round in 0..rounds {
            for pair in (0..blocks.across() as usize).step_by(self.cut.pairs as usize) {
                parts.push(uniform(commands, round, pair, place)?);
            }
        }
        let start = &parts[0];
        let (_, columns) = form.operand();
        let padded = blocks.padded() as u32;

        commands.dispatch(&*kernel(&MEASURE)?, &[start, states, operands.a], [groups, columns as u32, 1])?;
        let bindings: [&dyn Bindable; 6] = [start, states, operands.a, x, scales, sweeps];
        commands.dispatch(&*kernel(&START)?, &bindings, [groups, padded, 1])?;
        let judge = kernel(&JUDGE)?;
        for number in 0..SWEEPS - 1 {
            // The first sweep is known to work on every matrix.
            let work = if number == 0 { self.count.work(matrices as u64 * blocks.work(*form)) } else { 0 };
            for part in &parts {
                commands.dispatch_indirect_measured(
                    &sweep,
                    &[part, states, x, scales],
                    sweeps,
                    3 * (place + number),
                    work * u64::from(self.cut.pairs),
                )?;
            }
            let uniform = uniform(commands, 0, 0, place + number)?;
            commands.dispatch(&judge, &[&uniform, states, sweeps], [groups, 1, 1])?;
        }
        commands.dispatch(&*kernel(&LENGTHS)?, &[start, x, lengths], [groups, padded, 1])?;
        let over_columns = [groups, form.columns as u32, 1];
        let Operands { sigma, reports, vectors, .. } = **operands;
        match vectors {
            Some((w, v)) => {
                let bindings: [&dyn Bindable; 8] = [start, states, x, lengths, sigma, reports, w, v];
                commands.dispatch(&*kernel(&PLACE_VECTORS)?, &bindings, over_columns)
            }
            None => {
                let bindings: [&dyn Bindable; 6] = [start, states, x, lengths, sigma, reports];
                commands.dispatch(&*kernel(&PLACE_VALUES)?, &bindings, over_columns)
            }
        }
    }
}

impl Blocks {
    /// Elements of the largest buffer that a matrix takes: the working matrix.
    pub(crate) fn elements(self, form: Form) -> usize {
        (form.rows + form.carried()) * self.padded()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_shader_agree_on_the_structures() {
        use crate::kernels::structures::{in_rust, in_shader};
        let form = Form::of_matrices(20, 20, true);
        let defs = defs(form, Blocks::of(form, 4));
        assert_eq!(
            in_shader(&START, &defs, "Blocked"),
            in_rust!(Blocked: count, tolerance, nan, round, sweep, groups, cutoff, first, pair)
        );
        assert_eq!(in_shader(&START, &defs, "State"), in_rust!(State: largest, rotating, running, sweeps));
    }

    #[test]
    fn dispatches_keep_to_the_budget_down_to_one_pair_of_blocks_of_one_workgroup() {
        for (rows, columns) in [(9, 9), (64, 64), (256, 256), (2048, 512)] {
            let form = Form::of_matrices(rows, columns, true);
            for grid in [false, true] {
                let blocks = Blocks { grid, ..Blocks::of(form, if columns > 32 { 8 } else { 4 }) };
                for budget in [1, 1 << 20, 1 << 29, 1 << 40, u64::MAX] {
                    let Cut { groups, pairs } = blocks.cut(form, budget, 100);
                    assert!((1..=100).contains(&groups) && (1..=blocks.across()).contains(&pairs));
                    let work = 64 * u64::from(groups) * u64::from(pairs) * blocks.work(form);
                    assert!(work <= budget || (groups == 1 && pairs == 1), "{rows}×{columns}: {work} > {budget}");
                    assert!(pairs == blocks.across() || groups == 1, "matrices are kept together last");
                }
            }
        }
    }

    #[test]
    fn a_tournament_brings_every_pair_of_blocks_together_once_a_sweep() {
        // The rule of shaders/svd_blocked/sweep.wgsl, in the same words.
        for blocks in [2usize, 4, 6, 16, 128] {
            let circle = blocks - 1;
            let mut met = vec![0; blocks * blocks];
            for round in 0..circle {
                let mut busy = vec![false; blocks];
                for k in 0..blocks / 2 {
                    let first = (round + k) % circle;
                    let second = if k == 0 { circle } else { (round + circle - k) % circle };
                    for block in [first, second] {
                        assert!(!std::mem::replace(&mut busy[block], true), "block {block} twice in round {round}");
                    }
                    met[first.min(second) * blocks + first.max(second)] += 1;
                }
            }
            assert!((0..blocks).all(|p| (p + 1..blocks).all(|q| met[p * blocks + q] == 1)));
        }
    }
}
