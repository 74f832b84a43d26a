// Each column to its place by descending σ: σ itself, W Σ⁻¹ and, carried, V.
// Invocation: x is the matrix, y a column.
#import natgrad::layout::element
#import natgrad::bits::{INFINITE, power_of_two}
#import natgrad::blocked::{Blocked, State}
#import natgrad::matrices::{Report, CONVERGED, SWEEP_LIMIT, NON_FINITE}

@group(0) @binding(0) var<uniform> batch: Blocked;
@group(0) @binding(1) var<storage, read_write> states: array<State>;
@group(0) @binding(2) var<storage, read> x: array<vec4<Real>>;      // (M+C) × PADDED, of four columns each
@group(0) @binding(3) var<storage, read> lengths: array<Real>;      // PADDED × 1
@group(0) @binding(4) var<storage, read_write> sigma: array<Real>;  // N × 1
@group(0) @binding(5) var<storage, read_write> reports: array<Report>;
#ifdef VECTORS
@group(0) @binding(6) var<storage, read_write> w: array<Real>;      // M × N
@group(0) @binding(7) var<storage, read_write> v: array<Real>;      // C × N: V, or Vᵀc transposed
#endif

const M: u32 = #{M}u;
const N: u32 = #{N}u;
const C: u32 = #{C}u;
const PADDED: u32 = #{PADDED}u;
const ROWS: u32 = M + C;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let b = batch.first + id.x;
    let j = id.y;
    if b >= batch.count || j >= N {
        return;
    }
    let bits = atomicLoad(&states[b].largest);
    let finite = bits < INFINITE;
    let unit = power_of_two(Real(bitcast<f32>(bits)));
    let length = lengths[element(b, j, 0u, PADDED, 1u)];
    // Among equals the earlier column comes first. Columns that only fill a block are never longer, and come after.
    var place = 0u;
    for (var k = 0u; k < PADDED; k++) {
        let other = lengths[element(b, k, 0u, PADDED, 1u)];
        place += select(0u, 1u, other > length || (other == length && k < j));
    }
    // Of a matrix that is not finite every column keeps its own place.
    place = select(j, place, finite);
    if place >= N {
        return;
    }
    sigma[element(b, place, 0u, N, 1u)] = select(batch.nan, length * unit, finite);
#ifdef VECTORS
    let inverse = select(Real(0.0), 1.0 / length, length > 0.0);
    for (var i = 0u; i < M; i++) {
        w[element(b, i, place, M, N)] = select(batch.nan, x[element(b, i, j / 4u, ROWS, PADDED / 4u)][j % 4u] * inverse, finite);
    }
    for (var i = 0u; i < C; i++) {
        v[element(b, i, place, C, N)] = select(batch.nan, x[element(b, M + i, j / 4u, ROWS, PADDED / 4u)][j % 4u], finite);
    }
#endif
    if j == 0u {
        var longest: Real = 0.0;
        for (var k = 0u; k < PADDED; k++) {
            longest = max(longest, lengths[element(b, k, 0u, PADDED, 1u)]);
        }
        var rank = 0u;
        for (var k = 0u; k < PADDED; k++) {
            rank += select(0u, 1u, lengths[element(b, k, 0u, PADDED, 1u)] > batch.cutoff * longest);
        }
        let running = states[b].running != 0u;
        let status = select(select(CONVERGED, SWEEP_LIMIT, running), NON_FINITE, !finite);
        reports[b] = Report(status, states[b].sweeps, select(0u, rank, finite));
    }
}
