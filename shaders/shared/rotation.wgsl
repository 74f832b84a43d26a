// The Jacobi rotations that make two columns orthogonal, for columns that keep a power of two each.
#define_import_path natgrad::rotation
#import natgrad::bits::power_of_two

// Columns shorter than this, beside a largest entry near 1, count as zero: σ = 0, and never rotated. The ratio of two
// columns and the entries that matter of either are then normal numbers of f32.
const NEGLIGIBLE: Real = 8e-28;

// Sums of squares below this are not trusted: a column over its scale that several rotations of a sweep have cancelled, one after
// another, may have entries whose squares underflow.
const FAINT: Real = 1e-28;

// What a column is kept over whose largest entry this is; 0 for one that counts as zero.
fn scale_of(largest: Real) -> Real {
    let scale = power_of_two(largest);
    return select(Real(0.0), scale, min(scale, largest) > NEGLIGIBLE);
}

// One over the power of two of |x| or |y|, whichever is larger: over it their squares neither overflow nor underflow. Where two
// columns had cancelled in the same sweep, d and g were so small that of √(d² + 4g²) nothing was left, and tangents without end.
fn common_inverse(x: Real, y: Real) -> Real {
    return Real(bitcast<f32>(0x7f000000u - (bitcast<u32>(f32(max(abs(x), abs(y)))) & 0x7f800000u)));
}

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
    let difference = y * ratio - x * back;
    let by = common_inverse(difference, g);
    let d = difference * by;
    let h = g * by;
    let root = sqrt(d * d + 4.0 * h * h);
    let t = select(Real(0.0), 2.0 * select(h, -h, d < 0.0) / (abs(d) + root), apart);
    let c = 1.0 / sqrt(1.0 + t * t);
    let s = c * t;
    return Rotation(t, s, s / (1.0 + c));
}

// The same for columns that stand for themselves times the root of a weight each, and keep their lengths in that: columns p and
// r become p − forth·r and r + back·p, half the operations of a rotation, and both weights are divided by `grown` = 1 + tan²θ.
// That is orthogonal whatever the rounding of θ is, since forth : back are as the weights. Fast plane rotations: W. M.
// Gentleman, J. Inst. Maths Applics 12 (1973) 329; in one-sided Jacobi Z. Drmač, SIAM J. Sci. Comput. 18 (1997) 1200.
//
// A weight loses the part `lost` = sin²θ: multiplied by a quotient near 1 instead, it would be off by two units of the last place
// where devices divide to 2.5, on the same side every time, and a matrix has hundreds of rotations.
struct Turn {
    forth: Real,
    back: Real,
    grown: Real,
    lost: Real,
}

// Of columns with squared lengths x and y and dot product g, each over its column's scale and without the weights u and w.
// `forth` and `back` are for columns that are not over their scales; over them they are forth·ratio and back/ratio.
fn turn(x: Real, y: Real, g: Real, u: Real, w: Real, ratio: Real, inverse: Real, apart: bool) -> Turn {
    let difference = y * w * ratio - x * u * inverse;
    let by = common_inverse(difference, g);
    let d = difference * by;
    let h = g * by;
    let root = sqrt(d * d + 4.0 * h * h * (u * w));
    let t = select(Real(0.0), 2.0 * select(h, -h, d < 0.0) / (abs(d) + root), apart);
    let square = (t * w) * (t * u);
    return Turn(t * w, t * u, 1.0 + square, square / (1.0 + square));
}
