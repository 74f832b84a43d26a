// Residuals b − Ax, with b over its power of two and A over its power of four. DOUBLED: summed to twice the digits, which
// is what lets a solution gain by refinement.
//
// Invocation: one row of one right-hand side of one matrix.
#import natgrad::layout::{origin, share}
#import natgrad::bits::{reciprocal, two_prod, two_sum}
#import natgrad::definite::Definite

@group(0) @binding(0) var<uniform> matrices: Definite;
@group(0) @binding(1) var<storage, read> a: array<Real>;                 // size × size
@group(0) @binding(2) var<storage, read> roots: array<Real>;             // one a matrix
@group(0) @binding(3) var<storage, read> rights: array<Real>;            // size × rights
@group(0) @binding(4) var<storage, read> units: array<Real>;             // rights × 1
@group(0) @binding(5) var<storage, read> solutions: array<Real>;         // size × rights
@group(0) @binding(6) var<storage, read> accepted: array<Real>;          // rights × 1
@group(0) @binding(7) var<storage, read_write> residuals: array<Real>;   // size × rights

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let size = matrices.size;
    let lanes = matrices.lanes;
    let work = share(matrices.first + id.x, size * matrices.rights, lanes);
    let b = work.x;
    if b >= matrices.count {
        return;
    }
    let row = work.y % size;
    let right = work.y / size;
    let cell = origin(b, matrices.rights, lanes) + right * lanes;
    if accepted[cell] < 0.0 {
        return;
    }
    let matrix = origin(b, size * size, lanes);
    let column = origin(b, size * matrices.rights, lanes) + right * size * lanes;
    let over = reciprocal(roots[b]);
    var sum = rights[column + row * lanes] * reciprocal(units[cell]);
#ifdef DOUBLED
    var rest: Real = 0.0;
#endif
    for (var j = 0u; j < size; j++) {
        // The lower triangle's entry.
        let entry = a[matrix + (min(row, j) * size + max(row, j)) * lanes] * over * over;
        let x = solutions[column + j * lanes];
#ifdef DOUBLED
        let product = two_prod(-f32(entry), f32(x), matrices.zero);
        let total = two_sum(f32(sum), product.x, matrices.zero);
        sum = Real(total.x);
        rest += Real(total.y + product.y);
#else
        sum -= entry * x;
#endif
    }
#ifdef DOUBLED
    sum += rest;
#endif
    residuals[column + row * lanes] = sum;
}
