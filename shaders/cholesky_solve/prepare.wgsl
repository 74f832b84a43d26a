// What a solution begins with: zero, and the residual b over a power of two.
//
// Invocation: one right-hand side of one matrix.
#import natgrad::layout::{origin, share}
#import natgrad::bits::{is_finite, power_of_two, reciprocal}
#import natgrad::definite::{Definite, BAD_ENTRY, FIRST}

@group(0) @binding(0) var<uniform> matrices: Definite;
@group(0) @binding(1) var<storage, read> rights: array<Real>;                 // size × rights
@group(0) @binding(2) var<storage, read_write> residuals: array<Real>;        // size × rights
@group(0) @binding(3) var<storage, read_write> solutions: array<Real>;        // size × rights
@group(0) @binding(4) var<storage, read_write> units: array<Real>;            // rights × 1: the powers of two
@group(0) @binding(5) var<storage, read_write> accepted: array<Real>;         // rights × 1: the last correction's size
@group(0) @binding(6) var<storage, read_write> states: array<atomic<u32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let size = matrices.size;
    let lanes = matrices.lanes;
    let work = share(matrices.first + id.x, matrices.rights, lanes);
    let b = work.x;
    if b >= matrices.count {
        return;
    }
    let column = origin(b, size * matrices.rights, lanes) + work.y * size * lanes;
    let cell = origin(b, matrices.rights, lanes) + work.y * lanes;
    var largest: Real = 0.0;
    var finite = true;
    for (var i = 0u; i < size; i++) {
        let entry = rights[column + i * lanes];
        finite = finite && is_finite(f32(entry));
        largest = max(largest, abs(entry));
    }
    let unit = power_of_two(largest);
    let inverse = reciprocal(unit);
    for (var i = 0u; i < size; i++) {
        residuals[column + i * lanes] = rights[column + i * lanes] * inverse;
        solutions[column + i * lanes] = 0.0;
    }
    units[cell] = unit;
    accepted[cell] = Real(FIRST);
    if !finite {
        atomicOr(&states[b], BAD_ENTRY);
    }
}
