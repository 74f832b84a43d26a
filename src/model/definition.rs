use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use sha2::{Digest, Sha256};

use crate::expr::{Ast, Expr, Graph, NodeId, ParseError, Rewrites, Symbol, Tape, check_name, gradient, wgsl};
use crate::ngd::Scaling;

use super::ModelError;

/// A model f(x, θ): an expression of named parameters and inputs, with its derivatives. Cheap to clone.
///
/// Names in the expression that are neither parameters nor constants are inputs: columns of the data. Derivatives are
/// taken symbolically from the expression; there is nothing to write by hand and nothing to rebuild.
#[derive(Clone, Debug)]
pub struct Model(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    source: Source,
    parameters: Vec<String>,
    constants: BTreeMap<String, f64>,
    rewrites: Rewrites,
    inputs: Vec<String>,
    compiled: Compiled,
    /// Second derivatives, which only some need.
    curvature: OnceLock<Tape>,
}

#[derive(Clone, Debug)]
enum Source {
    Text(Arc<Ast>),
    Operators(Expr),
}

/// The graph of a model, and its tapes.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) graph: Graph,
    /// f, then ∂f/∂θ₁ … ∂f/∂θₚ.
    pub(crate) outputs: Vec<NodeId>,
    value: Tape,
    jacobian: Tape,
}

/// The most operations of a model on a GPU.
const MOST_OPERATIONS: u64 = 65_536;

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

    /// The model with named constants: names in the expression that stand for these numbers.
    ///
    /// # Errors
    /// If a constant is not finite, unusable as a name, is a parameter too, or does not occur in the expression.
    pub fn with_constants<N: AsRef<str>>(&self, constants: &[(N, f64)]) -> Result<Self, ModelError> {
        let mut all = self.0.constants.clone();
        for (name, value) in constants {
            let name = name.as_ref();
            if self.parameter_index(name).is_some() {
                return Err(ModelError::ConstantIsParameter { name: name.to_owned() });
            }
            self.check_constant(name, *value)?;
            all.insert(name.to_owned(), *value);
        }
        Self::build(self.0.source.clone(), self.0.parameters.clone(), all, self.0.rewrites)
    }

    /// The model with a parameter held at a value: it becomes a constant.
    ///
    /// # Errors
    /// If there is no such parameter, it is the last one, or the value is not finite.
    pub fn fix(&self, parameter: &str, value: f64) -> Result<Self, ModelError> {
        let Some(index) = self.parameter_index(parameter) else {
            return Err(ModelError::unknown_parameter(parameter, &self.0.parameters));
        };
        if self.0.parameters.len() == 1 {
            return Err(ModelError::NothingToFit { name: parameter.to_owned() });
        }
        self.check_constant(parameter, value)?;
        let mut parameters = self.0.parameters.clone();
        parameters.remove(index);
        let mut constants = self.0.constants.clone();
        constants.insert(parameter.to_owned(), value);
        Self::build(self.0.source.clone(), parameters, constants, self.0.rewrites)
    }

    /// The model with another set of rounding-changing rewrites.
    ///
    /// # Errors
    /// None that the model did not already have.
    pub fn with_rewrites(&self, rewrites: Rewrites) -> Result<Self, ModelError> {
        Self::build(self.0.source.clone(), self.0.parameters.clone(), self.0.constants.clone(), rewrites)
    }

    fn check_constant(&self, name: &str, value: f64) -> Result<(), ModelError> {
        check_name(name)?;
        if !value.is_finite() {
            return Err(ModelError::ConstantNotFinite { name: name.to_owned(), value });
        }
        if !self.0.source.mentions(name) {
            return Err(ModelError::Unused { kind: "constant", name: name.to_owned() });
        }
        Ok(())
    }

    fn build(
        source: Source,
        parameters: Vec<String>,
        constants: BTreeMap<String, f64>,
        rewrites: Rewrites,
    ) -> Result<Self, ModelError> {
        if parameters.is_empty() {
            return Err(ModelError::NoParameters);
        }
        for (j, name) in parameters.iter().enumerate() {
            check_name(name)?;
            if parameters[..j].contains(name) {
                return Err(ModelError::DuplicateParameter { name: name.clone() });
            }
            if !source.mentions(name) {
                return Err(ModelError::Unused { kind: "parameter", name: name.clone() });
            }
        }
        let mut inputs: Vec<String> = Vec::new();
        let mut resolve = |name: &str| {
            Some(if let Some(j) = parameters.iter().position(|parameter| parameter == name) {
                Symbol::Parameter(j as u32)
            } else if let Some(&value) = constants.get(name) {
                Symbol::Number(value)
            } else {
                let index = inputs.iter().position(|input| input == name).unwrap_or_else(|| {
                    inputs.push(name.to_owned());
                    inputs.len() - 1
                });
                Symbol::Input(index as u32)
            })
        };
        let mut graph = Graph::new();
        let value = source.lower(&mut graph, &mut resolve)?;
        let derivatives = gradient(&mut graph, value, parameters.len() as u32);
        let outputs: Vec<NodeId> = std::iter::once(value).chain(derivatives).collect();
        let outputs = rewrites.apply(&mut graph, &outputs);
        let compiled =
            Compiled { value: Tape::new(&graph, &outputs[..1]), jacobian: Tape::new(&graph, &outputs), graph, outputs };
        let curvature = OnceLock::new();
        Ok(Self(Arc::new(Inner { source, parameters, constants, rewrites, inputs, compiled, curvature })))
    }

    /// The parameters' names, in the order of θ.
    #[must_use]
    pub fn parameters(&self) -> &[String] {
        &self.0.parameters
    }

    /// The inputs' names, in order of first appearance: columns that the data must have.
    #[must_use]
    pub fn inputs(&self) -> &[String] {
        &self.0.inputs
    }

    /// The named constants and fixed parameters.
    pub fn constants(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.constants.iter().map(|(name, &value)| (name.as_str(), value))
    }

    /// The text of the model, if it was given as text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.0.source {
            Source::Text(ast) => Some(ast.text()),
            Source::Operators(_) => None,
        }
    }

    /// The column scaling that suits the model where none is asked for.
    #[must_use]
    pub fn default_scaling(&self) -> Scaling {
        Scaling::Columns
    }

    /// Evaluates f in f64.
    ///
    /// # Panics
    /// If `theta` or `inputs` are shorter than [`parameters`](Self::parameters) and [`inputs`](Self::inputs).
    #[must_use]
    pub fn evaluate(&self, theta: &[f64], inputs: &[f64]) -> f64 {
        let mut out = [0.0];
        self.0.compiled.value.evaluate(theta, inputs, &mut Vec::new(), &mut out);
        out[0]
    }

    /// Second derivatives ∂²f/∂θⱼ∂θₖ in f64, p×p row by row, symmetric to the bit.
    ///
    /// # Panics
    /// If `theta` or `inputs` are shorter than [`parameters`](Self::parameters) and [`inputs`](Self::inputs).
    #[must_use]
    pub fn hessian(&self, theta: &[f64], inputs: &[f64]) -> Vec<f64> {
        let p = self.parameters().len();
        let mut triangle = vec![0.0; p * (p + 1) / 2];
        self.curvature_tape().evaluate(theta, inputs, &mut Vec::new(), &mut triangle);
        let at = |j: usize, k: usize| triangle[j.max(k) * (j.max(k) + 1) / 2 + j.min(k)];
        (0..p).flat_map(|j| (0..p).map(move |k| (j, k))).map(|(j, k)| at(j, k)).collect()
    }

    /// Position of a parameter in θ.
    #[must_use]
    pub fn parameter_index(&self, name: &str) -> Option<usize> {
        self.0.parameters.iter().position(|parameter| parameter == name)
    }

    /// Operations that f and its derivatives take at one row: 1 for arithmetic, 40 for an elementary function, 100 for a
    /// power that is no product.
    ///
    /// A GPU takes at most 65,536 of them, 300 levels of `a**a**…`: drivers compile straight-line code in a time that
    /// grows faster than its length (Mesa's software Vulkan: 5 s for 42,000, 21 s for 84,000). The CPU takes any number.
    #[must_use]
    pub fn operations(&self) -> u64 {
        wgsl::operations(&self.0.compiled.graph, &self.0.compiled.outputs)
    }

    /// Refuses a model that a driver would compile for minutes.
    pub(crate) fn check_length(&self) -> Result<(), ModelError> {
        match self.operations() {
            operations if operations > MOST_OPERATIONS => {
                Err(ModelError::TooLong { operations, most: MOST_OPERATIONS })
            }
            _ => Ok(()),
        }
    }

    /// Refuses numbers that f32 does not hold.
    pub(crate) fn check_f32(&self) -> Result<(), ModelError> {
        self.0.compiled.graph.check_range_f32(&self.0.compiled.outputs).map_err(ModelError::from)
    }

    /// The first input that is none of the known columns, as an error that points at it.
    pub(crate) fn first_unknown(&self, known: &dyn Fn(&str) -> bool, columns: &[&str]) -> Option<ParseError> {
        let missing = |name: &str| self.0.inputs.iter().any(|input| input == name) && !known(name);
        let candidates: Vec<&str> = self
            .0
            .parameters
            .iter()
            .map(String::as_str)
            .chain(self.0.constants.keys().map(String::as_str))
            .chain(columns.iter().copied())
            .collect();
        self.0.inputs.iter().find(|name| missing(name))?;
        let mut resolve = |name: &str| if missing(name) { None } else { Some(Symbol::Number(0.0)) };
        self.0.source.lower_with(&mut Graph::new(), &mut resolve, &candidates).err()
    }

    /// The tape of f and its derivatives.
    pub(crate) fn jacobian_tape(&self) -> &Tape {
        &self.0.compiled.jacobian
    }

    /// The tape of second derivatives ∂²f/∂θⱼ∂θₖ for k ≤ j, row by row of the triangle: the derivatives of f
    /// differentiated once more, graph to graph, at first use.
    pub(crate) fn curvature_tape(&self) -> &Tape {
        self.0.curvature.get_or_init(|| {
            let mut graph = self.0.compiled.graph.clone();
            let derivatives = self.0.compiled.outputs[1..].to_vec();
            let mut second = Vec::with_capacity(derivatives.len() * (derivatives.len() + 1) / 2);
            for (j, &derivative) in derivatives.iter().enumerate() {
                second.extend(gradient(&mut graph, derivative, derivatives.len() as u32).into_iter().take(j + 1));
            }
            Tape::new(&graph, &second)
        })
    }

    pub(crate) fn compiled(&self) -> &Compiled {
        &self.0.compiled
    }

    /// SHA-256 over everything that decides what the model computes.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        let inner = &self.0;
        match &inner.source {
            Source::Text(ast) => hash.update(ast.text()),
            Source::Operators(_) => {
                // The graph is canonical: equal expressions intern to equal nodes.
                hash.update(format!("{:?} {:?}", inner.compiled.graph, inner.compiled.outputs));
            }
        }
        hash.update(format!("{:?} {:?} {:?}", inner.parameters, inner.constants, inner.rewrites));
        hash.finalize().into()
    }
}

impl Source {
    fn mentions(&self, name: &str) -> bool {
        match self {
            Self::Text(ast) => ast.names().any(|(known, _)| known == name),
            Self::Operators(expression) => {
                expression.parameters().iter().chain(&expression.inputs()).any(|known| &**known == name)
            }
        }
    }

    fn lower(&self, graph: &mut Graph, resolve: &mut dyn FnMut(&str) -> Option<Symbol>) -> Result<NodeId, ParseError> {
        self.lower_with(graph, resolve, &[])
    }

    fn lower_with(
        &self,
        graph: &mut Graph,
        resolve: &mut dyn FnMut(&str) -> Option<Symbol>,
        candidates: &[&str],
    ) -> Result<NodeId, ParseError> {
        match self {
            Self::Text(ast) => ast.lower(graph, resolve, candidates),
            Self::Operators(expression) => expression.lower(graph, resolve, candidates),
        }
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
