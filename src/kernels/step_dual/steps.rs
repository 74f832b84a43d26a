//! Chains the kernels of `shaders/step_dual`: steps that take no singular vectors.

use std::sync::Arc;

use crate::gpu::{Bindable, Buffer, Commands, Device, DeviceError, Kernel, Uniform};
use crate::kernels::batch::{Batch, Count};
use crate::kernels::problem::{Problem, Rules, Sizes, State};
use crate::kernels::work::GROUP;
use crate::kernels::{cholesky, product, substitute};
use crate::ngd::{Damping, Filter, Scaling};
use crate::sweep::StepRule;

use super::host::{self, Round};
use super::rotated::RotatedSteps;

/// What a rule's steps are made with, where that is not the singular values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dual {
    /// JJᵀ + εI.
    Damped,
    /// JJᵀ, where its condition lets f32.
    Exact,
    /// Nothing.
    Descent,
}

impl Dual {
    /// That of the steps of a rule, where problems have no more points than parameters.
    pub(crate) fn of(rule: &StepRule, directions: usize) -> Option<Self> {
        match (rule.filter, rule.damping) {
            _ if rule.scaling != Scaling::None => None,
            (Filter::Gradient, _) => Some(Self::Descent),
            (Filter::Exact | Filter::FixedRank(_), Damping::Fixed(epsilon))
                if rule.filter.most_directions() >= directions =>
            {
                Some(if epsilon > 0.0 { Self::Damped } else { Self::Exact })
            }
            _ => None,
        }
    }
}

/// What such steps read and write.
#[derive(Clone, Copy)]
pub(crate) struct Operands<'a> {
    pub(crate) rules: &'a Uniform<Rules>,
    pub(crate) problems: &'a Buffer<Problem>,
    pub(crate) states: &'a Buffer<State>,
    pub(crate) theta: &'a Buffer<f32>,
    pub(crate) trial: &'a Buffer<f32>,
    /// [J | e] of the roster.
    pub(crate) block: &'a Buffer<f32>,
    /// The problems that need singular values: how many, then which and their place in the roster.
    pub(crate) fresh: &'a Buffer<u32>,
}

/// The kernels of such steps.
pub(crate) struct DualSteps {
    batch: Batch,
    sizes: Sizes,
    way: Way,
    /// The problems that step like this: how many, then which and their place in the roster.
    listed: Buffer<u32>,
}

enum Way {
    /// One invocation a problem, with JJᵀ in registers; and where some step is exact, one of rotations for what JJᵀ is not enough
    /// for.
    Registers { kernel: Arc<Kernel>, rotations: Option<Arc<Kernel>> },
    /// By the kernels of the linear algebra.
    Blocks(Box<Blocks>),
}

/// Which of the kernels of a step are recorded: those that nobody needs take their time too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Needed {
    /// Those of the kernel matrix.
    pub(crate) kernel: bool,
    /// Those of rotations.
    pub(crate) rotations: bool,
    /// Those that find singular values: problems that need them wait otherwise, as the rules then say.
    pub(crate) values: bool,
}

struct Blocks {
    /// Where a rule is no gradient descent: otherwise there is nothing to be solved.
    solving: Option<Solving>,
    prepare: Arc<Kernel>,
    back: Arc<Kernel>,
    sieve: Arc<Kernel>,
    rounds: Vec<Uniform<Round>>,
}

struct Solving {
    /// For what JJᵀ is not enough for.
    rotated: RotatedSteps,
    plan: Arc<Kernel>,
    solve: Arc<Kernel>,
    residual: Arc<Kernel>,
}

impl DualSteps {
    /// For problems that are wide, and rules that have such steps; `None` where none has.
    pub(crate) fn new(
        device: &Device,
        rules: &[StepRule],
        batch: Batch,
        sizes: Sizes,
    ) -> Result<Option<Self>, DeviceError> {
        let duals: Vec<Dual> = rules.iter().filter_map(|rule| Dual::of(rule, sizes.directions)).collect();
        if duals.is_empty() {
            return Ok(None);
        }
        let solves = duals.iter().any(|&dual| dual != Dual::Descent);
        let way = if sizes.directions <= host::MOST_UNROLLED {
            let unrolled = !device.compiles_little();
            let rotates = duals.contains(&Dual::Exact);
            let kernel = batch.kernel(device, &host::REGISTERS, host::registers_defs(sizes, rotates, unrolled))?;
            let rotations =
                rotates.then(|| batch.kernel(device, &host::ROTATIONS, host::rotations_defs(sizes, unrolled)));
            Way::Registers { kernel, rotations: rotations.transpose()? }
        } else {
            let kernel = |source| batch.kernel(device, source, host::defs(sizes));
            let rounds = if solves { host::MOST_ROUNDS } else { 0 };
            Way::Blocks(Box::new(Blocks {
                solving: if solves {
                    Some(Solving {
                        rotated: RotatedSteps::new(device, batch, sizes)?,
                        plan: batch.kernel(device, &host::PLAN, host::plan_defs(sizes))?,
                        solve: kernel(&host::SOLVE)?,
                        residual: kernel(&host::RESIDUAL)?,
                    })
                } else {
                    None
                },
                prepare: batch.kernel(device, &host::PREPARE, host::prepare_defs(sizes, solves))?,
                back: kernel(&host::BACK)?,
                sieve: kernel(&host::SIEVE)?,
                rounds: (0..=rounds).map(|number| device.uniform(&Round::new(number))).collect::<Result<_, _>>()?,
            }))
        };
        let listed = device.buffer("problems of dual steps", 1 + 2 * batch.count)?;
        Ok(Some(Self { batch, sizes, way, listed }))
    }

    /// The list, to be filled.
    pub(crate) fn listed(&self) -> &Buffer<u32> {
        &self.listed
    }

    /// The list of problems whose steps are to be taken by rotations, where there is one.
    pub(crate) fn doubted(&self) -> Option<&Buffer<u32>> {
        match &self.way {
            Way::Blocks(blocks) => blocks.solving.as_ref().map(|solving| solving.rotated.listed()),
            Way::Registers { .. } => None,
        }
    }

    /// Records the steps of the problems listed, those that are `needed`; problems that need singular values join the fresh ones.
    pub(crate) fn record(
        &self,
        device: &Device,
        commands: &mut Commands,
        operands: Operands<'_>,
        needed: Needed,
    ) -> Result<(), DeviceError> {
        let Self { batch, sizes, listed, .. } = self;
        let Operands { rules, problems, states, theta, trial, block, fresh } = operands;
        match &self.way {
            Way::Registers { kernel, rotations } => {
                let sums = device.scratch::<f32>("Jᵀα", batch.whole() * sizes.parameters)?;
                let bindings: [&dyn Bindable; 9] = [rules, problems, states, listed, block, theta, trial, &sums, fresh];
                commands.dispatch(kernel, &bindings, [self.groups(), 1, 1])?;
                rotations.as_ref().map_or(Ok(()), |rotations| {
                    let bindings: [&dyn Bindable; 8] = [rules, problems, states, listed, block, theta, trial, fresh];
                    commands.dispatch(rotations, &bindings, [self.groups(), 1, 1])
                })
            }
            Way::Blocks(blocks) => {
                if needed.kernel {
                    self.record_blocks(device, commands, blocks, operands)?;
                }
                match &blocks.solving {
                    Some(solving) if needed.rotations => solving.rotated.record(device, commands, operands),
                    _ => Ok(()),
                }
            }
        }
    }

    fn record_blocks(
        &self,
        device: &Device,
        commands: &mut Commands,
        blocks: &Blocks,
        operands: Operands<'_>,
    ) -> Result<(), DeviceError> {
        let Self { batch, sizes, listed, .. } = self;
        let Operands { rules, problems, states, theta, trial, block, fresh } = operands;
        let (groups, n) = (self.groups(), sizes.directions);
        let room = |label: &str, each: usize| device.scratch::<f32>(label, batch.whole() * each);
        let solves = blocks.solving.is_some();
        let kernel = room("JJᵀ", if solves { n * n } else { 1 })?;
        let (residual, alpha) = (room("r", n)?, room("alpha", n)?);
        let sums = room("Jᵀα and squares", host::height(*sizes))?;
        let words = |label: &str| device.scratch::<u32>(label, batch.whole());
        let (plans, bits) = (words("plans")?, words("roots of traces")?);
        if solves {
            let Batch { count, lanes } = *batch;
            let columns = sizes.parameters;
            let form = product::host::Form { count, rows: n, columns, of_rows: true, lanes, result_lanes: lanes };
            let of_list = product::host::Listed { list: listed, beside: 1 };
            product::host::record_listed(device, commands, &form, block, &kernel, of_list)?;
        }
        let bindings: [&dyn Bindable; 8] = [problems, listed, block, &kernel, &residual, &alpha, &plans, &bits];
        commands.dispatch(&blocks.prepare, &bindings, [groups, 1, 1])?;
        let factor = match &blocks.solving {
            Some(solving) => Some((solving, self.record_factor(device, commands, &kernel)?)),
            None => None,
        };
        if let Some((solving, (l, notes))) = &factor {
            let form = host::inverse(*sizes);
            let squares = room("squares of L⁻¹", form.blocks())?;
            let solved = room("L⁻¹", n * n)?;
            let count = Count { most: *batch, word: Some((listed, 0)) };
            substitute::host::record(device, commands, form, count, [l, &solved, &squares], &bits)?;
            let bindings: [&dyn Bindable; 6] = [problems, listed, notes, &bits, &squares, &plans];
            commands.dispatch(&solving.plan, &bindings, [groups, 1, 1])?;
        }
        for (number, round) in blocks.rounds.iter().enumerate() {
            if let Some((solving, (l, _))) = &factor {
                if number > 0 {
                    let bindings: [&dyn Bindable; 8] =
                        [&blocks.rounds[number - 1], problems, listed, &plans, block, &alpha, &sums, &residual];
                    commands.dispatch(&solving.residual, &bindings, [groups, host::row_blocks(*sizes) as u32, 1])?;
                }
                let bindings: [&dyn Bindable; 6] = [round, listed, &plans, l, &residual, &alpha];
                commands.dispatch(&solving.solve, &bindings, [groups, 1, 1])?;
            }
            let bindings: [&dyn Bindable; 9] = [round, problems, listed, &plans, block, &residual, theta, trial, &sums];
            commands.dispatch(&blocks.back, &bindings, [groups, host::blocks(*sizes) as u32, 1])?;
        }
        let bindings: [&dyn Bindable; 9] = [rules, problems, states, listed, block, &alpha, &sums, &plans, fresh];
        commands.dispatch(&blocks.sieve, &bindings, [groups, 1, 1])
    }

    /// Workgroups over the problems.
    fn groups(&self) -> u32 {
        (self.batch.count as u64).div_ceil(GROUP) as u32
    }

    /// Records the Cholesky factors of the kernel matrices, and why there are none.
    fn record_factor(
        &self,
        device: &Device,
        commands: &mut Commands,
        kernel: &Buffer<f32>,
    ) -> Result<(Buffer<f32>, Buffer<u32>), DeviceError> {
        let n = self.sizes.directions;
        let l = device.scratch::<f32>("L", self.batch.whole() * n * n)?;
        let roots = device.scratch::<f32>("roots", self.batch.whole())?;
        let notes = device.scratch::<u32>("notes on L", self.batch.whole())?;
        let count = Count { most: self.batch, word: Some((&self.listed, 0)) };
        let operands = cholesky::host::Operands { a: kernel, l: &l, roots: &roots, states: &notes };
        cholesky::host::record_triangles(device, commands, cholesky::host::Form { count, size: n }, &operands)?;
        Ok((l, notes))
    }
}
