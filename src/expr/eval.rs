//! Evaluation in f64 on the host.

use super::graph::{Graph, Node, NodeId};
use super::schedule::Schedule;

/// Rows that [`Tape::rows`] computes side by side: as many as fill a few vector registers.
pub const SIDE_BY_SIDE: usize = 8;

/// A value of each of them.
type Values = [f64; SIDE_BY_SIDE];

/// A list of operations ready to run, split into those that depend on parameters and constants only (once a data set)
/// and those that depend on an input (once a row).
///
/// The arithmetic is IEEE f64: the logarithm of a negative number is NaN, and nothing is an error. `scratch` belongs to
/// the caller, so that one tape serves many threads.
#[derive(Clone, Debug)]
pub struct Tape {
    slots: usize,
    hoisted: Vec<(u32, Node)>,
    varying: Vec<(u32, Node)>,
    results: Vec<u32>,
}

impl Tape {
    /// A tape that computes `outputs`, and nothing they do not need.
    #[must_use]
    pub fn new(graph: &Graph, outputs: &[NodeId]) -> Self {
        let schedule = Schedule::new(graph, outputs);
        let (mut hoisted, mut varying) = (Vec::new(), Vec::new());
        for index in 0..schedule.graph.len() {
            let list = if schedule.varying[index] { &mut varying } else { &mut hoisted };
            list.push((index as u32, schedule.graph.node(NodeId(index as u32))));
        }
        let results = schedule.results.iter().map(|id| id.0).collect();
        Tape { slots: schedule.graph.len(), hoisted, varying, results }
    }

    /// How many outputs there are.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.results.len()
    }

    /// How many operations (and leaves) run once a data set, and once a row.
    #[must_use]
    pub fn operations(&self) -> (usize, usize) {
        (self.hoisted.len(), self.varying.len())
    }

    /// Computes what depends on the parameters only; [`row`](Self::row) may follow any number of times.
    ///
    /// # Panics
    /// If there are fewer parameters than the expression uses.
    pub fn prepare(&self, parameters: &[f64], scratch: &mut Vec<f64>) {
        scratch.resize(self.slots, 0.0);
        run(&self.hoisted, parameters, &[], scratch);
    }

    /// Computes the outputs of one row, after [`prepare`](Self::prepare) on the same scratch.
    ///
    /// # Panics
    /// If there are fewer inputs than the expression uses, if `out` is shorter than the outputs, or if `scratch` was
    /// not prepared.
    pub fn row(&self, inputs: &[f64], scratch: &mut [f64], out: &mut [f64]) {
        run(&self.varying, &[], inputs, scratch);
        for (value, &slot) in out[..self.results.len()].iter_mut().zip(&self.results) {
            *value = scratch[slot as usize];
        }
    }

    /// As [`prepare`](Self::prepare), for [`rows`](Self::rows).
    ///
    /// # Panics
    /// As [`prepare`](Self::prepare).
    pub fn prepare_rows(&self, parameters: &[f64], scratch: &mut Vec<f64>) {
        self.prepare(parameters, scratch);
        scratch.resize(self.slots * (1 + SIDE_BY_SIDE), 0.0);
        let (known, spread) = scratch.split_at_mut(self.slots);
        let (spread, _) = spread.as_chunks_mut::<SIDE_BY_SIDE>();
        for &(slot, _) in &self.hoisted {
            spread[slot as usize] = [known[slot as usize]; SIDE_BY_SIDE];
        }
    }

    /// Computes the outputs of several rows, after [`prepare_rows`](Self::prepare_rows) on the same scratch: those of
    /// [`row`](Self::row) to the bit, in a fraction of the time.
    ///
    /// # Panics
    /// As [`row`](Self::row).
    pub fn rows(&self, inputs: &[&[f64]; SIDE_BY_SIDE], scratch: &mut [f64], out: &mut [Values]) {
        let (spread, _) = scratch[self.slots..].as_chunks_mut::<SIDE_BY_SIDE>();
        for &(slot, node) in &self.varying {
            let at = |id: NodeId| spread[id.index()];
            spread[slot as usize] = match node {
                Node::Number(constant) => [constant.value(); SIDE_BY_SIDE],
                // No row has parameters of its own: they were prepared.
                Node::Parameter(_) => continue,
                Node::Input(index) => inputs.map(|row| row[index as usize]),
                Node::Unary(op, a) => op.apply_to_rows(at(a)),
                Node::Binary(op, a, b) => op.apply_to_rows(at(a), at(b)),
                Node::PowInt(a, n) => at(a).map(|a| super::ops::power(a, n)),
                Node::Select([a, b, x, y]) => {
                    let [a, b, x, y] = [a, b, x, y].map(at);
                    std::array::from_fn(|k| if a[k] <= b[k] { x[k] } else { y[k] })
                }
            };
        }
        for (value, &slot) in out[..self.results.len()].iter_mut().zip(&self.results) {
            *value = spread[slot as usize];
        }
    }

    /// Both at once: the outputs at these parameters and inputs.
    ///
    /// # Panics
    /// As [`prepare`](Self::prepare) and [`row`](Self::row).
    pub fn evaluate(&self, parameters: &[f64], inputs: &[f64], scratch: &mut Vec<f64>, out: &mut [f64]) {
        self.prepare(parameters, scratch);
        self.row(inputs, scratch, out);
    }
}

fn run(operations: &[(u32, Node)], parameters: &[f64], inputs: &[f64], scratch: &mut [f64]) {
    for &(slot, node) in operations {
        let at = |id: NodeId| scratch[id.index()];
        let value = match node {
            Node::Number(constant) => constant.value(),
            Node::Parameter(index) => parameters[index as usize],
            Node::Input(index) => inputs[index as usize],
            Node::Unary(op, a) => op.apply(at(a)),
            Node::Binary(op, a, b) => op.apply(at(a), at(b)),
            // The schedule has turned these into products; kept whole for completeness of the match.
            Node::PowInt(a, n) => super::ops::power(at(a), n),
            Node::Select([a, b, x, y]) => {
                if at(a) <= at(b) {
                    at(x)
                } else {
                    at(y)
                }
            }
        };
        scratch[slot as usize] = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::{Ast, Symbol};

    fn tape(text: &str) -> Tape {
        let mut graph = Graph::new();
        let id = Ast::parse(text)
            .unwrap()
            .lower(
                &mut graph,
                &mut |name| match name {
                    "b" => Some(Symbol::Parameter(0)),
                    "c" => Some(Symbol::Parameter(1)),
                    "x" => Some(Symbol::Input(0)),
                    _ => None,
                },
                &[],
            )
            .unwrap();
        Tape::new(&graph, &[id])
    }

    #[test]
    fn what_depends_on_parameters_only_runs_once_for_many_rows() {
        let tape = tape("exp(b)*log(c) + x*sin(b)");
        // b, c, exp(b), log(c), their product, sin(b) once; x, x·sin(b), the sum for each row.
        assert_eq!(tape.operations(), (6, 3));
        let (mut scratch, mut out) = (Vec::new(), [0.0]);
        tape.prepare(&[0.3, 2.0], &mut scratch);
        for x in [0.0, 1.0, -4.0] {
            tape.row(&[x], &mut scratch, &mut out);
            assert_eq!(out[0], 0.3f64.exp() * 2f64.ln() + x * 0.3f64.sin());
        }
    }

    #[test]
    fn values_outside_a_domain_are_nan_and_squares_of_negative_numbers_are_not() {
        let (mut scratch, mut out) = (Vec::new(), [0.0]);
        tape("log(b)").evaluate(&[-1.0], &[], &mut scratch, &mut out);
        assert!(out[0].is_nan());
        tape("(x-b)**2.0").evaluate(&[3.0], &[1.0], &mut scratch, &mut out);
        assert_eq!(out[0], 4.0);
        tape("(x-b)**-3").evaluate(&[3.0], &[1.0], &mut scratch, &mut out);
        assert_eq!(out[0], -0.125);
    }

    #[test]
    fn rows_side_by_side_have_the_bits_that_each_has_alone() {
        let tape = tape("exp(-x**2/b) + abs(sin(c*x)) - min(x, c)/max(x, b) + x**c*sqrt(b*x) - atan2(x, b)");
        let rows: Vec<[f64; 1]> = [-2.5, -0.0, 0.0, 0.3, 1.0, 7.5, f64::NAN, f64::INFINITY].map(|x| [x]).to_vec();
        let (mut scratch, mut out, mut all) = (Vec::new(), [0.0], [[0.0; SIDE_BY_SIDE]]);
        tape.prepare_rows(&[0.7, 2.2], &mut scratch);
        tape.rows(&std::array::from_fn(|k| &rows[k][..]), &mut scratch, &mut all);
        for (k, row) in rows.iter().enumerate() {
            tape.row(row, &mut scratch, &mut out);
            assert_eq!(out[0].to_bits(), all[0][k].to_bits(), "x = {row:?}");
        }
    }

    #[test]
    fn powers_on_the_tape_have_the_bits_of_the_power_function() {
        let (mut scratch, mut out) = (Vec::new(), [0.0]);
        for n in [2, 3, 5, 7, 12, 31, 100, -1, -6, -17] {
            tape(&format!("b**{n}")).evaluate(&[1.0371], &[], &mut scratch, &mut out);
            assert_eq!(out[0].to_bits(), super::super::ops::power(1.0371, n).to_bits());
        }
    }
}
