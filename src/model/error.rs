use crate::expr::{NameError, ParseError, RangeError, did_you_mean};

/// A model that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The text is not an expression.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// A name is taken.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A number in the model is beyond the precision of the device.
    #[error(transparent)]
    Range(#[from] RangeError),
    /// More code than a driver compiles in reasonable time.
    #[error(
        "the model and its derivatives take {operations} operations and the GPU takes at most {most}, for its driver's compiler: shorten the model, or use the CPU (--device cpu)"
    )]
    TooLong {
        /// Operations of the model and its derivatives.
        operations: u64,
        /// The most there can be.
        most: u64,
    },
    /// There is nothing to fit.
    #[error("the model has no parameters: name at least one, as in --parameters b1,b2")]
    NoParameters,
    /// All parameters would be fixed.
    #[error("fixing \"{name}\" leaves no parameter to fit: leave one free")]
    NothingToFit {
        /// The last parameter.
        name: String,
    },
    /// A parameter is named twice.
    #[error("parameter \"{name}\" is named twice: keep one of them")]
    DuplicateParameter {
        /// The parameter.
        name: String,
    },
    /// Something is named that the expression does not use.
    #[error("{kind} \"{name}\" does not occur in the model: leave it out, or use it")]
    Unused {
        /// Parameter or constant.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// A name is both.
    #[error("\"{name}\" is a parameter and a constant: keep one of them, or hold the parameter by --fix {name}=…")]
    ConstantIsParameter {
        /// The name.
        name: String,
    },
    /// A constant is NaN or infinite.
    #[error("constant \"{name}\" is {value}: give a finite number")]
    ConstantNotFinite {
        /// The constant.
        name: String,
        /// Its value.
        value: f64,
    },
    /// No such parameter.
    #[error("unknown parameter \"{name}\"{}", suggestion.as_ref().map_or_else(|| format!(": the model has {known}"), |near| format!(": did you mean \"{near}\"?")))]
    UnknownParameter {
        /// What was named.
        name: String,
        /// The nearest parameter.
        suggestion: Option<String>,
        /// The parameters there are.
        known: String,
    },
    /// What only an expression can have.
    #[error("a network has no use for {what}: leave it out, or write the model as an expression")]
    NotAnExpression {
        /// What was asked for.
        what: &'static str,
    },
    /// A network without a layer of weights.
    #[error("{layers:?} names {} layers and a network has two at least, its inputs and its outputs: write [1, 20, 1]", layers.len())]
    TooFewLayers {
        /// The layers given.
        layers: Vec<usize>,
    },
    /// A layer without units.
    #[error("layer {} of {layers:?} has no units: give it 1 at least", index + 1)]
    EmptyLayer {
        /// The layers given.
        layers: Vec<usize>,
        /// The layer, from 0.
        index: usize,
    },
    /// More parameters than anything could hold.
    #[error(
        "a network of the layers {layers:?} has {parameters} parameters and natgrad takes at most {most}: make its hidden layers smaller"
    )]
    NetworkTooLarge {
        /// The layers given.
        layers: Vec<usize>,
        /// Parameters of it.
        parameters: String,
        /// The most there can be.
        most: usize,
    },
    /// More units than an invocation of a GPU keeps.
    #[error(
        "the hidden layers but the last of a network have {units} units and the GPU takes at most {most}: make them smaller, or use the CPU (--device cpu)"
    )]
    TooManyUnits {
        /// Units of the hidden layers but the last.
        units: usize,
        /// The most there can be.
        most: usize,
    },
    /// Names of inputs that are not as many as the first layer has units.
    #[error("{given} inputs are named and the first layer has {wanted} units: make them agree")]
    InputNames {
        /// Names given.
        given: usize,
        /// Units of the first layer.
        wanted: usize,
    },
    /// A word that is no activation.
    #[error("unknown activation \"{name}\"{}", suggestion.as_ref().map_or_else(|| ": there are tanh, relu, silu and identity".to_owned(), |near| format!(": did you mean \"{near}\"?")))]
    UnknownActivation {
        /// What was named.
        name: String,
        /// The nearest activation.
        suggestion: Option<String>,
    },
    /// θ or x has the wrong length.
    #[error("{what} has {given} values and the model wants {wanted}")]
    Length {
        /// θ or the inputs.
        what: &'static str,
        /// Values given.
        given: usize,
        /// Values wanted.
        wanted: usize,
    },
}

impl ModelError {
    pub(crate) fn unknown_parameter(name: &str, parameters: &[String]) -> Self {
        let names: Vec<&str> = parameters.iter().map(String::as_str).collect();
        Self::UnknownParameter {
            name: name.to_owned(),
            suggestion: did_you_mean(name, &names).map(str::to_owned),
            known: parameters.join(", "),
        }
    }
}
