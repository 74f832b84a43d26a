// x = WΣ(Σ² + ε)⁻¹β over the singular values above the cutoff, and ‖Uᵣᵀe‖: of the SVD of the small triangle of a wide problem,
// Qx then is the step.
//
// Invocation: x is a place in the list of problems that step by rotations, y a block of WIDTH entries.
#import natgrad::layout::element
#import natgrad::matrices::{Report, CONVERGED}
#import natgrad::bits::power_of_two
#import natgrad::problem::Problem

@group(0) @binding(0) var<storage, read> problems: array<Problem>;
@group(0) @binding(1) var<storage, read> doubted: array<u32>;             // how many, then which and their place in the roster
@group(0) @binding(2) var<storage, read> w: array<Real>;                  // N × N, of the list: W
@group(0) @binding(3) var<storage, read> carried: array<Real>;            // 1 × N, of the list: β
@group(0) @binding(4) var<storage, read> values: array<Real>;             // N × 1, of the list: σ, descending
@group(0) @binding(5) var<storage, read> reports: array<Report>;          // of the list
@group(0) @binding(6) var<storage, read_write> solution: array<Real>;     // N × 1, of the list: x
@group(0) @binding(7) var<storage, read_write> tangents: array<Real>;     // of the list: ‖Uᵣᵀe‖; −1 where rotations found no end

const N: u32 = #{K}u;
const WIDTH: u32 = #{WIDTH}u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let place = id.x;
    if place >= doubted[0] {
        return;
    }
    let problem = problems[doubted[1u + 2u * place]];
    let left = id.y * WIDTH;
    // No square overflows.
    var largest: Real = 0.0;
    for (var i = 0u; i < N; i++) {
        largest = max(largest, abs(carried[element(place, 0u, i, 1u, N)]));
    }
    let unit = power_of_two(largest);
    let by_unit = 1.0 / unit;
    let least = problem.cutoff * values[element(place, 0u, 0u, N, 1u)];
    // @registers
    var sums: array<Real, WIDTH>;
    // @unroll
    for (var k = 0u; k < WIDTH; k++) {
        sums[k] = 0.0;
    }
    var square: Real = 0.0;
    for (var i = 0u; i < min(N, problem.fixed_rank); i++) {
        let s = values[element(place, i, 0u, N, 1u)];
        if !(s > 0.0 && s > least) {
            break;
        }
        let beta = carried[element(place, 0u, i, 1u, N)] * by_unit;
        let by = beta / (s + problem.damping / s);
        square += beta * beta;
        // @unroll
        for (var k = 0u; k < WIDTH; k++) {
            // Entries beyond the last are the last once more, and are not written.
            sums[k] += w[element(place, min(left + k, N - 1u), i, N, N)] * by;
        }
    }
    // @unroll
    for (var k = 0u; k < WIDTH; k++) {
        if left + k < N {
            solution[element(place, left + k, 0u, N, 1u)] = sums[k] * unit;
        }
    }
    if id.y == 0u {
        tangents[place] = select(Real(-1.0), sqrt(square) * unit, reports[place].status == CONVERGED);
    }
}
