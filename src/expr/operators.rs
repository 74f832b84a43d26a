//! Expressions built with Rust operators.

use std::collections::HashMap;
use std::fmt;
use std::ops::{Add, Div, Mul, Neg, Sub};
use std::sync::Arc;

use super::ast::Symbol;
use super::error::{ParseError, ParseErrorKind};
use super::graph::{Graph, NodeId};
use super::ops::{BinaryOp, UnaryOp};

/// A scalar expression built with operators: `Expr::parameter("b1") * (-Expr::parameter("b2") * Expr::input("x")).exp()`.
///
/// Cheap to clone (a shared pointer). Lowered to a [`Graph`] it becomes the very nodes that the same formula as text
/// becomes. Long chains and shared parts are walked and dropped without recursion.
#[derive(Clone)]
pub struct Expr(Arc<Part>);

enum Kind {
    Number(f64),
    Parameter(Arc<str>),
    Input(Arc<str>),
    Unary(UnaryOp, Expr),
    Binary(BinaryOp, Expr, Expr),
}

/// A node of the shared tree; `None` only while it is being dropped.
struct Part(Option<Kind>);

impl Drop for Part {
    fn drop(&mut self) {
        // Without this, dropping a chain of a million terms would recurse a million deep.
        let mut last_owners = Vec::new();
        let mut kind = self.0.take();
        loop {
            match kind {
                Some(Kind::Unary(_, a)) => last_owners.extend(Arc::into_inner(a.0)),
                Some(Kind::Binary(_, a, b)) => {
                    last_owners.extend(Arc::into_inner(a.0));
                    last_owners.extend(Arc::into_inner(b.0));
                }
                _ => {}
            }
            match last_owners.pop() {
                // Emptied here, so that its own drop finds nothing to do.
                Some(mut part) => kind = part.0.take(),
                None => return,
            }
        }
    }
}

impl Expr {
    fn new(kind: Kind) -> Self {
        Expr(Arc::new(Part(Some(kind))))
    }

    /// A parameter, by name.
    pub fn parameter(name: impl Into<Arc<str>>) -> Self {
        Expr::new(Kind::Parameter(name.into()))
    }

    /// An input (a column of the data), by name.
    pub fn input(name: impl Into<Arc<str>>) -> Self {
        Expr::new(Kind::Input(name.into()))
    }

    /// A constant.
    #[must_use]
    pub fn number(value: f64) -> Self {
        Expr::new(Kind::Number(value))
    }

    fn unary(&self, op: UnaryOp) -> Self {
        Expr::new(Kind::Unary(op, self.clone()))
    }

    fn binary(&self, op: BinaryOp, other: impl Into<Expr>) -> Self {
        Expr::new(Kind::Binary(op, self.clone(), other.into()))
    }

    /// An integer power, computed by products (a power function where |n| > 65,536).
    #[must_use]
    pub fn powi(&self, n: i32) -> Self {
        self.pow(f64::from(n))
    }

    /// A power; an exponent that is a constant integer makes products.
    #[must_use]
    pub fn pow(&self, exponent: impl Into<Expr>) -> Self {
        self.binary(BinaryOp::Pow, exponent)
    }

    /// The smaller of two.
    #[must_use]
    pub fn min(&self, other: impl Into<Expr>) -> Self {
        self.binary(BinaryOp::Min, other)
    }

    /// The larger of two.
    #[must_use]
    pub fn max(&self, other: impl Into<Expr>) -> Self {
        self.binary(BinaryOp::Max, other)
    }

    /// The angle of the point (`x`, self), in radians.
    #[must_use]
    pub fn atan2(&self, x: impl Into<Expr>) -> Self {
        self.binary(BinaryOp::Atan2, x)
    }

    /// The distinct names of the parameters, in the order in which the formula as text would show them first.
    #[must_use]
    pub fn parameters(&self) -> Vec<Arc<str>> {
        self.names(|kind| if let Kind::Parameter(name) = kind { Some(name) } else { None })
    }

    /// The distinct names of the inputs, in the order in which the formula as text would show them first.
    #[must_use]
    pub fn inputs(&self) -> Vec<Arc<str>> {
        self.names(|kind| if let Kind::Input(name) = kind { Some(name) } else { None })
    }

    fn names(&self, pick: impl Fn(&Kind) -> Option<&Arc<str>>) -> Vec<Arc<str>> {
        let mut names: Vec<Arc<str>> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        self.each(|part| {
            if let Some(name) = part.0.as_ref().and_then(&pick)
                && seen.insert(Arc::clone(name))
            {
                names.push(Arc::clone(name));
            }
        });
        names
    }

    /// Visits every distinct part once, arguments first, left before right.
    fn each<'a>(&'a self, mut visit: impl FnMut(&'a Part)) {
        let mut done = std::collections::HashSet::new();
        let mut stack = vec![(self, false)];
        while let Some((expr, arguments_done)) = stack.pop() {
            let key = Arc::as_ptr(&expr.0);
            if arguments_done {
                // A part can be waiting twice; it is visited the first time only.
                if done.insert(key) {
                    visit(&expr.0);
                }
                continue;
            }
            if done.contains(&key) {
                continue;
            }
            stack.push((expr, true));
            match &expr.0.0 {
                Some(Kind::Unary(_, a)) => stack.push((a, false)),
                Some(Kind::Binary(_, a, b)) => stack.extend([(b, false), (a, false)]),
                _ => {}
            }
        }
    }

    /// Builds the expression in a graph; `resolve` says what each name stands for. A parameter or input may resolve
    /// to a number (a fixed parameter), but not to each other.
    ///
    /// # Errors
    /// For a name that `resolve` does not know (with the nearest of the `candidates` suggested) or knows in the other
    /// role. The error's text is the name.
    pub fn lower(
        &self,
        graph: &mut Graph,
        resolve: &mut dyn FnMut(&str) -> Option<Symbol>,
        candidates: &[&str],
    ) -> Result<NodeId, ParseError> {
        let mut parts = Vec::new();
        self.each(|part| parts.push(part));
        let mut built: HashMap<*const Part, NodeId> = HashMap::with_capacity(parts.len());
        let mut root = graph.number(0.0);
        for part in parts {
            let at = |expr: &Expr| built[&Arc::as_ptr(&expr.0)];
            root = match &part.0 {
                None => graph.number(0.0),
                Some(Kind::Number(value)) => graph.number(*value),
                Some(Kind::Parameter(name)) => leaf(graph, name, "parameter", resolve, candidates)?,
                Some(Kind::Input(name)) => leaf(graph, name, "input", resolve, candidates)?,
                Some(Kind::Unary(op, a)) => graph.unary(*op, at(a)),
                Some(Kind::Binary(op, a, b)) => graph.binary(*op, at(a), at(b)),
            };
            built.insert(std::ptr::from_ref(part), root);
        }
        Ok(root)
    }
}

fn leaf(
    graph: &mut Graph,
    name: &Arc<str>,
    declared: &'static str,
    resolve: &mut dyn FnMut(&str) -> Option<Symbol>,
    candidates: &[&str],
) -> Result<NodeId, ParseError> {
    match (resolve(name), declared) {
        (Some(Symbol::Number(value)), _) => Ok(graph.number(value)),
        (Some(Symbol::Parameter(index)), "parameter") => Ok(graph.parameter(index)),
        (Some(Symbol::Input(index)), "input") => Ok(graph.input(index)),
        (Some(_), _) => {
            let kind = ParseErrorKind::WrongRole { name: name.to_string(), declared };
            Err(ParseError::new(name, 0..name.len(), kind))
        }
        (None, _) => Err(ParseError::unknown_name(name, 0..name.len(), name, candidates)),
    }
}

macro_rules! unary_methods {
    ($($(#[$doc:meta])* $method:ident => $op:ident;)*) => {
        impl Expr {
            $($(#[$doc])* #[must_use] pub fn $method(&self) -> Self { self.unary(UnaryOp::$op) })*
        }
    };
}

unary_methods! {
    /// eᵃ.
    exp => Exp;
    /// Natural logarithm.
    log => Log;
    /// Logarithm to base 2.
    log2 => Log2;
    /// Logarithm to base 10.
    log10 => Log10;
    /// Square root.
    sqrt => Sqrt;
    /// Sine (radians).
    sin => Sin;
    /// Cosine (radians).
    cos => Cos;
    /// Tangent (radians).
    tan => Tan;
    /// Inverse sine.
    asin => Asin;
    /// Inverse cosine.
    acos => Acos;
    /// Inverse tangent.
    atan => Atan;
    /// Hyperbolic sine.
    sinh => Sinh;
    /// Hyperbolic cosine.
    cosh => Cosh;
    /// Hyperbolic tangent.
    tanh => Tanh;
    /// Absolute value; its derivative at 0 is 0.
    abs => Abs;
    /// −1, 0 or 1.
    sign => Sign;
}

impl From<f64> for Expr {
    fn from(value: f64) -> Self {
        Expr::number(value)
    }
}

impl From<&Expr> for Expr {
    fn from(expr: &Expr) -> Self {
        expr.clone()
    }
}

macro_rules! binary_operators {
    ($($trait:ident $method:ident $op:ident;)*) => {$(
        impl<T: Into<Expr>> $trait<T> for Expr {
            type Output = Expr;
            fn $method(self, other: T) -> Expr { self.binary(BinaryOp::$op, other) }
        }
        impl<T: Into<Expr>> $trait<T> for &Expr {
            type Output = Expr;
            fn $method(self, other: T) -> Expr { self.binary(BinaryOp::$op, other) }
        }
        impl $trait<Expr> for f64 {
            type Output = Expr;
            fn $method(self, other: Expr) -> Expr { Expr::number(self).binary(BinaryOp::$op, other) }
        }
        impl $trait<&Expr> for f64 {
            type Output = Expr;
            fn $method(self, other: &Expr) -> Expr { Expr::number(self).binary(BinaryOp::$op, other) }
        }
    )*};
}

binary_operators! {
    Add add Add;
    Sub sub Sub;
    Mul mul Mul;
    Div div Div;
}

impl Neg for Expr {
    type Output = Expr;
    fn neg(self) -> Expr {
        self.unary(UnaryOp::Neg)
    }
}

impl Neg for &Expr {
    type Output = Expr;
    fn neg(self) -> Expr {
        self.unary(UnaryOp::Neg)
    }
}

impl fmt::Debug for Expr {
    /// The names used and no more: a formula of any size prints on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expr").field("parameters", &self.parameters()).field("inputs", &self.inputs()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::Ast;

    fn resolve(name: &str) -> Option<Symbol> {
        match name {
            "b1" => Some(Symbol::Parameter(0)),
            "b2" => Some(Symbol::Parameter(1)),
            "x" => Some(Symbol::Input(0)),
            "k" => Some(Symbol::Number(3.5)),
            _ => None,
        }
    }

    #[test]
    fn operators_and_text_give_the_same_node() {
        let (b1, b2, x) = (Expr::parameter("b1"), Expr::parameter("b2"), Expr::input("x"));
        let cases = [
            (&b1 * (1.0 - (-&b2 * &x).exp()), "b1*(1 - exp(-b2*x))"),
            (&b1 / (&x + &b2), "b1/(x+b2)"),
            ((&x - &b1).powi(2) / -2.0, "(x-b1)**2/-2"),
            ((&x - &b1).pow(2.0), "(x-b1)^2.0"),
            (x.pow(&b2) - 0.5, "x**b2 - 0.5"),
            ((b1.log() + b1.log2()) + b1.log10(), "log(b1) + log2(b1) + log10(b1)"),
            (x.sqrt() * x.sin() * x.cos() * x.tan(), "sqrt(x)*sin(x)*cos(x)*tan(x)"),
            (x.asin() + x.acos() + x.atan(), "asin(x)+acos(x)+atan(x)"),
            (x.sinh() - x.cosh() - x.tanh(), "sinh(x)-cosh(x)-tanh(x)"),
            (x.abs() + x.sign(), "abs(x) + sign(x)"),
            (x.min(1.0).max(&b1), "max(min(x, 1), b1)"),
            (x.atan2(&b1) + 2.0 * &x + 3.0 / x.clone(), "atan2(x, b1) + 2*x + 3/x"),
            (Expr::parameter("k") * &x, "3.5*x"),
        ];
        for (expr, text) in cases {
            let mut graph = Graph::new();
            let built = expr.lower(&mut graph, &mut resolve, &[]).unwrap();
            let parsed = Ast::parse(text).unwrap().lower(&mut graph, &mut resolve, &[]).unwrap();
            assert_eq!(built, parsed, "{text}");
        }
    }

    #[test]
    fn names_come_in_order_of_first_appearance() {
        let expr =
            Expr::parameter("b2") * Expr::input("t") + Expr::parameter("b1") * Expr::input("x") * Expr::parameter("b2");
        assert_eq!(expr.parameters(), [Arc::from("b2"), Arc::from("b1")]);
        assert_eq!(expr.inputs(), [Arc::from("t"), Arc::from("x")]);
        assert_eq!(format!("{expr:?}"), r#"Expr { parameters: ["b2", "b1"], inputs: ["t", "x"] }"#);
    }

    #[test]
    fn an_unknown_or_misplaced_name_is_an_error_of_one_line() {
        let mut graph = Graph::new();
        let error = Expr::parameter("b4").lower(&mut graph, &mut resolve, &["b1", "b2"]).unwrap_err();
        assert_eq!(error.to_string(), "unknown name \"b4\": did you mean \"b2\"?");
        let error = Expr::input("b1").lower(&mut graph, &mut resolve, &["b1", "b2"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "\"b1\" is built as input but is parameter of the model: build it with Expr::parameter"
        );
    }

    #[test]
    fn a_chain_of_a_million_terms_is_lowered_and_dropped() {
        let x = Expr::input("x");
        let mut sum = x.clone();
        for _ in 0..1_000_000 {
            sum = (sum + &x).abs();
        }
        let mut graph = Graph::new();
        sum.lower(&mut graph, &mut resolve, &[]).unwrap();
        assert_eq!(graph.len(), 2_000_002);
        drop(sum);
    }

    #[test]
    fn a_doubly_used_part_is_built_once() {
        // 2⁶⁴ paths through 64 shared parts.
        let mut expr = Expr::input("x");
        for _ in 0..64 {
            expr = &expr + &expr;
        }
        let mut graph = Graph::new();
        expr.lower(&mut graph, &mut resolve, &[]).unwrap();
        assert_eq!(graph.len(), 66);
    }
}
