//! The picture of a history: how residuals shrink, and how sharp the loss is on the way.

use std::io::Write;
use std::path::{Path, PathBuf};

use plotters::coord::combinators::{BindKeyPoints, IntoLogRange};
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::lines::{Lines, OfRule, Point};
use crate::ngd::{Damping, Filter};
use crate::report::number::{count, significant};
use crate::report::pen::Pen;
use crate::report::plot::{around, ticks, told};
use crate::report::{ReportError, write_whole};
use crate::sweep::{Outcome, SizeUnit, StepRule};

/// The name of the picture that [`write_history_plot`] may write.
pub(crate) const HISTORY_PLOT: &str = "history.svg";

/// Draws the history of an outcome's problems as `history.svg` in a folder: ‖e‖/‖e₀‖ over the steps, with (1 − η)ᵏ for
/// undamped natural gradient descent, and the sharpness over the steps (of the Hessian where it was asked for, else
/// λmax(JᵀJ)), with 2(1 + β)/η for gradient descent. Of many problems and rules some are drawn, evenly chosen. Nothing is
/// drawn of an outcome without records.
///
/// # Errors
/// The picture cannot be drawn or written.
pub fn write_history_plot(outcome: &Outcome, folder: &Path) -> Result<Option<PathBuf>, ReportError> {
    draw_history(&Lines::of_outcome(outcome), folder)
}

/// Draws these lines into a folder, where there is anything to draw.
pub(crate) fn draw_history(lines: &Lines, folder: &Path) -> Result<Option<PathBuf>, ReportError> {
    if last_step(lines) < 1.0 {
        return Ok(None);
    }
    let path = folder.join(HISTORY_PLOT);
    let svg = draw(lines).map_err(|problem| ReportError::Draw { file: path.display().to_string(), problem })?;
    write_whole(&path, |writer| writer.write_all(svg.as_bytes()).map_err(|source| ReportError::write(&path, source)))?;
    Ok(Some(path))
}

const WIDTH: u32 = 900;
const CHART_HEIGHT: u32 = 390;
const LEFT: u32 = 76;
const LEGEND_LINE: u32 = 22;
const LEGEND_WIDTH: i32 = 64;
/// The least and the largest ‖e‖/‖e₀‖ that is drawn.
const DRAWN: std::ops::RangeInclusive<f64> = 1e-16..=1e6;
/// The pen of what theory says.
const THEORY: ShapeStyle = ShapeStyle { color: RGBAColor(0, 0, 0, 1.0), filled: false, stroke_width: 2 };

/// A value at a step.
type At = (f64, f64);

/// One diagram over the steps.
struct Chart<'a> {
    title: &'a str,
    vertical: &'a str,
    /// Of each rule, its lines.
    lines: Vec<Vec<Vec<At>>>,
    /// What theory says, and a name at its end.
    theory: Vec<(Vec<At>, String)>,
}

fn draw(lines: &Lines) -> Result<String, String> {
    let last = last_step(lines);
    let residual = Chart {
        title: "Residual",
        vertical: "‖e‖/‖e₀‖",
        lines: each_line(lines, |line, point| {
            let first = line.first().map_or(f64::NAN, |first| first.norm);
            Some(point.norm / first).filter(|ratio| DRAWN.contains(ratio))
        }),
        theory: lines.rules.iter().filter_map(|of| Some((shrinking(&of.rule, last)?, String::new()))).collect(),
    };
    let sharpness = Chart {
        title: if lines.of_hessian { "Sharpness, of the Hessian" } else { "Sharpness, of JᵀJ" },
        vertical: if lines.of_hessian { "λmax of the Hessian" } else { "λmax(JᵀJ)" },
        lines: each_line(lines, |_, point| Some(point.sharpness).filter(|&sharpness| sharpness > 0.0)),
        theory: lines.rules.iter().filter_map(|of| edge(&of.rule, last)).collect(),
    };
    let words = theory_in_words(&residual, &sharpness);
    let legend = lines.rules.len() + usize::from(!words.is_empty());
    let height = 2 * CHART_HEIGHT + LEGEND_LINE * legend as u32 + 16;
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        root.fill(&WHITE).map_err(told)?;
        let (upper, rest) = root.split_vertically(CHART_HEIGHT);
        let (middle, lower) = rest.split_vertically(CHART_HEIGHT);
        residual.draw(&upper.margin(12, 4, 12, 24), last)?;
        sharpness.draw(&middle.margin(4, 12, 12, 24), last)?;
        for (k, of) in lines.rules.iter().enumerate() {
            let y = LEGEND_LINE as i32 * k as i32 + 10;
            let left = LEFT as i32 + 12;
            lower.draw(&Pen::new(k, 2).line(vec![(left, y), (left + LEGEND_WIDTH, y)])).map_err(told)?;
            name(&lower, y, &label(of, lines, k))?;
        }
        if !words.is_empty() {
            let y = LEGEND_LINE as i32 * lines.rules.len() as i32 + 10;
            let left = LEFT as i32 + 12;
            lower.draw(&theory(vec![(left, y), (left + LEGEND_WIDTH, y)])).map_err(told)?;
            name(&lower, y, &words)?;
        }
        root.present().map_err(told)?;
    }
    Ok(svg)
}

fn name(area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>, y: i32, words: &str) -> Result<(), String> {
    let left = LEFT as i32 + 12 + LEGEND_WIDTH + 12;
    area.draw(&Text::new(words.to_owned(), (left, y - 8), ("sans-serif", 15))).map_err(told)
}

/// A line of theory: black, of dashes of its own.
fn theory<P: Clone>(points: Vec<P>) -> DashedPathElement<std::vec::IntoIter<P>, u32> {
    DashedPathElement::new(points, 7, 7, THEORY)
}

impl Chart<'_> {
    fn draw(&self, area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>, last: f64) -> Result<(), String> {
        let values = || self.lines.iter().flatten().flatten().map(|&(_, value)| value);
        // Levels of theory are seen where lines come near; the rest of its curves ends where the lines do.
        let levels = self.theory.iter().filter(|(_, name)| !name.is_empty()).map(|(line, _)| line[0].1);
        let (low, high) = values().fold((f64::MAX, f64::MIN_POSITIVE), |(a, b), value| (a.min(value), b.max(value)));
        if low > high {
            return Ok(());
        }
        let near = |level: &f64| (low / 30.0..=high * 30.0).contains(level);
        let (low, high) = levels.filter(near).fold((low, high), |(a, b), level| (a.min(level), b.max(level)));
        let (bottom, top) = around(low, high);
        let vertical = (bottom..top).log_scale().with_key_points(ticks(bottom, top));
        let margin = 0.015 * last;
        let mut chart = ChartBuilder::on(area)
            .caption(self.title, ("sans-serif", 20))
            .x_label_area_size(48)
            .y_label_area_size(LEFT)
            .build_cartesian_2d(-margin..last + margin, vertical)
            .map_err(told)?;
        chart
            .configure_mesh()
            .x_desc("steps")
            .y_desc(self.vertical)
            .axis_desc_style(("sans-serif", 17))
            .label_style(("sans-serif", 14))
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .x_label_formatter(&|value| significant(*value, 6))
            .y_label_formatter(&|value| significant(*value, 3))
            .draw()
            .map_err(told)?;
        for (k, lines) in self.lines.iter().enumerate() {
            let pen = Pen::new(k, 2);
            for line in lines {
                chart.draw_series([pen.thin_line(line.clone())]).map_err(told)?;
            }
        }
        let small = TextStyle::from(("sans-serif", 14)).pos(Pos::new(HPos::Right, VPos::Bottom));
        for (line, name) in &self.theory {
            let seen: Vec<At> = line.iter().copied().filter(|(_, value)| (bottom..=top).contains(value)).collect();
            let name = seen.last().map(|&end| EmptyElement::at(end) + Text::new(name.clone(), (0, -4), small.clone()));
            chart.draw_series(name).map_err(told)?;
            chart.draw_series([theory(seen)]).map_err(told)?;
        }
        Ok(())
    }
}

/// The last step of all lines.
fn last_step(lines: &Lines) -> f64 {
    let steps = lines.rules.iter().flat_map(|of| &of.lines).flatten().map(|point| point.step);
    f64::from(steps.max().unwrap_or(0))
}

/// The values of every line; where there is none, a line is broken in two.
fn each_line(lines: &Lines, value: impl Fn(&[Point], &Point) -> Option<f64>) -> Vec<Vec<Vec<At>>> {
    let broken = |line: &Vec<Point>| -> Vec<Vec<At>> {
        let at = |point: &Point| value(line, point).filter(|v| v.is_finite()).map(|v| (f64::from(point.step), v));
        let values: Vec<Option<At>> = line.iter().map(at).collect();
        values.split(Option::is_none).map(|run| run.iter().flatten().copied().collect()).collect()
    };
    lines.rules.iter().map(|of| of.lines.iter().flat_map(broken).collect()).collect()
}

/// (1 − η)ᵏ of a rule of undamped natural gradient descent, where its problems have one step size.
fn shrinking(rule: &StepRule, last: f64) -> Option<Vec<At>> {
    let left = (1.0 - rule.size).abs();
    let is_one = rule.unit == SizeUnit::Absolute;
    let is_exact =
        is_one && rule.filter == Filter::Exact && rule.damping == Damping::Fixed(0.0) && rule.momentum == 0.0;
    // On a logarithmic axis they are straight: many points, since those outside the picture are left out.
    let points = || (0..=400).map(|i| f64::from(i) / 400.0 * last).map(|k| (k, left.powf(k))).collect();
    (is_exact && left > 0.0 && left < 1.0).then(points)
}

/// The sharpness beyond which steps of gradient descent, with momentum β, leave a minimiser: 2(1 + β)/η, where problems have
/// one step size.
fn edge(rule: &StepRule, last: f64) -> Option<(Vec<At>, String)> {
    let value = 2.0 * (1.0 + rule.momentum) / rule.size;
    let name = if rule.momentum == 0.0 { "2/η" } else { "2(1 + β)/η" };
    let name = format!("{name}, η = {}", significant(rule.size, 4));
    let is_one = rule.unit == SizeUnit::Absolute;
    (is_one && rule.filter == Filter::Gradient).then(|| (vec![(0.0, value), (last, value)], name))
}

fn theory_in_words(residual: &Chart<'_>, sharpness: &Chart<'_>) -> String {
    let rate = (!residual.theory.is_empty()).then_some("(1 − η)ᵏ above");
    let edge = (!sharpness.theory.is_empty()).then_some("the edge of stability of gradient descent below");
    rate.into_iter().chain(edge).collect::<Vec<_>>().join(", ")
}

/// What the legend says of rule k.
fn label(of: &OfRule, lines: &Lines, k: usize) -> String {
    let mut label = format!("{} ({})", rule_in_words(&of.rule), share(of.lines.len(), of.problems));
    if k + 1 == lines.rules.len() && lines.all_rules > lines.rules.len() {
        label += &format!("; {} of {} rules are drawn", lines.rules.len(), count(lines.all_rules as u64));
    }
    label
}

fn share(drawn: usize, all: usize) -> String {
    match (drawn, all) {
        (1, 1) => "1 problem".to_owned(),
        _ if drawn == all => format!("{all} problems"),
        _ => format!("{drawn} of {} problems", count(all as u64)),
    }
}

fn rule_in_words(rule: &StepRule) -> String {
    let unit = match rule.unit {
        SizeUnit::Absolute => String::new(),
        unit => format!(" of {}", unit.name()),
    };
    let size = format!("η = {}{unit}", significant(rule.size, 4));
    let name = rule.filter_name().replace("gradient", "gradient descent");
    match rule.damping {
        Damping::Adaptive => "adaptive damping".to_owned(),
        Damping::Fixed(epsilon) if epsilon > 0.0 => {
            format!("{size}, damping {}{}", significant(epsilon, 4), name.trim_start_matches("tikhonov"))
        }
        Damping::Fixed(_) => format!("{size}, {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::example::with_history;
    use super::*;

    fn drawn(outcome: &Outcome) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = write_history_plot(outcome, folder.path()).unwrap().unwrap();
        assert_eq!(path.file_name().unwrap(), HISTORY_PLOT);
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn a_history_gives_a_picture_with_named_axes_rules_and_what_theory_says() {
        let svg = drawn(&with_history());
        let words = ["‖e‖/‖e₀‖", "λmax of the Hessian", "steps", "η = 0.5, exact (2 problems)", "adaptive damping"];
        for text in words.into_iter().chain(["(1 − η)ᵏ above", "#0072B2", "#D55E00", "#000000"]) {
            assert!(svg.contains(text), "{text} is missing");
        }
        assert!(!svg.contains("edge of stability") && !svg.contains("NaN") && !svg.contains("inf"));
        assert_eq!(svg, drawn(&with_history()));
    }

    #[test]
    fn an_outcome_without_records_gives_none() {
        let folder = tempfile::tempdir().unwrap();
        let outcome = super::super::super::example::outcome();
        assert_eq!(write_history_plot(&outcome, folder.path()).unwrap(), None);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn theory_is_told_of_the_rules_that_it_is_about() {
        let exact = with_history().context().rules[0];
        assert_eq!(shrinking(&exact, 4.0).unwrap()[400], (4.0, 0.0625));
        let damped = StepRule { damping: Damping::Fixed(1e-3), ..exact };
        let at_once = StepRule { size: 1.0, ..exact };
        let beyond = StepRule { size: 2.1, ..exact };
        for rule in [damped, at_once, beyond, StepRule { momentum: 0.5, ..exact }] {
            assert!(shrinking(&rule, 4.0).is_none() && edge(&rule, 4.0).is_none());
        }
        let descent = StepRule { filter: Filter::Gradient, momentum: 0.5, ..exact };
        let (line, name) = edge(&descent, 4.0).unwrap();
        assert_eq!((line, name.as_str()), (vec![(0.0, 6.0), (4.0, 6.0)], "2(1 + β)/η, η = 0.5"));
        assert!(shrinking(&descent, 4.0).is_none());
        let words = [exact, damped, descent].map(|rule| rule_in_words(&rule));
        assert_eq!(words, ["η = 0.5, exact", "η = 0.5, damping 0.001", "η = 0.5, gradient descent+momentum(0.5)"]);
    }
}
