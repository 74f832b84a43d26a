// Where an element of a MatrixBatch lies; src/gpu/layout.rs says the same.
#define_import_path natgrad::layout

// Problems a tile: 64, or as many as fit a buffer.
const LANES: u32 = #{LANES}u;

// Element (i, j) of problem b in column-major rows × columns matrices, interleaved in tiles of LANES problems.
fn element(b: u32, i: u32, j: u32, rows: u32, columns: u32) -> u32 {
    return (b / LANES) * rows * columns * LANES + (j * rows + i) * LANES + b % LANES;
}

// The same in matrices whose columns come in groups of 1 or 4: the entries of a row of a group are neighbours, so that they can
// be had by one access.
fn grouped(b: u32, i: u32, j: u32, rows: u32, columns: u32, group: u32) -> u32 {
    return ((b / LANES) * rows * columns + (j / group * rows + i) * group) * LANES + (b % LANES) * group + j % group;
}

// Where matrix b begins in tiles of `lanes` matrices of so many elements: element (i, j) lies (j·rows + i)·lanes further.
fn origin(b: u32, elements: u32, lanes: u32) -> u32 {
    return (b / lanes) * elements * lanes + b % lanes;
}

// The matrix and which of its `parts` invocation g works on: neighbours have the same part of neighbouring matrices, and
// where tiles hold few matrices, neighbouring parts.
fn share(g: u32, parts: u32, lanes: u32) -> vec2<u32> {
    let rest = g / lanes;
    return vec2<u32>((rest / parts) * lanes + g % lanes, rest % parts);
}
