// The columns of A, or of its transpose (TRANSPOSED), by descending magnitude, over one power of two for each matrix, with
// zeros around them up to whole blocks.
//
// Of a graded matrix A = B·D the unpivoted QR then leaves an R whose rows, too, are graded by the sorted D, and one-sided
// Jacobi on Rᵀ finds every singular value to the relative accuracy that B allows: the sorting is what column pivoting does
// for it in Drmač and Veselić, SIAM J. Matrix Anal. Appl. 29 (2008) 1322, where D is all that is graded.
//
// Invocation: x is the matrix, y a column of A, or one of zeros.
#import natgrad::layout::{element, grouped}
#import natgrad::bits::{power_of_two, reciprocal}
#import natgrad::matrices::Matrices

@group(0) @binding(0) var<uniform> matrices: Matrices;
@group(0) @binding(1) var<storage, read> a: array<Real>;              // M × N, or N × M
@group(0) @binding(2) var<storage, read> heights: array<u32>;         // N × 1: bits of the largest magnitude
@group(0) @binding(3) var<storage, read> bits: array<u32>;            // the same of each matrix
@group(0) @binding(4) var<storage, read_write> order: array<u32>;     // N × 1: the column that comes in each place
@group(0) @binding(5) var<storage, read_write> copied: array<Real>;   // ROWS × COLUMNS

const M: u32 = #{M}u;
const N: u32 = #{N}u;
const ROWS: u32 = #{ROWS}u;
const COLUMNS: u32 = #{COLUMNS}u;
const GROUP: u32 = #{GROUP}u;  // columns of which an entry each is had at once

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let b = matrices.first + id.x;
    let j = id.y;
    if b >= matrices.count {
        return;
    }
    // Among equals the earlier column comes first.
    var place = j;
    if j < N {
        place = 0u;
        let height = heights[element(b, j, 0u, N, 1u)];
        for (var k = 0u; k < N; k++) {
            let other = heights[element(b, k, 0u, N, 1u)];
            place += select(0u, 1u, other > height || (other == height && k < j));
        }
        order[element(b, place, 0u, N, 1u)] = j;
    }
    let inverse = reciprocal(power_of_two(Real(bitcast<f32>(bits[b]))));
    for (var i = 0u; i < ROWS; i++) {
        var value: Real = 0.0;
        if i < M && j < N {
#ifdef TRANSPOSED
            value = a[element(b, j, i, N, M)] * inverse;
#else
            value = a[element(b, i, j, M, N)] * inverse;
#endif
        }
        copied[grouped(b, i, place, ROWS, COLUMNS, GROUP)] = value;
    }
}
