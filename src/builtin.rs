//! Data sets that are made and not read: targets on which networks are studied.

use std::ops::Range;

use crate::data::{Data, DataError};
use crate::error::RequestError;
use crate::model::{Model, Network};
use crate::starts::{Distribution, Initialisation, random_start};

/// A Chebyshev polynomial: columns `x`, evenly spaced from −1 to 1, and y = T(x) of this degree.
///
/// ```
/// let data = natgrad::builtin::chebyshev(4, 20)?;
/// assert_eq!(data.rows(), 20);
/// # Ok::<(), natgrad::DataError>(())
/// ```
///
/// # Errors
/// If there are no points.
pub fn chebyshev(degree: u32, points: usize) -> Result<Data, DataError> {
    let x = crate::sweep::linspace(-1.0, 1.0, points);
    let value = |&x: &f64| {
        // T₀ = 1, T₁ = x, Tₖ₊₁ = 2xTₖ − Tₖ₋₁.
        let (mut before, mut here) = (x, 1.0);
        for _ in 0..degree {
            (before, here) = (here, 2.0 * x * here - before);
        }
        here
    };
    let y = x.iter().map(value).collect();
    Data::from_columns([("x", x), ("y", y)])
}

/// Data that a network of known parameters makes: what another network, the student, is to learn.
///
/// Inputs are standard normal. Everything is drawn by Philox, as [random starts](random_start) are: the parameters by the
/// seed, inputs and noise by keys of their own. A student whose start is drawn by the same seed begins with the same numbers in
/// its first units.
#[derive(Clone, Debug, PartialEq)]
pub struct Teacher {
    /// The teacher.
    pub network: Network,
    /// How its parameters are drawn.
    pub initialisation: Initialisation,
    /// Rows of each data set.
    pub points: usize,
    /// A teacher for each seed below 2⁶², and a data set of its own.
    pub seeds: Range<u64>,
    /// Standard deviation of what is added to each response.
    pub noise: f64,
}

/// The column that tells the data sets of several teachers apart: the seed.
const TEACHER: &str = "teacher";

/// Keys of inputs and of noise, apart from those of parameters.
const OF_INPUTS: u64 = 1 << 62;
const OF_NOISE: u64 = 1 << 63;

impl Teacher {
    /// Columns for the teacher's inputs and outputs under its own names (`x` or `x1`, …; `y` or `y1`, …); with several
    /// seeds one more, `teacher`, which groups.
    ///
    /// # Errors
    /// If there are no seeds, a seed beyond 2⁶², no points, a noise that is negative or not finite, or a gain or scale that
    /// is not positive.
    pub fn data(&self) -> Result<Data, crate::Error> {
        if self.seeds.is_empty() {
            return Err(RequestError::EmptyAxis { axis: "teacher seed" }.into());
        }
        if self.seeds.end > OF_INPUTS {
            return Err(RequestError::TeacherSeed { seed: self.seeds.end - 1 }.into());
        }
        if !(self.noise.is_finite() && self.noise >= 0.0) {
            return Err(RequestError::TeacherNoise { value: self.noise }.into());
        }
        let deviations = self.network.deviations(&self.initialisation)?;
        let model = Model::from(self.network.clone());
        let (features, outputs) = (self.network.layers()[0], self.network.outputs());
        let mut columns = vec![Vec::new(); features + outputs];
        for seed in self.seeds.clone() {
            let distribution = self.initialisation.distribution;
            let drawn = |(j, &deviation): (usize, &f64)| {
                random_start(seed, j as u32, distribution, distribution.scale_of(deviation))
            };
            let theta: Vec<f64> = deviations.iter().enumerate().map(drawn).collect();
            let normal = |key: u64, index: usize| random_start(seed | key, index as u32, Distribution::Normal, 1.0);
            for i in 0..self.points {
                let mut row: Vec<f64> = (0..features).map(|c| normal(OF_INPUTS, i * features + c)).collect();
                row.iter().zip(&mut columns).for_each(|(&x, column)| column.push(x));
                row.push(0.0);
                for k in 0..outputs {
                    row[features] = k as f64;
                    let noise = self.noise * normal(OF_NOISE, i * outputs + k);
                    columns[features + k].push(model.evaluate(&theta, &row) + noise);
                }
            }
        }
        let mut names = self.network.inputs().to_vec();
        names.extend(self.network.responses());
        let several = self.seeds.end - self.seeds.start > 1;
        if several {
            names.push(TEACHER.to_owned());
            columns.push(self.seeds.clone().flat_map(|seed| std::iter::repeat_n(seed as f64, self.points)).collect());
        }
        let data = Data::from_columns(names.into_iter().zip(columns))?;
        Ok(if several { data.group_by(&[TEACHER]) } else { data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Activation;
    use crate::starts::Initialiser;

    #[test]
    fn chebyshev_polynomials_are_cosines_of_multiples() {
        for degree in 0..7 {
            let data = chebyshev(degree, 21).unwrap().bind(&["x"]).unwrap();
            for (x, y) in data.inputs[0].iter().zip(data.response.iter()) {
                // Rounding grows with the square of the degree at the ends.
                assert!((y - (f64::from(degree) * x.acos()).cos()).abs() < 1e-13, "T{degree}({x}) = {y}");
            }
        }
        assert!(chebyshev(4, 0).is_err());
    }

    fn teacher() -> Teacher {
        let initialiser = Initialiser::Xavier { gain: 1.0 };
        Teacher {
            network: Network::new(&[3, 5, 2], Activation::Silu).unwrap(),
            initialisation: Initialisation { initialiser, distribution: Distribution::Normal, zero_output: false },
            points: 10,
            seeds: 4..7,
            noise: 0.0,
        }
    }

    #[test]
    fn a_teacher_of_a_seed_makes_the_same_data_whatever_other_seeds_there_are() {
        let responses = ["y1", "y2"];
        let of = |seeds: Range<u64>| Teacher { seeds, ..teacher() }.data().unwrap().responses(&responses);
        let several = of(4..7).bind(&["x1", "x2", "x3"]).unwrap();
        assert_eq!(several.sets, [0..20, 20..40, 40..60]);
        let alone = of(5..6).bind(&["x1", "x2", "x3"]).unwrap();
        assert_eq!((several.sets.len(), alone.sets.len()), (3, 1));
        assert_eq!(*several.response.slice(20..40), alone.response.to_vec());
        assert_eq!(*several.inputs[2].slice(20..40), alone.inputs[2].to_vec());
        assert_ne!(several.response.slice(0..20), several.response.slice(20..40));
    }

    #[test]
    fn what_no_teacher_can_be_is_refused() {
        let message = |teacher: Teacher| teacher.data().unwrap_err().to_string();
        assert!(message(Teacher { seeds: 3..3, ..teacher() }).contains("teacher seed"));
        assert!(message(Teacher { seeds: 1 << 62..(1 << 62) + 1, ..teacher() }).contains("4611686018427387904"));
        assert!(message(Teacher { noise: -1.0, ..teacher() }).contains("noise -1"));
        let initialiser = Initialiser::He { gain: 0.0 };
        let initialisation = Initialisation { initialiser, ..teacher().initialisation };
        assert!(message(Teacher { initialisation, ..teacher() }).contains("gain 0"));
        assert!(Teacher { points: 0, ..teacher() }.data().is_err());
    }
}
