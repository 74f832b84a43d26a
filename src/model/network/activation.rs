use std::str::FromStr;

use crate::expr::did_you_mean;
use crate::model::ModelError;

/// What a hidden unit makes of its sum z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Activation {
    /// tanh z.
    Tanh,
    /// max(z, 0), with the slope 0 at 0.
    Relu,
    /// z/(1 + exp(−z)), also called swish.
    Silu,
    /// z: a linear network.
    Identity,
}

impl Activation {
    /// Every activation.
    pub const ALL: [Self; 4] = [Self::Tanh, Self::Relu, Self::Silu, Self::Identity];

    /// The name in specs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tanh => "tanh",
            Self::Relu => "relu",
            Self::Silu => "silu",
            Self::Identity => "identity",
        }
    }

    /// The activation, its slope and its second derivative at z.
    pub(super) fn derivatives(self, z: f64) -> [f64; 3] {
        match self {
            Self::Tanh => {
                let a = z.tanh();
                let slope = 1.0 - a * a;
                [a, slope, -2.0 * a * slope]
            }
            Self::Relu if z > 0.0 => [z, 1.0, 0.0],
            // A NaN stays one.
            Self::Relu if z.is_nan() => [z, z, z],
            Self::Relu => [0.0; 3],
            Self::Silu => {
                let s = 1.0 / (1.0 + (-z).exp());
                let t = s * (1.0 - s);
                [z * s, s + z * t, t * (2.0 + z * (1.0 - 2.0 * s))]
            }
            Self::Identity => [z, 1.0, 0.0],
        }
    }
}

impl FromStr for Activation {
    type Err = ModelError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known: Vec<&str> = Self::ALL.iter().map(|activation| activation.name()).collect();
        Self::ALL.into_iter().find(|activation| activation.name() == name).ok_or_else(|| {
            ModelError::UnknownActivation {
                name: name.to_owned(),
                suggestion: did_you_mean(name, &known).map(str::to_owned),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_and_curvatures_agree_with_central_differences() {
        let h = 2f64.powi(-17);
        for activation in Activation::ALL {
            for z in [-30.0, -2.1, -0.4, 0.3, 1.7, 30.0] {
                let at = |z: f64| activation.derivatives(z);
                for k in [0, 1] {
                    let difference = (at(z + h)[k] - at(z - h)[k]) / (2.0 * h);
                    // h² times a third derivative of at most 2, and rounding of 30·2⁻⁵³/h.
                    assert!((difference - at(z)[k + 1]).abs() < 1e-9, "{activation:?} at {z}");
                }
            }
        }
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_nearest() {
        assert_eq!("relu".parse::<Activation>().unwrap(), Activation::Relu);
        let message = |name: &str| name.parse::<Activation>().unwrap_err().to_string();
        assert_eq!(message("tahn"), "unknown activation \"tahn\": did you mean \"tanh\"?");
        assert_eq!(message("gelux"), "unknown activation \"gelux\": there are tanh, relu, silu and identity");
    }
}
