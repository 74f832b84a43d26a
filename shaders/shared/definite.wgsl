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
    refinements: u32,
    nan: Real,    // a NaN: WGSL has no literal for it
    zero: u32,    // 0, unknown to the compiler
    padding_a: u32,
    padding_b: u32,
    padding_c: u32,
}

// What is noted of a matrix: why it has no factor.
const BAD_PIVOT: u32 = 1u;
const BAD_ENTRY: u32 = 2u;

// Stands for the size of the correction before the first one: whatever that is, it is added.
const FIRST: f32 = 3e38;

// A correction's size beside the solution's: 1 where they are the same, to which not every device divides a number by itself.
fn relative_size(correction: Real, solution: Real) -> Real {
    let quotient = select(correction / solution, Real(1.0), correction == solution);
    return select(Real(0.0), quotient, solution > 0.0);
}

// Whether a correction of this size, the one before it and the largest entry of the solution since, leave nothing to
// correct: at the rate of these two, the next would be far below rounding.
fn is_last(size: Real, before: Real, solution: Real) -> bool {
    let rate = select(size / before, Real(1.0), before >= Real(FIRST));
    return size * rate <= Real(0x1p-30f) * solution;
}
