use super::Damping;

/// Which singular directions of the factored Jacobian a step uses, and how much of each.
///
/// A step is Δ = Σᵢ φ(σᵢ)/σᵢ · vᵢ(uᵢᵀe). Directions at or below the relative cutoff on σ (σᵢ ≤ cutoff·σ₁) always have
/// φ = 0. Above it φ = σ²/(σ²+ε), which is 1 for the undamped step (ε = 0) and Tikhonov's factor otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Filter {
    /// Every direction above the cutoff.
    #[default]
    Exact,
    /// At most this many directions, those of the largest singular values. At least 1.
    FixedRank(u32),
}

impl Filter {
    /// How many of the descending singular values `sigma` the filter keeps: those above `cutoff`·σ₁, at most the
    /// fixed rank.
    pub(crate) fn rank(self, sigma: &[f64], cutoff: f64) -> usize {
        let Some(&largest) = sigma.first() else {
            return 0;
        };
        let above = sigma.iter().take_while(|&&s| s > 0.0 && s > cutoff * largest).count();
        match self {
            Self::Exact => above,
            Self::FixedRank(rank) => above.min(rank as usize),
        }
    }

    /// φ(σ) for a direction that is kept, at the absolute damping ε: σ²/(σ²+ε).
    pub(crate) fn factor(sigma: f64, epsilon: f64) -> f64 {
        if epsilon == 0.0 { 1.0 } else { sigma * sigma / (sigma * sigma + epsilon) }
    }

    /// The name in specs and tables, with Tikhonov damping told by the damping column.
    #[must_use]
    pub fn name(self, damping: Damping) -> String {
        let kind = match self {
            Self::Exact => "exact".to_owned(),
            Self::FixedRank(rank) => format!("fixed_rank({rank})"),
        };
        match (self, damping) {
            (Self::Exact, Damping::Fixed(0.0)) => kind,
            (Self::Exact, _) => "tikhonov".to_owned(),
            (_, Damping::Fixed(0.0)) => kind,
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
    }

    #[test]
    fn tikhonov_halves_the_direction_whose_square_is_the_damping() {
        assert_eq!(Filter::factor(3.0, 9.0), 0.5);
        assert_eq!(Filter::factor(3.0, 0.0), 1.0);
    }
}
