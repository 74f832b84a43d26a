// The SVDs of the problems just factored, to where their steps look for them until the next accepted point.
// Invocation: x is the place among those factored, y a direction.
#import natgrad::layout::element
#import natgrad::matrices::{Report, CONVERGED}
#import natgrad::problem::{State, DUAL_DONE, FACTORIZATION_LIMIT}

@group(0) @binding(0) var<storage, read> fresh: array<u32>;            // how many, then which and their place in the roster
@group(0) @binding(1) var<storage, read> w: array<Real>;               // P × K: W Σ⁻¹
@group(0) @binding(2) var<storage, read> carried: array<Real>;         // 1 × K: β
@group(0) @binding(3) var<storage, read> values: array<Real>;          // K × 1: σ
@group(0) @binding(4) var<storage, read> reports: array<Report>;
@group(0) @binding(5) var<storage, read_write> states: array<State>;
@group(0) @binding(6) var<storage, read_write> v: array<Real>;         // (P+1) × K: V, and β below it
@group(0) @binding(7) var<storage, read_write> sigma: array<Real>;     // K × 1

const P: u32 = #{P}u;
const K: u32 = #{K}u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let place = id.x;
    let i = id.y;
    if place >= fresh[0] {
        return;
    }
    let b = fresh[1u + 2u * place];
    for (var j = 0u; j < P; j++) {
        v[element(b, j, i, P + 1u, K)] = w[element(place, j, i, P, K)];
    }
    v[element(b, P, i, P + 1u, K)] = carried[element(place, 0u, i, 1u, K)];
    sigma[element(b, i, 0u, K, 1u)] = values[element(place, i, 0u, K, 1u)];
    if i == 0u {
        states[b].sweeps = reports[place].sweeps;
        // Of a problem that has its step they are for a record only.
        if reports[place].status != CONVERGED && states[b].fresh != DUAL_DONE {
            states[b].status = FACTORIZATION_LIMIT;
        }
    }
}
