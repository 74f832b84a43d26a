// The Jacobi rotation that makes two columns orthogonal, for columns that keep a power of two each.
#define_import_path natgrad::rotation

// Columns shorter than this, beside a largest entry near 1, count as zero: σ = 0, and never rotated. The ratio of two
// columns and the entries that matter of either are then normal numbers of f32.
const NEGLIGIBLE: Real = 8e-28;

// Squares of ratios beyond this overflow, and make no difference where they would not.
const HUGE: Real = 1e18;

struct Rotation {
    tangent: Real,
    cosine: Real,
    sine: Real,
}

// Of columns with squared lengths x and y and dot product g, each over its column's scale; `ratio` is the scale of the
// second over that of the first, `back` its inverse. `apart` says whether they are to be rotated at all.
// t = sign(ζ)/(|ζ| + √(1+ζ²)), ζ = d/2g; where both are 0 there is nothing to rotate.
fn rotation(x: Real, y: Real, g: Real, ratio: Real, back: Real, apart: bool) -> Rotation {
    // Lengths and dot product over the product of both scales.
    let d = y * ratio - x * back;
    let root = select(sqrt(d * d + 4.0 * g * g), abs(d), abs(d) > HUGE);
    let t = select(Real(0.0), 2.0 * select(g, -g, d < 0.0) / max(abs(d) + root, Real(1e-37)), apart);
    let c = 1.0 / sqrt(1.0 + t * t);
    return Rotation(t, c, c * t);
}
