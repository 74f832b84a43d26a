use crate::ngd::{Damping, Filter, Scaling};

/// `count` numbers evenly spaced from `from` to `to`, both included.
#[must_use]
pub fn linspace(from: f64, to: f64, count: usize) -> Vec<f64> {
    spaced(count, |t| from + (to - from) * t, to)
}

/// `count` numbers from `from` to `to`, both included, with a constant ratio; both must be positive.
#[must_use]
pub fn logspace(from: f64, to: f64, count: usize) -> Vec<f64> {
    spaced(count, |t| (from.ln() + (to.ln() - from.ln()) * t).exp(), to)
}

fn spaced(count: usize, at: impl Fn(f64) -> f64, last: f64) -> Vec<f64> {
    (0..count)
        .map(|i| {
            // The end point is met exactly, whatever rounding did on the way.
            if i + 1 == count && count > 1 { last } else { at(i as f64 / (count.max(2) - 1) as f64) }
        })
        .collect()
}

/// How the loss that step sizes and dampings were chosen for adds residuals up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Reduction {
    /// ½‖e‖², as everywhere here.
    #[default]
    Sum,
    /// ½‖e‖²/n, as in codes that average.
    Mean,
}

/// What step sizes are multiples of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum SizeUnit {
    /// 1.
    #[default]
    Absolute,
    /// 2/λ, gradient descent's edge of stability: λ is the largest eigenvalue of the loss Hessian JᵀJ + Σ eᵢ∇²fᵢ at the
    /// start of each problem, in f64 whatever the precision of the steps. Where that is not positive, and so there is no
    /// edge, λ is the largest eigenvalue of JᵀJ; where that is zero or not finite, no step is taken whatever its size,
    /// and the unit is 1.
    TwoOverSharpness,
}

impl SizeUnit {
    /// The name in specs, tables and files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Absolute => "absolute",
            Self::TwoOverSharpness => "2/sharpness",
        }
    }
}

impl StepRule {
    /// The rule that takes the same steps on the sum of `points` residuals as this one on their mean. JᵀJ and Jᵀe are
    /// n times theirs: so has a damping to be, and a step of gradient descent is n times too long,
    /// unless it is a multiple of what the loss makes of itself. A natural-gradient step is the same.
    pub(crate) fn of_mean(self, points: f64) -> Self {
        Self {
            size: match (self.filter, self.unit) {
                (Filter::Gradient, SizeUnit::Absolute) => self.size / points,
                _ => self.size,
            },
            damping: match self.damping {
                Damping::Fixed(epsilon) => Damping::Fixed(epsilon * points),
                Damping::Adaptive => Damping::Adaptive,
            },
            filter: match self.filter {
                Filter::ResidualScaled { factor, power } => Filter::ResidualScaled { factor: factor * points, power },
                filter => filter,
            },
            ..self
        }
    }
}

/// One block of step rules: the product of its lists. A sweep's blocks add up.
#[derive(Clone, Debug, PartialEq)]
pub struct StepBlock {
    /// Step sizes η > 0, in `unit`.
    pub sizes: Vec<f64>,
    /// What the sizes are multiples of; with [`Damping::Adaptive`] it is [`SizeUnit::Absolute`].
    pub unit: SizeUnit,
    /// Dampings; with [`Damping::Adaptive`] every size must be 1.
    pub dampings: Vec<Damping>,
    /// The filter on the singular directions.
    pub filter: Filter,
    /// Whether columns are scaled; `None` takes the default: columns, and none for networks and for gradient descent.
    pub scaling: Option<Scaling>,
    /// Relative cutoff on σ in [0, 1); `None` is max(n, p) times the machine epsilon of the precision at work.
    pub cutoff: Option<f64>,
    /// Heavy-ball momentum β in [0, 1): every step adds β times the one before. Not with [`Damping::Adaptive`].
    pub momentum: f64,
}

impl Default for StepBlock {
    fn default() -> Self {
        Self {
            sizes: vec![1.0],
            unit: SizeUnit::Absolute,
            dampings: vec![Damping::Adaptive],
            filter: Filter::Exact,
            scaling: None,
            cutoff: None,
            momentum: 0.0,
        }
    }
}

/// One step rule of a sweep: a point of the product of a [`StepBlock`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepRule {
    /// Step size η, in `unit`.
    pub size: f64,
    /// What the size is a multiple of.
    pub unit: SizeUnit,
    /// Damping ε, or the adaptive rule.
    pub damping: Damping,
    /// Filter on the singular directions.
    pub filter: Filter,
    /// Column scaling.
    pub scaling: Scaling,
    /// Relative cutoff on σ; `None` is the default for shape and precision.
    pub cutoff: Option<f64>,
    /// Heavy-ball momentum β: θ⁺ = θ − ηΔ + β(θ − θ⁻), θ⁻ the point before.
    pub momentum: f64,
}

impl StepRule {
    /// The filter's name in tables, with the momentum where there is one: `exact`, `tikhonov`, `smooth+momentum(0.5)`.
    #[must_use]
    pub fn filter_name(&self) -> String {
        let filter = self.filter.name(self.damping);
        if self.momentum == 0.0 { filter } else { format!("{filter}+momentum({})", self.momentum) }
    }
}

impl StepBlock {
    /// The product of the block's lists, dampings innermost, where the model suggests this scaling.
    pub(crate) fn rules(&self, of_model: Scaling) -> impl Iterator<Item = StepRule> + '_ {
        let scaling = self.scaling.unwrap_or_else(|| self.filter.default_scaling(of_model));
        self.sizes.iter().flat_map(move |&size| {
            self.dampings.iter().map(move |&damping| StepRule {
                size,
                unit: self.unit,
                damping,
                filter: self.filter,
                scaling,
                cutoff: self.cutoff,
                momentum: self.momentum,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linspace_meets_both_ends_exactly() {
        let sizes = linspace(0.05, 2.2, 44);
        assert_eq!((sizes.len(), sizes[0], sizes[43]), (44, 0.05, 2.2));
        assert!((sizes[1] - 0.1).abs() < 1e-15);
        assert_eq!(linspace(3.0, 9.0, 1), [3.0]);
        assert!(linspace(3.0, 9.0, 0).is_empty());
    }

    #[test]
    fn logspace_has_a_constant_ratio() {
        let values = logspace(1e-6, 1.0, 7);
        for pair in values.windows(2) {
            assert!((pair[1] / pair[0] - 10.0).abs() < 1e-12);
        }
    }
}
