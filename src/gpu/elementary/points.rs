//! Where elementary functions are measured: the same points on every device and every run.

use std::f64::consts::FRAC_PI_2;

use super::Elementary;
use crate::gpu::random::Random;

/// An argument of one function; the second half is 0 for functions of one argument.
pub(super) type Argument = (f32, f32);

/// `count` arguments of a function: first its hard spots, one by one, then draws from each of its regions in turn.
///
/// The hard spots are always there, so the list may be a little longer than `count` where that is small. `seed` selects
/// the draws: lists of different seeds share the hard spots only.
pub(super) fn arguments(function: Elementary, count: usize, seed: u64) -> Vec<Argument> {
    let mut points = hard_spots(function);
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (function as u64) << 32);
    let regions = regions(function);
    let mut turn = 0;
    while points.len() < count {
        points.push(regions[turn % regions.len()].draw(&mut random));
        turn += 1;
    }
    points
}

/// A way to draw arguments.
enum Region {
    /// Evenly from an interval.
    Even(f64, f64),
    /// Of a size log-uniform between two sizes, positive.
    Sizes(f64, f64),
    /// The same, of either sign.
    SignedSizes(f64, f64),
    /// About a point, at a distance log-uniform between two.
    About(f64, f64, f64),
    /// The number nearest to a multiple of π/2, or up to four numbers away from it.
    QuarterTurns,
    /// A base by the inner region, and a power such that y·log₂ x is uniform in [−125, 127].
    Power(&'static Region),
    /// A negative base and an integer power of small size.
    IntegerPower,
    /// Two arguments by the same region.
    Pair(&'static Region),
}

impl Region {
    fn draw(&self, random: &mut Random) -> Argument {
        match self {
            Region::Power(base) => {
                let (x, _) = base.draw(random);
                let exponent = random.between(-125.0, 127.0);
                (x, (exponent / f64::from(x).log2()) as f32)
            }
            Region::IntegerPower => {
                let x = -random.between(-3.0, 3.0).exp2();
                (x as f32, random.between(-30.0, 30.0).round() as f32)
            }
            Region::Pair(each) => (each.one(random), each.one(random)),
            region => (region.one(random), 0.0),
        }
    }

    fn one(&self, random: &mut Random) -> f32 {
        match *self {
            Region::Even(low, high) => random.between(low, high) as f32,
            Region::Sizes(low, high) => random.log_between(low, high) as f32,
            Region::SignedSizes(low, high) => (random.sign() * random.log_between(low, high)) as f32,
            Region::About(centre, low, high) => (centre + random.sign() * random.log_between(low, high)) as f32,
            Region::QuarterTurns => {
                let turns = random.log_between(0.5, 63_600.0).round();
                let steps = random.between(-4.0, 4.0).round() as i32;
                let nearest = (turns * FRAC_PI_2) as f32;
                let moved = f32::from_bits(nearest.to_bits().wrapping_add_signed(steps));
                moved.copysign(random.sign() as f32)
            }
            Region::Power(inner) | Region::Pair(inner) => inner.one(random),
            Region::IntegerPower => random.between(-30.0, 30.0).round() as f32,
        }
    }
}

// Normal numbers, a hair inside the range so that rounding does not leave it.
const LEAST: f64 = 1.1755e-38;
const MOST: f64 = 3.402e38;

fn regions(function: Elementary) -> &'static [Region] {
    match function {
        Elementary::Exp => &[
            Region::Even(-87.3, 88.72),
            Region::Even(-2.0, 2.0),
            Region::SignedSizes(1e-10, 1.0),
            Region::Even(-103.0, 88.72),
        ],
        Elementary::Log | Elementary::Log2 | Elementary::Log10 => {
            &[Region::Sizes(LEAST, MOST), Region::About(1.0, 3e-8, 0.6), Region::Even(0.3, 4.0)]
        }
        Elementary::Sqrt => &[Region::Sizes(LEAST, MOST), Region::Even(1.0, 4.0)],
        Elementary::Pow => &[
            Region::Power(&Region::Sizes(LEAST, MOST)),
            Region::Power(&Region::About(1.0, 1e-7, 0.5)),
            Region::Power(&Region::Even(0.3, 4.0)),
            Region::Pair(&Region::Even(0.01, 10.0)),
            Region::IntegerPower,
        ],
        Elementary::Sin | Elementary::Cos | Elementary::Tan => &[
            Region::Even(-3.2, 3.2),
            Region::SignedSizes(1e-10, 1e5),
            Region::Even(-1e5, 1e5),
            Region::QuarterTurns,
            Region::Even(-0.8, 0.8),
        ],
        Elementary::Asin | Elementary::Acos => &[
            Region::Even(-1.0, 1.0),
            Region::SignedSizes(1e-10, 1.0),
            Region::About(1.0 - 1e-3, 1e-7, 1e-3),
            Region::About(-1.0 + 1e-3, 1e-7, 1e-3),
            Region::About(0.5, 1e-7, 0.1),
        ],
        Elementary::Atan => &[Region::SignedSizes(1e-10, 1e30), Region::Even(-3.0, 3.0), Region::Even(-0.5, 0.5)],
        Elementary::Atan2 => &[
            Region::Pair(&Region::SignedSizes(1e-15, 1e15)),
            Region::Pair(&Region::Even(-1.0, 1.0)),
            Region::Pair(&Region::SignedSizes(1e-2, 1e2)),
        ],
        Elementary::Sinh | Elementary::Cosh => {
            &[Region::SignedSizes(1e-10, 89.4), Region::Even(-89.4, 89.4), Region::Even(-3.0, 3.0)]
        }
        Elementary::Tanh => &[Region::SignedSizes(1e-10, 30.0), Region::Even(-2.0, 2.0), Region::Even(-10.0, 10.0)],
    }
}

/// Arguments where a function is likely to fail: its special values, the edges of its range, and the neighbours of both.
fn hard_spots(function: Elementary) -> Vec<Argument> {
    const INFINITY: f32 = f32::INFINITY;
    let with_neighbours =
        |centres: &[f32]| -> Vec<f32> { centres.iter().flat_map(|&c| [c.next_down(), c, c.next_up()]).collect() };
    let both_signs = |positive: &[f32]| -> Vec<f32> { positive.iter().flat_map(|&x| [x, -x]).collect() };
    let single = |list: Vec<f32>| list.into_iter().map(|x| (x, 0.0)).collect();
    match function {
        Elementary::Exp => {
            let mut list = with_neighbours(&[1.0, -1.0, 88.7228, -87.3365, 0.346_573_6, -0.346_573_6]);
            list.extend([0.0, 88.73, 89.0, 100.0, 1e10, -104.0, -110.0, -1e10, INFINITY, -INFINITY, f32::NAN]);
            single(list)
        }
        Elementary::Log | Elementary::Log2 | Elementary::Log10 => {
            let mut list = with_neighbours(&[1.0, 2.0, 0.5, 10.0, 0.1, std::f32::consts::SQRT_2, 0.707_106_77]);
            list.extend([f32::MIN_POSITIVE, f32::MAX, 0.0, -1.0, -1e-30, -1e30, INFINITY, -INFINITY, f32::NAN]);
            single(list)
        }
        Elementary::Sqrt => {
            let mut list = with_neighbours(&[1.0, 2.0, 4.0, 9.0, 1e-30, 1e30]);
            list.extend([f32::MIN_POSITIVE, f32::MAX, 0.0, -1.0, -1e-30, INFINITY, -INFINITY, f32::NAN]);
            single(list)
        }
        Elementary::Pow => vec![
            (2.0, 0.5),
            (2.0, 10.0),
            (2.0, 127.0),
            (2.0, -126.0),
            (3.0, 4.0),
            (10.0, 38.0),
            (1.0, 1e30),
            (1.000_000_1, 1e9),
            (0.999_999_94, 1e9),
            (1.000_000_1, 1e12),
            (2.0, 128.0),
            (2.0, -160.0),
            (0.5, 1e30),
            (0.0, 0.0),
            (0.0, 2.0),
            (0.0, 0.5),
            (0.0, -1.0),
            (5.0, 0.0),
            (INFINITY, 2.0),
            (INFINITY, -2.0),
            (2.0, INFINITY),
            (2.0, -INFINITY),
            (0.5, INFINITY),
            (-2.0, 0.0),
            (-2.0, 1.0),
            (-2.0, 2.0),
            (-2.0, 3.0),
            (-2.0, -3.0),
            (-1.0, 16_777_215.0),
            (-1.0, 16_777_216.0),
            (-2.0, 0.5),
            (-2.0, 2.5),
            (-0.5, -0.5),
            (f32::NAN, 2.0),
            (2.0, f32::NAN),
        ],
        Elementary::Sin | Elementary::Cos | Elementary::Tan => {
            let quarter = std::f32::consts::FRAC_PI_4;
            let turns: Vec<f32> = (1..9).map(|k| k as f32 * quarter).collect();
            let mut list = both_signs(&with_neighbours(&turns));
            list.extend(both_signs(&[1e-20, 1e-3, 1e3, 1e4, 99_999.0, 1e5, INFINITY]));
            list.extend([0.0, f32::NAN]);
            single(list)
        }
        Elementary::Asin | Elementary::Acos => {
            let mut list = both_signs(&[1.0, 1.0f32.next_down(), 0.5, 0.5f32.next_up(), 0.5f32.next_down(), 1e-20]);
            list.extend(both_signs(&[1.000_000_1, 2.0, INFINITY]));
            list.extend([0.0, f32::NAN]);
            single(list)
        }
        Elementary::Atan => {
            let edges = with_neighbours(&[1.0, 0.5, 2.0, 1e-20, 1e20]);
            let mut list = both_signs(&edges);
            list.extend(both_signs(&[f32::MAX, INFINITY]));
            list.extend([0.0, f32::NAN]);
            single(list)
        }
        Elementary::Atan2 => {
            let values = [0.0, 1.0, -1.0, 0.5, 1e-30, -1e-30, 1e30, -1e30, INFINITY, -INFINITY];
            let mut list: Vec<Argument> = values.iter().flat_map(|&y| values.iter().map(move |&x| (y, x))).collect();
            list.extend([(f32::NAN, 1.0), (1.0, f32::NAN)]);
            list
        }
        Elementary::Sinh | Elementary::Cosh => {
            let mut list = both_signs(&with_neighbours(&[1.0, 1e-20, 89.4, 88.72]));
            list.extend(both_signs(&[89.5, 100.0, 1e20, INFINITY]));
            list.extend([0.0, f32::NAN]);
            single(list)
        }
        Elementary::Tanh => {
            let mut list = both_signs(&with_neighbours(&[0.625, 1e-20, 9.0, 9.02]));
            list.extend(both_signs(&[20.0, 44.5, 89.0, 1000.0, 1e30, INFINITY]));
            list.extend([0.0, f32::NAN]);
            single(list)
        }
    }
}
