//! The figures of a certificate that need no steps, and the bounds that they have to keep.

use faer::Mat;

use crate::backend::RowSpace;
use crate::ngd::Precision;

use super::certificate::{Checks, Doubt, Verdict};
use super::eigen::eigenvalues;
use super::options::FilterRule;
use super::point::Point;
use super::theory::{factors, roots};

/// The checks, and the eigenvalues of P, descending.
pub(crate) fn checks(space: &RowSpace, point: &Point) -> (Checks, Vec<f64>) {
    let p = point.theta.len();
    let (j, basis) = (&space.jacobian, space.v.subcols(0, space.rank));
    let relative = |off: &Mat<f64>, of: &Mat<f64>| off.norm_l2() / of.norm_l2();
    let exact_rows = point.v.subcols(0, space.rank.min(point.sigma.len()));
    let (values, idempotence, trace, outside, left_over) = if let Some(projector) = &space.projector {
        let trace = (0..p).map(|k| projector[(k, k)]).sum::<f64>();
        let square = projector * projector;
        let outside = &point.jacobian - &point.jacobian * projector;
        let left_over = exact_rows - projector * exact_rows;
        (eigenvalues(projector), (square - projector).norm_l2(), trace, outside, left_over)
    } else {
        // P = WWᵀ has the eigenvalues of WᵀW, and zeros; ‖P² − P‖ is ‖(WᵀW)² − WᵀW‖.
        let gram = basis.transpose() * basis;
        let values = eigenvalues(&gram).into_iter().chain(std::iter::repeat_n(0.0, p - space.rank)).collect();
        let trace = (0..space.rank).map(|k| gram[(k, k)]).sum::<f64>();
        let outside = &point.jacobian - (&point.jacobian * basis) * basis.transpose();
        let left_over = exact_rows - basis * (basis.transpose() * exact_rows);
        (values, (&gram * &gram - &gram).norm_l2(), trace, outside, left_over)
    };
    let values: Vec<f64> = values;
    let [reproduces, inverse_reproduces, left_symmetry, right_symmetry] = match &space.inverse {
        None => [f64::NAN; 4],
        Some(inverse) => {
            let right = inverse * j;
            [
                relative(&(j * &right - j), j),
                relative(&(&right * inverse - inverse), inverse),
                left_asymmetry(j, inverse),
                (&right - right.transpose()).norm_l2(),
            ]
        }
    };
    let distance = |(k, &value): (usize, &f64)| (value - f64::from(u8::from(k < space.rank))).abs();
    let found = Checks {
        reproduces,
        inverse_reproduces,
        left_symmetry,
        right_symmetry,
        idempotence,
        trace: (trace - space.rank as f64).abs(),
        row_space: relative(&outside, &point.jacobian),
        angle: left_over.norm_l2(),
        eigenvalues: values.iter().enumerate().map(distance).fold(0.0, nan_or_max),
    };
    (found, values)
}

/// ‖JB − (JB)ᵀ‖ of an n×p matrix J and a p×n matrix B. Of tall ones JB is not formed: with [J | Bᵀ] = QR it is QMQᵀ, M the
/// product of the halves of R.
fn left_asymmetry(j: &Mat<f64>, inverse: &Mat<f64>) -> f64 {
    let (n, p) = j.shape();
    let product = if n <= 2 * p {
        j * inverse
    } else {
        let both = Mat::from_fn(n, 2 * p, |i, k| if k < p { j[(i, k)] } else { inverse[(k - p, i)] });
        let r = both.qr().thin_R().to_owned();
        r.subcols(0, p) * r.subcols(p, p).transpose()
    };
    (&product - product.transpose()).norm_l2()
}

/// Whether a figure is beyond its bound; NaN is.
fn exceeds(value: f64, bound: f64) -> bool {
    value.is_nan() || value > bound
}

/// The larger of two numbers; NaN if one is.
pub(crate) fn nan_or_max(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}

/// The bound on eigenvalues, idempotence and trace of a projector: its own rounding, and that of the check, which is done in
/// f64. Where its row space W stands for it these are figures of WᵀW − I: its r diagonal entries are off by √p u, the rounding
/// of sums of p squares, and the others by the cosine that rotations leave, √max(r, 16) u, so that its norm is within their
/// sum.
fn spectrum_bound(space: &RowSpace, precision: Precision) -> f64 {
    let (p, r) = (space.v.nrows() as f64, space.rank as f64);
    let of_basis = if space.projector.is_some() { 0.0 } else { (r * p).sqrt() + r * r.max(16.0).sqrt() };
    let own = (4.0 * r).max(32.0).max(of_basis);
    own * precision.unit_roundoff() + 8.0 * p * Precision::F64.unit_roundoff()
}

impl Checks {
    /// The first check that fails, with its figure and its bound. What was not formed (NaN by choice) is not judged.
    fn failure(&self, space: &RowSpace, condition: f64, precision: Precision) -> Option<String> {
        let dense = space.inverse.is_some();
        let u = precision.unit_roundoff();
        // Bounds for sides of up to 64; sums over longer ones are rounded more by the root of their length.
        let longest = space.jacobian.nrows().max(space.jacobian.ncols()) as f64;
        let length = (longest / 64.0).sqrt().max(1.0);
        let (product, symmetry) = ((4.0 * condition + 32.0) * length * u, (8.0 * condition + 32.0) * length * u);
        let projector = spectrum_bound(space, precision);
        let all = [
            ("‖JJ†J − J‖/‖J‖", self.reproduces, product, dense),
            ("‖J†JJ† − J†‖/‖J†‖", self.inverse_reproduces, product, dense),
            ("the asymmetry of JJ†", self.left_symmetry, symmetry, dense),
            ("the asymmetry of J†J", self.right_symmetry, symmetry, dense),
            ("‖P² − P‖", self.idempotence, projector, true),
            ("|tr P − r|", self.trace, projector, true),
            ("an eigenvalue of P", self.eigenvalues, projector, true),
            ("‖J₆₄(I − P)‖/‖J₆₄‖", self.row_space, 64.0 * u, true),
            ("the angle between the row spaces", self.angle, 64.0 * condition * u, true),
        ];
        let failed = all.into_iter().find(|&(_, value, bound, judged)| judged && exceeds(value, bound));
        failed.map(|(what, value, bound, _)| format!("{what} is off by {value:.1e}, beyond {bound:.1e}"))
    }
}

/// The eigenvalues of I − ηM of a filter with the row space as the device found it: of the projector read back where the
/// filter takes all of the rank, else of Vφ(Σ)Vᵀ.
pub(crate) fn spectrum(
    rule: &FilterRule,
    space: &RowSpace,
    of_projector: &[f64],
    residual: f64,
    step_size: f64,
) -> Vec<f64> {
    let p = space.v.nrows();
    let phi = factors(rule, &space.sigma, space.cutoff, residual);
    let rates: Vec<f64> = if phi.len() == space.rank && phi.iter().all(|&phi| phi == 1.0) {
        of_projector.to_vec()
    } else {
        let used = phi.len();
        let weighted = Mat::from_fn(p, used, |j, k| space.v[(j, k)] * phi[k].sqrt());
        let gram = weighted.transpose() * &weighted;
        eigenvalues(&gram).into_iter().chain(std::iter::repeat_n(0.0, p - used)).collect()
    };
    rates
        .into_iter()
        .flat_map(|rate| match rule.momentum {
            0.0 => vec![1.0 - step_size * rate],
            beta => roots(1.0 - step_size * rate + beta, beta).to_vec(),
        })
        .collect()
}

/// What is known of a point when it is judged.
pub(crate) struct Evidence<'a> {
    pub(crate) point: &'a Point,
    pub(crate) space: &'a RowSpace,
    pub(crate) checks: &'a Checks,
    pub(crate) interpolates: bool,
    pub(crate) is_stationary: bool,
    pub(crate) relative_residual: f64,
    pub(crate) condition: f64,
    pub(crate) margin: f64,
    /// Largest |κ| that the residual leaves.
    pub(crate) bend: f64,
    /// Largest difference of a measured multiplier from the predicted one, and of which filter.
    pub(crate) measured: Option<(f64, String)>,
    pub(crate) precision: Precision,
}

/// A measured multiplier may differ by so much.
const MULTIPLIER_TOLERANCE: f64 = 0.01;

impl Evidence<'_> {
    /// The verdict, why it is no better, and that in words.
    pub(crate) fn judge(&self) -> (Verdict, Option<Doubt>, String) {
        let doubt = |doubt: Doubt, detail: String| (Verdict::DoesNotApply, Some(doubt), detail);
        let (rank, u) = (self.space.rank, self.precision.unit_roundoff());
        if rank == 0 {
            return doubt(Doubt::RankZero, format!("no singular value exceeds the cutoff {:.1e}", self.space.cutoff));
        }
        if !self.interpolates {
            let relative = self.relative_residual;
            return if self.is_stationary {
                doubt(
                    Doubt::ResidualNotZero,
                    format!("the residual is {relative:.1e} of the data: multipliers are 1 − η(1+κ)"),
                )
            } else {
                doubt(
                    Doubt::NotStationary,
                    format!("the residual is {relative:.1e} of the data and the gradient is not zero"),
                )
            };
        }
        if let Some((index, ratio)) = self.near_the_cutoff() {
            let sign = format!("σ{} is {ratio:.1e} of σ1 and the cutoff {:.1e}", index + 1, self.space.cutoff);
            return doubt(Doubt::RankGap, sign);
        }
        if self.point.rank(self.space.cutoff) != rank {
            let there = self.point.rank(self.space.cutoff);
            return doubt(Doubt::RankGap, format!("the rank is {rank} here and {there} in f64 at the same cutoff"));
        }
        if 64.0 * self.condition * u > 0.1 {
            return doubt(Doubt::Precision, format!("the condition {:.1e} leaves the row space open", self.condition));
        }
        if let Some(failure) = self.checks.failure(self.space, self.condition, self.precision) {
            return doubt(Doubt::Precision, failure);
        }
        if exceeds(self.bend, MULTIPLIER_TOLERANCE) {
            return doubt(
                Doubt::Precision,
                format!("what is left of the residual bends multipliers by {:.1e} η", self.bend),
            );
        }
        if let Some((difference, filter)) = &self.measured
            && exceeds(*difference, MULTIPLIER_TOLERANCE)
        {
            return doubt(
                Doubt::Precision,
                format!("steps taken ({filter}) differ from their multipliers by {difference:.1e}"),
            );
        }
        let exact = self.point.exact_rank();
        if exact > rank {
            return (Verdict::RowSpaceOnly, None, format!("rank {rank} here, {exact} in f64"));
        }
        (Verdict::Holds, None, String::new())
    }

    /// The first singular value of J₆₄ within the margin of the cutoff, over the largest.
    fn near_the_cutoff(&self) -> Option<(usize, f64)> {
        let largest = self.point.sigma[0];
        let cutoff = self.space.cutoff;
        // What f64 itself cannot tell from zero is zero.
        let zero = Precision::F64.default_cutoff(self.point.jacobian.nrows(), self.point.jacobian.ncols());
        let near = |ratio: f64| ratio > zero.max(cutoff / self.margin) && ratio < cutoff * self.margin;
        self.point.sigma.iter().map(|s| s / largest).enumerate().find(|&(_, ratio)| near(ratio))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_asymmetry_of_a_product_is_the_same_whether_it_is_formed_or_not() {
        let number = |i: usize, k: usize| ((7 * i + 3 * k) % 11) as f64 - 5.0;
        for (n, p) in [(3, 2), (9, 2), (40, 3)] {
            let j = Mat::from_fn(n, p, number);
            let b = Mat::from_fn(p, n, |k, i| number(i + 5, 2 * k));
            let formed = &j * &b;
            let expected = (&formed - formed.transpose()).norm_l2();
            assert!(expected > 1.0 && (left_asymmetry(&j, &b) / expected - 1.0).abs() < 1e-12, "{n}×{p}");
        }
    }
}
