//! Pictures of stability.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use plotters::coord::combinators::{BindKeyPoints, IntoLogRange};
use plotters::prelude::*;

use super::canvas::{chart, legend_line, legend_markers, legend_words, picture, told};
use super::contraction::contraction;
use crate::report::number::{count, significant};
use crate::report::pen::Pen;
use crate::report::plot::ticks;
use crate::report::{ReportError, write_whole};
use crate::stability::{Certificate, ContractionMap, FilterStability, Stability, Verdict};

/// The pictures' file names.
pub(crate) const STABILITY_PLOTS: [&str; 3] = ["spectra.svg", "sharpness.svg", "contraction.svg"];

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
