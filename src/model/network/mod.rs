//! A model that is a fully connected network.

mod activation;
mod backpropagation;

use std::ops::Range;

pub use activation::Activation;

use super::ModelError;

/// How the weights of a layer enter it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Parametrisation {
    /// As they are: z = Wa + b.
    #[default]
    Standard,
    /// Divided by the root of the number of inputs of the layer: z = Wa/√fan_in + b, in every layer (Jacot, Gabriel,
    /// Hongler: Neural tangent kernel, NeurIPS 2018). With weights of size 1 the kernel JJᵀ then has a limit as the width grows.
    Ntk,
}

/// One layer of weights of a [`Network`], and where they lie in θ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Units of the layer before.
    pub inputs: usize,
    /// Units of this layer.
    pub units: usize,
    /// Its weights, unit after unit: that of unit u for input i is the (u·inputs + i)th.
    pub weights: Range<usize>,
    /// Its biases; empty where it has none.
    pub biases: Range<usize>,
}

/// A fully connected network: layers z = Wa + b, the activation a between them, and outputs without one.
///
/// θ holds layer after layer, of each the weights, unit after unit, and then the biases: the order in which PyTorch lists
/// `Linear` layers. Parameters are named `w1.3.2` (layer 1, unit 3, input 2) and `b1.3`, counted from 1.
///
/// Inputs are the columns `x`, or `x1`, `x2`, … where there are several, unless [named](Self::input_names).
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    layers: Vec<usize>,
    activation: Activation,
    parametrisation: Parametrisation,
    output_bias: bool,
    inputs: Vec<String>,
    parameters: Vec<String>,
}

/// The most parameters of a network: J has 4 MiB a row then.
const MOST_PARAMETERS: usize = 1 << 20;

/// The most units of the hidden layers but the last that an invocation of a GPU keeps: three numbers for each.
const MOST_KEPT_UNITS: usize = 512;

/// Operations of an activation, its slope included.
const ACTIVATION: u64 = 45;

impl Network {
    /// A network with these numbers of inputs, hidden units and outputs.
    ///
    /// # Errors
    /// If there are fewer than two layers, one without units, or more than 2²⁰ parameters.
    pub fn new(layers: &[usize], activation: Activation) -> Result<Self, ModelError> {
        let layers = layers.to_vec();
        if layers.len() < 2 {
            return Err(ModelError::TooFewLayers { layers });
        }
        if let Some(index) = layers.iter().position(|&units| units == 0) {
            return Err(ModelError::EmptyLayer { layers, index });
        }
        let count = layers.windows(2).try_fold(0usize, |sum, pair| {
            pair[0].checked_add(1)?.checked_mul(pair[1]).and_then(|weights| sum.checked_add(weights))
        });
        if count.is_none_or(|count| count > MOST_PARAMETERS) {
            let parameters = count.map_or_else(|| "more than 2⁶³".to_owned(), |count| count.to_string());
            return Err(ModelError::NetworkTooLarge { layers, parameters, most: MOST_PARAMETERS });
        }
        let inputs = numbered("x", layers[0]);
        let network = Self {
            layers,
            activation,
            parametrisation: Parametrisation::Standard,
            output_bias: true,
            inputs,
            parameters: Vec::new(),
        };
        Ok(network.with_names())
    }

    /// Whether the outputs have a bias; they do unless this says otherwise.
    #[must_use]
    pub fn output_bias(self, output_bias: bool) -> Self {
        Self { output_bias, ..self }.with_names()
    }

    /// How the weights enter.
    #[must_use]
    pub fn parametrisation(self, parametrisation: Parametrisation) -> Self {
        Self { parametrisation, ..self }
    }

    /// The columns that are its inputs.
    ///
    /// # Errors
    /// If they are not as many as the first layer has units.
    pub fn input_names<S: AsRef<str>>(self, names: &[S]) -> Result<Self, ModelError> {
        if names.len() != self.layers[0] {
            return Err(ModelError::InputNames { given: names.len(), wanted: self.layers[0] });
        }
        Ok(Self { inputs: names.iter().map(|name| name.as_ref().to_owned()).collect(), ..self })
    }

    fn with_names(mut self) -> Self {
        let mut names = Vec::new();
        for (l, layer) in self.weight_layers().enumerate() {
            let units = 1..=layer.units;
            names.extend(units.clone().flat_map(|u| (1..=layer.inputs).map(move |i| format!("w{}.{u}.{i}", l + 1))));
            names.extend(units.filter(|_| !layer.biases.is_empty()).map(|u| format!("b{}.{u}", l + 1)));
        }
        self.parameters = names;
        self
    }

    /// Numbers of inputs, hidden units and outputs.
    #[must_use]
    pub fn layers(&self) -> &[usize] {
        &self.layers
    }

    /// The activation of the hidden layers.
    #[must_use]
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// Outputs.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.layers[self.layers.len() - 1]
    }

    /// The columns that are its inputs.
    #[must_use]
    pub fn inputs(&self) -> &[String] {
        &self.inputs
    }

    /// The columns that are its responses unless others are named: `y`, or `y1`, `y2`, …
    pub(crate) fn responses(&self) -> Vec<String> {
        numbered("y", self.outputs())
    }

    /// The names of the parameters, in the order of θ.
    #[must_use]
    pub fn parameters(&self) -> &[String] {
        &self.parameters
    }

    /// The layers of weights, from the inputs on.
    pub fn weight_layers(&self) -> impl ExactSizeIterator<Item = Layer> + '_ {
        let mut next = 0;
        let last = self.layers.len() - 2;
        (0..last + 1).map(move |l| {
            let (inputs, units) = (self.layers[l], self.layers[l + 1]);
            let weights = next..next + inputs * units;
            let has_bias = l < last || self.output_bias;
            let biases = weights.end..weights.end + if has_bias { units } else { 0 };
            next = biases.end;
            Layer { inputs, units, weights, biases }
        })
    }

    /// Whether weights are divided by the root of their number.
    #[must_use]
    pub fn is_ntk(&self) -> bool {
        self.parametrisation == Parametrisation::Ntk
    }

    /// What the weights of a layer with so many inputs are multiplied by.
    pub(crate) fn weight_scale(&self, inputs: usize) -> f64 {
        match self.parametrisation {
            Parametrisation::Standard => 1.0,
            Parametrisation::Ntk => 1.0 / (inputs as f64).sqrt(),
        }
    }

    /// Units of the hidden layers but the last: those whose activations backpropagation comes back to.
    pub(crate) fn kept_units(&self) -> usize {
        let hidden = &self.layers[1..self.layers.len() - 1];
        hidden.iter().take(hidden.len().saturating_sub(1)).sum()
    }

    pub(super) fn operations(&self) -> u64 {
        let hidden: usize = self.layers[1..self.layers.len() - 1].iter().sum();
        // Forward a product and a sum, backward the same and the derivative itself.
        5 * self.parameters.len() as u64 + ACTIVATION * hidden as u64
    }

    pub(super) fn check_for_gpu(&self) -> Result<(), ModelError> {
        let units = self.kept_units();
        if units > MOST_KEPT_UNITS {
            return Err(ModelError::TooManyUnits { units, most: MOST_KEPT_UNITS });
        }
        Ok(())
    }

    /// Everything that decides what it computes.
    pub(super) fn digest_text(&self) -> String {
        let Self { layers, activation, parametrisation, output_bias, inputs, parameters: _ } = self;
        format!("{layers:?} {activation:?} {parametrisation:?} {output_bias} {inputs:?}")
    }
}

/// `x`, or `x1`, `x2`, … where there are several.
fn numbered(name: &str, count: usize) -> Vec<String> {
    if count == 1 { vec![name.to_owned()] } else { (1..=count).map(|k| format!("{name}{k}")).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_counted_and_named_layer_by_layer_weights_before_biases() {
        let network = Network::new(&[2, 3, 1], Activation::Tanh).unwrap();
        let names = "w1.1.1 w1.1.2 w1.2.1 w1.2.2 w1.3.1 w1.3.2 b1.1 b1.2 b1.3 w2.1.1 w2.1.2 w2.1.3 b2.1";
        assert_eq!(network.parameters().join(" "), names);
        assert_eq!(network.inputs(), ["x1", "x2"]);
        let counts = [(&[1, 100, 1][..], 301), (&[2, 64, 1], 257), (&[10, 256, 1], 3073), (&[10, 5, 1], 61)];
        for (layers, parameters) in counts {
            let network = Network::new(layers, Activation::Relu).unwrap();
            assert_eq!(network.parameters().len(), parameters);
            assert_eq!(network.output_bias(false).parameters().len(), parameters - 1);
        }
        assert_eq!(Network::new(&[1, 1], Activation::Tanh).unwrap().output_bias(false).parameters(), ["w1.1.1"]);
    }

    #[test]
    fn layers_that_make_no_network_are_refused_with_what_is_wrong() {
        let message = |layers: &[usize]| Network::new(layers, Activation::Tanh).unwrap_err().to_string();
        assert!(message(&[]).contains("names 0 layers") && message(&[3]).contains("names 1 layers"));
        assert!(message(&[1, 0, 1]).contains("layer 2 of [1, 0, 1] has no units"));
        assert!(message(&[1000, 2000, 1]).contains("has 2004001 parameters and natgrad takes at most 1048576"));
        assert!(message(&[usize::MAX, 2, 1]).contains("more than 2⁶³"));
        let names = Network::new(&[2, 3, 1], Activation::Tanh).unwrap().input_names(&["t"]);
        assert!(names.unwrap_err().to_string().contains("1 inputs are named and the first layer has 2 units"));
        let deep = Network::new(&[1, 600, 3, 1], Activation::Tanh).unwrap();
        assert!(deep.check_for_gpu().unwrap_err().to_string().contains("have 600 units and the GPU takes at most 512"));
        assert!(Network::new(&[1, 600, 1], Activation::Tanh).unwrap().check_for_gpu().is_ok());
    }
}
