//! What the factored Jacobian tells of a minimiser: rank, singular values, covariance, unresolved parameters.

use faer::{Col, Mat};

/// A parameter counts as unresolved when the directions left out would raise its variance by more than this share:
/// its standard error would then be too small by 5% or more.
const OMITTED: f64 = 0.1;

/// The factorisation of JD that a spectrum is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Factorisation<'a> {
    /// Right singular vectors of JD, one after another, p values each: as many as there are nonzero singular values,
    /// or more.
    pub(crate) v: &'a [f64],
    /// Singular values above the cutoff.
    pub(crate) rank: usize,
    /// The diagonal of D.
    pub(crate) scale: &'a [f64],
    /// The least σ/σ₁ that the precision of the factorisation can tell from zero.
    pub(crate) noise: f64,
}

/// The spectrum of the J that was factored, and what follows from it.
#[derive(Clone, Debug)]
pub(crate) struct Spectrum {
    /// Singular values above the cutoff.
    pub(crate) rank: usize,
    /// Descending, p values; the last p − n are zero where n < p.
    pub(crate) sigma: Vec<f64>,
    /// (JᵀJ)⁺, lower triangle row by row; empty for a network.
    pub(crate) covariance: Vec<f64>,
    /// Of each parameter, whether the directions kept leave it undetermined; empty for a network.
    pub(crate) unresolved: Vec<bool>,
}

impl Spectrum {
    /// That of a network, whose parameters mean nothing one by one: p(p+1)/2 covariances would be told for nothing.
    pub(crate) fn of_network(sigma: Vec<f64>, rank: usize) -> Self {
        Self { rank, sigma, covariance: Vec::new(), unresolved: Vec::new() }
    }

    /// (JᵀJ)⁺ = D V Σ⁻² Vᵀ D over the directions kept, and the parameters that the others would leave undetermined.
    pub(crate) fn new(sigma: Vec<f64>, factorisation: Factorisation) -> Self {
        let Factorisation { v, rank, scale, .. } = factorisation;
        let p = scale.len();
        let mut covariance = Vec::with_capacity(p * (p + 1) / 2);
        for j in 0..p {
            for k in 0..=j {
                let sum: f64 = (0..rank).map(|i| (v[i * p + j] / sigma[i]) * (v[i * p + k] / sigma[i])).sum();
                covariance.push(sum * scale[j] * scale[k]);
            }
        }
        let unresolved = if rank < p { unresolved(&sigma, factorisation) } else { vec![false; p] };
        Self { rank, sigma, covariance, unresolved }
    }
}

/// Of each parameter, whether the directions below the rank would raise its variance by more than `OMITTED`.
///
/// A direction adds v²/σ² to the variance of a parameter. Of one whose σ is lost in rounding, only an upper bound on σ
/// is known, and so a lower bound on what it adds: that bound is taken. Hence a parameter with the smallest part in a
/// null vector is unresolved if that part may matter beside what the data tell of it, and one whose part is itself
/// rounding, about u/σ_r against a bound of n·u, is not.
fn unresolved(sigma: &[f64], Factorisation { v, rank, scale, noise }: Factorisation) -> Vec<bool> {
    let p = scale.len();
    let floor = noise * sigma.first().copied().unwrap_or(0.0);
    // Directions left out by choice (a large cutoff, a fixed rank) have a σ that can be trusted.
    let measured = (0..v.len() / p.max(1)).take_while(|&i| i < rank || sigma[i] > floor).count();
    let known = Mat::from_fn(p, measured, |j, i| v[i * p + j]);
    let basis = known.qr().compute_thin_Q();
    let variance =
        |j: usize, range: std::ops::Range<usize>| -> f64 { range.map(|i| (v[i * p + j] / sigma[i]).powi(2)).sum() };
    (0..p)
        .map(|j| {
            let null = if measured < p { (beyond(&basis, j) / floor).powi(2) } else { 0.0 };
            let omitted = variance(j, rank..measured) + null;
            // A NaN, as of 0/0 where nothing at all is known, is unresolved too.
            omitted.is_nan() || omitted > OMITTED * variance(j, 0..rank)
        })
        .collect()
}

/// The length of what the orthonormal columns of `basis` leave of coordinate vector j: its part in all that they do not
/// span. A small part, which the difference from 1 would lose in rounding, is projected out twice.
fn beyond(basis: &Mat<f64>, j: usize) -> f64 {
    let square = 1.0 - basis.row(j).squared_norm_l2();
    if square > 1e-6 {
        return square.sqrt();
    }
    let mut left = Col::<f64>::zeros(basis.nrows());
    left[j] = 1.0;
    for _ in 0..2 {
        let along = basis.transpose() * &left;
        left -= basis * along;
    }
    left.norm_l2()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spectrum(v: &[f64], sigma: &[f64], rank: usize, noise: f64) -> Spectrum {
        let scale = vec![1.0; sigma.len()];
        Spectrum::new(sigma.to_vec(), Factorisation { v, rank, scale: &scale, noise })
    }

    #[test]
    fn covariance_is_the_inverse_fisher_matrix_at_full_rank() {
        // J = diag(2, 4): (JᵀJ)⁻¹ = diag(1/4, 1/16). The larger singular value comes first.
        let spectrum = spectrum(&[0.0, 1.0, 1.0, 0.0], &[4.0, 2.0], 2, 1e-15);
        assert_eq!(spectrum.covariance, [0.25, 0.0, 0.0625]);
        assert_eq!(spectrum.unresolved, [false, false]);
    }

    #[test]
    fn null_vectors_name_the_parameters_they_mix_and_no_other() {
        // Row space (1, 1, 0)/√2 and (0, 0, 1): the null vector (1, −1, 0)/√2 mixes the first two.
        let h = 0.5f64.sqrt();
        let v = [h, h, 0.0, 0.0, 0.0, 1.0];
        assert_eq!(spectrum(&v, &[2.0, 1.0, 0.0], 2, 1e-6).unresolved, [true, true, false]);
        // No matter how far the factorisation went with the third.
        let v = [h, h, 0.0, 0.0, 0.0, 1.0, h, -h, 0.0];
        assert_eq!(spectrum(&v, &[2.0, 1.0, 0.0], 2, 1e-6).unresolved, [true, true, false]);
    }

    #[test]
    fn a_small_part_in_a_direction_lost_to_rounding_counts_by_the_variance_it_may_hide() {
        // The second parameter has a part s in the lost direction. It hides a variance of at least s²/(10⁻⁶)² beside
        // the 1/c² ≈ 1 of the direction kept.
        let with_part = |s: f64| {
            let c = (1.0 - s * s).sqrt();
            spectrum(&[c, s, -s, c], &[1.0, 0.0], 1, 1e-6).unresolved
        };
        // Kept is (c, s): of the second parameter almost nothing is known, of the first almost everything.
        assert_eq!(with_part(1e-8), [false, true], "hidden: 10⁻⁴ of the variance of the first");
        assert_eq!(with_part(1e-5), [true, true], "hidden: 100 times its variance");
    }

    #[test]
    fn rounding_in_the_null_vector_of_exactly_dependent_columns_disturbs_no_other_parameter() {
        // Columns 1 and 2 equal, column 3 apart, σ₂ = 0.1; the vectors are wrong by a few roundings of f32.
        let h = 0.5f64.sqrt();
        let u = 6e-8;
        let v = [h, h + u, 2.0 * u, -u, u, 1.0];
        assert_eq!(spectrum(&v, &[1.4, 0.1, 0.0], 2, 20.0 * 2.0 * u).unresolved, [true, true, false]);
    }

    #[test]
    fn a_direction_left_out_by_choice_counts_with_its_own_singular_value() {
        // Rank fixed at 1 with σ₂ = 0.5: the part of 0.1 of the first parameter in it hides a variance of 0.04.
        let (c, s) = (0.99f64.sqrt(), 0.1);
        let v = [c, s, -s, c];
        assert_eq!(spectrum(&v, &[1.0, 0.5], 1, 1e-6).unresolved, [false, true]);
    }

    #[test]
    fn nothing_is_resolved_at_rank_zero() {
        assert_eq!(spectrum(&[], &[0.0, 0.0], 0, 1e-6).unresolved, [true, true]);
    }
}
