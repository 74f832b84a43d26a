// Residuals b − Ax, with b over its power of two and A over its power of four. DOUBLED: summed to twice the digits, which
// is what lets a solution gain by refinement.
//
// Invocation: ROWS rows of one right-hand side of one matrix.
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

const ROWS: u32 = #{ROWS}u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let size = matrices.size;
    let lanes = matrices.lanes;
    let blocks = (size + ROWS - 1u) / ROWS;
    let work = share(matrices.first + id.x, blocks * matrices.rights, lanes);
    let b = work.x;
    if b >= matrices.count {
        return;
    }
    let top = work.y % blocks * ROWS;
    let right = work.y / blocks;
    let cell = origin(b, matrices.rights, lanes) + right * lanes;
    if accepted[cell] < 0.0 {
        return;
    }
    let matrix = origin(b, size * size, lanes);
    let column = origin(b, size * matrices.rights, lanes) + right * size * lanes;
    let over = reciprocal(roots[b]);
    let of_unit = reciprocal(units[cell]);
    // Rows beyond the last are the last once more, and are not written.
    // @registers
    var row: array<u32, ROWS>;
    // @registers
    var sum: array<Real, ROWS>;
    // @registers
    var rest: array<Real, ROWS>;
    // @unroll
    for (var i = 0u; i < ROWS; i++) {
        row[i] = min(top + i, size - 1u);
        sum[i] = rights[column + row[i] * lanes] * of_unit;
        rest[i] = 0.0;
    }
    for (var j = 0u; j < size; j++) {
        let x = solutions[column + j * lanes];
        // @unroll
        for (var i = 0u; i < ROWS; i++) {
            // The lower triangle's entry.
            let entry = a[matrix + (min(row[i], j) * size + max(row[i], j)) * lanes] * over * over;
#ifdef DOUBLED
            let product = two_prod(-f32(entry), f32(x), matrices.zero);
            let total = two_sum(f32(sum[i]), product.x, matrices.zero);
            sum[i] = Real(total.x);
            rest[i] += Real(total.y + product.y);
#else
            sum[i] -= entry * x;
#endif
        }
    }
    // @unroll
    for (var i = 0u; i < ROWS; i++) {
        if top + i < size {
            residuals[column + row[i] * lanes] = sum[i] + rest[i];
        }
    }
}
