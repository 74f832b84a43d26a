// Back to the columns as they were: the rows of V in their order, and the singular values times the power of two.
// Invocation: x is the matrix, y a singular value.
#import natgrad::layout::element
#import natgrad::bits::power_of_two
#import natgrad::matrices::Matrices

@group(0) @binding(0) var<uniform> matrices: Matrices;
@group(0) @binding(1) var<storage, read> bits: array<u32>;             // of the largest magnitude of each matrix
@group(0) @binding(2) var<storage, read_write> sigma: array<Real>;     // N × 1
#ifdef VECTORS
@group(0) @binding(3) var<storage, read> order: array<u32>;            // N × 1: the column that came in each place
@group(0) @binding(4) var<storage, read> sorted: array<Real>;          // N × N
@group(0) @binding(5) var<storage, read_write> restored: array<Real>;  // N × N
#endif

const N: u32 = #{N}u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let b = matrices.first + id.x;
    let k = id.y;
    if b >= matrices.count {
        return;
    }
    let unit = power_of_two(Real(bitcast<f32>(bits[b])));
    let at = element(b, k, 0u, N, 1u);
    sigma[at] = sigma[at] * unit;
#ifdef VECTORS
    for (var place = 0u; place < N; place++) {
        let j = order[element(b, place, 0u, N, 1u)];
        restored[element(b, j, k, N, N)] = sorted[element(b, place, k, N, N)];
    }
#endif
}
