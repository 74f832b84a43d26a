//! What the pictures of stability are drawn on.

use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;

use crate::report::number::significant;
use crate::report::pen::Pen;

const SIZE: (u32, u32) = (900, 560);
/// Room for the legend on the right.
const LEGEND: u32 = 236;

pub(super) type Chart<'a, 'b, X, Y> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<X, Y>>;
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

pub(super) fn picture(draw: impl FnOnce(&Area<'_>, &Area<'_>) -> Result<(), String>) -> Result<String, String> {
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
pub(super) fn chart<'a, 'b, X, Y>(
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
pub(super) fn legend_words(area: &Area<'_>, k: usize, words: &str) -> Result<i32, String> {
    let y = 64 + 24 * k as i32;
    area.draw(&Text::new(words.to_owned(), (60, y - 8), ("sans-serif", 14))).map_err(told)?;
    Ok(y)
}

pub(super) fn legend_line(area: &Area<'_>, k: usize, pen: &Pen, words: &str) -> Result<(), String> {
    let y = legend_words(area, k, words)?;
    area.draw(&pen.line(vec![(4, y), (52, y)])).map_err(told)
}

/// Markers side by side, and what they have in common.
pub(super) fn legend_markers(area: &Area<'_>, k: usize, pens: &[&Pen], words: &str) -> Result<(), String> {
    let y = legend_words(area, k, words)?;
    for (place, pen) in pens.iter().enumerate() {
        let (edge, filled, outline) = pen.marker();
        let x = 28 + 24 * place as i32 - 12 * (pens.len() as i32 - 1);
        area.draw(&(EmptyElement::at((x, y)) + edge + filled + outline)).map_err(told)?;
    }
    Ok(())
}

pub(super) fn told(error: impl std::fmt::Display) -> String {
    error.to_string().replace('\n', " ")
}
