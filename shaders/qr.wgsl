// QR of [J | e] row by row: R and c = Qᵀe, with ‖e‖ beside them; Q is never formed.
//
// Each new row is rotated into the triangle (Givens). Rows are taken in segments of SEGMENT: a segment's own triangle
// is built from zero and then rotated into the total, so that the rounding of a long problem grows with
// SEGMENT + n/SEGMENT rotations and not with n, and the order of operations depends on the row's number alone, not
// on how the rows are cut into blocks (a block begins at a multiple of SEGMENT). Wide problems (n < P) need nothing
// special: the last P − n rows of R stay zero.
//
// Invocation: one problem. `block` is block_rows × (P+1), `factor` is P × (P+1): R in its upper triangle, c in the
// last column.
#import natgrad::layout::element
#import natgrad::bits::{is_finite, is_nan, power_of_two}
#import natgrad::problem::{Block, Problem, State, Rules, RUNNING, FINITE, OVERFLOW, NOT_FINITE}

@group(0) @binding(0) var<uniform> rules: Rules;
@group(0) @binding(1) var<uniform> span: Block;
@group(0) @binding(2) var<storage, read> problems: array<Problem>;
@group(0) @binding(3) var<storage, read_write> states: array<State>;
@group(0) @binding(4) var<storage, read> block: array<Real>;
@group(0) @binding(5) var<storage, read_write> factor: array<Real>;

const P: u32 = #{P}u;
const COLUMNS: u32 = P + 1u;
const SEGMENT: u32 = 256u;

var<private> r: array<Real, P * COLUMNS>;  // the triangle in work, row by row
var<private> a: array<Real, COLUMNS>;      // the row to be rotated into it

// The length of (x, y) without overflow or underflow of the squares.
fn length2(x: Real, y: Real) -> Real {
    let big = max(abs(x), abs(y));
    let small = min(abs(x), abs(y));
    if small == 0.0 {
        return big;
    }
    let q = small / big;
    return big * sqrt(1.0 + q * q);
}

// Rotates the row `a` into the triangle `r`; what is left of it in the last column is residual, and dropped.
fn rotate_in() {
    for (var j = 0u; j < P; j++) {
        if a[j] != 0.0 {
            let x = r[j * COLUMNS + j];
            let h = length2(x, a[j]);
            let c = x / h;
            let s = a[j] / h;
            r[j * COLUMNS + j] = h;
            for (var k = j + 1u; k < COLUMNS; k++) {
                let t = r[j * COLUMNS + k];
                r[j * COLUMNS + k] = c * t + s * a[k];
                a[k] = c * a[k] - s * t;
            }
        }
    }
}

fn clear() {
    for (var k = 0u; k < P * COLUMNS; k++) {
        r[k] = 0.0;
    }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let b = id.x;
    if b >= rules.problems || states[b].status != RUNNING {
        return;
    }
    let n = problems[b].rows;
    if span.first >= n {
        return;
    }
    let rows = min(span.rows, n - span.first);
    var norm: Real = 0.0;
    // Seen so far: NaN in e, an infinity in e, either in J.
    var nan = false;
    var infinite = false;
    var bad_jacobian = false;
    if span.first != 0u {
        norm = states[b].trial_norm;
        nan = states[b].trial_range == NOT_FINITE;
        infinite = states[b].trial_range == OVERFLOW;
    }
    for (var first = 0u; first < rows; first += SEGMENT) {
        clear();
        let last = min(first + SEGMENT, rows);
        var largest: Real = 0.0;
        for (var i = first; i < last; i++) {
            largest = max(largest, abs(block[element(b, i, P, span.rows, COLUMNS)]));
        }
        let unit = power_of_two(largest);
        var sum: Real = 0.0;
        for (var i = first; i < last; i++) {
            for (var k = 0u; k < COLUMNS; k++) {
                a[k] = block[element(b, i, k, span.rows, COLUMNS)];
                if k < P && !is_finite(a[k]) {
                    bad_jacobian = true;
                }
            }
            if is_nan(a[P]) {
                nan = true;
            } else if !is_finite(a[P]) {
                infinite = true;
            }
            let e = a[P] / unit;
            sum += e * e;
            rotate_in();
        }
        norm = length2(norm, sqrt(sum) * unit);
        if span.first + first != 0u {
            // Rotate the total so far, row by row, into the segment's triangle.
            for (var i = 0u; i < P; i++) {
                for (var k = 0u; k < COLUMNS; k++) {
                    a[k] = factor[element(b, i, k, P, COLUMNS)];
                }
                rotate_in();
            }
        }
        for (var i = 0u; i < P; i++) {
            for (var k = 0u; k < COLUMNS; k++) {
                factor[element(b, i, k, P, COLUMNS)] = r[i * COLUMNS + k];
            }
        }
    }
    // ‖e‖ may overflow where no residual does.
    infinite = infinite || !is_finite(norm);
    states[b].trial_norm = norm;
    if nan || (bad_jacobian && !infinite) {
        states[b].trial_range = NOT_FINITE;
    } else if infinite {
        states[b].trial_range = OVERFLOW;
    } else {
        states[b].trial_range = FINITE;
    }
}
