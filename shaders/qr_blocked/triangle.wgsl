// [R | c] of factored matrices: the triangle (K × N, zeros below its diagonal) and the first K rows of c beside it; or
// [Rᵀ | c] (LOWER, K × K and c). All of a matrix that is not finite is NaN. The result may be the first rows of
// larger matrices.
// Invocation: x is the matrix, y a column of the result.
#import natgrad::layout::{element, grouped}
#import natgrad::bits::INFINITE
#import natgrad::panel::Panel

@group(0) @binding(0) var<uniform> panel: Panel;
@group(0) @binding(1) var<storage, read> a: array<Real>;               // A_ROWS × A_COLUMNS
@group(0) @binding(2) var<storage, read> bits: array<u32>;             // of the largest magnitude of each matrix
@group(0) @binding(3) var<storage, read_write> triangle: array<Real>;  // HEIGHT × (N + C), the first K rows of it
#ifdef BESIDE
@group(0) @binding(4) var<storage, read> c: array<Real>;               // C_ROWS × C_COLUMNS
#endif

const A_ROWS: u32 = #{A_ROWS}u;
const A_COLUMNS: u32 = #{A_COLUMNS}u;
const K: u32 = #{K}u;
const N: u32 = #{N}u;
const C: u32 = #{C}u;
const C_ROWS: u32 = #{C_ROWS}u;
const C_COLUMNS: u32 = #{C_COLUMNS}u;
const HEIGHT: u32 = #{HEIGHT}u;
// Columns of either of which an entry each is had at once.
const A_GROUP: u32 = #{A_GROUP}u;
const C_GROUP: u32 = #{C_GROUP}u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let b = panel.first + id.x;
    let j = id.y;
    if b >= panel.count {
        return;
    }
    let finite = bits[b] < INFINITE;
    for (var i = 0u; i < K; i++) {
        var value: Real = 0.0;
#ifdef LOWER
        if j <= i {
            value = a[grouped(b, j, i, A_ROWS, A_COLUMNS, A_GROUP)];
        }
#else
        if i <= j && j < N {
            value = a[grouped(b, i, j, A_ROWS, A_COLUMNS, A_GROUP)];
        }
#endif
#ifdef BESIDE
        if j >= N {
            value = c[grouped(b, i, j - N, C_ROWS, C_COLUMNS, C_GROUP)];
        }
#endif
        triangle[element(b, i, j, HEIGHT, N + C)] = select(panel.nan, value, finite);
    }
}
