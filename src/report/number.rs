//! Numbers for people.

/// `value` with this many significant digits, trailing zeros left out; in scientific form where the plain one would
/// be long. NaN is a dash.
pub(crate) fn significant(value: f64, digits: usize) -> String {
    if value.is_nan() {
        return "-".to_owned();
    }
    if value == 0.0 || value.is_infinite() {
        return value.abs().to_string().replacen("inf", if value < 0.0 { "-inf" } else { "inf" }, 1);
    }
    // Rounded first, so that 9.9999 to three digits counts as 10.
    let scientific = format!("{value:.*e}", digits.saturating_sub(1));
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if exponent < -4 || exponent >= digits as i32 {
        format!("{}e{exponent}", trimmed(mantissa))
    } else {
        let decimals = (digits as i32 - 1 - exponent).max(0) as usize;
        trimmed(&format!("{value:.decimals$}")).to_owned()
    }
}

fn trimmed(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}

/// A count with thousands set apart: 1,234,567.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share as a percentage that says 100% and 0% only where it is so.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "-".to_owned();
    }
    let share = 100.0 * part as f64 / whole as f64;
    match part {
        0 => "0%".to_owned(),
        _ if part == whole => "100%".to_owned(),
        _ => format!("{:.1}%", share.clamp(0.1, 99.9)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_the_digits_asked_for_and_no_more() {
        let cases = [
            (238.94212918, "238.94213"),
            (5.5015643181e-4, "0.00055015643"),
            (7.2668688436e-6, "7.2668688e-6"),
            (500.0, "500"),
            (-0.05, "-0.05"),
            (0.0, "0"),
            (1e300, "1e300"),
            (12345678.4, "12345678"),
            (123456789.0, "1.2345679e8"),
            (99999999.9, "1e8"),
            (f64::NAN, "-"),
            (f64::NEG_INFINITY, "-inf"),
        ];
        for (value, text) in cases {
            assert_eq!(significant(value, 8), text);
        }
        assert_eq!(significant(9.9999, 3), "10");
    }

    #[test]
    fn counts_and_shares_read_well_and_do_not_lie() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(percent(1, 3), "33.3%");
        assert_eq!(percent(999_999, 1_000_000), "99.9%");
        assert_eq!(percent(1, 1_000_000), "0.1%");
        assert_eq!((percent(4, 4), percent(0, 4), percent(0, 0)), ("100%".into(), "0%".into(), "-".into()));
    }
}
