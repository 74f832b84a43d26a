// What a step by the kernel matrix begins with: JJᵀ + εI and the residual to be solved for.
// Invocation: a place in the list of these problems.
#import natgrad::layout::element
#import natgrad::problem::{Problem, GRADIENT}
#import natgrad::dual::DESCENT

@group(0) @binding(0) var<storage, read> problems: array<Problem>;
@group(0) @binding(1) var<storage, read> listed: array<u32>;             // how many, then which and their place in the roster
@group(0) @binding(2) var<storage, read> block: array<Real>;             // N × (P+1), of the roster: [J | e]
@group(0) @binding(3) var<storage, read_write> kernel: array<Real>;      // N × N, of the list: JJᵀ, becomes JJᵀ + εI
@group(0) @binding(4) var<storage, read_write> residual: array<Real>;    // N × 1, of the list
@group(0) @binding(5) var<storage, read_write> alpha: array<Real>;       // N × 1, of the list
@group(0) @binding(6) var<storage, read_write> plans: array<u32>;        // of the list: DESCENT or not
@group(0) @binding(7) var<storage, read_write> bits: array<u32>;         // of the root of the trace of JJᵀ + εI, of the list

const P: u32 = #{P}u;
const N: u32 = #{K}u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let place = id.x;
    if place >= listed[0] {
        return;
    }
    let problem = problems[listed[1u + 2u * place]];
    let at = listed[2u + 2u * place];
    var trace: Real = 0.0;
    let descends = problem.filter_kind == GRADIENT;
#ifdef SOLVES
    for (var i = 0u; i < N; i++) {
        let diagonal = element(place, i, i, N, N);
        let entry = kernel[diagonal] + problem.damping;
        trace += entry;
        kernel[diagonal] = entry;
    }
#endif
    for (var i = 0u; i < N; i++) {
        residual[element(place, i, 0u, N, 1u)] = block[element(at, i, P, N, P + 1u)];
        alpha[element(place, i, 0u, N, 1u)] = 0.0;
    }
    plans[place] = select(0u, DESCENT, descends);
    bits[place] = bitcast<u32>(f32(sqrt(trace)));
}
