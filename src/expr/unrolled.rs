//! Straight-line WGSL for every row of a small grid, each value computed once for all rows that share it; and for a line of a large
//! one.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt::Write;

use super::graph::{Graph, Node, NodeId};
use super::schedule::Schedule;
use super::separate::{Inputs, inputs_of};
use super::wgsl::{Names, literal, right_side};

/// Which rows share the value of an input: a number for each distinct value of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grid {
    /// For each input, the number of its value at each row.
    pub(crate) values: Vec<Vec<u32>>,
    /// Rows.
    pub(crate) rows: usize,
}

impl Grid {
    /// That of inputs whose value at (row, input) is given.
    pub(crate) fn of(rows: usize, inputs: usize, at: impl Fn(usize, usize) -> f64) -> Self {
        let numbered = |input: usize| {
            let mut known: Vec<u64> = Vec::new();
            let number = |row| {
                let bits = at(row, input).to_bits();
                let place = known.iter().position(|&other| other == bits).unwrap_or_else(|| {
                    known.push(bits);
                    known.len() - 1
                });
                place as u32
            };
            (0..rows).map(number).collect()
        };
        Self { values: (0..inputs).map(numbered).collect(), rows }
    }

    /// Distinct values of an input.
    pub(crate) fn distinct(&self, input: usize) -> usize {
        self.values[input].iter().max().map_or(0, |&last| last as usize + 1)
    }

    /// The rows line by line, each line by ascending number of the input's value; `None` where not every value of the input
    /// goes once with every combination of the others.
    pub(crate) fn lines(&self, along: usize) -> Option<Vec<Vec<usize>>> {
        let others = |row: usize| (0..self.values.len()).filter(move |&k| k != along).map(move |k| self.values[k][row]);
        let mut lines: Vec<Vec<usize>> = Vec::new();
        let mut known: HashMap<Vec<u32>, usize> = HashMap::new();
        for row in 0..self.rows {
            let line = *known.entry(others(row).collect()).or_insert(lines.len());
            if line == lines.len() {
                lines.push(Vec::new());
            }
            lines[line].push(row);
        }
        let length = self.distinct(along);
        for line in &mut lines {
            line.sort_by_key(|&row| self.values[along][row]);
            let whole =
                line.len() == length && line.iter().enumerate().all(|(k, &row)| self.values[along][row] as usize == k);
            if !whole {
                return None;
            }
        }
        Some(lines)
    }

    /// Whether an input has fewer values than there are rows.
    pub(crate) fn has_axes(&self) -> bool {
        (0..self.values.len()).any(|input| self.distinct(input) < self.rows)
    }
}

/// Code for all rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    /// `let` statements, and after those of each row what was asked to follow them.
    pub(crate) text: String,
    /// The elementary functions that are called.
    pub(crate) functions: BTreeSet<&'static str>,
    /// Statements.
    pub(crate) statements: usize,
}

/// What a leaf is called where an input has several values.
pub(crate) trait GridNames {
    /// The parameter of this index.
    fn parameter(&self, index: u32) -> String;
    /// The value of this number of the input of this index.
    fn input(&self, index: u32, value: u32) -> String;
}

/// The leaves at one row.
struct AtRow<'a> {
    names: &'a dyn GridNames,
    grid: &'a Grid,
    row: usize,
}

impl Names for AtRow<'_> {
    fn parameter(&self, index: u32) -> String {
        self.names.parameter(index)
    }

    fn input(&self, index: u32) -> String {
        self.names.input(index, self.grid.values[index as usize][self.row])
    }
}

/// Emits the outputs at every row; `after` makes what follows a row of its number and the outputs' expressions there.
pub(crate) fn emit_rows(
    graph: &Graph,
    outputs: &[NodeId],
    grid: &Grid,
    names: &dyn GridNames,
    mut after: impl FnMut(usize, &[String]) -> String,
) -> Rows {
    let schedule = Schedule::new(graph, outputs);
    let graph = &schedule.graph;
    let inputs = inputs_of(graph);
    let mut rows = Rows::default();
    let mut known: HashSet<String> = HashSet::new();
    for row in 0..grid.rows {
        let called = |id: NodeId| name(id, inputs[id.index()], grid, row);
        let leaves = AtRow { names, grid, row };
        for index in 0..graph.len() {
            let id = NodeId(index as u32);
            let name = called(id);
            if known.contains(&name) {
                continue;
            }
            if let Some(value) = right_side(graph, graph.node(id), &leaves, &called, &mut rows.functions) {
                // Writing to a String cannot fail.
                let _ = writeln!(rows.text, "let {name}: Real = {value};");
                rows.statements += 1;
                known.insert(name);
            }
        }
        let result = |&id: &NodeId| match graph.constant(id) {
            Some(value) => format!("Real({})", literal(value)),
            None => called(id),
        };
        let results: Vec<String> = schedule.results.iter().map(result).collect();
        rows.text += &after(row, &results);
    }
    rows
}

/// Code for a line of a grid, whichever it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line {
    /// What is the same on all lines.
    pub(crate) before: String,
    /// The rest, which uses the names of `before`.
    pub(crate) within: String,
    /// The outputs' expressions at each point of the line.
    pub(crate) results: Vec<Vec<String>>,
    /// The elementary functions that are called.
    pub(crate) functions: BTreeSet<&'static str>,
    /// Statements before, and within.
    pub(crate) statements: [usize; 2],
}

/// Emits the outputs at the `length` points of a line along an input, whose values there have the numbers 0, 1, … All others
/// are the same throughout the line, and asked for by the number 0.
pub(crate) fn emit_line(
    graph: &Graph,
    outputs: &[NodeId],
    (along, length): (usize, usize),
    names: &dyn GridNames,
) -> Line {
    let schedule = Schedule::new(graph, outputs);
    let graph = &schedule.graph;
    let inputs = inputs_of(graph);
    let count = 1
        + (0..graph.len())
            .filter_map(|index| match graph.node(NodeId(index as u32)) {
                Node::Input(input) => Some(input as usize),
                _ => None,
            })
            .fold(along, usize::max);
    let numbers = |k: usize| (0..count).map(move |input| vec![if input == along { k as u32 } else { 0 }]).collect();
    let points: Vec<Grid> = (0..length).map(|k| Grid { values: numbers(k), rows: 1 }).collect();
    let mut line = Line::default();
    for index in 0..graph.len() {
        let id = NodeId(index as u32);
        let own = inputs[index];
        let varies = own >> along & 1 == 1;
        for grid in &points[..if varies { length } else { 1 }] {
            let called = |id: NodeId| name(id, inputs[id.index()], grid, 0);
            let leaves = AtRow { names, grid, row: 0 };
            let Some(value) = right_side(graph, graph.node(id), &leaves, &called, &mut line.functions) else {
                continue;
            };
            let is_within = own & !(1 << along) != 0;
            let text = if is_within { &mut line.within } else { &mut line.before };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "let {}: Real = {value};", called(id));
            line.statements[usize::from(is_within)] += 1;
        }
    }
    let result = |grid: &Grid, &id: &NodeId| match graph.constant(id) {
        Some(value) => format!("Real({})", literal(value)),
        None => name(id, inputs[id.index()], grid, 0),
    };
    line.results = points.iter().map(|grid| schedule.results.iter().map(|id| result(grid, id)).collect()).collect();
    line
}

/// The name of a node's value at a row: rows at which its inputs are the same share it.
fn name(id: NodeId, inputs: Inputs, grid: &Grid, row: usize) -> String {
    let mut name = format!("t{}", id.0);
    for input in (0..grid.values.len()).filter(|&input| inputs >> input.min(63) & 1 == 1) {
        let _ = write!(name, "_{}", grid.values[input][row]);
    }
    name
}
