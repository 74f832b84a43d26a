//! Random starting values that depend on nothing but a seed and a parameter's index.

mod initialisation;

use rand_philox::philox4x32_10;

pub use initialisation::{Initialisation, Initialiser};

/// How random starts are distributed about zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Distribution {
    /// Normal with mean 0; its scale is the standard deviation.
    Normal,
    /// Uniform between minus and plus the scale.
    Uniform,
}

/// The random start of one parameter, in the units of `scale`.
///
/// The same seed and index give the same bits on every platform, whatever else is drawn: the counter-based generator
/// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3, SC 2011) with the seed as
/// its key and the parameter's index as its counter gives 128 bits, from which two uniform numbers of 52 bits are made.
/// The normal distribution follows by the transform of Box and Muller (1958), with the logarithm and cosine of the
/// `libm` crate: those of the standard library are the platform's own and differ in the last bit.
///
/// ```
/// use natgrad::starts::{Distribution, random_start};
///
/// let start = random_start(7, 0, Distribution::Uniform, 0.5);
/// assert!(start.abs() < 0.5);
/// assert_eq!(start, random_start(7, 0, Distribution::Uniform, 0.5));
/// ```
pub fn random_start(seed: u64, parameter_index: u32, distribution: Distribution, scale: f64) -> f64 {
    let [a, b, c, d] = words(seed, parameter_index);
    let first = unit(a, b);
    let draw = match distribution {
        Distribution::Uniform => 2.0 * first - 1.0,
        Distribution::Normal => {
            let angle = std::f64::consts::TAU * unit(c, d);
            libm::sqrt(-2.0 * libm::log(first)) * libm::cos(angle)
        }
    };
    scale * draw
}

/// How starts are spread over a [`StartRange`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Spacing {
    /// Uniformly.
    #[default]
    Linear,
    /// Uniformly in the logarithm; both ends are above 0.
    Log,
}

/// A range from which the random starts of one parameter are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StartRange {
    /// The lower end.
    pub from: f64,
    /// The upper end; the same as the lower one holds the start.
    pub to: f64,
    /// How starts are spread between the ends.
    pub spacing: Spacing,
}

impl StartRange {
    /// The random start of one parameter, within the range: the uniform number that [`random_start`] is made of,
    /// brought to the range, on a logarithmic one with `log` and `exp` of the `libm` crate.
    ///
    /// ```
    /// use natgrad::starts::{Spacing, StartRange};
    ///
    /// let range = StartRange { from: 0.1, to: 10.0, spacing: Spacing::Log };
    /// assert!((0..100).all(|seed| (0.1..=10.0).contains(&range.draw(seed, 0))));
    /// ```
    pub fn draw(&self, seed: u64, parameter_index: u32) -> f64 {
        let [a, b, _, _] = words(seed, parameter_index);
        let t = unit(a, b);
        let between = |from: f64, to: f64| from * (1.0 - t) + to * t;
        let value = match self.spacing {
            Spacing::Linear => between(self.from, self.to),
            Spacing::Log => libm::exp(between(libm::log(self.from), libm::log(self.to))),
        };
        // Rounding may reach past an end.
        value.max(self.from).min(self.to)
    }

    /// What is wrong with the range.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        if !(self.from.is_finite() && self.to.is_finite()) {
            Some("its ends have to be finite numbers")
        } else if self.from > self.to {
            Some("its first end is above its second: swap them")
        } else if self.spacing == Spacing::Log && self.from <= 0.0 {
            Some("logarithmic spacing needs ends above 0")
        } else {
            None
        }
    }
}

impl std::fmt::Display for StartRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} to {}", self.from, self.to)
    }
}

/// 128 random bits of a seed and a parameter's index.
fn words(seed: u64, parameter_index: u32) -> [u32; 4] {
    philox4x32_10([parameter_index, 0, 0, 0], [seed as u32, (seed >> 32) as u32])
}

/// A uniform number in the open interval (0, 1): the middle of one of 2⁵² equal parts, every step exact.
fn unit(high: u32, low: u32) -> f64 {
    const PARTS: f64 = 4_503_599_627_370_496.0;
    let bits = (u64::from(high) << 32 | u64::from(low)) >> 12;
    (bits as f64 + 0.5) / PARTS
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers that the authors of the algorithm publish with it (Random123, `kat_vectors`).
    #[test]
    fn philox_gives_the_published_answers() {
        let answers = [
            ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            ([!0; 4], [!0; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ];
        for (counter, key, answer) in answers {
            assert_eq!(philox4x32_10(counter, key), answer);
        }
    }

    /// From the first known answer, by hand: words 6627e8d5 e169c58d, the upper 52 bits of which are 6627e8d5e169c.
    #[test]
    fn a_uniform_start_is_made_of_the_first_two_words() {
        let parts = 2_f64.powi(52);
        let expected = 2.0 * ((0x6_627e_8d5e_169c_u64 as f64 + 0.5) / parts) - 1.0;
        assert_eq!(random_start(0, 0, Distribution::Uniform, 1.0), expected);
        assert_eq!(random_start(0, 0, Distribution::Uniform, 3.0), 3.0 * expected);
    }

    /// The same uniform number makes all three: t = (u + 1)/2 of the way, along the range or along its logarithm.
    #[test]
    fn a_start_in_a_range_is_as_far_along_it_as_the_uniform_start_is_along_its_own() {
        let linear = StartRange { from: -3.0, to: 7.0, spacing: Spacing::Linear };
        let log = StartRange { from: 1e-3, to: 1e3, spacing: Spacing::Log };
        for seed in 0..1000 {
            let t = (random_start(seed, 2, Distribution::Uniform, 1.0) + 1.0) / 2.0;
            // A few roundings of numbers up to 10; of exponents up to 14, which exp turns into relative ones.
            assert!((linear.draw(seed, 2) - (-3.0 + 10.0 * t)).abs() < 100.0 * f64::EPSILON);
            assert!((log.draw(seed, 2) / 10_f64.powf(-3.0 + 6.0 * t) - 1.0).abs() < 100.0 * f64::EPSILON);
        }
    }

    #[test]
    fn a_range_is_never_left_and_one_of_a_single_value_is_that_value() {
        let ranges = [(0.1, 0.3), (1e-300, 1e300), (-1.7e308, 1.7e308), (5.0, 5.0), (0.1, 0.1)];
        for (from, to) in ranges {
            for spacing in [Spacing::Linear, Spacing::Log] {
                let range = StartRange { from, to, spacing };
                if range.problem().is_none() {
                    assert!((0..1000).all(|seed| (from..=to).contains(&range.draw(seed, 0))), "{range:?}");
                }
            }
        }
    }

    #[test]
    fn ranges_that_cannot_be_meant_are_told() {
        let problem = |from, to, spacing| StartRange { from, to, spacing }.problem();
        assert_eq!(problem(0.0, 1.0, Spacing::Linear), None);
        assert!(problem(1.0, 0.0, Spacing::Linear).unwrap().contains("swap"));
        assert!(problem(0.0, 1.0, Spacing::Log).unwrap().contains("above 0"));
        assert!(problem(f64::NAN, 1.0, Spacing::Linear).unwrap().contains("finite"));
    }

    #[test]
    fn the_ends_of_the_unit_interval_are_never_reached() {
        assert!(unit(0, 0) > 0.0);
        assert!(unit(u32::MAX, u32::MAX) < 1.0);
    }

    #[test]
    fn both_halves_of_the_seed_and_the_index_matter() {
        let draw = |seed, index| random_start(seed, index, Distribution::Normal, 1.0);
        let draws = [draw(0, 0), draw(1, 0), draw(1 << 32, 0), draw(0, 1)];
        for i in 0..draws.len() {
            for j in 0..i {
                assert_ne!(draws[i], draws[j]);
            }
        }
    }

    /// The mean of N draws has a standard deviation of 1/√N, the mean square of normal draws one of √(2/N) and of
    /// uniform draws (mean square 1/3) one of √(4/45/N); five of each are allowed, a chance of 1 in 10⁶ for a sound
    /// generator, and the draws are always the same.
    #[test]
    fn draws_have_the_moments_of_their_distribution() {
        let n = 100_000_u32;
        let cases = [(Distribution::Normal, 1.0_f64, 2.0_f64), (Distribution::Uniform, 1.0 / 3.0, 4.0 / 45.0)];
        for (distribution, square, square_variance) in cases {
            let draws: Vec<f64> = (0..n).map(|k| random_start(u64::from(k / 10), k % 10, distribution, 1.0)).collect();
            let mean = draws.iter().sum::<f64>() / f64::from(n);
            let mean_square = draws.iter().map(|x| x * x).sum::<f64>() / f64::from(n);
            let root_n = f64::from(n).sqrt();
            assert!(mean.abs() < 5.0 * square.sqrt() / root_n, "{distribution:?}: mean {mean}");
            assert!(
                (mean_square - square).abs() < 5.0 * square_variance.sqrt() / root_n,
                "{distribution:?}: mean square {mean_square}"
            );
        }
    }

    /// Pinned bits: a platform, a compiler or a dependency that changed them would change every random start. An
    /// implementation of the published algorithm in another language, with its own logarithm and cosine, gives
    /// 0.8864975059014409, -0.15660962291201797 and -0.494100512669746.
    #[test]
    fn normal_draws_keep_their_bits() {
        let draws: Vec<f64> = (0..3).map(|k| random_start(42, k, Distribution::Normal, 1.0)).collect();
        assert_eq!(draws, [0.8864975059014409, -0.15660962291201797, -0.494100512669746]);
    }
}
