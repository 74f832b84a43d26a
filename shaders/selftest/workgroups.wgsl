// Invocations that work together: workgroup memory behind barriers, and atomics in storage memory.

const SIZE: u32 = 64u;
const COUNTERS: u32 = 7u;

@group(0) @binding(0) var<storage, read_write> reversed: array<u32>;          // one an invocation
@group(0) @binding(1) var<storage, read_write> sums: array<u32>;              // one a workgroup
@group(0) @binding(2) var<storage, read_write> totals: array<atomic<u32>>;    // COUNTERS sums, then the greatest

var<workgroup> shared_words: array<u32, SIZE>;

// Any function that no two invocations share.
fn word(i: u32) -> u32 {
    return i * 2654435761u;
}

@compute @workgroup_size(SIZE)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = group.x * SIZE + local;
    shared_words[local] = word(i);
    workgroupBarrier();
    let mirrored = shared_words[SIZE - 1u - local];
    reversed[i] = mirrored;
    workgroupBarrier();
    shared_words[local] = mirrored;
    workgroupBarrier();
    // A tree of sums: every level reads what others wrote in the level before.
    for (var half = SIZE / 2u; half > 0u; half /= 2u) {
        if local < half {
            shared_words[local] += shared_words[local + half];
        }
        workgroupBarrier();
    }
    if local == 0u {
        sums[group.x] = shared_words[0];
    }
    atomicAdd(&totals[i % COUNTERS], i);
    atomicMax(&totals[COUNTERS], word(i));
}
