use super::{Filter, Status};

/// The damping ε added to JᵀJ of the Jacobian that is factored.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
#[non_exhaustive]
pub enum Damping {
    /// A trust-region rule per problem (Levenberg–Marquardt): trial steps that do not lower the loss are rejected and
    /// the damping raised; after good steps it falls. For fits from far away. The step size is then 1.
    #[default]
    Adaptive,
    /// The same ε ≥ 0 at every step; every step is taken. 0 is the exact step.
    Fixed(f64),
}

/// What became of a trial step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accept,
    Reject,
}

/// The state of the adaptive rule: ε and its growth at the next rejection.
///
/// Nielsen's update (H. B. Nielsen, Damping parameter in Marquardt's method, IMM-REP-1999-05): after an accepted step
/// ε is multiplied by max(1/3, 1 − (2ρ − 1)³), after a rejected one by 2, 4, 8, … The ratio ρ of actual to predicted
/// decrease is stabilised against rounding as in Conn, Gould and Toint, Trust-Region Methods (2000), §17.4.2: both
/// sides get the loss's own rounding added, so that steps too small for the loss to judge are taken on trust.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LevenbergMarquardt {
    pub(crate) epsilon: f64,
    growth: f64,
    pub(crate) rejections: u32,
}

impl LevenbergMarquardt {
    /// First damping, relative to σ₁².
    pub(crate) const START: f64 = 1e-3;
    /// Least damping, relative to σ₁²: far below any effect, well above underflow in f32.
    pub(crate) const FLOOR: f64 = 1e-20;
    /// Least ratio of actual to predicted decrease for a step to be accepted.
    pub(crate) const ACCEPT: f64 = 1e-4;

    pub(crate) fn new(largest_sigma: f64) -> Self {
        Self { epsilon: Self::START * largest_sigma * largest_sigma, growth: 2.0, rejections: 0 }
    }

    /// The decrease of ½‖e‖² that the linear model promises for the damped step:
    /// ½ Σ (uᵢᵀe)²·φᵢ(2 − φᵢ) over the directions kept.
    pub(crate) fn predicted(beta: &[f64], sigma: &[f64], rank: usize, epsilon: f64) -> f64 {
        (0..rank)
            .map(|i| {
                let phi = Filter::factor(sigma[i], epsilon);
                0.5 * beta[i] * beta[i] * phi * (2.0 - phi)
            })
            .sum()
    }

    /// Judges a trial step; `actual` is NaN or −∞ where the trial point has no finite residual. All three are in the
    /// units of the loss.
    pub(crate) fn judge(&mut self, actual: f64, predicted: f64, rounding: f64, largest_sigma: f64) -> Verdict {
        let ratio = (actual + rounding) / (predicted + rounding);
        if ratio >= Self::ACCEPT {
            let t = 2.0 * ratio.min(1.0) - 1.0;
            let floor = Self::FLOOR * largest_sigma * largest_sigma;
            self.epsilon = (self.epsilon * (1.0 - t * t * t).max(1.0 / 3.0)).max(floor);
            self.growth = 2.0;
            self.rejections = 0;
            Verdict::Accept
        } else {
            self.epsilon *= self.growth;
            self.growth *= 2.0;
            self.rejections += 1;
            Verdict::Reject
        }
    }

    /// Whether the rule has given up.
    pub(crate) fn exhausted(&self) -> bool {
        self.rejections >= Status::MAX_REJECTIONS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_perfect_step_divides_the_damping_by_three_and_a_rejected_one_doubles_it() {
        let mut rule = LevenbergMarquardt::new(1.0);
        let start = rule.epsilon;
        assert_eq!(rule.judge(1.0, 1.0, 0.0, 1.0), Verdict::Accept);
        assert!((rule.epsilon / start - 1.0 / 3.0).abs() < 1e-15);
        let before = rule.epsilon;
        assert_eq!(rule.judge(-1.0, 1.0, 0.0, 1.0), Verdict::Reject);
        assert_eq!(rule.epsilon, 2.0 * before);
        assert_eq!(rule.judge(f64::NAN, 1.0, 0.0, 1.0), Verdict::Reject);
        assert_eq!(rule.epsilon, 8.0 * before);
    }

    #[test]
    fn twelve_rejections_exhaust_the_rule() {
        let mut rule = LevenbergMarquardt::new(1.0);
        for _ in 0..Status::MAX_REJECTIONS {
            assert!(!rule.exhausted());
            rule.judge(f64::NEG_INFINITY, 1.0, 0.0, 1.0);
        }
        assert!(rule.exhausted());
        assert!((rule.epsilon / LevenbergMarquardt::START / 2f64.powi(78) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_predicted_decrease_of_the_exact_step_is_half_the_tangent_norm_squared() {
        let predicted = LevenbergMarquardt::predicted(&[3.0, 4.0, 9.0], &[2.0, 1.0, 0.5], 2, 0.0);
        assert_eq!(predicted, 12.5);
    }

    #[test]
    fn a_step_too_small_for_the_loss_to_judge_is_taken_on_trust() {
        let mut rule = LevenbergMarquardt::new(1.0);
        assert_eq!(rule.judge(-1e-12, 1e-13, 1e-9, 1.0), Verdict::Accept);
    }
}
