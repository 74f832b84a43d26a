// What is worked on in place: A, or its transpose (TRANSPOSED), with zeros around it up to whole blocks; MEASURED: and the
// largest magnitude of each matrix, an infinity or NaN included. LISTED: of [Aᵀ | e], the matrices of a list, and e beside it.
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
#ifdef LISTED
@group(0) @binding(4) var<storage, read> list: array<u32>;                 // how many, then pairs of numbers: the second is the matrix
@group(0) @binding(5) var<storage, read_write> beside: array<Real>;        // N × 1
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
#ifdef LISTED
    let from_ = list[2u + 2u * b];
    if j < N {
        beside[element(b, j, 0u, N, 1u)] = a[element(from_, j, M, N, M + 1u)];
    }
#endif
    var largest = 0u;
    for (var i = 0u; i < ROWS; i++) {
        var value: Real = 0.0;
        if i < M && j < N {
#ifdef LISTED
            value = a[element(from_, j, i, N, M + 1u)];
#else
#ifdef TRANSPOSED
            value = a[element(b, j, i, N, M)];
#else
            value = a[element(b, i, j, M, N)];
#endif
#endif
            largest = max(largest, magnitude(value));
        }
        copied[grouped(b, i, j, ROWS, COLUMNS, GROUP)] = value;
    }
#ifdef MEASURED
    atomicMax(&bits[b], largest);
#endif
}
