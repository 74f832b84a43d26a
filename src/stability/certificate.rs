//! What was found out about one minimiser, and what it amounts to.

use serde::Serialize;

/// Whether the claim holds of a minimiser: that the update map of natural gradient descent has the eigenvalues 1 − η and 1
/// only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// Every check was passed.
    Holds,
    /// The multipliers on the row space are certified, but f64 tells more directions than the precision at work: what is
    /// left alone here is not the kernel of J.
    RowSpaceOnly,
    /// The claim is not about this point, or cannot be decided; the [`Doubt`] says why.
    DoesNotApply,
}

impl Verdict {
    /// The name in tables and files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::RowSpaceOnly => "row_space_only",
            Self::DoesNotApply => "does_not_apply",
        }
    }
}

/// Why the claim is not certified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Doubt {
    /// The residual is orthogonal to the tangent space but not zero: the multipliers are 1 − η(1+κ).
    ResidualNotZero,
    /// The residual is not orthogonal to the tangent space: a step moves on from here.
    NotStationary,
    /// No singular value exceeds the cutoff.
    RankZero,
    /// A singular value is too near the cutoff to say on which side it is.
    RankGap,
    /// A check failed by more than rounding allows: the precision at work cannot tell.
    Precision,
}

impl Doubt {
    /// The name in tables and files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ResidualNotZero => "residual_not_zero",
            Self::NotStationary => "not_stationary",
            Self::RankZero => "rank_zero",
            Self::RankGap => "rank_gap",
            Self::Precision => "precision",
        }
    }
}

/// The multipliers of one filter at one step size.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FilterStability {
    /// Its name.
    pub filter: String,
    /// η.
    pub step_size: f64,
    /// The multipliers of theory, by descending singular value, then 1 along each direction that the filter leaves alone:
    /// p of them, or with momentum 2p. Empty where theory has none: off a stationary point.
    pub predicted: Vec<f64>,
    /// The same from the row space as the device found it: eigenvalues of I − ηP with P read back, or of I − ηVφ(Σ)Vᵀ.
    pub spectrum: Vec<f64>,
    /// Multipliers from differences of steps taken: of the directions perturbed (all, or as many as asked for), then along
    /// the kernel.
    pub measured: Vec<f64>,
    /// Of these, how many are along the kernel; they come last.
    pub measured_kernel: usize,
    /// Largest difference of a measured multiplier from the predicted one, over the larger of 1 and that one's size. NaN where nothing was measured.
    pub worst_difference: f64,
    /// The middle of the bracket of step sizes between which perturbations begin to grow. NaN where none was found.
    pub critical_step: f64,
    /// That bracket. Empty, or the largest step size at which they do not grow and the least at which they do.
    pub critical_bracket: Vec<f64>,
    /// What theory says it is.
    pub predicted_critical_step: f64,
}

/// How far what the device computed departs from what it ought to be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Checks {
    /// ‖JJ†J − J‖/‖J‖, with J as the device evaluated it.
    pub reproduces: f64,
    /// ‖J†JJ† − J†‖/‖J†‖.
    pub inverse_reproduces: f64,
    /// ‖JJ† − (JJ†)ᵀ‖.
    pub left_symmetry: f64,
    /// ‖J†J − (J†J)ᵀ‖.
    pub right_symmetry: f64,
    /// ‖P² − P‖.
    pub idempotence: f64,
    /// |tr P − r|.
    pub trace: f64,
    /// ‖J₆₄(I − P)‖/‖J₆₄‖, J₆₄ from the expression in f64.
    pub row_space: f64,
    /// Sine of the largest angle between the row space and that of J₆₄.
    pub angle: f64,
    /// Largest distance of an eigenvalue of P from 0 or 1.
    pub eigenvalues: f64,
}

/// The certificate of one minimiser. All norms are Frobenius norms; J stands for JD where columns are scaled.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Certificate {
    /// Index of the problem in the sweep.
    pub problem: u64,
    /// Index of the data set.
    pub set: usize,
    /// θ*, p values.
    pub parameters: Vec<f64>,
    /// ‖e‖ in f64.
    pub residual_norm: f64,
    /// The same over the size of the data.
    pub relative_residual: f64,
    /// ‖Jᵀe‖ of the plain J in f64.
    pub gradient_norm: f64,
    /// Singular values above the cutoff, as the device found them.
    pub rank: usize,
    /// Singular values of J₆₄ above the noise of f64.
    pub exact_rank: usize,
    /// As the device found them, min(n, p) values, descending.
    pub singular_values: Vec<f64>,
    /// Relative cutoff on σ.
    pub cutoff: f64,
    /// σᵣ/σᵣ₊₁ of J₆₄; infinite where r = min(n, p).
    pub gap: f64,
    /// σ₁/σᵣ.
    pub condition: f64,
    /// The checks of P and J†.
    pub checks: Checks,
    /// ‖J₆₄(I − P)‖/‖J₆₄‖ once more, by its name in files.
    pub row_space_error: f64,
    /// The verdict.
    pub verdict: Verdict,
    /// Why it is no better.
    pub reason: Option<Doubt>,
    /// The same in words, with the figures.
    pub detail: String,
    /// λmax(JᵀJ) of the plain J.
    pub gn_sharpness: f64,
    /// λmax of the Hessian of the loss, JᵀJ + Σ eᵢ∇²fᵢ; NaN beyond 128 parameters.
    pub hessian_sharpness: f64,
    /// 2 over the sharpness of the Hessian (of JᵀJ where that is not known): the critical step of gradient descent.
    pub gd_critical_step: f64,
    /// κᵢ of the exact filter: its multipliers are 1 − η(1+κᵢ). Empty where not stationary, or beyond 128 parameters.
    pub curvatures: Vec<f64>,
    /// ‖M − P‖ with DG = I − ηM the Jacobian of the update map by Golub and Pereyra; NaN beyond 128 parameters.
    pub update_map_departure: f64,
    /// Filters × step sizes.
    pub filters: Vec<FilterStability>,
}
