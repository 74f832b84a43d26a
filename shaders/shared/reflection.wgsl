// The Householder reflections that clear what lies below a pivot.
#define_import_path natgrad::reflection

// H = I − τvvᵀ with v = (1, x·by), which takes (pivot, x) to (β, 0).
struct Reflection {
    by: Real,
    tau: Real,
    beta: Real,
}

// For x with this sum of squares, in units in which no square overflows; `none`: H = I. β = −sign(pivot)·‖(pivot, x)‖ and
// v = (1, x/(pivot − β)) as LAPACK has it, but τ = 2/‖v‖² from v as it is, and β is what H makes of the pivot: H is then
// orthogonal, and keeps lengths, to a rounding. By τ = (β − pivot)/β every reflection would lengthen or shorten by what quotients
// and roots are off, two units and one on a GPU, and always on the same side: 3,000 rows go through 44 of them.
fn reflection(pivot: Real, below: Real, none: bool) -> Reflection {
    let length = sqrt(pivot * pivot + below);
    let by = select(1.0 / (pivot + select(length, -length, pivot < 0.0)), Real(0.0), none);
    // ‖v‖²/2, in [½, 1]; its reciprocal by a step of Newton's method, which mends what the quotient is off.
    let half = 0.5 + 0.5 * (below * by) * by;
    let quotient = 1.0 / half;
    let tau = select(quotient + quotient * (1.0 - half * quotient), Real(0.0), none);
    return Reflection(by, tau, pivot - tau * (pivot + by * below));
}
