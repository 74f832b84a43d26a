// A sweep of block Jacobi over the columns of the working matrix: every pair of column blocks, in the order of a
// round-robin tournament, is made orthogonal. Of the plain kernel's memory traffic a quarter is left.
//
// Invocation: x is the matrix. GRID: y is a pair of blocks, and the dispatch one round, for matrices so large that one
// invocation must not do a whole sweep. The order of operations on a matrix is the same either way.
#import natgrad::layout::{origin, LANES}
#import natgrad::bits::reciprocal
#import natgrad::rotation::{scale_of, turn}
#import natgrad::blocked::{Blocked, State}

@group(0) @binding(0) var<uniform> batch: Blocked;
@group(0) @binding(1) var<storage, read_write> states: array<State>;
@group(0) @binding(2) var<storage, read_write> x: array<vec4<Real>>; // (M+C) × BLOCKS·WIDTH
@group(0) @binding(3) var<storage, read_write> scales: array<Real>;  // BLOCKS·WIDTH × 1

const M: u32 = #{M}u;
const C: u32 = #{C}u;
const BLOCKS: u32 = #{BLOCKS}u;  // even
const WIDTH: u32 = #{WIDTH}u;
const BOTH: u32 = 2u * WIDTH;
const ROWS: u32 = M + C;
const STRIDE: u32 = LANES;
const HOP: u32 = ROWS * LANES;
const NOTE: u32 = LANES;

// The blocks that meet as pair k of a round: the last one stays, the others go round.
fn opponents(round: u32, k: u32) -> vec2<u32> {
    let circle = BLOCKS - 1u;
    let first = (round + k) % circle;
    let second = select((round + circle - k) % circle, circle, k == 0u);
    return vec2<u32>(min(first, second), max(first, second));
}

// @include pair

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let b = batch.first + id.x;
    if b >= batch.count || states[b].running == 0u {
        return;
    }
    let first = origin(b, ROWS * BLOCKS * WIDTH / 4u, LANES);
    let notes = origin(b, BLOCKS * WIDTH, LANES);
    let rounding = batch.tolerance * batch.tolerance;
#ifdef GRID
    let k = batch.pair + id.y;
    if k >= BLOCKS / 2u {
        return;
    }
    let blocks = opponents(batch.round, k);
    let rotated = pair(first, notes, blocks.x, blocks.y, rounding);
#else
    var rotated = false;
    for (var round = 0u; round < BLOCKS - 1u; round++) {
        for (var k = 0u; k < BLOCKS / 2u; k++) {
            let blocks = opponents(round, k);
            let here = pair(first, notes, blocks.x, blocks.y, rounding);
            rotated = rotated || here;
        }
    }
#endif
    if rotated {
        atomicMax(&states[b].rotating, 1u);
    }
}
