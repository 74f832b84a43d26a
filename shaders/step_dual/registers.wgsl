// Steps of wide problems of few rows by the kernel matrix, damped or not, and steps of gradient descent: θ − ηJᵀα with
// (JJᵀ + εI)α = e, or α = e. JJᵀ, its Cholesky factor and α stay in registers while J passes by.
//
// Refinement: the residual r = e − Jt − εα is that of t = Jᵀα as it was rounded, so that what is left of the error is u·κ of
// the step as with a triangular factor of J, and not u·κ², κ² = σ₁²/ε or (σ₁/σₙ)².
//
// ROTATES: exact steps that f32 cannot solve for like this are left to the kernel that follows, and all others to the singular
// values.
//
// Invocation: a place in the list of these problems.
#import natgrad::layout::{element, LANES}
#import natgrad::problem::{Problem, State, Rules, is_due, unit, GRADIENT, DUAL_DOUBT}
#import natgrad::dual::{rounds, no_test_ends, stepped, DESCENT, DOUBT}

@group(0) @binding(0) var<uniform> rules: Rules;
@group(0) @binding(1) var<storage, read> problems: array<Problem>;
@group(0) @binding(2) var<storage, read_write> states: array<State>;
@group(0) @binding(3) var<storage, read> listed: array<u32>;                // how many, then which and their place in the roster
@group(0) @binding(4) var<storage, read> block: array<Real>;                // N × (P+1), of the roster: [J | e]
@group(0) @binding(5) var<storage, read> theta: array<Real>;                // P × 1
@group(0) @binding(6) var<storage, read_write> trial: array<Real>;          // P × 1
@group(0) @binding(7) var<storage, read_write> sums: array<Real>;           // P × 1, of the list: Jᵀα
@group(0) @binding(8) var<storage, read_write> fresh: array<atomic<u32>>;   // the problems that need singular values

const P: u32 = #{P}u;
const N: u32 = #{K}u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let place = id.x;
    if place >= listed[0] {
        return;
    }
    let b = listed[1u + 2u * place];
    let at = listed[2u + 2u * place];
    let problem = problems[b];
    let state = states[b];
    let first = element(at, 0u, 0u, N, P + 1u);

    // JJᵀ, its lower triangle.
    // @registers
    var m: array<Real, N * N>;
    // @registers
    var x: array<Real, N>;
    // @unroll
    for (var i = 0u; i < N * N; i++) {
        m[i] = 0.0;
    }
    for (var j = 0u; j < P; j++) {
        let column = first + j * N * LANES;
        // @unroll
        for (var i = 0u; i < N; i++) {
            x[i] = block[column + i * LANES];
            // @unroll
            for (var k = 0u; k < i + 1u; k++) {
                m[k * N + i] += x[i] * x[k];
            }
        }
    }
    var trace: Real = 0.0;
    // @unroll
    for (var i = 0u; i < N; i++) {
        trace += m[i * N + i];
    }
    let descends = problem.filter_kind == GRADIENT;
    let epsilon = select(problem.damping, Real(0.0), descends);

    // LLᵀ = JJᵀ + εI, with 1 over the diagonal of L in its place.
    // A pivot that is rounding to its diagonal entry is that of a row that depends on others.
    var definite = true;
    // @registers
    var diagonal: array<Real, N>;
    // @unroll
    for (var k = 0u; k < N; k++) {
        diagonal[k] = m[k * N + k];
    }
    // @unroll
    for (var k = 0u; k < N; k++) {
        let pivot = m[k * N + k] + epsilon;
        let least = select(Real(0.0), Real(0x1p-18f) * diagonal[k], epsilon == 0.0);
        definite = definite && pivot > least;
        m[k * N + k] = 1.0 / sqrt(pivot);
        // @unroll
        for (var i = k + 1u; i < N; i++) {
            m[k * N + i] *= m[k * N + k];
        }
        // @unroll
        for (var j = k + 1u; j < N; j++) {
            // @unroll
            for (var i = j; i < N; i++) {
                m[j * N + i] -= m[k * N + i] * m[k * N + j];
            }
        }
    }

    // The squares of L⁻¹, column after column: the trace of the inverse.
    var inverse: Real = 0.0;
    if !descends {
        // @unroll
        for (var k = 0u; k < N; k++) {
            x[k] = m[k * N + k];
            inverse += x[k] * x[k];
            // @unroll
            for (var i = k + 1u; i < N; i++) {
                x[i] = 0.0;
                // @unroll
                for (var j = k; j < i; j++) {
                    x[i] -= m[j * N + i] * x[j];
                }
                x[i] *= m[i * N + i];
                inverse += x[i] * x[i];
            }
        }
    }
    // Roundings of an entry of JJᵀ, a sum of P terms one after the other.
    let spread = Real(max(1.0, sqrt(f32(P)) / 16.0));
    let plan = select(rounds(problem, trace + Real(N) * epsilon, inverse, spread), DESCENT, descends);

    // @registers
    var e: array<Real, N>;
    // @registers
    var r: array<Real, N>;
    // @registers
    var d: array<Real, N>;
    // @registers
    var alpha: array<Real, N>;
    // @unroll
    for (var i = 0u; i < N; i++) {
        e[i] = block[first + (P * N + i) * LANES];
        r[i] = e[i];
        alpha[i] = 0.0;
    }
    let last = select(plan, 0u, descends);
    let solves = plan != DOUBT && definite;
#ifdef ROTATES
    // Without damping only: a damped step is the same whether there are exact ones beside it, and this kernel, or not.
    if !descends && !solves && epsilon == 0.0 {
        states[b].fresh = DUAL_DOUBT;
        return;
    }
#endif
    var goes_on = false;
    if descends || solves {
        for (var round = 0u; round <= last; round++) {
            // @unroll
            for (var i = 0u; i < N; i++) {
                d[i] = r[i];
            }
            if !descends {
                // @unroll
                for (var i = 0u; i < N; i++) {
                    // @unroll
                    for (var j = 0u; j < i; j++) {
                        d[i] -= m[j * N + i] * d[j];
                    }
                    d[i] *= m[i * N + i];
                }
                // @unroll
                for (var up = 0u; up < N; up++) {
                    // @constant
                    let i = N - 1u - up;
                    // @unroll
                    for (var j = i + 1u; j < N; j++) {
                        d[i] -= m[i * N + j] * d[j];
                    }
                    d[i] *= m[i * N + i];
                }
            }
            // @unroll
            for (var i = 0u; i < N; i++) {
                alpha[i] += d[i];
                r[i] = e[i] - epsilon * alpha[i];
            }
            if round < last {
                for (var j = 0u; j < P; j++) {
                    let column = first + j * N * LANES;
                    let slot = element(place, j, 0u, P, 1u);
                    var t: Real = 0.0;
                    if round > 0u {
                        t = sums[slot];
                    }
                    // @unroll
                    for (var i = 0u; i < N; i++) {
                        x[i] = block[column + i * LANES];
                        t += x[i] * d[i];
                    }
                    sums[slot] = t;
                    // @unroll
                    for (var i = 0u; i < N; i++) {
                        r[i] -= x[i] * t;
                    }
                }
            }
        }
        // What is in r now is e − εα, the residual that the step takes away.
        let by_unit = 1.0 / unit(state.residual_norm);
        var square: Real = 0.0;
        // @unroll
        for (var i = 0u; i < N; i++) {
            square += (r[i] * by_unit) * (r[i] * by_unit);
        }
        let by = select(Real(1.0), problem.power, descends);
        var step: Real = 0.0;
        var length: Real = 0.0;
        for (var j = 0u; j < P; j++) {
            let column = first + j * N * LANES;
            var t: Real = 0.0;
            if last > 0u {
                t = sums[element(place, j, 0u, P, 1u)];
            }
            // @unroll
            for (var i = 0u; i < N; i++) {
                t += block[column + i * LANES] * d[i];
            }
            // In this order nothing leaves the range of f32 that the step does not.
            t *= by;
            let slot = element(b, j, 0u, P, 1u);
            let here = theta[slot];
            trial[slot] = here - problem.step_size * t;
            step += t * t;
            length += here * here;
        }
        step = sqrt(step);
        // Of gradient descent ‖Jᵀe‖ ≤ σ₁‖Uᵣᵀe‖.
        let bound = select(sqrt(square), step / problem.power / sqrt(trace) * by_unit, descends);
        goes_on = no_test_ends(rules, problem, state, bound, step, sqrt(length));
    }
    if goes_on {
        states[b] = stepped(state);
        if !is_due(rules, state.steps) {
            return;
        }
    }
    // Where a record is due, the singular values are for it alone.
    let slot = atomicAdd(&fresh[0], 1u);
    atomicStore(&fresh[1u + 2u * slot], b);
    atomicStore(&fresh[2u + 2u * slot], at);
}
