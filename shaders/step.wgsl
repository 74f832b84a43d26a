// Filter, tests and update: from V, σ and β to the next trial point θ − ηΔ, Δ = D V Σ⁻¹φ(Σ) β.
//
// The tests (src/ngd/stop.rs, src/ngd/status.rs) look at θ as it was just accepted and factored; a problem that
// passes one ends there. After a rejection only the damping has changed: the factorisation still stands. Where the kernel
// matrix has given the trial point, nothing is left to do but to count the step.
//
// Invocation: one problem.
#import natgrad::layout::element
#import natgrad::problem::{Problem, State, Rules, loss_ends, unit, SMOOTH, RESIDUAL_SCALED, GRADIENT, ACCEPTED, DUAL_DONE, DUAL_DOUBT, WAITS, RUNNING, CONVERGED, STEP_LIMIT, STALLED, REASON_LOSS, REASON_GRADIENT, REASON_CHANGE, REASON_ROUNDING}

@group(0) @binding(0) var<uniform> rules: Rules;
@group(0) @binding(1) var<storage, read> problems: array<Problem>;
@group(0) @binding(2) var<storage, read_write> states: array<State>;
@group(0) @binding(3) var<storage, read> v: array<Real>;             // (P+1) × K: V, and β below it
@group(0) @binding(4) var<storage, read> sigma: array<Real>;         // K × 1
@group(0) @binding(5) var<storage, read> lengths: array<Real>;       // P × 1
@group(0) @binding(6) var<storage, read> theta: array<Real>;         // P × 1
@group(0) @binding(7) var<storage, read_write> trial: array<Real>;   // P × 1
@group(0) @binding(8) var<storage, read_write> running: array<atomic<u32>>; // the problems that go on: how many, then which; how many ask for singular values; and how many step by rotations

const P: u32 = #{P}u;
const K: u32 = #{K}u;
const ROWS: u32 = P + 1u;
const BLOCK: u32 = #{BLOCK}u;  // parameters at a time

// What an invocation works on: read once, and written back once. Memory is dear on every device, and code that goes there
// takes drivers long to compile.
var<private> b: u32;
var<private> problem: Problem;
var<private> state: State;

// β over the unit of ‖e‖, of direction i.
fn scaled_beta(i: u32, by_unit: Real) -> Real {
    return v[element(b, P, i, ROWS, K)] * by_unit;
}

// φ(σ) of the smooth cutoff.
fn smooth_factor(s: Real) -> Real {
    // Beyond 10³ nothing is left of a direction, and the power leaves the range of f32.
    let ratio = min(problem.cutoff * (sigma[element(b, 0u, 0u, K, 1u)] / s), 1e3);
    let square = ratio * ratio;
    let sixth = square * square * square;
    return 1.0 / (1.0 + sixth * sixth);
}

// How many directions a step uses: with a smooth cutoff, or none, all that there are.
fn directions() -> u32 {
    if problem.filter_kind != SMOOTH && problem.filter_kind != GRADIENT {
        return state.rank;
    }
    var count = 0u;
    while count < K && sigma[element(b, count, 0u, K, 1u)] > 0.0 {
        count += 1u;
    }
    return count;
}

// φ(σ)/σ · β of direction i at damping ε, over the unit of ‖e‖.
fn weight(i: u32, epsilon: Real, by_unit: Real) -> Real {
    let s = sigma[element(b, i, 0u, K, 1u)];
    let beta = scaled_beta(i, by_unit);
    if problem.filter_kind == SMOOTH {
        return smooth_factor(s) * (beta / s);
    }
    if problem.filter_kind == GRADIENT {
        return beta * (s * problem.power);
    }
    return select(beta * (s / (s * s + epsilon)), beta / s, epsilon == 0.0);
}

// Puts the trial point θ − ηΔ, Δ the step over the directions kept at damping ε; whether |Δⱼ| ≤ change·|θⱼ| for every j.
// With `only_test` it is put as far as the first j of which that is not so.
fn put_trial(epsilon: Real, only_test: bool) -> bool {
    let unit = unit(state.residual_norm);
    let used = directions();
    var small = true;
    for (var first = 0u; first < P && (small || !only_test); first += BLOCK) {
        // @registers
        var sums: array<Real, BLOCK>;
        // @unroll
        for (var k = 0u; k < BLOCK; k++) {
            sums[k] = 0.0;
        }
        for (var i = 0u; i < used; i++) {
            let by = weight(i, epsilon, 1.0 / unit);
            // @unroll
            for (var k = 0u; k < BLOCK; k++) {
                sums[k] += v[element(b, min(first + k, P - 1u), i, ROWS, K)] * by;
            }
        }
        // @unroll
        for (var k = 0u; k < BLOCK; k++) {
            // The last parameter several times over, where the last block is not full.
            let at = element(b, min(first + k, P - 1u), 0u, P, 1u);
            let length = lengths[at];
            let is_scaled = problem.scaling != 0u && length > 0.0;
            let delta = select(unit, unit / length, is_scaled) * sums[k];
            let here = theta[at];
            small = small && abs(delta) <= rules.change * abs(here);
            trial[at] = here - problem.step_size * delta;
        }
    }
    return small;
}

fn finish(status: u32, reason: u32) {
    state.status = status;
    state.reason = reason;
}

// The tests at a point just accepted that look at ‖e‖ and ‖Uᵣᵀe‖; true where the problem ends.
fn norms_end(tangent: Real) -> bool {
    if loss_ends(rules, problem, state) {
        finish(CONVERGED, REASON_LOSS);
        return true;
    }
    if state.rank == 0u {
        finish(STALLED, 0u);
        return true;
    }
    if rules.tests != 0u && tangent <= rules.gradient * state.residual_norm + rules.rounding * problem.response_norm {
        finish(CONVERGED, REASON_GRADIENT);
        return true;
    }
    return false;
}

// The test that looks at the steps before; true where the problem ends.
fn quiet_ends(tangent: Real) -> bool {
    let unit = unit(state.residual_norm);
    let promise = 0.5 * (tangent / unit) * (tangent / unit);
    let noise = rules.rounding * (state.residual_norm / unit) * ((problem.response_norm + state.residual_norm) / unit);
    if promise <= noise && tangent > 0.5 * state.best_tangent {
        state.quiet_steps += 1u;
        if state.quiet_steps >= problem.window {
            finish(CONVERGED, REASON_ROUNDING);
            return true;
        }
        return false;
    }
    // Visible progress: the window begins anew, measured against this point.
    state.quiet_steps = 0u;
    state.best_tangent = min(state.best_tangent, tangent);
    return false;
}

// Rank and tests at a point just accepted, and the damping of the first step; true where the problem ends.
fn arrives(largest: Real) -> bool {
    let unit = unit(state.residual_norm);
    var rank = 0u;
    var tangent: Real = 0.0;
    for (var i = 0u; i < min(K, problem.fixed_rank); i++) {
        let s = sigma[element(b, i, 0u, K, 1u)];
        if s > 0.0 && s > problem.cutoff * largest {
            rank = i + 1u;
            let beta = scaled_beta(i, 1.0 / unit);
            tangent += beta * beta;
        }
    }
    tangent = sqrt(tangent) * unit;
    state.rank = rank;
    if norms_end(tangent) {
        return true;
    }
    if rules.tests != 0u {
        // Where the damping is none, this is the step to be taken as well.
        // A step of gradient descent says nothing of the way that is left.
        if put_trial(0.0, !is_plain()) && problem.filter_kind != GRADIENT {
            finish(CONVERGED, REASON_CHANGE);
            return true;
        }
        if quiet_ends(tangent) {
            return true;
        }
    }
    if problem.damping >= 0.0 {
        state.epsilon = problem.damping;
    } else if state.steps == 0u {
        state.growth = 2.0;
        state.epsilon = rules.damping_start * largest * largest;
    }
    if problem.filter_kind == RESIDUAL_SCALED {
        // Below 2⁻¹⁰⁰ of the least damping that does anything, zero is as good; the logarithm of no residual is none.
        let exponent = problem.log_factor + problem.power * log2(max(state.residual_norm, 1e-37));
        state.epsilon = select(exp2(min(exponent, 120.0)), 0.0, exponent < -120.0);
    }
    return false;
}

// Whether the full step is the step to be taken.
fn is_plain() -> bool {
    return problem.damping == 0.0 && problem.filter_kind != RESIDUAL_SCALED;
}

// The decrease of the loss that the step at damping ε promises, over unit(‖e‖)².
fn promise(epsilon: Real) -> Real {
    let by_unit = 1.0 / unit(state.residual_norm);
    var sum: Real = 0.0;
    for (var i = 0u; i < state.rank; i++) {
        let s = sigma[element(b, i, 0u, K, 1u)];
        let beta = scaled_beta(i, by_unit);
        let phi = select(s * s / (s * s + epsilon), 1.0, epsilon == 0.0);
        sum += 0.5 * beta * beta * phi * (2.0 - phi);
    }
    return sum;
}

// Tests, and the next trial point; whether the problem goes on.
fn goes_on() -> bool {
    if state.fresh == ACCEPTED && arrives(sigma[element(b, 0u, 0u, K, 1u)]) {
        return false;
    }
    if state.steps >= rules.steps {
        finish(STEP_LIMIT, 0u);
        return false;
    }
    state.predicted = promise(state.epsilon);
    let is_there = state.fresh == ACCEPTED && rules.tests != 0u && is_plain();
    if !is_there {
        let _small = put_trial(state.epsilon, false);
    }
    state.steps += 1u;
    return true;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    b = id.x;
    if b >= rules.problems || states[b].status != RUNNING {
        return;
    }
    problem = problems[b];
    state = states[b];
    if state.fresh == ACCEPTED {
        atomicAdd(&running[1u + rules.problems], 1u);
    }
    if state.fresh == DUAL_DOUBT || (rules.waits != 0u && state.fresh == ACCEPTED) {
        state.fresh = WAITS;
        // It is evaluated once more where it is.
        for (var j = 0u; j < P; j++) {
            let at = element(b, j, 0u, P, 1u);
            trial[at] = theta[at];
        }
    }
    if state.fresh == DUAL_DONE {
        state.steps += 1u;
    }
    if state.fresh == WAITS || state.fresh == DUAL_DONE || goes_on() {
        let place = atomicAdd(&running[0], 1u);
        atomicStore(&running[1u + place], b);
        atomicAdd(&running[2u + rules.problems], state.doubted);
    }
    states[b] = state;
}
