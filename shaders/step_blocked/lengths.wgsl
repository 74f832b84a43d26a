// Length and largest magnitude of every column of [J | e] at the trial points, or of e ALONE, block of rows by block. Rows
// past a problem's last are zero.
//
// Squares are summed over SEGMENT rows at a time, in units of the largest of them, as in qr: neither the rounding nor the
// range is that of all rows.
//
// Invocation: x is the place in the roster, y a column; ALONE: the last one.
#import natgrad::layout::element
#import natgrad::bits::{length2, power_of_two}
#import natgrad::problem::Block

@group(0) @binding(0) var<uniform> span: Block;
@group(0) @binding(1) var<storage, read> roster: array<u32>;             // the problems at work: how many, then which
@group(0) @binding(2) var<storage, read> block: array<Real>;             // stride × COLUMNS, of the roster
@group(0) @binding(3) var<storage, read_write> lengths: array<Real>;     // COLUMNS × 1, of the roster
@group(0) @binding(4) var<storage, read_write> bits: array<atomic<u32>>; // of the largest magnitudes of J and of e

const COLUMNS: u32 = #{P}u + 1u;
const SEGMENT: u32 = 256u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let at = id.x;
#ifdef ALONE
    let j = COLUMNS - 1u;
#else
    let j = id.y;
#endif
    if at >= roster[0] {
        return;
    }
    var length: Real = 0.0;
    if span.first != 0u {
        length = lengths[element(at, j, 0u, COLUMNS, 1u)];
    }
    let above = span.stride - span.rows;
    var worst = 0u;
    for (var first = 0u; first < span.rows; first += SEGMENT) {
        let last = min(first + SEGMENT, span.rows);
        var largest = 0u;
        for (var i = first; i < last; i++) {
            let value = block[element(at, above + i, j, span.stride, COLUMNS)];
            largest = max(largest, bitcast<u32>(f32(value)) & 0x7fffffffu);
        }
        worst = max(worst, largest);
        let unit = power_of_two(Real(bitcast<f32>(largest)));
        var sum: Real = 0.0;
        for (var i = first; i < last; i++) {
            let value = block[element(at, above + i, j, span.stride, COLUMNS)] / unit;
            sum += value * value;
        }
        length = length2(length, sqrt(sum) * unit);
    }
    lengths[element(at, j, 0u, COLUMNS, 1u)] = length;
    atomicMax(&bits[2u * at + select(0u, 1u, j == COLUMNS - 1u)], worst);
}
