// Accepts or rejects the trial point: the rule of src/ngd/damping.rs, and the statuses that end a problem at once.
//
// Fixed damping accepts every finite step. Adaptive damping accepts where the ratio of actual to predicted decrease,
// both with the loss's rounding added, is at least `accept`; it then moves ε by Nielsen's rule.
//
// Invocation: one problem.
#import natgrad::layout::element
#import natgrad::problem::{Problem, State, Rules, unit, RUNNING, STALLED, DIVERGED, NON_FINITE, FINITE, OVERFLOW, REJECTED, ACCEPTED}

@group(0) @binding(0) var<uniform> rules: Rules;
@group(0) @binding(1) var<storage, read> problems: array<Problem>;
@group(0) @binding(2) var<storage, read_write> states: array<State>;
@group(0) @binding(3) var<storage, read> trial: array<Real>;        // P × 1
@group(0) @binding(4) var<storage, read_write> theta: array<Real>;  // P × 1
@group(0) @binding(5) var<storage, read> sigma: array<Real>;        // K × 1, of the last accepted point

const P: u32 = #{P}u;
const K: u32 = #{K}u;

// As in step: read once, and written back once.
var<private> problem: Problem;
var<private> state: State;

fn accept(norm: Real) {
    state.residual_norm = norm;
    state.fresh = ACCEPTED;
}

fn reject() {
    state.epsilon *= state.growth;
    state.growth *= 2.0;
    state.rejections += 1u;
    if state.rejections >= rules.max_rejections {
        state.status = STALLED;
    }
}

// A trial point where [J | e] is not finite.
fn judge_range(first: bool, adaptive: bool) {
    if first || (!adaptive && state.trial_range != OVERFLOW) {
        state.status = NON_FINITE;
    } else if adaptive {
        reject();
    } else {
        accept(state.trial_norm);
        state.status = DIVERGED;
    }
}

// A step of fixed damping, or the start.
fn judge_fixed(first: bool) {
    if first {
        state.first_norm = state.trial_norm;
    }
    accept(state.trial_norm);
    if !first && state.trial_norm > rules.divergence * max(state.first_norm, problem.response_norm) {
        state.status = DIVERGED;
    }
}

// A step of adaptive damping, taken where the largest singular value was this.
fn judge_adaptive(largest: Real) {
    let norm = state.trial_norm;
    let before = state.residual_norm;
    // Decreases of the loss over unit², as the promise is.
    let unit = unit(before);
    let rounding = rules.rounding * (before / unit) * ((problem.response_norm + before) / unit);
    let actual = 0.5 * ((before - norm) / unit) * ((before + norm) / unit);
    let ratio = (actual + rounding) / (state.predicted + rounding);
    if ratio >= rules.accept {
        let t = 2.0 * min(ratio, 1.0) - 1.0;
        state.epsilon =
            max(state.epsilon * max(1.0 - t * t * t, 1.0 / 3.0), rules.damping_floor * largest * largest);
        state.growth = 2.0;
        state.rejections = 0u;
        accept(norm);
    } else {
        reject();
    }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let b = id.x;
    if b >= rules.problems || states[b].status != RUNNING {
        return;
    }
    problem = problems[b];
    state = states[b];
    state.fresh = REJECTED;
    let first = state.steps == 0u;
    let adaptive = problem.damping < 0.0;
    if state.trial_range != FINITE {
        judge_range(first, adaptive);
    } else if first || !adaptive {
        judge_fixed(first);
    } else {
        judge_adaptive(sigma[element(b, 0u, 0u, K, 1u)]);
    }
    states[b] = state;
    if state.fresh == ACCEPTED {
        for (var j = 0u; j < P; j++) {
            let at = element(b, j, 0u, P, 1u);
            theta[at] = trial[at];
        }
    }
}
