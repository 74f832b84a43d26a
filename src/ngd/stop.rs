use super::Precision;

/// A problem has diverged once ‖e‖ exceeds this many times max(‖e₀‖, ‖y‖).
pub(crate) fn divergence_factor() -> f64 {
    1e8
}

/// When a problem stops. All tolerances are relative and scale-free; `None` takes the default for the precision.
///
/// | test | inequality, at the current θ | default f32 | default f64 |
/// | --- | --- | --- | --- |
/// | loss | ‖e‖ ≤ `loss`·‖y‖, or ½‖e‖² ≤ `initial_loss`·½‖e₀‖² | 4u ≈ 2.4e-7; 0 | 4u ≈ 4.4e-16; 0 |
/// | gradient | ‖Uᵣᵀe‖ ≤ `gradient`·‖e‖ + 4u‖y‖ | 1e-5 | 1e-8 |
/// | change | \|δⱼ\| ≤ `change`·\|θⱼ\| for every j, with δ = J†e the full step | 1e-6 | 1e-10 |
///
/// Gradient descent is not held to the test of change: its step says nothing of the way that is left.
///
/// u is the unit roundoff, e₀ the residual of the start, y the weighted response, Uᵣ the left singular vectors above the
/// cutoff: ‖Uᵣᵀe‖/‖e‖ is the cosine between residual and tangent space, the relative offset of Bates and Watts (Technometrics
/// 23, 1981).
/// The term 4u‖y‖ is what rounding alone leaves of a residual that is zero. See [`super::Status`] for the rest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stop {
    /// At most this many steps (trial steps included, where the damping is adaptive).
    pub steps: u32,
    /// Tolerance of the loss test, on ‖e‖ against the response.
    pub loss: Option<f64>,
    /// Tolerance of the loss test against the loss of the start, on the loss ½‖e‖² itself: 1e-8 ends a problem whose residual
    /// has shrunk to 1e-4 of what it was. None unless asked for.
    pub initial_loss: Option<f64>,
    /// Tolerance of the gradient test.
    pub gradient: Option<f64>,
    /// Tolerance of the change test.
    pub change: Option<f64>,
    /// `false`: no convergence test at all, exactly `steps` steps unless a problem fails.
    pub tests: bool,
}

impl Default for Stop {
    fn default() -> Self {
        Self { steps: 200, loss: None, initial_loss: None, gradient: None, change: None, tests: true }
    }
}

/// The tolerances of [`Stop`] with the defaults of a precision filled in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Tolerances {
    pub(crate) loss: f64,
    /// On ‖e‖ over ‖e₀‖, not on the loss: in f32 the square may be no number.
    pub(crate) initial: f64,
    pub(crate) gradient: f64,
    pub(crate) change: f64,
    /// 4u: what rounding leaves of a zero residual, relative to ‖y‖.
    pub(crate) rounding: f64,
}

impl Stop {
    pub(crate) fn tolerances(&self, precision: Precision) -> Tolerances {
        let rounding = 4.0 * precision.unit_roundoff();
        let (gradient, change) = match precision {
            Precision::F32 => (1e-5, 1e-6),
            Precision::F64 => (1e-8, 1e-10),
        };
        Tolerances {
            loss: self.loss.unwrap_or(rounding),
            initial: self.initial_loss.unwrap_or(0.0).sqrt(),
            gradient: self.gradient.unwrap_or(gradient),
            change: self.change.unwrap_or(change),
            rounding,
        }
    }
}
