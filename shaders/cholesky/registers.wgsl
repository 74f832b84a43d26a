// Cholesky factors of small matrices, in registers and without loops: what prepare, factor and finish do of larger ones.
//
// Invocation: one matrix.
#import natgrad::layout::origin
#import natgrad::bits::{is_finite, power_of_root, reciprocal}
#import natgrad::definite::{Definite, BAD_PIVOT, BAD_ENTRY}

@group(0) @binding(0) var<uniform> matrices: Definite;
@group(0) @binding(1) var<storage, read> a: array<Real>;              // SIZE × SIZE
@group(0) @binding(2) var<storage, read_write> l: array<Real>;        // SIZE × SIZE
@group(0) @binding(3) var<storage, read_write> roots: array<Real>;    // one a matrix
@group(0) @binding(4) var<storage, read_write> states: array<u32>;

const SIZE: u32 = #{SIZE}u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let b = matrices.first + id.x;
    if b >= matrices.count {
        return;
    }
    let lanes = matrices.lanes;
    let matrix = origin(b, SIZE * SIZE, lanes);
    // @registers
    var m: array<Real, SIZE * SIZE>;
    var finite = true;
    var largest: Real = 0.0;
    // @unroll
    for (var j = 0u; j < SIZE; j++) {
        // @unroll
        for (var i = j; i < SIZE; i++) {
            m[j * SIZE + i] = a[matrix + (j * SIZE + i) * lanes];
            finite = finite && is_finite(f32(m[j * SIZE + i]));
        }
        largest = max(largest, abs(m[j * SIZE + j]));
    }
    let root = power_of_root(largest);
    let over = reciprocal(root);
    // @unroll
    for (var j = 0u; j < SIZE; j++) {
        // @unroll
        for (var i = j; i < SIZE; i++) {
            m[j * SIZE + i] = m[j * SIZE + i] * over * over;
        }
    }
    var definite = true;
    // @unroll
    for (var k = 0u; k < SIZE; k++) {
        let pivot = m[k * SIZE + k];
        definite = definite && pivot > 0.0 && is_finite(f32(pivot));
        m[k * SIZE + k] = sqrt(pivot);
        let inverse = 1.0 / m[k * SIZE + k];
        // @unroll
        for (var i = k + 1u; i < SIZE; i++) {
            m[k * SIZE + i] *= inverse;
        }
        // @unroll
        for (var j = k + 1u; j < SIZE; j++) {
            // @unroll
            for (var i = j; i < SIZE; i++) {
                m[j * SIZE + i] -= m[k * SIZE + i] * m[k * SIZE + j];
            }
        }
    }
    let good = finite && definite;
    // @unroll
    for (var j = 0u; j < SIZE; j++) {
        // @unroll
        for (var i = 0u; i < j; i++) {
            l[matrix + (j * SIZE + i) * lanes] = select(matrices.nan, 0.0, good);
        }
        // @unroll
        for (var i = j; i < SIZE; i++) {
            l[matrix + (j * SIZE + i) * lanes] = select(matrices.nan, m[j * SIZE + i] * root, good);
        }
    }
    roots[b] = root;
    states[b] = select(select(BAD_PIVOT, 0u, definite), BAD_ENTRY, !finite);
}
