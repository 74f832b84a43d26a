//! Pictures of a sweep: what became of its problems against the step size.

use std::io::Write;
use std::path::{Path, PathBuf};

use plotters::coord::Shift;
use plotters::coord::combinators::{BindKeyPoints, IntoLogRange};
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;

use super::map;
use super::number::significant;
use super::pen::Pen;
use super::summary::{Family, RuleSummary};
use super::{ReportError, Summary, write_whole};

/// The names of the pictures that [`write_plots`] may write.
pub(crate) const PLOTS: [&str; 3] = ["converged.svg", "steps.svg", "map.svg"];

/// Draws, as SVG files in `folder`, the share of problems that converged and the median of their steps, both against
/// the step size with a line for each damping; the axis of the steps is logarithmic unless some took none. Where there are
/// several dampings too, a map of final losses and steps over both. Returns the files written: none where there is only one
/// step size.
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
    let horizontal = format!("step size η{}", summary.unit_of_sizes());
    let share = Picture {
        title: "Problems that converged",
        horizontal: horizontal.clone(),
        vertical: "share of the problems that converged",
        value: |rule| Some(rule.converged_share),
        range: (-0.03, 1.05),
        logarithmic: (is_wide(&sizes), false),
    };
    let medians = || summary.rules.iter().filter_map(|rule| rule.median_steps);
    let (least, most) = (medians().min().unwrap_or(1), medians().max().unwrap_or(1));
    // No steps at all, a start at the minimum, has no place on a logarithmic axis.
    let logarithmic = least > 0;
    let range = if logarithmic {
        around(f64::from(least), f64::from(most))
    } else {
        (-0.03 * f64::from(most), 1.05 * f64::from(most.max(1)))
    };
    let steps = Picture {
        title: "Steps to convergence",
        horizontal,
        vertical: "steps (median of the converged)",
        value: |rule| rule.median_steps.map(f64::from),
        range,
        logarithmic: (is_wide(&sizes), logarithmic),
    };
    let range = (sizes[0], sizes[sizes.len() - 1]);
    let drawn = |picture: Picture| picture.draw(&families, range);
    let pictures = [Some(drawn(share)), Some(drawn(steps)), map::draw(summary)];
    let mut written = Vec::new();
    for (name, picture) in PLOTS.into_iter().zip(pictures) {
        let Some(picture) = picture else { continue };
        let path = folder.join(name);
        let svg = picture.map_err(|problem| ReportError::Draw { file: path.display().to_string(), problem })?;
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

/// The marks of a logarithmic axis: 1, 2 and 5 times the powers of ten, the powers alone beyond four decades.
pub(super) fn ticks(low: f64, high: f64) -> Vec<f64> {
    let factors: &[f64] = if high / low > 1e4 { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let decades = low.log10().floor() as i32..=high.log10().ceil() as i32;
    let marks = decades.flat_map(|decade| factors.iter().map(move |factor| factor * 10f64.powi(decade)));
    marks.filter(|mark| (low..=high).contains(mark)).collect()
}

/// A range from the mark of a logarithmic axis at or below `low` to the one at or above `high`, a little wider.
pub(super) fn around(low: f64, high: f64) -> (f64, f64) {
    let marks = ticks(low / 10.0, high * 10.0);
    let below = marks.iter().copied().filter(|&mark| mark <= low).fold(low / 10.0, f64::max);
    let above = marks.iter().copied().filter(|&mark| mark >= high).fold(high * 10.0, f64::min);
    (below / 1.1, above * 1.1)
}

/// One diagram against the step size.
struct Picture {
    title: &'static str,
    horizontal: String,
    vertical: &'static str,
    value: fn(&RuleSummary) -> Option<f64>,
    /// Of the vertical axis.
    range: (f64, f64),
    /// Whether the horizontal and the vertical axis are.
    logarithmic: (bool, bool),
}

const WIDTH: u32 = 900;
const CHART_HEIGHT: u32 = 520;
/// Height of a line of the legend.
const LEGEND_LINE: u32 = 22;
/// Length of the piece of line that the legend shows: every dash at least twice.
const LEGEND_WIDTH: i32 = 64;
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
            let margin = 0.03 * (to - from);
            let (left, right) = if self.logarithmic.0 { (from / 1.1, to * 1.1) } else { (from - margin, to + margin) };
            let (bottom, top) = self.range;
            let logarithmic = |low: f64, high: f64| (low..high).log_scale().with_key_points(ticks(low, high));
            match self.logarithmic {
                (false, false) => self.chart(&upper, families, left..right, bottom..top)?,
                (false, true) => self.chart(&upper, families, left..right, logarithmic(bottom, top))?,
                (true, false) => self.chart(&upper, families, logarithmic(left, right), bottom..top)?,
                (true, true) => self.chart(&upper, families, logarithmic(left, right), logarithmic(bottom, top))?,
            }
            for k in 0..legend {
                draw_legend_line(&lower, families, k)?;
            }
            root.present().map_err(told)?;
        }
        Ok(svg)
    }

    fn chart<X, Y>(
        &self,
        root: &DrawingArea<SVGBackend<'_>, Shift>,
        families: &[Family<'_>],
        horizontal: X,
        vertical: Y,
    ) -> Result<(), String>
    where
        X: AsRangedCoord<Value = f64>,
        X::CoordDescType: ValueFormatter<f64>,
        Y: AsRangedCoord<Value = f64>,
        Y::CoordDescType: ValueFormatter<f64>,
    {
        let mut chart = ChartBuilder::on(root)
            .caption(self.title, ("sans-serif", 22))
            .x_label_area_size(48)
            .y_label_area_size(LEFT)
            .build_cartesian_2d(horizontal, vertical)
            .map_err(told)?;
        chart
            .configure_mesh()
            .x_desc(self.horizontal.as_str())
            .y_desc(self.vertical)
            .axis_desc_style(("sans-serif", 17))
            .label_style(("sans-serif", 14))
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .x_label_formatter(&|value| significant(*value, 3))
            .y_label_formatter(&|value| significant(*value, 3))
            .draw()
            .map_err(told)?;
        // Single points last: nothing is drawn over them.
        let mut order: Vec<usize> = (0..families.len()).collect();
        order.sort_by_key(|&k| families[k].rules.len() == 1);
        for k in order {
            let pen = Pen::new(k, families[k].rules.len());
            let mut rules = families[k].rules.clone();
            rules.sort_by(|a, b| a.step_size.total_cmp(&b.step_size));
            let point = |rule: &&RuleSummary| Some((rule.step_size, (self.value)(rule)?));
            // A rule without a value (none converged) breaks the line.
            for run in rules.split(|rule| (self.value)(rule).is_none()) {
                let line = pen.line(run.iter().filter_map(point).collect());
                chart.draw_series(std::iter::once(line)).map_err(told)?;
            }
            for at in rules.iter().filter_map(point) {
                let (edge, area, outline) = pen.marker();
                let marker = EmptyElement::at(at) + edge + area + outline;
                chart.draw_series(std::iter::once(marker)).map_err(told)?;
            }
        }
        Ok(())
    }
}

fn draw_legend_line(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    families: &[Family<'_>],
    k: usize,
) -> Result<(), String> {
    let family = &families[k];
    let pen = Pen::new(k, family.rules.len());
    let (left, y) = (LEFT as i32 + 12, (LEGEND_LINE as usize * k) as i32 + 10);
    let mut label = family.label.clone();
    if let [only] = family.rules[..] {
        label += &format!(" (step size {} only)", significant(only.step_size, 3));
    } else {
        area.draw(&pen.line(vec![(left, y), (left + LEGEND_WIDTH, y)])).map_err(told)?;
    }
    if k + 1 == NAMED && families.len() > NAMED {
        label += &format!(" … and {} more", families.len() - NAMED);
    }
    let (edge, filled, outline) = pen.marker();
    let marker = EmptyElement::at((left + LEGEND_WIDTH / 2, y)) + edge + filled + outline;
    area.draw(&marker).map_err(told)?;
    area.draw(&Text::new(label, (left + LEGEND_WIDTH + 12, y - 8), ("sans-serif", 15))).map_err(told)
}

pub(super) fn told(error: impl std::fmt::Display) -> String {
    error.to_string().replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::super::example::{empty_outcome_with, outcome};
    use super::super::summary::{Line, SummaryBuilder};
    use super::*;
    use crate::sweep::SizeUnit;

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
                        unit: SizeUnit::Absolute,
                        damping: Some(10f64.powi(damping as i32 - 8)),
                        filter: "tikhonov",
                        scaling: "columns",
                        status: if converged { "converged" } else { "step_limit" },
                        reason: None,
                        steps: (8.0 / (1e-3 + (1.0 - size).abs())).min(160.0) as u32 + damping as u32,
                        loss: None,
                        short: false,
                    });
                }
            }
        }
        builder.finish()
    }

    #[test]
    fn a_sweep_over_step_sizes_gives_two_pictures_with_named_axes_and_a_legend_and_a_map() {
        let folder = tempfile::tempdir().unwrap();
        let files = write_plots(&sweep_summary(3), folder.path()).unwrap();
        assert_eq!(files, PLOTS.map(|name| folder.path().join(name)));
        for file in &files[..2] {
            let svg = std::fs::read_to_string(file).unwrap();
            for text in ["step size η", "damping 1e-8", "damping 1e-6", "<svg"] {
                assert!(svg.contains(text), "{text} is missing");
            }
            for colour in ["#0072B2", "#D55E00", "#009E73"] {
                assert!(svg.contains(colour), "{colour} is missing");
            }
        }
    }

    /// The two pictures of a summary, drawn.
    fn drawn(summary: &Summary) -> [String; 2] {
        let folder = tempfile::tempdir().unwrap();
        let files = write_plots(summary, folder.path()).unwrap();
        [0, 1].map(|k| std::fs::read_to_string(&files[k]).unwrap())
    }

    /// The value of an attribute of an element.
    fn attribute<'a>(element: &'a str, name: &str) -> &'a str {
        element.split(&format!(" {name}=\"")).nth(1).unwrap().split('"').next().unwrap()
    }

    #[test]
    fn lines_have_one_width_and_differ_in_colour_dash_and_marker() {
        for svg in drawn(&sweep_summary(3)) {
            let pieces = |colour: &str| -> Vec<String> {
                let of = format!("stroke=\"{colour}\"");
                svg.lines().filter(|line| line.contains(&of)).map(str::to_owned).collect()
            };
            let lines = ["#0072B2", "#D55E00", "#009E73"].map(pieces);
            assert!(lines.iter().flatten().all(|piece| attribute(piece, "stroke-width") == "2"));
            // The full line is one piece beside its markers; the dashed ones are many, the dots more than the dashes.
            let counts = lines.each_ref().map(Vec::len);
            assert!(2 * counts[0] < counts[1] && counts[1] < counts[2], "{counts:?}");
            // In the legend, the marker is the last thing drawn in its colour.
            let markers = lines.each_ref().map(|line| attribute(&line[line.len() - 1], "points").split(' ').count());
            let mut shapes = markers.to_vec();
            shapes.dedup();
            assert_eq!(shapes.len(), 3, "{markers:?}");
        }
    }

    #[test]
    fn a_single_point_such_as_the_adaptive_rule_is_a_filled_star_over_everything_else() {
        let mut builder = SummaryBuilder::default();
        // The single point is the first family, and its value is that of a point of every other.
        for (damping, size) in [(None, 1.0), (Some(0.0), 0.5), (Some(0.0), 1.0), (Some(0.1), 0.5), (Some(0.1), 1.0)] {
            builder.add(&Line {
                problem: 0,
                step_size: size,
                unit: SizeUnit::Absolute,
                damping,
                filter: "tikhonov",
                scaling: "columns",
                status: "converged",
                reason: None,
                steps: 7,
                loss: None,
                short: false,
            });
        }
        for svg in drawn(&builder.finish()) {
            // Ten corners and the first once more; the other one is in the legend.
            let lines: Vec<&str> = svg.lines().collect();
            let star = lines.iter().position(|line| line.starts_with("<polygon")).unwrap();
            assert_eq!(attribute(lines[star], "points").split_whitespace().count(), 11);
            assert!(svg.contains("damping adaptive (step size 1 only)"));
            let of_others = |line: &&str| line.contains("#D55E00") || line.contains("#009E73");
            let (before, after) = lines.split_at(star);
            // After it, each other line is drawn in the legend alone: beneath the diagram.
            assert!(before.iter().any(of_others));
            for line in after.iter().filter(|line| of_others(line)) {
                let y: u32 = attribute(line, "points").split([',', ' ']).nth(1).unwrap().parse().unwrap();
                assert!(y > CHART_HEIGHT, "{line}");
            }
        }
    }

    #[test]
    fn the_axis_of_the_steps_is_logarithmic_equal_ratios_are_equal_distances() {
        let [_, svg] = drawn(&sweep_summary(3));
        let height = |mark: &str| -> f64 {
            let lines: Vec<&str> = svg.lines().collect();
            let label = lines.windows(2).find(|pair| pair[1] == mark && pair[0].contains("text-anchor=\"end\""));
            attribute(label.unwrap_or_else(|| panic!("no mark {mark}"))[0], "y").parse().unwrap()
        };
        let distances = [("10", "20"), ("50", "100"), ("10", "100")].map(|(low, high)| height(low) - height(high));
        // Rounding to whole pixels moves each mark by less than a pixel, a distance by less than two.
        assert!(distances[0] > 20.0 && (distances[0] - distances[1]).abs() <= 2.0, "{distances:?}");
        assert!((distances[2] * 2f64.log10() - distances[0]).abs() <= 2.0, "{distances:?}");
        assert!(svg.contains("steps (median of the converged)"));
    }

    #[test]
    fn marks_of_a_logarithmic_axis_lie_within_it_and_enclose_what_is_drawn() {
        assert_eq!(ticks(3.0, 120.0), [5.0, 10.0, 20.0, 50.0, 100.0]);
        assert_eq!(ticks(0.5e-4, 20.0), [1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0]);
        for (low, high) in [(1.0, 1.0), (3.0, 193.0), (30.0, 40.0), (1.0, 200_000.0), (20.0, 20.0)] {
            let (bottom, top) = around(low, high);
            assert!(bottom < low && high < top, "{bottom} to {top} for {low} to {high}");
            let marks = ticks(bottom, top);
            assert!(!marks.is_empty() && marks[0] <= low && marks[marks.len() - 1] >= high, "{marks:?}");
        }
    }

    #[test]
    fn problems_that_take_no_step_are_drawn_too() {
        let mut builder = SummaryBuilder::default();
        for size in [1e-4, 1e-2, 1.0] {
            let line = |steps| Line {
                problem: 0,
                step_size: size,
                unit: SizeUnit::Absolute,
                damping: Some(0.0),
                filter: "exact",
                scaling: "columns",
                status: "converged",
                reason: None,
                steps,
                loss: None,
                short: false,
            };
            builder.add(&line(if size < 1e-3 { 0 } else { 3 }));
        }
        let [_, svg] = drawn(&builder.finish());
        // Three markers of 24 corners and the line between them.
        assert_eq!(svg.lines().filter(|line| line.contains("#0072B2")).count(), 4);
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
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
