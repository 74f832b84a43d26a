// Copies a buffer: every invocation EACH items, which lie as the elements of a matrix do in a tile of 64 matrices, so
// that neighbouring invocations touch neighbouring words. EACH = 1 is one plain pass through memory.

#ifdef VECTOR
alias Item = vec4<Real>;
#else
alias Item = Real;
#endif

@group(0) @binding(0) var<storage, read> source: array<Item>;
@group(0) @binding(1) var<storage, read_write> copied: array<Item>;

const EACH: u32 = #{EACH}u;
const LANES: u32 = 64u;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let first = (group.y * groups.x + group.x) * EACH * LANES + lane;
    if first + (EACH - 1u) * LANES < arrayLength(&copied) {
        // @unroll
        for (var e = 0u; e < EACH; e++) {
            copied[first + e * LANES] = source[first + e * LANES];
        }
    }
}
