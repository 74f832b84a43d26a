// The reflectors of a panel applied to further columns: Qᵀ, or Q (BACKWARD), a panel at a time. The rows beside the panel's
// triangle stay in registers, while the rows below pass by, a block at a time.
//
// Invocation: a block of columns of a matrix. INSIDE: of the columns of the factored matrix itself, from `begin` on.
#import natgrad::layout::{origin, share, LANES}
#import natgrad::panel::Panel

@group(0) @binding(0) var<uniform> panel: Panel;
@group(0) @binding(1) var<storage, read> taus: array<Real>;           // BLOCKS × K
// C_QUADS, A_QUADS: four columns at a time.
#ifdef C_QUADS
@group(0) @binding(2) var<storage, read_write> c: array<vec4<Real>>;  // M × C; INSIDE: M × N, the reflectors in its first columns
#else
@group(0) @binding(2) var<storage, read_write> c: array<Real>;
#endif
#ifndef INSIDE
#ifdef A_QUADS
@group(0) @binding(3) var<storage, read> a: array<vec4<Real>>;        // M × N
#else
@group(0) @binding(3) var<storage, read> a: array<Real>;
#endif
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
#ifdef A_QUADS
const A_GROUP: u32 = 4u;
#else
const A_GROUP: u32 = 1u;
#endif
#ifdef C_QUADS
const C_GROUP: u32 = 4u;
#else
const C_GROUP: u32 = 1u;
#endif
const A_GROUPS: u32 = WIDTH / A_GROUP;
const C_GROUPS: u32 = ACROSS / C_GROUP;

#ifdef A_QUADS
fn reflector(at: u32) -> vec4<Real> {
#else
fn reflector(at: u32) -> Real {
#endif
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
    let columns = origin(b, M * C / C_GROUP, LANES) + (panel.begin + place.y * ACROSS) / C_GROUP * M * LANES;
    let reflectors = origin(b, M * N / A_GROUP, LANES) + top / A_GROUP * M * LANES;
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
    for (var k = 0u; k < C_GROUPS; k++) {
        // @unroll
        for (var i = 0u; i < WIDTH; i++) {
            let entries = c[beside + (k * M + i) * LANES];
#ifdef C_QUADS
            t[i * ACROSS + 4u * k] = entries.x;
            t[i * ACROSS + 4u * k + 1u] = entries.y;
            t[i * ACROSS + 4u * k + 2u] = entries.z;
            t[i * ACROSS + 4u * k + 3u] = entries.w;
#else
            t[i * ACROSS + k] = entries;
#endif
        }
    }
    // The triangle's own reflectors, below its diagonal.
    // @registers
    var u: array<Real, WIDTH * WIDTH>;
    // @unroll
    for (var k = 0u; k < A_GROUPS; k++) {
        // @unroll
        for (var i = 0u; i < WIDTH; i++) {
            let entries = reflector(triangle + (k * M + i) * LANES);
#ifdef A_QUADS
            u[i * WIDTH + 4u * k] = entries.x;
            u[i * WIDTH + 4u * k + 1u] = entries.y;
            u[i * WIDTH + 4u * k + 2u] = entries.z;
            u[i * WIDTH + 4u * k + 3u] = entries.w;
#else
            u[i * WIDTH + k] = entries;
#endif
        }
    }
#ifndef BACKWARD
    // @unroll
    for (var j = 0u; j < WIDTH; j++) {
        let own = taus[factors + j * BLOCKS * LANES];
        // @unroll
        for (var k = 0u; k < ACROSS; k++) {
            var d = t[j * ACROSS + k];
            // @unroll
            for (var i = j + 1u; i < WIDTH; i++) {
                d += u[i * WIDTH + j] * t[i * ACROSS + k];
            }
            d *= own;
            t[j * ACROSS + k] = t[j * ACROSS + k] - d;
            // @unroll
            for (var i = j + 1u; i < WIDTH; i++) {
                t[i * ACROSS + k] = t[i * ACROSS + k] - d * u[i * WIDTH + j];
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
        }
        // @unroll
        for (var k = 0u; k < A_GROUPS; k++) {
            // @unroll
            for (var i = 0u; i < HEIGHT; i++) {
                let entries = reflector(clearing + (k * M + i) * LANES);
#ifdef A_QUADS
                v[i * WIDTH + 4u * k] = entries.x;
                v[i * WIDTH + 4u * k + 1u] = entries.y;
                v[i * WIDTH + 4u * k + 2u] = entries.z;
                v[i * WIDTH + 4u * k + 3u] = entries.w;
#else
                v[i * WIDTH + k] = entries;
#endif
            }
        }
        // @unroll
        for (var k = 0u; k < C_GROUPS; k++) {
            // @unroll
            for (var i = 0u; i < HEIGHT; i++) {
                let entries = c[rows + (k * M + i) * LANES];
#ifdef C_QUADS
                e[i * ACROSS + 4u * k] = entries.x;
                e[i * ACROSS + 4u * k + 1u] = entries.y;
                e[i * ACROSS + 4u * k + 2u] = entries.z;
                e[i * ACROSS + 4u * k + 3u] = entries.w;
#else
                e[i * ACROSS + k] = entries;
#endif
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
        for (var k = 0u; k < C_GROUPS; k++) {
            // @unroll
            for (var i = 0u; i < HEIGHT; i++) {
#ifdef C_QUADS
                // @constant
                let at = i * ACROSS + 4u * k;
                c[rows + (k * M + i) * LANES] = vec4<Real>(e[at], e[at + 1u], e[at + 2u], e[at + 3u]);
#else
                c[rows + (k * M + i) * LANES] = e[i * ACROSS + k];
#endif
            }
        }
    }
#ifdef BACKWARD
    // @unroll
    for (var step = 0u; step < WIDTH; step++) {
        // @constant
        let j = LAST - step;
        let own = taus[factors + j * BLOCKS * LANES];
        // @unroll
        for (var k = 0u; k < ACROSS; k++) {
            var d = t[j * ACROSS + k];
            // @unroll
            for (var i = j + 1u; i < WIDTH; i++) {
                d += u[i * WIDTH + j] * t[i * ACROSS + k];
            }
            d *= own;
            t[j * ACROSS + k] = t[j * ACROSS + k] - d;
            // @unroll
            for (var i = j + 1u; i < WIDTH; i++) {
                t[i * ACROSS + k] = t[i * ACROSS + k] - d * u[i * WIDTH + j];
            }
        }
    }
#endif
    // @unroll
    for (var k = 0u; k < C_GROUPS; k++) {
        // @unroll
        for (var i = 0u; i < WIDTH; i++) {
#ifdef C_QUADS
            // @constant
            let at = i * ACROSS + 4u * k;
            c[beside + (k * M + i) * LANES] = vec4<Real>(t[at], t[at + 1u], t[at + 2u], t[at + 3u]);
#else
            c[beside + (k * M + i) * LANES] = t[i * ACROSS + k];
#endif
        }
    }
}
