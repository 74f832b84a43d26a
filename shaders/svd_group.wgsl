// One-sided Jacobi with a matrix in the memory of a workgroup: every invocation turns a pair of columns, and all pairs of a
// round of the tournament are turned at once. What is computed is what svd computes, in the same steps.
//
// Workgroup: PACK matrices, PAIRS invocations each.
#import natgrad::layout::element
#import natgrad::bits::{INFINITE, magnitude, power_of_root, power_of_two, reciprocal}
#import natgrad::rotation::{rotation, FAINT, NEGLIGIBLE}
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
const N: u32 = #{N}u;  // at least 2
const C: u32 = #{C}u;
const PACK: u32 = #{PACK}u;
const ROWS: u32 = M + C;
const THREADS: u32 = 64u;
// Odd, so that neighbouring columns begin in different banks of memory.
const STRIDE: u32 = ROWS + 1u - ROWS % 2u;
// The players that go round in a tournament of the columns; an even N's last one stays.
const CIRCLE: u32 = N - 1u + N % 2u;
const PAIRS: u32 = N / 2u;

var<workgroup> x: array<Real, PACK * N * STRIDE>;
var<workgroup> squares: array<Real, PACK * N>;
// A power of two for each column, of which the rest has a length near 1.
var<workgroup> scale: array<Real, PACK * N>;
var<workgroup> largest: array<atomic<u32>, PACK>;
var<workgroup> rotating: array<atomic<u32>, PACK>;
var<workgroup> sweeps: array<u32, PACK>;
var<workgroup> running: array<u32, PACK>;
var<workgroup> any_running: u32;

// Entry (i, j) of what is rotated and carried.
fn entry(b: u32, i: u32, j: u32) -> Real {
#ifdef CARRIED
    return a[element(b, j, i, N, ROWS)];
#else
    if i >= M {
        return select(Real(0.0), Real(1.0), i == M + j);
    }
#ifdef TRANSPOSED
    return a[element(b, j, i, N, M)];
#else
    return a[element(b, i, j, M, N)];
#endif
#endif
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let first = matrices.first + group.x * PACK;
    // WGSL says that this memory begins as zeros; not every driver makes it so.
    if local < PACK {
        atomicStore(&largest[local], 0u);
        running[local] = 1u;
        sweeps[local] = 0u;
    }
    workgroupBarrier();
    for (var at = local; at < PACK * N * ROWS; at += THREADS) {
        let slot = at / (N * ROWS);
        let i = at % ROWS;
        let j = at / ROWS % N;
        // Matrices beyond the last are zero, and not written.
        var value: Real = 0.0;
        if first + slot < matrices.count {
            value = entry(first + slot, i, j);
        }
        x[(slot * N + j) * STRIDE + i] = value;
        let bits = magnitude(value);
        // Of what is carried it only matters whether it is finite.
        if i < M || bits >= INFINITE {
            atomicMax(&largest[slot], bits);
        }
    }
    workgroupBarrier();

    // One power of two for the whole matrix, and one for each column. Of a matrix that is not finite nothing is known; its
    // numbers are set to NaN at the end.
    for (var column = local; column < PACK * N; column += THREADS) {
        let bits = atomicLoad(&largest[column / N]);
        let finite = bits < INFINITE;
        let by_unit = reciprocal(power_of_two(select(Real(1.0), Real(bitcast<f32>(bits)), finite)));
        let base = column * STRIDE;
        var big: Real = 0.0;
        for (var i = 0u; i < ROWS; i++) {
            x[base + i] = select(Real(0.0), x[base + i], finite);
            if i < M {
                big = max(big, abs(x[base + i]));
            }
        }
        let there = big * by_unit > NEGLIGIBLE;
        let own = select(Real(1.0), power_of_two(big * by_unit), there);
        scale[column] = own;
        let by = select(Real(0.0), by_unit, there);
        let inverse = reciprocal(own);
        for (var i = 0u; i < M; i++) {
            x[base + i] = x[base + i] * by * inverse;
        }
    }

    let rounding = matrices.tolerance * matrices.tolerance;
    let slot = local / PAIRS;
    let match_ = local % PAIRS + N % 2u;
    for (var sweep = 0u; sweep < matrices.max_sweeps; sweep++) {
        workgroupBarrier();
        // The rotations of the last sweep may have cancelled most of a column.
        for (var column = local; column < PACK * N; column += THREADS) {
            if running[column / N] != 0u {
                let base = column * STRIDE;
                var sum: Real = 0.0;
                for (var i = 0u; i < M; i++) {
                    sum += x[base + i] * x[base + i];
                }
                var lift: Real = 1.0;
                if sum < FAINT {
                    var big: Real = 0.0;
                    for (var i = 0u; i < M; i++) {
                        big = max(big, abs(x[base + i]));
                    }
                    lift = power_of_two(big);
                    let by_lift = reciprocal(lift);
                    sum = 0.0;
                    for (var i = 0u; i < M; i++) {
                        let part = x[base + i] * by_lift;
                        sum += part * part;
                    }
                }
                let root = power_of_root(sum);
                let step = lift * root;
                let there = scale[column] * step > NEGLIGIBLE;
                scale[column] = select(Real(1.0), scale[column] * step, there);
                let by = select(Real(0.0), reciprocal(step), there);
                for (var i = 0u; i < M; i++) {
                    x[base + i] = x[base + i] * by;
                }
                let by_root = select(Real(0.0), reciprocal(root), there);
                squares[column] = sum * by_root * by_root;
            }
        }
        if local < PACK {
            atomicStore(&rotating[local], 0u);
        }
        for (var round = 0u; round < CIRCLE; round++) {
            workgroupBarrier();
            if slot < PACK && running[min(slot, PACK - 1u)] != 0u {
                let one = (round + match_) % CIRCLE;
                let two = select((round + CIRCLE - match_) % CIRCLE, N - 1u, match_ == 0u);
                let j = slot * N + one;
                let k = slot * N + two;
                let p_base = j * STRIDE;
                let r_base = k * STRIDE;
                var g: Real = 0.0;
                for (var i = 0u; i < M; i++) {
                    g += x[p_base + i] * x[r_base + i];
                }
                let xx = squares[j];
                let yy = squares[k];
                // A pair whose cosine is rounding stays as it is.
                if g * g > rounding * (xx * yy) {
                    atomicStore(&rotating[slot], 1u);
                    let ratio = scale[k] * reciprocal(scale[j]);
                    let back = scale[j] * reciprocal(scale[k]);
                    let turn = rotation(xx, yy, g, ratio, back, true);
                    let s = turn.sine;
                    let h = turn.half;
                    let forth = s * ratio;
                    let behind = s * back;
                    let near = h * back;
                    let far = h * ratio;
                    for (var i = 0u; i < M; i++) {
                        let p = x[p_base + i];
                        let r = x[r_base + i];
                        x[p_base + i] = p - forth * (r + near * p);
                        x[r_base + i] = r + behind * (p - far * r);
                    }
                    for (var i = M; i < ROWS; i++) {
                        let p = x[p_base + i];
                        let r = x[r_base + i];
                        x[p_base + i] = p - s * (r + h * p);
                        x[r_base + i] = r + s * (p - h * r);
                    }
                    squares[j] = max(xx - turn.tangent * ratio * g, 0.0);
                    squares[k] = max(yy + turn.tangent * back * g, 0.0);
                }
            }
        }
        // The first sweep without a rotation is a matrix's last.
        workgroupBarrier();
        if local == 0u {
            any_running = 0u;
            for (var at = 0u; at < PACK; at++) {
                sweeps[at] += running[at];
                running[at] = running[at] * atomicLoad(&rotating[at]);
                any_running = max(any_running, running[at]);
            }
        }
        if workgroupUniformLoad(&any_running) == 0u {
            break;
        }
    }
    workgroupBarrier();

    // σ is measured at the end, so that no error of the rotations adds up in it.
    for (var column = local; column < PACK * N; column += THREADS) {
        var sum: Real = 0.0;
        for (var i = 0u; i < M; i++) {
            sum += x[column * STRIDE + i] * x[column * STRIDE + i];
        }
        squares[column] = sqrt(sum) * scale[column];
    }
    workgroupBarrier();
    for (var column = local; column < PACK * N; column += THREADS) {
        let mine = column / N;
        let b = first + mine;
        let j = column % N;
        if b < matrices.count {
            let bits = atomicLoad(&largest[mine]);
            let finite = bits < INFINITE;
            let unit = power_of_two(select(Real(1.0), Real(bitcast<f32>(bits)), finite));
            let length = squares[column];
            // The column's place by descending σ; among equals the earlier one comes first.
            var place = 0u;
            var longest: Real = 0.0;
            for (var k = 0u; k < N; k++) {
                let other = squares[mine * N + k];
                place += select(0u, 1u, other > length || (other == length && k < j));
                longest = max(longest, other);
            }
            sigma[element(b, place, 0u, N, 1u)] = select(matrices.nan, length * unit, finite);
#ifdef VECTORS
            let by = select(Real(0.0), scale[column] / length, length > 0.0);
            for (var i = 0u; i < M; i++) {
                w[element(b, i, place, M, N)] = select(matrices.nan, x[column * STRIDE + i] * by, finite);
            }
            for (var i = 0u; i < C; i++) {
                v[element(b, i, place, C, N)] = select(matrices.nan, x[column * STRIDE + M + i], finite);
            }
#endif
            if j == 0u {
                var rank = 0u;
                for (var k = 0u; k < N; k++) {
                    rank += select(0u, 1u, squares[mine * N + k] > matrices.cutoff * longest);
                }
                let status = select(select(CONVERGED, SWEEP_LIMIT, running[mine] != 0u), NON_FINITE, !finite);
                reports[b] = Report(status, sweeps[mine], select(0u, rank, finite));
            }
        }
    }
}
