//! Which problems of a history are drawn, and their lines.

use std::collections::BTreeMap;

use crate::sweep::{Outcome, StepRule};

/// Rules that are drawn, at most: more lines are told apart by nobody.
const MOST_RULES: usize = 8;
/// Lines a rule, at most, and of all rules.
const MOST_LINES: usize = 24;
const ALL_LINES: usize = 96;

/// A problem at one point of its way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) step: u32,
    /// ‖e‖.
    pub(super) norm: f64,
    pub(super) sharpness: f64,
}

/// What is drawn of the problems of one rule.
pub(super) struct OfRule {
    pub(super) rule: StepRule,
    /// Problems that there are.
    pub(super) problems: usize,
    /// Those that are drawn.
    pub(super) lines: Vec<Vec<Point>>,
}

/// What is drawn of a history: of all rules and of the problems of each so many as are told apart, evenly chosen.
pub(crate) struct Lines {
    pub(super) rules: Vec<OfRule>,
    /// Rules that there are.
    pub(super) all_rules: usize,
    /// Whether the sharpness is that of the Hessian.
    pub(super) of_hessian: bool,
    /// Where the lines of a problem are.
    places: BTreeMap<u64, (usize, usize)>,
}

impl Lines {
    /// An empty line for each problem chosen, of problems given with the index of their rule.
    pub(super) fn choose(problems: impl Iterator<Item = (u64, usize)>, rules: &[StepRule], of_hessian: bool) -> Self {
        let mut by_rule: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
        for (problem, rule) in problems {
            by_rule.entry(rule).or_default().push(problem);
        }
        let all: Vec<(usize, Vec<u64>)> = by_rule.into_iter().collect();
        let chosen = spread(all.len(), MOST_RULES);
        let most = (ALL_LINES / chosen.len().max(1)).min(MOST_LINES);
        let mut lines = Self { rules: Vec::new(), all_rules: all.len(), of_hessian, places: BTreeMap::new() };
        for (k, (rule, problems)) in chosen.into_iter().map(|k| &all[k]).enumerate() {
            let drawn = spread(problems.len(), most);
            lines.places.extend(drawn.iter().enumerate().map(|(line, &i)| (problems[i], (k, line))));
            let empty = vec![Vec::new(); drawn.len()];
            lines.rules.push(OfRule { rule: rules[*rule], problems: problems.len(), lines: empty });
        }
        lines
    }

    /// Adds a point to the line of a problem, where it has one.
    pub(super) fn add(&mut self, problem: u64, point: Point) {
        if let Some(&(rule, line)) = self.places.get(&problem) {
            self.rules[rule].lines[line].push(point);
        }
    }

    /// The lines of an outcome.
    pub(super) fn of_outcome(outcome: &Outcome) -> Self {
        let context = outcome.context();
        let problems = outcome.iter().map(|problem| (problem.index(), problem.rule_index()));
        let mut lines = Self::choose(problems, &context.rules, context.history.hessian_sharpness);
        for problem in outcome.iter() {
            for record in problem.history() {
                let sharpness = record.hessian_sharpness.unwrap_or(record.gn_sharpness);
                lines.add(problem.index(), Point { step: record.step, norm: record.residual_norm, sharpness });
            }
        }
        lines
    }
}

/// At most `most` of `count` things, evenly spread, the first among them, and the last where there are several.
fn spread(count: usize, most: usize) -> Vec<usize> {
    if count <= most {
        return (0..count).collect();
    }
    (0..most).map(|k| k * (count - 1) / (most - 1)).collect()
}

/// Lines from a file, which may be larger than memory.
#[cfg(feature = "cli")]
mod file {
    use std::path::Path;

    use arrow_array::{Array, Float64Array, RecordBatch, UInt32Array, UInt64Array};

    use super::{Lines, Point};
    use crate::report::ReportError;
    use crate::report::parts::{column, each_batch};
    use crate::sweep::StepRule;

    impl Lines {
        /// The lines of the history of a sweep by these rules, as it was written: what is drawn is chosen in one pass, and
        /// read in a second.
        pub(crate) fn of_file(path: &Path, rules: &[StepRule], of_hessian: bool) -> Result<Self, ReportError> {
            let sharpness = if of_hessian { "hessian_sharpness" } else { "gn_sharpness" };
            let mut problems = Vec::new();
            each_batch(path, &["problem", "step"], None, |batch| {
                let (index, step) = heads(batch)?;
                // Every problem is recorded at its start.
                let starts = (0..batch.num_rows()).filter(|&row| step.value(row) == 0);
                // Rules are what varies fastest, and every start has all of them.
                let rule = |problem: u64| (problem % rules.len() as u64) as usize;
                problems.extend(starts.map(|row| index.value(row)).map(|problem| (problem, rule(problem))));
                Ok(())
            })?;
            let mut lines = Self::choose(problems.into_iter(), rules, of_hessian);
            each_batch(path, &["problem", "step", "residual_norm", sharpness], None, |batch| {
                let (index, step) = heads(batch)?;
                let norms: &Float64Array = column(batch, "residual_norm")?;
                let sharpnesses: &Float64Array = column(batch, sharpness)?;
                let value = |of: &Float64Array, row: usize| if of.is_valid(row) { of.value(row) } else { f64::NAN };
                for row in 0..batch.num_rows() {
                    let (norm, sharpness) = (value(norms, row), value(sharpnesses, row));
                    lines.add(index.value(row), Point { step: step.value(row), norm, sharpness });
                }
                Ok(())
            })?;
            Ok(lines)
        }
    }

    /// Problem and step of each row.
    fn heads(batch: &RecordBatch) -> Result<(&UInt64Array, &UInt32Array), String> {
        Ok((column(batch, "problem")?, column(batch, "step")?))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::example::with_history;
    use super::*;

    #[test]
    fn as_many_are_drawn_as_are_told_apart_the_first_and_the_last_among_them() {
        assert_eq!((spread(3, 8), spread(100, 3), spread(0, 4)), (vec![0, 1, 2], vec![0, 49, 99], vec![]));
        let rules = vec![with_history().context().rules[0]; 20];
        let lines = Lines::choose((0..2000).map(|problem| (problem, problem as usize % 20)), &rules, false);
        assert_eq!((lines.rules.len(), lines.all_rules), (8, 20));
        assert!(lines.rules.iter().all(|rule| rule.lines.len() == 12 && rule.problems == 100));
        let one = Lines::choose((0..2000).map(|problem| (problem, 0)), &rules, false);
        assert_eq!((one.rules[0].lines.len(), one.places.len()), (24, 24));
    }

    #[test]
    fn the_lines_of_an_outcome_are_its_records() {
        let lines = Lines::of_outcome(&with_history());
        assert_eq!(lines.rules.len(), 2);
        assert_eq!(lines.rules[0].lines[0][0], Point { step: 0, norm: 4.0, sharpness: 5.0 });
        assert!(lines.rules.iter().flat_map(|rule| &rule.lines).all(|line| line.len() == 2));
    }
}
