// Substitution: T⁻¹[uI | c] of matrices [T | c] with a triangular T, u the power of two at the matrix's largest entry, and
// the sum of squares of each block of columns of uT⁻¹.
//
// Invocation: a block of SIDE columns of a matrix. T is upper triangular, or lower (LOWER): then rows and columns are
// counted from the other end, and the same code serves both.
#import natgrad::layout::{element, share, LANES}
#import natgrad::bits::power_of_two
#import natgrad::matrices::Matrices

@group(0) @binding(0) var<uniform> matrices: Matrices;
@group(0) @binding(1) var<storage, read> triangle: array<Real>;      // K × (K + C)
@group(0) @binding(2) var<storage, read> bits: array<u32>;           // of the largest magnitude of each matrix
@group(0) @binding(3) var<storage, read_write> solved: array<Real>;  // K × (K + C)
@group(0) @binding(4) var<storage, read_write> sums: array<Real>;    // BLOCKS × 1: of the blocks of columns

const K: u32 = #{K}u;
const C: u32 = #{C}u;
const SIDE: u32 = #{SIDE}u;
const ROWS: u32 = (K + SIDE - 1u) / SIDE;            // blocks of rows, and of the columns of T
const BLOCKS: u32 = ROWS + (C + SIDE - 1u) / SIDE;   // blocks of columns

// Where row or column i of T lies.
fn place(i: u32) -> u32 {
#ifdef LOWER
    return K - 1u - min(i, K - 1u);
#else
    return min(i, K - 1u);
#endif
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let share = share(matrices.first + id.x, BLOCKS, LANES);
    let b = share.x;
    if b >= matrices.count {
        return;
    }
    let of_identity = share.y < ROWS;
    let left = select((share.y - ROWS) * SIDE, share.y * SIDE, of_identity);
    let unit = power_of_two(Real(bitcast<f32>(min(bits[b], 0x7f7fffffu))));
    // Column k of the block, in memory; those beyond the last are the last once more.
    // @registers
    var column: array<u32, SIDE>;
    // @unroll
    for (var k = 0u; k < SIDE; k++) {
        column[k] = select(K + min(left + k, max(C, 1u) - 1u), place(left + k), of_identity);
    }
    var squares: Real = 0.0;
    // Below the diagonal the inverse is zero, and stays so.
    let first = select(ROWS, share.y + 1u, of_identity);
    for (var count = 0u; count < ROWS; count++) {
        let block = ROWS - 1u - count;
        // @registers
        var x: array<Real, SIDE * SIDE>;
        // @unroll
        for (var k = 0u; k < SIDE; k++) {
            // @unroll
            for (var i = 0u; i < SIDE; i++) {
                if of_identity {
                    x[i * SIDE + k] = select(Real(0.0), unit, block * SIDE + i == left + k);
                } else {
                    x[i * SIDE + k] = triangle[element(b, place(block * SIDE + i), column[k], K, K + C)];
                }
            }
        }
        if block < first {
            for (var other = block + 1u; other < first; other++) {
                // @registers
                var y: array<Real, SIDE * SIDE>;
                // @unroll
                for (var k = 0u; k < SIDE; k++) {
                    // @unroll
                    for (var j = 0u; j < SIDE; j++) {
                        let there = other * SIDE + j < K;
                        y[j * SIDE + k] = select(
                            Real(0.0), solved[element(b, place(other * SIDE + j), column[k], K, K + C)], there);
                    }
                }
                // @unroll
                for (var j = 0u; j < SIDE; j++) {
                    // @unroll
                    for (var i = 0u; i < SIDE; i++) {
                        let t = triangle[element(b, place(block * SIDE + i), place(other * SIDE + j), K, K + C)];
                        // @unroll
                        for (var k = 0u; k < SIDE; k++) {
                            x[i * SIDE + k] = x[i * SIDE + k] - t * y[j * SIDE + k];
                        }
                    }
                }
            }
            // The block of the diagonal, from its last row up; rows beyond the last have no part in it.
            // @unroll
            for (var up = 0u; up < SIDE; up++) {
                // @constant
                let i = SIDE - 1u - up;
                let row = block * SIDE + i;
                let diagonal = triangle[element(b, place(row), place(row), K, K + C)];
                // @unroll
                for (var k = 0u; k < SIDE; k++) {
                    x[i * SIDE + k] = select(Real(0.0), x[i * SIDE + k] / diagonal, row < K);
                    squares += select(Real(0.0), x[i * SIDE + k] * x[i * SIDE + k], left + k < K);
                }
                // @unroll
                for (var above = 0u; above < i; above++) {
                    let t = triangle[element(b, place(block * SIDE + above), place(row), K, K + C)];
                    // @unroll
                    for (var k = 0u; k < SIDE; k++) {
                        x[above * SIDE + k] = x[above * SIDE + k] - t * x[i * SIDE + k];
                    }
                }
            }
        }
        // @unroll
        for (var k = 0u; k < SIDE; k++) {
            let there = select(left + k < C, left + k < K, of_identity);
            // @unroll
            for (var i = 0u; i < SIDE; i++) {
                if there && block * SIDE + i < K {
                    solved[element(b, place(block * SIDE + i), column[k], K, K + C)] = x[i * SIDE + k];
                }
            }
        }
    }
    sums[element(b, share.y, 0u, BLOCKS, 1u)] = squares;
}
