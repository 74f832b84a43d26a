// Which solutions by substitution stand: those of matrices whose rank is in no doubt, as ‖T‖·‖T⁻¹‖ (Frobenius norms) is
// far below 1/cutoff. The others' [T | c] goes to a list, for an SVD.
// Invocation: one matrix.
#import natgrad::layout::element
#import natgrad::bits::{is_finite, power_of_two}
#import natgrad::matrices::{Matrices, Report, CONVERGED}

@group(0) @binding(0) var<uniform> matrices: Matrices;
@group(0) @binding(1) var<storage, read> triangle: array<Real>;           // K × (K + C)
@group(0) @binding(2) var<storage, read> solved: array<Real>;             // K × (K + C)
@group(0) @binding(3) var<storage, read> sums: array<Real>;               // BLOCKS × 1
@group(0) @binding(4) var<storage, read_write> x: array<Real>;            // K × C
@group(0) @binding(5) var<storage, read_write> reports: array<Report>;
@group(0) @binding(6) var<storage, read_write> factor: array<Real>;       // K × (K + C), of the matrices in doubt
@group(0) @binding(7) var<storage, read_write> doubt: array<atomic<u32>>; // their number, then which they are
@group(0) @binding(8) var<storage, read> bits: array<u32>;                // of the largest magnitude of each matrix

const K: u32 = #{K}u;
const C: u32 = #{C}u;
const ROWS: u32 = #{ROWS}u;      // blocks of columns of T⁻¹
const BLOCKS: u32 = #{BLOCKS}u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let b = matrices.first + id.x;
    if b >= matrices.count {
        return;
    }
    var largest = bits[b];
    let unit = power_of_two(Real(bitcast<f32>(min(largest, 0x7f7fffffu))));
    for (var j = K; j < K + C; j++) {
        for (var i = 0u; i < K; i++) {
            largest = max(largest, bitcast<u32>(f32(triangle[element(b, i, j, K, K + C)])) & 0x7fffffffu);
        }
    }
    let finite = largest < 0x7f800000u;
    var squares: Real = 0.0;
    for (var j = 0u; j < K; j++) {
        for (var i = 0u; i < K; i++) {
            let entry = triangle[element(b, i, j, K, K + C)] / unit;
            squares += entry * entry;
        }
    }
    var inverse_squares: Real = 0.0;
    for (var block = 0u; block < ROWS; block++) {
        inverse_squares += sums[element(b, block, 0u, BLOCKS, 1u)];
    }
    let condition = squares * inverse_squares;
    if finite && is_finite(f32(condition)) && condition * matrices.doubt * matrices.doubt <= 1.0 {
        for (var k = 0u; k < C; k++) {
            for (var i = 0u; i < K; i++) {
                x[element(b, i, k, K, C)] = solved[element(b, i, K + k, K, K + C)];
            }
        }
        reports[b] = Report(CONVERGED, 0u, K);
        return;
    }
    let slot = atomicAdd(&doubt[0], 1u);
    atomicStore(&doubt[1u + slot], b);
    for (var j = 0u; j < K + C; j++) {
        for (var i = 0u; i < K; i++) {
            factor[element(slot, i, j, K, K + C)] = select(matrices.nan, triangle[element(b, i, j, K, K + C)], finite);
        }
    }
}
