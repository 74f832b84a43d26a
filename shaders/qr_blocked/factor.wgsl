// Householder QR of a panel of WIDTH columns, each of its elements read and written once: the square block at the top is
// reduced to a triangle, and the rows below are merged into that, HEIGHT at a time, a reflector a column (the flat tree
// of Demmel, Grigori, Hoemmen and Langou, SIAM J. Sci. Comput. 34 (2012) A206, with the first rows as its root, so that Q
// has orthonormal columns whatever the rank). R takes the place of the triangle, the reflectors that of what they clear;
// their factors τ lie in a matrix with a row for each block of rows.
//
// Invocation: one matrix.
#import natgrad::layout::{origin, LANES}
#import natgrad::bits::power_of_two
#import natgrad::reflection::reflection
#import natgrad::panel::Panel

@group(0) @binding(0) var<uniform> panel: Panel;
#ifdef QUADS
@group(0) @binding(1) var<storage, read_write> a: array<vec4<Real>>;  // M × N, four columns at a time
#else
@group(0) @binding(1) var<storage, read_write> a: array<Real>;        // M × N
#endif
@group(0) @binding(2) var<storage, read_write> taus: array<Real>;     // BLOCKS × K

const M: u32 = #{M}u;
const N: u32 = #{N}u;
const K: u32 = #{K}u;          // reflectors: the smaller of both; all three are whole blocks
const WIDTH: u32 = #{WIDTH}u;
const HEIGHT: u32 = #{HEIGHT}u;  // rows that are merged at a time
const BLOCKS: u32 = #{BLOCKS}u;
#ifdef QUADS
const GROUP: u32 = 4u;
#else
const GROUP: u32 = 1u;
#endif
const GROUPS: u32 = WIDTH / GROUP;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let b = panel.first + id.x;
    if b >= panel.count {
        return;
    }
    let top = panel.top;
    // Where the panel and its factors begin: all else is a constant further.
    let columns = origin(b, M * N / GROUP, LANES) + top / GROUP * M * LANES;
    let factors = origin(b, BLOCKS * K, LANES) + top * BLOCKS * LANES;
    let triangle = columns + top * LANES;
    // The triangle, and below its diagonal the reflectors that made it.
    // @registers
    var r: array<Real, WIDTH * WIDTH>;
    // @unroll
    for (var k = 0u; k < GROUPS; k++) {
        // @unroll
        for (var i = 0u; i < WIDTH; i++) {
            let entries = a[triangle + (k * M + i) * LANES];
#ifdef QUADS
            r[i * WIDTH + 4u * k] = entries.x;
            r[i * WIDTH + 4u * k + 1u] = entries.y;
            r[i * WIDTH + 4u * k + 2u] = entries.z;
            r[i * WIDTH + 4u * k + 3u] = entries.w;
#else
            r[i * WIDTH + k] = entries;
#endif
        }
    }
    // Lengths are measured in units of the largest entry, so that no square overflows or underflows.
    // @unroll
    for (var j = 0u; j < WIDTH; j++) {
        var largest = abs(r[j * WIDTH + j]);
        // @unroll
        for (var i = j + 1u; i < WIDTH; i++) {
            largest = max(largest, abs(r[i * WIDTH + j]));
        }
        let unit = power_of_two(largest);
        let inverse_unit = 1.0 / unit;
        let pivot = r[j * WIDTH + j] * inverse_unit;
        var below: Real = 0.0;
        // @unroll
        for (var i = j + 1u; i < WIDTH; i++) {
            r[i * WIDTH + j] = r[i * WIDTH + j] * inverse_unit;
            below += r[i * WIDTH + j] * r[i * WIDTH + j];
        }
        // Nothing to clear: no reflection, as the sign of R is free.
        let h = reflection(pivot, below, below == 0.0);
        r[j * WIDTH + j] = h.beta * unit;
        // @unroll
        for (var i = j + 1u; i < WIDTH; i++) {
            r[i * WIDTH + j] = r[i * WIDTH + j] * h.by;
        }
        // @unroll
        for (var k = j + 1u; k < WIDTH; k++) {
            var d = r[j * WIDTH + k];
            // @unroll
            for (var i = j + 1u; i < WIDTH; i++) {
                d += r[i * WIDTH + j] * r[i * WIDTH + k];
            }
            d *= h.tau;
            r[j * WIDTH + k] = r[j * WIDTH + k] - d;
            // @unroll
            for (var i = j + 1u; i < WIDTH; i++) {
                r[i * WIDTH + k] = r[i * WIDTH + k] - d * r[i * WIDTH + j];
            }
        }
        taus[factors + j * BLOCKS * LANES] = h.tau;
    }
    var block = 1u;
    for (var row = top + WIDTH; row < M; row += HEIGHT) {
        let rows = columns + row * LANES;
        // @registers
        var e: array<Real, HEIGHT * WIDTH>;
        // @unroll
        for (var k = 0u; k < GROUPS; k++) {
            // @unroll
            for (var i = 0u; i < HEIGHT; i++) {
                let entries = a[rows + (k * M + i) * LANES];
#ifdef QUADS
                e[i * WIDTH + 4u * k] = entries.x;
                e[i * WIDTH + 4u * k + 1u] = entries.y;
                e[i * WIDTH + 4u * k + 2u] = entries.z;
                e[i * WIDTH + 4u * k + 3u] = entries.w;
#else
                e[i * WIDTH + k] = entries;
#endif
            }
        }
        // @unroll
        for (var j = 0u; j < WIDTH; j++) {
            var largest = abs(r[j * WIDTH + j]);
            // @unroll
            for (var i = 0u; i < HEIGHT; i++) {
                largest = max(largest, abs(e[i * WIDTH + j]));
            }
            let unit = power_of_two(largest);
            let inverse_unit = 1.0 / unit;
            let pivot = r[j * WIDTH + j] * inverse_unit;
            var below: Real = 0.0;
            // @unroll
            for (var i = 0u; i < HEIGHT; i++) {
                e[i * WIDTH + j] = e[i * WIDTH + j] * inverse_unit;
                below += e[i * WIDTH + j] * e[i * WIDTH + j];
            }
            let h = reflection(pivot, below, below == 0.0);
            r[j * WIDTH + j] = h.beta * unit;
            // @unroll
            for (var i = 0u; i < HEIGHT; i++) {
                e[i * WIDTH + j] = e[i * WIDTH + j] * h.by;
            }
            // @unroll
            for (var k = j + 1u; k < WIDTH; k++) {
                var d = r[j * WIDTH + k];
                // @unroll
                for (var i = 0u; i < HEIGHT; i++) {
                    d += e[i * WIDTH + j] * e[i * WIDTH + k];
                }
                d *= h.tau;
                r[j * WIDTH + k] = r[j * WIDTH + k] - d;
                // @unroll
                for (var i = 0u; i < HEIGHT; i++) {
                    e[i * WIDTH + k] = e[i * WIDTH + k] - d * e[i * WIDTH + j];
                }
            }
            taus[factors + (j * BLOCKS + block) * LANES] = h.tau;
        }
        // @unroll
        for (var k = 0u; k < GROUPS; k++) {
            // @unroll
            for (var i = 0u; i < HEIGHT; i++) {
#ifdef QUADS
                // @constant
                let at = i * WIDTH + 4u * k;
                a[rows + (k * M + i) * LANES] = vec4<Real>(e[at], e[at + 1u], e[at + 2u], e[at + 3u]);
#else
                a[rows + (k * M + i) * LANES] = e[i * WIDTH + k];
#endif
            }
        }
        block += 1u;
    }
    // @unroll
    for (var k = 0u; k < GROUPS; k++) {
        // @unroll
        for (var i = 0u; i < WIDTH; i++) {
#ifdef QUADS
            // @constant
            let at = i * WIDTH + 4u * k;
            a[triangle + (k * M + i) * LANES] = vec4<Real>(r[at], r[at + 1u], r[at + 2u], r[at + 3u]);
#else
            a[triangle + (k * M + i) * LANES] = r[i * WIDTH + k];
#endif
        }
    }
}
