// r = e − Jt − εα, what a round leaves for the next: t = Jᵀα as it was rounded, which is what the step will be.
//
// Invocation: x is a place in the list of problems that step by the kernel matrix, y a block of ROWS rows.
#import natgrad::layout::element
#import natgrad::problem::Problem
#import natgrad::dual::{Round, MOST_ROUNDS}

@group(0) @binding(0) var<uniform> round: Round;
@group(0) @binding(1) var<storage, read> problems: array<Problem>;
@group(0) @binding(2) var<storage, read> listed: array<u32>;            // how many, then which and their place in the roster
@group(0) @binding(3) var<storage, read> plans: array<u32>;             // of the list
@group(0) @binding(4) var<storage, read> block: array<Real>;            // N × (P+1), of the roster: [J | e]
@group(0) @binding(5) var<storage, read> alpha: array<Real>;            // N × 1, of the list
@group(0) @binding(6) var<storage, read> sums: array<Real>;             // (P + 3·BLOCKS) × 1, of the list: t, then squares
@group(0) @binding(7) var<storage, read_write> residual: array<Real>;   // N × 1, of the list

const P: u32 = #{P}u;
const N: u32 = #{K}u;
const WIDTH: u32 = #{WIDTH}u;
const HEIGHT: u32 = P + 3u * ((P + WIDTH - 1u) / WIDTH);
const ROWS: u32 = #{ROWS}u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let place = id.x;
    if place >= listed[0] || plans[place] > MOST_ROUNDS || round.number >= plans[place] {
        return;
    }
    let at = listed[2u + 2u * place];
    let damping = problems[listed[1u + 2u * place]].damping;
    let top = id.y * ROWS;
    // Rows beyond the last are the last once more, and are not written.
    // @registers
    var row: array<u32, ROWS>;
    // @registers
    var r: array<Real, ROWS>;
    // @unroll
    for (var i = 0u; i < ROWS; i++) {
        row[i] = min(top + i, N - 1u);
        r[i] = block[element(at, row[i], P, N, P + 1u)] - damping * alpha[element(place, row[i], 0u, N, 1u)];
    }
    for (var j = 0u; j < P; j++) {
        let t = sums[element(place, j, 0u, HEIGHT, 1u)];
        // @unroll
        for (var i = 0u; i < ROWS; i++) {
            r[i] -= block[element(at, row[i], j, N, P + 1u)] * t;
        }
    }
    // @unroll
    for (var i = 0u; i < ROWS; i++) {
        if top + i < N {
            residual[element(place, row[i], 0u, N, 1u)] = r[i];
        }
    }
}
