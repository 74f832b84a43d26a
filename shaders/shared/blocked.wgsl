// What the kernels of the register-blocked SVD share: its state of a matrix, and where its working matrix lies.
// The Rust side is src/kernels/svd/blocked.rs; a test compares sizes and offsets.
#define_import_path natgrad::blocked

// The same for all matrices of a batch.
struct Blocked {
    count: u32,
    tolerance: Real,   // on cosines between columns
    nan: Real,         // a NaN: WGSL has no literal for it
    round: u32,        // of the tournament, where a dispatch is one round
    sweep: u32,        // sweeps before this one
    groups: u32,       // workgroups over the matrices
    cutoff: Real,      // relative, on σ
    padding: u32,
}

// Of one matrix, changed by several invocations at once.
struct State {
    largest: atomic<u32>,   // the bits of its largest |entry|
    rotating: atomic<u32>,  // 1: a pair of columns was rotated in this sweep
    running: u32,           // 1: not yet orthogonal
    sweeps: u32,
}

// The bits of an infinity; those of a NaN are above.
const INFINITE: u32 = 0x7f800000u;
