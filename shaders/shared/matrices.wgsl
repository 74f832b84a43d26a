// What the kernels of linear algebra know of a batch, and what they tell of each matrix.
// The Rust side is src/kernels/matrices.rs; a test compares sizes and offsets.
#define_import_path natgrad::matrices

// The same for all matrices of a batch.
struct Matrices {
    count: u32,
    max_sweeps: u32,
    tolerance: Real,  // on cosines between columns
    nan: Real,        // a NaN: WGSL has no literal for it
}

// Of one matrix.
struct Report {
    status: u32,
    sweeps: u32,
}

// The statuses of src/linalg/report.rs.
const CONVERGED: u32 = 0u;
const SWEEP_LIMIT: u32 = 1u;
const NON_FINITE: u32 = 2u;
