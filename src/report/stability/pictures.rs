//! Pictures of stability.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use plotters::coord::Shift;
use plotters::coord::combinators::{BindKeyPoints, IntoLogRange};
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;

use crate::report::number::{count, significant};
use crate::report::pen::Pen;
use crate::report::plot::ticks;
use crate::report::{ReportError, write_whole};
use crate::stability::{Certificate, ContractionMap, FilterStability, MapAxis, Stability, Verdict};

/// The pictures' file names.
pub(crate) const STABILITY_PLOTS: [&str; 3] = ["spectra.svg", "sharpness.svg", "contraction.svg"];

const SIZE: (u32, u32) = (900, 560);
/// Room for the legend on the right.
const LEGEND: u32 = 236;

type Chart<'a, 'b, X, Y> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<X, Y>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws what was found of certified minimisers into a folder: `spectra.svg`, the multipliers at each step size, of the
/// projector read back and measured, over the lines of the claim; `sharpness.svg`, the multipliers of natural gradient
/// descent over the sharpness that gradient descent sees; and `contraction.svg`, the map, where there is one, with the
/// critical step of theory drawn over it. Where no minimiser is certified nothing is drawn.
///
/// # Errors
/// A file cannot be written or drawn.
pub fn write_stability_plots(
    found: &Stability,
    map: Option<&ContractionMap>,
    folder: &Path,
) -> Result<Vec<PathBuf>, ReportError> {
    let certified: Vec<&Certificate> =
        found.certificates.iter().filter(|certificate| certificate.verdict != Verdict::DoesNotApply).collect();
    if certified.is_empty() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    let mut write = |name: &str, drawn: Result<String, String>| {
        let path = folder.join(name);
        let svg = drawn.map_err(|problem| ReportError::Draw { file: path.display().to_string(), problem })?;
        write_whole(&path, |writer| {
            writer.write_all(svg.as_bytes()).map_err(|source| ReportError::write(&path, source))
        })?;
        files.push(path);
        Ok(())
    };
    write(STABILITY_PLOTS[0], spectra(&certified))?;
    write(STABILITY_PLOTS[1], sharpness(&certified))?;
    if let Some(map) = map.filter(|map| map.step_sizes.len() > 1 && !map.rows.is_empty()) {
        write(STABILITY_PLOTS[2], contraction(map))?;
    }
    Ok(files)
}

fn picture(draw: impl FnOnce(&Area<'_>, &Area<'_>) -> Result<(), String>) -> Result<String, String> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE).map_err(told)?;
        let (chart, legend) = root.split_horizontally(SIZE.0 - LEGEND);
        draw(&chart.margin(12, 12, 12, 8), &legend)?;
        root.present().map_err(told)?;
    }
    Ok(svg)
}

/// The chart of a picture with its axes named.
fn chart<'a, 'b, X, Y>(
    area: &'a Area<'b>,
    title: &str,
    (x_name, x): (&str, X),
    (y_name, y): (&str, Y),
) -> Result<Chart<'a, 'b, X::CoordDescType, Y::CoordDescType>, String>
where
    X: AsRangedCoord<Value = f64>,
    X::CoordDescType: ValueFormatter<f64>,
    Y: AsRangedCoord<Value = f64>,
    Y::CoordDescType: ValueFormatter<f64>,
{
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 20))
        .x_label_area_size(48)
        .y_label_area_size(64)
        .build_cartesian_2d(x, y)
        .map_err(told)?;
    chart
        .configure_mesh()
        .x_desc(x_name)
        .y_desc(y_name)
        .axis_desc_style(("sans-serif", 17))
        .label_style(("sans-serif", 14))
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .x_label_formatter(&|value| significant(*value, 3))
        // Marks are sums of steps: a zero among them may be off by rounding.
        .y_label_formatter(&|value| significant(if value.abs() < 1e-12 { 0.0 } else { *value }, 3))
        .draw()
        .map_err(told)?;
    Ok(chart)
}

/// One line of a legend: words beside what is drawn at their height.
fn legend_words(area: &Area<'_>, k: usize, words: &str) -> Result<i32, String> {
    let y = 64 + 24 * k as i32;
    area.draw(&Text::new(words.to_owned(), (60, y - 8), ("sans-serif", 14))).map_err(told)?;
    Ok(y)
}

fn legend_line(area: &Area<'_>, k: usize, pen: &Pen, words: &str) -> Result<(), String> {
    let y = legend_words(area, k, words)?;
    area.draw(&pen.line(vec![(4, y), (52, y)])).map_err(told)
}

/// Markers side by side, and what they have in common.
fn legend_markers(area: &Area<'_>, k: usize, pens: &[&Pen], words: &str) -> Result<(), String> {
    let y = legend_words(area, k, words)?;
    for (place, pen) in pens.iter().enumerate() {
        let (edge, filled, outline) = pen.marker();
        let x = 28 + 24 * place as i32 - 12 * (pens.len() as i32 - 1);
        area.draw(&(EmptyElement::at((x, y)) + edge + filled + outline)).map_err(told)?;
    }
    Ok(())
}

/// The filters of certificates by name, in their order.
fn filter_names(certified: &[&Certificate]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for filter in certified.iter().flat_map(|certificate| &certificate.filters) {
        if !names.contains(&filter.filter) {
            names.push(filter.filter.clone());
        }
    }
    names
}

/// Points that differ by less than a few pixels are drawn once: a thousand minimisers lie on each other. x is in widths of
/// the picture.
#[derive(Default)]
struct Seen(BTreeSet<(i64, i64)>);

impl Seen {
    fn is_new(&mut self, x: f64, y: f64) -> bool {
        self.0.insert(((x * 150.0).round() as i64, (y * 60.0).round() as i64))
    }
}

/// The largest modulus that a multiplier is drawn at.
const MOST: f64 = 2.5;

fn spectra(certified: &[&Certificate]) -> Result<String, String> {
    let names = filter_names(certified);
    let all = || certified.iter().flat_map(|certificate| &certificate.filters);
    let largest = all().map(|f| f.step_size).fold(2.0, f64::max).min(4.0) * 1.06;
    let values = || all().flat_map(|f| f.spectrum.iter().chain(&f.measured)).filter(|m| m.abs() <= MOST);
    let bottom = values().copied().fold(-1.0, f64::min) - 0.12;
    let horizontal = if names.len() > 1 { "step size η (filters side by side)" } else { "step size η" };
    picture(|area, legend| {
        let title = format!("Multipliers of {} minimisers", count(certified.len() as u64));
        let mut chart = chart(area, &title, (horizontal, 0.0..largest), ("multiplier", bottom..1.15))?;
        // The claim: 1 − η and 1; beyond −1 perturbations grow.
        let claim = Pen::new(6, 2);
        for line in [
            vec![(0.0, 1.0), (largest, 1.0)],
            vec![(0.0, 1.0), ((1.0 - bottom).min(largest), (1.0 - largest).max(bottom))],
        ] {
            chart.draw_series([claim.line(line)]).map_err(told)?;
        }
        let edge = PathElement::new(vec![(0.0, -1.0), (largest, -1.0)], BLACK.mix(0.5).stroke_width(1));
        chart.draw_series([edge]).map_err(told)?;
        legend_line(legend, 0, &claim, "the claim: 1 − η and 1")?;
        legend_words(legend, 1, "eigenvalues, and steps, of")?;
        for (k, name) in names.iter().enumerate() {
            // Markers of one filter stand a little to the right of those of the one before.
            let shift = 0.012 * largest * k as f64;
            let (projector, measured) = (Pen::new(2 * k, 2), Pen::new(2 * k + 1, 2));
            for (pen, of) in [(&projector, true), (&measured, false)] {
                let mut seen = Seen::default();
                for f in all().filter(|f| f.filter == *name) {
                    for &value in if of { &f.spectrum } else { &f.measured } {
                        if value.abs() <= MOST && seen.is_new(f.step_size / largest, value) {
                            let (edge, filled, outline) = pen.marker();
                            let marker = EmptyElement::at((f.step_size + shift, value)) + edge + filled + outline;
                            chart.draw_series([marker]).map_err(told)?;
                        }
                    }
                }
            }
            legend_markers(legend, 2 + k, &[&projector, &measured], name)?;
        }
        Ok(())
    })
}

fn sharpness(certified: &[&Certificate]) -> Result<String, String> {
    let sharp = |c: &Certificate| if c.hessian_sharpness > 0.0 { c.hessian_sharpness } else { c.gn_sharpness };
    let mut all: Vec<f64> = certified.iter().map(|c| sharp(c)).filter(|s| *s > 0.0).collect();
    all.sort_by(f64::total_cmp);
    let (Some(&least), Some(&most)) = (all.first(), all.last()) else {
        return Err("no sharpness is positive".to_owned());
    };
    let median = all[(all.len() - 1) / 2];
    let (left, right) = (least / 1.3, most * 1.3);
    // Of the first filter: others would hide what is to be compared.
    let first = filter_names(certified).swap_remove(0);
    let filters: Vec<(f64, &FilterStability)> =
        certified.iter().flat_map(|c| c.filters.iter().filter(|f| f.filter == first).map(|f| (sharp(c), f))).collect();
    let mut sizes: Vec<f64> = filters.iter().map(|(_, f)| f.step_size).collect();
    sizes.sort_by(f64::total_cmp);
    sizes.dedup();
    picture(|area, legend| {
        let title = "Natural gradient and gradient descent at the same minimisers";
        let horizontal = (left..right).log_scale().with_key_points(ticks(left, right));
        let mut chart = chart(
            area,
            title,
            ("sharpness: largest eigenvalue of the Hessian", horizontal),
            ("multiplier", -MOST..1.3),
        )?;
        let edge = PathElement::new(vec![(left, -1.0), (right, -1.0)], BLACK.mix(0.5).stroke_width(1));
        chart.draw_series([edge]).map_err(told)?;
        // Gradient descent with the step size that suits the median minimiser.
        let step = 1.0 / median;
        let descent = Pen::new(6, 2);
        let at = |k: i32| left * (right / left).powf(f64::from(k) / 200.0);
        let curve: Vec<(f64, f64)> =
            (0..=200).map(|k| (at(k), 1.0 - step * at(k))).filter(|(_, multiplier)| *multiplier >= -MOST).collect();
        chart.draw_series([descent.line(curve)]).map_err(told)?;
        legend_line(legend, 0, &descent, "gradient descent,")?;
        legend_words(legend, 1, &format!("step size {}", significant(step, 3)))?;
        let width = (right / left).ln();
        for (k, size) in sizes.iter().enumerate() {
            let pen = Pen::new(k, 2);
            let mut seen = Seen::default();
            for (sharpness, f) in filters.iter().filter(|(_, f)| f.step_size == *size) {
                for &value in f.measured.iter().take(f.measured.len() - f.measured_kernel).filter(|m| m.abs() <= MOST) {
                    if seen.is_new(sharpness.ln() / width, value) {
                        let (edge, filled, outline) = pen.marker();
                        let marker = EmptyElement::at((*sharpness, value)) + edge + filled + outline;
                        chart.draw_series([marker]).map_err(told)?;
                    }
                }
            }
            legend_markers(legend, 2 + k, &[&pen], &format!("{first}, η = {}", significant(*size, 3)))?;
        }
        Ok(())
    })
}

/// Blue where perturbations shrink, white where they stay, orange where they grow; grey where there is no number. The
/// colour-blind tell blue from orange, and a grey print the edge by its line.
fn shade(contraction: f64) -> RGBColor {
    let mix = |to: (u8, u8, u8), share: f64| {
        let part = |to: u8| (255.0 + (f64::from(to) - 255.0) * share.clamp(0.0, 1.0)).round() as u8;
        RGBColor(part(to.0), part(to.1), part(to.2))
    };
    if contraction.is_nan() {
        RGBColor(160, 160, 160)
    } else if contraction <= 1.0 {
        mix((0, 114, 178), 0.12 + 0.88 * (1.0 - contraction))
    } else {
        mix((213, 94, 0), 0.25 + 0.75 * (contraction - 1.0))
    }
}

fn contraction(map: &ContractionMap) -> Result<String, String> {
    let (title, name, values): (String, &str, Vec<f64>) = match &map.axis {
        MapAxis::Damping { problem } => (
            format!("Contraction of a step at the minimiser of problem {problem}"),
            "damping ε",
            map.rows.iter().map(|row| row.value).collect(),
        ),
        MapAxis::Sharpness { filter } => (
            format!("Contraction of a step, {filter}"),
            "minimisers, by rising sharpness",
            (1..=map.rows.len()).map(|k| k as f64).collect(),
        ),
    };
    let logarithmic =
        matches!(map.axis, MapAxis::Damping { .. }) && values.len() > 1 && values.iter().all(|&v| v > 0.0);
    let rows = edges(&values, logarithmic);
    let columns = edges(&map.step_sizes, false);
    let (left, right) = (columns[0].max(0.0), columns[columns.len() - 1]);
    let (bottom, top) = (rows[0], rows[rows.len() - 1]);
    picture(|area, legend| {
        let horizontal = ("step size η", left..right);
        if logarithmic {
            let mut chart = chart(area, &title, horizontal, (name, (bottom..top).log_scale()))?;
            fill(&mut chart, map, &columns, &rows, &values)?;
        } else {
            let mut chart = chart(area, &title, horizontal, (name, bottom..top))?;
            fill(&mut chart, map, &columns, &rows, &values)?;
        }
        colour_bar(legend)
    })
}

/// The borders between values, and beyond the first and the last.
fn edges(values: &[f64], logarithmic: bool) -> Vec<f64> {
    let from = |at: f64| if logarithmic { at.exp() } else { at };
    let at: Vec<f64> = values.iter().map(|&value| if logarithmic { value.ln() } else { value }).collect();
    let Some((&first, &last)) = at.first().zip(at.last()) else { return vec![0.0, 1.0] };
    if at.len() == 1 {
        return vec![from(first - 0.5), from(first + 0.5)];
    }
    let inner = at.windows(2).map(|pair| 0.5 * (pair[0] + pair[1]));
    let below = first - 0.5 * (at[1] - first);
    let above = last + 0.5 * (last - at[at.len() - 2]);
    std::iter::once(below).chain(inner).chain([above]).map(from).collect()
}

fn fill<X, Y>(
    chart: &mut Chart<'_, '_, X, Y>,
    map: &ContractionMap,
    columns: &[f64],
    rows: &[f64],
    values: &[f64],
) -> Result<(), String>
where
    X: Ranged<ValueType = f64>,
    Y: Ranged<ValueType = f64>,
{
    for (r, row) in map.rows.iter().enumerate() {
        for (c, &contraction) in row.contraction.iter().enumerate() {
            let corners = [(columns[c].max(0.0), rows[r]), (columns[c + 1], rows[r + 1])];
            chart.draw_series([Rectangle::new(corners, shade(contraction).filled())]).map_err(told)?;
        }
    }
    let right = columns[columns.len() - 1];
    let pen = Pen::new(6, 2);
    let mut edge: Vec<(f64, f64)> =
        map.rows.iter().zip(values).map(|(row, &value)| (row.critical_step, value)).collect();
    // To the borders of the map, and no further.
    if let (Some(&first), Some(&last)) = (edge.first(), edge.last()) {
        edge.insert(0, (first.0, rows[0]));
        edge.push((last.0, rows[rows.len() - 1]));
    }
    for run in edge.split(|point| point.0.is_nan() || point.0 > right) {
        chart.draw_series([pen.line(run.to_vec())]).map_err(told)?;
    }
    Ok(())
}

fn colour_bar(legend: &Area<'_>) -> Result<(), String> {
    let (top, height, most) = (150, 280, 2.0);
    legend_line(legend, 0, &Pen::new(6, 2), "critical step of theory")?;
    legend.draw(&Text::new("largest multiplier of a", (4, top - 40), ("sans-serif", 14))).map_err(told)?;
    legend.draw(&Text::new("step, measured (modulus)", (4, top - 22), ("sans-serif", 14))).map_err(told)?;
    for k in 0..height {
        let value = most * (1.0 - f64::from(k) / f64::from(height));
        let bar = Rectangle::new([(4, top + k), (34, top + k + 1)], shade(value).filled());
        legend.draw(&bar).map_err(told)?;
    }
    for k in 0..=4 {
        let value = 0.5 * f64::from(k);
        let y = top + (f64::from(height) * (1.0 - value / most)).round() as i32;
        legend.draw(&PathElement::new(vec![(34, y), (40, y)], BLACK)).map_err(told)?;
        let words = if k == 4 { "2 or more".to_owned() } else { significant(value, 2) };
        legend.draw(&Text::new(words, (46, y - 8), ("sans-serif", 14))).map_err(told)?;
    }
    Ok(())
}

fn told(error: impl std::fmt::Display) -> String {
    error.to_string().replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Data;
    use crate::engine::{Choice, Engine};
    use crate::model::Model;
    use crate::report::write_stability_table;
    use crate::stability::{FilterRule, Minimiser, StabilityOptions};
    use crate::sweep::Sweep;

    /// Four points of the hyperbola ab = 1, exact and damped, with their maps.
    fn hyperbola() -> (Stability, [ContractionMap; 2]) {
        let model = Model::parse("a*b", &["a", "b"]).unwrap();
        let data = Data::from_columns([("y", vec![1.0])]).unwrap();
        let job = Sweep::new(&model, &data).start([1.0, 1.0]).resolve().unwrap();
        let point = |k: u64| {
            let a = 2f64.powi(k as i32);
            Minimiser { problem: k, set: 0, parameters: vec![a, 1.0 / a], status: None }
        };
        let mut options = StabilityOptions::default();
        options.filters.push(FilterRule { damping: 0.5, ..FilterRule::default() });
        let engine = Engine::open(Choice::Cpu).unwrap();
        let points: Vec<Minimiser> = (0..4).map(point).collect();
        let found = engine.certify_points(&job, &points, &options).unwrap();
        let map = |dampings: &[f64]| {
            engine.contraction_map(&job, &found, &options, &[0.5, 1.5, 2.5], dampings).unwrap().unwrap()
        };
        let maps = [map(&[]), map(&[0.1, 1.0, 10.0])];
        (found, maps)
    }

    #[test]
    fn pictures_name_their_axes_and_what_is_drawn() {
        let (found, maps) = hyperbola();
        let folder = tempfile::tempdir().unwrap();
        let words: [&[&str]; 3] = [
            &[
                "Multipliers of 4 minimisers",
                "step size η (filters side by side)",
                "multiplier",
                "tikhonov(0.5)",
                "1 − η and 1",
            ],
            &["sharpness: largest eigenvalue of the Hessian", "multiplier", "gradient descent", "η = 1.9"],
            &["step size η", "critical step of theory", "2 or more"],
        ];
        for (map, axis) in maps.iter().zip(["minimisers, by rising sharpness", "damping ε"]) {
            let files = write_stability_plots(&found, Some(map), folder.path()).unwrap();
            assert_eq!(files, STABILITY_PLOTS.map(|name| folder.path().join(name)));
            for (file, words) in files.iter().zip(words) {
                let svg = std::fs::read_to_string(file).unwrap();
                for word in words {
                    assert!(svg.contains(word), "{} lacks {word:?}", file.display());
                }
            }
            assert!(std::fs::read_to_string(&files[2]).unwrap().contains(axis));
        }
    }

    #[test]
    fn perturbations_that_shrink_are_blue_and_those_that_grow_orange() {
        let (shrinks, grows) = (shade(0.5), shade(1.5));
        assert!(shrinks.2 > shrinks.0 && grows.0 > grows.2);
        assert_ne!(shade(0.999), shade(1.001), "the edge shows");
        assert_eq!(shade(f64::NAN), RGBColor(160, 160, 160));
    }

    #[test]
    fn borders_lie_between_values_and_half_a_step_beyond_them() {
        assert_eq!(edges(&[1.0, 2.0, 4.0], false), [0.5, 1.5, 3.0, 5.0]);
        let logarithmic = edges(&[1.0, 100.0], true);
        assert!(logarithmic.iter().zip([0.1, 10.0, 1000.0]).all(|(a, b)| (a / b - 1.0).abs() < 1e-12));
        assert_eq!(edges(&[3.0], false), [2.5, 3.5]);
    }

    #[test]
    fn the_table_has_theory_beside_what_was_measured() {
        let mut text = Vec::new();
        write_stability_table(&hyperbola().0, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.starts_with("verdict  minimisers\nholds             4\n"), "{text}");
        // σ² = 2 … 64.02, ε = 0.5: φ = 0.8 … 0.9923, critical steps 2.5 … 2.016.
        let row = text.lines().find(|line| line.starts_with("tikhonov(0.5)") && line.contains(" 1.5 ")).unwrap();
        assert_eq!(row.matches("-0.4884 … -0.2").count(), 2, "{row}");
        assert!(row.contains("2.016 … 2.5"), "{row}");
    }
}
