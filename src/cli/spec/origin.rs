//! Where a request was written down, for messages.

use std::collections::BTreeMap;

/// The command line, or a spec and the lines of its keys.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) enum Origin {
    CommandLine,
    Spec {
        /// The spec's name in messages.
        name: String,
        /// The line of each key that expressions stand under.
        lines: BTreeMap<String, usize>,
    },
}

impl Origin {
    /// What messages about the whole request begin with; nothing on the command line.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::CommandLine => "",
            Self::Spec { name, .. } => name,
        }
    }

    /// What messages about a key of the spec begin with: `sweep.toml, line 7, data.response`, or the option that
    /// means the same: `--response`.
    pub(in super::super) fn place(&self, key: &str) -> String {
        match self {
            Self::CommandLine => option(key),
            Self::Spec { name, lines } => match lines.get(key) {
                Some(line) => format!("{name}, line {line}, {key}"),
                None => format!("{name}, {key}"),
            },
        }
    }

    /// How a column gets another name.
    pub(super) fn renaming(&self, name: &str, column: &str) -> String {
        match self {
            Self::CommandLine => format!("--columns {name}={column:?}"),
            Self::Spec { .. } => format!("data.columns = {{ {name} = {column:?} }}"),
        }
    }
}

/// The option of `natgrad fit` that means the same as a key of a spec.
fn option(key: &str) -> String {
    match key.strip_prefix("start.guess.") {
        Some(parameter) => format!("--guess {parameter}"),
        None if key == "model.expression" => "--model".to_owned(),
        None => format!("--{}", key.rsplit('.').next().unwrap_or(key).replace('_', "-")),
    }
}
