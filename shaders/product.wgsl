// AᵀA or AAᵀ: the dot products of the columns of every matrix, or of its rows, here both called vectors.
//
// BLOCK × BLOCK products are summed in registers while their 2·BLOCK vectors stream by, so that an entry read serves
// BLOCK multiply-adds. Terms are summed from zero in segments of about √length, and these join the total: a sum of n
// terms is off by at most 2√n + 32 units of roundoff and not by n.
//
// LISTED: the products of a list of the matrices, in its order.
//
// Invocation: one block of the lower triangle of one result; its mirror image is written too. ALONE: the result is one
// block, of which the lower triangle is computed.
#import natgrad::layout::{origin, share}

struct Product {
    count: u32,          // matrices
    lanes: u32,          // of them a tile of `a`
    result_lanes: u32,   // and a tile of `result`
    vectors: u32,        // the side of the result
    length: u32,         // entries of a vector
    vector_stride: u32,  // elements of A from a vector to the next
    entry_stride: u32,   // and from an entry to the next
    segment: u32,        // entries summed from zero
    first: u32,          // this dispatch's first invocation,
    start: u32,          // its first entry, a multiple of `segment`,
    end: u32,            // and the one after its last
    elements: u32,       // of a matrix of `a`, with what stands beside it
}

@group(0) @binding(0) var<uniform> product: Product;
@group(0) @binding(1) var<storage, read> a: array<Real>;
@group(0) @binding(2) var<storage, read_write> result: array<Real>;  // vectors × vectors
#ifdef LISTED
@group(0) @binding(3) var<storage, read> listed: array<u32>;         // how many, then of each two words: the second is its place in `a`
#endif

const BLOCK: u32 = #{BLOCK}u;
#ifdef ALONE
const ALONE: u32 = 1u;
#else
const ALONE: u32 = 0u;
#endif

// Block row and column of block p of the lower triangle of blocks × blocks: short rows lie end to end with long ones,
// so that all have the same length.
fn place(p: u32, blocks: u32) -> vec2<u32> {
    let odd = blocks % 2u;
    let width = blocks + 1u - odd;
    let row = p / width;
    let at = p % width;
    let short = row + 1u - odd;
    if at < short {
        return vec2<u32>(short - 1u, at);
    }
    return vec2<u32>(blocks - 1u - row, at - short);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let blocks = (product.vectors + BLOCK - 1u) / BLOCK;
    let work = share(product.first + id.x, blocks * (blocks + 1u) / 2u, product.lanes);
    let b = work.x;
    if b >= product.count {
        return;
    }
    let block = place(work.y, blocks);
    let side = product.vectors;
    let out = origin(b, side * side, product.result_lanes);
#ifdef LISTED
    let matrix = origin(listed[2u + 2u * b], product.elements, product.lanes);
#else
    let matrix = origin(b, product.elements, product.lanes);
#endif
    let step = product.entry_stride * product.lanes;
    let last = side - 1u;

    // Where the vectors of the block begin; those beyond the last are the last once more, and are not written.
    // @registers
    var left: array<u32, BLOCK>;
    // @registers
    var right: array<u32, BLOCK>;
    // @registers
    var total: array<Real, BLOCK * BLOCK>;
    // @registers
    var sum: array<Real, BLOCK * BLOCK>;
    // @registers
    var x: array<Real, BLOCK>;
    // @registers
    var y: array<Real, BLOCK>;
    // @unroll
    for (var j = 0u; j < BLOCK; j++) {
        let row = min(block.x * BLOCK + j, last);
        left[j] = matrix + row * product.vector_stride * product.lanes;
        right[j] = matrix + min(block.y * BLOCK + j, last) * product.vector_stride * product.lanes;
        // @unroll
        for (var k = 0u; k < j + 1u + (BLOCK - 1u - j) * (1u - ALONE); k++) {
            total[j * BLOCK + k] = 0.0;
            if product.start > 0u {
                let column = min(block.y * BLOCK + k, last);
                total[j * BLOCK + k] = result[out + (column * side + row) * product.result_lanes];
            }
        }
    }

    for (var start = product.start; start < product.end; start += product.segment) {
        // @unroll
        for (var j = 0u; j < BLOCK * BLOCK; j++) {
            sum[j] = 0.0;
        }
        let end = min(start + product.segment, product.end);
        for (var i = start; i < end; i++) {
            // @unroll
            for (var j = 0u; j < BLOCK; j++) {
                x[j] = a[left[j] + i * step];
#ifdef ALONE
                y[j] = x[j];
#else
                y[j] = a[right[j] + i * step];
#endif
            }
            // @unroll
            for (var j = 0u; j < BLOCK; j++) {
                // @unroll
                for (var k = 0u; k < j + 1u + (BLOCK - 1u - j) * (1u - ALONE); k++) {
                    sum[j * BLOCK + k] += x[j] * y[k];
                }
            }
        }
        // @unroll
        for (var j = 0u; j < BLOCK; j++) {
            // @unroll
            for (var k = 0u; k < j + 1u + (BLOCK - 1u - j) * (1u - ALONE); k++) {
                total[j * BLOCK + k] += sum[j * BLOCK + k];
            }
        }
    }

    // @unroll
    for (var j = 0u; j < BLOCK; j++) {
        let row = block.x * BLOCK + j;
        // @unroll
        for (var k = 0u; k < j + 1u + (BLOCK - 1u - j) * (1u - ALONE); k++) {
            let column = block.y * BLOCK + k;
            if row < side && column < side {
                result[out + (column * side + row) * product.result_lanes] = total[j * BLOCK + k];
                result[out + (row * side + column) * product.result_lanes] = total[j * BLOCK + k];
            }
        }
    }
}
