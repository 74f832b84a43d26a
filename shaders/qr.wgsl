// QR of [J | e], a few rows at a time: R and c = Qᵀe, with ‖e‖ beside them; Q is never formed.
//
// The triangle stays with the invocation. HEIGHT new rows at a time lie below it, and a Householder reflection a column
// clears them (the flat tree of Demmel, Grigori, Hoemmen and Langou, SIAM J. Sci. Comput. 34 (2012) A206). Rows are
// taken in segments of SEGMENT: a segment's own triangle is built from zero and then takes the total in, so that the
// rounding of a long problem grows with SEGMENT + n/SEGMENT rows and not with n, and the order of operations depends
// on the row's number alone, not on how the rows are cut into blocks (a block begins at a multiple of SEGMENT). Wide
// problems (n < P) need nothing special: the last P − n rows of R stay zero.
//
// Invocation: one problem. `block` is block_rows × (P+1), `factor` is P × (P+1): R in its upper triangle, c in the
// last column.
#import natgrad::layout::element
#import natgrad::bits::{is_finite, length2, power_of_two}
#import natgrad::problem::{Block, Problem, State, Rules, range_of, RUNNING, OVERFLOW, NOT_FINITE}

@group(0) @binding(0) var<uniform> rules: Rules;
@group(0) @binding(1) var<uniform> span: Block;
@group(0) @binding(2) var<storage, read> problems: array<Problem>;
@group(0) @binding(3) var<storage, read_write> states: array<State>;
@group(0) @binding(4) var<storage, read> block: array<Real>;
@group(0) @binding(5) var<storage, read_write> factor: array<Real>;

const P: u32 = #{P}u;
const COLUMNS: u32 = P + 1u;
const HEIGHT: u32 = 8u;
const SEGMENT: u32 = 256u;
// Row groups that the total triangle fills.
const TOTAL: u32 = (P + HEIGHT - 1u) / HEIGHT;

// The bits of |x| and those of an infinity: larger ones are NaN.
fn magnitude(x: f32) -> u32 {
    return bitcast<u32>(x) & 0x7fffffffu;
}
const INFINITE: u32 = 0x7f800000u;

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
    // @registers
    var r: array<Real, P * COLUMNS>;
    // @registers
    var a: array<Real, HEIGHT * COLUMNS>;

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
        // @unroll
        for (var k = 0u; k < P * COLUMNS; k++) {
            r[k] = 0.0;
        }
        let last = min(first + SEGMENT, rows);
        let own = (last - first + HEIGHT - 1u) / HEIGHT;
        let groups = own + select(TOTAL, 0u, span.first + first == 0u);
        var segment: Real = 0.0;
        for (var group = 0u; group < groups; group++) {
            if group < own {
                var largest: Real = 0.0;
                var worst_e = 0u;
                var worst_j = 0u;
                // @unroll
                for (var i = 0u; i < HEIGHT; i++) {
                    let row = first + group * HEIGHT + i;
                    // Rows past the end count as zero; they are read from the last one, which is there.
                    let there = select(Real(0.0), Real(1.0), row < last);
                    // @unroll
                    for (var k = 0u; k < COLUMNS; k++) {
                        a[i * COLUMNS + k] = block[element(b, min(row, last - 1u), k, span.stride, COLUMNS)];
                    }
                    // @unroll
                    for (var k = 0u; k < P; k++) {
                        worst_j = max(worst_j, magnitude(a[i * COLUMNS + k]));
                        a[i * COLUMNS + k] = there * a[i * COLUMNS + k];
                    }
                    worst_e = max(worst_e, magnitude(a[i * COLUMNS + P]));
                    a[i * COLUMNS + P] = there * a[i * COLUMNS + P];
                    largest = max(largest, abs(a[i * COLUMNS + P]));
                }
                nan = nan || worst_e > INFINITE;
                infinite = infinite || worst_e == INFINITE;
                bad_jacobian = bad_jacobian || worst_j >= INFINITE;
                let unit = power_of_two(largest);
                var sum: Real = 0.0;
                // @unroll
                for (var i = 0u; i < HEIGHT; i++) {
                    let e = a[i * COLUMNS + P] / unit;
                    sum += e * e;
                }
                segment = length2(segment, sqrt(sum) * unit);
            } else {
                // The total so far comes in as rows of its own.
                // @unroll
                for (var i = 0u; i < HEIGHT; i++) {
                    let row = (group - own) * HEIGHT + i;
                    let there = select(Real(0.0), Real(1.0), row < P);
                    // @unroll
                    for (var k = 0u; k < COLUMNS; k++) {
                        a[i * COLUMNS + k] = there * factor[element(b, min(row, P - 1u), k, P, COLUMNS)];
                    }
                }
            }
            // @unroll
            for (var j = 0u; j < P; j++) {
                var largest = abs(r[j * COLUMNS + j]);
                // @unroll
                for (var i = 0u; i < HEIGHT; i++) {
                    largest = max(largest, abs(a[i * COLUMNS + j]));
                }
                let unit = power_of_two(largest);
                let inverse_unit = 1.0 / unit;
                let pivot = r[j * COLUMNS + j] * inverse_unit;
                var sum: Real = pivot * pivot;
                // @unroll
                for (var i = 0u; i < HEIGHT; i++) {
                    a[i * COLUMNS + j] = a[i * COLUMNS + j] * inverse_unit;
                    sum += a[i * COLUMNS + j] * a[i * COLUMNS + j];
                }
                // H = I − τvvᵀ with v = (1, x/(r−β)), β = −sign(r)·‖(r, x)‖, as LAPACK has it; I where all is zero.
                let length = sqrt(sum);
                let beta = select(-length, length, pivot < 0.0);
                let zero = length == 0.0;
                let by = select(1.0 / (pivot - beta), Real(0.0), zero);
                let tau = select((beta - pivot) / beta, Real(0.0), zero);
                r[j * COLUMNS + j] = beta * unit;
                // @unroll
                for (var i = 0u; i < HEIGHT; i++) {
                    a[i * COLUMNS + j] = a[i * COLUMNS + j] * by;
                }
                // @unroll
                for (var k = j + 1u; k < COLUMNS; k++) {
                    var d = r[j * COLUMNS + k];
                    // @unroll
                    for (var i = 0u; i < HEIGHT; i++) {
                        d += a[i * COLUMNS + j] * a[i * COLUMNS + k];
                    }
                    d *= tau;
                    r[j * COLUMNS + k] = r[j * COLUMNS + k] - d;
                    // @unroll
                    for (var i = 0u; i < HEIGHT; i++) {
                        a[i * COLUMNS + k] = a[i * COLUMNS + k] - d * a[i * COLUMNS + j];
                    }
                }
            }
        }
        norm = length2(norm, segment);
        // @unroll
        for (var k = 0u; k < COLUMNS; k++) {
            // @unroll
            for (var i = 0u; i < P; i++) {
                factor[element(b, i, k, P, COLUMNS)] = r[i * COLUMNS + k];
            }
        }
    }
    // ‖e‖ may overflow where no residual does.
    infinite = infinite || !is_finite(norm);
    states[b].trial_norm = norm;
    states[b].trial_range = range_of(nan, infinite, bad_jacobian);
}
