//! Declares `shaders/svd_blocked`: block Jacobi in device memory, for matrices that registers do not hold.

use bytemuck::{Pod, Zeroable};

use crate::gpu::layout::LANES;
use crate::gpu::{Commands, Def, Device, DeviceError, KernelSource, UNROLLED, Uniform, kernel_source};
use crate::kernels::problem::{Rules, rotation_tolerance};

use super::host::{Count, Form, Operands};

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

/// Columns a block. Wider ones move fewer words for the same arithmetic: measured on llvmpipe, twice the width is 1.5
/// times as fast from 64 columns on and slower below 16. It also makes five times the code for the driver to compile.
fn width(columns: usize) -> usize {
    if columns > 32 { 8 } else { 4 }
}

/// Multiply-adds of one sweep that one invocation may do; matrices with more are spread over several, a pair of blocks
/// each. At a thousand million a second, slow for one invocation of a GPU, this takes 20 ms.
const SWEEP_BUDGET: usize = 20_000_000;

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
    pub(crate) padding: u32,
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
    pub(crate) fn of(form: Form) -> Self {
        let width = width(form.columns);
        let blocks = form.columns.div_ceil(width).next_multiple_of(2);
        let pairs = blocks * (blocks - 1) / 2;
        let both = 2 * width;
        let each = both * (both + 1) / 2 * form.rows + both * both * (form.rows + form.carried());
        Self { blocks, width, grid: pairs * each > SWEEP_BUDGET }
    }

    /// Columns of the working matrix.
    pub(crate) fn padded(self) -> usize {
        self.blocks * self.width
    }
}

/// The constants of the kernels.
pub(crate) fn defs(form: Form) -> Vec<(&'static str, Def)> {
    let blocks = Blocks::of(form);
    let (rows, columns) = form.operand();
    let mut defs = form.defs();
    defs.extend([
        ("A_ROWS", Def::UInt(rows as u32)),
        ("A_COLUMNS", Def::UInt(columns as u32)),
        ("PADDED", Def::UInt(blocks.padded() as u32)),
        ("WIDTH", Def::UInt(blocks.width as u32)),
        ("BLOCKS", Def::UInt(blocks.blocks as u32)),
        ("GRID", Def::Bool(blocks.grid)),
    ]);
    defs
}

/// The constants of the sweep, whose loops are unrolled.
pub(crate) fn sweep_defs(form: Form) -> Vec<(&'static str, Def)> {
    let mut defs = defs(form);
    defs.push((UNROLLED, Def::Bool(true)));
    defs
}

/// Records the SVDs of a batch.
pub(crate) fn record(
    device: &Device,
    commands: &mut Commands,
    form: Form,
    count: Count<'_>,
    cutoff: f64,
    operands: &Operands<'_>,
) -> Result<(), DeviceError> {
    let blocks = Blocks::of(form);
    let padded = blocks.padded();
    let groups = count.most.div_ceil(LANES) as u32;
    let whole = groups as usize * LANES;
    let kernel = |source: &KernelSource| device.kernel(source, &defs(form), &[]);
    let sweep = device.kernel(&SWEEP, &sweep_defs(form), &[])?;
    let uniform = |commands: &mut Commands, round: usize, sweep: u32| {
        let uniform = device.uniform(&Blocked {
            count: count.most as u32,
            tolerance: rotation_tolerance(form.rows) as f32,
            nan: f32::NAN,
            round: round as u32,
            sweep,
            groups,
            cutoff: cutoff as f32,
            padding: 0,
        })?;
        count.put(commands, &uniform)?;
        Ok::<_, DeviceError>(uniform)
    };
    let states = device.buffer_from("states", &vec![State::default(); count.most.max(1)])?;
    let x = device.scratch::<f32>("working matrix", whole * (form.rows + form.carried()) * padded)?;
    let scales = device.scratch::<f32>("scales", whole * padded)?;
    let lengths = device.scratch::<f32>("lengths", whole * padded)?;
    let pairs = if blocks.grid { blocks.blocks as u32 / 2 } else { 1 };
    // The workgroups of each sweep: none, until the sweep before it finds that a matrix goes on.
    let sweeps = device.buffer_from("sweeps", &[0, pairs, 1].repeat(Rules::MAX_SWEEPS as usize + 1))?;
    let rounds = if blocks.grid { blocks.blocks - 1 } else { 1 };
    let rounds: Vec<Uniform<Blocked>> =
        (0..rounds).map(|round| uniform(commands, round, 0)).collect::<Result<_, _>>()?;
    let first = &rounds[0];
    let (_, columns) = form.operand();

    commands.dispatch(&*kernel(&MEASURE)?, &[first, &states, operands.a], [groups, columns as u32, 1])?;
    commands.dispatch(
        &*kernel(&START)?,
        &[first, &states, operands.a, &x, &scales, &sweeps],
        [groups, padded as u32, 1],
    )?;
    let judge = kernel(&JUDGE)?;
    for number in 0..Rules::MAX_SWEEPS {
        for round in &rounds {
            commands.dispatch_indirect(&sweep, &[round, &states, &x, &scales], &sweeps, 3 * number as usize)?;
        }
        let uniform = uniform(commands, 0, number)?;
        commands.dispatch(&judge, &[&uniform, &states, &sweeps], [groups, 1, 1])?;
    }
    commands.dispatch(&*kernel(&LENGTHS)?, &[first, &x, &lengths], [groups, padded as u32, 1])?;
    let over_columns = [groups, form.columns as u32, 1];
    match operands.vectors {
        Some((w, v)) => commands.dispatch(
            &*kernel(&PLACE_VECTORS)?,
            &[first, &states, &x, &lengths, operands.sigma, operands.reports, w, v],
            over_columns,
        ),
        None => commands.dispatch(
            &*kernel(&PLACE_VALUES)?,
            &[first, &states, &x, &lengths, operands.sigma, operands.reports],
            over_columns,
        ),
    }
}

/// Elements of the largest buffer that a matrix takes: the working matrix.
pub(crate) fn elements(form: Form) -> usize {
    (form.rows + form.carried()) * Blocks::of(form).padded()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_shader_agree_on_the_structures() {
        use crate::kernels::structures::{in_rust, in_shader};
        let defs = defs(Form::of_matrices(20, 20, true));
        assert_eq!(
            in_shader(&START, &defs, "Blocked"),
            in_rust!(Blocked: count, tolerance, nan, round, sweep, groups, cutoff, padding)
        );
        assert_eq!(in_shader(&START, &defs, "State"), in_rust!(State: largest, rotating, running, sweeps));
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
