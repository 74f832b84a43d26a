//! How the lines of a picture are told apart: by colour, dash and marker at once.

use plotters::element::DashedPathElement;
use plotters::prelude::*;

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

/// Dash and gap in pixels; a dash longer than any line is a full one. Where lines coincide, one shows in the gaps of the
/// other.
const DASHES: [(u32, u32); 4] = [(1 << 20, 0), (10, 8), (3, 6), (18, 6)];

/// A place, x to the right and y downwards.
type Pixel = (i32, i32);

/// Width of every line, in pixels.
const WIDTH: u32 = 2;

/// Corners of the markers with their radius and turn (of a whole one): disc, square, triangle, diamond, inverted triangle.
const SHAPES: [(u32, f64, f64); 5] = [(24, 5.0, 0.0), (4, 6.0, 0.125), (3, 6.5, 0.0), (4, 6.5, 0.0), (3, 6.5, 0.5)];

/// How one line is drawn. All lines have one width; markers are hollow, so that those that coincide show through.
pub(super) struct Pen {
    colour: RGBColor,
    dash: (u32, u32),
    shape: (u32, f64, f64),
    /// A single point has no line to follow it by: a filled star, with a white edge around its outline, seen above all
    /// others.
    lonely: bool,
}

impl Pen {
    /// The pen of line `line`, counted from 0, which has so many points. Seven colours, four dashes and five shapes: their
    /// triples repeat after 140 lines only.
    pub(super) fn new(line: usize, points: usize) -> Self {
        Self {
            colour: COLOURS[line % COLOURS.len()],
            dash: DASHES[line % DASHES.len()],
            shape: SHAPES[line % SHAPES.len()],
            lonely: points == 1,
        }
    }

    /// A line through these points, in the coordinates of what it is drawn on.
    pub(super) fn line<P: Clone>(&self, points: Vec<P>) -> DashedPathElement<std::vec::IntoIter<P>, u32> {
        let (dash, gap) = self.dash;
        DashedPathElement::new(points, dash, gap, self.colour.stroke_width(WIDTH))
    }

    /// The same for one of many lines that are drawn alike.
    pub(super) fn thin_line<P: Clone>(&self, points: Vec<P>) -> DashedPathElement<std::vec::IntoIter<P>, u32> {
        let (dash, gap) = self.dash;
        DashedPathElement::new(points, dash, gap, self.colour.stroke_width(1))
    }

    /// The parts of the marker about the origin, in pixels, from back to front: edge, area, outline.
    pub(super) fn marker(&self) -> (PathElement<Pixel>, Polygon<Pixel>, PathElement<Pixel>) {
        let outline = self.outline();
        let colour = self.colour.to_rgba();
        let (edge, area, stroke) =
            if self.lonely { (WHITE.to_rgba(), colour, BLACK.to_rgba()) } else { (TRANSPARENT, TRANSPARENT, colour) };
        (
            PathElement::new(outline.clone(), edge.stroke_width(3 * WIDTH)),
            Polygon::new(outline.clone(), area.filled()),
            PathElement::new(outline, stroke.stroke_width(WIDTH)),
        )
    }

    /// The marker's corners about the origin, in pixels, the first once more at the end.
    fn outline(&self) -> Vec<Pixel> {
        let around = |corners: u32, turn: f64, radius: &dyn Fn(u32) -> f64| -> Vec<Pixel> {
            (0..=corners)
                .map(|k| {
                    let angle = std::f64::consts::TAU * (f64::from(k % corners) / f64::from(corners) + turn);
                    let (dx, dy) = (radius(k) * angle.sin(), radius(k) * angle.cos());
                    (dx.round() as i32, -dy.round() as i32)
                })
                .collect()
        };
        if self.lonely {
            // A star of five rays.
            return around(10, 0.0, &|k| if k % 2 == 0 { 10.0 } else { 4.5 });
        }
        let (corners, radius, turn) = self.shape;
        around(corners, turn, &|_| radius)
    }
}
