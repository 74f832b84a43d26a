// [A | B] of matrices A and B with equally many rows.
// Invocation: x is the matrix, y a column of the result.
#import natgrad::layout::element
#import natgrad::matrices::Matrices

@group(0) @binding(0) var<uniform> matrices: Matrices;
@group(0) @binding(1) var<storage, read> a: array<Real>;             // ROWS × A_COLUMNS
@group(0) @binding(2) var<storage, read> b: array<Real>;             // ROWS × B_COLUMNS
@group(0) @binding(3) var<storage, read_write> joined: array<Real>;  // ROWS × (A_COLUMNS + B_COLUMNS)

const ROWS: u32 = #{ROWS}u;
const A_COLUMNS: u32 = #{A_COLUMNS}u;
const B_COLUMNS: u32 = #{B_COLUMNS}u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let index = matrices.first + id.x;
    let j = id.y;
    if index >= matrices.count {
        return;
    }
    for (var i = 0u; i < ROWS; i++) {
        var value: Real = 0.0;
        if j < A_COLUMNS {
            value = a[element(index, i, j, ROWS, A_COLUMNS)];
        } else {
            value = b[element(index, i, j - A_COLUMNS, ROWS, B_COLUMNS)];
        }
        joined[element(index, i, j, ROWS, A_COLUMNS + B_COLUMNS)] = value;
    }
}
