use super::{Damping, Scaling};

/// Which singular directions of the factored Jacobian a step uses, and how much of each.
///
/// A step is Δ = Σᵢ φ(σᵢ)/σᵢ · vᵢ(uᵢᵀe). Directions at or below the relative cutoff on σ (σᵢ ≤ cutoff·σ₁) have φ = 0,
/// save with [`Smooth`](Self::Smooth). Above it φ = σ²/(σ²+ε), which is 1 for the undamped step (ε = 0) and Tikhonov's
/// factor otherwise.
///
/// On a GPU a Tikhonov step of a problem with no more points than parameters, from the plain J, may be solved for by JJᵀ + εI:
/// then it uses all directions, and those that the cutoff would leave out have φ ≤ ½.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
#[non_exhaustive]
pub enum Filter {
    /// Every direction above the cutoff.
    #[default]
    Exact,
    /// At most this many directions, those of the largest singular values. At least 1.
    FixedRank(u32),
    /// φ = 1/(1 + (c·σ₁/σ)¹²), c the relative cutoff: a cutoff without a jump. Takes no damping of its own.
    Smooth,
    /// Tikhonov's factor with ε = `factor`·‖e‖^`power`, e the weighted residual at the point that is factored: the damping
    /// vanishes where the residual does. `factor` ≥ 0, `power` > 0. Takes no damping of its own.
    ResidualScaled {
        /// c of ε = c‖e‖^δ.
        factor: f64,
        /// δ of ε = c‖e‖^δ.
        power: f64,
    },
    /// φ = σ²: the step is Jᵀe of the plain J, gradient descent. Takes no damping, and columns stay as they are.
    Gradient,
}

/// What φ depends on at one point, beside σ.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weighting {
    pub(crate) filter: Filter,
    /// ε in force.
    pub(crate) epsilon: f64,
    /// σ₁.
    pub(crate) largest: f64,
    /// Relative cutoff on σ.
    pub(crate) cutoff: f64,
}

impl Weighting {
    /// φ(σ) of a direction that the step uses.
    pub(crate) fn factor(&self, sigma: f64) -> f64 {
        match self.filter {
            Filter::Smooth => 1.0 / (1.0 + (self.cutoff * self.largest / sigma).powi(12)),
            Filter::Gradient => sigma * sigma,
            _ => Filter::factor(sigma, self.epsilon),
        }
    }
}

impl Filter {
    /// How many of the descending singular values `sigma` count: those above `cutoff`·σ₁, at most the fixed rank.
    pub(crate) fn rank(self, sigma: &[f64], cutoff: f64) -> usize {
        let Some(&largest) = sigma.first() else {
            return 0;
        };
        let above = sigma.iter().take_while(|&&s| s > 0.0 && s > cutoff * largest).count();
        match self {
            Self::FixedRank(rank) => above.min(rank as usize),
            Self::Exact | Self::Smooth | Self::ResidualScaled { .. } | Self::Gradient => above,
        }
    }

    /// How many directions a step uses where the rank is `rank`: with a smooth cutoff, or none, all that there are.
    pub(crate) fn directions(self, sigma: &[f64], rank: usize) -> usize {
        match self {
            Self::Smooth | Self::Gradient => sigma.iter().take_while(|&&s| s > 0.0).count(),
            _ => rank,
        }
    }

    /// The most directions that it lets count.
    pub(crate) fn most_directions(self) -> usize {
        match self {
            Self::FixedRank(rank) => rank as usize,
            _ => usize::MAX,
        }
    }

    /// The damping in force where it is not adaptive: ‖e‖ is `residual`.
    pub(crate) fn epsilon(self, fixed: f64, residual: f64) -> f64 {
        match self {
            Self::ResidualScaled { factor, power } => factor * residual.powf(power),
            _ => fixed,
        }
    }

    /// Whether a damping beside it has a meaning.
    pub(crate) fn takes_damping(self) -> bool {
        matches!(self, Self::Exact | Self::FixedRank(_))
    }

    /// φ(σ) for a direction that is kept, at the absolute damping ε: σ²/(σ²+ε).
    pub(crate) fn factor(sigma: f64, epsilon: f64) -> f64 {
        if epsilon == 0.0 { 1.0 } else { sigma * sigma / (sigma * sigma + epsilon) }
    }

    /// The method in specs and tables: `gd` for gradient descent, else `ngd`.
    #[must_use]
    pub fn method(self) -> &'static str {
        if self == Self::Gradient { "gd" } else { "ngd" }
    }

    /// The scaling of columns where none is asked for and the model suggests this one.
    pub(crate) fn default_scaling(self, of_model: Scaling) -> Scaling {
        if self == Self::Gradient { Scaling::None } else { of_model }
    }

    /// The name in specs and tables, with Tikhonov damping told by the damping column.
    #[must_use]
    pub fn name(self, damping: Damping) -> String {
        let kind = match self {
            Self::Exact => "exact".to_owned(),
            Self::FixedRank(rank) => format!("fixed_rank({rank})"),
            Self::Smooth => "smooth".to_owned(),
            Self::Gradient => "gradient".to_owned(),
            Self::ResidualScaled { factor, power } => format!("residual_scaled({factor}, {power})"),
        };
        match (self, damping) {
            (_, Damping::Fixed(0.0)) => kind,
            (Self::Exact, _) => "tikhonov".to_owned(),
            _ => format!("{kind}+tikhonov"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rank_counts_values_strictly_above_the_cutoff() {
        let sigma = [2.0, 1.0, 2e-3, 0.0];
        assert_eq!(Filter::Exact.rank(&sigma, 1e-3), 2);
        assert_eq!(Filter::Exact.rank(&sigma, 0.9e-3), 3);
        assert_eq!(Filter::Exact.rank(&sigma, 0.0), 3);
        assert_eq!(Filter::FixedRank(1).rank(&sigma, 0.0), 1);
        assert_eq!(Filter::Exact.rank(&[0.0, 0.0], 0.5), 0);
        assert_eq!(Filter::Exact.rank(&[], 0.5), 0);
        assert_eq!(Filter::Smooth.rank(&sigma, 1e-3), 2);
    }

    #[test]
    fn tikhonov_halves_the_direction_whose_square_is_the_damping() {
        assert_eq!(Filter::factor(3.0, 9.0), 0.5);
        assert_eq!(Filter::factor(3.0, 0.0), 1.0);
    }

    #[test]
    fn a_smooth_cutoff_halves_the_direction_at_it_and_leaves_out_none_that_there_is() {
        let smooth = Weighting { filter: Filter::Smooth, epsilon: 0.0, largest: 4.0, cutoff: 1e-3 };
        assert_eq!(smooth.factor(4e-3), 0.5);
        // Twice the cutoff: 1/(1 + 2⁻¹²).
        assert_eq!(smooth.factor(8e-3), 4096.0 / 4097.0);
        assert_eq!(Filter::Smooth.directions(&[4.0, 1e-9, 0.0], 1), 2);
        assert_eq!(Filter::Exact.directions(&[4.0, 1e-9, 0.0], 1), 1);
    }

    #[test]
    fn a_residual_scaled_damping_is_a_power_of_the_residual() {
        let filter = Filter::ResidualScaled { factor: 0.5, power: 2.0 };
        assert_eq!(filter.epsilon(0.0, 3.0), 4.5);
        assert_eq!(filter.epsilon(0.0, 0.0), 0.0);
        assert_eq!(Filter::Exact.epsilon(0.25, 3.0), 0.25);
    }
}
