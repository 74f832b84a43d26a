// Least squares by the triangular factor: [A | b] = Q [R | c; 0 | ·] and x = R⁻¹c, of M×N matrices A, M ≥ N, whose rank
// is in no doubt. The others' [R | c] goes to a list, for an SVD: AᵀA = RᵀR and Aᵀb = Rᵀc whatever the rank. Of matrices
// that are not finite it is all NaN, which the SVD tells.
//
// The rank is in no doubt where ‖R‖·‖R⁻¹‖ (Frobenius norms, the inverse formed) is far below 1/cutoff: then no singular
// value can be near the cutoff. Rows come in blocks, each merged into the triangle in registers, as in qr.
//
// Invocation: one matrix.
#import natgrad::layout::element
#import natgrad::bits::{INFINITE, is_finite, magnitude, power_of_two}
#import natgrad::reflection::reflection
#import natgrad::matrices::{Matrices, Report, CONVERGED}

@group(0) @binding(0) var<uniform> matrices: Matrices;
@group(0) @binding(1) var<storage, read> a: array<Real>;                 // M × N
@group(0) @binding(2) var<storage, read> b: array<Real>;                 // M × K
@group(0) @binding(3) var<storage, read_write> x: array<Real>;           // N × K
@group(0) @binding(4) var<storage, read_write> reports: array<Report>;
@group(0) @binding(5) var<storage, read_write> factor: array<Real>;      // N × (N + K), of the matrices in doubt
@group(0) @binding(6) var<storage, read_write> doubt: array<atomic<u32>>; // their number, then which they are

const M: u32 = #{M}u;
const N: u32 = #{N}u;
const K: u32 = #{K}u;
const HEIGHT: u32 = #{HEIGHT}u;
const COLUMNS: u32 = N + K;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let index = matrices.first + id.x;
    if index >= matrices.count {
        return;
    }
    // @registers
    var r: array<Real, N * COLUMNS>;
    // @unroll
    for (var i = 0u; i < N * COLUMNS; i++) {
        r[i] = 0.0;
    }
    var largest_bits = 0u;
    for (var first = 0u; first < M; first += HEIGHT) {
        // @registers
        var e: array<Real, HEIGHT * COLUMNS>;
        // @unroll
        for (var i = 0u; i < HEIGHT; i++) {
            // Rows beyond the last are zero.
            let row = min(first + i, M - 1u);
            let there = first + i < M;
            // @unroll
            for (var k = 0u; k < N; k++) {
                e[i * COLUMNS + k] = select(Real(0.0), a[element(index, row, k, M, N)], there);
                largest_bits = max(largest_bits, magnitude(e[i * COLUMNS + k]));
            }
            // @unroll
            for (var k = N; k < COLUMNS; k++) {
                e[i * COLUMNS + k] = select(Real(0.0), b[element(index, row, k - N, M, K)], there);
                largest_bits = max(largest_bits, magnitude(e[i * COLUMNS + k]));
            }
        }
        // @include merge
    }

    // R⁻¹ over R's unit, column by column, and both norms.
    var largest: Real = 0.0;
    // @unroll
    for (var j = 0u; j < N; j++) {
        // @unroll
        for (var i = 0u; i < j + 1u; i++) {
            largest = max(largest, abs(r[i * COLUMNS + j]));
        }
    }
    let inverse_unit = 1.0 / power_of_two(largest);
    var squares: Real = 0.0;
    var inverse_squares: Real = 0.0;
#ifdef ROLLED
    // One column after another in the same code: of many columns the whole inverse takes drivers long to compile.
    // @registers
    var pivot_inverse: array<Real, N>;
    // @unroll
    for (var j = 0u; j < N; j++) {
        pivot_inverse[j] = 1.0 / (r[j * COLUMNS + j] * inverse_unit);
        // @unroll
        for (var i = 0u; i < j + 1u; i++) {
            let scaled = r[i * COLUMNS + j] * inverse_unit;
            squares += scaled * scaled;
        }
    }
    for (var j = 0u; j < N; j++) {
        // @registers
        var s: array<Real, N>;
        // @unroll
        for (var up = 0u; up < N; up++) {
            // @constant
            let i = N - 1u - up;
            var sum = select(Real(0.0), Real(1.0), i == j);
            // @unroll
            for (var k = i + 1u; k < N; k++) {
                sum -= r[i * COLUMNS + k] * inverse_unit * s[k];
            }
            s[i] = sum * pivot_inverse[i];
            inverse_squares += s[i] * s[i];
        }
    }
#else
    // @registers
    var s: array<Real, N * N>;
    // @unroll
    for (var j = 0u; j < N; j++) {
        s[j * N + j] = 1.0 / (r[j * COLUMNS + j] * inverse_unit);
        // @unroll
        for (var up = 0u; up < j; up++) {
            // @constant
            let i = j - 1u - up;
            var sum: Real = 0.0;
            // @unroll
            for (var k = i + 1u; k < j + 1u; k++) {
                sum += r[i * COLUMNS + k] * inverse_unit * s[k * N + j];
            }
            s[i * N + j] = -sum * s[i * N + i];
        }
        // @unroll
        for (var i = 0u; i < j + 1u; i++) {
            let scaled = r[i * COLUMNS + j] * inverse_unit;
            squares += scaled * scaled;
            inverse_squares += s[i * N + j] * s[i * N + j];
        }
    }
#endif
    let condition = squares * inverse_squares;
    let finite = largest_bits < INFINITE;
    if finite && is_finite(f32(condition)) && condition * matrices.doubt * matrices.doubt <= 1.0 {
        // @unroll
        for (var k = 0u; k < K; k++) {
            // @unroll
            for (var up = 0u; up < N; up++) {
                // @constant
                let j = N - 1u - up;
                var sum = r[j * COLUMNS + N + k];
                // @unroll
                for (var l = j + 1u; l < N; l++) {
                    sum -= r[j * COLUMNS + l] * r[l * COLUMNS + N + k];
                }
                // The solution takes the place of the right-hand side.
                r[j * COLUMNS + N + k] = sum / r[j * COLUMNS + j];
                x[element(index, j, k, N, K)] = r[j * COLUMNS + N + k];
            }
        }
        reports[index] = Report(CONVERGED, 0u, N);
        return;
    }
    let slot = atomicAdd(&doubt[0], 1u);
    atomicStore(&doubt[1u + slot], index);
    // @unroll
    for (var i = 0u; i < N; i++) {
        // @unroll
        for (var k = 0u; k < COLUMNS; k++) {
            factor[element(slot, i, k, N, COLUMNS)] = select(matrices.nan, r[i * COLUMNS + k], finite);
        }
    }
}
