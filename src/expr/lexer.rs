//! Text into tokens.

use std::ops::Range;
use std::sync::Arc;

use super::error::{ParseError, ParseErrorKind};

/// The longest text that is read, in bytes: 16 MiB. Positions then fit 32 bits with room to spare.
pub(crate) const LONGEST_TEXT: usize = 16 << 20;

/// One token; names are read from the text by their span.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Token {
    Number(f64),
    /// A bare name.
    Name,
    /// A name in backticks (the span includes them).
    QuotedName,
    Plus,
    Minus,
    Star,
    Slash,
    Power,
    Open,
    Close,
    OpenBracket,
    CloseBracket,
    Comma,
    End,
}

/// Reads one token after the other; a copy looks ahead.
#[derive(Clone)]
pub(crate) struct Lexer<'a> {
    text: &'a Arc<str>,
    position: usize,
}

impl<'a> Lexer<'a> {
    /// A lexer at the beginning of the text.
    pub(crate) fn new(text: &'a Arc<str>) -> Result<Self, ParseError> {
        if text.len() > LONGEST_TEXT {
            let kind = ParseErrorKind::TooLong { length: text.len(), limit: LONGEST_TEXT };
            return Err(ParseError::new(text, 0..0, kind));
        }
        if text.trim().is_empty() {
            return Err(ParseError::new(text, 0..0, ParseErrorKind::Empty));
        }
        Ok(Lexer { text, position: 0 })
    }

    /// The next token and its byte range; `End` for ever at the end.
    pub(crate) fn next(&mut self) -> Result<(Token, Range<usize>), ParseError> {
        let rest = &self.text[self.position..];
        let trimmed = rest.trim_start();
        let start = self.position + (rest.len() - trimmed.len());
        let Some(first) = trimmed.chars().next() else {
            self.position = self.text.len();
            return Ok((Token::End, self.position..self.position));
        };
        let (token, length) = match first {
            '+' => (Token::Plus, 1),
            '-' => (Token::Minus, 1),
            '*' if trimmed.starts_with("**") => (Token::Power, 2),
            '*' => (Token::Star, 1),
            '/' => (Token::Slash, 1),
            '^' => (Token::Power, 1),
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            '[' => (Token::OpenBracket, 1),
            ']' => (Token::CloseBracket, 1),
            ',' => (Token::Comma, 1),
            '`' => match trimmed[1..].find('`') {
                Some(inside) if inside > 0 => (Token::QuotedName, inside + 2),
                found => {
                    let end = found.map_or(self.text.len(), |inside| start + inside + 2);
                    return Err(ParseError::new(self.text, start..end, ParseErrorKind::Quote));
                }
            },
            '0'..='9' | '.' => {
                let length = number_length(trimmed.as_bytes());
                let number = &trimmed[..length];
                match number.parse::<f64>() {
                    Ok(value) if value.is_finite() => (Token::Number(value), length),
                    _ => {
                        let kind = ParseErrorKind::Number(number.to_owned());
                        return Err(ParseError::new(self.text, start..start + length, kind));
                    }
                }
            }
            _ if begins_name(first) => {
                let length = trimmed.find(|c| !continues_name(c)).unwrap_or(trimmed.len());
                (Token::Name, length)
            }
            other => {
                let end = start + other.len_utf8();
                return Err(ParseError::new(self.text, start..end, ParseErrorKind::Character(other)));
            }
        };
        self.position = start + length;
        Ok((token, start..self.position))
    }
}

fn begins_name(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn continues_name(c: char) -> bool {
    // Subscript digits are part of a name (σ₁); superscripts look like powers and are refused.
    let superscript = matches!(c, '²' | '³' | '¹' | '⁰'..='⁹');
    (c.is_alphanumeric() && !superscript) || c == '_' || c == '.'
}

/// The length of the number at the beginning: digits, a point, digits, and an exponent if digits follow its `e`.
fn number_length(text: &[u8]) -> usize {
    let digits = |from: usize| text[from..].iter().take_while(|c| c.is_ascii_digit()).count();
    let mut end = digits(0);
    if text.get(end) == Some(&b'.') {
        end += 1;
        end += digits(end);
    }
    if matches!(text.get(end), Some(b'e' | b'E')) {
        let signed = usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        if end + 1 + signed < text.len() {
            let exponent = digits(end + 1 + signed);
            if exponent > 0 {
                end += 1 + signed + exponent;
            }
        }
    }
    end
}
