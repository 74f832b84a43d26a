// What the kernels of the blocked QR share. The Rust side is src/kernels/qr_blocked/host.rs; a test compares sizes and
// offsets.
#define_import_path natgrad::panel

// One panel of columns of all matrices of a batch.
struct Panel {
    count: u32,
    first: u32,    // invocation of this dispatch, where several share the work
    top: u32,      // first row and column of the panel
    begin: u32,    // first column of the matrix that the reflectors are applied to
    nan: Real,     // a NaN: WGSL has no literal for it
    padding_a: u32,
    padding_b: u32,
    padding_c: u32,
}
