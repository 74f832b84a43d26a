// One block column of Cholesky factors, from left to right: A = LLᵀ with L lower triangular.
//
// DIAGONAL: the block on the diagonal, one invocation a matrix. Without it: one invocation for each block below. Every
// block subtracts in one pass the products of all columns to its left (the left-looking order), which stream by while it
// stays in registers. A pivot that is not a positive number is noted, and so is an entry that is not finite; what follows
// from either is NaN in the end.
#import natgrad::layout::{origin, share}
#import natgrad::bits::{is_finite, reciprocal}
#import natgrad::definite::{Definite, BAD_ENTRY, BAD_PIVOT}

@group(0) @binding(0) var<uniform> matrices: Definite;
@group(0) @binding(1) var<storage, read> a: array<Real>;                    // size × size
@group(0) @binding(2) var<storage, read_write> l: array<Real>;              // size × size
@group(0) @binding(3) var<storage, read> roots: array<Real>;                // one a matrix
@group(0) @binding(4) var<storage, read_write> states: array<atomic<u32>>;

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
    // Where the block's rows begin in the first column, and the rows that they are multiplied with, those of the diagonal
    // block, which is whole where there are rows below it; rows beyond the last are the last once more, and not written.
    let matrix = origin(b, size * size, lanes);
    // A is read over a power of four, and L over its root.
    let root = roots[b];
    let over = reciprocal(root);
    var finite = true;
    // @registers
    var rows: array<u32, BLOCK>;
#ifndef DIAGONAL
    // @registers
    var columns: array<u32, BLOCK>;
#endif
    // @registers
    var m: array<Real, BLOCK * BLOCK>;
    // @unroll
    for (var i = 0u; i < BLOCK; i++) {
        rows[i] = matrix + min(top + i, size - 1u) * lanes;
#ifndef DIAGONAL
        columns[i] = matrix + (left + i) * lanes;
#endif
    }
    // @unroll
    for (var j = 0u; j < BLOCK; j++) {
        let column = min(left + j, size - 1u) * size * lanes;
#ifdef DIAGONAL
        // The lower triangle of its own rows.
        // @unroll
        for (var i = j; i < BLOCK; i++) {
            let entry = a[rows[i] + column];
            finite = finite && is_finite(f32(entry));
            m[j * BLOCK + i] = entry * over * over;
        }
#else
        // @unroll
        for (var i = 0u; i < BLOCK; i++) {
            let entry = a[rows[i] + column];
            finite = finite && is_finite(f32(entry));
            m[j * BLOCK + i] = entry * over * over;
        }
#endif
    }
    for (var t = 0u; t < left; t++) {
        let column = t * size * lanes;
        // @registers
        var x: array<Real, BLOCK>;
#ifndef DIAGONAL
        // @registers
        var y: array<Real, BLOCK>;
#endif
        // @unroll
        for (var i = 0u; i < BLOCK; i++) {
            x[i] = l[rows[i] + column] * over;
#ifndef DIAGONAL
            y[i] = l[columns[i] + column] * over;
#endif
        }
        // @unroll
        for (var j = 0u; j < BLOCK; j++) {
#ifdef DIAGONAL
            // @unroll
            for (var i = j; i < BLOCK; i++) {
                m[j * BLOCK + i] -= x[i] * x[j];
            }
#else
            // @unroll
            for (var i = 0u; i < BLOCK; i++) {
                m[j * BLOCK + i] -= x[i] * y[j];
            }
#endif
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
                l[rows[i] + (left + k) * size * lanes] = m[k * BLOCK + i] * root;
            }
        }
    }
    if !definite {
        atomicOr(&states[b], BAD_PIVOT);
    }
#else
    // The rows of L below the diagonal block D solve X Dᵀ = M.
    // @unroll
    for (var j = 0u; j < BLOCK; j++) {
        // @unroll
        for (var k = 0u; k < j; k++) {
            let d = l[columns[j] + (left + k) * size * lanes] * over;
            // @unroll
            for (var i = 0u; i < BLOCK; i++) {
                m[j * BLOCK + i] -= m[k * BLOCK + i] * d;
            }
        }
        let inverse = root / l[columns[j] + (left + j) * size * lanes];
        // @unroll
        for (var i = 0u; i < BLOCK; i++) {
            m[j * BLOCK + i] *= inverse;
            if top + i < size {
                l[rows[i] + (left + j) * size * lanes] = m[j * BLOCK + i] * root;
            }
        }
    }
#endif
    if !finite {
        atomicOr(&states[b], BAD_ENTRY);
    }
}
