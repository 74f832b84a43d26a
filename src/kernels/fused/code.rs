//! The part of `shaders/fused/steps.wgsl` that is written for a model: JᵀJ, Jᵀe and ‖e‖², summed over the rows or line by line,
//! or the rows turned into R and Qᵀe.

use crate::expr::separate::separate_exponentials;
use crate::expr::unrolled::{Grid, GridNames, Rows, emit_rows};
use crate::expr::wgsl::{Code, Names, emit};
use crate::expr::{Graph, NodeId, Rewrite};
use crate::gpu::GeneratedModule;
use crate::model::Expression;

use super::form::{Form, Route};
use super::{lines, moments, quads, rotations};

/// The most rows that are written out one by one.
const MOST_WRITTEN_OUT: usize = 128;

/// The most rows that are written out where a loop over lines would do: with more of them it takes a third longer, and seconds
/// less to compile. On llvmpipe 9×9 points took 0.48 µs a fit and 2.8 s written out, 0.70 µs and 0.9 s by lines.
const MOST_BEFORE_LINES: usize = 64;

/// The most statements of all rows together, or of a line and what goes with it: beyond them a loop is as good, and a driver compiles it in a moment.
const MOST_STATEMENTS: usize = 4096;

/// Where the kernel finds the coordinates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Coordinates {
    /// With every row of the data, and its weight.
    InData,
    /// In a grid of all data sets, which stands before their responses.
    InGrid(Grid),
}

/// The parts of the kernel's text; for some drivers nothing but loops.
pub(crate) fn parts(model: &Expression, coordinates: &Coordinates, form: Form, unrolls: bool) -> [GeneratedModule; 6] {
    let route = form.route;
    let unrolled = match coordinates {
        Coordinates::InGrid(grid) if unrolls => {
            let lined = || if route == Route::Normal { lined(model, grid) } else { None };
            let unrolled = || unrolled(model, grid, route);
            if grid.rows > MOST_BEFORE_LINES { lined().or_else(unrolled) } else { unrolled().or_else(lined) }
        }
        _ => None,
    };
    let data = if unrolled.is_some() { quads::AS_QUADS } else { quads::AS_NUMBERS };
    let (once, rows, functions) = unrolled.unwrap_or_else(|| looped(model, coordinates, route));
    let damping = if route == Route::Orthogonal { rotations::damping(model.parameters.len()) } else { String::new() };
    let functions: Vec<&str> = functions.iter().copied().collect();
    let imports = match functions.as_slice() {
        [] => String::new(),
        functions => format!("#import natgrad::elementary::{{{}}}", functions.join(", ")),
    };
    let part = |name: &str, wgsl: String| GeneratedModule { name: name.to_owned(), wgsl, is_part: true };
    [
        part("imports", imports),
        part("data", data.to_owned()),
        form.rule(),
        part("once", once),
        part("rows", rows),
        part("damping", damping),
    ]
}

/// What stands before all evaluations, what is done with the rows of one, and the functions called.
type Parts = (String, String, std::collections::BTreeSet<&'static str>);

/// θ by the name that the shader has for it.
fn parameter(index: u32) -> String {
    format!("x[{index}u]")
}

/// Values of the grid are read once.
struct OfGrid;

impl GridNames for OfGrid {
    fn parameter(&self, index: u32) -> String {
        parameter(index)
    }

    fn input(&self, index: u32, value: u32) -> String {
        format!("grid_{index}_{value}")
    }
}

/// The model's outputs over a grid, as they are computed there.
fn over_grid(model: &Expression, grid: &Grid) -> (Graph, Vec<NodeId>) {
    let mut graph = model.graph.clone();
    let outputs = if model.rewrites.contains(Rewrite::GridExponential) && grid.has_axes() {
        separate_exponentials(&mut graph, &model.outputs)
    } else {
        model.outputs.clone()
    };
    (graph, outputs)
}

/// Row by row, and each value once for the rows that share it.
fn unrolled(model: &Expression, grid: &Grid, route: Route) -> Option<Parts> {
    if grid.rows > MOST_WRITTEN_OUT {
        return None;
    }
    let (graph, outputs) = over_grid(model, grid);
    let Rows { text, functions, statements } = match route {
        Route::Normal => summed(&graph, &outputs, grid, model.rewrites.contains(Rewrite::GridSums)),
        Route::Orthogonal => turned(&graph, &outputs, grid),
    };
    if statements > MOST_STATEMENTS {
        return None;
    }
    let mut once: String = (0..grid.values.len()).map(|input| read_values(grid, input)).collect();
    let before = grid.rows * grid.values.len();
    once += &quads::read("y", &format!("problem.first_row + {before}u"), grid.rows, grid.rows);
    let rows = match route {
        Route::Normal => format!("let weight: Real = problem.weight;\n{text}{}", weighted(outputs.len() - 1)),
        Route::Orthogonal => format!("let w: Real = problem.weight;\n{text}"),
    };
    Some((once, rows, functions))
}

/// The distinct values of an input, each under its name.
fn read_values(grid: &Grid, input: usize) -> String {
    let read = |value: usize| {
        let row = grid.values[input].iter().position(|&other| other as usize == value).unwrap_or(0);
        format!("let grid_{input}_{value}: Real = {};\n", quads::known(row * grid.values.len() + input))
    };
    (0..grid.distinct(input)).map(read).collect()
}

/// A line written out, in a loop over all of them: of grids too large to be written out as a whole.
fn lined(model: &Expression, grid: &Grid) -> Option<Parts> {
    if !model.rewrites.contains(Rewrite::GridSums) {
        return None;
    }
    let (graph, outputs) = over_grid(model, grid);
    let looped = lines::looped(&graph, &outputs, grid)?;
    let by_rows = emit(&graph, &outputs, &InLoop).body.lines().count() + Sum::of(&graph, &outputs).statements();
    if looped.each + looped.once > MOST_STATEMENTS || looped.each >= looped.length * by_rows {
        return None;
    }
    let rows = format!("let weight: Real = problem.weight;\n{}{}", looped.text, weighted(outputs.len() - 1));
    Some((read_values(grid, looped.along), rows, looped.functions))
}

/// The rows and their sums, but for the weight: row by row, or line by line where that takes less.
fn summed(graph: &Graph, outputs: &[NodeId], grid: &Grid, by_lines: bool) -> Rows {
    let sum = Sum::of(graph, outputs);
    let mut rows = emit_rows(graph, outputs, grid, &OfGrid, |row, results| {
        sum.row(&format!("e{row}"), &format!("y{row}"), results)
    });
    rows.text += &sum.constants(&format!("Real({})", grid.rows));
    rows.statements += grid.rows * sum.statements();
    let lines = by_lines.then(|| moments::rows(graph, outputs, grid, &OfGrid)).flatten();
    lines.filter(|lines| lines.statements < rows.statements).unwrap_or(rows)
}

/// The rows, each turned into R and Qᵀe.
fn turned(graph: &Graph, outputs: &[NodeId], grid: &Grid) -> Rows {
    let mut rows = emit_rows(graph, outputs, grid, &OfGrid, |row, results| {
        format!("{{\nlet y = y{row};\n{}}}\n", rotations::row(results))
    });
    rows.statements += grid.rows * rotations::statements(outputs.len() - 1);
    rows
}

/// Inputs by their place in the data.
struct InLoop;

impl Names for InLoop {
    fn parameter(&self, index: u32) -> String {
        parameter(index)
    }

    fn input(&self, index: u32) -> String {
        format!("data[at + {index}u]")
    }
}

/// A loop over the rows.
fn looped(model: &Expression, coordinates: &Coordinates, route: Route) -> Parts {
    let inputs = model.inputs.len();
    let in_grid = matches!(coordinates, Coordinates::InGrid(_));
    let Code { hoisted, body, results, functions } = emit(&model.graph, &model.outputs, &InLoop);
    let sum = Sum::of(&model.graph, &model.outputs);
    let mut rows = format!("{hoisted}for (var i = 0u; i < problem.rows; i++) {{\n");
    if in_grid {
        rows += &format!(
            "let at = i * {inputs}u;\nlet y = data[problem.rows * {inputs}u + problem.first_row + i];\n{body}"
        );
        if route == Route::Orthogonal {
            rows += &format!("let w: Real = problem.weight;\n{}}}\n", rotations::row(&results));
        } else {
            rows += &sum.row("e", "y", &results);
            rows += "}\nlet weight: Real = problem.weight;\n";
            rows += &sum.constants("Real(problem.rows)");
            rows += &weighted(sum.constant.len());
        }
    } else {
        let width = inputs + 2;
        rows += &format!("let at = (problem.first_row + i) * {width}u;\n");
        rows += &format!("let y = data[at + {inputs}u];\nlet w = data[at + {}u];\n{body}", inputs + 1);
        rows += &if route == Route::Orthogonal { rotations::row(&results) } else { sum.weighted_row(&results) };
        rows += "}\n";
    }
    (String::new(), rows, functions)
}

/// How a row joins the sums.
struct Sum {
    /// Of each derivative that is the same everywhere, its value.
    constant: Vec<Option<f64>>,
}

impl Sum {
    fn of(graph: &Graph, outputs: &[NodeId]) -> Self {
        Self { constant: outputs[1..].iter().map(|&id| graph.constant(id)).collect() }
    }

    fn statements(&self) -> usize {
        let p = self.constant.len();
        2 + p + p * (p + 1) / 2
    }

    /// The sums of a row without weights: what is constant in them is left to the end.
    fn row(&self, e: &str, y: &str, results: &[String]) -> String {
        let mut text = format!("let {e}: Real = {} - {y};\nsquares += {e} * {e};\n", results[0]);
        let derivatives = &results[1..];
        for (j, a) in derivatives.iter().enumerate() {
            text += &match self.constant[j] {
                Some(1.0) => format!("slope[{j}u] += {e};\n"),
                _ => format!("slope[{j}u] += {a} * {e};\n"),
            };
            for (k, b) in derivatives.iter().enumerate().take(j + 1) {
                let at = j * (j + 1) / 2 + k;
                text += &match (self.constant[j], self.constant[k]) {
                    (Some(_), Some(_)) => String::new(),
                    (Some(1.0), None) => format!("gram[{at}u] += {b};\n"),
                    (None, Some(1.0)) => format!("gram[{at}u] += {a};\n"),
                    _ => format!("gram[{at}u] += {a} * {b};\n"),
                };
            }
        }
        text
    }

    /// The sums of a row with its weight.
    fn weighted_row(&self, results: &[String]) -> String {
        let mut text = format!("let e: Real = w * ({} - y);\nsquares += e * e;\n", results[0]);
        for (j, a) in results[1..].iter().enumerate() {
            text += &format!("let d{j}: Real = w * {a};\nslope[{j}u] += d{j} * e;\n");
            for k in 0..=j {
                text += &format!("gram[{}u] += d{j} * d{k};\n", j * (j + 1) / 2 + k);
            }
        }
        text
    }

    /// What is constant, of so many rows.
    fn constants(&self, rows: &str) -> String {
        let mut text = String::new();
        for j in 0..self.constant.len() {
            for k in 0..=j {
                if let (Some(a), Some(b)) = (self.constant[j], self.constant[k]) {
                    text += &format!("gram[{}u] = {rows} * Real({:?});\n", j * (j + 1) / 2 + k, a * b);
                }
            }
        }
        text
    }
}

/// The weight of all rows, a power of two, which is left to the end.
fn weighted(parameters: usize) -> String {
    let mut text = String::from("squares *= weight * weight;\n");
    for j in 0..parameters {
        text += &format!("slope[{j}u] *= weight * weight;\n");
    }
    for at in 0..parameters * (parameters + 1) / 2 {
        text += &format!("gram[{at}u] *= weight * weight;\n");
    }
    text
}
