// Whether is_finite sees NaN and infinity, in values read and in values computed.
#import natgrad::bits::is_finite

@group(0) @binding(0) var<storage, read> pairs: array<vec2<f32>>;
@group(0) @binding(1) var<storage, read_write> verdicts: array<u32>;  // of a, a·b, a / b and a − b

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= arrayLength(&pairs) {
        return;
    }
    let a = pairs[i].x;
    let b = pairs[i].y;
    verdicts[4u * i] = u32(is_finite(a));
    verdicts[4u * i + 1u] = u32(is_finite(a * b));
    verdicts[4u * i + 2u] = u32(is_finite(a / b));
    verdicts[4u * i + 3u] = u32(is_finite(a - b));
}
