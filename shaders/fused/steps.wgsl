// Whole steps of small problems in registers, many a dispatch: residual and derivatives row by row, JᵀJ, Jᵀe and ‖e‖²
// summed as they come, or over a grid line by line, the trial point judged, the tests, the next step. J is never in memory.
//
// A step is that of the normal equations, by Cholesky. Their error grows with κ², so they are taken at their word only where
// the trace of the inverse, as it is with unit columns, or what bounds it says that κ is small; a problem of which that cannot be
// told is DOUBTED. The same kernel under ORTHOGONAL goes on with it where it stands: it turns each row of [J | e] into R of J = QR, whose
// error grows with κ alone, as that of the kernels that have J in memory. To these is left, from its start and with the
// status RUNNING, what has a rank in doubt, or numbers out of the range of f32.
//
// After a rejected step θ is evaluated once more: cheaper than to keep what was there, in registers through every step or
// in memory between dispatches. What a problem goes through therefore does not depend on where dispatches end.
//
// The lines marked @generated are written for the model, its data and the rules, by src/kernels/fused/code.rs and its neighbours.
//
// Invocation: a place in the roster.
#import natgrad::layout::element
#import natgrad::bits::is_finite
#import natgrad::problem::{Problem, State, Brief, End, Rules, Fused, loss_ends, unit, GRADIENT, RESIDUAL_SCALED, RUNNING, FUSED, DOUBTED, CONVERGED, STEP_LIMIT, DIVERGED, REASON_NONE, REASON_LOSS, REASON_GRADIENT, REASON_CHANGE, REASON_ROUNDING, REJECTED, ACCEPTED, WAITS}
// @generated imports

@group(0) @binding(0) var<uniform> rules: Rules;
@group(0) @binding(1) var<uniform> fused: Fused;
#ifdef UNIFORM
@group(0) @binding(2) var<storage, read> problems: array<Brief>;
#else
@group(0) @binding(2) var<storage, read> problems: array<Problem>;
#endif
@group(0) @binding(3) var<storage, read_write> states: array<State>;
// As of jacobian, or a grid and the responses.
// @generated data
@group(0) @binding(5) var<storage, read_write> theta: array<Real>;    // P × 1
@group(0) @binding(6) var<storage, read_write> trial: array<Real>;    // P × 1
@group(0) @binding(7) var<storage, read> roster: array<u32>;          // the problems at work: how many, then which
@group(0) @binding(8) var<storage, read_write> staying: array<atomic<u32>>; // the same of those that go on
@group(0) @binding(9) var<storage, read_write> ends: array<End>;

const P: u32 = #{P}u;
const TRIANGLE: u32 = P * (P + 1u) / 2u;
#ifdef UNDAMPED
const SOLVES: u32 = 1u;
#else
const SOLVES: u32 = 2u;
#endif

// The range in which a sum of squares keeps its digits, and its root is far from where squares leave f32.
#ifdef ORTHOGONAL
// What a rotation loses is smaller than 10⁻¹⁹, and that is to be nothing beside a column.
const LEAST: Real = 1e-22;
const HANDED: u32 = RUNNING;
#else
const LEAST: Real = 1e-30;
const HANDED: u32 = DOUBTED;
#endif
const MOST: Real = 1e30;
// What a sum may lack without anybody's notice.
const LEAST_PART: Real = 6e-8;

// Whether a trace of the inverse, or what bounds it, tells that the least σ is clear of the cutoff and that JᵀJ, which may be
// `growth` times as far off as its rows are, is good for the step.
fn holds(inverse: Real, share: Real, growth: Real, most: Real) -> bool {
    return inverse * share <= 0.25 && inverse * growth <= most;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= roster[0] {
        return;
    }
    let b = roster[1u + id.x];
#ifdef UNIFORM
    // Of what is the same for all, nothing is fetched.
    var problem = fused.rule;
    let own = problems[b].words;
    problem.first_row = own.x;
    problem.response_norm = bitcast<Real>(own.y);
    problem.weight = bitcast<Real>(own.z);
#else
    let problem = problems[b];
#endif
    var state = State(FUSED, 0u, 0u, 0u, 0u, 0u, 0u, REJECTED, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3e38, 0u, 0u);
    if fused.fresh == 0u {
        state = states[b];
        state.status = FUSED;
    }

    // @registers
    var x: array<Real, P>;
    // @registers
    var here: array<Real, P>;
    // @registers
    var gram: array<Real, TRIANGLE>;
    // @registers
    var slope: array<Real, P>;
    // @registers
    var by_pivot: array<Real, P>;
    // @registers
    var factor: array<Real, TRIANGLE>;
    // @registers
    var delta: array<Real, P>;
    // @registers
    var column: array<Real, P>;
#ifdef ORTHOGONAL
    // R, column by column, and Qᵀe.
    // @registers
    var upper: array<Real, TRIANGLE>;
    // @registers
    var turned: array<Real, P>;
#endif
    // @unroll
    for (var j = 0u; j < P; j++) {
        x[j] = trial[element(b, j, 0u, P, 1u)];
        here[j] = x[j];
    }
    if fused.fresh == 0u {
        // @unroll
        for (var j = 0u; j < P; j++) {
            here[j] = theta[element(b, j, 0u, P, 1u)];
        }
    }
    // @generated rule
    // @generated once
#ifdef UNDAMPED
    let plain = true;
#else
    let plain = !adaptive && !follows_residual && problem.damping == 0.0;
#endif

    for (var pass_ = 0u; pass_ < fused.passes && state.status == FUSED; pass_++) {
        // [JᵀJ, Jᵀe, ‖e‖²] at x.
        var squares: Real = 0.0;
        // @unroll
        for (var k = 0u; k < TRIANGLE; k++) {
            gram[k] = 0.0;
        }
        // @unroll
        for (var j = 0u; j < P; j++) {
            slope[j] = 0.0;
        }
#ifdef ORTHOGONAL
        // @unroll
        for (var k = 0u; k < TRIANGLE; k++) {
            upper[k] = 0.0;
        }
        // @unroll
        for (var j = 0u; j < P; j++) {
            turned[j] = 0.0;
        }
#endif
        // By how much JᵀJ may be in more error than sums over the rows are, where it is not summed up row by row.
        var growth: Real = 1.0;
        // @generated rows
#ifdef ORTHOGONAL
        // RᵀR and RᵀQᵀe, for what is asked of JᵀJ and Jᵀe beside the step.
        // @unroll
        for (var j = 0u; j < P; j++) {
            // @unroll
            for (var k = 0u; k < j + 1u; k++) {
                slope[j] += upper[j * (j + 1u) / 2u + k] * turned[k];
                // @unroll
                for (var m = 0u; m < k + 1u; m++) {
                    gram[j * (j + 1u) / 2u + k] += upper[j * (j + 1u) / 2u + m] * upper[k * (k + 1u) / 2u + m];
                }
            }
        }
#endif

        // A sum that is not finite has no part that is; and Jᵀe is no larger than ‖J‖‖e‖.
        let norm = sqrt(squares);
        var trace: Real = 0.0;
        var shortest = MOST;
        // @unroll
        for (var j = 0u; j < P; j++) {
            trace += gram[j * (j + 1u) / 2u + j];
            shortest = min(shortest, gram[j * (j + 1u) / 2u + j]);
        }
        let sound = is_finite(f32(squares)) && (squares == 0.0 || (squares >= LEAST && squares <= MOST))
            && is_finite(f32(trace)) && shortest >= LEAST && trace <= MOST;

        // Accepted or rejected: the rules of judge.
        let first = state.steps == 0u;
        let returns = adaptive && state.fresh == WAITS;
        let stands = returns || state.fresh == ACCEPTED;
        state.fresh = ACCEPTED;
        if !sound && (first || !adaptive || stands) {
            // The other kernels tell what it is.
            state.status = RUNNING;
            state.fresh = REJECTED;
        } else if stands {
            // Nothing to judge: it was here before, and left after a step that led nowhere or in doubt.
        } else if first || !adaptive {
            state.first_norm = select(state.first_norm, norm, first);
            state.residual_norm = norm;
            if !first && norm > rules.divergence * max(state.first_norm, problem.response_norm) {
                state.status = DIVERGED;
            }
        } else {
            let before = state.residual_norm;
            let by = 1.0 / unit(before);
            let rounding = rules.rounding * (before * by) * ((problem.response_norm + before) * by);
            let actual = 0.5 * ((before - norm) * by) * ((before + norm) * by);
            let ratio = (actual + rounding) / (state.predicted + rounding);
            if sound && ratio >= rules.accept {
                let t = 2.0 * min(ratio, 1.0) - 1.0;
                let floor = rules.damping_floor * select(trace, Real(P), in_columns);
                state.epsilon = max(state.epsilon * max(1.0 - t * t * t, 1.0 / 3.0), floor);
                state.growth = 2.0;
                state.rejections = 0u;
                state.residual_norm = norm;
            } else if state.rejections + 1u >= rules.max_rejections {
                // The last of them: others are to confirm it.
                state.status = RUNNING;
                state.fresh = REJECTED;
            } else {
                state.epsilon *= state.growth;
                state.growth *= 2.0;
                state.rejections += 1u;
                state.fresh = WAITS;
            }
        }
        if adaptive && state.fresh == WAITS {
            // @unroll
            for (var j = 0u; j < P; j++) {
                x[j] = here[j];
            }
        }
        if state.fresh != ACCEPTED {
            continue;
        }
        // @unroll
        for (var j = 0u; j < P; j++) {
            here[j] = x[j];
        }
        if state.status != FUSED {
            continue;
        }

        let unit = unit(state.residual_norm);
        let by_unit = 1.0 / unit;

        // Once as it is, for the tests and the exact step, and once damped: M = JᵀJ + εD = LELᵀ with unit diagonal in L, D the
        // diagonal of JᵀJ where columns are scaled, and I where they are not. No root is taken.
        var epsilon: Real = 0.0;
        var handed = false;
        var status = FUSED;
        var reason = REASON_NONE;
        // @unroll
        for (var solve = 0u; solve < SOLVES; solve++) {
            var definite = true;
#ifdef ORTHOGONAL
            if solve == 1u {
                // Rows for what is added to JᵀJ, in the place of that.
                // @generated damping
            }
            // @unroll
            for (var j = 0u; j < P; j++) {
                let root = upper[j * (j + 1u) / 2u + j];
                definite = definite && root > 0.0;
                by_pivot[j] = 1.0 / (root * root);
                // @unroll
                for (var k = 0u; k < j; k++) {
                    factor[j * (j + 1u) / 2u + k] = upper[j * (j + 1u) / 2u + k] / upper[k * (k + 1u) / 2u + k];
                }
            }
            // z of Lz = Jᵀe, as below, is E^½Qᵀe.
            var tangent: Real = 0.0;
            // @unroll
            for (var j = 0u; j < P; j++) {
                let entry = turned[j] * by_unit;
                delta[j] = upper[j * (j + 1u) / 2u + j] * entry;
                tangent += entry * entry;
            }
#else
            // @unroll
            for (var j = 0u; j < P; j++) {
                let square = gram[j * (j + 1u) / 2u + j];
                // @unroll
                for (var k = 0u; k < j; k++) {
                    // What is left of M in (j, k), not yet over the pivot: it stays in `column`.
                    column[k] = gram[j * (j + 1u) / 2u + k];
                    // @unroll
                    for (var m = 0u; m < k; m++) {
                        column[k] -= column[m] * factor[k * (k + 1u) / 2u + m];
                    }
                }
#ifdef UNDAMPED
                var pivot = square;
#else
                var pivot = square + epsilon * select(Real(1.0), square, in_columns);
#endif
                // @unroll
                for (var k = 0u; k < j; k++) {
                    factor[j * (j + 1u) / 2u + k] = column[k] * by_pivot[k];
                    pivot -= column[k] * factor[j * (j + 1u) / 2u + k];
                }
                definite = definite && pivot > 0.0;
                by_pivot[j] = 1.0 / pivot;
            }
            // Lz = Jᵀe: the square of ‖Uᵀe‖, over unit², is zᵀE⁻¹z where nothing was added.
            var tangent: Real = 0.0;
            // @unroll
            for (var j = 0u; j < P; j++) {
                delta[j] = slope[j] * by_unit;
                // @unroll
                for (var k = 0u; k < j; k++) {
                    delta[j] -= factor[j * (j + 1u) / 2u + k] * delta[k];
                }
                tangent += delta[j] * delta[j] * by_pivot[j];
            }
#endif
            // Lᵀδ = E⁻¹z.
            // @unroll
            for (var down = 0u; down < P; down++) {
                // @constant
                let j = P - 1u - down;
                delta[j] *= by_pivot[j];
                // @unroll
                for (var k = j + 1u; k < P; k++) {
                    delta[j] -= factor[k * (k + 1u) / 2u + j] * delta[k];
                }
            }
            handed = handed || !definite;

            if solve == 0u {
                // With unit columns the trace of (JᵀJ)⁻¹ bounds 1/σ² from above, and P over their determinant bounds the trace
                // (by Maclaurin's inequality for eigenvalues whose mean is 1).
                var inverse = Real(P);
                // @unroll
                for (var k = 0u; k < P; k++) {
                    inverse *= gram[k * (k + 1u) / 2u + k] * by_pivot[k];
                }
                // The cutoff is one on σ over σ₁, σ₁² ≤ P: the least σ has to be clear of it.
                let spread = select(trace / shortest, Real(P), in_columns);
                let share = spread * problem.cutoff * problem.cutoff;
#ifdef ORTHOGONAL
                // Rotations are asked for no more than that.
                let most = 3.4e38;
#else
                // And a plain step is in error by κ²u; of a damped one no more is asked than that it leads downhill.
                let most = select(fused.most_damped, fused.most_plain, plain);
#endif
                if !holds(inverse, share, growth, most) {
                    // The bound does not tell; the trace itself.
                    inverse = 0.0;
                    // @unroll
                    for (var k = 0u; k < P; k++) {
                        column[k] = 1.0;
                        var sum = by_pivot[k];
                        // @unroll
                        for (var j = k + 1u; j < P; j++) {
                            column[j] = -factor[j * (j + 1u) / 2u + k];
                            // @unroll
                            for (var m = k + 1u; m < j; m++) {
                                column[j] -= factor[j * (j + 1u) / 2u + m] * column[m];
                            }
                            sum += column[j] * column[j] * by_pivot[j];
                        }
                        inverse += gram[k * (k + 1u) / 2u + k] * sum;
                    }
                }
                handed = handed || !holds(inverse, share, growth, most);

                // The tests of step, at a point just accepted.
                var small = !descends;
                // @unroll
                for (var j = 0u; j < P; j++) {
                    small = small && abs(delta[j]) * unit <= rules.change * abs(here[j]);
                }
                let promise = 0.5 * tangent;
                tangent = sqrt(tangent) * unit;
                let noise = rules.rounding * (state.residual_norm * by_unit)
                    * ((problem.response_norm + state.residual_norm) * by_unit);
                let flat = tangent <= rules.gradient * state.residual_norm + rules.rounding * problem.response_norm;
                let quiet = promise <= noise && tangent > 0.5 * state.best_tangent;
                let rests = quiet && state.quiet_steps + 1u >= problem.window;
                let tests = rules.tests != 0u;
                let tested = !returns && !handed;
                // The first that holds; the later ones are looked at first.
                reason = select(reason, REASON_ROUNDING, tested && tests && rests);
                reason = select(reason, REASON_CHANGE, tested && tests && small);
                reason = select(reason, REASON_GRADIENT, tested && tests && flat);
                reason = select(reason, REASON_LOSS, tested && loss_ends(rules, problem, state));
                status = select(status, CONVERGED, reason != REASON_NONE);
                status = select(status, STEP_LIMIT, status == FUSED && state.steps >= rules.steps);
                let goes_on = tested && tests && status == FUSED;
                state.quiet_steps = select(state.quiet_steps, select(0u, state.quiet_steps + 1u, quiet), goes_on);
                state.best_tangent =
                    select(state.best_tangent, min(state.best_tangent, tangent), goes_on && !quiet);

#ifndef UNDAMPED
                if adaptive && first {
                    // σ₁², but for a factor of √P at most: the length of C, or of JᵀJ, as of a vector. The first damping is a
                    // share of it.
                    // Every entry over two diagonal ones, or over the trace twice.
                    var largest: Real = 0.0;
                    // @unroll
                    for (var j = 0u; j < P; j++) {
                        column[j] = 1.0 / select(trace, gram[j * (j + 1u) / 2u + j], in_columns);
                        // @unroll
                        for (var k = 0u; k < j + 1u; k++) {
                            let entry = gram[j * (j + 1u) / 2u + k];
                            largest += select(2.0, 1.0, k == j) * (entry * column[j]) * (entry * column[k]);
                        }
                    }
                    state.growth = 2.0;
                    state.epsilon = rules.damping_start * sqrt(largest) * select(trace, Real(1.0), in_columns);
                }
                state.epsilon = select(problem.damping, state.epsilon, adaptive);
                if follows_residual {
                    let exponent = problem.log_factor + problem.power * log2(max(state.residual_norm, 1e-37));
                    state.epsilon = select(exp2(min(exponent, 120.0)), 0.0, exponent < -120.0);
                }
                epsilon = select(state.epsilon, Real(0.0), descends);
#endif
            }
        }
        if handed || status != FUSED {
            state.status = select(status, HANDED, handed);
            state.reason = select(reason, REASON_NONE, handed);
            state.rank = P;
            continue;
        }

#ifndef UNDAMPED
        // What the next trial point promises, over unit².
        var promise: Real = 0.0;
        // @unroll
        for (var j = 0u; j < P; j++) {
            let added = epsilon * select(Real(1.0), gram[j * (j + 1u) / 2u + j], in_columns);
            promise += 0.5 * delta[j] * (slope[j] * by_unit + added * delta[j]);
        }
        state.predicted = promise;
#endif
        // @unroll
        for (var j = 0u; j < P; j++) {
            let full = select(delta[j] * unit, slope[j] * problem.power, descends);
            x[j] = here[j] - problem.step_size * full;
        }
        state.steps += 1u;
        state.fresh = REJECTED;
    }

    // @unroll
    for (var j = 0u; j < P; j++) {
        theta[element(b, j, 0u, P, 1u)] = here[j];
    }
    ends[b] = End(state.status | (state.reason << 8u) | (state.rank << 16u), state.steps, state.residual_norm);
    if state.status == FUSED || state.status == DOUBTED {
        states[b] = state;
        // @unroll
        for (var j = 0u; j < P; j++) {
            trial[element(b, j, 0u, P, 1u)] = x[j];
        }
    }
    if state.status == FUSED {
        let place = atomicAdd(&staying[0], 1u);
        atomicStore(&staying[1u + place], b);
    }
}
