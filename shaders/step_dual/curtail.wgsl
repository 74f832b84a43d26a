// Sets the last rows of [R₂ | Q₂ᵀe] to zero that are together no longer than a rounding of R₂: ‖dropped‖ ≤ u‖R₂‖ (Frobenius), less
// than what storing J in f32 has changed of it. The tangent kernels of networks have a rank of a tenth of their points in f32, and
// to make the rest orthogonal, which is noise, would take most of the rotations.
//
// Invocation: a place in the list of problems that step by rotations.
#import natgrad::layout::element
#import natgrad::bits::power_of_two

@group(0) @binding(0) var<storage, read> doubted: array<u32>;            // how many, then which and their place in the roster
@group(0) @binding(1) var<storage, read_write> triangle: array<Real>;    // N × (N+1), of the list: [R₂ | Q₂ᵀe]

const N: u32 = #{K}u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let place = id.x;
    if place >= doubted[0] {
        return;
    }
    // Over a power of two no square overflows, and those that underflow are nothing beside a rounding, squared.
    var largest: Real = 0.0;
    for (var j = 0u; j < N; j++) {
        for (var i = 0u; i <= j; i++) {
            largest = max(largest, abs(triangle[element(place, i, j, N, N + 1u)]));
        }
    }
    let by_unit = 1.0 / power_of_two(largest);
    var whole: Real = 0.0;
    for (var j = 0u; j < N; j++) {
        for (var i = 0u; i <= j; i++) {
            let entry = triangle[element(place, i, j, N, N + 1u)] * by_unit;
            whole += entry * entry;
        }
    }
    // u², u = 2⁻²⁴. A NaN drops nothing.
    let most = whole * Real(0x1p-48f);
    var dropped: Real = 0.0;
    for (var up = 0u; up < N; up++) {
        let i = N - 1u - up;
        for (var j = i; j < N; j++) {
            let entry = triangle[element(place, i, j, N, N + 1u)] * by_unit;
            dropped += entry * entry;
        }
        if !(dropped <= most) {
            return;
        }
        for (var j = i; j < N; j++) {
            triangle[element(place, i, j, N, N + 1u)] = 0.0;
        }
    }
}
