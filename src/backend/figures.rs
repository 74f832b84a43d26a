//! Loss, gradient and sharpness of a point, in f64 on the host.

use faer::{Mat, Side};

use crate::expr::{SIDE_BY_SIDE, Tape};
use crate::sweep::{Job, ProblemId};

use super::evaluation::{Lanes, Room, weighted_blocks, weighted_rows};

/// f64 figures of one point.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    pub(super) loss: f64,
    pub(super) gradient_norm: f64,
    pub(super) gn_sharpness: f64,
}

/// The most columns of which [`largest_eigenvalue`] is found here: larger matrices are for a library, whose call alone takes
/// several times as long as all of it does on these.
const MOST_COLUMNS: usize = 8;

/// Squarings after which no eigenvalue that still has a share in the trace is further than 2⁻⁵² from the largest: a share of
/// (1 − δ)^(2ᵏ), as it is of an eigenvalue smaller by δ, makes an error of δ times that, 2⁻ᵏ/e at most.
const MOST_SQUARINGS: u32 = 51;

/// What the figures of problems are made in, one after the other.
#[derive(Default)]
pub(super) struct Desk {
    room: Room,
    /// Lanes of ‖e‖², then of Jᵀe, then of the lower triangle of JᵀJ row by row.
    sums: Vec<Lanes>,
    /// The same over all lanes.
    whole: Vec<f64>,
}

impl Desk {
    /// The figures of a problem at θ; the sharpness is measured where it is not known.
    pub(super) fn figures(&mut self, job: &Job, id: ProblemId, theta: &[f64], gn_sharpness: Option<f64>) -> Figures {
        let (n, p) = (job.rows(id.set).len(), theta.len());
        let measured = match job.model().side_by_side() {
            Some(tape) if n >= p || gn_sharpness.is_some() => {
                self.sum_up(job, id.set, (tape, theta), gn_sharpness.is_none())
            }
            _ => self.row_by_row(job, id.set, theta, gn_sharpness.is_none()),
        };
        let gradient = &self.whole[1..=p];
        Figures {
            loss: 0.5 * self.whole[0],
            gradient_norm: gradient.iter().map(|g| g * g).sum::<f64>().sqrt(),
            gn_sharpness: gn_sharpness.unwrap_or(measured),
        }
    }

    /// ‖e‖² and Jᵀe; and where it is wanted the largest eigenvalue of JᵀJ, which is summed up with them.
    fn sum_up(&mut self, job: &Job, set: usize, (tape, theta): (&Tape, &[f64]), wanted: bool) -> f64 {
        let p = theta.len();
        let Self { room, sums, whole } = self;
        sums.clear();
        sums.resize(1 + p + if wanted { p * (p + 1) / 2 } else { 0 }, [0.0; SIDE_BY_SIDE]);
        let add = |sum: &mut Lanes, a: &Lanes, b: &Lanes| {
            for k in 0..SIDE_BY_SIDE {
                sum[k] += a[k] * b[k];
            }
        };
        weighted_blocks(job, set, (tape, theta), room, |_, block| {
            let (first, fisher) = sums.split_at_mut(1 + p);
            first.iter_mut().zip(block).for_each(|(sum, column)| add(sum, column, &block[0]));
            let mut entries = fisher.iter_mut();
            for j in 1..=if wanted { p } else { 0 } {
                block[1..=j].iter().zip(&mut entries).for_each(|(column, sum)| add(sum, &block[j], column));
            }
        });
        whole.clear();
        whole.extend(sums.iter().map(|lanes| lanes.iter().sum::<f64>()));
        if wanted { largest_of_packed(&whole[1 + p..], p) } else { f64::NAN }
    }

    /// The same of models of which one row is evaluated at a time, and of fewer points than parameters: JJᵀ has the
    /// eigenvalues of JᵀJ, but for zeros.
    fn row_by_row(&mut self, job: &Job, set: usize, theta: &[f64], wanted: bool) -> f64 {
        let (p, rows) = (theta.len(), job.rows(set));
        let is_wide = rows.len() < p;
        let Self { room, whole, .. } = self;
        whole.clear();
        whole.resize(1 + p, 0.0);
        // Column i is row i of J; of tall ones JᵀJ is summed up at once.
        let mut wide = Mat::<f64>::zeros(p, if wanted && is_wide { rows.len() } else { 0 });
        let side = if wanted && !is_wide { p } else { 0 };
        let mut fisher = Mat::<f64>::zeros(side, side);
        weighted_rows(job, set, theta, room, |i, e, jacobian| {
            whole[0] += e * e;
            whole[1..].iter_mut().zip(jacobian).for_each(|(sum, d)| *sum += d * e);
            if wanted && is_wide {
                (0..p).for_each(|j| wide[(j, i - rows.start)] = jacobian[j]);
            } else if wanted {
                for j in 0..p {
                    for k in 0..=j {
                        fisher[(j, k)] += jacobian[j] * jacobian[k];
                    }
                }
            }
        });
        match () {
            () if !wanted => f64::NAN,
            () if is_wide => largest_eigenvalue(&(wide.transpose() * &wide)),
            () => largest_eigenvalue(&fisher),
        }
    }
}

/// λmax of a symmetric positive semidefinite matrix given by its lower triangle; NaN where it is not finite.
pub(crate) fn largest_eigenvalue(lower: &Mat<f64>) -> f64 {
    let p = lower.nrows();
    if (0..p).any(|j| (0..=j).any(|k| !lower[(j, k)].is_finite())) {
        return f64::NAN;
    }
    if p <= MOST_COLUMNS {
        return by_squaring(p, |j, k| lower[(j, k)]);
    }
    lower
        .self_adjoint_eigenvalues(Side::Lower)
        .ok()
        .and_then(|values| values.last().copied())
        .map_or(f64::NAN, |largest| largest.max(0.0))
}

/// The same of a lower triangle row by row.
fn largest_of_packed(packed: &[f64], p: usize) -> f64 {
    let entry = |j: usize, k: usize| packed[j * (j + 1) / 2 + k];
    if p <= MOST_COLUMNS && packed.iter().all(|value| value.is_finite()) {
        return by_squaring(p, entry);
    }
    largest_eigenvalue(&Mat::from_fn(p, p, |j, k| entry(j.max(k), j.min(k))))
}

/// λmax of A, finite and positive semidefinite, whose lower triangle is given: the mean of the eigenvalues by their shares in the
/// trace of a power of A, which is tr(A·M) for M the power over its trace. The largest share is tr(M²) or more: what the
/// others have left is no more than is missing there from 1, and after one more squaring its square. Good to some p² roundings.
fn by_squaring(p: usize, lower: impl Fn(usize, usize) -> f64) -> f64 {
    let unit = (0..p).map(|j| lower(j, j)).fold(0.0, f64::max);
    if unit == 0.0 {
        return 0.0;
    }
    let mut a = [[0.0; MOST_COLUMNS]; MOST_COLUMNS];
    for j in 0..p {
        for k in 0..=j {
            (a[j][k], a[k][j]) = (lower(j, k) / unit, lower(j, k) / unit);
        }
    }
    let trace = |m: &[[f64; MOST_COLUMNS]; MOST_COLUMNS]| (0..p).map(|j| m[j][j]).sum::<f64>();
    let mut power = a;
    let mut by = 1.0 / trace(&a);
    for _ in 0..MOST_SQUARINGS {
        power.iter_mut().take(p).flatten().for_each(|entry| *entry *= by);
        let mut square = [[0.0; MOST_COLUMNS]; MOST_COLUMNS];
        for j in 0..p {
            for k in 0..=j {
                let sum: f64 = power[j][..p].iter().zip(&power[k][..p]).map(|(x, y)| x * y).sum();
                (square[j][k], square[k][j]) = (sum, sum);
            }
        }
        let share = trace(&square);
        (power, by) = (square, 1.0 / share);
        if 1.0 - share < 1e-9 {
            break;
        }
    }
    let product = |j: usize| a[j][..p].iter().zip(&power[j][..p]).map(|(x, y)| x * y).sum::<f64>();
    unit * by * (0..p).map(product).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Both are within some p² roundings of the eigenvalue; columns are of very unequal length.
        #[test]
        fn small_matrices_have_the_eigenvalue_that_the_library_finds(
            entries in proptest::collection::vec(-1.0..1.0f64, 8 * 10), p in 1..=8usize, exponent in -30..30i32
        ) {
            let rows = entries.len() / p;
            let scale = |k: usize| 10f64.powi(k as i32 * exponent / 8);
            let j = Mat::from_fn(rows, p, |i, k| entries[i * p + k] * scale(k));
            let a = j.transpose() * &j;
            let expected = *a.self_adjoint_eigenvalues(Side::Lower).unwrap().last().unwrap();
            let found = largest_eigenvalue(&a);
            let most = 4.0 * (p * p) as f64 * f64::EPSILON * expected;
            prop_assert!((found - expected).abs() <= most, "{found} for {expected}");
        }

        /// diag(1, 1 − δ, …) turned by a reflection: however near the next eigenvalues are.
        #[test]
        fn eigenvalues_close_to_the_largest_take_nothing_from_it(
            v in proptest::collection::vec(-1.0..1.0f64, 5), exponent in -17..0i32
        ) {
            let length = v.iter().map(|x| x * x).sum::<f64>();
            prop_assume!(length > 0.01);
            let values: Vec<f64> = (0..5).map(|i| 1.0 - f64::from(i) * 10f64.powi(exponent) / 4.0).collect();
            let turn = |i: usize, j: usize| f64::from(u8::from(i == j)) - 2.0 * v[i] * v[j] / length;
            let a = Mat::from_fn(5, 5, |j, k| (0..5).map(|i| turn(j, i) * values[i] * turn(i, k)).sum::<f64>());
            // The matrix itself is rounded.
            prop_assert!((largest_eigenvalue(&a) - 1.0).abs() <= 4.0 * 25.0 * f64::EPSILON);
        }
    }

    #[test]
    fn eigenvalues_known_beforehand_are_found() {
        let of = |rows: &[&[f64]]| {
            largest_eigenvalue(&Mat::from_fn(rows.len(), rows.len(), |j, k| rows[j.max(k)][j.min(k)]))
        };
        assert_eq!(of(&[]), 0.0);
        assert_eq!(of(&[&[3.0]]), 3.0);
        assert!((of(&[&[2.0], &[1.0, 2.0]]) - 3.0).abs() < 1e-15);
        // Of rank one, the squared length of its column.
        assert!((of(&[&[1.0], &[2.0, 4.0], &[3.0, 6.0, 9.0]]) - 14.0).abs() < 1e-14);
        assert_eq!(of(&[&[0.0], &[0.0, 0.0]]), 0.0);
        assert_eq!(of(&[&[1e-300], &[1e-301, 1e300]]), 1e300);
    }

    #[test]
    fn what_is_not_finite_has_no_eigenvalue() {
        for (p, bad) in [(3, f64::NAN), (3, f64::INFINITY), (20, f64::NAN), (20, f64::NEG_INFINITY)] {
            let a = Mat::from_fn(p, p, |j, k| if (j, k) == (2, 1) { bad } else { 1.0 });
            assert!(largest_eigenvalue(&a).is_nan(), "{p}, {bad}");
        }
    }
}
