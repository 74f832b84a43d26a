// Which problems go on by the step that the kernel matrix gave: those that no test can end. The others' singular values are
// needed, and so are those of problems of which a record is due. Problems that f32 could not solve go by rotations from here on.
// Invocation: a place in the list of problems that step by the kernel matrix.
#import natgrad::layout::element
#import natgrad::problem::{Problem, State, Rules, is_due, unit, DUAL_DOUBT}
#import natgrad::dual::{no_test_ends, stepped, DESCENT, DOUBT}

@group(0) @binding(0) var<uniform> rules: Rules;
@group(0) @binding(1) var<storage, read> problems: array<Problem>;
@group(0) @binding(2) var<storage, read_write> states: array<State>;
@group(0) @binding(3) var<storage, read> listed: array<u32>;                // how many, then which and their place in the roster
@group(0) @binding(4) var<storage, read> block: array<Real>;                // N × (P+1), of the roster: [J | e]
@group(0) @binding(5) var<storage, read> alpha: array<Real>;                // N × 1, of the list
@group(0) @binding(6) var<storage, read> sums: array<Real>;                 // (P + 3·BLOCKS) × 1, of the list: t, then squares
@group(0) @binding(7) var<storage, read> plans: array<u32>;                 // of the list
@group(0) @binding(8) var<storage, read_write> fresh: array<atomic<u32>>;   // the problems that need singular values

const P: u32 = #{P}u;
const N: u32 = #{K}u;
const WIDTH: u32 = #{WIDTH}u;
const BLOCKS: u32 = (P + WIDTH - 1u) / WIDTH;
const HEIGHT: u32 = P + 3u * BLOCKS;

// The root of the sum of squares, kept block by block.
fn length(place: u32, which: u32) -> Real {
    var sum: Real = 0.0;
    for (var k = 0u; k < BLOCKS; k++) {
        sum += sums[element(place, P + which * BLOCKS + k, 0u, HEIGHT, 1u)];
    }
    return sqrt(sum);
}

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
    if plans[place] == DOUBT {
        states[b].doubted = 1u;
        states[b].fresh = DUAL_DOUBT;
        return;
    }
    let by_unit = 1.0 / unit(state.residual_norm);
    let step = length(place, 0u);
    var bound: Real = 0.0;
    if plans[place] == DESCENT {
        // ‖Jᵀe‖ ≤ σ₁‖Uᵣᵀe‖.
        bound = step / problem.power / length(place, 2u) * by_unit;
    } else {
        var square: Real = 0.0;
        for (var i = 0u; i < N; i++) {
            let e = block[element(at, i, P, N, P + 1u)];
            let taken = (e - problem.damping * alpha[element(place, i, 0u, N, 1u)]) * by_unit;
            square += taken * taken;
        }
        bound = sqrt(square);
    }
    let goes_on = no_test_ends(rules, problem, state, bound, step, length(place, 1u));
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
