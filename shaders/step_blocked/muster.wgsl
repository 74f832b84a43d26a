// The problems whose trial point was just accepted: their J is to be factored, or, DUAL, their step taken by the kernel matrix
// where the rule lets it, or, ROTATES, by rotations where f32 was in doubt of that before. After a rejection the factorisation
// stands.
// Invocation: a place in the roster.
#import natgrad::problem::{Problem, Rules, State, is_due, loss_ends, FILTERED, GRADIENT, RUNNING, ACCEPTED, DUAL_DOUBT}

@group(0) @binding(0) var<uniform> rules: Rules;
@group(0) @binding(1) var<storage, read> roster: array<u32>;                // the problems at work: how many, then which
@group(0) @binding(2) var<storage, read_write> states: array<State>;
@group(0) @binding(3) var<storage, read_write> fresh: array<atomic<u32>>;   // how many, then which and their place in the roster
#ifdef DUAL
@group(0) @binding(4) var<storage, read> problems: array<Problem>;
@group(0) @binding(5) var<storage, read_write> dual: array<atomic<u32>>;    // as fresh
#ifdef ROTATES
@group(0) @binding(6) var<storage, read_write> doubted: array<atomic<u32>>; // as fresh
#endif

const K: u32 = #{K}u;

// Whether the next step takes no singular values: by its rule, and because the end of the problem does not ask for them. A
// record that asks for them waits until there are some: the step stays what it is.
fn is_dual(b: u32) -> bool {
    let problem = problems[b];
    let is_whole = problem.filter_kind == FILTERED && problem.damping >= 0.0 && problem.fixed_rank >= K;
    if problem.scaling != 0u || !(is_whole || problem.filter_kind == GRADIENT) {
        return false;
    }
    let steps = states[b].steps;
    let has_to_wait = rules.waits != 0u && is_due(rules, steps);
    return steps < rules.steps && !has_to_wait && !loss_ends(rules, problem, states[b]);
}
#endif

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let at = id.x;
    if at >= min(roster[0], rules.problems) {
        return;
    }
    let b = roster[1u + at];
    if states[b].status != RUNNING || states[b].fresh != ACCEPTED {
        return;
    }
#ifdef DUAL
    if is_dual(b) {
#ifdef ROTATES
        if states[b].doubted != 0u {
            let place = atomicAdd(&doubted[0], 1u);
            atomicStore(&doubted[1u + 2u * place], b);
            atomicStore(&doubted[2u + 2u * place], at);
            // What it is unless somebody takes the step.
            states[b].fresh = DUAL_DOUBT;
            return;
        }
#endif
        let place = atomicAdd(&dual[0], 1u);
        atomicStore(&dual[1u + 2u * place], b);
        atomicStore(&dual[2u + 2u * place], at);
        return;
    }
#endif
    let place = atomicAdd(&fresh[0], 1u);
    atomicStore(&fresh[1u + 2u * place], b);
    atomicStore(&fresh[2u + 2u * place], at);
}
