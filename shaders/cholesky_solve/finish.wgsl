// Solutions in their own unit, and the last correction beside each; NaN where the matrix has no factor.
//
// Invocation: one right-hand side of one matrix.
#import natgrad::layout::{origin, share}
#import natgrad::bits::reciprocal
#import natgrad::definite::{Definite, relative_size}

@group(0) @binding(0) var<uniform> matrices: Definite;
@group(0) @binding(1) var<storage, read> roots: array<Real>;             // one a matrix
@group(0) @binding(2) var<storage, read> units: array<Real>;             // rights × 1
@group(0) @binding(3) var<storage, read> states: array<u32>;
@group(0) @binding(4) var<storage, read_write> solutions: array<Real>;   // size × rights
@group(0) @binding(5) var<storage, read_write> last: array<Real>;        // rights × 1: becomes relative to the solution

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
    let good = states[b] == 0u;
    let over = reciprocal(roots[b]);
    let unit = units[cell];
    var largest: Real = 0.0;
    for (var i = 0u; i < size; i++) {
        let at = column + i * lanes;
        largest = max(largest, abs(solutions[at]));
        // In this order nothing on the way leaves the range that the solution does not.
        solutions[at] = select(matrices.nan, solutions[at] * over * unit * over, good);
    }
    last[cell] = select(matrices.nan, relative_size(last[cell], largest), good);
}
