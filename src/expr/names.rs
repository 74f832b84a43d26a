//! Which names parameters, constants and columns may have.

use super::ast;
use super::error::quoted;

/// A name that no parameter may have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// No characters.
    #[error("an empty name: give each parameter and column a name")]
    Empty,
    /// `pi` or a function.
    #[error("the name {} is taken by {what}: choose another", quoted(name))]
    Reserved {
        /// The name.
        name: String,
        /// What has it.
        what: &'static str,
    },
    /// A backtick or a control character.
    #[error("the name {} contains {character:?}: no expression could use it", quoted(name))]
    Character {
        /// The name.
        name: String,
        /// The offending character.
        character: char,
    },
}

/// Whether a parameter, constant or column may be called `name`.
///
/// A column of a file that happens to be called like a function (`count`, say) can still be used in backticks, so
/// callers need only check the names that are chosen: parameters, constants and renamed columns.
///
/// # Errors
/// For an empty name, for `pi` or a function's name, and for backticks and control characters.
pub fn check_name(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name == "pi" {
        return Err(NameError::Reserved { name: name.to_owned(), what: "the constant" });
    }
    if ast::function(name).is_some() {
        return Err(NameError::Reserved { name: name.to_owned(), what: "a function" });
    }
    match name.chars().find(|&c| c == '`' || c.is_control()) {
        Some(character) => Err(NameError::Character { name: name.to_owned(), character }),
        None => Ok(()),
    }
}
