// The working matrix: A, or its transpose where A is wide, over one power of two, with the identity carried below it
// where vectors are wanted, or the transpose of [R | c] (CARRIED); columns of zeros fill the last blocks.
// Invocation: x is the matrix, y a column of the working matrix.
#import natgrad::layout::element
#import natgrad::bits::{INFINITE, power_of_two}
#import natgrad::rotation::scale_of
#import natgrad::blocked::{Blocked, State}

@group(0) @binding(0) var<uniform> batch: Blocked;
@group(0) @binding(1) var<storage, read_write> states: array<State>;
@group(0) @binding(2) var<storage, read> a: array<Real>;            // M × N; N × M; CARRIED: N × (M + C)
@group(0) @binding(3) var<storage, read_write> x: array<vec4<Real>>; // (M+C) × PADDED, of four columns each
@group(0) @binding(4) var<storage, read_write> scales: array<Real>; // PADDED × 1: a power of two near each length, or 0
@group(0) @binding(5) var<storage, read_write> sweeps: array<atomic<u32>>; // workgroups of each sweep, three words each

const M: u32 = #{M}u;
const N: u32 = #{N}u;
const C: u32 = #{C}u;
const PADDED: u32 = #{PADDED}u;
const ROWS: u32 = M + C;

fn entry(b: u32, i: u32, j: u32) -> Real {
#ifdef CARRIED
    return a[element(b, j, i, N, ROWS)];
#else
#ifdef TRANSPOSED
    return a[element(b, j, i, N, M)];
#else
    return a[element(b, i, j, M, N)];
#endif
#endif
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let b = batch.first + id.x;
    let j = id.y;
    if b >= batch.count || j >= PADDED {
        return;
    }
    let bits = atomicLoad(&states[b].largest);
    if j == 0u {
        let running = bits < INFINITE;
        states[b].running = select(0u, 1u, running);
        states[b].sweeps = 0u;
        atomicStore(&states[b].rotating, 0u);
        if running {
            atomicMax(&sweeps[3u * batch.sweep], batch.groups);
        }
    }
    let unit = power_of_two(Real(bitcast<f32>(bits)));
    var big: Real = 0.0;
    if j < N {
        for (var i = 0u; i < M; i++) {
            big = max(big, abs(entry(b, i, j)));
        }
    }
    let scale = scale_of(big / unit);
    let inverse = select(Real(0.0), 1.0 / unit, scale > 0.0);
    scales[element(b, j, 0u, PADDED, 1u)] = scale;
    for (var i = 0u; i < M; i++) {
        var value: Real = 0.0;
        if j < N {
            value = entry(b, i, j) * inverse;
        }
        x[element(b, i, j / 4u, ROWS, PADDED / 4u)][j % 4u] = value;
    }
    for (var i = M; i < ROWS; i++) {
#ifdef CARRIED
        var value: Real = 0.0;
        if j < N {
            value = entry(b, i, j);
        }
        x[element(b, i, j / 4u, ROWS, PADDED / 4u)][j % 4u] = value;
#else
        x[element(b, i, j / 4u, ROWS, PADDED / 4u)][j % 4u] = select(Real(0.0), Real(1.0), i - M == j);
#endif
    }
}
