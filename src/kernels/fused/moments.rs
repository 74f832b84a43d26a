//! JᵀJ and Jᵀe over a grid line by line, where derivatives are sums of products F·G of a factor along the lines and one across
//! them: ΣΣ F·G·F′·G′ is ΣF·F′ times ΣG·G′, and ΣΣ F·G·e is ΣG·(ΣF·e).
//!
//! This is the rewrite [`Rewrite::GridSums`](crate::expr::Rewrite::GridSums).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::expr::factors::{Factors, factors};
use crate::expr::unrolled::{Grid, GridNames, Rows, emit_rows};
use crate::expr::{Graph, NodeId};

/// A pair of factors, the smaller number first.
type Pair = (usize, usize);

/// The least share of its terms' squares that the square of a derivative is taken to be.
const LEAST_SHARE: f64 = 1.0 / (1 << 20) as f64;

/// The text of all rows and of their sums, with lines along the input that takes the fewest statements; `None` where no
/// input's lines do.
pub(super) fn rows(graph: &Graph, outputs: &[NodeId], grid: &Grid, names: &dyn GridNames) -> Option<Rows> {
    // Which inputs a factor depends on is told apart for so many.
    let inputs = grid.values.len().min(62);
    (0..inputs).filter_map(|along| rows_along(graph, outputs, grid, names, along)).min_by_key(|rows| rows.statements)
}

fn rows_along(graph: &Graph, outputs: &[NodeId], grid: &Grid, names: &dyn GridNames, along: usize) -> Option<Rows> {
    let lines = grid.lines(along)?;
    let mut graph = graph.clone();
    let factors = factors(&mut graph, &outputs[1..], 1 << along)?;
    let wanted: Vec<NodeId> = [&outputs[..1], &factors.along, &factors.across].concat();
    let is_one: Vec<bool> = wanted[1..].iter().map(|&id| graph.constant(id) == Some(1.0)).collect();
    let mut found: Vec<Vec<String>> = vec![Vec::new(); grid.rows];
    let mut rows = emit_rows(&graph, &wanted, grid, names, |row, results| {
        found[row] = results[1..]
            .iter()
            .zip(&is_one)
            .map(|(name, &one)| if one { String::new() } else { name.clone() })
            .collect();
        format!("let e{row}: Real = {} - y{row};\nsquares += e{row} * e{row};\n", results[0])
    });
    let mut sums =
        Sums { factors: &factors, lines: &lines, found: &found, text: String::new(), statements: 2 * grid.rows };
    sums.slope();
    sums.gram();
    rows.text += &sums.text;
    rows.statements += sums.statements;
    Some(rows)
}

/// The statements of the sums, as they are written.
struct Sums<'a> {
    factors: &'a Factors,
    /// The rows of each line.
    lines: &'a [Vec<usize>],
    /// Of each row the names of the factors there, along and then across; nothing for 1.
    found: &'a [Vec<String>],
    text: String,
    statements: usize,
}

impl Sums<'_> {
    /// Jᵀe: every factor along a line with the residuals of each line, and what is across it with these.
    fn slope(&mut self) {
        let used: BTreeSet<usize> = self.factors.functions.iter().flatten().map(|&(f, _)| f).collect();
        for (l, line) in self.lines.iter().enumerate() {
            for &f in &used {
                let products = line.iter().map(|&row| product(&self.found[row][f], &format!("e{row}")));
                self.define(&format!("along{f}_{l}"), &products.collect::<Vec<String>>());
            }
        }
        for (j, terms) in self.factors.functions.iter().enumerate() {
            let of_line = |(f, g): (usize, usize), l: usize| product(self.across(g, l), &format!("along{f}_{l}"));
            let products: Vec<String> =
                terms.iter().flat_map(|&term| (0..self.lines.len()).map(move |l| of_line(term, l))).collect();
            self.assign(&format!("slope[{j}u]"), &products);
        }
    }

    /// JᵀJ, from the sums of products of two factors along a line and of two across.
    fn gram(&mut self) {
        let terms = &self.factors.functions;
        let pairs = |j: usize, k: usize| terms[j].iter().flat_map(move |&s| terms[k].iter().map(move |&t| (s, t)));
        let all = (0..terms.len()).flat_map(|j| (0..=j).flat_map(move |k| pairs(j, k)));
        let (mut along, mut across) = (BTreeSet::new(), BTreeSet::new());
        for ((f, g), (other_f, other_g)) in all {
            along.insert(pair(f, other_f));
            across.insert(pair(g, other_g));
        }
        // A line has all values of the factors along, and the lines all of those across.
        let line = self.lines[0].clone();
        let firsts: Vec<usize> = self.lines.iter().map(|line| line[0]).collect();
        let width = self.factors.along.len();
        for &(f, other) in &along {
            let products: Vec<String> =
                line.iter().map(|&row| product(&self.found[row][f], &self.found[row][other])).collect();
            self.define(&along_name((f, other)), &products);
        }
        for &(g, other) in &across {
            let of_row = |&row: &usize| product(&self.found[row][width + g], &self.found[row][width + other]);
            let products: Vec<String> = firsts.iter().map(of_row).collect();
            self.define(&across_name((g, other)), &products);
        }
        for j in 0..terms.len() {
            for k in 0..=j {
                let mut times: BTreeMap<(Pair, Pair), u32> = BTreeMap::new();
                pairs(j, k).for_each(|((f, g), (other_f, other_g))| {
                    *times.entry((pair(f, other_f), pair(g, other_g))).or_default() += 1;
                });
                let product = |((f, g), times): ((Pair, Pair), u32)| match times {
                    1 => format!("{} * {}", along_name(f), across_name(g)),
                    _ => format!("{times}.0 * ({} * {})", along_name(f), across_name(g)),
                };
                let products: Vec<String> = times.into_iter().map(product).collect();
                self.assign(&format!("gram[{}u]", j * (j + 1) / 2 + k), &products);
            }
        }
        self.growth(&along, &across);
    }

    /// How much larger the terms of a derivative are than it is, and whether all sums of squares keep their digits: one that
    /// does not may be made good again by the other that it is multiplied by, with what it has lost. Of a derivative of which
    /// the terms leave nothing but rounding, the square may come out as less than nothing: it is kept above, for those tests
    /// that take it for the end of the range, and with a growth of 2²⁰ no step is taken by it.
    fn growth(&mut self, along: &BTreeSet<Pair>, across: &BTreeSet<Pair>) {
        for (j, terms) in self.factors.functions.iter().enumerate().filter(|(_, terms)| terms.len() > 1) {
            let square = |&(f, g): &(usize, usize)| format!("{} * {}", along_name((f, f)), across_name((g, g)));
            let squares: Vec<String> = terms.iter().map(square).collect();
            let entry = format!("gram[{}u]", j * (j + 1) / 2 + j);
            // Writing to a String cannot fail.
            let _ = writeln!(self.text, "let terms{j}: Real = {};", squares.join(" + "));
            let _ = writeln!(self.text, "{entry} = max({entry}, terms{j} * {LEAST_SHARE:?});");
            let _ = writeln!(self.text, "growth = max(growth, terms{j} / {entry});");
            self.statements += 2 + terms.len();
        }
        let of_along = along.iter().filter(|(f, other)| f == other).map(|&pair| along_name(pair));
        let of_across = across.iter().filter(|(g, other)| g == other).map(|&pair| across_name(pair));
        for name in of_along.chain(of_across) {
            let _ = writeln!(self.text, "growth = select(3e38, growth, is_in_range({name}));");
            self.statements += 1;
        }
    }

    fn across(&self, g: usize, line: usize) -> &str {
        &self.found[self.lines[line][0]][self.factors.along.len() + g]
    }

    fn define(&mut self, name: &str, products: &[String]) {
        let _ = writeln!(self.text, "let {name}: Real = {};", sum(products));
        self.statements += products.len();
    }

    fn assign(&mut self, name: &str, products: &[String]) {
        let _ = writeln!(self.text, "{name} = {};", sum(products));
        self.statements += products.len();
    }
}

fn pair(a: usize, b: usize) -> Pair {
    (a.min(b), a.max(b))
}

fn along_name((f, other): Pair) -> String {
    format!("lines{f}_{other}")
}

fn across_name((g, other): Pair) -> String {
    format!("across{g}_{other}")
}

/// Nothing stands for 1.
fn product(a: &str, b: &str) -> String {
    match (a, b) {
        ("", "") => "1.0".to_owned(),
        ("", other) | (other, "") => other.to_owned(),
        (a, b) => format!("{a} * {b}"),
    }
}

/// Of ones their number.
fn sum(products: &[String]) -> String {
    if products.iter().all(|product| product == "1.0") {
        return format!("Real({}.0)", products.len());
    }
    products.join(" + ")
}
