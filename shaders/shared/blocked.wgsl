// What the kernels of the register-blocked SVD share: its state of a matrix, and where its working matrix lies.
// The Rust side is src/kernels/svd/blocked.rs; a test compares sizes and offsets.
#define_import_path natgrad::blocked

// The same for all matrices of a batch.
struct Blocked {
    count: u32,
    tolerance: Real,   // on cosines between columns
    nan: Real,         // a NaN: WGSL has no literal for it
    round: u32,        // of the tournament, where a dispatch is one round
    sweep: u32,        // place of this sweep in the list of workgroups
    groups: u32,       // workgroups over the matrices of a dispatch
    cutoff: Real,      // relative, on σ
    first: u32,        // matrix of the dispatch
    pair: u32,         // first pair of blocks of the dispatch, where it is part of a round
}

// Of one matrix, changed by several invocations at once.
struct State {
    largest: atomic<u32>,   // the bits of its largest |entry|
    rotating: atomic<u32>,  // 1: a pair of columns was rotated in this sweep
    running: u32,           // 1: not yet orthogonal
    sweeps: u32,
}
