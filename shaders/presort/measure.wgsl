// The largest magnitude of each column of A, or of its transpose (TRANSPOSED), and of each matrix, an infinity or NaN
// included.
// Invocation: x is the matrix, y a column.
#import natgrad::layout::element
#import natgrad::bits::magnitude
#import natgrad::matrices::Matrices

@group(0) @binding(0) var<uniform> matrices: Matrices;
@group(0) @binding(1) var<storage, read> a: array<Real>;                   // M × N, or N × M
@group(0) @binding(2) var<storage, read_write> heights: array<u32>;        // N × 1: bits of the largest magnitude
@group(0) @binding(3) var<storage, read_write> bits: array<atomic<u32>>;   // the same of each matrix

const M: u32 = #{M}u;
const N: u32 = #{N}u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let b = matrices.first + id.x;
    let j = id.y;
    if b >= matrices.count {
        return;
    }
    var largest = 0u;
    for (var i = 0u; i < M; i++) {
#ifdef TRANSPOSED
        let value = a[element(b, j, i, N, M)];
#else
        let value = a[element(b, i, j, M, N)];
#endif
        largest = max(largest, magnitude(value));
    }
    heights[element(b, j, 0u, N, 1u)] = largest;
    atomicMax(&bits[b], largest);
}
