//! What the factored Jacobian tells of a minimiser: rank, singular values, covariance, unresolved parameters.

/// A parameter counts as mixed by the null vectors when its squared share in them exceeds this: a component of 0.1 in
/// a unit null vector of the scaled J.
const MIXED: f64 = 0.01;

/// The spectrum of the J that was factored, and what follows from it.
#[derive(Clone, Debug)]
pub(crate) struct Spectrum {
    /// Singular values above the cutoff.
    pub(crate) rank: usize,
    /// Descending, p values; the last p − n are zero where n < p.
    pub(crate) sigma: Vec<f64>,
    /// (JᵀJ)⁺, lower triangle row by row.
    pub(crate) covariance: Vec<f64>,
    /// Bit j: parameter j has a part in the null vectors.
    pub(crate) unresolved: u64,
}

impl Spectrum {
    /// From the right singular vectors of JD (p×p, column i at `v[i·p..]`, the first `rank` of them used), its
    /// singular values, and the diagonal of D: (JᵀJ)⁺ = D V Σ⁻² Vᵀ D over the directions kept.
    pub(crate) fn new(v: &[f64], sigma: Vec<f64>, rank: usize, scale: &[f64]) -> Self {
        let p = scale.len();
        let mut covariance = Vec::with_capacity(p * (p + 1) / 2);
        for j in 0..p {
            for k in 0..=j {
                let sum: f64 = (0..rank).map(|i| (v[i * p + j] / sigma[i]) * (v[i * p + k] / sigma[i])).sum();
                covariance.push(sum * scale[j] * scale[k]);
            }
        }
        let mut unresolved = 0;
        if rank < p {
            for j in 0..p.min(64) {
                let resolved: f64 = (0..rank).map(|i| v[i * p + j] * v[i * p + j]).sum();
                if 1.0 - resolved > MIXED {
                    unresolved |= 1 << j;
                }
            }
        }
        Self { rank, sigma, covariance, unresolved }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn covariance_is_the_inverse_fisher_matrix_at_full_rank() {
        // J = diag(2, 4): (JᵀJ)⁻¹ = diag(1/4, 1/16). The larger singular value comes first.
        let spectrum = Spectrum::new(&[0.0, 1.0, 1.0, 0.0], vec![4.0, 2.0], 2, &[1.0, 1.0]);
        assert_eq!(spectrum.covariance, [0.25, 0.0, 0.0625]);
        assert_eq!(spectrum.unresolved, 0);
    }

    #[test]
    fn null_vectors_name_the_parameters_they_mix_and_no_other() {
        // Row space (1, 1, 0)/√2 and (0, 0, 1): the null vector (1, −1, 0)/√2 mixes the first two.
        let h = 0.5f64.sqrt();
        let v = [h, h, 0.0, 0.0, 0.0, 1.0, h, -h, 0.0];
        let spectrum = Spectrum::new(&v, vec![2.0, 1.0, 0.0], 2, &[1.0; 3]);
        assert_eq!(spectrum.unresolved, 0b011);
    }
}
