// The Householder reflections that clear what lies below a pivot.
#define_import_path natgrad::reflection

// H = I − τvvᵀ with v = (1, x·by), which takes (pivot, x) to (β, 0).
struct Reflection {
    by: Real,
    tau: Real,
    beta: Real,
}

// For x with this sum of squares, in units in which no square overflows; `none`: H = I. β = −sign(pivot)·‖(pivot, x)‖,
// v = (1, x/(pivot − β)) and τ = (β − pivot)/β, as LAPACK has it: then τ‖v‖² = 2, and H is orthogonal.
//
// INEXACT: on a GPU quotients are off by two units and the root by one, on the same side every time, so that reflections by that τ
// would lengthen or shorten what they turn, and 3,000 rows go through 44 of them. There τ is 2/‖v‖² from v as it is, by a quotient
// that a step of Newton's method mends. It takes more roundings, and is worse by a third where each operation is rounded correctly.
fn reflection(pivot: Real, below: Real, none: bool) -> Reflection {
    let length = sqrt(pivot * pivot + below);
    let beta = select(-length, length, pivot < 0.0);
    let by = select(1.0 / (pivot - beta), Real(0.0), none);
#ifdef INEXACT
    let half = 0.5 + 0.5 * (below * by) * by;
    let quotient = 1.0 / half;
    let tau = select(quotient + quotient * (1.0 - half * quotient), Real(0.0), none);
#else
    let tau = select((beta - pivot) / beta, Real(0.0), none);
#endif
    return Reflection(by, tau, select(beta, pivot, none));
}
