//! The operations an expression is made of, and what each of them computes in f64.

/// A function of one argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum UnaryOp {
    /// −a.
    Neg,
    /// eᵃ.
    Exp,
    /// Natural logarithm.
    Log,
    /// Logarithm to base 2.
    Log2,
    /// Logarithm to base 10.
    Log10,
    /// Square root.
    Sqrt,
    /// Sine (radians).
    Sin,
    /// Cosine (radians).
    Cos,
    /// Tangent (radians).
    Tan,
    /// Inverse sine.
    Asin,
    /// Inverse cosine.
    Acos,
    /// Inverse tangent.
    Atan,
    /// Hyperbolic sine.
    Sinh,
    /// Hyperbolic cosine.
    Cosh,
    /// Hyperbolic tangent.
    Tanh,
    /// Absolute value.
    Abs,
    /// −1, 0 or 1; the sign of zero is 0.
    Sign,
}

/// A function of two arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum BinaryOp {
    /// a + b.
    Add,
    /// a − b.
    Sub,
    /// a · b.
    Mul,
    /// a / b.
    Div,
    /// aᵇ for an exponent that is not a constant integer.
    Pow,
    /// The angle of the point (x, y) = (b, a).
    Atan2,
    /// The smaller; NaN if either is NaN (in f64; a GPU may return either argument then).
    Min,
    /// The larger; NaN if either is NaN (in f64; a GPU may return either argument then).
    Max,
}

impl UnaryOp {
    /// Every function of one argument that has a name in text, in the order in which help lists them.
    pub const NAMED: [UnaryOp; 16] = [
        UnaryOp::Exp,
        UnaryOp::Log,
        UnaryOp::Log2,
        UnaryOp::Log10,
        UnaryOp::Sqrt,
        UnaryOp::Sin,
        UnaryOp::Cos,
        UnaryOp::Tan,
        UnaryOp::Asin,
        UnaryOp::Acos,
        UnaryOp::Atan,
        UnaryOp::Sinh,
        UnaryOp::Cosh,
        UnaryOp::Tanh,
        UnaryOp::Abs,
        UnaryOp::Sign,
    ];

    /// The name in text; `-` for the negative.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            UnaryOp::Neg => "-",
            UnaryOp::Exp => "exp",
            UnaryOp::Log => "log",
            UnaryOp::Log2 => "log2",
            UnaryOp::Log10 => "log10",
            UnaryOp::Sqrt => "sqrt",
            UnaryOp::Sin => "sin",
            UnaryOp::Cos => "cos",
            UnaryOp::Tan => "tan",
            UnaryOp::Asin => "asin",
            UnaryOp::Acos => "acos",
            UnaryOp::Atan => "atan",
            UnaryOp::Sinh => "sinh",
            UnaryOp::Cosh => "cosh",
            UnaryOp::Tanh => "tanh",
            UnaryOp::Abs => "abs",
            UnaryOp::Sign => "sign",
        }
    }

    /// The value of several rows: one decision for all of them, so that arithmetic goes by vectors.
    pub(crate) fn apply_to_rows<const N: usize>(self, a: [f64; N]) -> [f64; N] {
        match self {
            UnaryOp::Neg => a.map(|a| -a),
            UnaryOp::Sqrt => a.map(f64::sqrt),
            UnaryOp::Abs => a.map(f64::abs),
            UnaryOp::Exp => a.map(f64::exp),
            op => a.map(|a| op.apply(a)),
        }
    }

    /// The value in f64, by IEEE rules: outside its domain a function is NaN.
    #[must_use]
    pub fn apply(self, a: f64) -> f64 {
        match self {
            UnaryOp::Neg => -a,
            UnaryOp::Exp => a.exp(),
            UnaryOp::Log => a.ln(),
            UnaryOp::Log2 => a.log2(),
            UnaryOp::Log10 => a.log10(),
            UnaryOp::Sqrt => a.sqrt(),
            UnaryOp::Sin => a.sin(),
            UnaryOp::Cos => a.cos(),
            UnaryOp::Tan => a.tan(),
            UnaryOp::Asin => a.asin(),
            UnaryOp::Acos => a.acos(),
            UnaryOp::Atan => a.atan(),
            UnaryOp::Sinh => a.sinh(),
            UnaryOp::Cosh => a.cosh(),
            UnaryOp::Tanh => a.tanh(),
            UnaryOp::Abs => a.abs(),
            // Not f64::signum, which gives 1 at +0: WGSL's sign gives 0.
            UnaryOp::Sign => {
                if a > 0.0 {
                    1.0
                } else if a < 0.0 {
                    -1.0
                } else {
                    // 0 for either zero, NaN for NaN.
                    a.abs()
                }
            }
        }
    }
}

impl BinaryOp {
    /// The value of several rows: one decision for all of them, so that arithmetic goes by vectors.
    pub(crate) fn apply_to_rows<const N: usize>(self, a: [f64; N], b: [f64; N]) -> [f64; N] {
        match self {
            BinaryOp::Add => std::array::from_fn(|k| a[k] + b[k]),
            BinaryOp::Sub => std::array::from_fn(|k| a[k] - b[k]),
            BinaryOp::Mul => std::array::from_fn(|k| a[k] * b[k]),
            BinaryOp::Div => std::array::from_fn(|k| a[k] / b[k]),
            op => std::array::from_fn(|k| op.apply(a[k], b[k])),
        }
    }

    /// The name or operator in text.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            BinaryOp::Add => "+",
            BinaryOp::Sub => "-",
            BinaryOp::Mul => "*",
            BinaryOp::Div => "/",
            BinaryOp::Pow => "pow",
            BinaryOp::Atan2 => "atan2",
            BinaryOp::Min => "min",
            BinaryOp::Max => "max",
        }
    }

    /// The value in f64, by IEEE rules.
    #[must_use]
    pub fn apply(self, a: f64, b: f64) -> f64 {
        match self {
            BinaryOp::Add => a + b,
            BinaryOp::Sub => a - b,
            BinaryOp::Mul => a * b,
            BinaryOp::Div => a / b,
            BinaryOp::Pow => match integer_exponent(b) {
                Some(n) => power(a, n),
                None => a.powf(b),
            },
            BinaryOp::Atan2 => a.atan2(b),
            BinaryOp::Min => {
                if a.is_nan() || b.is_nan() {
                    f64::NAN
                } else {
                    a.min(b)
                }
            }
            BinaryOp::Max => {
                if a.is_nan() || b.is_nan() {
                    f64::NAN
                } else {
                    a.max(b)
                }
            }
        }
    }
}

/// The largest constant exponent that is turned into products.
pub(crate) const LARGEST_INTEGER_EXPONENT: i32 = 1 << 16;

/// The exponent as an integer, where powers are products.
pub(crate) fn integer_exponent(b: f64) -> Option<i32> {
    let whole = b.trunc() == b && b.abs() <= f64::from(LARGEST_INTEGER_EXPONENT);
    whole.then_some(b as i32)
}

/// aⁿ by repeated squaring from the highest bit of n down, then a reciprocal where n is negative: the same products,
/// in the same order, as the tape and the shader make of it.
pub(crate) fn power(a: f64, n: i32) -> f64 {
    let magnitude = n.unsigned_abs();
    if magnitude == 0 {
        return 1.0;
    }
    let mut result = a;
    for bit in (0..magnitude.ilog2()).rev() {
        result *= result;
        if magnitude >> bit & 1 == 1 {
            result *= a;
        }
    }
    if n < 0 { 1.0 / result } else { result }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integer_powers_agree_with_exact_products_of_small_integers() {
        for n in 0..=20 {
            assert_eq!(power(3.0, n), 3u64.pow(n as u32) as f64);
            assert_eq!(power(-2.0, n), (-2i64).pow(n as u32) as f64);
            assert_eq!(power(2.0, -n), 0.5f64.powi(n));
        }
        assert_eq!(power(0.0, 0), 1.0);
    }

    #[test]
    fn sign_of_either_zero_is_zero_and_of_nan_is_nan() {
        assert_eq!(UnaryOp::Sign.apply(-0.0), 0.0);
        assert_eq!(UnaryOp::Sign.apply(0.0), 0.0);
        assert_eq!(UnaryOp::Sign.apply(-3.0), -1.0);
        assert_eq!(UnaryOp::Sign.apply(1e-300), 1.0);
        assert!(UnaryOp::Sign.apply(f64::NAN).is_nan());
    }

    #[test]
    fn extrema_do_not_hide_a_nan() {
        for op in [BinaryOp::Min, BinaryOp::Max] {
            assert!(op.apply(f64::NAN, 1.0).is_nan());
            assert!(op.apply(1.0, f64::NAN).is_nan());
        }
        assert_eq!(BinaryOp::Min.apply(2.0, -1.0), -1.0);
        assert_eq!(BinaryOp::Max.apply(2.0, -1.0), 2.0);
    }
}
