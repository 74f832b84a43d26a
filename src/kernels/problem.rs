//! The structures of `shaders/shared/problem.wgsl`, word for word.

use bytemuck::{Pod, Zeroable};

use crate::gpu::Def;
use crate::ngd::{Damping, Filter, LevenbergMarquardt, Precision, Reason, Scaling, Status, Stop, divergence_factor};
use crate::sweep::StepRule;

/// A problem's fixed description.
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Problem {
    pub(crate) first_row: u32,
    pub(crate) rows: u32,
    pub(crate) fixed_rank: u32,
    pub(crate) window: u32,
    pub(crate) step_size: f32,
    pub(crate) damping: f32,
    pub(crate) cutoff: f32,
    pub(crate) response_norm: f32,
    pub(crate) scaling: u32,
    pub(crate) filter_kind: u32,
    pub(crate) log_factor: f32,
    pub(crate) power: f32,
    pub(crate) momentum: f32,
    pub(crate) weight: f32,
}

impl Problem {
    /// The filter words of shaders/shared/problem.wgsl; Tikhonov's and the fixed rank go by their numbers.
    const SMOOTH: u32 = 1;
    const RESIDUAL_SCALED: u32 = 2;
    const GRADIENT: u32 = 3;

    /// The rule of a problem with `rows` points and `parameters` parameters whose data the host multiplied by
    /// `scale`: an absolute ε on JᵀJ goes with the square of it, one on the unit columns of JD does not.
    pub(crate) fn new(
        rule: &StepRule,
        first_row: u32,
        rows: u32,
        parameters: usize,
        scale: f64,
        response_norm: f64,
    ) -> Self {
        let unit = if rule.scaling == Scaling::None { scale * scale } else { 1.0 };
        // ε = c‖e‖^δ of data that were multiplied by the scale: what is left over goes to c.
        let (filter_kind, log_factor, power) = match rule.filter {
            Filter::Smooth => (Self::SMOOTH, 0.0, 0.0),
            Filter::ResidualScaled { factor, power } => {
                (Self::RESIDUAL_SCALED, factor.log2() + unit.log2() - power * scale.log2(), power)
            }
            // JᵀJ of data that were multiplied by the scale, and Jᵀe, are larger by its square.
            Filter::Gradient => (Self::GRADIENT, 0.0, 1.0 / (scale * scale)),
            Filter::Exact | Filter::FixedRank(_) => (0, 0.0, 0.0),
        };
        Self {
            first_row,
            rows,
            fixed_rank: u32::try_from(rule.filter.most_directions()).unwrap_or(u32::MAX),
            window: Reason::window(rule.size),
            step_size: rule.size as f32,
            damping: match rule.damping {
                Damping::Adaptive => -1.0,
                Damping::Fixed(epsilon) => (epsilon * unit) as f32,
            },
            cutoff: rule.cutoff.unwrap_or_else(|| Precision::F32.default_cutoff(rows as usize, parameters)) as f32,
            response_norm: response_norm as f32,
            scaling: u32::from(rule.scaling == Scaling::Columns),
            filter_kind,
            // Of the factor 0 the logarithm is no number of f32: what is as good as none is.
            log_factor: log_factor.clamp(-1e6, 1e6) as f32,
            power: power as f32,
            momentum: rule.momentum as f32,
            weight: scale as f32,
        }
    }
}

/// A problem's changing state.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct State {
    pub(crate) status: u32,
    pub(crate) reason: u32,
    pub(crate) steps: u32,
    pub(crate) rank: u32,
    pub(crate) sweeps: u32,
    pub(crate) rejections: u32,
    pub(crate) quiet_steps: u32,
    pub(crate) fresh: u32,
    pub(crate) trial_norm: f32,
    pub(crate) residual_norm: f32,
    pub(crate) first_norm: f32,
    pub(crate) epsilon: f32,
    pub(crate) growth: f32,
    pub(crate) predicted: f32,
    pub(crate) best_tangent: f32,
    pub(crate) trial_range: u32,
    pub(crate) doubted: u32,
}

impl State {
    /// The status word of a problem that is still at work.
    #[cfg(test)]
    pub(crate) const RUNNING: u32 = 0;

    /// How far a point is that waits to be factored.
    pub(crate) const ACCEPTED: u32 = 1;

    /// The state before the first evaluation.
    pub(crate) fn start() -> Self {
        Self { best_tangent: f32::MAX, ..Self::zeroed() }
    }

    /// The status, `None` while running.
    pub(crate) fn status(&self) -> Option<Status> {
        Self::status_of(self.status)
    }

    fn status_of(word: u32) -> Option<Status> {
        Some(match word {
            1 => Status::Converged,
            2 => Status::StepLimit,
            3 => Status::Stalled,
            4 => Status::Diverged,
            5 => Status::NonFinite,
            6 => Status::FactorizationLimit,
            _ => return None,
        })
    }

    /// The test that a converged problem passed.
    pub(crate) fn reason(&self) -> Option<Reason> {
        Self::reason_of(self.reason)
    }

    fn reason_of(word: u32) -> Option<Reason> {
        Some(match word {
            1 => Reason::Loss,
            2 => Reason::Gradient,
            3 => Reason::Change,
            4 => Reason::Rounding,
            _ => return None,
        })
    }
}

/// What all problems of a chunk share.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Rules {
    pub(crate) problems: u32,
    pub(crate) steps: u32,
    pub(crate) tests: u32,
    pub(crate) loss: f32,
    pub(crate) initial: f32,
    pub(crate) gradient: f32,
    pub(crate) change: f32,
    pub(crate) rounding: f32,
    pub(crate) divergence: f32,
    pub(crate) damping_start: f32,
    pub(crate) damping_floor: f32,
    pub(crate) accept: f32,
    pub(crate) max_rejections: u32,
    pub(crate) max_sweeps: u32,
    pub(crate) rotation_tolerance: f32,
    pub(crate) history: u32,
    pub(crate) waits: u32,
    pub(crate) padding: [u32; 3],
}

impl Rules {
    /// Sweeps after which the SVD gives a problem up; sound input takes 10 at most.
    pub(crate) const MAX_SWEEPS: u32 = 30;

    /// The rules for `problems` problems of `parameters` parameters, of which no history is kept.
    pub(crate) fn new(problems: u32, parameters: usize, stop: &Stop) -> Self {
        let tolerances = stop.tolerances(Precision::F32);
        Self {
            problems,
            steps: stop.steps,
            tests: u32::from(stop.tests),
            loss: tolerances.loss as f32,
            initial: tolerances.initial as f32,
            gradient: tolerances.gradient as f32,
            change: tolerances.change as f32,
            rounding: tolerances.rounding as f32,
            divergence: divergence_factor() as f32,
            damping_start: LevenbergMarquardt::START as f32,
            damping_floor: LevenbergMarquardt::FLOOR as f32,
            accept: LevenbergMarquardt::ACCEPT as f32,
            max_rejections: Status::MAX_REJECTIONS,
            max_sweeps: Self::MAX_SWEEPS,
            rotation_tolerance: rotation_tolerance(parameters) as f32,
            history: 0,
            waits: 0,
            padding: [0; 3],
        }
    }
}

/// The cosine between two columns of `length` entries that counts as zero: √length·u is the rounding of their dot product,
/// and 4u at least leaves no short pair to rotate for ever.
pub(crate) fn rotation_tolerance(length: usize) -> f64 {
    (length.max(16) as f64).sqrt() * Precision::F32.unit_roundoff()
}

/// The most parameters of problems that one invocation does; from there on its triangle is no more held by registers, and
/// the kernels of the linear algebra are faster: on llvmpipe 0.8 times as fast at 10, 1.5 times at 13 and at 16.
pub(crate) const MOST_LANE_PARAMETERS: usize = 10;

/// Sizes of the problems of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// Parameters p.
    pub(crate) parameters: usize,
    /// Singular directions that are kept: p, or the smaller of n and p.
    pub(crate) directions: usize,
}

impl Sizes {
    /// The constants of the kernels that work on θ and V.
    pub(crate) fn defs(self) -> Vec<(&'static str, Def)> {
        vec![("P", Def::UInt(self.parameters as u32)), ("K", Def::UInt(self.directions as u32))]
    }
}

/// What is a problem's own where all have the same rule and the same coordinates.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Brief {
    pub(crate) first_row: u32,
    pub(crate) response_norm: f32,
    pub(crate) weight: f32,
    pub(crate) padding: u32,
}

/// How a problem ended, where no more is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct End {
    pub(crate) code: u32,
    pub(crate) steps: u32,
    pub(crate) residual_norm: f32,
}

impl End {
    /// The status; `None` of a problem that is left to the kernels in memory.
    pub(crate) fn status(&self) -> Option<Status> {
        State::status_of(self.code & 0xff)
    }

    /// The test that a converged problem passed.
    pub(crate) fn reason(&self) -> Option<Reason> {
        State::reason_of(self.code >> 8 & 0xff)
    }

    pub(crate) fn rank(&self) -> u32 {
        self.code >> 16
    }

    /// The state of a problem that ended like this, with the rank of its J there.
    pub(crate) fn state(&self, rank: u32) -> State {
        let Self { code, steps, residual_norm } = *self;
        State { status: code & 0xff, reason: code >> 8 & 0xff, steps, rank, residual_norm, ..State::start() }
    }
}

/// How the fused kernel works: `Fused` of the shaders.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Fused {
    pub(crate) passes: u32,
    pub(crate) most_plain: f32,
    pub(crate) most_damped: f32,
    pub(crate) fresh: u32,
    pub(crate) rule: Problem,
    pub(crate) padding: [u32; 2],
}

/// A block of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Block {
    pub(crate) first: u32,
    pub(crate) rows: u32,
    pub(crate) all: u32,
    pub(crate) stride: u32,
}

impl Block {
    /// So many rows from `first` on, of which the buffer holds no others.
    pub(crate) fn alone(first: usize, rows: usize, all: bool) -> Self {
        Self { first: first as u32, rows: rows as u32, all: u32::from(all), stride: rows as u32 }
    }
}

/// Rows summed from zero before they join the total, in `qr`: a block's first row is a multiple of it.
pub(crate) const SEGMENT: u32 = 256;

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::*;
    use crate::kernels::structures::{in_rust, in_shader};

    #[test]
    fn host_and_shader_agree_on_every_offset() {
        let source = crate::kernels::qr::host::SOURCE;
        assert_eq!(
            in_shader(&source, &[("P", Def::UInt(3))], "Problem"),
            in_rust!(Problem: first_row, rows, fixed_rank, window, step_size, damping, cutoff, response_norm, scaling, filter_kind, log_factor, power, momentum, weight)
        );
        assert_eq!(
            in_shader(&source, &[("P", Def::UInt(3))], "State"),
            in_rust!(
                State: status, reason, steps, rank, sweeps, rejections, quiet_steps, fresh, trial_norm,
                residual_norm, first_norm, epsilon, growth, predicted, best_tangent, trial_range, doubted
            )
        );
    }

    #[test]
    fn host_and_shader_agree_on_the_uniforms() {
        let (size, members) = in_shader(&crate::kernels::qr::host::SOURCE, &[("P", Def::UInt(3))], "Block");
        assert_eq!((size, members), in_rust!(Block: first, rows, all, stride));
        // A uniform's size is a multiple of 16.
        assert_eq!(size % 16, 0);
        let (size, members) = in_shader(&crate::kernels::qr::host::SOURCE, &[("P", Def::UInt(3))], "Rules");
        assert_eq!(size as usize, size_of::<Rules>());
        assert_eq!(size % 16, 0);
        let expected = [
            ("problems", offset_of!(Rules, problems)),
            ("steps", offset_of!(Rules, steps)),
            ("tests", offset_of!(Rules, tests)),
            ("loss", offset_of!(Rules, loss)),
            ("initial", offset_of!(Rules, initial)),
            ("gradient", offset_of!(Rules, gradient)),
            ("change", offset_of!(Rules, change)),
            ("rounding", offset_of!(Rules, rounding)),
            ("divergence", offset_of!(Rules, divergence)),
            ("damping_start", offset_of!(Rules, damping_start)),
            ("damping_floor", offset_of!(Rules, damping_floor)),
            ("accept", offset_of!(Rules, accept)),
            ("max_rejections", offset_of!(Rules, max_rejections)),
            ("max_sweeps", offset_of!(Rules, max_sweeps)),
            ("rotation_tolerance", offset_of!(Rules, rotation_tolerance)),
            ("history", offset_of!(Rules, history)),
            ("waits", offset_of!(Rules, waits)),
        ];
        let found: Vec<(&str, usize)> =
            members.iter().map(|(name, offset)| (name.as_str(), *offset as usize)).take(expected.len()).collect();
        assert_eq!(found, expected);
    }
}
