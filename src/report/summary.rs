mod builder;

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::number::{count, percent, significant};
use super::table::TextTable;
use crate::ngd::{Reason, Status};
use crate::sweep::{Outcome, Problem, SizeUnit, StepRule};

pub(crate) use builder::{Line, SummaryBuilder};

/// Counts and shares of a whole run, in a form that is written to `summary.json` and printed.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Summary {
    /// Number of problems.
    pub problems: u64,
    /// How many ended with each status; statuses that did not occur are left out.
    pub status: BTreeMap<String, u64>,
    /// How many converged by each test.
    pub reason: BTreeMap<String, u64>,
    /// How many of those that converged have a rank below min(points, parameters): their data do not determine every
    /// parameter there.
    pub short_of_rank: u64,
    /// The problem with the least loss, those that converged before all others.
    pub best: Option<BestProblem>,
    /// The same by step rule, in the order of the rules.
    pub rules: Vec<RuleSummary>,
}

/// The problem of a run that ended best.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct BestProblem {
    /// Index of the problem in the sweep.
    pub problem: u64,
    /// Its loss ½‖e‖².
    pub loss: f64,
    /// Whether it converged.
    pub converged: bool,
}

/// What became of the problems with one step rule.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RuleSummary {
    /// Step size η, in `size_unit`.
    pub step_size: f64,
    /// Name of the unit of step sizes; left out where they are absolute.
    #[serde(skip_serializing_if = "is_absolute")]
    pub size_unit: String,
    /// Damping ε; `None` is the adaptive rule.
    pub damping: Option<f64>,
    /// Name of the filter.
    pub filter: String,
    /// Name of the scaling.
    pub scaling: String,
    /// Number of problems with this rule.
    pub problems: u64,
    /// How many of them converged.
    pub converged: u64,
    /// `converged` / `problems`.
    pub converged_share: f64,
    /// Median of the steps that the converged ones took (the lower one of two); `None` where none converged.
    pub median_steps: Option<u32>,
    /// Steps taken, of the problems that converged: how many took so many.
    #[serde(skip)]
    steps: BTreeMap<u32, u64>,
    /// Losses of all problems, converged or not, in bins of their logarithm: how many are in each.
    #[serde(skip)]
    losses: BTreeMap<i32, u64>,
}

/// Bins of losses a decade: a median told by them is off by no more than 2.4%.
const BINS: f64 = 50.0;

#[cfg(any(feature = "plot", test))]
impl RuleSummary {
    /// The decimal logarithm of the median of the final losses (the lower one of two), to a hundredth: −∞ where it is zero, ∞
    /// where it is not finite.
    pub(crate) fn median_log_loss(&self) -> f64 {
        match median(&self.losses, self.problems) {
            Some(i32::MIN) => f64::NEG_INFINITY,
            Some(i32::MAX) | None => f64::INFINITY,
            Some(bin) => f64::from(bin) / BINS,
        }
    }
}

/// Of so many things, counted by their value, the one in the middle, the lower one of two.
fn median<T: Copy>(counts: &BTreeMap<T, u64>, of: u64) -> Option<T> {
    let mut seen = 0;
    let middle = counts.iter().find(|&(_, &count)| {
        seen += count;
        2 * seen >= of
    });
    middle.map(|(&value, _)| value)
}

fn is_absolute(unit: &String) -> bool {
    unit == SizeUnit::Absolute.name()
}

impl Summary {
    /// The summary of an outcome.
    #[must_use]
    pub fn new(outcome: &Outcome) -> Self {
        let mut builder = SummaryBuilder::default();
        let filters: Vec<String> = outcome.context().rules.iter().map(StepRule::filter_name).collect();
        for problem in outcome.iter() {
            let rule = problem.rule();
            builder.add(&Line {
                problem: problem.index(),
                step_size: rule.size,
                unit: rule.unit,
                damping: super::columns::damping(rule),
                filter: &filters[problem.rule_index()],
                scaling: rule.scaling.name(),
                status: problem.status().name(),
                reason: problem.reason().map(Reason::name),
                steps: problem.steps(),
                loss: super::columns::finite(problem.loss()),
                short: is_short(&problem),
            });
        }
        builder.finish()
    }

    /// How many problems ended with this status.
    #[must_use]
    pub fn count(&self, status: Status) -> u64 {
        self.status.get(status.name()).copied().unwrap_or(0)
    }

    /// Prints the short table: counts by status, best loss, and by step size and damping the share that converged.
    ///
    /// # Errors
    /// What the writer answers.
    pub fn write_table(&self, mut writer: impl Write) -> io::Result<()> {
        let mut statuses = TextTable::with_header(["status", "problems", "share"]);
        for status in Status::ALL {
            let problems = self.count(status);
            if problems > 0 {
                statuses.row([status.name().to_owned(), count(problems), percent(problems, self.problems)]);
            }
        }
        statuses.write(&mut writer)?;
        if !self.reason.is_empty() {
            let reasons: Vec<String> =
                self.reason.iter().map(|(name, &problems)| format!("{name} {}", count(problems))).collect();
            writeln!(writer, "converged by test: {}", reasons.join(", "))?;
        }
        if self.short_of_rank > 0 {
            let short = count(self.short_of_rank);
            writeln!(
                writer,
                "short of full rank: {short} of the converged (the data do not determine every parameter there)"
            )?;
        }
        if let Some(best) = &self.best {
            let ending = if best.converged { "" } else { ", which did not converge" };
            writeln!(writer, "best loss: {} (problem {}{ending})", significant(best.loss, 8), best.problem)?;
        }
        if self.rules.len() > 1 {
            writeln!(writer)?;
            self.write_shares(&mut writer)?;
        }
        writer.flush()
    }

    /// A row a step size, a column for each damping and filter. Of many step sizes some are left out, evenly, so that
    /// the whole range is seen: a sweep is there to show where convergence begins and ends.
    fn write_shares(&self, writer: &mut impl Write) -> io::Result<()> {
        let families = self.families();
        let mut sizes: Vec<f64> = self.rules.iter().map(|rule| rule.step_size).collect();
        sizes.sort_by(f64::total_cmp);
        sizes.dedup();
        let header = families.iter().map(|family| family.label.as_str());
        let size = format!("step size{}", self.unit_of_sizes());
        let mut table = TextTable::with_header([size.as_str()].into_iter().chain(header));
        let shown = spread(sizes.len());
        for &size in shown.iter().map(|&i| &sizes[i]) {
            let shares = families.iter().map(|family| {
                let rule = family.rules.iter().find(|rule| rule.step_size.total_cmp(&size).is_eq());
                rule.map_or("-".to_owned(), |rule| percent(rule.converged, rule.problems))
            });
            table.row([significant(size, 6)].into_iter().chain(shares));
        }
        writeln!(writer, "share that converged")?;
        table.write(writer)?;
        let left_out = sizes.len() - shown.len();
        if left_out > 0 {
            let (left_out, all) = (count(left_out as u64), count(sizes.len() as u64));
            writeln!(writer, "{left_out} of {all} step sizes between these are left out: summary.json holds them all")?;
        }
        Ok(())
    }

    /// What follows the words step size where all are in one unit that is not 1.
    pub(crate) fn unit_of_sizes(&self) -> String {
        let first = self.rules.first().map_or(SizeUnit::Absolute.name(), |rule| &rule.size_unit);
        let is_one = first != SizeUnit::Absolute.name() && self.rules.iter().all(|rule| rule.size_unit == first);
        if is_one { format!(" ({first})") } else { String::new() }
    }

    /// The rules that differ in step size only, with what they share as a label.
    pub(crate) fn families(&self) -> Vec<Family<'_>> {
        let same = |of: fn(&RuleSummary) -> &str| self.rules.windows(2).all(|pair| of(&pair[0]) == of(&pair[1]));
        // Tikhonov is the filter of every damping above 0: the damping says it already.
        let plain = |rule: &RuleSummary| rule.filter == "exact" || rule.filter == "tikhonov";
        let filters_matter = !self.rules.iter().all(plain);
        let scalings_matter = !same(|rule| &rule.scaling);
        let units_matter = !same(|rule| &rule.size_unit);
        let mut families: Vec<Family<'_>> = Vec::new();
        for rule in &self.rules {
            let damping = rule.damping.map_or("adaptive".to_owned(), |epsilon| significant(epsilon, 6));
            let mut label = format!("damping {damping}");
            if filters_matter {
                label += &format!(", {}", rule.filter);
            }
            if scalings_matter {
                label += &format!(", scaling {}", rule.scaling);
            }
            if units_matter {
                label += &format!(", {} sizes", rule.size_unit);
            }
            match families.iter_mut().find(|family| family.label == label) {
                Some(family) => family.rules.push(rule),
                None => families.push(Family { label, rules: vec![rule] }),
            }
        }
        families
    }
}

/// Whether the rank is below min(points, parameters).
pub(super) fn is_short(problem: &Problem<'_>) -> bool {
    problem.rank().is_some_and(|rank| rank < problem.points().min(problem.parameters().len()))
}

/// Step sizes that are shown without leaving any out.
const ALL_SHOWN: usize = 50;

/// Step sizes shown where there are more.
const SOME_SHOWN: usize = 25;

/// Which of `count` rows to show: all, or as many as are easily read, evenly spread, the first and the last among them.
fn spread(count: usize) -> Vec<usize> {
    if count <= ALL_SHOWN {
        return (0..count).collect();
    }
    let gaps = SOME_SHOWN - 1;
    (0..SOME_SHOWN).map(|k| (k * (count - 1) + gaps / 2) / gaps).collect()
}

/// Rules that differ in step size only.
pub(crate) struct Family<'a> {
    pub(crate) label: String,
    pub(crate) rules: Vec<&'a RuleSummary>,
}

#[cfg(test)]
mod tests {
    use super::super::example::{empty_outcome_with, outcome};
    use super::*;

    #[test]
    fn a_summary_counts_statuses_reasons_and_shares_by_rule() {
        let summary = Summary::new(&outcome());
        assert_eq!(summary.problems, 4);
        assert_eq!((summary.count(Status::Converged), summary.count(Status::NonFinite)), (3, 1));
        assert_eq!(summary.reason["gradient"], 2);
        let best = summary.best.as_ref().unwrap();
        // Problems 0 and 1 end with the same loss: the first is named.
        assert_eq!((best.problem, best.loss, best.converged), (0, 0.25, true));
        let shares: Vec<(f64, Option<f64>, f64)> =
            summary.rules.iter().map(|r| (r.step_size, r.damping, r.converged_share)).collect();
        assert_eq!(shares, [(0.5, Some(0.0), 0.5), (1.0, None, 1.0)]);
        assert_eq!(summary.rules[1].median_steps, Some(5));
    }

    #[test]
    fn a_converged_problem_is_better_than_a_lower_loss_that_did_not_converge() {
        let line = |problem, status, loss| Line {
            problem,
            step_size: 1.0,
            unit: SizeUnit::Absolute,
            damping: None,
            filter: "tikhonov",
            scaling: "columns",
            status,
            reason: None,
            steps: 1,
            loss,
            short: false,
        };
        let mut builder = SummaryBuilder::default();
        builder.add(&line(0, "non_finite", None));
        builder.add(&line(1, "step_limit", Some(0.1)));
        builder.add(&line(2, "converged", Some(0.5)));
        builder.add(&line(3, "converged", Some(0.4)));
        builder.add(&line(4, "stalled", Some(0.0)));
        assert_eq!(builder.finish().best.unwrap().problem, 3);
    }

    #[test]
    fn the_printed_table_has_a_row_a_step_size_and_a_column_a_damping() {
        let mut bytes = Vec::new();
        Summary::new(&outcome()).write_table(&mut bytes).unwrap();
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "status      problems  share\n\
             converged          3  75.0%\n\
             non_finite         1  25.0%\n\
             converged by test: gradient 2, loss 1\n\
             short of full rank: 1 of the converged (the data do not determine every parameter there)\n\
             best loss: 0.25 (problem 0)\n\
             \n\
             share that converged\n\
             step size  damping 0  damping adaptive\n      \
                   0.5      50.0%                 -\n        \
                     1          -              100%\n"
        );
    }

    /// A summary of this many step sizes, 0.05 apart.
    fn summary_of(sizes: usize) -> Summary {
        let mut builder = SummaryBuilder::default();
        for k in 1..=sizes {
            builder.add(&Line {
                problem: k as u64,
                step_size: 0.05 * k as f64,
                unit: SizeUnit::Absolute,
                damping: Some(0.0),
                filter: "exact",
                scaling: "columns",
                status: "converged",
                reason: None,
                steps: 1,
                loss: None,
                short: false,
            });
        }
        builder.finish()
    }

    /// The step sizes of the table of shares, and what stands below it.
    fn shown_sizes(sizes: usize) -> (Vec<f64>, String) {
        let mut bytes = Vec::new();
        summary_of(sizes).write_table(&mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let rows = text.split("damping 0\n").nth(1).unwrap();
        let first = |line: &str| line.split_whitespace().next().unwrap().parse::<f64>();
        let shown = rows.lines().filter(|line| line.ends_with('%')).map(|line| first(line).unwrap()).collect();
        (shown, rows.lines().filter(|line| !line.ends_with('%')).collect())
    }

    #[test]
    fn fifty_step_sizes_are_all_shown() {
        let (shown, below) = shown_sizes(50);
        assert_eq!((shown.len(), shown[0], shown[49], below.as_str()), (50, 0.05, 2.5, ""));
    }

    #[test]
    fn of_more_step_sizes_the_first_the_last_and_an_even_choice_between_are_shown_and_the_rest_counted() {
        for sizes in [51, 52, 100, 1001] {
            let (shown, below) = shown_sizes(sizes);
            assert_eq!((shown.len(), shown[0]), (25, 0.05));
            assert!((shown[24] - 0.05 * sizes as f64).abs() < 1e-6, "{shown:?}");
            // Rounding to whole rows moves each row by at most half a row, and a gap by one.
            let even = 0.05 * (sizes - 1) as f64 / 24.0;
            assert!(shown.windows(2).all(|pair| (pair[1] - pair[0] - even).abs() < 0.0501), "{shown:?}");
            let counted = format!("{} of {} step sizes", count(sizes as u64 - 25), count(sizes as u64));
            assert!(below.starts_with(&counted), "{below}");
        }
    }

    #[test]
    fn the_median_of_losses_is_told_to_a_hundredth_of_its_logarithm_whatever_they_are() {
        let median = |losses: &[Option<f64>]| {
            let mut builder = SummaryBuilder::default();
            for &loss in losses {
                builder.add(&Line {
                    problem: 0,
                    step_size: 1.0,
                    unit: SizeUnit::Absolute,
                    damping: Some(0.0),
                    filter: "exact",
                    scaling: "none",
                    status: "step_limit",
                    reason: None,
                    steps: 1,
                    loss,
                    short: false,
                });
            }
            builder.finish().rules[0].median_log_loss()
        };
        let found = median(&[Some(5.0), Some(3e-9), Some(2e-7), None, Some(0.0)]);
        assert!((found - 2e-7f64.log10()).abs() <= 0.01, "{found}");
        assert!((median(&[Some(2.0), Some(3.0)]) - 2f64.log10()).abs() <= 0.01);
        assert_eq!(median(&[Some(1.0), None, None]), f64::INFINITY);
        assert_eq!(median(&[Some(0.0)]), f64::NEG_INFINITY);
        // The least and the largest number that a loss can be.
        assert!((median(&[Some(5e-324)]) - 5e-324f64.log10()).abs() <= 0.01);
        assert!((median(&[Some(f64::MAX)]) - f64::MAX.log10()).abs() <= 0.01);
    }

    #[test]
    fn an_empty_outcome_has_an_empty_summary() {
        let summary = Summary::new(&empty_outcome_with(&[], &["a"]));
        assert_eq!((summary.problems, summary.best, summary.rules.len()), (0, None, 0));
    }
}
