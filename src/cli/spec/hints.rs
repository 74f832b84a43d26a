//! What may have been meant by an expression that cannot be read.

use super::Origin;
use crate::expr::RowExpression;

/// A hint where the expression seems to hold a column whose name is no plain word, such as `Time [s]`, as it stands;
/// empty where it does not.
pub(super) fn quoting(expression: &str, columns: &[String], origin: &Origin) -> String {
    let bare = outside_backticks(expression);
    let found = columns.iter().filter(|column| needs_quoting(column) && bare.contains(column.as_str()));
    // Of `rate` and `flow rate` the longer one was meant.
    let Some(column) = found.max_by_key(|column| column.len()) else { return String::new() };
    let renaming = origin.renaming(&plain_name(column), column);
    let shell = match origin {
        Origin::CommandLine => " (and the whole in single quotes)",
        Origin::Spec { .. } => "",
    };
    format!("; write the column `{column}` in backticks{shell}, or give it a plain name by {renaming}")
}

fn outside_backticks(expression: &str) -> String {
    expression.split('`').step_by(2).collect::<Vec<_>>().join("`")
}

/// Whether a column's name is more than a word, so that an expression reads something else in it. A single word that
/// is a function's name has a mend of its own.
fn needs_quoting(column: &str) -> bool {
    let more_than_a_word = column.chars().any(|c| !(c.is_alphanumeric() || c == '_' || c == '.'));
    let plain = RowExpression::parse(column).is_ok_and(|expression| expression.names().eq([column]));
    more_than_a_word && !plain && column.chars().any(char::is_alphabetic) && !column.contains('`')
}

/// The first word of a name in lower case.
fn plain_name(column: &str) -> String {
    let word = column.split(|c: char| !(c.is_alphanumeric() || c == '_')).find(|word| !word.is_empty());
    let name = word.unwrap_or_default().to_lowercase();
    let usable = RowExpression::parse(&name).is_ok_and(|expression| expression.names().eq([name.as_str()]));
    if usable { name } else { format!("column_{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(expression: &str) -> String {
        let columns = ["Time [s]", "rate", "flow rate", "exp", "2.5", "Log (x)"].map(str::to_owned);
        quoting(expression, &columns, &Origin::CommandLine)
    }

    #[test]
    fn a_name_of_several_words_that_stands_bare_is_hinted_at() {
        assert!(hint("a*Time [s]").contains("`Time [s]`") && hint("a*Time [s]").contains("time=\"Time [s]\""));
        assert!(hint("a*flow rate").contains("flow=\"flow rate\""));
        // `log` is a function, so another name is proposed.
        assert!(hint("a*Log (x)").contains("--columns column_log=\"Log (x)\""));
    }

    #[test]
    fn other_faults_get_no_hint() {
        for expression in ["a*`Time [s]` + (", "a*rate + (", "exp(2.5*a", "a*Time"] {
            assert_eq!(hint(expression), "", "{expression}");
        }
    }
}
