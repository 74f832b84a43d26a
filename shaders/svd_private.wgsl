// Block Jacobi on a matrix in the private memory of one invocation: what svd does for matrices that registers hold, with the
// blocks of svd_blocked. Where a CPU plays the device, an access to a buffer is a branch for each of the invocations that are
// worked on at once, and one to this memory is none: half the time, and a third of the code.
//
// Invocation: one matrix. Columns leave by descending σ.
#import natgrad::layout::{element, origin, LANES}
#import natgrad::bits::{INFINITE, is_finite, magnitude, power_of_two, reciprocal}
#import natgrad::rotation::{scale_of, turn}
#import natgrad::matrices::{Matrices, Report, CONVERGED, SWEEP_LIMIT, NON_FINITE}

@group(0) @binding(0) var<uniform> matrices: Matrices;
@group(0) @binding(1) var<storage, read> a: array<Real>;              // M × N; N × M; CARRIED: N × (M + C)
@group(0) @binding(2) var<storage, read_write> sigma: array<Real>;    // N × 1
@group(0) @binding(3) var<storage, read_write> reports: array<Report>;
#ifdef VECTORS
@group(0) @binding(4) var<storage, read_write> w: array<Real>;        // M × N: W Σ⁻¹
@group(0) @binding(5) var<storage, read_write> v: array<Real>;        // C × N: V, or Vᵀc transposed
#endif

const M: u32 = #{M}u;
const N: u32 = #{N}u;
const C: u32 = #{C}u;
const ROWS: u32 = M + C;
// Rows of which entries are read; the others are the identity.
#ifdef CARRIED
const GIVEN: u32 = ROWS;
#else
const GIVEN: u32 = M;
#endif
const BLOCKS: u32 = #{BLOCKS}u;  // even
const WIDTH: u32 = #{WIDTH}u;
const BOTH: u32 = 2u * WIDTH;
const PADDED: u32 = #{PADDED}u;
const STRIDE: u32 = PADDED;
const HOP: u32 = 1u;
const NOTE: u32 = 1u;

// By rows; columns of zeros, with which private memory begins, fill the last blocks.
var<private> x: array<Real, ROWS * PADDED>;
// A power of two near each column's largest entry; 0 for columns of zeros.
var<private> scales: array<Real, PADDED>;
// Of the columns at the end, and the places they go to.
var<private> lengths: array<Real, PADDED>;
var<private> places: array<u32, N>;

// Where the entry of A that comes as number `at` belongs.
fn place(at: u32) -> u32 {
#ifdef BY_ROWS
    return at / N * PADDED + at % N;
#else
    return at % M * PADDED + at / M;
#endif
}

// @include pair

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let b = matrices.first + id.x;
    if b >= matrices.count {
        return;
    }
    // Flat loops: those over single rows or columns are short enough for compilers to write out, and a load is much code.
    let source = origin(b, N * GIVEN, LANES);
    var bits = 0u;
    for (var at = 0u; at < N * M; at++) {
        let value = a[source + at * LANES];
        bits = max(bits, magnitude(value));
        x[place(at)] = value;
    }
    var finite = bits < INFINITE;
    for (var at = N * M; at < N * GIVEN; at++) {
        let value = a[source + at * LANES];
        finite = finite && is_finite(value);
        x[place(at)] = value;
    }
    for (var at = GIVEN; at < ROWS; at++) {
        x[at * PADDED + at - GIVEN] = 1.0;
    }
    let unit = power_of_two(select(Real(1.0), Real(bitcast<f32>(bits)), finite));
    let by_unit = reciprocal(unit);
    for (var j = 0u; j < PADDED; j++) {
        scales[j] = 0.0;
    }
    for (var at = 0u; at < M * PADDED; at++) {
        let j = at % PADDED;
        x[at] = select(Real(0.0), x[at] * by_unit, finite);
        scales[j] = max(scales[j], abs(x[at]));
    }
    for (var j = 0u; j < PADDED; j++) {
        scales[j] = scale_of(scales[j]);
    }

    let rounding = matrices.tolerance * matrices.tolerance;
    var sweeps = 0u;
    var rotating = true;
    while rotating && sweeps < matrices.max_sweeps {
        sweeps += 1u;
        rotating = false;
        for (var round = 0u; round < BLOCKS - 1u; round++) {
            for (var match_ = 0u; match_ < BLOCKS / 2u; match_++) {
                let first = (round + match_) % (BLOCKS - 1u);
                let second = select((round + BLOCKS - 1u - match_) % (BLOCKS - 1u), BLOCKS - 1u, match_ == 0u);
                let here = pair(0u, 0u, min(first, second), max(first, second), rounding);
                rotating = rotating || here;
            }
        }
    }

    // σ is measured at the end, so that no error of the rotations adds up in it.
    var longest: Real = 0.0;
    for (var j = 0u; j < PADDED; j++) {
        let scale = scales[j];
        let inverse = select(Real(0.0), reciprocal(scale), scale > 0.0);
        var sum: Real = 0.0;
        for (var i = 0u; i < M; i++) {
            let part = x[i * PADDED + j] * inverse;
            sum += part * part;
        }
        lengths[j] = sqrt(sum) * scale;
        longest = max(longest, lengths[j]);
    }
    var rank = 0u;
    for (var j = 0u; j < N; j++) {
        let length = lengths[j];
        // Among equals the earlier column comes first. Columns that only fill a block are never longer, and come after.
        var to = 0u;
        for (var k = 0u; k < PADDED; k++) {
            to += select(0u, 1u, lengths[k] > length || (lengths[k] == length && k < j));
        }
        places[j] = to;
        rank += select(0u, 1u, length > matrices.cutoff * longest);
        sigma[element(b, to, 0u, N, 1u)] = select(matrices.nan, length * unit, finite);
    }
#ifdef VECTORS
    let as_is = select(matrices.nan, Real(1.0), finite);
    let to_w = origin(b, N * M, LANES);
    for (var at = 0u; at < N * M; at++) {
        let j = at / M;
        let by = select(Real(0.0), 1.0 / lengths[j], lengths[j] > 0.0) * as_is;
        w[to_w + (places[j] * M + at % M) * LANES] = x[at % M * PADDED + j] * by;
    }
#ifdef CARRIES
    let to_v = origin(b, N * C, LANES);
    for (var at = 0u; at < N * C; at++) {
        let j = at / C;
        v[to_v + (places[j] * C + at % C) * LANES] = x[(M + at % C) * PADDED + j] * as_is;
    }
#endif
#endif
    reports[b] = Report(
        select(select(CONVERGED, SWEEP_LIMIT, rotating), NON_FINITE, !finite), sweeps, select(0u, rank, finite));
}
