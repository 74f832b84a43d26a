// Matrices without the zeros around them; all of a matrix that is not finite is NaN. UNIT: their columns, orthonormal but
// for the rounding of many reflections, over their lengths.
// Invocation: x is the matrix, y a column.
#import natgrad::layout::{element, grouped}
#import natgrad::bits::INFINITE
#import natgrad::panel::Panel

@group(0) @binding(0) var<uniform> panel: Panel;
@group(0) @binding(1) var<storage, read> padded: array<Real>;          // ROWS × COLUMNS
@group(0) @binding(2) var<storage, read> bits: array<u32>;             // of the largest magnitude of each matrix
@group(0) @binding(3) var<storage, read_write> cropped: array<Real>;   // M × N

const M: u32 = #{M}u;
const N: u32 = #{N}u;
const ROWS: u32 = #{ROWS}u;
const COLUMNS: u32 = #{COLUMNS}u;
const GROUP: u32 = #{GROUP}u;  // columns of which an entry each is had at once

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let b = panel.first + id.x;
    let j = id.y;
    if b >= panel.count {
        return;
    }
    let finite = bits[b] < INFINITE;
    var by: Real = 1.0;
#ifdef UNIT
    var square: Real = 0.0;
    for (var i = 0u; i < M; i++) {
        let x = padded[grouped(b, i, j, ROWS, COLUMNS, GROUP)];
        square += x * x;
    }
    // Of a singular value of zero no vector is left, where none was completed.
    by = select(Real(1.0), 1.0 / sqrt(square), square > 0.0);
#endif
    for (var i = 0u; i < M; i++) {
        cropped[element(b, i, j, M, N)] = select(panel.nan, padded[grouped(b, i, j, ROWS, COLUMNS, GROUP)] * by, finite);
    }
}
