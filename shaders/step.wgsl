// Filter, tests and update: from W, σ and β to the next trial point θ − ηΔ, Δ = D W Σ⁻²φ(Σ) β.
//
// The tests (src/ngd/stop.rs, src/ngd/status.rs) look at θ as it was just accepted and factored; a problem that
// passes one ends there. After a rejection only the damping has changed: the factorisation still stands.
//
// Invocation: one problem.
#import natgrad::layout::element
#import natgrad::problem::{Problem, State, Rules, unit, RUNNING, CONVERGED, STEP_LIMIT, STALLED, REASON_LOSS, REASON_GRADIENT, REASON_CHANGE, REASON_ROUNDING}

@group(0) @binding(0) var<uniform> rules: Rules;
@group(0) @binding(1) var<storage, read> problems: array<Problem>;
@group(0) @binding(2) var<storage, read_write> states: array<State>;
@group(0) @binding(3) var<storage, read> w: array<Real>;             // (P+1) × P
@group(0) @binding(4) var<storage, read> sigma: array<Real>;         // P × 1
@group(0) @binding(5) var<storage, read> lengths: array<Real>;       // P × 1
@group(0) @binding(6) var<storage, read> theta: array<Real>;         // P × 1
@group(0) @binding(7) var<storage, read_write> trial: array<Real>;   // P × 1
@group(0) @binding(8) var<storage, read_write> running: atomic<u32>; // problems that go on

const P: u32 = #{P}u;
const ROWS: u32 = P + 1u;

// D at parameter j.
fn scale(b: u32, j: u32) -> Real {
    let norm = lengths[element(b, j, 0u, P, 1u)];
    if problems[b].scaling != 0u && norm > 0.0 {
        return 1.0 / norm;
    }
    return 1.0;
}

// β over the unit of ‖e‖, of direction i.
fn scaled_beta(b: u32, i: u32) -> Real {
    return w[element(b, P, i, ROWS, P)] / unit(states[b].residual_norm);
}

var<private> weights: array<Real, P>;  // φ(σ)/σ² · β of every direction kept, over the unit of ‖e‖

// Weighs the first `rank` directions at damping ε.
fn weigh(b: u32, rank: u32, epsilon: Real) {
    for (var i = 0u; i < rank; i++) {
        let s = sigma[element(b, i, 0u, P, 1u)];
        let beta = scaled_beta(b, i);
        if epsilon == 0.0 {
            // Two divisions: σ² may underflow.
            weights[i] = beta / s / s;
        } else {
            weights[i] = beta / (s * s + epsilon);
        }
    }
}

// Component j of the step over the first `rank` directions, weighed before.
fn step_component(b: u32, j: u32, rank: u32) -> Real {
    var sum: Real = 0.0;
    for (var i = 0u; i < rank; i++) {
        sum += w[element(b, j, i, ROWS, P)] * weights[i];
    }
    return scale(b, j) * unit(states[b].residual_norm) * sum;
}

// Whether |δⱼ| ≤ change·|θⱼ| for every j, δ the full undamped step.
fn change_is_small(b: u32, rank: u32) -> bool {
    weigh(b, rank, 0.0);
    for (var j = 0u; j < P; j++) {
        let delta = step_component(b, j, rank);
        if !(abs(delta) <= rules.change * abs(theta[element(b, j, 0u, P, 1u)])) {
            return false;
        }
    }
    return true;
}

fn finish(b: u32, status: u32, reason: u32) {
    states[b].status = status;
    states[b].reason = reason;
}

// The tests at a point just accepted; true where the problem ends.
fn ends(b: u32, rank: u32, tangent: Real) -> bool {
    let residual = states[b].residual_norm;
    let response = problems[b].response_norm;
    if rules.tests != 0u && residual <= rules.loss * response {
        finish(b, CONVERGED, REASON_LOSS);
        return true;
    }
    if rank == 0u {
        finish(b, STALLED, 0u);
        return true;
    }
    if rules.tests == 0u {
        return false;
    }
    if tangent <= rules.gradient * residual + rules.rounding * response {
        finish(b, CONVERGED, REASON_GRADIENT);
        return true;
    }
    if change_is_small(b, rank) {
        finish(b, CONVERGED, REASON_CHANGE);
        return true;
    }
    let unit = unit(residual);
    let promise = 0.5 * (tangent / unit) * (tangent / unit);
    let hidden = promise <= rules.rounding * (residual / unit) * ((response + residual) / unit);
    if hidden && tangent > 0.5 * states[b].best_tangent {
        states[b].quiet_steps += 1u;
        if states[b].quiet_steps >= problems[b].window {
            finish(b, CONVERGED, REASON_ROUNDING);
            return true;
        }
        return false;
    }
    // Visible progress: the window begins anew, measured against this point.
    states[b].quiet_steps = 0u;
    states[b].best_tangent = min(states[b].best_tangent, tangent);
    return false;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let b = id.x;
    if b >= rules.problems || states[b].status != RUNNING {
        return;
    }
    let largest = sigma[element(b, 0u, 0u, P, 1u)];
    if states[b].fresh != 0u {
        var rank = 0u;
        var tangent: Real = 0.0;
        for (var i = 0u; i < min(P, problems[b].fixed_rank); i++) {
            let s = sigma[element(b, i, 0u, P, 1u)];
            if s > 0.0 && s > problems[b].cutoff * largest {
                rank = i + 1u;
                let beta = scaled_beta(b, i);
                tangent += beta * beta;
            }
        }
        tangent = sqrt(tangent) * unit(states[b].residual_norm);
        states[b].rank = rank;
        if ends(b, rank, tangent) {
            return;
        }
        if states[b].steps == 0u {
            states[b].growth = 2.0;
            states[b].epsilon = max(problems[b].damping, 0.0);
            if problems[b].damping < 0.0 {
                states[b].epsilon = rules.damping_start * largest * largest;
            }
        }
    }
    if states[b].steps >= rules.steps {
        finish(b, STEP_LIMIT, 0u);
        return;
    }
    let rank = states[b].rank;
    let epsilon = states[b].epsilon;
    var predicted: Real = 0.0;
    for (var i = 0u; i < rank; i++) {
        let s = sigma[element(b, i, 0u, P, 1u)];
        let beta = scaled_beta(b, i);
        var phi: Real = 1.0;
        if epsilon != 0.0 {
            phi = s * s / (s * s + epsilon);
        }
        predicted += 0.5 * beta * beta * phi * (2.0 - phi);
    }
    states[b].predicted = predicted;
    weigh(b, rank, epsilon);
    for (var j = 0u; j < P; j++) {
        let at = element(b, j, 0u, P, 1u);
        trial[at] = theta[at] - problems[b].step_size * step_component(b, j, rank);
    }
    states[b].steps += 1u;
    atomicAdd(&running, 1u);
}
