//! A model that is an expression of named parameters and inputs.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use sha2::{Digest, Sha256};

use crate::expr::{Ast, Expr, Graph, NodeId, ParseError, Rewrites, Symbol, Tape, check_name, gradient, wgsl};

use super::ModelError;

/// A model that is an expression, with its derivatives.
#[derive(Debug)]
pub(crate) struct Expression {
    pub(super) source: Source,
    pub(crate) parameters: Vec<String>,
    pub(super) constants: BTreeMap<String, f64>,
    pub(crate) rewrites: Rewrites,
    pub(crate) inputs: Vec<String>,
    pub(crate) graph: Graph,
    /// f, then ∂f/∂θ₁ … ∂f/∂θₚ.
    pub(crate) outputs: Vec<NodeId>,
    value: Tape,
    jacobian: Tape,
    /// Second derivatives, which only some need.
    curvature: OnceLock<Tape>,
}

#[derive(Clone, Debug)]
pub(super) enum Source {
    Text(Arc<Ast>),
    Operators(Expr),
}

/// The most operations of a model on a GPU.
const MOST_OPERATIONS: u64 = 65_536;

impl Expression {
    pub(super) fn check_constant(&self, name: &str, value: f64) -> Result<(), ModelError> {
        check_name(name)?;
        if !value.is_finite() {
            return Err(ModelError::ConstantNotFinite { name: name.to_owned(), value });
        }
        if !self.source.mentions(name) {
            return Err(ModelError::Unused { kind: "constant", name: name.to_owned() });
        }
        Ok(())
    }

    pub(super) fn new(
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
        Ok(Self {
            value: Tape::new(&graph, &outputs[..1]),
            jacobian: Tape::new(&graph, &outputs),
            curvature: OnceLock::new(),
            source,
            parameters,
            constants,
            rewrites,
            inputs,
            graph,
            outputs,
        })
    }

    /// The text, if it was given as text.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.source {
            Source::Text(ast) => Some(ast.text()),
            Source::Operators(_) => None,
        }
    }

    /// The tape of f.
    pub(super) fn value(&self) -> &Tape {
        &self.value
    }

    /// The tape of f and its derivatives.
    pub(super) fn jacobian(&self) -> &Tape {
        &self.jacobian
    }

    /// The tape of second derivatives ∂²f/∂θⱼ∂θₖ for k ≤ j, row by row of the triangle: the derivatives of f
    /// differentiated once more, graph to graph, at first use.
    pub(super) fn curvature(&self) -> &Tape {
        self.curvature.get_or_init(|| {
            let mut graph = self.graph.clone();
            let derivatives = self.outputs[1..].to_vec();
            let mut second = Vec::with_capacity(derivatives.len() * (derivatives.len() + 1) / 2);
            for (j, &derivative) in derivatives.iter().enumerate() {
                second.extend(gradient(&mut graph, derivative, derivatives.len() as u32).into_iter().take(j + 1));
            }
            Tape::new(&graph, &second)
        })
    }

    pub(super) fn operations(&self) -> u64 {
        wgsl::operations(&self.graph, &self.outputs)
    }

    /// Refuses a model that a driver would compile for minutes.
    pub(super) fn check_length(&self) -> Result<(), ModelError> {
        match self.operations() {
            operations if operations > MOST_OPERATIONS => {
                Err(ModelError::TooLong { operations, most: MOST_OPERATIONS })
            }
            _ => Ok(()),
        }
    }

    /// Refuses numbers that f32 does not hold.
    pub(super) fn check_f32(&self) -> Result<(), ModelError> {
        self.graph.check_range_f32(&self.outputs).map_err(ModelError::from)
    }

    /// The first input that is none of the known columns, as an error that points at it.
    pub(super) fn first_unknown(&self, known: &dyn Fn(&str) -> bool, columns: &[&str]) -> Option<ParseError> {
        let missing = |name: &str| self.inputs.iter().any(|input| input == name) && !known(name);
        let candidates: Vec<&str> = self
            .parameters
            .iter()
            .map(String::as_str)
            .chain(self.constants.keys().map(String::as_str))
            .chain(columns.iter().copied())
            .collect();
        self.inputs.iter().find(|name| missing(name))?;
        let mut resolve = |name: &str| if missing(name) { None } else { Some(Symbol::Number(0.0)) };
        self.source.lower_with(&mut Graph::new(), &mut resolve, &candidates).err()
    }

    /// Everything that decides what the model computes.
    pub(super) fn digest(&self, hash: &mut Sha256) {
        match &self.source {
            Source::Text(ast) => hash.update(ast.text()),
            Source::Operators(_) => {
                // The graph is canonical: equal expressions intern to equal nodes.
                hash.update(format!("{:?} {:?}", self.graph, self.outputs));
            }
        }
        hash.update(format!("{:?} {:?} {:?}", self.parameters, self.constants, self.rewrites));
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
