// What the kernels of linear algebra know of a batch, and what they tell of each matrix.
// The Rust side is src/kernels/matrices.rs; a test compares sizes and offsets.
#define_import_path natgrad::matrices

// The same for all matrices of a batch.
struct Matrices {
    count: u32,
    max_sweeps: u32,
    tolerance: Real,  // on cosines between columns
    nan: Real,        // a NaN: WGSL has no literal for it
    cutoff: Real,     // relative, on σ
    doubt: Real,      // the rank is in doubt where the condition is above the inverse of this
    first: u32,       // invocation of this dispatch, where several share the work
    padding: u32,
}

// Of one matrix.
struct Report {
    status: u32,
    sweeps: u32,
    rank: u32,        // singular values above the cutoff
}

// The statuses of src/linalg/report.rs.
const CONVERGED: u32 = 0u;
const SWEEP_LIMIT: u32 = 1u;
const NON_FINITE: u32 = 2u;
