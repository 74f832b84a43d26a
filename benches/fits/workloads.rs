//! The problems that are fitted.

use natgrad::data::Data;
use natgrad::{Damping, Model, Stop, Sweep};

/// Numbers from a fixed seed (SplitMix64).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
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
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Normal, by Box and Muller.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.between(0.0, 1.0)).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.between(0.0, 1.0)).cos()
    }
}

/// Gpufit's own example: a Gaussian peak on 5×5 pixels.
pub struct Peaks {
    pub count: usize,
    /// 25 a fit.
    pub values: Vec<f32>,
    /// 5 a fit.
    pub truth: Vec<f64>,
    pub starts: Vec<f64>,
}

pub const SIDE: usize = 5;
pub const PEAK: &str = "A*exp(-((px - x0)**2 + (py - y0)**2)/(2*s**2)) + b";
pub const PEAK_PARAMETERS: [&str; 5] = ["A", "x0", "y0", "s", "b"];

impl Peaks {
    pub fn new(count: usize) -> Self {
        let mut random = Random::new(count as u64);
        let nominal = [500.0, 2.0, 2.0, 1.0, 10.0];
        let (mut values, mut truth, mut starts) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..count {
            let t = nominal.map(|value| value * random.between(0.9, 1.1));
            starts.extend(t.map(|value| value * random.between(0.9, 1.1)));
            for y in 0..SIDE {
                for x in 0..SIDE {
                    let square = (x as f64 - t[1]).powi(2) + (y as f64 - t[2]).powi(2);
                    let clean = t[0] * (-square / (2.0 * t[3] * t[3])).exp() + t[4];
                    values.push((clean + 17.05 * random.normal()) as f32);
                }
            }
            truth.extend(t);
        }
        Self { count, values, truth, starts }
    }
}
