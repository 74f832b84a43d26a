// Where an element of a MatrixBatch lies; src/gpu/layout.rs says the same.
#define_import_path natgrad::layout

// Problems a tile.
const LANES: u32 = 64u;

// Element (i, j) of problem b in column-major rows × columns matrices, interleaved in tiles of LANES problems.
fn element(b: u32, i: u32, j: u32, rows: u32, columns: u32) -> u32 {
    return (b / LANES) * rows * columns * LANES + (j * rows + i) * LANES + b % LANES;
}
