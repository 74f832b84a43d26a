// The reflectors of a panel applied to further columns: Qᵀ, or Q (BACKWARD), a panel at a time. The rows beside the panel's
// triangle stay in registers, while the rows below pass by, a block at a time.
//
// Invocation: a block of columns of a matrix. INSIDE: of the columns of the factored matrix itself, from `begin` on.
#import natgrad::layout::{origin, share, LANES}
#import natgrad::panel::Panel

@group(0) @binding(0) var<uniform> panel: Panel;
@group(0) @binding(1) var<storage, read> taus: array<Real>;      // BLOCKS × K
#ifdef INSIDE
@group(0) @binding(2) var<storage, read_write> c: array<Real>;   // M × N, the reflectors in its first columns
#else
@group(0) @binding(2) var<storage, read_write> c: array<Real>;   // M × C
@group(0) @binding(3) var<storage, read> a: array<Real>;         // M × N
#endif

const M: u32 = #{M}u;
const N: u32 = #{N}u;
const K: u32 = #{K}u;
const C: u32 = #{C}u;
const WIDTH: u32 = #{WIDTH}u;
const HEIGHT: u32 = #{HEIGHT}u;
const BLOCKS: u32 = #{BLOCKS}u;
const ACROSS: u32 = #{ACROSS}u;  // columns of a block: C is a multiple of it
const LAST: u32 = WIDTH - 1u;

fn reflector(at: u32) -> Real {
#ifdef INSIDE
    return c[at];
#else
    return a[at];
#endif
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let top = panel.top;
    let place = share(panel.first + id.x, (C - panel.begin) / ACROSS, LANES);
    let b = place.x;
    if b >= panel.count {
        return;
    }
    // Where column `left` of c, the panel, and its first factor begin: all else is a constant further.
    let columns = origin(b, M * C, LANES) + (panel.begin + place.y * ACROSS) * M * LANES;
    let reflectors = origin(b, M * N, LANES) + top * M * LANES;
    let factors = origin(b, BLOCKS * K, LANES) + top * BLOCKS * LANES;
    let beside = columns + top * LANES;
    let triangle = reflectors + top * LANES;
    // @registers
    var t: array<Real, WIDTH * ACROSS>;
    // @registers
    var v: array<Real, HEIGHT * WIDTH>;
    // @registers
    var e: array<Real, HEIGHT * ACROSS>;
    // @registers
    var tau: array<Real, WIDTH>;
    // @unroll
    for (var k = 0u; k < ACROSS; k++) {
        // @unroll
        for (var i = 0u; i < WIDTH; i++) {
            t[i * ACROSS + k] = c[beside + (k * M + i) * LANES];
        }
    }
#ifndef BACKWARD
    // The triangle's own reflectors come first.
    // @unroll
    for (var j = 0u; j < WIDTH; j++) {
        // @registers
        var u: array<Real, WIDTH>;
        // @unroll
        for (var i = j + 1u; i < WIDTH; i++) {
            u[i] = reflector(triangle + (j * M + i) * LANES);
        }
        let own = taus[factors + j * BLOCKS * LANES];
        // @unroll
        for (var k = 0u; k < ACROSS; k++) {
            var d = t[j * ACROSS + k];
            // @unroll
            for (var i = j + 1u; i < WIDTH; i++) {
                d += u[i] * t[i * ACROSS + k];
            }
            d *= own;
            t[j * ACROSS + k] = t[j * ACROSS + k] - d;
            // @unroll
            for (var i = j + 1u; i < WIDTH; i++) {
                t[i * ACROSS + k] = t[i * ACROSS + k] - d * u[i];
            }
        }
    }
#endif
    let blocks = (M - top - WIDTH) / HEIGHT;
    for (var count = 0u; count < blocks; count++) {
#ifdef BACKWARD
        let block = blocks - 1u - count;
#else
        let block = count;
#endif
        let row = top + WIDTH + block * HEIGHT;
        let rows = columns + row * LANES;
        let clearing = reflectors + row * LANES;
        let own = factors + (block + 1u) * LANES;
        // @unroll
        for (var j = 0u; j < WIDTH; j++) {
            tau[j] = taus[own + j * BLOCKS * LANES];
            // @unroll
            for (var i = 0u; i < HEIGHT; i++) {
                v[i * WIDTH + j] = reflector(clearing + (j * M + i) * LANES);
            }
        }
        // @unroll
        for (var k = 0u; k < ACROSS; k++) {
            // @unroll
            for (var i = 0u; i < HEIGHT; i++) {
                e[i * ACROSS + k] = c[rows + (k * M + i) * LANES];
            }
        }
        // @unroll
        for (var step = 0u; step < WIDTH; step++) {
#ifdef BACKWARD
            // @constant
            let j = LAST - step;
#else
            // @constant
            let j = step;
#endif
            // @unroll
            for (var k = 0u; k < ACROSS; k++) {
                var d = t[j * ACROSS + k];
                // @unroll
                for (var i = 0u; i < HEIGHT; i++) {
                    d += v[i * WIDTH + j] * e[i * ACROSS + k];
                }
                d *= tau[j];
                t[j * ACROSS + k] = t[j * ACROSS + k] - d;
                // @unroll
                for (var i = 0u; i < HEIGHT; i++) {
                    e[i * ACROSS + k] = e[i * ACROSS + k] - d * v[i * WIDTH + j];
                }
            }
        }
        // @unroll
        for (var k = 0u; k < ACROSS; k++) {
            // @unroll
            for (var i = 0u; i < HEIGHT; i++) {
                c[rows + (k * M + i) * LANES] = e[i * ACROSS + k];
            }
        }
    }
#ifdef BACKWARD
    // @unroll
    for (var step = 0u; step < WIDTH; step++) {
        // @constant
        let j = LAST - step;
        // @registers
        var u: array<Real, WIDTH>;
        // @unroll
        for (var i = j + 1u; i < WIDTH; i++) {
            u[i] = reflector(triangle + (j * M + i) * LANES);
        }
        let own = taus[factors + j * BLOCKS * LANES];
        // @unroll
        for (var k = 0u; k < ACROSS; k++) {
            var d = t[j * ACROSS + k];
            // @unroll
            for (var i = j + 1u; i < WIDTH; i++) {
                d += u[i] * t[i * ACROSS + k];
            }
            d *= own;
            t[j * ACROSS + k] = t[j * ACROSS + k] - d;
            // @unroll
            for (var i = j + 1u; i < WIDTH; i++) {
                t[i * ACROSS + k] = t[i * ACROSS + k] - d * u[i];
            }
        }
    }
#endif
    // @unroll
    for (var k = 0u; k < ACROSS; k++) {
        // @unroll
        for (var i = 0u; i < WIDTH; i++) {
            c[beside + (k * M + i) * LANES] = t[i * ACROSS + k];
        }
    }
}
