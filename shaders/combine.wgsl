// What an SVD is combined to: X Σ⁻¹ Yᵀ over the singular values above the cutoff, or X Yᵀ (PLAIN).
//
// With W Σ⁻¹ as X and the carried right-hand side (Vᵀc)ᵀ as Y that is the least-squares solution of least norm; with
// the singular vectors themselves the pseudo-inverse; W Σ⁻¹ twice, plain, is the projector on the row space.
//
// Invocation: a block of the result of a matrix. LISTED: the SVDs are those of the matrices in a list, and their results
// and reports take the places of those matrices.
#import natgrad::layout::{element, share, LANES}
#import natgrad::matrices::{Matrices, Report, NON_FINITE}

@group(0) @binding(0) var<uniform> matrices: Matrices;
@group(0) @binding(1) var<storage, read> left: array<Real>;            // LEFT × N
@group(0) @binding(2) var<storage, read> right: array<Real>;           // RIGHT × N
@group(0) @binding(3) var<storage, read> sigma: array<Real>;           // N × 1
@group(0) @binding(4) var<storage, read> found: array<Report>;         // of the SVDs
@group(0) @binding(5) var<storage, read_write> result: array<Real>;    // LEFT × RIGHT
#ifdef LISTED
@group(0) @binding(6) var<storage, read> doubt: array<u32>;            // their number, then which they are
@group(0) @binding(7) var<storage, read_write> reports: array<Report>; // of all
#endif

const N: u32 = #{N}u;
const LEFT: u32 = #{LEFT}u;
const RIGHT: u32 = #{RIGHT}u;
const HEIGHT: u32 = #{HEIGHT}u;  // of a block
const WIDTH: u32 = #{WIDTH}u;
const DOWN: u32 = (LEFT + HEIGHT - 1u) / HEIGHT;  // blocks
const ACROSS: u32 = (RIGHT + WIDTH - 1u) / WIDTH;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let place = share(matrices.first + id.x, DOWN * ACROSS, LANES);
    let b = place.x;
    if b >= matrices.count {
        return;
    }
    let top = (place.y % DOWN) * HEIGHT;
    let before = (place.y / DOWN) * WIDTH;
    // @registers
    var sums: array<Real, HEIGHT * WIDTH>;
    // @unroll
    for (var k = 0u; k < HEIGHT * WIDTH; k++) {
        sums[k] = 0.0;
    }
    for (var t = 0u; t < min(found[b].rank, N); t++) {
        // @registers
        var y: array<Real, WIDTH>;
#ifdef PLAIN
        // @unroll
        for (var k = 0u; k < WIDTH; k++) {
            y[k] = right[element(b, min(before + k, RIGHT - 1u), t, RIGHT, N)];
        }
#else
        let length = sigma[element(b, t, 0u, N, 1u)];
        // @unroll
        for (var k = 0u; k < WIDTH; k++) {
            y[k] = right[element(b, min(before + k, RIGHT - 1u), t, RIGHT, N)] / length;
        }
#endif
        // @unroll
        for (var j = 0u; j < HEIGHT; j++) {
            let e = left[element(b, min(top + j, LEFT - 1u), t, LEFT, N)];
            // @unroll
            for (var k = 0u; k < WIDTH; k++) {
                sums[j * WIDTH + k] += e * y[k];
            }
        }
    }
    let finite = found[b].status != NON_FINITE;
#ifdef LISTED
    let whose = doubt[1u + b];
    if place.y == 0u {
        reports[whose] = found[b];
    }
#else
    let whose = b;
#endif
    // @unroll
    for (var j = 0u; j < HEIGHT; j++) {
        // @unroll
        for (var k = 0u; k < WIDTH; k++) {
            if top + j < LEFT && before + k < RIGHT {
                result[element(whose, top + j, before + k, LEFT, RIGHT)] =
                    select(matrices.nan, sums[j * WIDTH + k], finite);
            }
        }
    }
}
