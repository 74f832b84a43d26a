/// Whether the columns of the Jacobian are scaled before it is factored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Scaling {
    /// Factor JD, D diagonal, every nonzero column of unit length, and step D(JD)†e. Rank, singular values, cutoff and
    /// damping then belong to JD and do not depend on the units of the parameters. The default for expression models.
    #[default]
    Columns,
    /// Factor J itself: the plain J† of the stability theorem.
    None,
}

impl Scaling {
    /// The name in specs and tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Columns => "columns",
            Self::None => "none",
        }
    }

    /// The diagonal of D for a column of the given length. A zero column keeps the factor 1, and so does one so short
    /// that its reciprocal is infinite.
    pub(crate) fn factor(self, column_norm: f64) -> f64 {
        match self {
            Self::Columns if column_norm >= f64::MIN_POSITIVE => 1.0 / column_norm,
            _ => 1.0,
        }
    }
}
