use std::io::{self, Write};

use super::number::{count, significant};
use super::summary::is_short;
use crate::data::{Key, KeyColumn};
use crate::ngd::{Damping, Precision, Scaling};
use crate::sweep::{Context, Errors, Outcome, Problem};

/// Most rows a table shows.
const ROWS: usize = 20;

/// Writes the outcome as aligned text for people: one problem as a report with a row a parameter, several as a row a
/// problem, of which the first 20 are shown and the rest counted, with the options that show them.
///
/// # Errors
/// What the writer answers.
pub fn write_table(outcome: &Outcome, mut writer: impl Write) -> io::Result<()> {
    if outcome.len() == 1 {
        write_report(outcome, &mut writer)?;
    } else {
        write_rows(outcome, &mut writer)?;
    }
    writer.flush()
}

/// Significant digits worth showing in a precision.
fn digits(context: &Context) -> usize {
    match context.precision {
        Precision::F32 => 7,
        Precision::F64 => 10,
    }
}

fn write_report(outcome: &Outcome, writer: &mut impl Write) -> io::Result<()> {
    let context = outcome.context();
    let problem = outcome.problem(0);
    let rule = problem.rule();
    let number = |value| significant(value, digits(context));
    let mut facts = TextTable::default();
    for column in &context.keys {
        facts.row([column.name.clone(), key(column, problem.set())]);
    }
    facts.row(["status".to_owned(), format!("{} after {} steps", ending(&problem), problem.steps())]);
    facts.row(["points".to_owned(), count(problem.points() as u64)]);
    facts.row(["loss".to_owned(), number(problem.loss())]);
    facts.row(["residual sum of squares".to_owned(), number(problem.residual_sum_of_squares())]);
    facts.row(["reduced chi-square".to_owned(), number(problem.reduced_chi_square())]);
    let factored = match rule.scaling {
        Scaling::Columns => "J with unit columns",
        Scaling::None => "J",
    };
    let of = context.parameters.len().min(problem.points());
    let (rank, sigma) = match problem.rank() {
        Some(rank) => {
            let sigma: Vec<String> = problem.singular_values().iter().map(|&s| significant(s, 4)).collect();
            (format!("{rank} of {of}"), format!("{} (of {factored})", sigma.join(" ")))
        }
        None => ("-".to_owned(), "-".to_owned()),
    };
    facts.row(["rank".to_owned(), rank]);
    facts.row(["singular values".to_owned(), sigma]);
    if !problem.unresolved().is_empty() {
        let mixed = format!("{} (the data do not tell them apart)", problem.unresolved().join(", "));
        facts.row(["unresolved".to_owned(), mixed]);
    }
    facts.row(["device".to_owned(), format!("{} ({})", context.device, context.precision)]);
    facts.write(writer)?;
    writeln!(writer)?;

    let errors = match context.errors {
        Errors::Scaled => "standard error",
        Errors::Absolute => "standard error (absolute)",
    };
    if context.network {
        return writeln!(writer, "{} parameters", count(context.parameters.len() as u64));
    }
    let mut table = TextTable::with_header(["parameter", "estimate", errors]);
    for (j, name) in context.parameters.iter().enumerate() {
        let error = problem.standard_errors()[j];
        table.row([name.clone(), number(problem.parameters()[j]), significant(error, 4)]);
    }
    table.write(writer)
}

fn write_rows(outcome: &Outcome, writer: &mut impl Write) -> io::Result<()> {
    let context = outcome.context();
    let starts = outcome.iter().any(|problem| problem.start_index() > 0);
    let rules = context.rules.len() > 1;
    let mut header: Vec<String> = context.keys.iter().map(|column| column.name.clone()).collect();
    if header.is_empty() && outcome.iter().any(|problem| problem.set() > 0) {
        header.push("set".to_owned());
    }
    let keys = header.len();
    header.extend(starts.then(|| "start".to_owned()));
    if rules {
        header.extend(["step size", "damping"].map(str::to_owned));
    }
    header.extend(["status", "steps", "loss"].map(str::to_owned));
    // Where all have full rank the column would say nothing.
    let ranks = outcome.iter().any(|problem| is_short(&problem));
    header.extend(ranks.then(|| "rank".to_owned()));
    for name in context.parameters.iter().filter(|_| !context.network) {
        header.push(name.clone());
        header.extend((context.told() > 0).then(|| "±".to_owned()));
    }
    let mut table = TextTable::with_header(header);
    for problem in outcome.iter().take(ROWS) {
        let mut row: Vec<String> = context.keys.iter().map(|column| key(column, problem.set())).collect();
        if row.len() < keys {
            row.push(problem.set().to_string());
        }
        row.extend(starts.then(|| problem.start_index().to_string()));
        if rules {
            row.extend([significant(problem.step_size(), 6), damping_name(problem.rule().damping)]);
        }
        row.extend([ending(&problem), problem.steps().to_string(), significant(problem.loss(), 6)]);
        row.extend(ranks.then(|| problem.rank().map_or("-".to_owned(), |rank| rank.to_string())));
        for (value, error) in problem.parameters().iter().zip(problem.standard_errors()) {
            row.push(significant(*value, digits(context)));
            row.extend((context.told() > 0).then(|| significant(error, 3)));
        }
        table.row(row);
    }
    table.write(writer)?;
    if outcome.len() > ROWS {
        let more = count((outcome.len() - ROWS) as u64);
        writeln!(writer, "… and {more} more: --format csv prints them all, --out FILE.csv writes them to a file")?;
    }
    Ok(())
}

/// How a problem ended, with the test that it passed.
fn ending(problem: &Problem<'_>) -> String {
    match problem.reason() {
        Some(reason) => format!("{} ({reason})", problem.status()),
        None => problem.status().to_string(),
    }
}

/// A damping as tables name it.
pub(crate) fn damping_name(damping: Damping) -> String {
    match damping {
        Damping::Adaptive => "adaptive".to_owned(),
        Damping::Fixed(epsilon) => significant(epsilon, 6),
    }
}

fn key(column: &KeyColumn, set: usize) -> String {
    match column.get(set) {
        Key::Number(value) => significant(value, 10),
        other => other.to_string(),
    }
}

/// Rows of text in aligned columns: numbers to the right, text to the left.
#[derive(Default)]
pub(crate) struct TextTable {
    header: Option<Vec<String>>,
    rows: Vec<Vec<String>>,
}

impl TextTable {
    pub(crate) fn with_header(header: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { header: Some(header.into_iter().map(Into::into).collect()), rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        // A line break in a cell of text would break the table.
        let one_line = |cell: String| cell.replace(['\n', '\r', '\t'], " ");
        self.rows.push(cells.into_iter().map(|cell| one_line(cell.into())).collect());
    }

    pub(crate) fn write(&self, writer: &mut impl Write) -> io::Result<()> {
        let lines: Vec<&Vec<String>> = self.header.iter().chain(&self.rows).collect();
        let columns = lines.iter().map(|line| line.len()).max().unwrap_or(0);
        let width = |k: usize| lines.iter().filter_map(|line| line.get(k)).map(|c| c.chars().count()).max();
        let widths: Vec<usize> = (0..columns).map(|k| width(k).unwrap_or(0)).collect();
        let right: Vec<bool> = (0..columns)
            .map(|k| self.header.is_some() && self.rows.iter().all(|row| row.get(k).is_none_or(|c| is_number(c))))
            .collect();
        for line in lines {
            let mut text = String::new();
            for (k, cell) in line.iter().enumerate() {
                let pad = " ".repeat(widths[k] - cell.chars().count());
                let gap = if k == 0 { "" } else { "  " };
                text += gap;
                text += &if right[k] { pad + cell } else { format!("{cell}{pad}") };
            }
            writeln!(writer, "{}", text.trim_end())?;
        }
        Ok(())
    }
}

fn is_number(cell: &str) -> bool {
    cell == "-" || cell.trim_end_matches('%').replace(',', "").parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::super::example::{empty_outcome_with, outcome, stale_outcome};
    use super::*;

    fn text(outcome: &Outcome) -> String {
        let mut bytes = Vec::new();
        write_table(outcome, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn several_problems_are_a_row_each() {
        let text = text(&outcome());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[..2],
            [
                "cell     step size  damping   status                steps  loss  rank     b1  ±       b2  ±",
                "A, left        0.5  0         converged (gradient)     12  0.25     2  238.5  1  0.00055  2",
            ]
        );
        assert_eq!(lines.len(), 5);
    }

    #[test]
    fn one_problem_is_a_report_with_a_row_a_parameter() {
        let text = text(&outcome().select([0]));
        assert!(text.contains("status                   converged (gradient) after 12 steps\n"), "{text}");
        assert!(text.contains("singular values          1.5 0.5 (of J with unit columns)\n"), "{text}");
        assert!(text.ends_with("b1            238.5               1\nb2          0.00055               2\n"), "{text}");
    }

    #[test]
    fn a_problem_of_short_rank_names_the_parameters_that_are_mixed() {
        let text = text(&outcome().select([3]));
        assert!(text.contains("unresolved               b2 (the data do not tell them apart)"), "{text}");
    }

    #[test]
    fn what_an_earlier_factorisation_said_is_a_dash_where_there_is_none_at_the_end() {
        for row in 0..3 {
            let text = text(&stale_outcome().select([row]));
            for line in ["reduced chi-square       -\n", "rank                     -\n", "singular values          -\n"]
            {
                assert!(text.contains(line), "{text}");
            }
            assert!(!text.contains("unresolved"), "{text}");
            assert!(
                text.ends_with("b1            238.5               -\nb2          0.00055               -\n"),
                "{text}"
            );
        }
        let rows = text(&stale_outcome());
        assert!(rows.lines().skip(1).all(|line| line.ends_with("238.5  -  0.00055  -")), "{rows}");
    }

    #[test]
    fn a_long_table_shows_twenty_rows_and_counts_the_rest() {
        let outcome = outcome().select((0..1234).map(|i| i % 4));
        let text = text(&outcome);
        assert_eq!(text.lines().count(), 22);
        let last = text.lines().last().unwrap();
        assert!(last.starts_with("… and 1,214 more: ") && last.contains("--format csv"), "{last}");
    }

    #[test]
    fn no_problems_are_a_header_alone() {
        assert_eq!(text(&empty_outcome_with(&[], &["a"])).lines().count(), 1);
    }
}
