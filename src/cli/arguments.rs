//! Values of options, and what is wrong with them in one line.

use std::io::Write;
use std::process::ExitCode;

use super::failure::Failure;
use super::output;
use crate::sweep::Detail;

/// `b1=500,b2=1e-4` as names and numbers.
pub(super) fn named_numbers(text: &str) -> Result<Vec<(String, f64)>, String> {
    text.split(',')
        .map(|pair| {
            let (name, value) = split_name(pair)?;
            let number = value
                .parse::<f64>()
                .ok()
                .filter(|number| number.is_finite())
                .ok_or_else(|| format!("{value:?} is not a finite number"))?;
            Ok((name, number))
        })
        .collect()
}

/// How much is told of every problem.
pub(super) fn detail(text: &str) -> Result<Detail, String> {
    let found = Detail::WORDS.into_iter().find(|(name, _)| *name == text);
    found.map(|(_, detail)| detail).ok_or_else(|| "it is \"full\" or \"essential\"".to_owned())
}

/// `b1=max(y)` as a name and an expression.
pub(super) fn named_expression(text: &str) -> Result<(String, String), String> {
    split_name(text).map(|(name, value)| (name, value.to_owned()))
}

fn split_name(text: &str) -> Result<(String, &str), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() && !value.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.trim()))
        }
        _ => Err(format!("{:?} is not of the form NAME=VALUE", text.trim())),
    }
}

/// A finite number of at least 0.
pub(super) fn nonnegative(text: &str) -> Result<f64, String> {
    number(text, |value| value >= 0.0, "0 or more")
}

/// A finite number above 0.
pub(super) fn positive(text: &str) -> Result<f64, String> {
    number(text, |value| value > 0.0, "above 0")
}

/// A share from 0 to 1.
pub(super) fn share(text: &str) -> Result<f64, String> {
    number(text, |value| (0.0..=1.0).contains(&value), "from 0 to 1")
}

/// A relative cutoff on σ: from 0 to below 1.
pub(super) fn cutoff(text: &str) -> Result<f64, String> {
    number(text, |value| (0.0..1.0).contains(&value), "from 0 to below 1")
}

fn number(text: &str, allowed: impl Fn(f64) -> bool, range: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(value) if value.is_finite() && allowed(value) => Ok(value),
        _ => Err(format!("give a number {range}")),
    }
}

/// A list of names separated by commas.
pub(super) fn names(text: &str) -> Vec<String> {
    text.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}

/// Says in one line what the parser of the command line found wrong; help and version go to standard output.
pub(super) fn explain(error: &clap::Error) -> ExitCode {
    use clap::error::ErrorKind;
    let text = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            return match output::results(|writer| writer.write_all(text.as_bytes())) {
                Ok(()) => ExitCode::SUCCESS,
                Err(failure) => ExitCode::from(failure.code),
            };
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = std::io::stderr().write_all(text.as_bytes());
        }
        _ => output::note(&first_paragraphs(&text)),
    }
    ExitCode::from(Failure::REQUEST)
}

/// The message and its tip on one line, without the usage that follows them.
fn first_paragraphs(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"))
        .filter(|line| !line.is_empty())
        .collect();
    let joined = lines.join(" ").replace(" tip: ", "; ");
    let message = joined.trim_start_matches("error: ");
    format!("{message} (natgrad --help tells what there is)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_are_names_and_numbers_and_a_slip_is_named() {
        assert_eq!(named_numbers("b1=500, b2=1e-4").unwrap(), [("b1".to_owned(), 500.0), ("b2".to_owned(), 1e-4)]);
        assert!(named_numbers("b1:500").unwrap_err().contains("b1:500"));
        assert!(named_numbers("b1=five").unwrap_err().contains("five"));
        assert!(named_numbers("b1=inf").is_err());
        assert!(named_numbers("").is_err());
    }

    #[test]
    fn a_guess_may_hold_commas_and_equals_signs_of_its_own() {
        let guess = named_expression("b1=min(max(y), 3)").unwrap();
        assert_eq!(guess, ("b1".to_owned(), "min(max(y), 3)".to_owned()));
        assert!(named_expression("=max(y)").is_err());
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        assert_eq!(share("0.99"), Ok(0.99));
        assert!(share("99").is_err() && share("nan").is_err());
        assert!(nonnegative("-1").is_err() && positive("0").is_err() && cutoff("1").is_err());
    }
}
