use crate::error::RequestError;
use crate::ngd::{Damping, Filter, Precision, Scaling, Stop};
use crate::sweep::{SizeUnit, StepRule};

/// A filter whose stability is asked for: a step rule without its step size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FilterRule {
    /// How much of each singular direction a step takes.
    pub filter: Filter,
    /// Tikhonov's ε ≥ 0, added to JᵀJ of the J that is factored.
    pub damping: f64,
    /// Heavy-ball momentum β in [0, 1).
    pub momentum: f64,
}

impl Default for FilterRule {
    fn default() -> Self {
        Self { filter: Filter::Exact, damping: 0.0, momentum: 0.0 }
    }
}

impl FilterRule {
    /// The rule for steps of this size.
    pub(crate) fn rule(&self, size: f64, options: &StabilityOptions) -> StepRule {
        StepRule {
            size,
            unit: SizeUnit::Absolute,
            damping: Damping::Fixed(self.damping),
            filter: self.filter,
            scaling: options.scaling,
            cutoff: options.cutoff,
            momentum: self.momentum,
        }
    }

    /// The name in tables: that of the step rule, with the damping where there is one.
    #[must_use]
    pub fn name(&self) -> String {
        let name = self.rule(1.0, &StabilityOptions::default()).filter_name();
        if self.damping == 0.0 { name } else { name.replacen("tikhonov", &format!("tikhonov({})", self.damping), 1) }
    }
}

/// What is to be found out about each minimiser.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct StabilityOptions {
    /// Step sizes η > 0 at which multipliers are measured.
    pub step_sizes: Vec<f64>,
    /// The filters.
    pub filters: Vec<FilterRule>,
    /// Which J is factored: [`Scaling::None`], the plain J of the theorem, unless asked otherwise.
    pub scaling: Scaling,
    /// Relative cutoff on σ in [0, 1); `None` is max(n, p) times the machine epsilon of the precision at work.
    pub cutoff: Option<f64>,
    /// Length of the perturbations over that of θ, both in the coordinates of the J that is factored; `None` is the cube
    /// root of the unit roundoff, where rounding and curvature disturb a central difference alike.
    pub perturbation: Option<f64>,
    /// At most so many directions of the row space are perturbed, from the largest singular value to the smallest.
    pub directions: usize,
    /// Steps after which a perturbation has grown or has not, where critical step sizes are sought. 0: they are not.
    pub steps: u32,
    /// ‖e‖ over the size of the data up to which a residual counts as zero; `None` is what the default stop rule takes for a
    /// gradient of zero: 1e-5 in f32, 1e-8 in f64. What such a residual does to the multipliers is looked at apart.
    pub residual: Option<f64>,
    /// A singular value within this factor of the cutoff, on either side, leaves the rank open. At least 1.
    pub margin: f64,
}

impl Default for StabilityOptions {
    fn default() -> Self {
        Self {
            step_sizes: vec![0.1, 0.5, 1.5, 1.9],
            filters: vec![FilterRule::default()],
            scaling: Scaling::None,
            cutoff: None,
            perturbation: None,
            directions: 8,
            steps: 64,
            residual: None,
            margin: 10.0,
        }
    }
}

impl StabilityOptions {
    /// Refuses what cannot be meant. The filters themselves are checked with their step rules.
    pub(crate) fn check(&self) -> Result<(), RequestError> {
        if self.step_sizes.is_empty() {
            return Err(RequestError::EmptyAxis { axis: "step size" });
        }
        if self.filters.is_empty() {
            return Err(RequestError::EmptyAxis { axis: "filter" });
        }
        if self.directions == 0 {
            return Err(RequestError::Stability { what: "number of directions", value: 0.0, wanted: "at least 1" });
        }
        let perturbation = self.perturbation.unwrap_or(0.01);
        let residual = self.residual.unwrap_or(0.0);
        for (what, value, sound, wanted) in [
            ("perturbation", perturbation, perturbation > 0.0 && perturbation <= 0.1, "above 0 and at most 0.1"),
            ("residual tolerance", residual, (0.0..1.0).contains(&residual), "from 0 to below 1"),
            ("rank margin", self.margin, self.margin >= 1.0 && self.margin.is_finite(), "at least 1"),
        ] {
            if !sound {
                return Err(RequestError::Stability { what, value, wanted });
            }
        }
        Ok(())
    }

    pub(crate) fn perturbation(&self, precision: Precision) -> f64 {
        self.perturbation.unwrap_or_else(|| precision.unit_roundoff().cbrt())
    }

    pub(crate) fn residual(&self, precision: Precision) -> f64 {
        self.residual.unwrap_or_else(|| Stop::default().tolerances(precision).gradient)
    }
}
