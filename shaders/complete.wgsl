// Orthonormal columns in the place of those that an SVD left at zero, since their σ is zero: any do that are of unit
// length and orthogonal to all others.
//
// Each comes from the coordinate vector eᵢ whose row of W has the least length so far: of eᵢ the part 1 − |row|² of its
// square is orthogonal to the columns that are there, which is at least 1/N. What rounding takes away with the rest a
// second orthogonalisation brings back: "twice is enough" (Kahan; Parlett, The Symmetric Eigenvalue Problem, §6-9).
//
// Invocation: one matrix. Columns lie by descending σ, so that those at zero are the last ones.
#import natgrad::layout::element

struct Completion {
    count: u32,    // matrices
    rows: u32,     // of W
    columns: u32,
    matrix: u32,   // this dispatch's first matrix,
    first: u32,    // the first column that it completes
    end: u32,      // and the one after its last
}

@group(0) @binding(0) var<uniform> completion: Completion;
@group(0) @binding(1) var<storage, read> sigma: array<Real>;     // columns × 1
@group(0) @binding(2) var<storage, read_write> w: array<Real>;   // rows × columns

fn at(b: u32, i: u32, j: u32) -> u32 {
    return element(b, i, j, completion.rows, completion.columns);
}

// Whether σ of column k is zero; that of a matrix that is not finite, NaN, is none.
fn is_zero(b: u32, k: u32) -> bool {
    let value = sigma[element(b, k, 0u, completion.columns, 1u)];
    return (bitcast<u32>(f32(value)) & 0x7fffffffu) == 0u;
}

// Whether column k holds nothing: a σ so small that only itself was flushed leaves a column that is sound.
fn is_empty(b: u32, k: u32) -> bool {
    var largest: Real = 0.0;
    for (var i = 0u; i < completion.rows; i++) {
        largest = max(largest, abs(w[at(b, i, k)]));
    }
    return largest == 0.0;
}

// Completes column k, with those before it there.
fn complete(b: u32, k: u32) {
    // The row of least length, the first of several.
    var row = 0u;
    var least: Real = 2.0 * Real(completion.columns);
    for (var i = 0u; i < completion.rows; i++) {
        var sum: Real = 0.0;
        for (var j = 0u; j < k; j++) {
            let x = w[at(b, i, j)];
            sum += x * x;
        }
        row = select(row, i, sum < least);
        least = min(least, sum);
    }
    w[at(b, row, k)] = 1.0;
    if least == 0.0 {
        // A row of zeros: its coordinate vector is orthogonal to all columns as it is.
        return;
    }
    for (var pass_ = 0u; pass_ < 2u; pass_++) {
        for (var j = 0u; j < k; j++) {
            var dot: Real = 0.0;
            for (var i = 0u; i < completion.rows; i++) {
                dot += w[at(b, i, j)] * w[at(b, i, k)];
            }
            for (var i = 0u; i < completion.rows; i++) {
                w[at(b, i, k)] = w[at(b, i, k)] - dot * w[at(b, i, j)];
            }
        }
    }
    var square: Real = 0.0;
    for (var i = 0u; i < completion.rows; i++) {
        square += w[at(b, i, k)] * w[at(b, i, k)];
    }
    // At least 1/N, unless the SVD ran out of sweeps and the columns before are not orthogonal.
    let length = max(sqrt(square), Real(1e-18));
    for (var i = 0u; i < completion.rows; i++) {
        w[at(b, i, k)] = w[at(b, i, k)] / length;
    }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let b = completion.matrix + id.x;
    if b >= completion.count || !is_zero(b, completion.columns - 1u) {
        return;
    }
    for (var k = completion.first; k < completion.end; k++) {
        if is_zero(b, k) && is_empty(b, k) {
            complete(b, k);
        }
    }
}
