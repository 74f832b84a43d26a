//! What a filter's multipliers ought to be at a minimiser.
//!
//! A step is Δ = B Jᵀe with B = V φ(Σ)Σ⁻² Vᵀ. Where Jᵀe = 0 its derivative is M = B(JᵀJ + S), S = Σ eᵢ∇²fᵢ: on the row
//! space similar to the symmetric C = √Φ (I + Σ⁻¹VᵀSVΣ⁻¹) √Φ, and zero along the kernel. At a zero residual C is Φ. With
//! C x = λx a right eigenvector of M is z = VΣ⁻¹√Φ x and the left one l = (JᵀJ + S)z.

use faer::{Col, Mat};

use super::eigen::eigenvectors;
use super::options::FilterRule;
use super::point::Point;
use crate::ngd::{Filter, Weighting};

/// The eigenvalues of M on the row space, and its eigenvectors in the coordinates ξ = D⁻¹θ.
#[derive(Clone, Debug)]
pub(crate) struct Theory {
    /// λ, descending.
    pub(crate) rates: Vec<f64>,
    /// z of each, of unit length.
    pub(crate) right: Vec<Vec<f64>>,
    /// l of each, with lᵀz = 1.
    pub(crate) left: Vec<Vec<f64>>,
    /// Parameters beyond: M is zero along so many directions.
    pub(crate) kernel: usize,
    momentum: f64,
}

/// φ of each direction that the filter uses of these singular values at relative cutoff and ‖e‖.
pub(crate) fn factors(rule: &FilterRule, sigma: &[f64], cutoff: f64, residual: f64) -> Vec<f64> {
    let rank = rule.filter.rank(sigma, cutoff);
    let weighting = Weighting {
        filter: rule.filter,
        epsilon: rule.filter.epsilon(rule.damping, residual),
        largest: sigma.first().copied().unwrap_or(0.0),
        cutoff,
    };
    let used = rule.filter.directions(sigma, rank);
    // What a smooth cutoff leaves of a direction is noise below the roundoff of the rest.
    let factors = sigma[..used].iter().map(|&s| weighting.factor(s));
    factors.take_while(|&phi| !matches!(rule.filter, Filter::Smooth) || phi > f64::EPSILON).collect()
}

impl Theory {
    /// Of a filter at a point. `curvature` is S in the coordinates ξ, where the residual is not zero. The singular values
    /// beyond `most` count as zero: the device's rank.
    pub(crate) fn new(
        rule: &FilterRule,
        point: &Point,
        most: usize,
        cutoff: f64,
        curvature: Option<&Mat<f64>>,
    ) -> Option<Self> {
        let p = point.theta.len();
        let sigma = match rule.filter {
            Filter::Smooth | Filter::Gradient => &point.sigma[..],
            _ => &point.sigma[..most.min(point.sigma.len())],
        };
        // A residual that counts as zero damps nothing.
        let residual = curvature.map_or(0.0, |_| point.residual_norm());
        let phi = factors(rule, sigma, cutoff, residual);
        let used = phi.len();
        let v = point.v.subcols(0, used);
        let weighted = Mat::from_fn(p, used, |j, k| v[(j, k)] * phi[k].sqrt() / point.sigma[k]);
        let bend = curvature.map(|s| weighted.transpose() * s * &weighted);
        let c = Mat::from_fn(used, used, |j, k| {
            let own = if j == k { phi[k] } else { 0.0 };
            own + bend.as_ref().map_or(0.0, |bend| 0.5 * (bend[(j, k)] + bend[(k, j)]))
        });
        let (rates, vectors) = match curvature {
            // In the order of the singular values, each a direction of its own.
            None => (phi.clone(), Mat::<f64>::identity(used, used)),
            Some(_) => eigenvectors(&c)?,
        };
        let (mut right, mut left) = (Vec::with_capacity(used), Vec::with_capacity(used));
        for k in 0..used {
            let x = vectors.col(k);
            let z: Col<f64> = &weighted * x;
            let z = Col::from_fn(p, |j| z[j] / z.norm_l2());
            // l = (JᵀJ + S)z; at a zero residual that is z itself, up to a factor.
            let l: Col<f64> = match curvature {
                None => z.clone(),
                Some(s) => point.jacobian.transpose() * (&point.jacobian * &z) + s * &z,
            };
            let product = (0..p).map(|j| l[j] * z[j]).sum::<f64>();
            left.push(l.iter().map(|x| x / product).collect());
            right.push(z.iter().copied().collect());
        }
        Some(Self { rates, right, left, kernel: p - used, momentum: rule.momentum })
    }

    /// The multipliers at a step size: 1 − ηλ for each direction used, then 1 along each of the others. With momentum β
    /// there are two of each, the roots of z² − (1 − ηλ + β)z + β, the larger one first; of a complex pair the modulus √β
    /// stands twice.
    pub(crate) fn multipliers(&self, step_size: f64) -> Vec<f64> {
        let all = self.rates.iter().copied().chain(std::iter::repeat_n(0.0, self.kernel));
        all.flat_map(|rate| self.roots(step_size, rate)).collect()
    }

    /// The multipliers of one direction.
    pub(crate) fn roots(&self, step_size: f64, rate: f64) -> Vec<f64> {
        if self.momentum == 0.0 {
            return vec![1.0 - step_size * rate];
        }
        roots(1.0 - step_size * rate + self.momentum, self.momentum).to_vec()
    }

    /// The step size from which on a perturbation grows: 2(1+β)/λmax. 0 where M has a negative eigenvalue, infinite
    /// where it has none but zero.
    pub(crate) fn critical_step(&self) -> f64 {
        let largest = self.rates.iter().copied().fold(0.0, f64::max);
        if self.rates.iter().any(|&rate| rate < 0.0) { 0.0 } else { 2.0 * (1.0 + self.momentum) / largest }
    }
}

/// The roots of z² − sum·z + product, the one of larger modulus first; of a complex pair its modulus twice.
pub(crate) fn roots(sum: f64, product: f64) -> [f64; 2] {
    let half = 0.5 * sum;
    let square = half * half - product;
    if square < 0.0 {
        return [product.sqrt(); 2];
    }
    let large = half + square.sqrt().copysign(half);
    [large, if large == 0.0 { 0.0 } else { product / large }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_of_a_quadratic_are_its_roots_and_a_complex_pair_is_its_modulus() {
        assert_eq!(roots(1.5, 0.5), [1.0, 0.5]);
        assert_eq!(roots(-2.5, 1.0), [-2.0, -0.5]);
        assert_eq!(roots(0.0, 0.25), [0.5, 0.5]);
        // The kernel of a momentum β: {1, β}.
        let [one, beta] = roots(1.9, 0.9);
        assert!((one - 1.0).abs() < 1e-15 && (beta - 0.9).abs() < 1e-15);
    }

    #[test]
    fn a_damped_direction_counts_by_its_factor() {
        let damped = FilterRule { damping: 4.0, ..FilterRule::default() };
        assert_eq!(factors(&damped, &[2.0, 1.0, 1e-9], 1e-6, 0.0), [0.5, 0.2]);
        let scaled = FilterRule { filter: Filter::ResidualScaled { factor: 1.0, power: 2.0 }, ..FilterRule::default() };
        assert_eq!(factors(&scaled, &[2.0, 1.0], 1e-6, 0.0), [1.0, 1.0]);
        assert_eq!(factors(&scaled, &[2.0, 1.0], 1e-6, 2.0), [0.5, 0.2]);
    }
}
