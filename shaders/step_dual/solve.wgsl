// α += d, LLᵀd = r, d in the place of r. Of gradient descent d is r as it stands.
//
// ROWS rows at a time are substituted in registers, while those done stream by.
//
// Invocation: a place in the list of problems that step by the kernel matrix.
#import natgrad::layout::element
#import natgrad::dual::{Round, MOST_ROUNDS, DOUBT}

@group(0) @binding(0) var<uniform> round: Round;
@group(0) @binding(1) var<storage, read> listed: array<u32>;            // how many, then which and their place in the roster
@group(0) @binding(2) var<storage, read> notes: array<u32>;             // of the list: why there is no factor, or 0
@group(0) @binding(3) var<storage, read> l: array<Real>;                // N × N, of the list: the lower triangle
@group(0) @binding(4) var<storage, read_write> plans: array<u32>;       // of the list
@group(0) @binding(5) var<storage, read_write> residual: array<Real>;   // N × 1, of the list
@group(0) @binding(6) var<storage, read_write> alpha: array<Real>;      // N × 1, of the list

const N: u32 = #{K}u;
const ROWS: u32 = 4u;
const BLOCKS: u32 = (N + ROWS - 1u) / ROWS;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let place = id.x;
    if place >= listed[0] || plans[place] > MOST_ROUNDS || round.number > plans[place] {
        return;
    }
    if notes[place] != 0u {
        plans[place] = DOUBT;
        return;
    }
    for (var block = 0u; block < BLOCKS; block++) {
        let top = block * ROWS;
        // Rows beyond the last are the last once more, and are not written.
        // @registers
        var row: array<u32, ROWS>;
        // @registers
        var x: array<Real, ROWS>;
        // @unroll
        for (var i = 0u; i < ROWS; i++) {
            row[i] = min(top + i, N - 1u);
            x[i] = residual[element(place, row[i], 0u, N, 1u)];
        }
        for (var t = 0u; t < top; t++) {
            let y = residual[element(place, t, 0u, N, 1u)];
            // @unroll
            for (var i = 0u; i < ROWS; i++) {
                x[i] -= l[element(place, row[i], t, N, N)] * y;
            }
        }
        // @unroll
        for (var i = 0u; i < ROWS; i++) {
            // @unroll
            for (var j = 0u; j < i; j++) {
                x[i] -= l[element(place, row[i], row[j], N, N)] * x[j];
            }
            x[i] = x[i] / l[element(place, row[i], row[i], N, N)];
            if top + i < N {
                residual[element(place, row[i], 0u, N, 1u)] = x[i];
            }
        }
    }
    for (var count = 0u; count < BLOCKS; count++) {
        let top = (BLOCKS - 1u - count) * ROWS;
        // @registers
        var row: array<u32, ROWS>;
        // @registers
        var x: array<Real, ROWS>;
        // @unroll
        for (var i = 0u; i < ROWS; i++) {
            row[i] = min(top + i, N - 1u);
            x[i] = residual[element(place, row[i], 0u, N, 1u)];
        }
        for (var t = top + ROWS; t < N; t++) {
            let y = residual[element(place, t, 0u, N, 1u)];
            // @unroll
            for (var i = 0u; i < ROWS; i++) {
                x[i] -= l[element(place, t, row[i], N, N)] * y;
            }
        }
        // @unroll
        for (var up = 0u; up < ROWS; up++) {
            // @constant
            let i = ROWS - 1u - up;
            // Those beyond the last have no part in the others.
            x[i] = select(Real(0.0), x[i] / l[element(place, row[i], row[i], N, N)], top + i < N);
            // @unroll
            for (var above = 0u; above < i; above++) {
                x[above] -= l[element(place, row[i], row[above], N, N)] * x[i];
            }
            if top + i < N {
                let at = element(place, row[i], 0u, N, 1u);
                residual[at] = x[i];
                alpha[at] += x[i];
            }
        }
    }
}
