use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::expr::{Ast, Expr, ParseError, Rewrites, Tape};
use crate::ngd::Scaling;

use super::expression::{Expression, Source};
use super::{Activation, ModelError, Network};

/// A model f(x, θ): an expression of named parameters and inputs, or a network, with its derivatives. Cheap to clone.
///
/// Names in an expression that are neither parameters nor constants are inputs: columns of the data. Derivatives are
/// taken symbolically from the expression, or by backpropagation through the network; there is nothing to write by hand
/// and nothing to rebuild.
#[derive(Clone, Debug)]
pub struct Model(Arc<Kind>);

/// What f is.
#[derive(Debug)]
pub(crate) enum Kind {
    Expression(Box<Expression>),
    Network(Network),
}

impl Model {
    /// Reads a model such as `b1*(1 - exp(-b2*x))`.
    ///
    /// # Errors
    /// If the text is not an expression, a parameter is unusable as a name, named twice, or does not occur in it.
    pub fn parse<S: AsRef<str>>(text: &str, parameters: &[S]) -> Result<Self, ModelError> {
        let parameters = parameters.iter().map(|name| name.as_ref().to_owned()).collect();
        Self::build(Source::Text(Arc::new(Ast::parse(text)?)), parameters, BTreeMap::new(), Rewrites::default())
    }

    /// A model built with Rust operators: `Expr::parameter("b1") * (1.0 - (-Expr::parameter("b2") * Expr::input("x")).exp())`.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn from_expr<S: AsRef<str>>(expression: &Expr, parameters: &[S]) -> Result<Self, ModelError> {
        let parameters = parameters.iter().map(|name| name.as_ref().to_owned()).collect();
        Self::build(Source::Operators(expression.clone()), parameters, BTreeMap::new(), Rewrites::default())
    }

    /// A fully connected network with this many inputs, hidden units and outputs, in the standard parametrisation with
    /// an output bias: `Model::network(&[1, 100, 1], Activation::Tanh)`. For others make a [`Network`] first.
    ///
    /// # Errors
    /// If there are fewer than two layers, one without units, or more parameters than [`Network`] takes.
    pub fn network(layers: &[usize], activation: Activation) -> Result<Self, ModelError> {
        Network::new(layers, activation).map(Self::from)
    }

    /// The model with named constants: names in the expression that stand for these numbers.
    ///
    /// # Errors
    /// If a constant is not finite, unusable as a name, is a parameter too, or does not occur in the expression; if the
    /// model is a network.
    pub fn with_constants<N: AsRef<str>>(&self, constants: &[(N, f64)]) -> Result<Self, ModelError> {
        if constants.is_empty() {
            return Ok(self.clone());
        }
        let expression = self.expression_for("a constant")?;
        let mut all = expression.constants.clone();
        for (name, value) in constants {
            let name = name.as_ref();
            if self.parameter_index(name).is_some() {
                return Err(ModelError::ConstantIsParameter { name: name.to_owned() });
            }
            expression.check_constant(name, *value)?;
            all.insert(name.to_owned(), *value);
        }
        Self::build(expression.source.clone(), expression.parameters.clone(), all, expression.rewrites)
    }

    /// The model with a parameter held at a value: it becomes a constant.
    ///
    /// # Errors
    /// If there is no such parameter, it is the last one, or the value is not finite; if the model is a network.
    pub fn fix(&self, parameter: &str, value: f64) -> Result<Self, ModelError> {
        let expression = self.expression_for("a fixed parameter")?;
        let Some(index) = self.parameter_index(parameter) else {
            return Err(ModelError::unknown_parameter(parameter, &expression.parameters));
        };
        if expression.parameters.len() == 1 {
            return Err(ModelError::NothingToFit { name: parameter.to_owned() });
        }
        expression.check_constant(parameter, value)?;
        let mut parameters = expression.parameters.clone();
        parameters.remove(index);
        let mut constants = expression.constants.clone();
        constants.insert(parameter.to_owned(), value);
        Self::build(expression.source.clone(), parameters, constants, expression.rewrites)
    }

    /// The model with another set of rounding-changing rewrites.
    ///
    /// # Errors
    /// If the model is a network, which has none.
    pub fn with_rewrites(&self, rewrites: Rewrites) -> Result<Self, ModelError> {
        let expression = self.expression_for("a rewrite")?;
        Self::build(expression.source.clone(), expression.parameters.clone(), expression.constants.clone(), rewrites)
    }

    fn build(
        source: Source,
        parameters: Vec<String>,
        constants: BTreeMap<String, f64>,
        rewrites: Rewrites,
    ) -> Result<Self, ModelError> {
        Expression::new(source, parameters, constants, rewrites)
            .map(|model| Self(Arc::new(Kind::Expression(Box::new(model)))))
    }

    /// Whether this is the other or a clone of it.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn expression_for(&self, what: &'static str) -> Result<&Expression, ModelError> {
        match &*self.0 {
            Kind::Expression(expression) => Ok(expression),
            Kind::Network(_) => Err(ModelError::NotAnExpression { what }),
        }
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.0
    }

    /// The network, where the model is one.
    #[must_use]
    pub fn as_network(&self) -> Option<&Network> {
        match &*self.0 {
            Kind::Expression(_) => None,
            Kind::Network(network) => Some(network),
        }
    }

    /// The parameters' names, in the order of θ.
    #[must_use]
    pub fn parameters(&self) -> &[String] {
        match &*self.0 {
            Kind::Expression(expression) => &expression.parameters,
            Kind::Network(network) => network.parameters(),
        }
    }

    /// The inputs' names: columns that the data must have. Of an expression in order of first appearance.
    #[must_use]
    pub fn inputs(&self) -> &[String] {
        match &*self.0 {
            Kind::Expression(expression) => &expression.inputs,
            Kind::Network(network) => network.inputs(),
        }
    }

    /// How many responses there are at a row: the outputs of a network, 1 of an expression.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.as_network().map_or(1, Network::outputs)
    }

    /// The numbers that one residual is evaluated at: the inputs, and behind them, where there are several outputs, which
    /// one it belongs to.
    pub(crate) fn row_inputs(&self) -> usize {
        self.inputs().len() + usize::from(self.outputs() > 1)
    }

    /// The named constants and fixed parameters.
    pub fn constants(&self) -> impl Iterator<Item = (&str, f64)> {
        let constants = match &*self.0 {
            Kind::Expression(expression) => Some(&expression.constants),
            Kind::Network(_) => None,
        };
        constants.into_iter().flatten().map(|(name, &value)| (name.as_str(), value))
    }

    /// The text of the model, if it was given as text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &*self.0 {
            Kind::Expression(expression) => expression.text(),
            Kind::Network(_) => None,
        }
    }

    /// The column scaling that suits the model where none is asked for: columns for expressions, whose parameters have
    /// units, none for networks.
    #[must_use]
    pub fn default_scaling(&self) -> Scaling {
        match &*self.0 {
            Kind::Expression(_) => Scaling::Columns,
            Kind::Network(_) => Scaling::None,
        }
    }

    /// Evaluates f in f64. Of a network with several outputs the last input says which, counted from 0.
    ///
    /// # Panics
    /// If `theta` or `inputs` are shorter than [`parameters`](Self::parameters) and [`inputs`](Self::inputs).
    #[must_use]
    pub fn evaluate(&self, theta: &[f64], inputs: &[f64]) -> f64 {
        match &*self.0 {
            Kind::Expression(expression) => {
                let mut out = [0.0];
                expression.value().evaluate(theta, inputs, &mut Vec::new(), &mut out);
                out[0]
            }
            Kind::Network(network) => network.evaluate(theta, inputs),
        }
    }

    /// Begins to evaluate rows at θ; `scratch` is reused.
    pub(crate) fn prepare(&self, theta: &[f64], scratch: &mut Vec<f64>) {
        match &*self.0 {
            Kind::Expression(expression) => expression.jacobian().prepare(theta, scratch),
            Kind::Network(network) => network.prepare(theta, scratch),
        }
    }

    /// f and its p derivatives at a row, after [`prepare`](Self::prepare) on the same scratch.
    pub(crate) fn row(&self, inputs: &[f64], scratch: &mut [f64], out: &mut [f64]) {
        match &*self.0 {
            Kind::Expression(expression) => expression.jacobian().row(inputs, scratch, out),
            Kind::Network(network) => network.row(inputs, scratch, out),
        }
    }

    /// Rows side by side: [`prepare`](Self::prepare) and [`row`](Self::row) of so many, `None` of a network, whose rows are
    /// work enough each.
    pub(crate) fn side_by_side(&self) -> Option<&Tape> {
        match &*self.0 {
            Kind::Expression(expression) => Some(expression.jacobian()),
            Kind::Network(_) => None,
        }
    }

    /// Begins to evaluate second derivatives at θ.
    pub(crate) fn prepare_curvature(&self, theta: &[f64], scratch: &mut Vec<f64>) {
        match &*self.0 {
            Kind::Expression(expression) => expression.curvature().prepare(theta, scratch),
            Kind::Network(network) => network.prepare(theta, scratch),
        }
    }

    /// ∂²f/∂θⱼ∂θₖ for k ≤ j, row by row of the triangle, at a row of data, after
    /// [`prepare_curvature`](Self::prepare_curvature).
    pub(crate) fn curvature_row(&self, inputs: &[f64], scratch: &mut [f64], triangle: &mut [f64]) {
        match &*self.0 {
            Kind::Expression(expression) => expression.curvature().row(inputs, scratch, triangle),
            Kind::Network(network) => network.curvature_row(inputs, scratch, triangle),
        }
    }

    /// Second derivatives ∂²f/∂θⱼ∂θₖ in f64, p×p row by row, symmetric to the bit.
    ///
    /// # Panics
    /// If `theta` or `inputs` are shorter than [`parameters`](Self::parameters) and [`inputs`](Self::inputs).
    #[must_use]
    pub fn hessian(&self, theta: &[f64], inputs: &[f64]) -> Vec<f64> {
        let p = self.parameters().len();
        let (mut scratch, mut triangle) = (Vec::new(), vec![0.0; p * (p + 1) / 2]);
        self.prepare_curvature(theta, &mut scratch);
        self.curvature_row(inputs, &mut scratch, &mut triangle);
        let at = |j: usize, k: usize| triangle[j.max(k) * (j.max(k) + 1) / 2 + j.min(k)];
        (0..p).flat_map(|j| (0..p).map(move |k| (j, k))).map(|(j, k)| at(j, k)).collect()
    }

    /// Position of a parameter in θ.
    #[must_use]
    pub fn parameter_index(&self, name: &str) -> Option<usize> {
        self.parameters().iter().position(|parameter| parameter == name)
    }

    /// Operations that f and its derivatives take at one row: 1 for arithmetic, 40 for an elementary function, 100 for a
    /// power that is no product.
    ///
    /// Of an expression a GPU takes at most 65,536 of them, 300 levels of `a**a**…`: drivers compile straight-line code in
    /// a time that grows faster than its length (Mesa's software Vulkan: 5 s for 42,000, 21 s for 84,000). The CPU takes
    /// any number.
    #[must_use]
    pub fn operations(&self) -> u64 {
        match &*self.0 {
            Kind::Expression(expression) => expression.operations(),
            Kind::Network(network) => network.operations(),
        }
    }

    /// Refuses a model that a driver would compile for minutes, or whose numbers f32 does not hold.
    pub(crate) fn check_for_gpu(&self) -> Result<(), ModelError> {
        match &*self.0 {
            Kind::Expression(expression) => {
                expression.check_length()?;
                expression.check_f32()
            }
            Kind::Network(network) => network.check_for_gpu(),
        }
    }

    /// The first input of an expression that is none of the known columns, as an error that points at it.
    pub(crate) fn first_unknown(&self, known: &dyn Fn(&str) -> bool, columns: &[&str]) -> Option<ParseError> {
        match &*self.0 {
            Kind::Expression(expression) => expression.first_unknown(known, columns),
            Kind::Network(_) => None,
        }
    }

    /// SHA-256 over everything that decides what the model computes.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        match &*self.0 {
            Kind::Expression(expression) => expression.digest(&mut hash),
            Kind::Network(network) => hash.update(network.digest_text()),
        }
        hash.finalize().into()
    }
}

impl From<Network> for Model {
    fn from(network: Network) -> Self {
        Self(Arc::new(Kind::Network(network)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(model: Result<Model, ModelError>) -> String {
        model.unwrap_err().to_string()
    }

    #[test]
    fn names_that_are_neither_parameters_nor_constants_are_inputs_in_order_of_appearance() {
        let model = Model::parse("a*u + b*sin(v) + c*u", &["b", "a"]).unwrap().with_constants(&[("c", 3.0)]).unwrap();
        assert_eq!(model.parameters(), ["b", "a"]);
        assert_eq!(model.inputs(), ["u", "v"]);
        assert_eq!(model.evaluate(&[0.0, 1.0], &[2.0, 0.0]), 8.0);
    }

    #[test]
    fn a_fixed_parameter_keeps_its_place_in_the_formula_and_leaves_theta() {
        let model = Model::parse("a + 10*b + 100*c", &["a", "b", "c"]).unwrap().fix("b", 2.0).unwrap();
        assert_eq!(model.parameters(), ["a", "c"]);
        assert_eq!(model.evaluate(&[1.0, 3.0], &[]), 321.0);
        assert_eq!(model.constants().collect::<Vec<_>>(), [("b", 2.0)]);
    }

    #[test]
    fn unusable_requests_say_what_and_how_to_mend_it() {
        let none: [&str; 0] = [];
        assert!(message(Model::parse("x", &none)).contains("no parameters"));
        assert!(message(Model::parse("a*x", &["a", "a"])).contains("named twice"));
        assert!(message(Model::parse("a*x", &["a", "b"])).contains("\"b\" does not occur"));
        assert!(message(Model::parse("a*pi", &["pi"])).contains("pi"));
        let model = Model::parse("amplitude*x", &["amplitude"]).unwrap();
        assert!(message(model.fix("amplitud", 1.0)).contains("did you mean \"amplitude\"?"));
        assert!(message(model.fix("amplitude", 1.0)).contains("leave one free"));
        assert!(message(model.with_constants(&[("x", f64::NAN)])).contains("finite"));
        assert!(message(model.with_constants(&[("amplitude", 1.0)])).contains("parameter and a constant"));
        assert!(message(model.with_constants(&[("z", 1.0)])).contains("does not occur"));
    }

    #[test]
    fn rewrites_can_be_turned_off_and_change_no_more_than_rounding() {
        let model = Model::parse("exp(-x/a)/(a + b) + x/(a + b)", &["a", "b"]).unwrap();
        let plain = model.with_rewrites(Rewrites::none()).unwrap();
        assert_ne!(model.digest(), plain.digest());
        let mut differs = false;
        for i in 1..100 {
            let x = f64::from(i) * 0.1;
            let (fast, exact) = (model.evaluate(&[1.7, 0.9], &[x]), plain.evaluate(&[1.7, 0.9], &[x]));
            // Two terms of at most 4 roundings each, the exponent's magnified by |x/a| < 6.
            assert!((fast - exact).abs() <= 20.0 * f64::EPSILON * exact.abs());
            differs |= fast != exact;
        }
        assert!(differs, "no rewrite took place");
    }

    #[test]
    fn the_digest_knows_constants_and_parameters() {
        let model = Model::parse("a*x + c", &["a"]).unwrap();
        let with = |c: f64| model.with_constants(&[("c", c)]).unwrap().digest();
        assert_eq!(with(1.0), with(1.0));
        assert_ne!(with(1.0), with(2.0));
        assert_ne!(model.digest(), with(1.0));
    }
}
