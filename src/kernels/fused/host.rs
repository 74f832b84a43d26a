//! Declares `shaders/fused`: whole steps of small problems in registers.

use std::sync::Arc;

use crate::gpu::{Device, DeviceError, Kernel, KernelSource, kernel_source};
use crate::kernels::problem::{Fused, Problem};
use crate::model::Expression;
use crate::ngd::Filter;
use crate::sweep::StepRule;

use super::code::{Coordinates, parts};
use super::form::{Form, Route};

pub(crate) const STEPS: KernelSource = kernel_source!(
    "fused/steps", uniform rules, uniform fused, read problems, write states, read data, write theta, write trial,
    read roster, write staying, write ends
);

/// The same by rotations, at a pace of its own.
pub(crate) const ROTATED_STEPS: KernelSource = KernelSource { name: "fused/steps, rotated", ..STEPS };

pub(crate) const MUSTER: KernelSource = kernel_source!("fused/muster", read roster, write staying, write workgroups);

pub(crate) const DOUBTED: KernelSource = kernel_source!("fused/doubted", uniform rules, read ends, write doubted);

/// Problems a workgroup.
pub(crate) const GROUP: u32 = 64;

/// The most parameters of problems that are done in registers throughout. On llvmpipe that is 27 times as fast as in memory for
/// 10 of them and 40 times for these, and compiled in a third of the time.
pub(crate) const MOST_PARAMETERS: usize = 16;

/// The most points: JᵀJ is summed up in one go.
pub(crate) const MOST_ROWS: usize = 4096;

/// The source of the kernel.
pub(crate) fn source(route: Route) -> &'static KernelSource {
    match route {
        Route::Normal => &STEPS,
        Route::Orthogonal => &ROTATED_STEPS,
    }
}

/// The kernel of a model's steps.
pub(crate) fn kernel(
    device: &Device,
    model: &Expression,
    coordinates: &Coordinates,
    form: Form,
) -> Result<Arc<Kernel>, DeviceError> {
    let parts = parts(model, coordinates, form, !device.compiles_little());
    device.kernel(source(form.route), &form.defs(model.parameters.len()), &parts)
}

/// Whether the steps of a rule are among those of the kernel, for problems of so many parameters.
pub(crate) fn takes(rule: &StepRule, parameters: usize) -> bool {
    let whole = match rule.filter {
        Filter::Exact | Filter::FixedRank(_) => rule.filter.most_directions() >= parameters,
        Filter::ResidualScaled { .. } | Filter::Gradient => true,
        Filter::Smooth => false,
    };
    whole && rule.momentum == 0.0
}

impl Fused {
    /// So many evaluations a dispatch, of problems like this one where all are alike. With unit columns the trace of
    /// (JᵀJ)⁻¹ bounds κ²/P: a plain step of the normal equations is then good to P·2⁸·u ≈ 10⁻⁴, and a damped one, of which
    /// no more is asked than that it leads downhill, to P·2¹⁴·u.
    pub(crate) fn of(passes: u32, fresh: bool, rule: Problem) -> Self {
        Self { passes, most_plain: 256.0, most_damped: 16384.0, fresh: u32::from(fresh), rule, padding: [0; 2] }
    }
}
