//! A TOML document walked by hand, so that every message names the file, the line and the key.

use std::fmt::Display;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::super::failure::Failure;
use crate::expr::did_you_mean;

/// A spec's text and its name in messages.
pub(super) struct Source<'a> {
    pub(super) name: &'a str,
    pub(super) text: &'a str,
}

impl Source<'_> {
    /// The line, from 1, of a byte offset.
    pub(super) fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().get(..offset).unwrap_or(self.text.as_bytes());
        before.iter().filter(|&&byte| byte == b'\n').count() + 1
    }

    /// "sweep.toml, line 3".
    pub(super) fn place(&self, offset: usize) -> String {
        format!("{}, line {}", self.name, self.line(offset))
    }

    /// What the TOML parser found wrong.
    pub(super) fn syntax(&self, error: &toml::de::Error) -> Failure {
        let place = self.place(error.span().map_or(0, |span| span.start));
        let message = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
        Failure::request(format!("{place}: not valid TOML: {message}"))
    }
}

/// A table of the document with its path: `step.size`.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    source: &'a Source<'a>,
    table: &'a DeTable<'a>,
    /// Where the table stands, for keys that are missing from it.
    offset: usize,
}

/// A value of the document with its path.
#[derive(Clone)]
pub(super) struct Value<'a> {
    source: &'a Source<'a>,
    pub(super) path: String,
    value: &'a Spanned<DeValue<'a>>,
}

/// The keys of a range that makes an axis.
pub(super) const RANGE: [&str; 4] = ["from", "to", "count", "spacing"];

/// The longest list and the longest range that make an axis.
pub(super) const LONGEST: u64 = 1_000_000;

impl<'a> Table<'a> {
    pub(super) fn root(source: &'a Source<'a>, table: &'a Spanned<DeTable<'a>>) -> Self {
        Self { source, table: table.get_ref(), offset: 0 }
    }

    /// The value of a key; `path` is how messages call it.
    pub(super) fn get(&self, path: &str) -> Option<Value<'a>> {
        let key = path.rsplit('.').next().unwrap_or(path);
        let value = self.table.get(key)?;
        Some(Value { source: self.source, path: path.to_owned(), value })
    }

    pub(super) fn require(&self, path: &str, example: &str) -> Result<Value<'a>, Failure> {
        self.get(path).ok_or_else(|| {
            Failure::request(format!("{}: the key {path} is missing; write {example}", self.source.place(self.offset)))
        })
    }

    /// The entries in the order of the document.
    pub(super) fn entries(&self, path: &str) -> Vec<(String, Value<'a>)> {
        let mut entries: Vec<_> = self.table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        entries
            .into_iter()
            .map(|(key, value)| {
                let name = key.get_ref().to_string();
                let path = format!("{path}.{name}");
                (name, Value { source: self.source, path, value })
            })
            .collect()
    }

    /// Refuses keys that are not among the known ones, and suggests the nearest.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), Failure> {
        let mut unknown: Vec<_> = self.table.keys().filter(|key| !known.contains(&key.get_ref().as_ref())).collect();
        unknown.sort_by_key(|key| key.span().start);
        let Some(key) = unknown.first() else { return Ok(()) };
        let mend = match did_you_mean(key.get_ref(), known) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("the keys here are {}", known.join(", ")),
        };
        let place = self.source.place(key.span().start);
        Err(Failure::request(format!("{place}: unknown key {:?}; {mend}", key.get_ref())))
    }
}

impl<'a> Value<'a> {
    /// "sweep.toml, line 3, step.size".
    pub(super) fn place(&self) -> String {
        format!("{}, {}", self.source.place(self.value.span().start), self.path)
    }

    /// The line, from 1.
    pub(super) fn line(&self) -> usize {
        self.source.line(self.value.span().start)
    }

    pub(super) fn fail(&self, problem: impl Display) -> Failure {
        Failure::request(problem.to_string()).at(&self.place())
    }

    fn wanted(&self, what: &str) -> Failure {
        let found = match self.value.get_ref() {
            DeValue::String(text) => format!("the text {:?}", shortened(text)),
            DeValue::Integer(number) => format!("the number {}", number.as_str()),
            DeValue::Float(number) => format!("the number {}", number.as_str()),
            DeValue::Boolean(flag) => format!("the word {flag}"),
            DeValue::Datetime(_) => "a date".to_owned(),
            DeValue::Array(_) => "a list".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        };
        self.fail(format!("{found} stands where {what} should be"))
    }

    pub(super) fn text(&self) -> Result<&'a str, Failure> {
        match self.value.get_ref() {
            DeValue::String(text) => Ok(text),
            _ => Err(self.wanted("text in quotes")),
        }
    }

    pub(super) fn flag(&self) -> Result<bool, Failure> {
        match self.value.get_ref() {
            DeValue::Boolean(flag) => Ok(*flag),
            _ => Err(self.wanted("true or false")),
        }
    }

    /// A finite number, with or without a decimal point.
    pub(super) fn number(&self) -> Result<f64, Failure> {
        self.number_or("a number")
    }

    fn number_or(&self, what: &str) -> Result<f64, Failure> {
        let number = match self.value.get_ref() {
            DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix()).ok().map(|n| n as f64),
            DeValue::Float(number) => number.as_str().parse::<f64>().ok(),
            _ => return Err(self.wanted(what)),
        };
        number.filter(|number| number.is_finite()).ok_or_else(|| self.wanted("a finite number"))
    }

    /// A count from 0 to `most`.
    pub(super) fn count(&self, most: u64) -> Result<u64, Failure> {
        let DeValue::Integer(number) = self.value.get_ref() else {
            return Err(self.wanted("a whole number"));
        };
        match i128::from_str_radix(number.as_str(), number.radix()) {
            Ok(count) if count < 0 => Err(self.fail(format!("{count} is negative; give 0 or more"))),
            Ok(count) if count <= i128::from(most) => Ok(count as u64),
            _ => Err(self.fail(format!("{} is too many; at most {most} are possible", number.as_str()))),
        }
    }

    pub(super) fn is_text(&self) -> bool {
        matches!(self.value.get_ref(), DeValue::String(_))
    }

    pub(super) fn is_table(&self) -> bool {
        matches!(self.value.get_ref(), DeValue::Table(_))
    }

    pub(super) fn table(&self) -> Result<Table<'a>, Failure> {
        match self.value.get_ref() {
            DeValue::Table(table) => Ok(Table { source: self.source, table, offset: self.value.span().start }),
            _ => Err(self.wanted("a table")),
        }
    }

    /// The values of a list, or the value itself as a list of one.
    pub(super) fn list_or_one(&self) -> Vec<Self> {
        match self.value.get_ref() {
            DeValue::Array(values) => {
                values.iter().map(|value| Self { source: self.source, path: self.path.clone(), value }).collect()
            }
            _ => vec![self.clone()],
        }
    }

    /// One of several words.
    pub(super) fn word<T: Clone>(&self, words: &[(&str, T)]) -> Result<T, Failure> {
        let text = self.text()?;
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
            return Ok(meaning.clone());
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let quoted: Vec<String> = known.iter().map(|word| format!("{word:?}")).collect();
        let hint = did_you_mean(text, &known).map_or(String::new(), |near| format!("; did you mean {near:?}?"));
        Err(self.fail(format!("{:?} is not one of {}{hint}", shortened(text), quoted.join(", "))))
    }

    /// An axis of numbers: one, a list, or a range `{ from, to, count, spacing }`.
    pub(super) fn axis(&self) -> Result<Vec<f64>, Failure> {
        if self.is_table() {
            return self.range();
        }
        let what = "a number, a list of numbers or a range such as { from = 0.1, to = 1, count = 10 }";
        self.list_or_one().iter().map(|value| value.number_or(what)).collect()
    }

    fn range(&self) -> Result<Vec<f64>, Failure> {
        let table = self.table()?;
        table.only(&RANGE)?;
        let path = |key: &str| format!("{}.{key}", self.path);
        let example = "a range as in { from = 0.1, to = 1, count = 10 }";
        let from = table.require(&path("from"), example)?.number()?;
        let to = table.require(&path("to"), example)?.number()?;
        let count = table.require(&path("count"), example)?.count(LONGEST)? as usize;
        let logarithmic = match table.get(&path("spacing")) {
            Some(spacing) => spacing.word(&[("linear", false), ("log", true)])?,
            None => false,
        };
        if count == 1 && from != to {
            return Err(self.fail("a range of one value has no room for two ends; give count = 2 or more"));
        }
        if !logarithmic {
            return Ok(crate::sweep::linspace(from, to, count));
        }
        if from <= 0.0 || to <= 0.0 {
            return Err(self.fail("spacing = \"log\" needs from and to above 0; use \"linear\" or positive ends"));
        }
        Ok(crate::sweep::logspace(from, to, count))
    }
}

/// Text for a message, not longer than a line bears.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text.to_owned(),
    }
}
