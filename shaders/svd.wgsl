// One-sided Jacobi: rotates the columns of an M×N matrix A, M ≥ N, to W = AV with orthogonal columns of length σ. C more
// rows are carried along: rotated, but left out of the dot products.
//
// As a step of natural gradient (STEP) A is (RD)ᵀ with R from qr, D the column scaling, and c = Qᵀe is carried:
// J D = QR D = (Q V) Σ (W Σ⁻¹)ᵀ, so the right singular vectors of JD are the columns of W Σ⁻¹, and the carried row
// becomes β = Vᵀc = Uᵀe. Then Δ = D (W Σ⁻¹) Σ⁻¹φ β, P = W Σ⁻² Wᵀ and (JᵀJ)⁺ = D W Σ⁻⁴ Wᵀ D need neither U nor V.
// Otherwise A is the matrix itself (its transpose where wide), and the identity is carried and becomes V (C = N), or
// nothing is (C = 0); or, as in a step, A and the rows carried are the transpose of [R | c] (CARRIED).
//
// QR first is the preconditioner of Drmač and Veselić, SIAM J. Matrix Anal. Appl. 29 (2008) 1322; the columns keep a
// power of two each, so that graded matrices lose nothing to underflow, and a weight each, so that a rotation takes half the
// operations.
//
// Invocation: one matrix. Columns leave by descending σ.
#import natgrad::layout::{element, origin, LANES}
#import natgrad::bits::{INFINITE, is_finite, magnitude, power_of_root, power_of_two, reciprocal}
#import natgrad::rotation::{turn, FAINT, NEGLIGIBLE}
#ifdef STEP
#import natgrad::problem::{Problem, State, Rules, RUNNING, FACTORIZATION_LIMIT}

@group(0) @binding(0) var<uniform> rules: Rules;
@group(0) @binding(1) var<storage, read> problems: array<Problem>;
@group(0) @binding(2) var<storage, read_write> states: array<State>;
@group(0) @binding(3) var<storage, read> factor: array<Real>;         // P × (P+1)
@group(0) @binding(4) var<storage, read_write> v: array<Real>;        // (P+1) × P: W Σ⁻¹, and β below it
@group(0) @binding(5) var<storage, read_write> sigma: array<Real>;    // P × 1
@group(0) @binding(6) var<storage, read_write> lengths: array<Real>;  // P × 1: the column lengths of J
#else
#import natgrad::matrices::{Matrices, Report, CONVERGED, SWEEP_LIMIT, NON_FINITE}

@group(0) @binding(0) var<uniform> matrices: Matrices;
@group(0) @binding(1) var<storage, read> a: array<Real>;              // M × N; N × M; CARRIED: N × (M + C)
@group(0) @binding(2) var<storage, read_write> sigma: array<Real>;    // N × 1
@group(0) @binding(3) var<storage, read_write> reports: array<Report>;
#ifdef VECTORS
@group(0) @binding(4) var<storage, read_write> w: array<Real>;        // M × N: W Σ⁻¹
@group(0) @binding(5) var<storage, read_write> v: array<Real>;        // C × N: V, or Vᵀc transposed
#endif
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
// Pairs of a round, with one for the player who has none where N is odd.
const PAIRS: u32 = (N + 1u) / 2u;
// The players that go round in a tournament of the columns; an even N's last one stays.
const CIRCLE: u32 = N - 1u + N % 2u;
#ifdef STEP
// Words of a copy: more than 32, since Mesa takes an array's length for the turns of a loop along it, and writes out up to 32.
// The first run waits for the kernels of steps; those of matrices are faster written out, if there is little to write.
const COPIED: u32 = max(N * ROWS, 33u);
#else
const COPIED: u32 = N * ROWS;
#endif

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
#ifdef STEP
    let b = id.x;
#else
    let b = matrices.first + id.x;
#endif
    // @registers
    var m: array<Real, ROWS * N>;
    // @registers
    var squares: array<Real, N>;
    // @registers
    var scale: array<Real, N>;
    // @registers
    var inverse: array<Real, N>;
    // @registers
    var weight: array<Real, N>;
    // LOOPED: from memory and back by loops, and a copy there. Where a load is much code, as many of them as there are entries
    // took a driver 43 s to compile for 16×16, and loops 6 s.
    // @registers unless LOOPED
    var copied: array<Real, COPIED>;
#ifdef VECTORS
    // @registers unless LOOPED
    var places: array<u32, N>;
#endif
    var largest: Real = 0.0;

#ifdef STEP
    if b >= rules.problems || states[b].status != RUNNING || states[b].fresh == 0u {
        return;
    }
    let tolerance = rules.rotation_tolerance;
    let max_sweeps = rules.max_sweeps;
    // 1, which the driver does not know.
#ifdef LOOPED
    let once = min(rules.problems, 1u);
#else
    // @constant
    let once = 1u;
#endif
    let source = origin(b, N * (N + 1u), LANES);
    // @unroll unless LOOPED
    for (var at = 0u; at < N * (N + 1u) * once; at++) {
        copied[at] = factor[source + at * LANES];
    }
    // Load RD transposed: column i of A is row i of RD. Column lengths are measured in units of the largest entry, so
    // that no square overflows.
    // @unroll
    for (var j = 0u; j < N; j++) {
        var big: Real = 0.0;
        // @unroll
        for (var i = 0u; i < j + 1u; i++) {
            m[i * ROWS + j] = copied[j * N + i];
            big = max(big, abs(m[i * ROWS + j]));
        }
        let unit = power_of_two(big);
        var sum: Real = 0.0;
        // @unroll
        for (var i = 0u; i < j + 1u; i++) {
            let x = m[i * ROWS + j] / unit;
            sum += x * x;
        }
        let norm = sqrt(sum);
        lengths[element(b, j, 0u, N, 1u)] = norm * unit;
        let scaled = problems[b].scaling != 0u && norm > 0.0;
        // @unroll
        for (var i = 0u; i < j + 1u; i++) {
            m[i * ROWS + j] = select(m[i * ROWS + j], m[i * ROWS + j] / unit / norm, scaled);
            largest = max(largest, abs(m[i * ROWS + j]));
        }
        // @unroll
        for (var i = j + 1u; i < N; i++) {
            m[i * ROWS + j] = 0.0;
        }
        m[j * ROWS + M] = copied[N * N + j];
    }
#else
    if b >= matrices.count {
        return;
    }
    let tolerance = matrices.tolerance;
    let max_sweeps = matrices.max_sweeps;
    let source = origin(b, N * GIVEN, LANES);
    var bits = 0u;
    // @unroll unless LOOPED
    for (var at = 0u; at < N * M; at++) {
        copied[at] = a[source + at * LANES];
        bits = max(bits, magnitude(copied[at]));
    }
    var finite = bits < INFINITE;
    // @unroll unless LOOPED
    for (var at = N * M; at < N * GIVEN; at++) {
        copied[at] = a[source + at * LANES];
        finite = finite && is_finite(copied[at]);
    }
    largest = select(Real(1.0), Real(bitcast<f32>(bits)), finite);
    // Of a matrix that is not finite nothing is known; its numbers are set to NaN at the end.
    // @unroll
    for (var j = 0u; j < N; j++) {
        // @unroll
        for (var i = 0u; i < GIVEN; i++) {
#ifdef BY_ROWS
            m[j * ROWS + i] = select(Real(0.0), copied[i * N + j], finite);
#else
            m[j * ROWS + i] = select(Real(0.0), copied[j * M + i], finite);
#endif
        }
        // @unroll
        for (var i = GIVEN; i < ROWS; i++) {
            m[j * ROWS + i] = select(Real(0.0), Real(1.0), i == M + j);
        }
    }
#endif

    // @include jacobi

    // σ is measured at the end, so that no error of the rotations adds up in it.
    // @unroll
    for (var j = 0u; j < N; j++) {
        var sum: Real = 0.0;
        // @unroll
        for (var i = 0u; i < M; i++) {
            sum += m[j * ROWS + i] * m[j * ROWS + i];
        }
#ifdef IDENTITY
        // A column of V, of which the length is 1, says what became of the weight.
        var own: Real = 0.0;
        // @unroll
        for (var i = M; i < ROWS; i++) {
            own += m[j * ROWS + i] * m[j * ROWS + i];
        }
        weight[j] = 1.0 / sqrt(own);
#else
        weight[j] = sqrt(weight[j]);
#endif
        squares[j] = sqrt(sum) * (scale[j] * weight[j]);
    }
    // @unroll
    for (var j = 0u; j < N; j++) {
        let length = squares[j];
        // The column's place by descending σ; among equals the earlier one comes first.
        var place = 0u;
        // @unroll
        for (var k = 0u; k < j; k++) {
            place += select(0u, 1u, squares[k] >= length);
        }
        // @unroll
        for (var k = j + 1u; k < N; k++) {
            place += select(0u, 1u, squares[k] > length);
        }
#ifdef STEP
        sigma[element(b, place, 0u, N, 1u)] = length * unit;
        let by = select(Real(0.0), scale[j] * weight[j] / length, length > 0.0);
        let own = weight[j];
#else
        sigma[element(b, place, 0u, N, 1u)] = select(matrices.nan, length * unit, finite);
#endif
#ifdef VECTORS
        places[j] = place;
#ifndef STEP
        let by = select(matrices.nan, select(Real(0.0), scale[j] * weight[j] / length, length > 0.0), finite);
        let own = select(matrices.nan, weight[j], finite);
#endif
        // @unroll
        for (var i = 0u; i < M; i++) {
            copied[j * ROWS + i] = m[j * ROWS + i] * by;
        }
        // @unroll
        for (var i = M; i < ROWS; i++) {
            copied[j * ROWS + i] = m[j * ROWS + i] * own;
        }
#endif
    }
#ifdef STEP
    let to_v = origin(b, N * ROWS, LANES);
    // @unroll unless LOOPED
    for (var at = 0u; at < N * ROWS * once; at++) {
        v[to_v + (places[at / ROWS] * ROWS + at % ROWS) * LANES] = copied[at];
    }
    states[b].sweeps = sweeps;
    if rotating {
        states[b].status = FACTORIZATION_LIMIT;
    }
#else
    var longest: Real = 0.0;
    // @unroll
    for (var j = 0u; j < N; j++) {
        longest = max(longest, squares[j]);
    }
    var rank = 0u;
    // @unroll
    for (var j = 0u; j < N; j++) {
        rank += select(0u, 1u, squares[j] > matrices.cutoff * longest);
    }
    rank = select(0u, rank, finite);
#ifdef VECTORS
    let to_w = origin(b, N * M, LANES);
    // @unroll unless LOOPED
    for (var at = 0u; at < N * M; at++) {
        w[to_w + (places[at / M] * M + at % M) * LANES] = copied[at / M * ROWS + at % M];
    }
#ifdef CARRIES
    let to_v = origin(b, N * C, LANES);
    // @unroll unless LOOPED
    for (var at = 0u; at < N * C; at++) {
        v[to_v + (places[at / C] * C + at % C) * LANES] = copied[at / C * ROWS + M + at % C];
    }
#endif
#endif
    reports[b] = Report(select(select(CONVERGED, SWEEP_LIMIT, rotating), NON_FINITE, !finite), sweeps, rank);
#endif
}
