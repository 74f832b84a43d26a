// L as it is given away: zero above its diagonal, or NaN throughout where its matrix has none.
//
// Invocation: one column of one matrix.
#import natgrad::layout::{origin, share}
#import natgrad::definite::Definite

@group(0) @binding(0) var<uniform> matrices: Definite;
@group(0) @binding(1) var<storage, read_write> l: array<Real>;  // size × size
@group(0) @binding(2) var<storage, read> states: array<u32>;

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
    for (var i = 0u; i < select(size, j, good); i++) {
        l[column + i * matrices.lanes] = select(matrices.nan, 0.0, good);
    }
}
