// Work whose amount the device decides: the first stage writes how many workgroups the second one has.

@group(0) @binding(0) var<uniform> stage: u32;
@group(0) @binding(1) var<storage, read_write> plan: array<u32>;             // x, y, z; x, y, z; …
@group(0) @binding(2) var<storage, read_write> count: array<atomic<u32>>;    // workgroups, greatest number plus one

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) group: vec3<u32>) {
    if stage == 0u {
        // None, 5·3·2 and none.
        plan[0] = 0u;
        plan[1] = 1u;
        plan[2] = 1u;
        plan[3] = 5u;
        plan[4] = 3u;
        plan[5] = 2u;
        plan[6] = 1u;
        plan[7] = 0u;
        plan[8] = 1u;
    } else {
        atomicAdd(&count[0], 1u);
        atomicMax(&count[1], (group.z * 3u + group.y) * 5u + group.x + 1u);
    }
}
