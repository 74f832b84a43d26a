//! A second look, in f64, at problems whose rank falls short in f32.
//!
//! Where singular values are lost in rounding, f32 judges by the directions that are left: along the others it can
//! neither tell a gradient from noise nor a variance from none. f64 can, at the same point.

use crate::ngd::{Precision, Reason, Status, Tolerances};
use crate::sweep::{Job, ProblemId};

use super::cpu::{Workspace, examine};
use super::{Solved, Spectrum};

/// A variance in f32 below this share of the one in f64 hides what it should tell: the standard error would be too
/// small by 10% or more.
const LEAST_SHARE: f64 = 0.8;

/// Corrects what f32 found for a problem short of full rank: convergence that f64 does not confirm becomes
/// [`Status::Stalled`], and parameters whose variance lies in the directions lost become unresolved.
pub(crate) fn second_look(job: &Job, id: ProblemId, solved: &mut Solved, workspace: &mut Workspace) {
    let p = job.model().parameters().len();
    let points = job.rows(id.set).len();
    let most = points.min(p).min(job.rules()[id.rule].filter.most_directions());
    let is_network = job.model().as_network().is_some();
    // Of a network only the convergence is in question.
    let full = if is_network { most } else { p };
    let judged = solved.status == Status::Converged && solved.reason != Some(Reason::Loss);
    if is_network && !judged {
        return;
    }
    let Some(found) = solved.spectrum.as_mut().filter(|spectrum| spectrum.rank < full) else { return };
    let Some((norms, exact)) = examine(job, id, &solved.theta, workspace) else { return };
    for j in 0..if is_network { 0 } else { p } {
        found.unresolved[j] |= exact.unresolved[j] || variance_is_hidden(found, &exact, j);
    }
    if judged && found.rank < most && exact.rank > found.rank {
        let tolerances = job.stop().tolerances(Precision::F32);
        // Rounding of e in f32 moves the tangent by up to 4u‖y‖.
        let tangent = (norms.tangent - tolerances.rounding * norms.response).max(0.0);
        if !confirmed(&crate::ngd::Norms { tangent, ..norms }, &tolerances) {
            solved.status = Status::Stalled;
            solved.reason = None;
        }
    }
}

/// Whether the tests of f32 hold over all directions that f64 tells.
fn confirmed(norms: &crate::ngd::Norms, tolerances: &Tolerances) -> bool {
    norms.converged(tolerances).is_some() || norms.promise_is_rounding(tolerances)
}

/// Whether the variance of parameter j in f32 is not that of f64.
fn variance_is_hidden(found: &Spectrum, exact: &Spectrum, j: usize) -> bool {
    let at = j * (j + 1) / 2 + j;
    let share = found.covariance[at] / exact.covariance[at];
    share.is_nan() || share < LEAST_SHARE
}
