// The trial point θ − ηΔ by the step Δ that rotations gave, and which problems go on by it: those that no test can end. The
// others' singular values are needed, and so are those of which a record is due.
//
// Invocation: a place in the list of problems that step by rotations.
#import natgrad::layout::element
#import natgrad::problem::{Problem, State, Rules, is_due, unit, ACCEPTED}
#import natgrad::dual::{no_test_ends, stepped}

@group(0) @binding(0) var<uniform> rules: Rules;
@group(0) @binding(1) var<storage, read> problems: array<Problem>;
@group(0) @binding(2) var<storage, read_write> states: array<State>;
@group(0) @binding(3) var<storage, read> doubted: array<u32>;               // how many, then which and their place in the roster
@group(0) @binding(4) var<storage, read> step: array<Real>;                 // P × 1, of the list: Δ
@group(0) @binding(5) var<storage, read> tangents: array<Real>;             // of the list: ‖Uᵣᵀe‖; −1 where rotations found no end
@group(0) @binding(6) var<storage, read> theta: array<Real>;                // P × 1
@group(0) @binding(7) var<storage, read_write> trial: array<Real>;          // P × 1
@group(0) @binding(8) var<storage, read_write> fresh: array<atomic<u32>>;   // the problems that need singular values

const P: u32 = #{P}u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let place = id.x;
    if place >= doubted[0] {
        return;
    }
    let b = doubted[1u + 2u * place];
    let problem = problems[b];
    var state = states[b];
    state.fresh = ACCEPTED;
    var squares: Real = 0.0;
    var length: Real = 0.0;
    for (var j = 0u; j < P; j++) {
        let delta = step[element(place, j, 0u, P, 1u)];
        let slot = element(b, j, 0u, P, 1u);
        let here = theta[slot];
        trial[slot] = here - problem.step_size * delta;
        squares += delta * delta;
        length += here * here;
    }
    let tangent = tangents[place];
    let bound = tangent / unit(state.residual_norm);
    let goes_on = tangent >= 0.0 && no_test_ends(rules, problem, state, bound, sqrt(squares), sqrt(length));
    if goes_on {
        let best = state.best_tangent;
        state = stepped(state);
        state.best_tangent = min(best, tangent);
    }
    states[b] = state;
    if goes_on && !is_due(rules, state.steps) {
        return;
    }
    // Where a record is due, the singular values are for it alone.
    let slot = atomicAdd(&fresh[0], 1u);
    atomicStore(&fresh[1u + 2u * slot], b);
    atomicStore(&fresh[2u + 2u * slot], doubted[2u + 2u * place]);
}
