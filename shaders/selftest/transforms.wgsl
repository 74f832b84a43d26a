// Sums and products with their rounding errors, for the host to compare.
#import natgrad::bits::{two_sum, two_prod}

@group(0) @binding(0) var<storage, read> pairs: array<vec2<f32>>;
@group(0) @binding(1) var<storage, read> zero: array<u32>;
@group(0) @binding(2) var<storage, read_write> results: array<vec4<f32>>;  // sum, its error, product, its error

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= arrayLength(&pairs) {
        return;
    }
    let a = pairs[i].x;
    let b = pairs[i].y;
    results[i] = vec4<f32>(two_sum(a, b, zero[0]), two_prod(a, b, zero[0]));
}
