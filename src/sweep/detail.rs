//! How much is told of every problem.

/// How much is told of every problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Detail {
    /// All that there is: loss and gradient once more in f64, singular values, covariance and standard errors.
    #[default]
    Full,
    /// What the steps themselves tell: θ, status, reason, steps, rank, and the loss in the precision of the steps. For
    /// millions of small fits: on a GPU the rest takes five to fifteen times what the steps of an expression of up to 16
    /// parameters take. θ, status, reason and steps are those of [`Detail::Full`], to the bit. Not with a history.
    Essential,
}

impl Detail {
    /// Both, with their names in specs.
    #[cfg(feature = "cli")]
    pub(crate) const WORDS: [(&'static str, Self); 2] = [("full", Self::Full), ("essential", Self::Essential)];
}
