use super::{Model, ModelError};

/// The derivative that agrees least with its difference quotient.
#[derive(Clone, Debug, PartialEq)]
pub struct WorstDerivative {
    /// The parameter.
    pub parameter: String,
    /// ∂f/∂θⱼ from the expression.
    pub symbolic: f64,
    /// The central difference.
    pub difference: f64,
}

/// How a model's derivatives compare with central differences at one point.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DerivativeCheck {
    /// Largest |symbolic − difference| in units of the error that the difference itself may have; NaN where a value is
    /// not finite.
    pub worst_error: f64,
    /// Where it occurs.
    pub worst: WorstDerivative,
}

impl DerivativeCheck {
    /// Whether every derivative agrees within what central differences can tell.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.worst_error <= 1.0
    }
}

impl Model {
    /// Compares the symbolic derivatives with central differences in f64 at θ and one row of inputs.
    ///
    /// Each quotient is taken at two steps, h = u^⅓·max(|θⱼ|, 1e-3) and h/2, and extrapolated; its error is taken as
    /// the change that the extrapolation made, and never below what rounding of f leaves, 100u(|f(θ±h)|+|∂f/∂θⱼ·θⱼ|)/h.
    ///
    /// # Errors
    /// If `theta` or `inputs` have the wrong length.
    pub fn check_derivatives(&self, theta: &[f64], inputs: &[f64]) -> Result<DerivativeCheck, ModelError> {
        let p = self.parameters().len();
        if theta.len() != p {
            return Err(ModelError::Length { what: "θ", given: theta.len(), wanted: p });
        }
        if inputs.len() != self.inputs().len() {
            return Err(ModelError::Length {
                what: "the row of inputs",
                given: inputs.len(),
                wanted: self.inputs().len(),
            });
        }
        let mut symbolic = vec![0.0; p + 1];
        self.jacobian_tape().evaluate(theta, inputs, &mut Vec::new(), &mut symbolic);
        let mut worst: Option<DerivativeCheck> = None;
        for j in 0..p {
            let mut moved = theta.to_vec();
            let mut largest = symbolic[0].abs();
            let mut quotient = |h: f64| {
                let (above, below) = (theta[j] + h, theta[j] - h);
                moved[j] = above;
                let upper = self.evaluate(&moved, inputs);
                moved[j] = below;
                let lower = self.evaluate(&moved, inputs);
                largest = largest.max(upper.abs()).max(lower.abs());
                (upper - lower) / (above - below)
            };
            let h = f64::EPSILON.cbrt() * theta[j].abs().max(1e-3);
            let (coarse, fine) = (quotient(h), quotient(h / 2.0));
            let difference = fine + (fine - coarse) / 3.0;
            let derivative = symbolic[1 + j];
            let rounding = 100.0 * f64::EPSILON * (largest + (derivative * theta[j]).abs()) / h;
            let allowed = (fine - coarse).abs().max(rounding);
            let error = if derivative == difference { 0.0 } else { (derivative - difference).abs() / allowed };
            let here = DerivativeCheck {
                worst_error: error,
                worst: WorstDerivative { parameter: self.parameters()[j].clone(), symbolic: derivative, difference },
            };
            // A NaN is worse than anything, and stays.
            let replaces = worst
                .as_ref()
                .is_none_or(|worst| !worst.worst_error.is_nan() && (error.is_nan() || error > worst.worst_error));
            if replaces {
                worst = Some(here);
            }
        }
        worst.ok_or(ModelError::NoParameters)
    }
}
