//! The map of contraction, as a picture.

use plotters::prelude::*;

use super::canvas::{Area, Chart, chart, legend_line, picture, told};
use crate::report::number::significant;
use crate::report::pen::Pen;
use crate::stability::{ContractionMap, MapAxis};

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

pub(super) fn contraction(map: &ContractionMap) -> Result<String, String> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
