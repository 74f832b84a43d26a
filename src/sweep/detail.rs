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
    /// millions of small fits: on a GPU an expression of up to 16 parameters takes its steps in registers then, and what the
    /// rest takes is ten to fifty times what the fits take. Problems whose rank is in doubt are done as with [`Detail::Full`], and
    /// told as the others. Not with a history.
    Essential,
}

impl Detail {
    /// Both, with their names in specs.
    #[cfg(feature = "cli")]
    pub(crate) const WORDS: [(&'static str, Self); 2] = [("full", Self::Full), ("essential", Self::Essential)];
}
