// The working matrix of a Cholesky factorisation: the lower triangle over a power of four, zeros above it, and whether
// it is finite. No entry of a positive definite matrix exceeds its largest diagonal entry, which becomes 1 to 4.
//
// Invocation: one column of one matrix.
#import natgrad::layout::{origin, share}
#import natgrad::bits::{is_finite, power_of_root, reciprocal}
#import natgrad::definite::{Definite, BAD_ENTRY}

@group(0) @binding(0) var<uniform> matrices: Definite;
@group(0) @binding(1) var<storage, read> a: array<Real>;                        // size × size
@group(0) @binding(2) var<storage, read_write> l: array<Real>;                  // size × size
@group(0) @binding(3) var<storage, read_write> roots: array<Real>;              // one a matrix: L over its factor here
@group(0) @binding(4) var<storage, read_write> states: array<atomic<u32>>;      // zeros

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let size = matrices.size;
    let lanes = matrices.lanes;
    let work = share(matrices.first + id.x, size, lanes);
    let b = work.x;
    let j = work.y;
    if b >= matrices.count {
        return;
    }
    let matrix = origin(b, size * size, lanes);
    var largest: Real = 0.0;
    for (var i = 0u; i < size; i++) {
        largest = max(largest, abs(a[matrix + i * (size + 1u) * lanes]));
    }
    let root = power_of_root(largest);
    let inverse = reciprocal(root);
    if j == 0u {
        roots[b] = root;
    }
    let column = matrix + j * size * lanes;
    for (var i = 0u; i < j; i++) {
        l[column + i * lanes] = 0.0;
    }
    var finite = true;
    for (var i = j; i < size; i++) {
        let entry = a[column + i * lanes];
        finite = finite && is_finite(f32(entry));
        l[column + i * lanes] = entry * inverse * inverse;
    }
    if !finite {
        atomicOr(&states[b], BAD_ENTRY);
    }
}
