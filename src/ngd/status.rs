use super::Tolerances;

/// How a problem ended. Each is defined by an inequality on quantities of that problem alone.
///
/// Notation: e the weighted residual, e₀ the one at the start, y the weighted response, u the unit roundoff of the
/// precision at work, δ = J†e the full undamped step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Status {
    /// One of the tests of [`Stop`](super::Stop) holds at the θ returned; the [`Reason`] says which.
    Converged,
    /// `steps` steps were taken and no test holds.
    StepLimit,
    /// No step helps: with adaptive damping, [`MAX_REJECTIONS`](super::Status::MAX_REJECTIONS) trial steps in a row were
    /// rejected; with either damping, the Jacobian vanishes (rank 0) while the residual does not. Or, in f32 only, the
    /// rank falls short of min(n, p) for lack of precision: a test held over the directions that f32 resolves, but at
    /// the same θ none holds in f64 over the directions that f64 resolves.
    Stalled,
    /// ‖e‖ > 10⁸·max(‖e₀‖, ‖y‖) after a step with fixed damping; an infinite ‖e‖ is beyond every bound.
    Diverged,
    /// e or J is not finite at the start, or after a step with fixed damping e holds a NaN or J is not finite while e
    /// is. (With adaptive damping such a step is rejected.) The θ returned is the last at which both were finite, or
    /// the start.
    NonFinite,
    /// The singular value decomposition did not converge within its sweeps.
    FactorizationLimit,
}

impl Status {
    /// Rejections in a row after which adaptive damping gives up: the damping has then grown 2⁷⁸-fold.
    pub const MAX_REJECTIONS: u32 = 12;

    /// Every status, in the order tables show them.
    pub const ALL: [Self; 6] =
        [Self::Converged, Self::StepLimit, Self::Stalled, Self::Diverged, Self::NonFinite, Self::FactorizationLimit];

    /// The name in tables and files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Converged => "converged",
            Self::StepLimit => "step_limit",
            Self::Stalled => "stalled",
            Self::Diverged => "diverged",
            Self::NonFinite => "non_finite",
            Self::FactorizationLimit => "factorization_limit",
        }
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// Which test a converged problem passed, the first that holds in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Reason {
    /// The loss is as small as asked: ‖e‖ ≤ `loss`·‖y‖, or ½‖e‖² ≤ `initial_loss`·½‖e₀‖².
    Loss,
    /// The residual is orthogonal to the tangent space: ‖Uᵣᵀe‖ ≤ `gradient`·‖e‖ + 4u‖y‖.
    Gradient,
    /// The full step would not change θ: |δⱼ| ≤ `change`·|θⱼ| for every j.
    Change,
    /// Rounding hides further progress: in a window of successive accepted steps the decrease still promised,
    /// ½‖Uᵣᵀe‖², was below the loss's own rounding, 4u‖e‖(‖y‖+‖e‖), and ‖Uᵣᵀe‖ did not fall to half the least value
    /// before them. The window is [`Reason::WINDOW`] over the rate min(η, 2 − η, 1) at which step size η makes progress.
    Rounding,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::Loss, Self::Gradient, Self::Change, Self::Rounding];

    /// Successive steps without visible progress that end a problem by [`Reason::Rounding`], at step size 1.
    pub const WINDOW: u32 = 8;

    /// The window at a step size, rounded up.
    pub(crate) fn window(step_size: f64) -> u32 {
        let rate = step_size.min(2.0 - step_size).clamp(1e-6, 1.0);
        (f64::from(Self::WINDOW) / rate).ceil() as u32
    }

    /// The name in tables and files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Gradient => "gradient",
            Self::Change => "change",
            Self::Rounding => "rounding",
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// The quantities that the convergence tests look at, all of one point θ.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Norms {
    /// ‖e‖.
    pub(crate) residual: f64,
    /// ‖e₀‖.
    pub(crate) first: f64,
    /// ‖y‖.
    pub(crate) response: f64,
    /// ‖Uᵣᵀe‖.
    pub(crate) tangent: f64,
    /// max over j of |δⱼ|/|θⱼ|, infinite where θⱼ = 0 and δⱼ ≠ 0.
    pub(crate) relative_change: f64,
}

impl Norms {
    /// The first test that holds.
    pub(crate) fn converged(&self, tolerances: &Tolerances) -> Option<Reason> {
        if self.residual <= (tolerances.loss * self.response).max(tolerances.initial * self.first) {
            Some(Reason::Loss)
        } else if self.tangent <= tolerances.gradient * self.residual + tolerances.rounding * self.response {
            Some(Reason::Gradient)
        } else if self.relative_change <= tolerances.change {
            Some(Reason::Change)
        } else {
            None
        }
    }

    /// The rounding of the loss itself: 4u‖e‖(‖y‖+‖e‖).
    pub(crate) fn loss_rounding(&self, tolerances: &Tolerances) -> f64 {
        tolerances.rounding * self.residual * (self.response + self.residual)
    }

    /// Whether the decrease still promised is lost in the loss's rounding.
    pub(crate) fn promise_is_rounding(&self, tolerances: &Tolerances) -> bool {
        0.5 * self.tangent * self.tangent <= self.loss_rounding(tolerances)
    }
}
