// Corrections d of solutions, LLᵀd = r with A over its power of four and L over its root, in the place of the residuals r; added where they
// are at most half of those before. One that is not is rounding, or the matrix too ill-conditioned to gain, and the
// right-hand side is done; so it is after one that leaves nothing to correct.
//
// Invocation: RIGHTS right-hand sides of one matrix.
#import natgrad::layout::{origin, share}
#import natgrad::definite::{Definite, is_last}

@group(0) @binding(0) var<uniform> matrices: Definite;
@group(0) @binding(1) var<storage, read> l: array<Real>;                 // size × size
@group(0) @binding(2) var<storage, read> roots: array<Real>;             // one a matrix
@group(0) @binding(3) var<storage, read_write> residuals: array<Real>;   // size × rights
@group(0) @binding(4) var<storage, read_write> solutions: array<Real>;   // size × rights
@group(0) @binding(5) var<storage, read_write> accepted: array<Real>;    // rights × 1: size of the last added, < 0 if done
@group(0) @binding(6) var<storage, read_write> last: array<Real>;        // rights × 1: size of the last one, added or not

const ROWS: u32 = 4u;
const RIGHTS: u32 = #{RIGHTS}u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let size = matrices.size;
    let lanes = matrices.lanes;
    let rights = matrices.rights;
    let work = share(matrices.first + id.x, (rights + RIGHTS - 1u) / RIGHTS, lanes);
    let b = work.x;
    if b >= matrices.count {
        return;
    }
    let left = work.y * RIGHTS;
    let cells = origin(b, rights, lanes);
    let matrix = origin(b, size * size, lanes);
    let root = roots[b];
    // Columns beyond the last are the last once more, and are not written.
    // @registers
    var column: array<u32, RIGHTS>;
    var wanted = false;
    // @unroll
    for (var k = 0u; k < RIGHTS; k++) {
        let at = min(left + k, rights - 1u);
        column[k] = origin(b, size * rights, lanes) + at * size * lanes;
        wanted = wanted || accepted[cells + at * lanes] >= 0.0;
    }
    if !wanted {
        return;
    }
    let blocks = (size + ROWS - 1u) / ROWS;
    // @registers
    var big: array<Real, RIGHTS>;
    // @unroll
    for (var k = 0u; k < RIGHTS; k++) {
        big[k] = 0.0;
    }

    // Ly = r, from the first row on; rows beyond the last are the last once more.
    for (var block = 0u; block < blocks; block++) {
        let top = block * ROWS;
        // @registers
        var row: array<u32, ROWS>;
        // @registers
        var x: array<Real, ROWS * RIGHTS>;
        // @unroll
        for (var i = 0u; i < ROWS; i++) {
            row[i] = min(top + i, size - 1u);
            // @unroll
            for (var k = 0u; k < RIGHTS; k++) {
                x[i * RIGHTS + k] = root * residuals[column[k] + row[i] * lanes];
            }
        }
        for (var t = 0u; t < top; t++) {
            // @registers
            var y: array<Real, RIGHTS>;
            // @unroll
            for (var k = 0u; k < RIGHTS; k++) {
                y[k] = residuals[column[k] + t * lanes];
            }
            // @unroll
            for (var i = 0u; i < ROWS; i++) {
                let c = l[matrix + (t * size + row[i]) * lanes];
                // @unroll
                for (var k = 0u; k < RIGHTS; k++) {
                    x[i * RIGHTS + k] -= c * y[k];
                }
            }
        }
        // @unroll
        for (var i = 0u; i < ROWS; i++) {
            // @unroll
            for (var j = 0u; j < i; j++) {
                let c = l[matrix + (row[j] * size + row[i]) * lanes];
                // @unroll
                for (var k = 0u; k < RIGHTS; k++) {
                    x[i * RIGHTS + k] -= c * x[j * RIGHTS + k];
                }
            }
            let pivot = l[matrix + row[i] * (size + 1u) * lanes];
            // @unroll
            for (var k = 0u; k < RIGHTS; k++) {
                x[i * RIGHTS + k] = x[i * RIGHTS + k] / pivot;
                if top + i < size && left + k < rights {
                    residuals[column[k] + row[i] * lanes] = x[i * RIGHTS + k];
                }
            }
        }
    }

    // Lᵀd = y, from the last row up; rows beyond the last are zero.
    for (var count = 0u; count < blocks; count++) {
        let top = (blocks - 1u - count) * ROWS;
        // @registers
        var row: array<u32, ROWS>;
        // @registers
        var x: array<Real, ROWS * RIGHTS>;
        // @unroll
        for (var i = 0u; i < ROWS; i++) {
            row[i] = min(top + i, size - 1u);
            // @unroll
            for (var k = 0u; k < RIGHTS; k++) {
                x[i * RIGHTS + k] = root * residuals[column[k] + row[i] * lanes];
            }
        }
        for (var t = top + ROWS; t < size; t++) {
            // @registers
            var y: array<Real, RIGHTS>;
            // @unroll
            for (var k = 0u; k < RIGHTS; k++) {
                y[k] = residuals[column[k] + t * lanes];
            }
            // @unroll
            for (var i = 0u; i < ROWS; i++) {
                let c = l[matrix + (row[i] * size + t) * lanes];
                // @unroll
                for (var k = 0u; k < RIGHTS; k++) {
                    x[i * RIGHTS + k] -= c * y[k];
                }
            }
        }
        // @unroll
        for (var up = 0u; up < ROWS; up++) {
            // @constant
            let i = ROWS - 1u - up;
            let there = top + i < size;
            let pivot = l[matrix + row[i] * (size + 1u) * lanes];
            // @unroll
            for (var k = 0u; k < RIGHTS; k++) {
                x[i * RIGHTS + k] = select(Real(0.0), x[i * RIGHTS + k] / pivot, there);
                big[k] = max(big[k], abs(x[i * RIGHTS + k]));
                if there && left + k < rights {
                    residuals[column[k] + row[i] * lanes] = x[i * RIGHTS + k];
                }
            }
            // @unroll
            for (var above = 0u; above < i; above++) {
                let c = l[matrix + (row[above] * size + row[i]) * lanes];
                // @unroll
                for (var k = 0u; k < RIGHTS; k++) {
                    x[above * RIGHTS + k] -= c * x[i * RIGHTS + k];
                }
            }
        }
    }

    // @unroll
    for (var k = 0u; k < RIGHTS; k++) {
        let cell = cells + min(left + k, rights - 1u) * lanes;
        let before = accepted[cell];
        if left + k < rights && before >= 0.0 {
            last[cell] = big[k];
            var going = big[k] <= 0.5 * before;
            if going {
                var solution: Real = 0.0;
                for (var i = 0u; i < size; i++) {
                    let at = column[k] + i * lanes;
                    let sum = solutions[at] + residuals[at];
                    solutions[at] = sum;
                    solution = max(solution, abs(sum));
                }
                going = !is_last(big[k], before, solution);
            }
            accepted[cell] = select(Real(-1.0), big[k], going);
        }
    }
}
