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
#import natgrad::layout::{element, LANES}
#import natgrad::bits::{INFINITE, is_finite, length2, magnitude, power_of_two}
#import natgrad::reflection::reflection
#import natgrad::problem::{Block, Problem, State, Rules, range_of, RUNNING, OVERFLOW, NOT_FINITE}

@group(0) @binding(0) var<uniform> rules: Rules;
@group(0) @binding(1) var<uniform> span: Block;
@group(0) @binding(2) var<storage, read> problems: array<Problem>;
@group(0) @binding(3) var<storage, read_write> states: array<State>;
@group(0) @binding(4) var<storage, read> block: array<Real>;
@group(0) @binding(5) var<storage, read_write> factor: array<Real>;

const P: u32 = #{P}u;
// The columns that are cleared, and all.
const N: u32 = P;
const COLUMNS: u32 = P + 1u;
const HEIGHT: u32 = 8u;
const SEGMENT: u32 = 256u;
// Row groups that the total triangle fills.
const TOTAL: u32 = (P + HEIGHT - 1u) / HEIGHT;
// Words of a copy: more than 32, since Mesa takes an array's length for the turns of a loop along it, and writes out up to 32.
const COPIED: u32 = max(max(HEIGHT, P) * COLUMNS, 33u);

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
    var e: array<Real, HEIGHT * COLUMNS>;
    // LOOPED: rows come by a loop over their words, and a copy in memory. Where a load is much code, those of 8 rows take a
    // driver five times as long to compile as all the rest.
    // @registers unless LOOPED
    var copied: array<Real, COPIED>;
    let from_block = element(b, 0u, 0u, span.stride, COLUMNS);
    let from_total = element(b, 0u, 0u, P, COLUMNS);

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
                let top = first + group * HEIGHT;
                // Rows past the end count as zero; where they are read, then from the last one, which is there.
#ifdef LOOPED
                let given = min(HEIGHT, last - top) * COLUMNS;
#else
                // @constant
                let given = HEIGHT * COLUMNS;
#endif
                // @unroll unless LOOPED
                for (var at = 0u; at < given; at++) {
                    let row = min(top + at / COLUMNS, last - 1u);
                    copied[at] = block[from_block + (at % COLUMNS * span.stride + row) * LANES];
                }
                // @unroll
                for (var i = 0u; i < HEIGHT; i++) {
                    let there = top + i < last;
                    // @unroll
                    for (var k = 0u; k < COLUMNS; k++) {
                        e[i * COLUMNS + k] = select(Real(0.0), copied[i * COLUMNS + k], there);
                    }
                    // @unroll
                    for (var k = 0u; k < P; k++) {
                        worst_j = max(worst_j, magnitude(e[i * COLUMNS + k]));
                    }
                    worst_e = max(worst_e, magnitude(e[i * COLUMNS + P]));
                    largest = max(largest, abs(e[i * COLUMNS + P]));
                }
                nan = nan || worst_e > INFINITE;
                infinite = infinite || worst_e == INFINITE;
                bad_jacobian = bad_jacobian || worst_j >= INFINITE;
                let unit = power_of_two(largest);
                var sum: Real = 0.0;
                // @unroll
                for (var i = 0u; i < HEIGHT; i++) {
                    let scaled = e[i * COLUMNS + P] / unit;
                    sum += scaled * scaled;
                }
                segment = length2(segment, sqrt(sum) * unit);
            } else {
                // The total so far comes in as rows of its own.
                let top = (group - own) * HEIGHT;
#ifdef LOOPED
                let taken = min(HEIGHT, P - top) * COLUMNS;
#else
                // @constant
                let taken = HEIGHT * COLUMNS;
#endif
                // @unroll unless LOOPED
                for (var at = 0u; at < taken; at++) {
                    let row = min(top + at / COLUMNS, P - 1u);
                    copied[at] = factor[from_total + (at % COLUMNS * P + row) * LANES];
                }
                // @unroll
                for (var i = 0u; i < HEIGHT; i++) {
                    let there = top + i < P;
                    // @unroll
                    for (var k = 0u; k < COLUMNS; k++) {
                        e[i * COLUMNS + k] = select(Real(0.0), copied[i * COLUMNS + k], there);
                    }
                }
            }
            // @include merge
        }
        norm = length2(norm, segment);
        // @unroll
        for (var i = 0u; i < P; i++) {
            // @unroll
            for (var k = 0u; k < COLUMNS; k++) {
                copied[k * P + i] = r[i * COLUMNS + k];
            }
        }
        // As many as there are, by a number that the driver does not know.
#ifdef LOOPED
        let kept = min(rows, 1u) * P * COLUMNS;
#else
        // @constant
        let kept = P * COLUMNS;
#endif
        // @unroll unless LOOPED
        for (var at = 0u; at < kept; at++) {
            factor[from_total + at * LANES] = copied[at];
        }
    }
    // ‖e‖ may overflow where no residual does.
    infinite = infinite || !is_finite(norm);
    states[b].trial_norm = norm;
    states[b].trial_range = range_of(nan, infinite, bad_jacobian);
}
