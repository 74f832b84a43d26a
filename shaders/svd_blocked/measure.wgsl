// The largest magnitude of each matrix, an infinity or NaN included; of what it carries only those two count.
// Invocation: x is the matrix, y a column.
#import natgrad::layout::element
#import natgrad::bits::{INFINITE, magnitude}
#import natgrad::blocked::{Blocked, State}

@group(0) @binding(0) var<uniform> batch: Blocked;
@group(0) @binding(1) var<storage, read_write> states: array<State>;
@group(0) @binding(2) var<storage, read> a: array<Real>;  // A_ROWS × A_COLUMNS

const M: u32 = #{M}u;
const A_ROWS: u32 = #{A_ROWS}u;
const A_COLUMNS: u32 = #{A_COLUMNS}u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let b = batch.first + id.x;
    if b >= batch.count || id.y >= A_COLUMNS {
        return;
    }
    var largest = 0u;
    for (var i = 0u; i < A_ROWS; i++) {
        largest = max(largest, magnitude(a[element(b, i, id.y, A_ROWS, A_COLUMNS)]));
    }
#ifdef CARRIED
    if id.y >= M && largest < INFINITE {
        return;
    }
#endif
    atomicMax(&states[b].largest, largest);
}
