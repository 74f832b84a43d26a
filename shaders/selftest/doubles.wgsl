// Arithmetic of the scalar type, for the host to compare: the self-test compiles it with f64.

@group(0) @binding(0) var<storage, read> pairs: array<Real>;            // a, b, a, b, …
@group(0) @binding(1) var<storage, read_write> results: array<Real>;    // a + b, a·b, a / b, √|a|, …

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if 2u * i >= arrayLength(&pairs) {
        return;
    }
    let a = pairs[2u * i];
    let b = pairs[2u * i + 1u];
    results[4u * i] = a + b;
    results[4u * i + 1u] = a * b;
    results[4u * i + 2u] = a / b;
    results[4u * i + 3u] = sqrt(abs(a));
}
