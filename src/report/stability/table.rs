use std::io::{self, Write};

use crate::report::number::{count, significant};
use crate::report::table::TextTable;
use crate::stability::{FilterStability, Spread, Stability};

/// Writes what was found as aligned text for people: the verdicts, the spreads, and filter by filter the multipliers of
/// theory beside those measured.
///
/// # Errors
/// What the writer answers.
pub fn write_stability_table(found: &Stability, mut writer: impl Write) -> io::Result<()> {
    let writer = &mut writer;
    let mut verdicts = TextTable::with_header(["verdict", "minimisers"]);
    for (verdict, &number) in &found.verdicts {
        verdicts.row([verdict.clone(), count(number)]);
    }
    verdicts.write(writer)?;
    let excluded: Vec<String> =
        found.excluded.iter().map(|(status, &number)| format!("{} {status}", count(number))).collect();
    if !excluded.is_empty() {
        writeln!(writer, "not certified: {}", excluded.join(", "))?;
    }
    if found.certificates.is_empty() {
        return Ok(());
    }
    writeln!(writer)?;
    let mut spreads = TextTable::with_header(["over all minimisers", "least", "median", "largest"]);
    let mut spread = |name: String, spread: &Spread| {
        let numbers = [spread.least, spread.median, spread.largest].map(|value| significant(value, 4));
        spreads.row(std::iter::once(name).chain(numbers));
    };
    spread("sharpness of JᵀJ".to_owned(), &found.gn_sharpness);
    spread("sharpness of the Hessian".to_owned(), &found.hessian_sharpness);
    spread("critical step, gradient descent".to_owned(), &found.gd_critical_step);
    for (filter, steps) in &found.critical_steps {
        spread(format!("critical step measured, {filter}"), steps);
    }
    spreads.write(writer)?;
    writeln!(writer)?;
    let header = [
        "filter",
        "step size",
        "multipliers of theory",
        "measured",
        "kernel",
        "worst difference",
        "critical step",
        "measured",
    ];
    let mut filters = TextTable::with_header(header);
    let kinds = found.certificates.iter().map(|certificate| certificate.filters.len()).max().unwrap_or(0);
    for k in 0..kinds {
        let all: Vec<&FilterStability> = found.certificates.iter().filter_map(|c| c.filters.get(k)).collect();
        let Some(first) = all.first() else { continue };
        let rows = |f: &FilterStability| f.measured.len() - f.measured_kernel;
        let worst = all.iter().map(|f| f.worst_difference).filter(|x| !x.is_nan()).fold(f64::NAN, f64::max);
        filters.row([
            first.filter.clone(),
            significant(first.step_size, 4),
            range(all.iter().flat_map(|f| f.predicted.iter().take(rows(f)))),
            range(all.iter().flat_map(|f| f.measured.iter().take(rows(f)))),
            range(all.iter().flat_map(|f| f.measured.iter().skip(rows(f)))),
            significant(worst, 2),
            range(all.iter().map(|f| &f.predicted_critical_step)),
            range(all.iter().map(|f| &f.critical_step)),
        ]);
    }
    filters.write(writer)?;
    writer.flush()
}

/// "0.5" or "0.499 … 0.501"; a dash where there is nothing.
fn range<'a>(values: impl Iterator<Item = &'a f64>) -> String {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for &value in values.filter(|value| !value.is_nan()) {
        (low, high) = (low.min(value), high.max(value));
    }
    let [first, last] = [low, high].map(|value| significant(value, 4));
    match () {
        () if low > high => "-".to_owned(),
        () if first == last => first,
        () => format!("{first} … {last}"),
    }
}
