// After a sweep: which matrices go on, and whether any does. The first sweep without a rotation is a matrix's last.
// Invocation: one matrix.
#import natgrad::blocked::{Blocked, State}

@group(0) @binding(0) var<uniform> batch: Blocked;
@group(0) @binding(1) var<storage, read_write> states: array<State>;
@group(0) @binding(2) var<storage, read_write> sweeps: array<atomic<u32>>; // workgroups of each sweep, three words each

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let b = batch.first + id.x;
    if b >= batch.count || states[b].running == 0u {
        return;
    }
    states[b].sweeps += 1u;
    if atomicLoad(&states[b].rotating) == 0u {
        states[b].running = 0u;
        return;
    }
    atomicStore(&states[b].rotating, 0u);
    atomicMax(&sweeps[3u * (batch.sweep + 1u)], batch.groups);
}
