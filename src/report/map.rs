//! The map of a sweep: final losses and steps over step size and damping, side by side.

use plotters::coord::Shift;
use plotters::prelude::*;

use super::number::significant;
use super::plot::told;
use super::summary::{RuleSummary, Summary};

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Width of the picture, and of either half beside it: the rest is the bar of its shades.
const WIDTH: i32 = 1240;
const HALF: i32 = WIDTH / 2;
/// What is left of the cells (dampings), right of them (the bar), above (the title) and below (step sizes).
const MARGINS: [i32; 4] = [84, 84, 48, 74];
/// Height of a row of cells; a half's columns share its width.
const ROW: i32 = 34;
/// The narrowest cell that words are written in.
const WORDS: i32 = 34;
/// Marks along an axis, at most.
const MARKS: usize = 12;

/// What the rules of a map have in common: unit, filter and scaling.
type Kind<'a> = (&'a str, String, &'a str);

/// Step sizes and dampings with the rule of each pair, where there is one.
struct Grid<'a> {
    sizes: Vec<f64>,
    dampings: Vec<f64>,
    /// Damping after damping.
    rules: Vec<Option<&'a RuleSummary>>,
    unit: String,
}

/// Draws the map of the rules that differ in step size and damping alone; of several such kinds the one with most rules.
/// `None` where there are no two of both.
pub(super) fn draw(summary: &Summary) -> Option<Result<String, String>> {
    Grid::new(summary).map(|grid| grid.draw())
}

impl<'a> Grid<'a> {
    fn new(summary: &'a Summary) -> Option<Self> {
        // Tikhonov is what the exact filter is called beside a damping.
        let kind = |rule: &'a RuleSummary| -> Kind<'a> {
            (rule.size_unit.as_str(), rule.filter.replacen("tikhonov", "exact", 1), rule.scaling.as_str())
        };
        let mut kinds: Vec<(Kind<'a>, Vec<&'a RuleSummary>)> = Vec::new();
        for rule in summary.rules.iter().filter(|rule| rule.damping.is_some()) {
            match kinds.iter_mut().find(|(of, _)| *of == kind(rule)) {
                Some((_, rules)) => rules.push(rule),
                None => kinds.push((kind(rule), vec![rule])),
            }
        }
        let grids = kinds.into_iter().map(|((unit, ..), rules)| {
            let distinct = |of: &dyn Fn(&RuleSummary) -> f64| {
                let mut values: Vec<f64> = rules.iter().map(|rule| of(rule)).collect();
                values.sort_by(f64::total_cmp);
                values.dedup();
                values
            };
            let damping = |rule: &RuleSummary| rule.damping.unwrap_or(f64::NAN);
            let (sizes, dampings) = (distinct(&|rule| rule.step_size), distinct(&damping));
            let find = |(&epsilon, &size): (&f64, &f64)| {
                rules.iter().find(|rule| rule.step_size == size && damping(rule) == epsilon).copied()
            };
            let pairs = dampings.iter().flat_map(|epsilon| sizes.iter().map(move |size| (epsilon, size)));
            let found = pairs.map(find).collect();
            Self { sizes, dampings, rules: found, unit: unit.to_owned() }
        });
        let wide = grids.filter(|grid| grid.sizes.len() > 1 && grid.dampings.len() > 1);
        wide.reduce(|a, b| if b.count() > a.count() { b } else { a })
    }

    fn count(&self) -> usize {
        self.rules.iter().flatten().count()
    }

    fn draw(&self) -> Result<String, String> {
        let height = ROW * self.dampings.len() as i32 + MARGINS[2] + MARGINS[3];
        let losses = Half {
            grid: self,
            title: "Final loss (median, logarithm to base 10)",
            value: |rule| Some(rule.median_log_loss()).filter(|loss| loss.is_finite()),
            words: |_, value| format!("{value:.1}"),
            mark: |value| format!("{value:.1}"),
            crossed: "crossed: zero, or not finite",
        };
        let steps = Half {
            grid: self,
            title: "Steps (median of the converged), and the share that converged",
            // No steps at all have no logarithm: a start at the minimum counts as one.
            value: |rule| rule.median_steps.map(|steps| f64::from(steps.max(1)).log10()),
            words: |rule, _| share(rule),
            mark: |value| format!("{:.0}", 10f64.powf(value)),
            crossed: "crossed: none converged",
        };
        let mut svg = String::new();
        {
            let root = SVGBackend::with_string(&mut svg, (WIDTH as u32, height as u32)).into_drawing_area();
            root.fill(&WHITE).map_err(told)?;
            let (left, right) = root.split_horizontally(HALF);
            losses.draw(&left)?;
            steps.draw(&right)?;
            root.present().map_err(told)?;
        }
        Ok(svg)
    }
}

/// The share that converged, in at most four characters.
fn share(rule: &RuleSummary) -> String {
    let percent = 100.0 * rule.converged_share;
    match rule.converged {
        0 => "0%".to_owned(),
        all if all == rule.problems => "all".to_owned(),
        // Neither none nor all.
        _ => format!("{:.0}%", percent.clamp(1.0, 99.0)),
    }
}

/// One of the two maps.
struct Half<'a> {
    grid: &'a Grid<'a>,
    title: &'static str,
    /// What the shade shows: dark where it is least; `None` where there is no number.
    value: fn(&RuleSummary) -> Option<f64>,
    /// What is written into a cell of this value.
    words: fn(&RuleSummary, f64) -> String,
    /// What is written beside the bar of shades.
    mark: fn(f64) -> String,
    /// What a cross stands for.
    crossed: &'static str,
}

impl Half<'_> {
    fn draw(&self, area: &Area<'_>) -> Result<(), String> {
        let Grid { sizes, dampings, rules, unit } = self.grid;
        let [left, right, top, _] = MARGINS;
        let (columns, rows) = (sizes.len() as i32, dampings.len() as i32);
        let (width, bottom) = (HALF - left - right, top + ROW * rows);
        let x = |column: i32| left + column * width / columns;
        // The least damping is the lowest row.
        let y = |row: i32| bottom - ROW * (row + 1);
        let values: Vec<f64> = rules.iter().flatten().filter_map(|rule| (self.value)(rule)).collect();
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let share = |value: f64| if most > least { (value - least) / (most - least) } else { 0.5 };

        words(area, (left + width / 2, 14), self.title, (17, Align::Middle))?;
        for (k, rule) in rules.iter().enumerate() {
            let (column, row) = (k as i32 % columns, k as i32 / columns);
            let corners = [(x(column), y(row)), (x(column + 1), y(row) + ROW)];
            let middle = (i32::midpoint(corners[0].0, corners[1].0), y(row) + ROW / 2 - 7);
            let has_room = corners[1].0 - corners[0].0 >= WORDS;
            match rule.map(|rule| (rule, (self.value)(rule))) {
                None => {}
                Some((rule, Some(value))) => {
                    let shade = shade(share(value));
                    area.draw(&Rectangle::new(corners, shade.filled())).map_err(told)?;
                    let ink = if luminance(shade) > 0.5 { BLACK } else { WHITE };
                    if has_room {
                        let words = Text::new((self.words)(rule, value), middle, centred(12).color(&ink));
                        area.draw(&words).map_err(told)?;
                    }
                }
                // A cross, that no shade is taken for.
                Some((_, None)) => {
                    let [(x0, y0), (x1, y1)] = corners;
                    for line in [[(x0, y0), (x1, y1)], [(x0, y1), (x1, y0)]] {
                        area.draw(&PathElement::new(line.to_vec(), BLACK.mix(0.6))).map_err(told)?;
                    }
                }
            }
            if rule.is_some() {
                area.draw(&Rectangle::new(corners, BLACK.mix(0.25))).map_err(told)?;
            }
        }
        for &column in &marked(sizes.len()) {
            let at = (i32::midpoint(x(column as i32), x(column as i32 + 1)), bottom + 6);
            words(area, at, &significant(sizes[column], 3), (13, Align::Middle))?;
        }
        for &row in &marked(dampings.len()) {
            let at = (left - 8, y(row as i32) + ROW / 2 - 7);
            words(area, at, &significant(dampings[row], 3), (13, Align::Right))?;
        }
        let unit = if unit == "absolute" { String::new() } else { format!(" ({unit})") };
        words(area, (left + width / 2, bottom + 26), &format!("step size η{unit}"), (16, Align::Middle))?;
        words(area, (left - 8, top - 20), "damping ε", (16, Align::Right))?;
        words(area, (left, bottom + 50), self.crossed, (13, Align::Left))?;
        if values.is_empty() {
            return Ok(());
        }
        self.bar(area, (HALF - right + 16, top, bottom), (least, most))
    }

    /// The shades with what they stand for, the least at the foot.
    fn bar(&self, area: &Area<'_>, (x, top, bottom): (i32, i32, i32), (least, most): (f64, f64)) -> Result<(), String> {
        for y in top..bottom {
            let share = f64::from(bottom - 1 - y) / f64::from((bottom - top - 1).max(1));
            // Each reaches under the one below it: no gaps where a viewer smooths edges.
            let foot = (y + 2).min(bottom);
            area.draw(&Rectangle::new([(x, y), (x + 16, foot)], shade(share).filled())).map_err(told)?;
        }
        let marks = if most > least { 4 } else { 0 };
        for k in 0..=marks {
            let share = if marks == 0 { 0.5 } else { f64::from(k) / f64::from(marks) };
            let y = bottom - (share * f64::from(bottom - top)).round() as i32;
            words(area, (x + 22, y - 7), &(self.mark)(least + share * (most - least)), (13, Align::Left))?;
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Align {
    Left,
    Middle,
    Right,
}

fn words(area: &Area<'_>, at: (i32, i32), text: &str, (size, align): (i32, Align)) -> Result<(), String> {
    use plotters::style::text_anchor::{HPos, Pos, VPos};
    let across = match align {
        Align::Left => HPos::Left,
        Align::Middle => HPos::Center,
        Align::Right => HPos::Right,
    };
    let style = TextStyle::from(("sans-serif", size).into_font()).pos(Pos::new(across, VPos::Top));
    area.draw(&Text::new(text.to_owned(), at, style)).map_err(told)
}

fn centred(size: i32) -> TextStyle<'static> {
    use plotters::style::text_anchor::{HPos, Pos, VPos};
    TextStyle::from(("sans-serif", size).into_font()).pos(Pos::new(HPos::Center, VPos::Top))
}

/// Which of so many values are named: all, or an even choice with the first among them.
fn marked(count: usize) -> Vec<usize> {
    (0..count).step_by(count.div_ceil(MARKS).max(1)).collect()
}

/// From dark blue to light yellow, ever lighter: the order shows in grey too.
fn shade(share: f64) -> RGBColor {
    const STOPS: [[f64; 3]; 5] =
        [[8.0, 29.0, 88.0], [34.0, 94.0, 168.0], [65.0, 182.0, 196.0], [161.0, 218.0, 180.0], [255.0, 255.0, 217.0]];
    let at = share.clamp(0.0, 1.0) * (STOPS.len() - 1) as f64;
    let k = (at as usize).min(STOPS.len() - 2);
    let part = |c: usize| (STOPS[k][c] + (STOPS[k + 1][c] - STOPS[k][c]) * (at - k as f64)).round() as u8;
    RGBColor(part(0), part(1), part(2))
}

/// How light a colour is, from 0 to 1 (Rec. 601).
fn luminance(RGBColor(red, green, blue): RGBColor) -> f64 {
    (0.299 * f64::from(red) + 0.587 * f64::from(green) + 0.114 * f64::from(blue)) / 255.0
}

#[cfg(test)]
mod tests {
    use super::super::summary::{Line, SummaryBuilder};
    use super::*;
    use crate::sweep::SizeUnit;

    fn summary(sizes: &[f64], dampings: &[Option<f64>]) -> Summary {
        let mut builder = SummaryBuilder::default();
        for &damping in dampings {
            for &step_size in sizes {
                for problem in 0..4 {
                    // Large steps with little damping do not converge, and the largest with least have no loss either.
                    let reach = step_size / (1.0 + 10.0 * damping.unwrap_or(1.0));
                    let converged = reach < 1.0 + 0.1 * f64::from(problem);
                    builder.add(&Line {
                        problem: 0,
                        step_size,
                        unit: SizeUnit::Absolute,
                        damping,
                        filter: if damping == Some(0.0) { "exact" } else { "tikhonov" },
                        scaling: "none",
                        status: if converged { "converged" } else { "diverged" },
                        reason: None,
                        steps: (10.0 / reach) as u32,
                        loss: (reach < 1.8).then_some(1e-8 * reach),
                        short: false,
                    });
                }
            }
        }
        builder.finish()
    }

    #[test]
    fn a_map_has_two_halves_named_axes_shares_and_crosses() {
        let dampings = [Some(0.0), Some(1e-3), Some(0.1), None];
        let svg = draw(&summary(&[0.5, 1.0, 1.25, 2.0], &dampings)).unwrap().unwrap();
        for text in ["step size η", "damping ε", "Final loss", "Steps (median", "0.001", "1.25", "all", "25%", "-8.3"]
        {
            assert!(svg.contains(text), "{text} is missing");
        }
        // Two lines each: the loss of η = 2 without damping and with 0.001, and the steps of the same.
        let crosses = svg.lines().filter(|line| line.contains("opacity=\"0.6\"")).count();
        assert_eq!(crosses, 8);
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
        if let Ok(path) = std::env::var("NATGRAD_KEEP_MAP") {
            std::fs::write(path, svg).unwrap();
        }
    }

    #[test]
    fn one_step_size_or_one_fixed_damping_makes_no_map() {
        assert!(draw(&summary(&[1.0], &[Some(0.0), Some(1.0)])).is_none());
        assert!(draw(&summary(&[0.5, 1.0], &[Some(0.0), None])).is_none());
        assert!(draw(&summary(&[0.5, 1.0], &[Some(0.0), Some(0.1)])).is_some());
    }

    #[test]
    fn a_hundred_step_sizes_leave_cells_too_small_for_words_but_marks_that_do_not_overlap() {
        let sizes: Vec<f64> = (1..=100).map(|k| 0.01 * f64::from(k)).collect();
        let svg = draw(&summary(&sizes, &[Some(0.0), Some(0.1)])).unwrap().unwrap();
        assert!(!svg.contains("all") && svg.contains("0.01"));
        assert_eq!(marked(100), [0, 9, 18, 27, 36, 45, 54, 63, 72, 81, 90, 99]);
        assert_eq!(marked(5), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn shades_grow_ever_lighter() {
        let light: Vec<f64> = (0..=50).map(|k| luminance(shade(f64::from(k) / 50.0))).collect();
        assert!(light.windows(2).all(|pair| pair[1] > pair[0]), "{light:?}");
    }
}
