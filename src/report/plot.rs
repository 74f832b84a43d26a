//! Pictures of a sweep: what became of its problems against the step size.

use std::io::Write;
use std::path::{Path, PathBuf};

use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;

use super::number::significant;
use super::summary::{Family, RuleSummary};
use super::{ReportError, Summary, write_whole};

/// The names of the pictures that [`write_plots`] may write.
pub(crate) const PLOTS: [&str; 2] = ["converged.svg", "steps.svg"];

/// Draws, as SVG files in `folder`, the share of problems that converged and the median of their steps, both against
/// the step size with a line for each damping. Returns the files written: none where there is only one step size.
///
/// # Errors
/// A picture cannot be drawn or written.
pub fn write_plots(summary: &Summary, folder: &Path) -> Result<Vec<PathBuf>, ReportError> {
    let mut sizes: Vec<f64> = summary.rules.iter().map(|rule| rule.step_size).collect();
    sizes.sort_by(f64::total_cmp);
    sizes.dedup();
    if sizes.len() < 2 {
        return Ok(Vec::new());
    }
    let families = summary.families();
    let share = Picture {
        title: "Problems that converged",
        vertical: "share converged",
        value: |rule| Some(rule.converged_share),
        top: 1.05,
        logarithmic: is_wide(&sizes),
    };
    let most = summary.rules.iter().filter_map(|rule| rule.median_steps).max();
    let steps = Picture {
        title: "Steps to convergence",
        vertical: "steps, median of the converged",
        value: |rule| rule.median_steps.map(f64::from),
        top: 1.05 * f64::from(most.unwrap_or(1).max(1)),
        logarithmic: is_wide(&sizes),
    };
    let range = (sizes[0], sizes[sizes.len() - 1]);
    let pictures = [(PLOTS[0], share), (PLOTS[1], steps)];
    let mut written = Vec::new();
    for (name, picture) in pictures {
        let path = folder.join(name);
        let svg = picture
            .draw(&families, range)
            .map_err(|problem| ReportError::Draw { file: path.display().to_string(), problem })?;
        write_whole(&path, |writer| {
            writer.write_all(svg.as_bytes()).map_err(|source| ReportError::write(&path, source))
        })?;
        written.push(path);
    }
    Ok(written)
}

/// Whether step sizes span so much that a logarithmic axis shows them better.
fn is_wide(sizes: &[f64]) -> bool {
    matches!((sizes.first(), sizes.last()), (Some(&first), Some(&last)) if first > 0.0 && last / first >= 100.0)
}

/// One diagram against the step size.
struct Picture {
    title: &'static str,
    vertical: &'static str,
    value: fn(&RuleSummary) -> Option<f64>,
    top: f64,
    logarithmic: bool,
}

/// Colours that the colour-blind tell apart: Okabe and Ito, Color Universal Design (2008), without yellow, which is
/// lost on white.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
];

const WIDTH: u32 = 900;
const CHART_HEIGHT: u32 = 520;
/// Height of a line of the legend.
const LEGEND_LINE: u32 = 22;
/// Left edge of the diagram, and of the legend beneath it.
const LEFT: u32 = 64;
/// Lines that the legend names; the others are drawn and counted.
const NAMED: usize = 14;

impl Picture {
    fn draw(&self, families: &[Family<'_>], (from, to): (f64, f64)) -> Result<String, String> {
        let legend = if families.len() > 1 { families.len().min(NAMED) } else { 0 };
        let height = CHART_HEIGHT + LEGEND_LINE * legend as u32 + 12;
        let mut svg = String::new();
        {
            let root = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
            root.fill(&WHITE).map_err(told)?;
            let (upper, lower) = root.split_vertically(CHART_HEIGHT);
            let upper = upper.margin(12, 12, 12, 24);
            if self.logarithmic {
                let axis = (from / 1.1..to * 1.1).log_scale();
                self.chart(&upper, families, axis)?;
            } else {
                let margin = 0.03 * (to - from);
                self.chart(&upper, families, from - margin..to + margin)?;
            }
            for k in 0..legend {
                draw_legend_line(&lower, families, k)?;
            }
            root.present().map_err(told)?;
        }
        Ok(svg)
    }

    fn chart<A>(
        &self,
        root: &DrawingArea<SVGBackend<'_>, Shift>,
        families: &[Family<'_>],
        axis: A,
    ) -> Result<(), String>
    where
        A: AsRangedCoord<Value = f64>,
        A::CoordDescType: ValueFormatter<f64>,
    {
        let mut chart = ChartBuilder::on(root)
            .caption(self.title, ("sans-serif", 22))
            .x_label_area_size(48)
            .y_label_area_size(LEFT)
            .build_cartesian_2d(axis, 0.0..self.top)
            .map_err(told)?;
        chart
            .configure_mesh()
            .x_desc("step size η")
            .y_desc(self.vertical)
            .axis_desc_style(("sans-serif", 17))
            .label_style(("sans-serif", 14))
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .x_label_formatter(&|value| significant(*value, 3))
            .y_label_formatter(&|value| significant(*value, 3))
            .draw()
            .map_err(told)?;
        for (k, family) in families.iter().enumerate() {
            let pen = Pen::new(k, families.len());
            let mut rules = family.rules.clone();
            rules.sort_by(|a, b| a.step_size.total_cmp(&b.step_size));
            let point = |rule: &&RuleSummary| Some((rule.step_size, (self.value)(rule)?));
            // A rule without a value (none converged) breaks the line.
            for run in rules.split(|rule| (self.value)(rule).is_none()) {
                chart.draw_series(LineSeries::new(run.iter().filter_map(point), pen.line())).map_err(told)?;
            }
            let markers = rules.iter().filter_map(point);
            chart.draw_series(markers.map(|point| EmptyElement::at(point) + pen.marker((0, 0)))).map_err(told)?;
        }
        Ok(())
    }
}

fn draw_legend_line(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    families: &[Family<'_>],
    k: usize,
) -> Result<(), String> {
    let pen = Pen::new(k, families.len());
    let (left, y) = (LEFT as i32 + 12, (LEGEND_LINE as usize * k) as i32 + 10);
    let mut label = families[k].label.clone();
    if k + 1 == NAMED && families.len() > NAMED {
        label += &format!(" … and {} more", families.len() - NAMED);
    }
    area.draw(&PathElement::new([(left, y), (left + 32, y)], pen.line())).map_err(told)?;
    area.draw(&pen.marker((left + 16, y))).map_err(told)?;
    area.draw(&Text::new(label, (left + 44, y - 8), ("sans-serif", 15))).map_err(told)
}

/// How a line is drawn. Lines differ by more than their colour: by their markers, and by their width, the later ones
/// thinner, so that lines that coincide show beside each other.
struct Pen {
    colour: RGBColor,
    shape: usize,
    /// 0 for the last lines, up to 3 for the first.
    extra: u32,
}

impl Pen {
    fn new(line: usize, lines: usize) -> Self {
        // Five shapes and seven colours: their pairs repeat after 35 lines only.
        Self { colour: COLOURS[line % COLOURS.len()], shape: line % 5, extra: (lines - 1 - line).min(3) as u32 }
    }

    fn line(&self) -> ShapeStyle {
        self.colour.stroke_width(2 + 2 * self.extra)
    }

    /// A disc, square, triangle, diamond or inverted triangle.
    fn marker(&self, (x, y): (i32, i32)) -> Polygon<(i32, i32)> {
        let regular = |corners: u32, radius: f64, turn: f64| -> Vec<(i32, i32)> {
            let radius = radius + 1.5 * f64::from(self.extra);
            let angle = |k: u32| std::f64::consts::TAU * (f64::from(k) / f64::from(corners) + turn);
            let corner =
                |k| (x + (radius * angle(k).sin()).round() as i32, y - (radius * angle(k).cos()).round() as i32);
            (0..corners).map(corner).collect()
        };
        let corners = match self.shape {
            0 => regular(16, 4.5, 0.0),
            1 => regular(4, 6.0, 0.125),
            2 => regular(3, 6.5, 0.0),
            3 => regular(4, 6.0, 0.0),
            _ => regular(3, 6.5, 0.5),
        };
        Polygon::new(corners, self.colour.filled())
    }
}

fn told(error: impl std::fmt::Display) -> String {
    error.to_string().replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::super::example::{empty_outcome_with, outcome};
    use super::super::summary::{Line, SummaryBuilder};
    use super::*;

    /// A sweep like the one of the examples: a share that falls beyond η = 2, earlier without damping.
    pub(super) fn sweep_summary(lines: usize) -> Summary {
        let mut builder = SummaryBuilder::default();
        for damping in 0..lines {
            for size in 1..=44 {
                let size = f64::from(size) * 0.05;
                for problem in 0..10 {
                    let converged = size < 1.6 + 0.05 * f64::from(problem) + 0.05 * damping as f64;
                    builder.add(&Line {
                        problem: 0,
                        step_size: size,
                        damping: Some(10f64.powi(damping as i32 - 8)),
                        filter: "tikhonov",
                        scaling: "columns",
                        status: if converged { "converged" } else { "step_limit" },
                        reason: None,
                        steps: (8.0 / (1e-3 + (1.0 - size).abs())).min(160.0) as u32 + damping as u32,
                        loss: None,
                    });
                }
            }
        }
        builder.finish()
    }

    #[test]
    fn a_sweep_over_step_sizes_gives_two_pictures_with_named_axes_and_a_legend() {
        let folder = tempfile::tempdir().unwrap();
        let files = write_plots(&sweep_summary(3), folder.path()).unwrap();
        assert_eq!(files, PLOTS.map(|name| folder.path().join(name)));
        for file in files {
            let svg = std::fs::read_to_string(file).unwrap();
            for text in ["step size η", "damping 1e-8", "damping 1e-6", "<svg"] {
                assert!(svg.contains(text), "{text} is missing");
            }
            for colour in ["#0072B2", "#D55E00", "#009E73"] {
                assert!(svg.contains(colour), "{colour} is missing");
            }
        }
    }

    #[test]
    fn a_single_step_size_gives_no_picture() {
        let folder = tempfile::tempdir().unwrap();
        assert!(write_plots(&Summary::new(&outcome().select([0])), folder.path()).unwrap().is_empty());
        let empty = Summary::new(&empty_outcome_with(&[], &["a"]));
        assert!(write_plots(&empty, folder.path()).unwrap().is_empty());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn equal_summaries_give_equal_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let read = || {
            let files = write_plots(&sweep_summary(20), folder.path()).unwrap();
            files.iter().map(|file| std::fs::read(file).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(read(), read());
    }
}
