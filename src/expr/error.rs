//! What can be wrong with a text, and where.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::suggest::did_you_mean;

/// The widest stretch of a text that a message shows (characters).
const WINDOW: usize = 72;

/// A text that is no expression, or an expression that uses a name nobody knows.
///
/// Its `Display` is one line that names the column, the fault, the text and the mend; [`pretty`](Self::pretty) adds
/// nothing to that but shows the place with a caret.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
#[error("{}", self.line())]
pub struct ParseError {
    text: Arc<str>,
    span: Range<usize>,
    kind: ParseErrorKind,
}

/// The kinds of fault a [`ParseError`] reports.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// Nothing but blanks.
    Empty,
    /// The text is longer than the stated bound (bytes).
    TooLong {
        /// The text's length in bytes.
        length: usize,
        /// The most that is read.
        limit: usize,
    },
    /// A character that belongs to no expression.
    Character(char),
    /// A number that is malformed or beyond f64's range.
    Number(String),
    /// A backtick without its partner, or with nothing inside.
    Quote,
    /// A value (number, name, function, parenthesis) was expected here.
    ExpectedValue {
        /// What stands there instead.
        found: String,
    },
    /// An operator was expected here.
    ExpectedOperator {
        /// What stands there instead.
        found: String,
    },
    /// A closing `)` or `]` with no partner, or a comma outside a function's arguments.
    Unopened(char),
    /// An opening `(` or `[` that is never closed, or closed by the other kind.
    Unclosed(char),
    /// A name that is neither parameter, nor constant, nor column.
    UnknownName {
        /// The name.
        name: String,
        /// The nearest known name, where one is near.
        suggestion: Option<String>,
        /// All known names.
        known: Vec<String>,
    },
    /// A call of something that is no function.
    UnknownFunction {
        /// The name.
        name: String,
        /// The nearest function, where one is near.
        suggestion: Option<String>,
    },
    /// A function's name without its arguments.
    FunctionWithoutArguments(String),
    /// A wrong number of arguments.
    ArgumentCount {
        /// The function.
        function: &'static str,
        /// How many it takes.
        expected: usize,
        /// How many it was given.
        found: usize,
    },
    /// A reduction over rows (`max(y)`, `mean(y)` …) in a model.
    ReductionInModel(&'static str),
    /// An index (`x[0]`) in a model.
    IndexInModel,
    /// A reduction or an index applied to one number instead of a column.
    NotAColumn(&'static str),
    /// An index that is itself a column.
    ColumnAsIndex,
    /// A name built with operators as a parameter that the model knows as an input, or the reverse.
    WrongRole {
        /// The name.
        name: String,
        /// What the expression calls it.
        declared: &'static str,
    },
}

impl ParseError {
    pub(crate) fn new(text: &Arc<str>, span: Range<usize>, kind: ParseErrorKind) -> Self {
        ParseError { text: Arc::clone(text), span, kind }
    }

    /// An unknown name, with the nearest of the candidates suggested.
    pub(crate) fn unknown_name(text: &Arc<str>, span: Range<usize>, name: &str, candidates: &[&str]) -> Self {
        let kind = ParseErrorKind::UnknownName {
            name: name.to_owned(),
            suggestion: did_you_mean(name, candidates).map(str::to_owned),
            known: candidates.iter().map(|&c| c.to_owned()).collect(),
        };
        ParseError::new(text, span, kind)
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The byte range of the fault in the text; empty at the end of a text that breaks off.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// What is wrong.
    #[must_use]
    pub fn kind(&self) -> &ParseErrorKind {
        &self.kind
    }

    /// The column where the fault begins: 1-based, in characters.
    #[must_use]
    pub fn column(&self) -> usize {
        self.text[..self.span.start].chars().count() + 1
    }

    /// Two lines: the text (a stretch of it, where it is long) and a caret under the fault.
    #[must_use]
    pub fn pretty(&self) -> String {
        let (excerpt, before) = self.excerpt();
        let wide = self.text[self.span.clone()].chars().count().max(1);
        let room = excerpt.chars().count().saturating_sub(before).max(1);
        format!("{excerpt}\n{}{}", " ".repeat(before), "^".repeat(wide.min(room)))
    }

    /// A stretch of at most about [`WINDOW`] characters round the fault on one line, and how many of its characters
    /// stand before the fault.
    fn excerpt(&self) -> (String, usize) {
        let skipped = (self.column() - 1).saturating_sub(WINDOW / 2);
        // A text that fits is shown from its beginning.
        let fits = self.text.chars().nth(WINDOW).is_none();
        let skipped = if fits { 0 } else { skipped };
        let mut rest = self.text.chars().skip(skipped);
        // Control characters (a line break in a TOML string, say) would break the line.
        let shown = rest.by_ref().take(WINDOW).map(|c| if c.is_control() { ' ' } else { c });
        let mut excerpt = String::from(if skipped > 0 { "…" } else { "" });
        excerpt.extend(shown);
        if rest.next().is_some() {
            excerpt.push('…');
        }
        (excerpt, self.column() - 1 - skipped + usize::from(skipped > 0))
    }

    fn line(&self) -> String {
        let (what, mend) = self.kind.say();
        let mend = if mend.is_empty() { mend } else { format!(": {mend}") };
        if let ParseErrorKind::UnknownName { .. } | ParseErrorKind::WrongRole { .. } = self.kind
            && self.span == (0..self.text.len())
        {
            // The name is the whole text: built with operators, or a text of one name.
            return format!("{what}{mend}");
        }
        if self.text.trim().is_empty() {
            return format!("column {}: {what}{mend}", self.column());
        }
        format!("column {}: {what} in \"{}\"{mend}", self.column(), self.excerpt().0)
    }
}

impl ParseErrorKind {
    /// What is wrong, and the mend (empty where there is nothing to say).
    fn say(&self) -> (String, String) {
        use ParseErrorKind as Kind;
        match self {
            Kind::Empty => ("the expression is empty".into(), "write one such as b1*exp(-b2*x)".into()),
            Kind::TooLong { length, limit } => {
                (format!("an expression of {length} bytes"), format!("at most {limit} are read"))
            }
            Kind::Character(c) => (format!("unexpected character {c:?}"), character_mend(*c)),
            Kind::Number(number) => {
                (format!("{} is no number that f64 can hold", quoted(number)), "write one such as 1.5e-3".into())
            }
            Kind::Quote => ("a backtick without a name and its partner".into(), "write `a column's name`".into()),
            Kind::ExpectedValue { found } => (format!("expected a value but found {found}"), String::new()),
            Kind::ExpectedOperator { found } => {
                (format!("expected an operator but found {found}"), "write a product with \"*\"".into())
            }
            Kind::Unopened(',') => {
                ("a comma outside a function's arguments".into(), "write decimals with a point".into())
            }
            Kind::Unopened(c) => (format!("unbalanced \"{c}\""), "it closes nothing".into()),
            Kind::Unclosed(c) => (format!("unbalanced \"{c}\""), "it is never closed".into()),
            Kind::UnknownName { name, suggestion, known } => {
                let mend = match suggestion {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None if known.is_empty() || known.len() > 12 => String::new(),
                    None => format!("known are {}", known.join(", ")),
                };
                (format!("unknown name {}", quoted(name)), mend)
            }
            Kind::UnknownFunction { name, suggestion } => {
                let mend = match suggestion {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => "a product needs a \"*\" before the parenthesis".into(),
                };
                (format!("unknown function {}", quoted(name)), mend)
            }
            Kind::FunctionWithoutArguments(name) => (
                format!("the function {} without its arguments", quoted(name)),
                format!("write {name}(…), or `{name}` in backticks for a column of that name"),
            ),
            Kind::ArgumentCount { function, expected, found } => {
                let plural = if *expected == 1 { "" } else { "s" };
                (format!("{function} takes {expected} argument{plural} but was given {found}"), String::new())
            }
            Kind::ReductionInModel(name @ ("min" | "max")) => (
                format!("{name}(…) with one argument is a reduction over rows"),
                "allowed in guesses, not in a model".into(),
            ),
            Kind::ReductionInModel(name) => {
                (format!("{name}(…) is a reduction over rows"), "allowed in guesses, not in a model".into())
            }
            Kind::IndexInModel => ("an index picks a row".into(), "allowed in guesses, not in a model".into()),
            Kind::NotAColumn(what) => (format!("{what} needs a column, not one number"), String::new()),
            Kind::ColumnAsIndex => {
                ("an index must be one number, not a column".into(), "write x[argmax(y)] or x[0]".into())
            }
            Kind::WrongRole { name, declared } => {
                let other = if *declared == "input" { "parameter" } else { "input" };
                (
                    format!("{} is built as {declared} but is {other} of the model", quoted(name)),
                    format!("build it with Expr::{other}"),
                )
            }
        }
    }
}

/// What to write instead of a character that looks like an operator and is none.
fn character_mend(c: char) -> String {
    match c {
        '−' | '–' | '—' => "write \"-\"".into(),
        '×' | '·' | '∙' | '⋅' => "write \"*\"".into(),
        '÷' | '∕' => "write \"/\"".into(),
        '⁰' | '¹' | '²' | '³' | '⁴'..='⁹' => "write a power as x**2".into(),
        '√' => "write sqrt(x)".into(),
        '"' | '\'' => "quote a column's name with backticks".into(),
        ';' => "write one expression, and decimals with a point".into(),
        '{' | '}' => "write round parentheses".into(),
        _ => String::new(),
    }
}

/// A name in quotes, cut where it is long, on one line.
pub(super) fn quoted(name: &str) -> String {
    let mut shown: String = name.chars().take(40).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if shown.len() < name.len() {
        shown.push('…');
    }
    format!("\"{shown}\"")
}

impl fmt::Display for ParseErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.say().0)
    }
}
