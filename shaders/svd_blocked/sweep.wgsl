// A sweep of block Jacobi over the columns of the working matrix: every pair of column blocks, in the order of a
// round-robin tournament, is made orthogonal. The Gram matrix of its columns is summed and diagonalised in registers,
// and the product of those rotations is applied to the columns in one pass: of the plain kernel's memory traffic a
// quarter is left. Gram matrix and rotations keep a power of two for each column, as in svd, so that graded matrices
// lose nothing to underflow.
//
// Invocation: x is the matrix. GRID: y is a pair of blocks, and the dispatch one round, for matrices so large that one
// invocation must not do a whole sweep. The order of operations on a matrix is the same either way.
#import natgrad::layout::LANES
#import natgrad::bits::power_of_two
#import natgrad::rotation::{rotation, NEGLIGIBLE}
#import natgrad::blocked::{Blocked, State}

@group(0) @binding(0) var<uniform> batch: Blocked;
@group(0) @binding(1) var<storage, read_write> states: array<State>;
@group(0) @binding(2) var<storage, read_write> x: array<Real>;      // (M+C) × BLOCKS·WIDTH
@group(0) @binding(3) var<storage, read_write> scales: array<Real>; // BLOCKS·WIDTH × 1

const M: u32 = #{M}u;
const C: u32 = #{C}u;
const BLOCKS: u32 = #{BLOCKS}u;  // even
const WIDTH: u32 = #{WIDTH}u;
const BOTH: u32 = 2u * WIDTH;
const ROWS: u32 = M + C;

// The blocks that meet as pair k of a round: the last one stays, the others go round.
fn opponents(round: u32, k: u32) -> vec2<u32> {
    let circle = BLOCKS - 1u;
    let first = (round + k) % circle;
    let second = select((round + circle - k) % circle, circle, k == 0u);
    return vec2<u32>(min(first, second), max(first, second));
}

// Orthogonalises the columns of blocks p < q of matrix b; whether they were not.
fn pair(b: u32, p: u32, q: u32) -> bool {
    let tile = (b / LANES) * ROWS * (BLOCKS * WIDTH) * LANES + b % LANES;
    let lengths = (b / LANES) * (BLOCKS * WIDTH) * LANES + b % LANES;
    // @registers
    var base: array<u32, BOTH>;
    // @registers
    var scale: array<Real, BOTH>;
    // @registers
    var inverse: array<Real, BOTH>;
    // @registers
    var g: array<Real, BOTH * BOTH>;
    // @unroll
    for (var j = 0u; j < BOTH; j++) {
        let column = select(q * WIDTH + j - WIDTH, p * WIDTH + j, j < WIDTH);
        base[j] = tile + column * ROWS * LANES;
        scale[j] = scales[lengths + column * LANES];
        inverse[j] = select(Real(0.0), 1.0 / scale[j], scale[j] > NEGLIGIBLE);
        // @unroll
        for (var k = j; k < BOTH; k++) {
            g[j * BOTH + k] = 0.0;
        }
    }
    for (var i = 0u; i < M; i++) {
        // @registers
        var c: array<Real, BOTH>;
        // @unroll
        for (var j = 0u; j < BOTH; j++) {
            c[j] = x[base[j] + i * LANES] * inverse[j];
        }
        // @unroll
        for (var j = 0u; j < BOTH; j++) {
            // @unroll
            for (var k = j; k < BOTH; k++) {
                g[j * BOTH + k] += c[j] * c[k];
            }
        }
    }

    // Whether any cosine is more than rounding.
    let rounding = batch.tolerance * batch.tolerance;
    var off = false;
    // @unroll
    for (var j = 0u; j < BOTH - 1u; j++) {
        // @unroll
        for (var k = j + 1u; k < BOTH; k++) {
            let gg = g[j * BOTH + k] * g[j * BOTH + k];
            let xy = g[j * BOTH + j] * g[k * BOTH + k];
            off = off || gg > rounding * xy;
        }
    }
    if !off {
        return false;
    }

    // The rotations that diagonalise g, multiplied up in r, from which the identity is left out: what is next to 1 keeps
    // its last digits. A pair whose cosine is rounding stays as it is: columns of
    // equal length would be turned by any angle, and what is already orthogonal to both would be lost.
    // @registers
    var r: array<Real, BOTH * BOTH>;
    // @unroll
    for (var j = 0u; j < BOTH; j++) {
        // @unroll
        for (var k = 0u; k < BOTH; k++) {
            r[j * BOTH + k] = 0.0;
        }
    }
    // Again in the order of a tournament: the pairs of a round have no column in common, so that the device can work on
    // several at once.
    // @unroll
    for (var round = 0u; round < BOTH - 1u; round++) {
        // @unroll
        for (var match_ = 0u; match_ < WIDTH; match_++) {
            // @constant
            let one = (round + match_) % (BOTH - 1u);
            // @constant
            let two = (round + BOTH - 1u - match_) % (BOTH - 1u) + (BOTH - 1u - one) * (1u / (match_ + 1u));
            // @constant
            let j = min(one, two);
            // @constant
            let k = max(one, two);
            let xx = g[j * BOTH + j];
            let yy = g[k * BOTH + k];
            let xy = g[j * BOTH + k];
            // A column of zeros has no scale and stays.
            let ratio = scale[k] * inverse[j];
            let back = scale[j] * inverse[k];
            let turn = rotation(xx, yy, xy, ratio, back, xy * xy > rounding * (xx * yy));
            let sine = turn.sine;
            let half = turn.half;
            let forth = sine * ratio;
            let behind = sine * back;
            let near = half * back;
            let far = half * ratio;
            // @unroll
            for (var i = 0u; i < j; i++) {
                let u = g[i * BOTH + j];
                let v = g[i * BOTH + k];
                g[i * BOTH + j] = u - forth * (v + near * u);
                g[i * BOTH + k] = v + behind * (u - far * v);
            }
            // @unroll
            for (var i = j + 1u; i < k; i++) {
                let u = g[j * BOTH + i];
                let v = g[i * BOTH + k];
                g[j * BOTH + i] = u - forth * (v + near * u);
                g[i * BOTH + k] = v + behind * (u - far * v);
            }
            // @unroll
            for (var i = k + 1u; i < BOTH; i++) {
                let u = g[j * BOTH + i];
                let v = g[k * BOTH + i];
                g[j * BOTH + i] = u - forth * (v + near * u);
                g[k * BOTH + i] = v + behind * (u - far * v);
            }
            g[j * BOTH + j] = max(xx - turn.tangent * ratio * xy, 0.0);
            g[k * BOTH + k] = max(yy + turn.tangent * back * xy, 0.0);
            g[j * BOTH + k] = 0.0;
            // @unroll
            for (var i = 0u; i < BOTH; i++) {
                let u = r[i * BOTH + j];
                let v = r[i * BOTH + k];
                let p = select(u, u + 1.0, i == j);
                let q = select(v, v + 1.0, i == k);
                r[i * BOTH + j] = u - sine * (q + half * p);
                r[i * BOTH + k] = v + sine * (p - half * q);
            }
        }
    }

    // The new scales are those of the columns as they come out: where the Gram matrix cancels to zero the columns are not
    // zero but rounding, and a scale that stayed behind would let their squares underflow.
    // @registers
    var big: array<Real, BOTH>;
    // @unroll
    for (var j = 0u; j < BOTH; j++) {
        big[j] = 0.0;
    }
    for (var i = 0u; i < ROWS; i++) {
        // @registers
        var e: array<Real, BOTH>;
        // @unroll
        for (var j = 0u; j < BOTH; j++) {
            e[j] = x[base[j] + i * LANES];
        }
        // @unroll
        for (var j = 0u; j < BOTH; j++) {
            var change: Real = 0.0;
            // @unroll
            for (var k = 0u; k < BOTH; k++) {
                change += e[k] * r[k * BOTH + j];
            }
            let sum = e[j] + change;
            x[base[j] + i * LANES] = sum;
            big[j] = select(big[j], max(big[j], abs(sum)), i < M);
        }
    }
    // @unroll
    for (var j = 0u; j < BOTH; j++) {
        let column = select(q * WIDTH + j - WIDTH, p * WIDTH + j, j < WIDTH);
        scales[lengths + column * LANES] = select(Real(1.0), power_of_two(big[j]), big[j] > NEGLIGIBLE);
    }
    return true;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let b = batch.first + id.x;
    if b >= batch.count || states[b].running == 0u {
        return;
    }
#ifdef GRID
    let k = batch.pair + id.y;
    if k >= BLOCKS / 2u {
        return;
    }
    let blocks = opponents(batch.round, k);
    let rotated = pair(b, blocks.x, blocks.y);
#else
    var rotated = false;
    for (var round = 0u; round < BLOCKS - 1u; round++) {
        for (var k = 0u; k < BLOCKS / 2u; k++) {
            let blocks = opponents(round, k);
            let here = pair(b, blocks.x, blocks.y);
            rotated = rotated || here;
        }
    }
#endif
    if rotated {
        atomicMax(&states[b].rotating, 1u);
    }
}
