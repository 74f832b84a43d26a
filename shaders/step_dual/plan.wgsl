// How a step by the kernel matrix is to be solved for, once its Cholesky factor L is there: so many rounds, or not at all.
// Invocation: a place in the list of these problems.
#import natgrad::layout::element
#import natgrad::bits::power_of_two
#import natgrad::problem::Problem
#import natgrad::dual::{rounds, DESCENT, DOUBT}

@group(0) @binding(0) var<storage, read> problems: array<Problem>;
@group(0) @binding(1) var<storage, read> listed: array<u32>;        // how many, then which and their place in the roster
@group(0) @binding(2) var<storage, read> notes: array<u32>;         // of the list: why there is no factor, or 0
@group(0) @binding(3) var<storage, read> bits: array<u32>;          // of the root of the trace of JJᵀ + εI, of the list
@group(0) @binding(4) var<storage, read> squares: array<Real>;      // BLOCKS × 1: of uL⁻¹, u the power of two at that root
@group(0) @binding(5) var<storage, read_write> plans: array<u32>;   // of the list

const BLOCKS: u32 = #{BLOCKS}u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let place = id.x;
    if place >= listed[0] || plans[place] == DESCENT {
        return;
    }
    let problem = problems[listed[1u + 2u * place]];
    let root = Real(bitcast<f32>(min(bits[place], 0x7f7fffffu)));
    // The trace of (JJᵀ + εI)⁻¹.
    var sum: Real = 0.0;
    for (var k = 0u; k < BLOCKS; k++) {
        sum += squares[element(place, k, 0u, BLOCKS, 1u)];
    }
    let unit = power_of_two(root);
    plans[place] = select(rounds(problem, root * root, sum / unit / unit, 1.0), DOUBT, notes[place] != 0u);
}
