// [R D | c], or [J D | e] of wide problems, D the column scaling; APART: e on its own.
// Invocation: x is the place among those to be factored, y a column.
#import natgrad::layout::element
#import natgrad::bits::power_of_two
#import natgrad::problem::Problem

@group(0) @binding(0) var<storage, read> problems: array<Problem>;
@group(0) @binding(1) var<storage, read> fresh: array<u32>;            // how many, then which and their place in the roster
@group(0) @binding(2) var<storage, read> unscaled: array<Real>;        // HEIGHT × (P+1), of the roster
@group(0) @binding(3) var<storage, read> measured: array<Real>;        // (P+1) × 1, of the roster: column lengths
@group(0) @binding(4) var<storage, read_write> lengths: array<Real>;   // P × 1: those of J, for the step
@group(0) @binding(5) var<storage, read_write> factor: array<Real>;    // K × (P+1); APART: K × P
#ifdef APART
@group(0) @binding(6) var<storage, read_write> beside: array<Real>;    // K × 1
#endif

const P: u32 = #{P}u;
const K: u32 = #{K}u;
const HEIGHT: u32 = #{HEIGHT}u;

fn put(place: u32, i: u32, j: u32, value: Real) {
#ifdef APART
    if j == P {
        beside[element(place, i, 0u, K, 1u)] = value;
    } else {
        factor[element(place, i, j, K, P)] = value;
    }
#else
    factor[element(place, i, j, K, P + 1u)] = value;
#endif
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let place = id.x;
    let j = id.y;
    if place >= fresh[0] {
        return;
    }
    let b = fresh[1u + 2u * place];
    let at = fresh[2u + 2u * place];
    var unit: Real = 1.0;
    var length: Real = 1.0;
    if j < P {
        let measured_length = measured[element(at, j, 0u, P + 1u, 1u)];
        lengths[element(b, j, 0u, P, 1u)] = measured_length;
        if problems[b].scaling != 0u && measured_length > 0.0 {
            // Two divisions: the length may be no normal number where the entries are none.
            unit = power_of_two(measured_length);
            length = measured_length / unit;
        }
    }
    for (var i = 0u; i < K; i++) {
        put(place, i, j, unscaled[element(at, i, j, HEIGHT, P + 1u)] / unit / length);
    }
}
