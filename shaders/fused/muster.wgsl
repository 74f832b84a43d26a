// Workgroups for the problems that go on, and an empty list for those that will after them.
@group(0) @binding(0) var<storage, read> roster: array<u32>;             // how many, then which
@group(0) @binding(1) var<storage, read_write> staying: array<u32>;      // to be written next
@group(0) @binding(2) var<storage, read_write> workgroups: array<u32>;   // three words

@compute @workgroup_size(1)
fn main() {
    workgroups[0] = (roster[0] + 63u) / 64u;
    workgroups[1] = 1u;
    workgroups[2] = 1u;
    staying[0] = 0u;
}
