// One block column of Cholesky factors, in place and from left to right: A = LLᵀ with L lower triangular.
//
// DIAGONAL: the block on the diagonal, one invocation a matrix. Without it: one invocation for each block below. Every
// block subtracts in one pass the products of all columns to its left (the left-looking order), which stream by while it
// stays in registers. A pivot that is not a positive number is noted; what follows from it is NaN in the end.
#import natgrad::layout::{origin, share}
#import natgrad::bits::is_finite
#import natgrad::definite::{Definite, BAD_PIVOT}

@group(0) @binding(0) var<uniform> matrices: Definite;
@group(0) @binding(1) var<storage, read_write> l: array<Real>;              // size × size
@group(0) @binding(2) var<storage, read_write> states: array<atomic<u32>>;

const BLOCK: u32 = #{BLOCK}u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let size = matrices.size;
    let lanes = matrices.lanes;
    let left = matrices.block * BLOCK;
#ifdef DIAGONAL
    let b = matrices.first + id.x;
    let top = left;
#else
    let work = share(matrices.first + id.x, (size - 1u) / BLOCK - matrices.block, lanes);
    let b = work.x;
    let top = left + (1u + work.y) * BLOCK;
#endif
    if b >= matrices.count {
        return;
    }
    // Where the block's rows begin in the first column, and the rows that they are multiplied with, those of the block
    // column; rows beyond the last are the last once more, and are not written.
    let matrix = origin(b, size * size, lanes);
    // @registers
    var rows: array<u32, BLOCK>;
    // @registers
    var columns: array<u32, BLOCK>;
    // @registers
    var m: array<Real, BLOCK * BLOCK>;
    // @unroll
    for (var i = 0u; i < BLOCK; i++) {
        rows[i] = matrix + min(top + i, size - 1u) * lanes;
        columns[i] = matrix + min(left + i, size - 1u) * lanes;
    }
    // @unroll
    for (var j = 0u; j < BLOCK; j++) {
        let column = min(left + j, size - 1u) * size * lanes;
        // @unroll
        for (var i = 0u; i < BLOCK; i++) {
            m[j * BLOCK + i] = l[rows[i] + column];
        }
    }
    for (var t = 0u; t < left; t++) {
        let column = t * size * lanes;
        // @registers
        var x: array<Real, BLOCK>;
        // @registers
        var y: array<Real, BLOCK>;
        // @unroll
        for (var i = 0u; i < BLOCK; i++) {
            x[i] = l[rows[i] + column];
#ifdef DIAGONAL
            y[i] = x[i];
#else
            y[i] = l[columns[i] + column];
#endif
        }
        // @unroll
        for (var j = 0u; j < BLOCK; j++) {
            // @unroll
            for (var i = 0u; i < BLOCK; i++) {
                m[j * BLOCK + i] -= x[i] * y[j];
            }
        }
    }
#ifdef DIAGONAL
    var definite = true;
    // @unroll
    for (var k = 0u; k < BLOCK; k++) {
        let pivot = m[k * BLOCK + k];
        definite = definite && (left + k >= size || (pivot > 0.0 && is_finite(f32(pivot))));
        m[k * BLOCK + k] = sqrt(pivot);
        let inverse = 1.0 / m[k * BLOCK + k];
        // @unroll
        for (var i = k + 1u; i < BLOCK; i++) {
            m[k * BLOCK + i] *= inverse;
        }
        // @unroll
        for (var j = k + 1u; j < BLOCK; j++) {
            // @unroll
            for (var i = j; i < BLOCK; i++) {
                m[j * BLOCK + i] -= m[k * BLOCK + i] * m[k * BLOCK + j];
            }
        }
        // @unroll
        for (var i = k; i < BLOCK; i++) {
            if left + i < size {
                l[rows[i] + (left + k) * size * lanes] = m[k * BLOCK + i];
            }
        }
    }
    if !definite {
        atomicOr(&states[b], BAD_PIVOT);
    }
#else
    // The rows of L below the diagonal block D solve X Dᵀ = M. There are rows below, so that D is a whole block.
    // @unroll
    for (var j = 0u; j < BLOCK; j++) {
        // @unroll
        for (var k = 0u; k < j; k++) {
            let d = l[columns[j] + (left + k) * size * lanes];
            // @unroll
            for (var i = 0u; i < BLOCK; i++) {
                m[j * BLOCK + i] -= m[k * BLOCK + i] * d;
            }
        }
        let inverse = 1.0 / l[columns[j] + (left + j) * size * lanes];
        // @unroll
        for (var i = 0u; i < BLOCK; i++) {
            m[j * BLOCK + i] *= inverse;
            if top + i < size {
                l[rows[i] + (left + j) * size * lanes] = m[j * BLOCK + i];
            }
        }
    }
#endif
}
