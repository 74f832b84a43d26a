//! Compares the device's elementary functions with f64.

use crate::gpu::{Depth, Device, DeviceError};

use super::evaluate::{Evaluator, Point};
use super::points::{Argument, arguments};
use super::{Elementary, ElementarySet};

/// How many points a measurement takes for each function.
fn points_each(depth: Depth) -> usize {
    match depth {
        Depth::Quick => 1_000,
        Depth::Full => 1_000_000,
    }
}

/// The most points in one dispatch, all functions together: a few MiB, and milliseconds on any device.
const CHUNK: usize = 1 << 17;

/// The largest smallest-normal error that flushing of subnormal numbers can cause.
const LEAST_NORMAL: f64 = f32::MIN_POSITIVE as f64;

/// What a measurement found about one function.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ElementaryError {
    /// The function.
    pub function: Elementary,
    /// Whether our own version was measured, or the builtin.
    pub own: bool,
    /// At how many points.
    pub points: usize,
    /// The largest error in ULP, beyond the absolute part of the bound, over the points whose bound is in ULP. A
    /// correctly rounded value counts as 0.
    pub ulps: f64,
    /// The largest absolute error over the points whose bound is absolute alone (`sin` and `cos`), else 0.
    pub absolute: f64,
    /// The largest ratio of error to bound: up to 1 the function is good. Infinite where a special value is wrong: a
    /// NaN or an infinity that should not be there, or is missing.
    pub excess: f64,
    /// The argument where that ratio is met: x, and the second argument of `pow` and `atan2`.
    pub worst: (f32, f32),
    /// What the device gave there.
    pub value: f32,
    /// The true value there, in f64.
    pub reference: f64,
}

impl ElementaryError {
    /// Whether every point met its bound.
    #[must_use]
    pub fn meets_bound(&self) -> bool {
        self.excess <= 1.0
    }

    /// Which version it is and how good, in a few words.
    #[must_use]
    pub fn summary(&self) -> String {
        let version = if self.own { "own" } else { "builtin" };
        if self.meets_bound() {
            let error = if self.ulps > 0.0 || self.absolute == 0.0 {
                format!("{} ULP", short(self.ulps))
            } else {
                format!("{:.2e} absolute", self.absolute)
            };
            return format!("{version}: {error}, {} of its bound", short(self.excess));
        }
        let at = if self.function.is_binary() {
            format!("({:e}, {:e})", self.worst.0, self.worst.1)
        } else {
            format!("({:e})", self.worst.0)
        };
        let Self { function, value, reference, .. } = self;
        format!("{version}: {} times its bound, {function}{at} = {value:e} for {reference:e}", short(self.excess))
    }
}

impl std::fmt::Display for ElementaryError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ElementaryError { function, ulps, absolute, excess, worst, value, reference, .. } = self;
        let version = if self.own { "own" } else { "builtin" };
        let (name, ulps, excess) = (function.to_string(), short(*ulps), short(*excess));
        write!(f, "{name:<6} {version:<8} {ulps:>9} ULP, {absolute:>8.2e} absolute, {excess:>9} of its bound, at ")?;
        if function.is_binary() {
            write!(f, "({:e}, {:e})", worst.0, worst.1)?;
        } else {
            write!(f, "{:e}", worst.0)?;
        }
        write!(f, ": {value:e} for {reference:e}")
    }
}

fn short(x: f64) -> String {
    if x < 1e5 { format!("{x:.3}") } else { format!("{x:.2e}") }
}

/// The functions that miss their bound: those to replace by our own, if builtins were measured.
#[must_use]
pub fn replaced(errors: &[ElementaryError]) -> ElementarySet {
    errors.iter().filter(|error| !error.meets_bound()).map(|error| error.function).collect()
}

/// Measures every function on a device: our own version of those in `own`, the builtin of the rest.
///
/// The result is in the order of [`Elementary::ALL`]. Wants a device with two storage buffers a stage, of 2 MiB at most,
/// which is less than the default limits; blocks until the device is done.
///
/// # Errors
///
/// If the device does not take the self-test's shader, or fails while running it.
pub fn measure(device: &Device, depth: Depth, own: ElementarySet) -> Result<Vec<ElementaryError>, DeviceError> {
    let evaluator = Evaluator::new(device, own)?;
    measure_with(points_each(depth), own, |points| evaluator.evaluate(points))
}

/// Measures every function with `evaluate`, which returns the values at given points, in order.
pub(super) fn measure_with<E>(
    points_each: usize,
    own: ElementarySet,
    mut evaluate: impl FnMut(&[Point]) -> Result<Vec<f32>, E>,
) -> Result<Vec<ElementaryError>, E> {
    let mut errors: Vec<ElementaryError> =
        Elementary::ALL.into_iter().map(|function| ElementaryError::none(function, own.contains(function))).collect();
    let mut left = points_each;
    let mut round = 0;
    while left > 0 {
        let each = left.min(CHUNK / Elementary::ALL.len());
        let points: Vec<Point> = Elementary::ALL
            .into_iter()
            .flat_map(|function| arguments(function, each, round).into_iter().map(move |at| (function, at)))
            .collect();
        let values = evaluate(&points)?;
        for (&(function, at), &value) in points.iter().zip(&values) {
            errors[function as usize].take(at, value);
        }
        left -= each;
        round += 1;
    }
    Ok(errors)
}

impl ElementaryError {
    fn none(function: Elementary, own: bool) -> Self {
        ElementaryError {
            function,
            own,
            points: 0,
            ulps: 0.0,
            absolute: 0.0,
            excess: 0.0,
            worst: (0.0, 0.0),
            value: 0.0,
            reference: 0.0,
        }
    }

    /// Takes one more value into account.
    fn take(&mut self, at: Argument, value: f32) {
        let reference = self.function.reference(f64::from(at.0), f64::from(at.1));
        let found = judge(self.function, at, value, reference);
        self.points += 1;
        self.ulps = self.ulps.max(found.ulps);
        self.absolute = self.absolute.max(found.absolute);
        if found.excess > self.excess || self.points == 1 {
            self.excess = found.excess;
            self.worst = at;
            self.value = value;
            self.reference = reference;
        }
    }
}

/// One value's error, as the fields of [`ElementaryError`] count it.
struct Judgement {
    ulps: f64,
    absolute: f64,
    excess: f64,
}

fn judge(function: Elementary, at: Argument, value: f32, reference: f64) -> Judgement {
    let right = Judgement { ulps: 0.0, absolute: 0.0, excess: 0.0 };
    let wrong = Judgement { excess: f64::INFINITY, ..right };
    if reference.is_nan() {
        return if value.is_nan() { right } else { wrong };
    }
    if value.is_nan() {
        return wrong;
    }
    let rounded = reference as f32;
    if rounded == value {
        return right;
    }
    if rounded.is_infinite() && (reference.is_infinite() || reference.abs() > 1.001 * f64::from(f32::MAX)) {
        return wrong;
    }
    // An infinity beside the largest number counts as the number it would be with one exponent more.
    let value = if value.is_infinite() { f64::from(value.signum()) * 128f64.exp2() } else { f64::from(value) };
    let error = (value - reference).abs();
    let bound = function.bound(at.0, at.1);
    let spacing = spacing(reference);
    let flushed = if reference.abs() < LEAST_NORMAL { LEAST_NORMAL } else { 0.0 };
    let in_ulps = bound.ulps > 0.0;
    Judgement {
        ulps: if in_ulps { (error - bound.absolute - flushed).max(0.0) / spacing } else { 0.0 },
        absolute: if in_ulps { 0.0 } else { error },
        excess: error / (bound.ulps * spacing + bound.absolute + flushed),
    }
}

/// The spacing of normal f32 numbers at `x`.
fn spacing(x: f64) -> f64 {
    let exponent = ((x.abs().max(LEAST_NORMAL).to_bits() >> 52) as i32 - 1023).min(127);
    f64::from(exponent - 23).exp2()
}
