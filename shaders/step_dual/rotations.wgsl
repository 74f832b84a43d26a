// Exact steps of wide problems of few rows that f32 cannot take by the kernel matrix: θ − ηJᵀα, with α = UΣ⁻²Uᵀe over the
// singular values above the cutoff.
//
// Jᵀ = QR as J passes by, a few parameters at a time; Rᵀ = Q₂R₂, of which the columns of R₂ᵀ are rotated until they are
// orthogonal, R₂ᵀV = WΣ: then U = Q₂V, and neither Q nor W is asked for. Rotations of the columns of R itself, which have the
// lengths of the rows of J, take three times as many sweeps. Jᵀα is as good as QWΣ⁻¹Uᵀe would be: what α is off by, u|β|/σᵣ² in
// any direction, comes back times σ₁ at most, κu of the step.
//
// Invocation: a place in the list of problems that step by the kernel matrix.
#import natgrad::layout::{element, LANES}
#import natgrad::bits::{magnitude, power_of_root, power_of_two, reciprocal}
#import natgrad::reflection::reflection
#import natgrad::rotation::{turn, FAINT, NEGLIGIBLE}
#import natgrad::problem::{Problem, State, Rules, is_due, unit, ACCEPTED, DUAL_DOUBT}
#import natgrad::dual::{no_test_ends, stepped}

@group(0) @binding(0) var<uniform> rules: Rules;
@group(0) @binding(1) var<storage, read> problems: array<Problem>;
@group(0) @binding(2) var<storage, read_write> states: array<State>;
@group(0) @binding(3) var<storage, read> listed: array<u32>;                // how many, then which and their place in the roster
@group(0) @binding(4) var<storage, read> block: array<Real>;                // K × (P+1), of the roster: [J | e]
@group(0) @binding(5) var<storage, read> theta: array<Real>;                // P × 1
@group(0) @binding(6) var<storage, read_write> trial: array<Real>;          // P × 1
@group(0) @binding(7) var<storage, read_write> fresh: array<atomic<u32>>;   // the problems that need singular values

const P: u32 = #{P}u;
const N: u32 = #{K}u;
const COLUMNS: u32 = N;
// Parameters at a time.
const HEIGHT: u32 = 8u;
// Of the matrix whose columns are rotated; V and (Q₂ᵀe)ᵀ are carried below it.
const M: u32 = N;
const ROWS: u32 = 2u * N + 1u;
// Pairs of a round, and the players that go round, as in svd.
const PAIRS: u32 = (N + 1u) / 2u;
const CIRCLE: u32 = N - 1u + N % 2u;
// More than 32, since Mesa takes an array's length for the turns of a loop along it, and writes out up to 32.
const COPIED: u32 = max(HEIGHT * COLUMNS, 33u);

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let place = id.x;
    if place >= listed[0] {
        return;
    }
    let b = listed[1u + 2u * place];
    if states[b].fresh != DUAL_DOUBT {
        return;
    }
    let at = listed[2u + 2u * place];
    let problem = problems[b];
    var state = states[b];
    state.fresh = ACCEPTED;
    let first = element(at, 0u, 0u, N, P + 1u);
    let beyond = P * N * LANES;

    // @registers
    var r: array<Real, N * COLUMNS>;
    // @unroll
    for (var i = 0u; i < N * COLUMNS; i++) {
        r[i] = 0.0;
    }
    for (var left = 0u; left < P; left += HEIGHT) {
        // @registers
        var e: array<Real, HEIGHT * COLUMNS>;
        // By a loop and a copy: where a load is much code, those of 8 parameters written out are most of the kernel.
        var copied: array<Real, COPIED>;
        let given = min(HEIGHT, P - left) * COLUMNS;
        for (var k = 0u; k < given; k++) {
            copied[k] = block[first + (left * N + k) * LANES];
        }
        // @unroll
        for (var k = 0u; k < HEIGHT * COLUMNS; k++) {
            e[k] = select(Real(0.0), copied[k], k < given);
        }
        // @include merge
    }

    // Rᵀ = Q₂R₂: R₂ in the upper triangle, the vectors of Q₂'s reflections below it. What they do to e they do at once.
    let by_norm = 1.0 / unit(state.residual_norm);
    // @registers
    var q: array<Real, N * N>;
    // @registers
    var tau: array<Real, N>;
    // @registers
    var c: array<Real, N>;
    // @unroll
    for (var i = 0u; i < N; i++) {
        c[i] = block[first + beyond + i * LANES] * by_norm;
        // @unroll
        for (var j = 0u; j < N; j++) {
            q[i * N + j] = r[j * COLUMNS + i];
        }
    }
    // @unroll
    for (var k = 0u; k < N; k++) {
        var bits = 0u;
        // @unroll
        for (var i = k; i < N; i++) {
            bits = max(bits, magnitude(q[i * N + k]));
        }
        let column_unit = power_of_two(Real(bitcast<f32>(bits)));
        let by_column = 1.0 / column_unit;
        let pivot = q[k * N + k] * by_column;
        var below: Real = 0.0;
        // @unroll
        for (var i = k + 1u; i < N; i++) {
            q[i * N + k] *= by_column;
            below += q[i * N + k] * q[i * N + k];
        }
        let h = reflection(pivot, below, pivot == 0.0 && below == 0.0);
        q[k * N + k] = h.beta * column_unit;
        tau[k] = h.tau;
        // @unroll
        for (var i = k + 1u; i < N; i++) {
            q[i * N + k] *= h.by;
        }
        // @unroll
        for (var j = k + 1u; j < N; j++) {
            var d = q[k * N + j];
            // @unroll
            for (var i = k + 1u; i < N; i++) {
                d += q[i * N + k] * q[i * N + j];
            }
            d *= h.tau;
            q[k * N + j] -= d;
            // @unroll
            for (var i = k + 1u; i < N; i++) {
                q[i * N + j] -= d * q[i * N + k];
            }
        }
        var along = c[k];
        // @unroll
        for (var i = k + 1u; i < N; i++) {
            along += q[i * N + k] * c[i];
        }
        along *= h.tau;
        c[k] -= along;
        // @unroll
        for (var i = k + 1u; i < N; i++) {
            c[i] -= along * q[i * N + k];
        }
    }

    // R₂ᵀ, its columns those of the rows of R₂.
    // @registers
    var m: array<Real, ROWS * N>;
    // @registers
    var squares: array<Real, N>;
    // @registers
    var scale: array<Real, N>;
    // @registers
    var inverse: array<Real, N>;
    // @registers
    var weight: array<Real, N>;
    var largest: Real = 0.0;
    // @unroll
    for (var j = 0u; j < N; j++) {
        // @unroll
        for (var i = 0u; i < j; i++) {
            m[j * ROWS + i] = 0.0;
        }
        // @unroll
        for (var i = j; i < N; i++) {
            m[j * ROWS + i] = q[j * N + i];
            largest = max(largest, abs(q[j * N + i]));
        }
        // @unroll
        for (var i = 0u; i < N; i++) {
            m[j * ROWS + N + i] = select(Real(0.0), Real(1.0), i == j);
        }
        m[j * ROWS + 2u * N] = c[j];
    }
    let tolerance = rules.rotation_tolerance;
    let max_sweeps = rules.max_sweeps;
    // @include jacobi
    state.sweeps = sweeps;

    // σ over `unit` in the place of the squares, and what became of the weights by the columns of V, of which the length is 1.
    var most: Real = 0.0;
    // @unroll
    for (var j = 0u; j < N; j++) {
        var sum: Real = 0.0;
        var own: Real = 0.0;
        // @unroll
        for (var i = 0u; i < N; i++) {
            sum += m[j * ROWS + i] * m[j * ROWS + i];
            own += m[j * ROWS + N + i] * m[j * ROWS + N + i];
        }
        weight[j] = 1.0 / sqrt(own);
        squares[j] = sqrt(sum) * (scale[j] * weight[j]);
        most = max(most, squares[j]);
    }
    // Q₂ᵀα = VΣ⁻²β, β = Uᵀe, over the units of J, squared, and of e; and ‖Uᵣᵀe‖.
    // @registers
    var alpha: array<Real, N>;
    // @unroll
    for (var i = 0u; i < N; i++) {
        alpha[i] = 0.0;
    }
    var tangent: Real = 0.0;
    // @unroll
    for (var j = 0u; j < N; j++) {
        let s = squares[j];
        let used = s > 0.0 && s > problem.cutoff * most;
        let beta = select(Real(0.0), m[j * ROWS + 2u * N] * weight[j], used);
        tangent += beta * beta;
        let by = select(Real(0.0), beta / s / s * weight[j], used);
        // @unroll
        for (var i = 0u; i < N; i++) {
            alpha[i] += m[j * ROWS + N + i] * by;
        }
    }
    tangent = sqrt(tangent);
    // @unroll
    for (var up = 0u; up < N; up++) {
        // @constant
        let k = N - 1u - up;
        var along = alpha[k];
        // @unroll
        for (var i = k + 1u; i < N; i++) {
            along += q[i * N + k] * alpha[i];
        }
        along *= tau[k];
        alpha[k] -= along;
        // @unroll
        for (var i = k + 1u; i < N; i++) {
            alpha[i] -= along * q[i * N + k];
        }
    }

    var goes_on = false;
    if !rotating {
        // J over its unit, and so t over that of e but for J's once more.
        let by = by_unit / by_norm;
        var step: Real = 0.0;
        var length: Real = 0.0;
        for (var j = 0u; j < P; j++) {
            let column = first + j * N * LANES;
            var t: Real = 0.0;
            // @unroll
            for (var i = 0u; i < N; i++) {
                t += block[column + i * LANES] * by_unit * alpha[i];
            }
            t *= by;
            let slot = element(b, j, 0u, P, 1u);
            let here = theta[slot];
            trial[slot] = here - problem.step_size * t;
            step += t * t;
            length += here * here;
        }
        goes_on = no_test_ends(rules, problem, state, tangent, sqrt(step), sqrt(length));
    }
    if goes_on {
        let best = state.best_tangent;
        state = stepped(state);
        state.best_tangent = min(best, tangent / by_norm);
    }
    states[b] = state;
    if goes_on && !is_due(rules, state.steps) {
        return;
    }
    // Where a record is due, the singular values are for it alone.
    let slot = atomicAdd(&fresh[0], 1u);
    atomicStore(&fresh[1u + 2u * slot], b);
    atomicStore(&fresh[2u + 2u * slot], at);
}
