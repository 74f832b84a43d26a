//! Rewrites that change rounding: named, bounded, and each with a switch.
//!
//! What changes no rounding is done when a graph is built (see [`Graph`]); what does is here, so that a user who
//! doubts a result can turn it off and compare.

use std::fmt;
use std::str::FromStr;

use super::graph::{Graph, Node, NodeId};
use super::ops::BinaryOp;
use super::suggest::did_you_mean;

/// One rewrite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Rewrite {
    /// a / c → a · (1/c) for a constant c with 2⁻⁶⁴ ≤ |c| ≤ 2⁶⁴: the reciprocal is taken once, when the model is built.
    Reciprocal,
    /// a / b → a · (1/b) where b depends on parameters only and a on an input: the reciprocal is taken once a data
    /// set, not once a row.
    HoistedReciprocal,
    /// a / d, b / d … → a · (1/d), b · (1/d) where several quotients that vary from row to row share a divisor.
    SharedReciprocal,
    /// exp(a + b) → exp(a) · exp(b) where the data are a grid, a varies along one of its axes and b along another: an
    /// exponential for each column and each row in the place of one for each point. Only where whole steps are done in
    /// registers; a product that leaves the range of f32 is left to the kernels that do without.
    GridExponential,
    /// Σ d·d′ over the points of a grid → Σ F·F′ along a line times Σ G·G′ across the lines, where derivatives are products
    /// d = F·G of a factor along an axis and one across it, or sums of a few of these; and Σ d·e → Σ G·(Σ F·e). Only where
    /// whole steps are done in registers, and where it takes less work.
    GridSums,
}

impl Rewrite {
    /// All of them, in the order in which they are applied.
    pub const ALL: [Rewrite; 5] = [
        Rewrite::Reciprocal,
        Rewrite::HoistedReciprocal,
        Rewrite::SharedReciprocal,
        Rewrite::GridExponential,
        Rewrite::GridSums,
    ];

    /// Whether it takes a grid.
    fn is_of_grids(self) -> bool {
        matches!(self, Rewrite::GridExponential | Rewrite::GridSums)
    }

    /// The name on the command line and in a plan.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Rewrite::Reciprocal => "reciprocal",
            Rewrite::HoistedReciprocal => "hoisted_reciprocal",
            Rewrite::SharedReciprocal => "shared_reciprocal",
            Rewrite::GridExponential => "grid_exponential",
            Rewrite::GridSums => "grid_sums",
        }
    }

    /// The most by which one rewritten operation differs from the operation as written, in units in the last place,
    /// where every operation is correctly rounded and neither reciprocal nor quotient leaves the normal range.
    ///
    /// With q = a/b, the product a·fl(1/b) before its rounding is q(1+δ), |δ| ≤ u, so less than one unit in the last
    /// place of q from q; rounding is monotone, so the two rounded results are equal or neighbours. A divisor so
    /// small or large that its reciprocal overflows or is subnormal is outside the bound.
    ///
    /// Two correctly rounded exponentials and their product are within (1+u)³ of exp(a)·exp(b): 3u, less than two units in
    /// the last place with the result's own rounding in it. The sum a + b as written is rounded once more, by |a + b|·u of
    /// the exponential, which the product is spared.
    ///
    /// Of grid sums the operation is a term of a sum: F·F′·G·G′ takes the products that d·d′ = (F·G)·(F′·G′) takes, in another
    /// order, and both are within 3u of the term, 6u from each other. What the additions round is not in it: by lines they are
    /// fewer than one by one. Where a derivative is a sum of terms, the bound is one on the moduli of the terms' products; how
    /// much larger than the sum of squares these are, a kernel measures, and counts with the condition number.
    #[must_use]
    pub fn bound_ulps(self) -> u32 {
        match self {
            Rewrite::Reciprocal | Rewrite::HoistedReciprocal | Rewrite::SharedReciprocal => 1,
            Rewrite::GridExponential => 2,
            Rewrite::GridSums => 6,
        }
    }
}

/// A set of rewrites that change rounding; all by default, so that a user who doubts a result can turn them off and
/// compare. (What changes no rounding is done when a [`Graph`] is built.)
///
/// Reads from text as `all`, `none`, or names separated by commas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rewrites(u8);

/// A name that is no rewrite.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[error("unknown rewrite \"{name}\": {mend}")]
pub struct RewriteError {
    name: String,
    mend: String,
}

impl Default for Rewrites {
    fn default() -> Self {
        Rewrites::all()
    }
}

impl Rewrites {
    /// Every rewrite.
    #[must_use]
    pub fn all() -> Self {
        Rewrite::ALL.into_iter().fold(Rewrites::none(), Rewrites::with)
    }

    /// No rewrite: every operation as it was written.
    #[must_use]
    pub fn none() -> Self {
        Rewrites(0)
    }

    /// This set and one more.
    #[must_use]
    pub fn with(self, rewrite: Rewrite) -> Self {
        Rewrites(self.0 | 1 << rewrite as u8)
    }

    /// This set without one.
    #[must_use]
    pub fn without(self, rewrite: Rewrite) -> Self {
        Rewrites(self.0 & !(1 << rewrite as u8))
    }

    /// Whether a rewrite is on.
    #[must_use]
    pub fn contains(self, rewrite: Rewrite) -> bool {
        self.0 >> rewrite as u8 & 1 == 1
    }

    /// Those that are on.
    pub fn iter(self) -> impl Iterator<Item = Rewrite> {
        Rewrite::ALL.into_iter().filter(move |&rewrite| self.contains(rewrite))
    }

    /// Rewrites what the outputs need, adding to the graph, and gives the new outputs in the same order: by all but
    /// [`Rewrite::GridExponential`] and [`Rewrite::GridSums`], which nothing is gained by without a grid.
    pub fn apply(self, graph: &mut Graph, outputs: &[NodeId]) -> Vec<NodeId> {
        let mut outputs = outputs.to_vec();
        for rewrite in self.iter().filter(|&rewrite| !rewrite.is_of_grids()) {
            outputs = apply_one(rewrite, graph, &outputs);
        }
        outputs
    }
}

fn apply_one(rewrite: Rewrite, graph: &mut Graph, outputs: &[NodeId]) -> Vec<NodeId> {
    let reached = graph.reachable(outputs);
    let varying = graph.dependent_on(|node| matches!(node, Node::Input(_)));
    let quotients = count_by_divisor(graph, &reached);
    let mut map: Vec<NodeId> = (0..reached.len() as u32).map(NodeId).collect();
    for index in (0..reached.len()).filter(|&index| reached[index]) {
        let node = graph.node(NodeId(index as u32));
        if let Node::Binary(BinaryOp::Div, a, b) = node {
            let wanted = match rewrite {
                Rewrite::Reciprocal => graph.constant(b).is_some_and(in_bound),
                Rewrite::HoistedReciprocal => graph.constant(b).is_none() && varying[a.index()] && !varying[b.index()],
                Rewrite::SharedReciprocal => varying[b.index()] && quotients[b.index()] > 1,
                Rewrite::GridExponential | Rewrite::GridSums => false,
            };
            if wanted {
                let (a, b) = (map[a.index()], map[b.index()]);
                let one = graph.number(1.0);
                let reciprocal = graph.div(one, b);
                map[index] = graph.mul(a, reciprocal);
                continue;
            }
        }
        map[index] = graph.rebuild(node, |id| map[id.index()]);
    }
    outputs.iter().map(|id| map[id.index()]).collect()
}

/// For each node, how many reachable quotients it divides.
fn count_by_divisor(graph: &Graph, reached: &[bool]) -> Vec<u32> {
    let mut count = vec![0; reached.len()];
    for index in (0..reached.len()).filter(|&index| reached[index]) {
        if let Node::Binary(BinaryOp::Div, _, b) = graph.node(NodeId(index as u32)) {
            count[b.index()] += 1;
        }
    }
    count
}

/// Whether a constant divisor is far enough from the ends of f32's range for its reciprocal to be normal.
fn in_bound(c: f64) -> bool {
    (2f64.powi(-64)..=2f64.powi(64)).contains(&c.abs())
}

impl FromStr for Rewrites {
    type Err = RewriteError;

    fn from_str(text: &str) -> Result<Self, RewriteError> {
        match text.trim() {
            "all" => return Ok(Rewrites::all()),
            "none" => return Ok(Rewrites::none()),
            _ => {}
        }
        let mut set = Rewrites::none();
        for name in text.split(',').map(str::trim) {
            let Some(rewrite) = Rewrite::ALL.into_iter().find(|rewrite| rewrite.name() == name) else {
                let mut known: Vec<&str> = Rewrite::ALL.into_iter().map(Rewrite::name).collect();
                known.extend(["all", "none"]);
                let mend = match did_you_mean(name, &known) {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => format!("known are {}", known.join(", ")),
                };
                return Err(RewriteError { name: name.to_owned(), mend });
            };
            set = set.with(rewrite);
        }
        Ok(set)
    }
}

impl fmt::Display for Rewrites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Rewrites::none() {
            return f.write_str("none");
        }
        let names: Vec<&str> = self.iter().map(Rewrite::name).collect();
        f.write_str(&names.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::{Ast, Symbol, Tape};
    use proptest::prelude::*;

    /// The outputs' values at parameters (b, c) and input x, with the given rewrites; and whether any changed.
    fn values(texts: &[&str], rewrites: Rewrites, at: [f64; 3]) -> (Vec<f64>, bool) {
        let mut graph = Graph::new();
        let outputs: Vec<NodeId> = texts
            .iter()
            .map(|text| {
                let mut resolve = |name: &str| match name {
                    "b" => Some(Symbol::Parameter(0)),
                    "c" => Some(Symbol::Parameter(1)),
                    "x" => Some(Symbol::Input(0)),
                    _ => None,
                };
                Ast::parse(text).unwrap().lower(&mut graph, &mut resolve, &[]).unwrap()
            })
            .collect();
        let rewritten = rewrites.apply(&mut graph, &outputs);
        let (mut scratch, mut out) = (Vec::new(), vec![0.0; texts.len()]);
        Tape::new(&graph, &rewritten).evaluate(&at[..2], &at[2..], &mut scratch, &mut out);
        (out, rewritten != outputs)
    }

    /// How many floats apart two numbers of one sign are.
    fn steps_apart(a: f64, b: f64) -> u64 {
        assert!(a.is_sign_negative() == b.is_sign_negative());
        a.to_bits().abs_diff(b.to_bits())
    }

    /// Compares each output with and without a rewrite against its stated bound.
    fn stays_in_bound(rewrite: Rewrite, texts: &[&str], at: [f64; 3]) -> Result<(), TestCaseError> {
        let (plain, _) = values(texts, Rewrites::none(), at);
        let (rewritten, changed) = values(texts, Rewrites::none().with(rewrite), at);
        prop_assert!(changed, "{} did nothing to {texts:?}", rewrite.name());
        for (p, r) in plain.iter().zip(&rewritten) {
            prop_assert!(steps_apart(*p, *r) <= u64::from(rewrite.bound_ulps()), "{p:e} became {r:e}");
        }
        Ok(())
    }

    fn wide() -> impl Strategy<Value = f64> {
        (-1.0..1.0f64, -40..40i32).prop_map(|(m, e)| (m + 1.5f64.copysign(m)) * 2f64.powi(e))
    }

    proptest! {
        #[test]
        fn a_constant_reciprocal_stays_in_its_bound(x in wide(), c in wide()) {
            // A power of two is exact and needs no rewrite.
            prop_assume!(c.to_bits() << 12 != 0);
            stays_in_bound(Rewrite::Reciprocal, &[&format!("x/({c:?})")], [1.0, 1.0, x])?;
        }

        #[test]
        fn a_hoisted_reciprocal_stays_in_its_bound(x in wide(), b in wide()) {
            stays_in_bound(Rewrite::HoistedReciprocal, &["x/b"], [b, 1.0, x])?;
        }

        #[test]
        fn a_shared_reciprocal_stays_in_its_bound(x in wide(), b in wide(), c in wide()) {
            stays_in_bound(Rewrite::SharedReciprocal, &["b/x", "c/x"], [b, c, x])?;
        }
    }

    #[test]
    fn the_bound_is_reached_so_the_rewrites_do_change_rounding() {
        // Among quotients of small integers some differ by a whole unit, and none by more.
        let apart = (1..100).flat_map(|a| (1..100).map(move |b| (f64::from(a), f64::from(b))));
        let worst = apart.map(|(a, b)| steps_apart(a / b, a * (1.0 / b))).max();
        assert_eq!(worst, Some(1));
    }

    #[test]
    fn a_reciprocal_of_parameters_moves_out_of_the_rows() {
        let mut graph = Graph::new();
        let (b, x) = (graph.parameter(0), graph.input(0));
        let quotient = graph.div(x, b);
        assert_eq!(Tape::new(&graph, &[quotient]).operations(), (1, 2));
        let out = Rewrites::all().apply(&mut graph, &[quotient]);
        // b, 1, 1/b once; x and the product for each row.
        assert_eq!(Tape::new(&graph, &out).operations(), (3, 2));
        let reciprocal = graph.number(1.0);
        let reciprocal = graph.div(reciprocal, b);
        assert_eq!(graph.node(out[0]), Node::Binary(BinaryOp::Mul, x.min(reciprocal), x.max(reciprocal)));
    }

    #[test]
    fn without_rewrites_the_outputs_are_the_same_nodes() {
        let mut graph = Graph::new();
        let (b, x) = (graph.parameter(0), graph.input(0));
        let quotient = graph.div(x, b);
        assert_eq!(Rewrites::none().apply(&mut graph, &[quotient]), [quotient]);
    }

    #[test]
    fn sets_read_and_print_by_name_and_a_slip_is_corrected() {
        assert_eq!("all".parse(), Ok(Rewrites::all()));
        assert_eq!("none".parse(), Ok(Rewrites::none()));
        let two = Rewrites::none().with(Rewrite::Reciprocal).with(Rewrite::SharedReciprocal);
        assert_eq!("reciprocal, shared_reciprocal".parse(), Ok(two));
        assert_eq!(two.to_string().parse(), Ok(two));
        assert_eq!(
            [Rewrite::HoistedReciprocal, Rewrite::GridExponential, Rewrite::GridSums]
                .into_iter()
                .fold(Rewrites::all(), Rewrites::without),
            two
        );
        let error = "reciprocals".parse::<Rewrites>().unwrap_err();
        assert_eq!(error.to_string(), "unknown rewrite \"reciprocals\": did you mean \"reciprocal\"?");
    }
}
