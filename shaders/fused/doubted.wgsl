// The problems that the steps of normal equations leave in doubt.
//
// Invocation: a problem.
#import natgrad::problem::{End, Rules, DOUBTED}

@group(0) @binding(0) var<uniform> rules: Rules;
@group(0) @binding(1) var<storage, read> ends: array<End>;
@group(0) @binding(2) var<storage, read_write> doubted: array<atomic<u32>>; // how many, 0 at first, then which

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < rules.problems && (ends[id.x].code & 0xffu) == DOUBTED {
        let place = atomicAdd(&doubted[0], 1u);
        atomicStore(&doubted[1u + place], id.x);
    }
}
