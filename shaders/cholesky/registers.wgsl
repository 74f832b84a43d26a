// Cholesky factors of small matrices, in registers and without loops: what prepare, factor and finish do of larger ones.
//
// SOLVE: solutions instead of the factor, by all that the kernels in cholesky_solve do of larger ones.
//
// Invocation: one matrix.
#import natgrad::layout::origin
#import natgrad::bits::{is_finite, power_of_root, power_of_two, reciprocal, two_prod, two_sum}
#import natgrad::definite::{Definite, BAD_PIVOT, BAD_ENTRY, FIRST, is_last, relative_size}

@group(0) @binding(0) var<uniform> matrices: Definite;
@group(0) @binding(1) var<storage, read> a: array<Real>;                 // SIZE × SIZE
#ifdef SOLVE
@group(0) @binding(2) var<storage, read> rights: array<Real>;            // SIZE × rights
@group(0) @binding(3) var<storage, read_write> solutions: array<Real>;   // SIZE × rights
@group(0) @binding(4) var<storage, read_write> last: array<Real>;        // rights × 1: last correction beside the solution
@group(0) @binding(5) var<storage, read_write> states: array<u32>;
#else
@group(0) @binding(2) var<storage, read_write> l: array<Real>;           // SIZE × SIZE
@group(0) @binding(3) var<storage, read_write> roots: array<Real>;       // one a matrix
@group(0) @binding(4) var<storage, read_write> states: array<u32>;
#endif

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
#ifdef SOLVE
    // A itself, for residuals.
    // @registers
    var entry: array<Real, SIZE * SIZE>;
#endif
    // @unroll
    for (var j = 0u; j < SIZE; j++) {
        // @unroll
        for (var i = j; i < SIZE; i++) {
            m[j * SIZE + i] = m[j * SIZE + i] * over * over;
#ifdef SOLVE
            entry[j * SIZE + i] = m[j * SIZE + i];
#endif
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
#ifdef SOLVE
    // @registers
    var inverse: array<Real, SIZE>;
    // @unroll
    for (var k = 0u; k < SIZE; k++) {
        inverse[k] = 1.0 / m[k * SIZE + k];
    }
    for (var right = 0u; right < matrices.rights; right++) {
        let column = origin(b, SIZE * matrices.rights, lanes) + right * SIZE * lanes;
        // b over its power of two, the residual, and the solution.
        // @registers
        var given: array<Real, SIZE>;
        // @registers
        var r: array<Real, SIZE>;
        // @registers
        var x: array<Real, SIZE>;
        var big: Real = 0.0;
        // @unroll
        for (var i = 0u; i < SIZE; i++) {
            given[i] = rights[column + i * lanes];
            finite = finite && is_finite(f32(given[i]));
            big = max(big, abs(given[i]));
        }
        let unit = power_of_two(big);
        let of_unit = reciprocal(unit);
        // @unroll
        for (var i = 0u; i < SIZE; i++) {
            given[i] = given[i] * of_unit;
            r[i] = given[i];
            x[i] = 0.0;
        }
        var before = Real(FIRST);
        var size: Real = 0.0;
        var solution: Real = 0.0;
        for (var refinement = 0u; refinement <= matrices.refinements; refinement++) {
            if refinement > 0u {
                // @unroll
                for (var i = 0u; i < SIZE; i++) {
                    var sum = given[i];
#ifdef DOUBLED
                    var rest: Real = 0.0;
#endif
                    // @unroll
                    for (var j = 0u; j < SIZE; j++) {
#ifdef DOUBLED
                        let product = two_prod(-f32(entry[min(i, j) * SIZE + max(i, j)]), f32(x[j]), matrices.zero);
                        let total = two_sum(f32(sum), product.x, matrices.zero);
                        sum = Real(total.x);
                        rest += Real(total.y + product.y);
#else
                        sum -= entry[min(i, j) * SIZE + max(i, j)] * x[j];
#endif
                    }
#ifdef DOUBLED
                    sum += rest;
#endif
                    r[i] = sum;
                }
            }
            // @unroll
            for (var i = 0u; i < SIZE; i++) {
                // @unroll
                for (var j = 0u; j < i; j++) {
                    r[i] -= m[j * SIZE + i] * r[j];
                }
                r[i] = r[i] * inverse[i];
            }
            size = 0.0;
            // @unroll
            for (var up = 0u; up < SIZE; up++) {
                // @constant
                let i = SIZE - 1u - up;
                // @unroll
                for (var j = i + 1u; j < SIZE; j++) {
                    r[i] -= m[i * SIZE + j] * r[j];
                }
                r[i] = r[i] * inverse[i];
                size = max(size, abs(r[i]));
            }
            // A NaN is not added either.
            if !(size <= 0.5 * before) {
                break;
            }
            solution = 0.0;
            // @unroll
            for (var i = 0u; i < SIZE; i++) {
                x[i] += r[i];
                solution = max(solution, abs(x[i]));
            }
            if is_last(size, before, solution) {
                break;
            }
            before = size;
        }
        // @unroll
        for (var i = 0u; i < SIZE; i++) {
            // In this order nothing on the way leaves the range that the solution does not.
            solutions[column + i * lanes] = x[i] * over * unit * over;
        }
        last[origin(b, matrices.rights, lanes) + right * lanes] = relative_size(size, solution);
    }
    let good = finite && definite;
    if !good {
        // One right-hand side that is not finite takes those before it along.
        for (var right = 0u; right < matrices.rights; right++) {
            let column = origin(b, SIZE * matrices.rights, lanes) + right * SIZE * lanes;
            for (var i = 0u; i < SIZE; i++) {
                solutions[column + i * lanes] = matrices.nan;
            }
            last[origin(b, matrices.rights, lanes) + right * lanes] = matrices.nan;
        }
    }
#else
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
#endif
    states[b] = select(select(BAD_PIVOT, 0u, definite), BAD_ENTRY, !finite);
}
