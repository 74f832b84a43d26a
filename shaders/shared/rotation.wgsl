// The Jacobi rotations that make two columns orthogonal, for columns that keep a power of two each.
#define_import_path natgrad::rotation

// Columns shorter than this, beside a largest entry near 1, count as zero: σ = 0, and never rotated. The ratio of two
// columns and the entries that matter of either are then normal numbers of f32.
const NEGLIGIBLE: Real = 8e-28;

// Squares of ratios beyond this overflow, and make no difference where they would not.
const HUGE: Real = 1e18;

// By an angle θ. Columns p and r become p − s(r + hp) and r + s(p − hr), in which 1 − cos θ = sh is added to what is
// there, as Rutishauser has it (Wilkinson and Reinsch, Handbook for Automatic Computation II (1971), contribution II/1):
// a cosine rounded to 1 beside a sine that is not 0 would lengthen both a little, and always again: it made σ too large by
// up to 130 roundings at 64 columns and by 1,500 at 512, where 4 and 9 are left.
struct Rotation {
    tangent: Real,
    sine: Real,
    half: Real,     // tan(θ/2)
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
    let s = c * t;
    return Rotation(t, s, s / (1.0 + c));
}

// The same for columns that stand for themselves times the root of a weight each, and keep their lengths in that: columns p and
// r become p − forth·r and r + back·p, half the operations of a rotation, and both weights are divided by `grown` = 1 + tan²θ.
// That is orthogonal whatever the rounding of θ is, since forth : back are as the weights. Fast plane rotations: W. M.
// Gentleman, J. Inst. Maths Applics 12 (1973) 329; in one-sided Jacobi Z. Drmač, SIAM J. Sci. Comput. 18 (1997) 1200.
struct Turn {
    forth: Real,
    back: Real,
    grown: Real,
}

// Of columns with squared lengths x and y and dot product g, each over its column's scale and without the weights u and w.
// `forth` and `back` are for columns that are not over their scales; over them they are forth·ratio and back/ratio.
fn turn(x: Real, y: Real, g: Real, u: Real, w: Real, ratio: Real, inverse: Real, apart: bool) -> Turn {
    let d = y * w * ratio - x * u * inverse;
    let root = select(sqrt(d * d + 4.0 * g * g * (u * w)), abs(d), abs(d) > HUGE);
    let t = select(Real(0.0), 2.0 * select(g, -g, d < 0.0) / max(abs(d) + root, Real(1e-37)), apart);
    return Turn(t * w, t * u, 1.0 + (t * w) * (t * u));
}
