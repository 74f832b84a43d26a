// What is worked on in place: A, or its transpose (TRANSPOSED), with zeros around it up to whole blocks; MEASURED: and the
// largest magnitude of each matrix, an infinity or NaN included.
// Invocation: x is the matrix, y a column of the copy.
#import natgrad::layout::{element, grouped}
#import natgrad::bits::magnitude
#import natgrad::panel::Panel

@group(0) @binding(0) var<uniform> panel: Panel;
@group(0) @binding(1) var<storage, read> a: array<Real>;                   // M × N, or N × M
@group(0) @binding(2) var<storage, read_write> copied: array<Real>;        // ROWS × COLUMNS
#ifdef MEASURED
@group(0) @binding(3) var<storage, read_write> bits: array<atomic<u32>>;   // of the largest magnitude of each matrix
#endif

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
    var largest = 0u;
    for (var i = 0u; i < ROWS; i++) {
        var value: Real = 0.0;
        if i < M && j < N {
#ifdef TRANSPOSED
            value = a[element(b, j, i, N, M)];
#else
            value = a[element(b, i, j, M, N)];
#endif
            largest = max(largest, magnitude(value));
        }
        copied[grouped(b, i, j, ROWS, COLUMNS, GROUP)] = value;
    }
#ifdef MEASURED
    atomicMax(&bits[b], largest);
#endif
}
