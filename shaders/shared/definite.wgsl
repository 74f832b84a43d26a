// What the kernels of symmetric positive definite matrices share: of each the lower triangle is read.
// The Rust side is src/kernels/cholesky/host.rs; a test compares sizes and offsets.
#define_import_path natgrad::definite

// The same for all matrices of a batch.
struct Definite {
    count: u32,
    size: u32,    // rows and columns of each
    lanes: u32,   // matrices a tile
    first: u32,   // the dispatch's first invocation
    block: u32,   // block column that the dispatch factors
    rights: u32,  // right-hand sides of each
    nan: Real,    // a NaN: WGSL has no literal for it
    zero: u32,    // 0, unknown to the compiler
}

// What is noted of a matrix: why it has no factor.
const BAD_PIVOT: u32 = 1u;
const BAD_ENTRY: u32 = 2u;
