// What the steps of wide problems by the kernel matrix share: how well f32 solves with it, and whether a test may end a
// problem that has no singular values to be judged by.
#define_import_path natgrad::dual
#import natgrad::problem::{Problem, State, Rules, unit, GRADIENT, DUAL_DONE}

// Of a problem: so many rounds of refinement; or gradient descent, which solves nothing; or nothing that f32 could solve.
const MOST_ROUNDS: u32 = 3u;
const DESCENT: u32 = 4u;
const DOUBT: u32 = 5u;

// Rounds of refinement that a step takes, where JJᵀ + εI has this trace, its inverse that one, and entries that are off by
// `spread` roundings.
//
// A round leaves at most the share s = u·κ² of the error. The traces bound the condition κ² of the matrix, and ε bounds it
// where most of its eigenvalues are no larger. So many rounds as leave 2⁻⁸ of the step, or of ‖e − Jt‖/√ε where
// the damping holds most of it back: in fact far less, since neither roundings nor directions conspire. Beyond s = ¼ the
// rounds would not end. Where the cutoff may leave out a direction that
// the damping lets pass by half or more, or any without damping, the singular values are needed.
fn rounds(problem: Problem, trace: Real, inverse: Real, spread: Real) -> u32 {
    // Without damping 1/ε bounds nothing.
    let of_damping = select(inverse, 1.0 / max(problem.damping, Real(0x1p-120f)), problem.damping > 0.0);
    let condition = trace * min(inverse, of_damping);
    let share = Real(0x1p-24f) * spread * condition;
    let cut = problem.cutoff * problem.cutoff * condition;
    // A NaN is in doubt too.
    if !(share <= 0.25 && cut <= select(Real(0.25), 1.0, problem.damping > 0.0)) {
        return DOUBT;
    }
    return select(0u, 1u, share > Real(0x1p-8f)) + select(0u, 1u, share > Real(0x1p-4f)) + select(0u, 1u, share > 0.157);
}

// A round of a step, from 0 on.
struct Round {
    number: u32,
    padding_a: u32,
    padding_b: u32,
    padding_c: u32,
}

// Whether no test can end the problem, by a lower bound on ‖Uᵣᵀe‖ over unit(‖e‖), the length of the step, which is no longer
// than the undamped one's, and that of θ.
fn no_test_ends(rules: Rules, problem: Problem, state: State, bound: Real, step: Real, theta: Real) -> bool {
    if !(step > 0.0) {
        return false;
    }
    if rules.tests == 0u {
        return true;
    }
    let by_unit = 1.0 / unit(state.residual_norm);
    let residual = state.residual_norm * by_unit;
    let response = problem.response_norm * by_unit;
    // Eight roundings of ‖e‖: the bound is a difference.
    let tangent = bound - Real(0x1p-21f) * residual;
    let is_gradient = tangent <= rules.gradient * residual + rules.rounding * response;
    let is_quiet = 0.5 * tangent * tangent <= rules.rounding * residual * (response + residual);
    let is_small = step <= rules.change * theta && problem.filter_kind != GRADIENT;
    return tangent > 0.0 && !(is_gradient || is_quiet || is_small);
}

// The state of a problem whose next trial point is there.
fn stepped(before: State) -> State {
    var state = before;
    state.fresh = DUAL_DONE;
    // No singular values belong to this point.
    state.rank = 0u;
    state.quiet_steps = 0u;
    // Where the rank is full ‖Uᵣᵀe‖ is ‖e‖, and no more elsewhere.
    state.best_tangent = min(state.best_tangent, state.residual_norm);
    return state;
}
