//! The decision on a trial point, in f64.

/// What becomes of a trial point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Decision {
    /// θ moves; the damping becomes this.
    Accept(f64),
    /// θ stays; the damping becomes this.
    Reject(f64),
}

/// The adaptive rule for finite residual norms: ratio of decreases with rounding on both sides, then Nielsen's update.
pub(crate) fn judge(
    before: f64,
    after: f64,
    predicted: f64,
    response: f64,
    epsilon: f64,
    growth: f64,
    four_u: f64,
) -> Decision {
    let rounding = four_u * before * (response + before);
    let ratio = (0.5 * before * before - 0.5 * after * after + rounding) / (predicted + rounding);
    if ratio < 1e-4 {
        return Decision::Reject(epsilon * growth);
    }
    let cube = (2.0 * ratio.min(1.0) - 1.0).powi(3);
    Decision::Accept(epsilon * (1.0 - cube).max(1.0 / 3.0))
}
