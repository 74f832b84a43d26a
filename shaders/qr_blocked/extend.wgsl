// The identity, or a matrix with rows of zeros below (UPPER), and zeros around either up to whole blocks: what Q is
// multiplied by.
// Invocation: x is the matrix, y a column.
#import natgrad::layout::{element, grouped}
#import natgrad::panel::Panel

@group(0) @binding(0) var<uniform> panel: Panel;
@group(0) @binding(1) var<storage, read_write> extended: array<Real>;  // ROWS × COLUMNS
#ifdef UPPER
@group(0) @binding(2) var<storage, read> upper: array<Real>;           // K × C
#endif

const ROWS: u32 = #{ROWS}u;
const COLUMNS: u32 = #{COLUMNS}u;
const GROUP: u32 = #{GROUP}u;  // columns of which an entry each is had at once
const K: u32 = #{K}u;
const C: u32 = #{C}u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let b = panel.first + id.x;
    let j = id.y;
    if b >= panel.count {
        return;
    }
    for (var i = 0u; i < ROWS; i++) {
        var value: Real = 0.0;
        if i < K && j < C {
#ifdef UPPER
            value = upper[element(b, i, j, K, C)];
#else
            value = select(Real(0.0), Real(1.0), i == j);
#endif
        }
        extended[grouped(b, i, j, ROWS, COLUMNS, GROUP)] = value;
    }
}
