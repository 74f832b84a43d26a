// Merges HEIGHT rows `e` of COLUMNS entries each into the triangle `r`, of N rows as long: a Householder reflection a column clears
// the first N columns of what is below, and turns the others with them. Rows of the triangle lie COLUMNS apart.
// @unroll
for (var j = 0u; j < N; j++) {
    var bits = magnitude(r[j * COLUMNS + j]);
    // @unroll
    for (var i = 0u; i < HEIGHT; i++) {
        bits = max(bits, magnitude(e[i * COLUMNS + j]));
    }
    let unit = power_of_two(Real(bitcast<f32>(bits)));
    let inverse_unit = 1.0 / unit;
    let pivot = r[j * COLUMNS + j] * inverse_unit;
    var below: Real = 0.0;
    // @unroll
    for (var i = 0u; i < HEIGHT; i++) {
        e[i * COLUMNS + j] = e[i * COLUMNS + j] * inverse_unit;
        below += e[i * COLUMNS + j] * e[i * COLUMNS + j];
    }
    // I where all is zero.
    let h = reflection(pivot, below, pivot == 0.0 && below == 0.0);
    r[j * COLUMNS + j] = h.beta * unit;
    // @unroll
    for (var i = 0u; i < HEIGHT; i++) {
        e[i * COLUMNS + j] = e[i * COLUMNS + j] * h.by;
    }
    // @unroll
    for (var k = j + 1u; k < COLUMNS; k++) {
        var d = r[j * COLUMNS + k];
        // @unroll
        for (var i = 0u; i < HEIGHT; i++) {
            d += e[i * COLUMNS + j] * e[i * COLUMNS + k];
        }
        d *= h.tau;
        r[j * COLUMNS + k] = r[j * COLUMNS + k] - d;
        // @unroll
        for (var i = 0u; i < HEIGHT; i++) {
            e[i * COLUMNS + k] = e[i * COLUMNS + k] - d * e[i * COLUMNS + j];
        }
    }
}
