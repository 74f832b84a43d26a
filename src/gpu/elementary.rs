//! Elementary functions on the device: which builtins are good enough, and which are replaced by our own.
//!
//! WGSL promises little of its builtins (`sin` to 2⁻¹¹, `atan` to 4096 ULP, nothing for `pow` of a negative base), and
//! drivers differ. So every function of a model goes through `shaders/shared/elementary.wgsl`, where `ng_exp`,
//! `ng_log` … are the builtin or our own by a shader definition (`OWN_EXP`, `OWN_LOG` …). [`measure`] evaluates them on
//! the device at sampled points and compares with f64; [`replaced`] lists those that miss their bound.
//!
//! One bound serves for both: our own versions are held to it by tests, and a builtin is kept if it meets it.
//!
//! | function | measured over | error at most | ours, at 10⁶ points |
//! | --- | --- | --- | --- |
//! | `exp` | [−103, 88.7] | 2 ULP | 1.2 |
//! | `log`, `log2`, `log10` | every positive normal number, densely about 1 | 2 ULP, near 1 too | 0.8, 1.0, 0.9 |
//! | `sqrt` | every positive normal number | 1 ULP | 0.5 |
//! | `pow` | normal results of positive bases; integer powers of negative ones | 2 + \|y log₂ x\|/32 ULP | 0.7 of it |
//! | `sin` | \|x\| ≤ π/4 | 2 ULP | 0.7 |
//! | `sin`, `cos` | \|x\| ≤ 10⁵ | 2⁻²³ absolute | 0.7 of it |
//! | `tan` | \|x\| ≤ 10⁵ | 4 ULP, for an argument moved by at most half its last bit | 0.8 |
//! | `asin`, `acos` | [−1, 1] | 3 ULP | 1.9, 1.1 |
//! | `atan` | all numbers | 3 ULP | 1.3 |
//! | `atan2` | sizes from 10⁻¹⁵ to 10¹⁵, both signs; axes and infinities | 3 ULP | 1.5 |
//! | `sinh`, `cosh` | \|x\| ≤ 89.4 | 3 ULP | 1.6, 1.4 |
//! | `tanh` | all numbers | 3 ULP | 1.3 |
//!
//! An ULP is the spacing of f32 at the true value. Below the least normal number, 2⁻¹²⁶, that number itself is allowed
//! for, since devices may flush. Special values count as well: what f64 says is NaN or infinite (the logarithm of a
//! negative number, an overflowing exponential) has to be just that, a NaN argument has to give NaN, and `tanh` may not
//! overflow. The exception are `pow(x, 0) = pow(1, y) = 1`, as in IEEE 754.
//!
//! Our own versions give 0 where the true value is below the least normal number (`exp`, `pow`) and take subnormal
//! arguments of `log` and `sqrt` as they are. Beyond 10⁵ our own `sin` and `cos` stay within ±1 and lose accuracy as
//! |x|·2⁻²³, about what the rounding of the argument itself costs; beyond 4·10⁶ they carry no information.

mod evaluate;
mod measure;
mod points;

pub(crate) use evaluate::SOURCE;
pub use measure::{ElementaryError, measure, replaced};

/// A function of `shaders/shared/elementary.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Elementary {
    /// eˣ
    Exp,
    /// The natural logarithm.
    Log,
    /// The logarithm to base 2.
    Log2,
    /// The logarithm to base 10.
    Log10,
    /// The square root.
    Sqrt,
    /// xʸ
    Pow,
    /// The sine of an angle in radians.
    Sin,
    /// The cosine of an angle in radians.
    Cos,
    /// The tangent of an angle in radians.
    Tan,
    /// The inverse sine, in [−π/2, π/2].
    Asin,
    /// The inverse cosine, in [0, π].
    Acos,
    /// The inverse tangent, in [−π/2, π/2].
    Atan,
    /// The angle of the point (x, y), given as `atan2(y, x)`, in [−π, π].
    Atan2,
    /// The hyperbolic sine.
    Sinh,
    /// The hyperbolic cosine.
    Cosh,
    /// The hyperbolic tangent.
    Tanh,
}

impl Elementary {
    /// All of them, in the order of the self-test's shader.
    pub const ALL: [Elementary; 16] = [
        Elementary::Exp,
        Elementary::Log,
        Elementary::Log2,
        Elementary::Log10,
        Elementary::Sqrt,
        Elementary::Pow,
        Elementary::Sin,
        Elementary::Cos,
        Elementary::Tan,
        Elementary::Asin,
        Elementary::Acos,
        Elementary::Atan,
        Elementary::Atan2,
        Elementary::Sinh,
        Elementary::Cosh,
        Elementary::Tanh,
    ];

    /// The name in a shader that imports `natgrad::elementary`: `ng_exp`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.names().0
    }

    /// The shader definition that selects our own version: `OWN_EXP`.
    #[must_use]
    pub fn definition(self) -> &'static str {
        self.names().1
    }

    fn names(self) -> (&'static str, &'static str) {
        match self {
            Elementary::Exp => ("ng_exp", "OWN_EXP"),
            Elementary::Log => ("ng_log", "OWN_LOG"),
            Elementary::Log2 => ("ng_log2", "OWN_LOG2"),
            Elementary::Log10 => ("ng_log10", "OWN_LOG10"),
            Elementary::Sqrt => ("ng_sqrt", "OWN_SQRT"),
            Elementary::Pow => ("ng_pow", "OWN_POW"),
            Elementary::Sin => ("ng_sin", "OWN_SIN"),
            Elementary::Cos => ("ng_cos", "OWN_COS"),
            Elementary::Tan => ("ng_tan", "OWN_TAN"),
            Elementary::Asin => ("ng_asin", "OWN_ASIN"),
            Elementary::Acos => ("ng_acos", "OWN_ACOS"),
            Elementary::Atan => ("ng_atan", "OWN_ATAN"),
            Elementary::Atan2 => ("ng_atan2", "OWN_ATAN2"),
            Elementary::Sinh => ("ng_sinh", "OWN_SINH"),
            Elementary::Cosh => ("ng_cosh", "OWN_COSH"),
            Elementary::Tanh => ("ng_tanh", "OWN_TANH"),
        }
    }

    /// Whether the function takes two arguments.
    #[must_use]
    pub fn is_binary(self) -> bool {
        matches!(self, Elementary::Pow | Elementary::Atan2)
    }

    /// The function in f64, the reference of every measurement. `pow` takes (x, y) and `atan2` (y, x), as in WGSL; the
    /// others leave the second argument alone.
    #[must_use]
    pub fn reference(self, x: f64, y: f64) -> f64 {
        match self {
            Elementary::Exp => x.exp(),
            Elementary::Log => x.ln(),
            Elementary::Log2 => x.log2(),
            Elementary::Log10 => x.log10(),
            Elementary::Sqrt => x.sqrt(),
            Elementary::Pow => x.powf(y),
            Elementary::Sin => x.sin(),
            Elementary::Cos => x.cos(),
            Elementary::Tan => x.tan(),
            Elementary::Asin => x.asin(),
            Elementary::Acos => x.acos(),
            Elementary::Atan => x.atan(),
            Elementary::Atan2 => x.atan2(y),
            Elementary::Sinh => x.sinh(),
            Elementary::Cosh => x.cosh(),
            Elementary::Tanh => x.tanh(),
        }
    }

    /// The error allowed at an argument, of our own version and of a builtin that is to be kept.
    #[must_use]
    pub fn bound(self, x: f32, y: f32) -> Bound {
        let ulps = |ulps: f64| Bound { ulps, absolute: 0.0 };
        let (x, y) = (f64::from(x), f64::from(y));
        match self {
            Elementary::Exp | Elementary::Log | Elementary::Log2 | Elementary::Log10 => ulps(2.0),
            Elementary::Sqrt => ulps(1.0),
            // log2 x is known to 30 bits, and y times its error is a relative error of the result.
            Elementary::Pow => {
                let exponent = (y * x.abs().log2()).abs();
                ulps(2.0 + if exponent.is_finite() { exponent / 32.0 } else { 0.0 })
            }
            Elementary::Sin if x.abs() <= std::f64::consts::FRAC_PI_4 => ulps(2.0),
            Elementary::Sin | Elementary::Cos => Bound { ulps: 0.0, absolute: ULP_OF_ONE },
            // Near a pole no ULP bound can hold without knowing the argument to more bits than it has.
            Elementary::Tan => {
                let tangent = x.tan();
                let moved = 0.25 * ULP_OF_ONE * x.abs() * (1.0 + tangent * tangent);
                Bound { ulps: 4.0, absolute: if moved.is_finite() { moved } else { 0.0 } }
            }
            Elementary::Asin
            | Elementary::Acos
            | Elementary::Atan
            | Elementary::Atan2
            | Elementary::Sinh
            | Elementary::Cosh
            | Elementary::Tanh => ulps(3.0),
        }
    }
}

impl std::fmt::Display for Elementary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name().trim_start_matches("ng_"))
    }
}

const ULP_OF_ONE: f64 = 1.0 / 8_388_608.0;

/// An allowed error: `ulps` spacings of f32 at the true value, plus `absolute`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// Multiples of the spacing of f32 at the true value.
    pub ulps: f64,
    /// An absolute error on top.
    pub absolute: f64,
}

/// A set of elementary functions: those for which a device uses our own version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ElementarySet(u16);

impl ElementarySet {
    /// No function: every builtin as it is.
    pub const NONE: ElementarySet = ElementarySet(0);
    /// Every function.
    pub const ALL: ElementarySet = ElementarySet(u16::MAX);

    /// Whether `function` is in the set.
    #[must_use]
    pub fn contains(self, function: Elementary) -> bool {
        self.0 & (1 << function as u16) != 0
    }

    /// Adds `function`.
    pub fn insert(&mut self, function: Elementary) {
        self.0 |= 1 << function as u16;
    }

    /// Whether the set has no member.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members, in the order of [`Elementary::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Elementary> {
        Elementary::ALL.into_iter().filter(move |&function| self.contains(function))
    }

    /// The shader definitions that select our own version of each member: `OWN_EXP` and so on.
    pub fn definitions(self) -> impl Iterator<Item = &'static str> {
        self.iter().map(Elementary::definition)
    }
}

impl FromIterator<Elementary> for ElementarySet {
    fn from_iter<I: IntoIterator<Item = Elementary>>(functions: I) -> Self {
        let mut set = ElementarySet::NONE;
        for function in functions {
            set.insert(function);
        }
        set
    }
}

#[cfg(test)]
mod tests;
