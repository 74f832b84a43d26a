//! The problems that are fitted.

use natgrad::{Damping, Data, Detail, Model, Outcome, Status, StepBlock, Stop, Sweep};

use super::laws::{Law, Line, Misra, PRESSURES, Peak, SIDE, operations_of_evaluation};

/// Numbers from a fixed seed (SplitMix64).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in [low, high).
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Normal, by Box and Muller.
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.between(0.0, 1.0)).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.between(0.0, 1.0)).cos()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// (a): Gpufit's own.
    Peaks,
    /// (b): Misra's exponentials.
    Misra,
    /// (c): exact steps of 100 points.
    Lines,
    /// (d): (a)'s, of which one in a hundred is hard.
    Mixed,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Peaks => "a_peaks",
            Self::Misra => "b_misra",
            Self::Lines => "c_lines",
            Self::Mixed => "d_mixed",
        }
    }

    /// Where a fit ends.
    ///
    /// Gpufit ends one whose χ² has changed by no more than 1e-4 of itself. A test before the step is that of the gradient:
    /// what the linear model still promises is a decrease of ½‖e‖² by ½‖Uᵀe‖² = ½·gradient²·‖e‖², so that 1e-2 stands for
    /// 1e-4 of χ². The tests of loss and change stay where they are in f32, far below.
    pub(crate) fn stop(self) -> Stop {
        match self {
            Self::Peaks => Stop { steps: 10, gradient: Some(1e-2), ..Stop::default() },
            Self::Misra => Stop { steps: 50, gradient: Some(1e-3), ..Stop::default() },
            Self::Lines => Stop { steps: 5, tests: false, ..Stop::default() },
            // So that most take one step; the slowest take some fifty.
            Self::Mixed => Stop { steps: 200, gradient: Some(0.1), ..Stop::default() },
        }
    }

    /// Points and parameters of a fit.
    pub(crate) fn size(self) -> (usize, usize) {
        match self {
            Self::Peaks | Self::Mixed => (25, 5),
            Self::Misra => (14, 2),
            Self::Lines => (100, 5),
        }
    }

    fn model(self) -> Model {
        let parsed = match self {
            Self::Peaks | Self::Mixed => Model::parse(Peak::TEXT, &Peak::PARAMETERS),
            Self::Misra => Model::parse(Misra::TEXT, &Misra::PARAMETERS),
            Self::Lines => Model::parse(Line::TEXT, &Line::PARAMETERS),
        };
        parsed.expect("a model")
    }

    /// Operations of an evaluation, with all that leads to the next step.
    pub(crate) fn operations(self) -> f64 {
        let of_law = match self {
            Self::Peaks | Self::Mixed => Peak::OPERATIONS,
            Self::Misra => Misra::OPERATIONS,
            Self::Lines => Line::OPERATIONS,
        };
        let (n, p) = self.size();
        operations_of_evaluation(n, p, of_law)
    }

    /// Bytes that a fit moves at the least, in f32: data, start, result, and how it ended (steps, loss, status).
    pub(crate) fn bytes(self) -> usize {
        let (n, p) = self.size();
        4 * (n + 2 * p + 3)
    }
}

/// Data, truth and starts of some fits.
pub(crate) struct Fits {
    pub(crate) kind: Kind,
    pub(crate) count: usize,
    /// The responses, fit after fit.
    pub(crate) values: Vec<f32>,
    pub(crate) truth: Vec<f64>,
    pub(crate) starts: Vec<f64>,
}

impl Fits {
    pub(crate) fn new(kind: Kind, count: usize, seed: u64) -> Self {
        let mut fits = Self { kind, count, values: Vec::new(), truth: Vec::new(), starts: Vec::new() };
        let mut random = Random::new(seed);
        for k in 0..count {
            match kind {
                Kind::Peaks => fits.add_peak(&mut random, 0.1, false),
                Kind::Mixed => fits.add_peak(&mut random, 0.02, is_hard(k)),
                Kind::Misra => fits.add_misra(&mut random),
                Kind::Lines => fits.add_line(&mut random),
            }
        }
        fits
    }

    /// `off`: how far the start may be from the truth, relative to it. A hard one is halfway down a valley instead: a broad and
    /// high peak over a background as deep, of which the pixels see little more than the curvature.
    fn add_peak(&mut self, random: &mut Random, off: f64, is_hard: bool) {
        let t = [500.0, 2.0, 2.0, 1.0, 10.0].map(|value| value * random.between(0.9, 1.1));
        let start = t.map(|value| value * random.between(1.0 - off, 1.0 + off));
        self.starts.extend(if is_hard { [1e4, start[1], start[2], 10.0, -1e4] } else { start });
        for i in 0..SIDE * SIDE {
            let square = ((i % SIDE) as f64 - t[1]).powi(2) + ((i / SIDE) as f64 - t[2]).powi(2);
            let clean = t[0] * (-square / (2.0 * t[3] * t[3])).exp() + t[4];
            self.values.push((clean + 17.05 * random.normal()) as f32);
        }
        self.truth.extend(t);
    }

    /// From NIST's second start for Misra1a.
    fn add_misra(&mut self, random: &mut Random) {
        let t = [240.0, 5.5e-4].map(|value| value * random.between(0.8, 1.2));
        for x in PRESSURES {
            let clean = t[0] * (1.0 - (-t[1] * f64::from(x)).exp());
            self.values.push((clean * (1.0 + 0.01 * random.normal())) as f32);
        }
        self.truth.extend(t);
        self.starts.extend([250.0, 5e-4]);
    }

    fn add_line(&mut self, random: &mut Random) {
        let t = [100.0, 50.0, 8.0, 20.0, 0.2].map(|value| value * random.between(0.9, 1.1));
        for i in 0..100 {
            let x = f64::from(i);
            let clean = t[0] * (-(x - t[1]).powi(2) / (2.0 * t[2] * t[2])).exp() + t[3] + t[4] * x;
            self.values.push((clean + 3.0 * random.normal()) as f32);
        }
        self.starts.extend(t.map(|value| value * random.between(0.97, 1.03)));
        self.truth.extend(t);
    }

    pub(crate) fn sweep(&self, detail: Detail) -> Sweep {
        let data = match self.kind {
            Kind::Peaks | Kind::Mixed => {
                Data::from_array(&self.values, &[self.count, SIDE, SIDE], &["set", "py", "px"])
            }
            Kind::Lines => Data::from_array(&self.values, &[self.count, 100], &["set", "x"]),
            Kind::Misra => {
                let set = (0..self.values.len()).map(|row| (row / PRESSURES.len()) as f64).collect();
                let x = (0..self.values.len()).map(|row| f64::from(PRESSURES[row % PRESSURES.len()])).collect();
                let y = self.values.iter().map(|&y| f64::from(y)).collect();
                Data::from_columns([("set", set), ("x", x), ("y", y)]).map(|data| data.group_by(&["set"]))
            }
        };
        let exact = StepBlock { dampings: vec![Damping::Fixed(0.0)], ..StepBlock::default() };
        let block = if self.kind == Kind::Lines { exact } else { StepBlock::default() };
        Sweep::new(&self.kind.model(), &data.expect("data of one shape"))
            .starts_from_array(self.starts.clone())
            .block(block)
            .stop(self.kind.stop())
            .detail(detail)
    }
}

/// Whether a fit of the mixed ones is hard: one in a hundred.
pub(crate) fn is_hard(fit: usize) -> bool {
    fit % 100 == 37
}

/// How fits ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    /// Steps that were taken, on average and at most; of peers not known.
    pub(crate) steps: Option<(f64, u32)>,
    pub(crate) converged: f64,
    /// Of every parameter, the root of the mean square of its distance from the truth, over the fits that converged, in
    /// hundredths of the mean truth.
    pub(crate) errors: Vec<f64>,
}

impl Found {
    /// `fits` yields θ and whether it converged, in the order of the truths.
    pub(crate) fn new(fits: impl Iterator<Item = (Vec<f64>, bool)>, truth: &[f64], p: usize) -> Self {
        let (mut squares, mut sums, mut count, mut converged) = (vec![0.0; p], vec![0.0; p], 0.0, 0.0);
        for ((theta, has_converged), truth) in fits.zip(truth.chunks_exact(p)) {
            count += 1.0;
            if has_converged {
                converged += 1.0;
                for j in 0..p {
                    squares[j] += (theta[j] - truth[j]).powi(2);
                    sums[j] += truth[j];
                }
            }
        }
        let errors = (0..p).map(|j| 100.0 * (squares[j] * converged).sqrt() / f64::abs(sums[j])).collect();
        Self { steps: None, converged: converged / count, errors }
    }

    pub(crate) fn of_outcome(outcome: &Outcome, fits: &Fits) -> Self {
        // Without tests none is said to have converged: all of those that took their steps count.
        let done = if fits.kind.stop().tests { Status::Converged } else { Status::StepLimit };
        let steps = outcome.iter().map(|fit| f64::from(fit.steps())).sum::<f64>() / outcome.len() as f64;
        let most = outcome.iter().map(|fit| fit.steps()).max().unwrap_or(0);
        let of_fit = |fit: natgrad::Problem<'_>| (fit.parameters().to_vec(), fit.status() == done);
        let found = Self::new(outcome.iter().map(of_fit), &fits.truth, fits.kind.size().1);
        Self { steps: Some((steps, most)), ..found }
    }
}
