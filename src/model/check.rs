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
    /// Compares the symbolic derivatives with central differences in f64 at θ and one row of inputs. Of a network with several
    /// outputs the row ends with the one that it is about, from 0.
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
        let wanted = self.row_inputs();
        if inputs.len() != wanted {
            return Err(ModelError::Length { what: "the row of inputs", given: inputs.len(), wanted });
        }
        let (mut scratch, mut symbolic) = (Vec::new(), vec![0.0; p + 1]);
        self.prepare(theta, &mut scratch);
        self.row(inputs, &mut scratch, &mut symbolic);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::Expr;

    #[test]
    fn derivatives_of_common_models_agree_with_central_differences() {
        type Case = (&'static str, &'static [&'static str], &'static [f64], &'static [f64]);
        let cases: [Case; 5] = [
            ("b1*(1 - exp(-b2*x))", &["b1", "b2"], &[238.9, 5.5e-4], &[77.6]),
            ("b1*exp(b2/(x+b3))", &["b1", "b2", "b3"], &[5.6e-3, 6181.0, 345.2], &[50.0]),
            (
                "A*exp(-((px-x0)**2+(py-y0)**2)/(2*s**2)) + b",
                &["A", "x0", "y0", "s", "b"],
                &[500.0, 2.1, 1.9, 1.1, 10.0],
                &[1.0, 3.0],
            ),
            ("a*sin(w*t + p) + c*tanh(t/d)", &["a", "w", "p", "c", "d"], &[2.0, 1.3, 0.4, 0.7, 3.0], &[2.5]),
            ("a/(1 + (x/k)**n)", &["a", "k", "n"], &[4.0, 2.0, 1.7], &[3.0]),
        ];
        for (text, names, theta, inputs) in cases {
            let check = Model::parse(text, names).unwrap().check_derivatives(theta, inputs).unwrap();
            assert!(check.agrees(), "{text}: {check:?}");
        }
    }

    #[test]
    fn second_derivatives_agree_with_central_differences_of_the_first() {
        let model = Model::parse("a*exp(-k*t)*cos(w*t) + log(a + k**2)*w/(1 + k*t)", &["a", "k", "w"]).unwrap();
        let (theta, inputs) = ([2.0, 0.7, 1.3], [0.9]);
        let gradient = |theta: &[f64]| {
            let (mut scratch, mut out) = (Vec::new(), vec![0.0; 4]);
            model.prepare(theta, &mut scratch);
            model.row(&inputs, &mut scratch, &mut out);
            out[1..].to_vec()
        };
        let hessian = model.hessian(&theta, &inputs);
        let h = 2f64.powi(-17);
        for k in 0..3 {
            let moved = |by: f64| {
                let mut moved = theta;
                moved[k] += by;
                gradient(&moved)
            };
            let (above, below) = (moved(h), moved(-h));
            for j in 0..3 {
                let difference = (above[j] - below[j]) / (2.0 * h);
                // h² times a third derivative of size 10, and rounding of 10·2⁻⁵³/h.
                assert!(
                    (hessian[3 * j + k] - difference).abs() < 1e-8,
                    "{j}, {k}: {} {difference}",
                    hessian[3 * j + k]
                );
                assert_eq!(hessian[3 * j + k].to_bits(), hessian[3 * k + j].to_bits());
            }
        }
    }

    #[test]
    fn a_kink_under_the_point_does_not_agree() {
        // abs has slope 0 at 0 and the difference quotient over a kink beside θ sees something between −1 and 1.
        let model = Model::parse("abs(a - x)", &["a"]).unwrap();
        let check = model.check_derivatives(&[1.0], &[1.0 + 1e-6]).unwrap();
        assert!(!check.agrees(), "{check:?}");
    }

    #[test]
    fn a_value_that_is_not_finite_does_not_agree() {
        let check = Model::parse("log(a)*x", &["a"]).unwrap().check_derivatives(&[-1.0], &[1.0]).unwrap();
        assert!(check.worst_error.is_nan() && !check.agrees());
    }

    #[test]
    fn wrong_lengths_are_refused_with_both_numbers() {
        let model = Model::parse("a*x + b", &["a", "b"]).unwrap();
        let error = model.check_derivatives(&[1.0], &[1.0]).unwrap_err().to_string();
        assert_eq!(error, "θ has 1 values and the model wants 2");
        assert!(model.check_derivatives(&[1.0, 2.0], &[]).is_err());
    }

    #[test]
    fn a_model_from_operators_is_the_model_from_text() {
        let (a, k, t) = (Expr::parameter("a"), Expr::parameter("k"), Expr::input("t"));
        let built = Model::from_expr(&(a * (-(k * t)).exp()), &["a", "k"]).unwrap();
        let parsed = Model::parse("a*exp(-(k*t))", &["a", "k"]).unwrap();
        assert_eq!(built.inputs(), ["t"]);
        for t in [0.0, 0.7, 3.0] {
            assert_eq!(built.evaluate(&[2.0, 0.3], &[t]).to_bits(), parsed.evaluate(&[2.0, 0.3], &[t]).to_bits());
        }
        assert!(built.check_derivatives(&[2.0, 0.3], &[0.7]).unwrap().agrees());
    }
}
