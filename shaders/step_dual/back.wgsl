// t = Jᵀα, by what the round adds to α; with the last round the trial point θ − ηt, and the squares of a block of t, θ and,
// for gradient descent, J.
//
// Invocation: x is a place in the list of problems that step by the kernel matrix, y a block of WIDTH parameters.
#import natgrad::layout::element
#import natgrad::problem::Problem
#import natgrad::dual::{Round, DESCENT, DOUBT}

@group(0) @binding(0) var<uniform> round: Round;
@group(0) @binding(1) var<storage, read> problems: array<Problem>;
@group(0) @binding(2) var<storage, read> listed: array<u32>;           // how many, then which and their place in the roster
@group(0) @binding(3) var<storage, read> plans: array<u32>;            // of the list
@group(0) @binding(4) var<storage, read> block: array<Real>;           // N × (P+1), of the roster: [J | e]
@group(0) @binding(5) var<storage, read> change: array<Real>;          // N × 1, of the list: what is added to α
@group(0) @binding(6) var<storage, read> theta: array<Real>;           // P × 1
@group(0) @binding(7) var<storage, read_write> trial: array<Real>;     // P × 1
@group(0) @binding(8) var<storage, read_write> sums: array<Real>;      // (P + 3·BLOCKS) × 1, of the list: t, then squares

const P: u32 = #{P}u;
const N: u32 = #{K}u;
const WIDTH: u32 = #{WIDTH}u;
const BLOCKS: u32 = (P + WIDTH - 1u) / WIDTH;
const HEIGHT: u32 = P + 3u * BLOCKS;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let place = id.x;
    if place >= listed[0] || plans[place] == DOUBT {
        return;
    }
    let descends = plans[place] == DESCENT;
    let last = select(plans[place], 0u, descends);
    if round.number > last {
        return;
    }
    let b = listed[1u + 2u * place];
    let at = listed[2u + 2u * place];
    let left = id.y * WIDTH;
    // Columns beyond the last are the last once more, and are not written.
    // @registers
    var column: array<u32, WIDTH>;
    // @registers
    var t: array<Real, WIDTH>;
    var of_jacobian: Real = 0.0;
    // @unroll
    for (var k = 0u; k < WIDTH; k++) {
        column[k] = min(left + k, P - 1u);
        t[k] = 0.0;
        if round.number > 0u {
            t[k] = sums[element(place, column[k], 0u, HEIGHT, 1u)];
        }
    }
    for (var i = 0u; i < N; i++) {
        let d = change[element(place, i, 0u, N, 1u)];
        // @unroll
        for (var k = 0u; k < WIDTH; k++) {
            let entry = block[element(at, i, column[k], N, P + 1u)];
            t[k] += entry * d;
            of_jacobian += entry * entry;
        }
    }
    if round.number < last {
        // @unroll
        for (var k = 0u; k < WIDTH; k++) {
            if left + k < P {
                sums[element(place, column[k], 0u, HEIGHT, 1u)] = t[k];
            }
        }
        return;
    }
    let step_size = problems[b].step_size;
    // After the sum nothing leaves the range of f32 that the step does not.
    let by = select(Real(1.0), problems[b].power, descends);
    var of_step: Real = 0.0;
    var of_theta: Real = 0.0;
    // @unroll
    for (var k = 0u; k < WIDTH; k++) {
        if left + k < P {
            let slot = element(b, column[k], 0u, P, 1u);
            let here = theta[slot];
            let delta = t[k] * by;
            trial[slot] = here - step_size * delta;
            of_step += delta * delta;
            of_theta += here * here;
        }
    }
    sums[element(place, P + id.y, 0u, HEIGHT, 1u)] = of_step;
    sums[element(place, P + BLOCKS + id.y, 0u, HEIGHT, 1u)] = of_theta;
    sums[element(place, P + 2u * BLOCKS + id.y, 0u, HEIGHT, 1u)] = of_jacobian;
}
