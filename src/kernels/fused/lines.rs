//! The sums of [`moments`](super::moments) over grids of more points than are written out one by one: a line is written out, and a
//! loop goes over the lines.

use std::collections::BTreeSet;

use crate::expr::factors::factors;
use crate::expr::unrolled::{Grid, GridNames, Line, emit_line};
use crate::expr::{Graph, NodeId};

use super::moments::{Sums, across_name, along_name, products, residual, sum};
use super::quads;

/// Code that goes over the lines of a grid.
pub(super) struct Looped {
    /// The input along whose axis the lines lie, and how many points a line has.
    pub(super) along: usize,
    pub(super) length: usize,
    pub(super) text: String,
    pub(super) functions: BTreeSet<&'static str>,
    /// The statements that a line takes, and those that stand before and after all of them.
    pub(super) each: usize,
    pub(super) once: usize,
}

/// The longest line that is written out: its factors are in registers through all lines.
const MOST_IN_LINE: usize = 64;

/// Values along a line are read once; the others at the line's first point, `line` being its place in the data.
struct OfLine {
    along: usize,
}

impl GridNames for OfLine {
    fn parameter(&self, index: u32) -> String {
        format!("x[{index}u]")
    }

    fn input(&self, index: u32, value: u32) -> String {
        if index as usize == self.along {
            format!("grid_{index}_{value}")
        } else {
            quads::number(&format!("line + {index}u"))
        }
    }
}

/// The rows and their sums, line after line, along the input that takes the fewest statements; `None` where no input's points
/// follow each other in lines, or derivatives have no factors along them.
pub(super) fn looped(graph: &Graph, outputs: &[NodeId], grid: &Grid) -> Option<Looped> {
    let inputs = grid.values.len().min(62);
    let all = (0..inputs).filter_map(|along| looped_along(graph, outputs, grid, along));
    all.min_by_key(|looped| looped.each * (grid.rows / looped.length) + looped.once)
}

fn looped_along(graph: &Graph, outputs: &[NodeId], grid: &Grid, along: usize) -> Option<Looped> {
    let lines = grid.lines(along)?;
    let length = grid.distinct(along);
    let follow =
        lines.iter().enumerate().all(|(l, line)| line.iter().enumerate().all(|(k, &row)| row == l * length + k));
    if !follow || !(2..=MOST_IN_LINE).contains(&length) || lines.len() < 2 {
        return None;
    }
    let mut graph = graph.clone();
    let factors = factors(&mut graph, &outputs[1..], 1 << along)?;
    let (mut sums, wanted) = Sums::of(&graph, outputs[0], &factors);
    let Line { before, within, results, functions, statements: [of_before, of_within] } =
        emit_line(&graph, &wanted, (along, length), &OfLine { along });
    let found: Vec<Vec<String>> = results.iter().map(|results| sums.factors_in(results)).collect();
    let of_line = |f: usize| found.iter().map(|factors| factors[f].clone()).collect::<Vec<String>>();
    let across = |g: usize| found[0][factors.along.len() + g].clone();

    // What all lines have in common.
    let pairs = sums.pairs();
    for &(f, other) in &pairs.along {
        sums.define(&along_name((f, other)), &products(&of_line(f), &of_line(other)));
    }
    let mut text = before + &std::mem::take(&mut sums.text);
    for &pair in &pairs.across {
        text += &format!("var {}: Real = 0.0;\n", across_name(pair));
    }
    // What a line adds. How many there are is read: some drivers write out loops whose bounds they know.
    let width = grid.values.len();
    text += &format!("for (var first = 0u; first < problem.rows; first += {length}u) {{\n");
    text += &format!("let line = first * {width}u;\n");
    text += &quads::read("y", &format!("problem.rows * {width}u + problem.first_row + first"), length, length);
    text += &within;
    let of_pairs = std::mem::take(&mut sums.statements);
    for (k, results) in results.iter().enumerate() {
        text += &residual(&k.to_string(), &results[0], &format!("y{k}"));
    }
    let residuals: Vec<String> = (0..length).map(|k| format!("e{k}")).collect();
    for f in sums.used_along() {
        sums.define(&format!("along{f}"), &products(&of_line(f), &residuals));
    }
    for (j, terms) in factors.functions.iter().enumerate() {
        let of_term = |&(f, g): &(usize, usize)| products(&[across(g)], &[format!("along{f}")]).remove(0);
        let products: Vec<String> = terms.iter().map(of_term).collect();
        sums.assign(&format!("slope[{j}u]"), &[vec![format!("slope[{j}u]")], products].concat());
    }
    for &(g, other) in &pairs.across {
        let name = across_name((g, other));
        sums.assign(&name, &[name.clone(), sum(&products(&[across(g)], &[across(other)]))]);
    }
    text += &std::mem::take(&mut sums.text);
    text += "}\n";
    let each = of_within + 2 * length + std::mem::take(&mut sums.statements);
    sums.gram(&pairs);
    text += &sums.text;
    Some(Looped { along, length, text, functions, each, once: of_before + of_pairs + sums.statements })
}
