use super::Distribution;
use crate::error::RequestError;
use crate::model::Network;

/// The size of a network's random weights.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Initialiser {
    /// The same standard deviation for every weight, and every bias.
    Normal {
        /// The standard deviation.
        scale: f64,
    },
    /// Standard deviation gain·√(2/(fan_in + fan_out)), biases zero (Glorot, Bengio: Understanding the difficulty of training
    /// deep feedforward neural networks, AISTATS 2010).
    Xavier {
        /// The gain; 1 is the paper's.
        gain: f64,
    },
    /// Standard deviation gain·√(2/fan_in), biases zero (He, Zhang, Ren, Sun: Delving deep into rectifiers, ICCV 2015).
    He {
        /// The gain; 1 is the paper's.
        gain: f64,
    },
}

/// How a network's parameters are drawn at the start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Initialisation {
    /// The size of weights, layer by layer.
    pub initialiser: Initialiser,
    /// How they are distributed; the uniform distribution has the same standard deviation.
    pub distribution: Distribution,
    /// Whether weights and biases of the last layer are zero: the network starts as f = 0.
    pub zero_output: bool,
}

impl Initialiser {
    /// The standard deviation of the weights of a layer.
    #[must_use]
    pub fn deviation(self, inputs: usize, units: usize) -> f64 {
        match self {
            Self::Normal { scale } => scale,
            Self::Xavier { gain } => gain * (2.0 / (inputs + units) as f64).sqrt(),
            Self::He { gain } => gain * (2.0 / inputs as f64).sqrt(),
        }
    }

    /// The standard deviation of biases.
    #[must_use]
    pub fn bias_deviation(self) -> f64 {
        match self {
            Self::Normal { scale } => scale,
            Self::Xavier { .. } | Self::He { .. } => 0.0,
        }
    }

    /// The number it goes by, and its name.
    pub(crate) fn size(self) -> (&'static str, f64) {
        match self {
            Self::Normal { scale } => ("scale", scale),
            Self::Xavier { gain } | Self::He { gain } => ("gain", gain),
        }
    }
}

impl Network {
    /// The standard deviation of each parameter at the start, p values.
    ///
    /// # Errors
    /// If the initialiser's gain or scale is not positive.
    pub(crate) fn deviations(&self, initialisation: &Initialisation) -> Result<Vec<f64>, RequestError> {
        let Initialisation { initialiser, zero_output, .. } = *initialisation;
        let (what, value) = initialiser.size();
        if !(value.is_finite() && value > 0.0) {
            return Err(RequestError::Initialiser { what, value });
        }
        let count = self.weight_layers().len();
        let mut deviations = Vec::new();
        for (l, layer) in self.weight_layers().enumerate() {
            let kept = if zero_output && l + 1 == count { 0.0 } else { 1.0 };
            let of_weights = kept * initialiser.deviation(layer.inputs, layer.units);
            deviations.extend(std::iter::repeat_n(of_weights, layer.weights.len()));
            deviations.extend(std::iter::repeat_n(kept * initialiser.bias_deviation(), layer.biases.len()));
        }
        Ok(deviations)
    }
}

impl Distribution {
    /// The scale of a [`random_start`](super::random_start) of this standard deviation.
    pub(crate) fn scale_of(self, deviation: f64) -> f64 {
        match self {
            Self::Normal => deviation,
            Self::Uniform => 3f64.sqrt() * deviation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deviations_are_those_of_the_papers() {
        assert_eq!(Initialiser::Xavier { gain: 2.0 }.deviation(3, 5), 1.0);
        assert_eq!(Initialiser::He { gain: 1.0 }.deviation(8, 99), 0.5);
        assert_eq!(Initialiser::Normal { scale: 0.3 }.deviation(8, 99), 0.3);
        assert_eq!(Initialiser::Normal { scale: 0.3 }.bias_deviation(), 0.3);
        assert_eq!(Initialiser::He { gain: 1.0 }.bias_deviation(), 0.0);
        // Uniform on ±a has the variance a²/3.
        assert!((Distribution::Uniform.scale_of(2.0).powi(2) / 3.0 - 4.0).abs() < 1e-14);
    }
}
