// The problems whose trial point was just accepted: their J is to be factored. After a rejection the factorisation stands.
// Invocation: a place in the roster.
#import natgrad::problem::{Rules, State, RUNNING}

@group(0) @binding(0) var<uniform> rules: Rules;
@group(0) @binding(1) var<storage, read> roster: array<u32>;                // the problems at work: how many, then which
@group(0) @binding(2) var<storage, read_write> states: array<State>;
@group(0) @binding(3) var<storage, read_write> fresh: array<atomic<u32>>;   // how many, then which and their place in the roster

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let at = id.x;
    if at >= min(roster[0], rules.problems) {
        return;
    }
    let b = roster[1u + at];
    if states[b].status != RUNNING || states[b].fresh == 0u {
        return;
    }
    let place = atomicAdd(&fresh[0], 1u);
    atomicStore(&fresh[1u + 2u * place], b);
    atomicStore(&fresh[2u + 2u * place], at);
}
