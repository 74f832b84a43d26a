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
// power of two each, so that graded matrices lose nothing to underflow.
//
// Invocation: one matrix. Columns leave by descending σ.
#import natgrad::layout::element
#import natgrad::bits::{is_finite, power_of_two, power_of_root, reciprocal}
#import natgrad::rotation::{rotation, NEGLIGIBLE}
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
// The players that go round in a tournament of the columns; an even N's last one stays.
const CIRCLE: u32 = N - 1u + N % 2u;

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
    var largest: Real = 0.0;

#ifdef STEP
    if b >= rules.problems || states[b].status != RUNNING || states[b].fresh == 0u {
        return;
    }
    let tolerance = rules.rotation_tolerance;
    let max_sweeps = rules.max_sweeps;
    // Load RD transposed: column i of A is row i of RD. Column lengths are measured in units of the largest entry, so
    // that no square overflows.
    // @unroll
    for (var j = 0u; j < N; j++) {
        var big: Real = 0.0;
        // @unroll
        for (var i = 0u; i < j + 1u; i++) {
            m[i * ROWS + j] = factor[element(b, i, j, N, N + 1u)];
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
        m[j * ROWS + M] = factor[element(b, j, N, N, N + 1u)];
    }
#else
    if b >= matrices.count {
        return;
    }
    let tolerance = matrices.tolerance;
    let max_sweeps = matrices.max_sweeps;
    var finite = true;
    // @unroll
    for (var j = 0u; j < N; j++) {
#ifdef CARRIED
        // @unroll
        for (var i = 0u; i < ROWS; i++) {
            m[j * ROWS + i] = a[element(b, j, i, N, ROWS)];
            finite = finite && is_finite(m[j * ROWS + i]);
        }
        // @unroll
        for (var i = 0u; i < M; i++) {
            largest = max(largest, abs(m[j * ROWS + i]));
        }
#else
        // @unroll
        for (var i = 0u; i < M; i++) {
#ifdef TRANSPOSED
            m[j * ROWS + i] = a[element(b, j, i, N, M)];
#else
            m[j * ROWS + i] = a[element(b, i, j, M, N)];
#endif
            finite = finite && is_finite(m[j * ROWS + i]);
            largest = max(largest, abs(m[j * ROWS + i]));
        }
        // @unroll
        for (var i = M; i < ROWS; i++) {
            m[j * ROWS + i] = select(Real(0.0), Real(1.0), i == M + j);
        }
#endif
    }
    // Of a matrix that is not finite nothing is known; its numbers are set to NaN at the end.
    // @unroll
    for (var k = 0u; k < N * ROWS; k++) {
        m[k] = select(Real(0.0), m[k], finite);
    }
    largest = select(Real(1.0), largest, finite);
#endif

    // One power of two for the whole matrix, and one for each column, which is remembered: columns have lengths near 1
    // throughout, whatever their part in the matrix.
    let unit = power_of_two(largest);
    let by_unit = reciprocal(unit);
    // @unroll
    for (var j = 0u; j < N; j++) {
        var big: Real = 0.0;
        // @unroll
        for (var i = 0u; i < M; i++) {
            big = max(big, abs(m[j * ROWS + i]));
        }
        let there = big > NEGLIGIBLE * unit;
        scale[j] = select(Real(1.0), power_of_two(big * by_unit), there);
        inverse[j] = reciprocal(scale[j]);
        let by = select(Real(0.0), by_unit, there);
        // @unroll
        for (var i = 0u; i < M; i++) {
            m[j * ROWS + i] = m[j * ROWS + i] * by * inverse[j];
        }
    }

    // A pair whose cosine is rounding stays as it is: columns of equal length would be turned by any angle, and what is
    // already orthogonal to both would be lost. The first sweep without a rotation is a matrix's last.
    let rounding = tolerance * tolerance;
    var sweeps = 0u;
    var rotating = true;
    while rotating && sweeps < max_sweeps {
        sweeps += 1u;
        rotating = false;
        // @unroll
        for (var j = 0u; j < N; j++) {
            // The rotations of the last sweep may have cancelled most of a column.
            var sum: Real = 0.0;
            // @unroll
            for (var i = 0u; i < M; i++) {
                sum += m[j * ROWS + i] * m[j * ROWS + i];
            }
            let step = power_of_root(sum);
            let by_step = reciprocal(step);
            let there = scale[j] * step > NEGLIGIBLE;
            scale[j] = select(Real(1.0), scale[j] * step, there);
            inverse[j] = select(Real(1.0), inverse[j] * by_step, there);
            let by = select(Real(0.0), by_step, there);
            // @unroll
            for (var i = 0u; i < M; i++) {
                m[j * ROWS + i] = m[j * ROWS + i] * by;
            }
            squares[j] = sum * by * by;
        }
        // Every pair once, in the order of a tournament: the pairs of a round have no column in common, so that the
        // device can work on several at once. In the first pair of a round an even N's last column meets the others.
        // @unroll
        for (var round = 0u; round < CIRCLE; round++) {
            // @unroll
            for (var match_ = N % 2u; match_ < (CIRCLE + 1u) / 2u; match_++) {
                // @constant
                let j = (round + match_) % CIRCLE;
                // @constant
                let k = (round + CIRCLE - match_) % CIRCLE + (N - 1u - j) * (1u / (match_ + 1u));
                var g: Real = 0.0;
                // @unroll
                for (var i = 0u; i < M; i++) {
                    g += m[j * ROWS + i] * m[k * ROWS + i];
                }
                let x = squares[j];
                let y = squares[k];
                let apart = g * g > rounding * (x * y);
                rotating = rotating || apart;
                let ratio = scale[k] * inverse[j];
                let back = scale[j] * inverse[k];
                let turn = rotation(x, y, g, ratio, back, apart);
                let s = turn.sine;
                let h = turn.half;
                let forth = s * ratio;
                let behind = s * back;
                let near = h * back;
                let far = h * ratio;
                // @unroll
                for (var i = 0u; i < M; i++) {
                    let p = m[j * ROWS + i];
                    let r = m[k * ROWS + i];
                    m[j * ROWS + i] = p - forth * (r + near * p);
                    m[k * ROWS + i] = r + behind * (p - far * r);
                }
                // @unroll
                for (var i = M; i < ROWS; i++) {
                    let p = m[j * ROWS + i];
                    let r = m[k * ROWS + i];
                    m[j * ROWS + i] = p - s * (r + h * p);
                    m[k * ROWS + i] = r + s * (p - h * r);
                }
                squares[j] = max(x - turn.tangent * ratio * g, 0.0);
                squares[k] = max(y + turn.tangent * back * g, 0.0);
            }
        }
    }

    // σ is measured at the end, so that no error of the rotations adds up in it.
    // @unroll
    for (var j = 0u; j < N; j++) {
        var sum: Real = 0.0;
        // @unroll
        for (var i = 0u; i < M; i++) {
            sum += m[j * ROWS + i] * m[j * ROWS + i];
        }
        squares[j] = sqrt(sum) * scale[j];
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
        let by = select(Real(0.0), scale[j] / length, length > 0.0);
        // @unroll
        for (var i = 0u; i < M; i++) {
            v[element(b, i, place, ROWS, N)] = m[j * ROWS + i] * by;
        }
        v[element(b, M, place, ROWS, N)] = m[j * ROWS + M];
#else
        sigma[element(b, place, 0u, N, 1u)] = select(matrices.nan, length * unit, finite);
#endif
#ifdef VECTORS
        let by = select(Real(0.0), scale[j] / length, length > 0.0);
        // @unroll
        for (var i = 0u; i < M; i++) {
            w[element(b, i, place, M, N)] = select(matrices.nan, m[j * ROWS + i] * by, finite);
        }
        // @unroll
        for (var i = M; i < ROWS; i++) {
            v[element(b, i - M, place, C, N)] = select(matrices.nan, m[j * ROWS + i], finite);
        }
#endif
    }
#ifdef STEP
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
    reports[b] = Report(select(select(CONVERGED, SWEEP_LIMIT, rotating), NON_FINITE, !finite), sweeps, rank);
#endif
}
