// The lengths of the columns of W, measured at the end, so that no error of the rotations adds up in σ.
// Invocation: x is the matrix, y a column.
#import natgrad::layout::element
#import natgrad::bits::power_of_two
#import natgrad::rotation::scale_of
#import natgrad::blocked::{Blocked}

@group(0) @binding(0) var<uniform> batch: Blocked;
@group(0) @binding(1) var<storage, read> x: array<vec4<Real>>;       // (M+C) × PADDED, of four columns each
@group(0) @binding(2) var<storage, read_write> lengths: array<Real>; // PADDED × 1

const M: u32 = #{M}u;
const C: u32 = #{C}u;
const PADDED: u32 = #{PADDED}u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let b = batch.first + id.x;
    let j = id.y;
    if b >= batch.count || j >= PADDED {
        return;
    }
    var big: Real = 0.0;
    for (var i = 0u; i < M; i++) {
        big = max(big, abs(x[element(b, i, j / 4u, M + C, PADDED / 4u)][j % 4u]));
    }
    let unit = power_of_two(big);
    var sum: Real = 0.0;
    for (var i = 0u; i < M; i++) {
        let value = x[element(b, i, j / 4u, M + C, PADDED / 4u)][j % 4u] / unit;
        sum += value * value;
    }
    lengths[element(b, j, 0u, PADDED, 1u)] = select(Real(0.0), sqrt(sum) * unit, scale_of(big) > 0.0);
}
