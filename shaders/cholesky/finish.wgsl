// L takes back the root of the power of four that its matrix was divided by, or is NaN throughout where there is none.
//
// Invocation: one column of one matrix.
#import natgrad::layout::{origin, share}
#import natgrad::definite::Definite

@group(0) @binding(0) var<uniform> matrices: Definite;
@group(0) @binding(1) var<storage, read_write> l: array<Real>;  // size × size
@group(0) @binding(2) var<storage, read> roots: array<Real>;    // one a matrix
@group(0) @binding(3) var<storage, read> states: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let size = matrices.size;
    let work = share(matrices.first + id.x, size, matrices.lanes);
    let b = work.x;
    let j = work.y;
    if b >= matrices.count {
        return;
    }
    let column = origin(b, size * size, matrices.lanes) + j * size * matrices.lanes;
    let good = states[b] == 0u;
    let root = roots[b];
    for (var i = select(0u, j, good); i < size; i++) {
        let at = column + i * matrices.lanes;
        l[at] = select(matrices.nan, l[at] * root, good);
    }
}
