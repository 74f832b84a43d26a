// Accepts or rejects the trial point: the rule of src/ngd/damping.rs, and the statuses that end a problem at once.
//
// Fixed damping accepts every finite step. Adaptive damping accepts where the ratio of actual to predicted decrease,
// both with the loss's rounding added, is at least `accept`; it then moves ε by Nielsen's rule.
//
// Invocation: one problem.
#import natgrad::layout::element
#import natgrad::problem::{Problem, State, Rules, unit, RUNNING, STALLED, DIVERGED, NON_FINITE, FINITE, OVERFLOW}

@group(0) @binding(0) var<uniform> rules: Rules;
@group(0) @binding(1) var<storage, read> problems: array<Problem>;
@group(0) @binding(2) var<storage, read_write> states: array<State>;
@group(0) @binding(3) var<storage, read> trial: array<Real>;        // P × 1
@group(0) @binding(4) var<storage, read_write> theta: array<Real>;  // P × 1
@group(0) @binding(5) var<storage, read> sigma: array<Real>;        // P × 1, of the last accepted point

const P: u32 = #{P}u;

fn accept(b: u32, norm: Real) {
    for (var j = 0u; j < P; j++) {
        let at = element(b, j, 0u, P, 1u);
        theta[at] = trial[at];
    }
    states[b].residual_norm = norm;
    states[b].fresh = 1u;
}

fn reject(b: u32) {
    states[b].epsilon *= states[b].growth;
    states[b].growth *= 2.0;
    states[b].rejections += 1u;
    if states[b].rejections >= rules.max_rejections {
        states[b].status = STALLED;
    }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let b = id.x;
    if b >= rules.problems || states[b].status != RUNNING {
        return;
    }
    states[b].fresh = 0u;
    let first = states[b].steps == 0u;
    let adaptive = problems[b].damping < 0.0;
    let range = states[b].trial_range;
    let norm = states[b].trial_norm;
    if range != FINITE {
        if first || (!adaptive && range != OVERFLOW) {
            states[b].status = NON_FINITE;
        } else if adaptive {
            reject(b);
        } else {
            accept(b, norm);
            states[b].status = DIVERGED;
        }
        return;
    }
    if first {
        states[b].first_norm = norm;
        accept(b, norm);
        return;
    }
    if !adaptive {
        accept(b, norm);
        if norm > rules.divergence * max(states[b].first_norm, problems[b].response_norm) {
            states[b].status = DIVERGED;
        }
        return;
    }
    let before = states[b].residual_norm;
    // Decreases of the loss over unit², as the promise is.
    let unit = unit(before);
    let rounding = rules.rounding * (before / unit) * ((problems[b].response_norm + before) / unit);
    let actual = 0.5 * ((before - norm) / unit) * ((before + norm) / unit);
    let ratio = (actual + rounding) / (states[b].predicted + rounding);
    if ratio >= rules.accept {
        let t = 2.0 * min(ratio, 1.0) - 1.0;
        let largest = sigma[element(b, 0u, 0u, P, 1u)];
        states[b].epsilon = max(
            states[b].epsilon * max(1.0 - t * t * t, 1.0 / 3.0),
            rules.damping_floor * largest * largest,
        );
        states[b].growth = 2.0;
        states[b].rejections = 0u;
        accept(b, norm);
    } else {
        reject(b);
    }
}
