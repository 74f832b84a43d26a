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
pub(super) type Pair = (usize, usize);

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
    let (mut sums, wanted) = Sums::of(&graph, outputs[0], &factors);
    let mut found: Vec<Vec<String>> = vec![Vec::new(); grid.rows];
    let mut rows = emit_rows(&graph, &wanted, grid, names, |row, results| {
        found[row] = sums.factors_in(results);
        residual(&row.to_string(), &results[0], &format!("y{row}"))
    });
    sums.statements = 2 * grid.rows;
    let of_line = |line: &[usize], k: usize| line.iter().map(|&row| found[row][k].clone()).collect::<Vec<String>>();
    for (l, line) in lines.iter().enumerate() {
        let residuals: Vec<String> = line.iter().map(|row| format!("e{row}")).collect();
        for f in sums.used_along() {
            sums.define(&format!("along{f}_{l}"), &products(&of_line(line, f), &residuals));
        }
    }
    // A line has all values of the factors along, and the first rows of all lines all of those across.
    let firsts: Vec<usize> = lines.iter().map(|line| line[0]).collect();
    let across = |g: usize| of_line(&firsts, factors.along.len() + g);
    for (j, terms) in factors.functions.iter().enumerate() {
        let of_term = |&(f, g): &(usize, usize)| {
            let along: Vec<String> = (0..lines.len()).map(|l| format!("along{f}_{l}")).collect();
            products(&across(g), &along)
        };
        sums.assign(&format!("slope[{j}u]"), &terms.iter().flat_map(of_term).collect::<Vec<String>>());
    }
    let pairs = sums.pairs();
    for &(f, other) in &pairs.along {
        sums.define(&along_name((f, other)), &products(&of_line(&lines[0], f), &of_line(&lines[0], other)));
    }
    for &(g, other) in &pairs.across {
        sums.define(&across_name((g, other)), &products(&across(g), &across(other)));
    }
    sums.gram(&pairs);
    rows.text += &sums.text;
    rows.statements += sums.statements;
    Some(rows)
}

/// e of a row, and what it adds to ‖e‖².
pub(super) fn residual(row: &str, f: &str, y: &str) -> String {
    format!("let e{row}: Real = {f} - {y};\nsquares += e{row} * e{row};\n")
}

/// The pairs of factors whose products are summed up.
pub(super) struct Pairs {
    pub(super) along: BTreeSet<Pair>,
    pub(super) across: BTreeSet<Pair>,
}

/// The statements of the sums, as they are written.
pub(super) struct Sums<'a> {
    factors: &'a Factors,
    /// Of each factor, along and then across, whether it is 1.
    is_one: Vec<bool>,
    pub(super) text: String,
    pub(super) statements: usize,
}

impl<'a> Sums<'a> {
    /// None yet, and the nodes whose values they take: f, the factors along, the factors across.
    pub(super) fn of(graph: &Graph, f: NodeId, factors: &'a Factors) -> (Self, Vec<NodeId>) {
        let wanted: Vec<NodeId> = [&[f][..], &factors.along, &factors.across].concat();
        let is_one = wanted[1..].iter().map(|&id| graph.constant(id) == Some(1.0)).collect();
        (Self { factors, is_one, text: String::new(), statements: 0 }, wanted)
    }

    /// The factors of the values of those nodes; nothing stands for 1.
    pub(super) fn factors_in(&self, values: &[String]) -> Vec<String> {
        let named = |(value, &is_one): (&String, &bool)| if is_one { String::new() } else { value.clone() };
        values[1..].iter().zip(&self.is_one).map(named).collect()
    }

    /// The factors along that some derivative has.
    pub(super) fn used_along(&self) -> BTreeSet<usize> {
        self.factors.functions.iter().flatten().map(|&(f, _)| f).collect()
    }

    /// The pairs of factors that JᵀJ is made of.
    pub(super) fn pairs(&self) -> Pairs {
        let functions = self.factors.functions.len();
        let all = (0..functions).flat_map(|j| (0..=j).flat_map(move |k| self.products(j, k)));
        let (along, across) = all.unzip();
        Pairs { along, across }
    }

    /// The products of a term of derivative j and one of derivative k.
    fn products(&self, j: usize, k: usize) -> impl Iterator<Item = (Pair, Pair)> + use<'a> {
        let (of_j, of_k) = (&self.factors.functions[j], &self.factors.functions[k]);
        of_j.iter().flat_map(move |&(f, g)| of_k.iter().map(move |&(f2, g2)| (pair(f, f2), pair(g, g2))))
    }

    /// JᵀJ, from the sums of products of two factors along a line and of two across, which have their names by now.
    pub(super) fn gram(&mut self, pairs: &Pairs) {
        for j in 0..self.factors.functions.len() {
            for k in 0..=j {
                let mut times: BTreeMap<(Pair, Pair), u32> = BTreeMap::new();
                self.products(j, k).for_each(|product| *times.entry(product).or_default() += 1);
                let product = |((f, g), times): ((Pair, Pair), u32)| match times {
                    1 => format!("{} * {}", along_name(f), across_name(g)),
                    _ => format!("{times}.0 * ({} * {})", along_name(f), across_name(g)),
                };
                let products: Vec<String> = times.into_iter().map(product).collect();
                self.assign(&format!("gram[{}u]", j * (j + 1) / 2 + k), &products);
            }
        }
        self.growth(pairs);
    }

    /// How much larger the terms of a derivative are than it is, and whether all sums of squares keep their digits: one that
    /// does not may be made good again by the other that it is multiplied by, with what it has lost. Of a derivative of which
    /// the terms leave nothing but rounding, the square may come out as less than nothing: it is kept above, for those tests
    /// that take it for the end of the range, and with a growth of 2²⁰ no step is taken by it.
    fn growth(&mut self, Pairs { along, across }: &Pairs) {
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
        let squares = |pairs: &BTreeSet<Pair>, name: fn(Pair) -> String| {
            pairs.iter().filter(|(f, other)| f == other).map(|&pair| name(pair)).collect::<Vec<String>>()
        };
        let all = [squares(along, along_name), squares(across, across_name)].concat();
        let least = all.into_iter().reduce(|least, square| format!("min({least}, {square})")).unwrap_or_default();
        // A square that is below its digits, or is nothing, is off by as much as LEAST: nothing, beside the sum that it is in,
        // where the other one is not as large again.
        let _ = writeln!(self.text, "if {least} < LEAST {{");
        for (j, terms) in self.factors.functions.iter().enumerate() {
            let sum = format!("LEAST_PART * gram[{}u]", j * (j + 1) / 2 + j);
            for &(f, g) in terms {
                for (small, other) in
                    [(along_name((f, f)), across_name((g, g))), (across_name((g, g)), along_name((f, f)))]
                {
                    let is_fine = format!("({small} >= LEAST) | (LEAST * {other} <= {sum})");
                    let _ = writeln!(self.text, "growth = select(3e38, growth, {is_fine});");
                }
            }
        }
        self.text += "}\n";
        self.statements += along.len() + across.len();
    }

    /// A name for a sum.
    pub(super) fn define(&mut self, name: &str, products: &[String]) {
        let _ = writeln!(self.text, "let {name}: Real = {};", sum(products));
        self.statements += products.len();
    }

    /// A sum to something that has its name.
    pub(super) fn assign(&mut self, name: &str, products: &[String]) {
        let _ = writeln!(self.text, "{name} = {};", sum(products));
        self.statements += products.len();
    }
}

fn pair(a: usize, b: usize) -> Pair {
    (a.min(b), a.max(b))
}

pub(super) fn along_name((f, other): Pair) -> String {
    format!("lines{f}_{other}")
}

pub(super) fn across_name((g, other): Pair) -> String {
    format!("across{g}_{other}")
}

/// One by one.
pub(super) fn products(a: &[String], b: &[String]) -> Vec<String> {
    a.iter().zip(b).map(|(a, b)| product(a, b)).collect()
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
pub(super) fn sum(products: &[String]) -> String {
    if products.iter().all(|product| product == "1.0") {
        return format!("Real({}.0)", products.len());
    }
    products.join(" + ")
}
