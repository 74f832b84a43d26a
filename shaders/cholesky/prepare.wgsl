// What a Cholesky factorisation is scaled by: A is read over a power of four, which leaves its largest diagonal entry
// between 1 and 4. No entry of a positive definite matrix exceeds that one.
//
// Invocation: one matrix.
#import natgrad::layout::origin
#import natgrad::bits::power_of_root
#import natgrad::definite::Definite

@group(0) @binding(0) var<uniform> matrices: Definite;
@group(0) @binding(1) var<storage, read> a: array<Real>;                // size × size
@group(0) @binding(2) var<storage, read_write> roots: array<Real>;      // one a matrix: roots of those powers of four
@group(0) @binding(3) var<storage, read_write> states: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let size = matrices.size;
    let b = matrices.first + id.x;
    if b >= matrices.count {
        return;
    }
    let matrix = origin(b, size * size, matrices.lanes);
    var largest: Real = 0.0;
    for (var i = 0u; i < size; i++) {
        largest = max(largest, abs(a[matrix + i * (size + 1u) * matrices.lanes]));
    }
    roots[b] = power_of_root(largest);
    states[b] = 0u;
}
