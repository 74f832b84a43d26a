//! A summary on its way: problem by problem, and put together of pieces.

use std::collections::BTreeMap;

use super::{BINS, BestProblem, RuleSummary, Summary, median};
use crate::ngd::Status;
use crate::sweep::SizeUnit;

/// What a summary needs to know of one problem.
pub(crate) struct Line<'a> {
    pub(crate) problem: u64,
    pub(crate) step_size: f64,
    pub(crate) unit: SizeUnit,
    pub(crate) damping: Option<f64>,
    pub(crate) filter: &'a str,
    pub(crate) scaling: &'a str,
    pub(crate) status: &'a str,
    pub(crate) reason: Option<&'a str>,
    pub(crate) steps: u32,
    pub(crate) loss: Option<f64>,
    /// Whether the rank is below min(points, parameters).
    pub(crate) short: bool,
}

/// The bin of a loss.
fn bin(loss: Option<f64>) -> i32 {
    match loss {
        Some(0.0) => i32::MIN,
        Some(loss) => (BINS * loss.log10()).round() as i32,
        None => i32::MAX,
    }
}

/// Adds up a [`Summary`] problem by problem, in memory that grows with the rules and not with the problems.
#[derive(Default)]
pub(crate) struct SummaryBuilder {
    summary: Summary,
    /// Position in `summary.rules` of each rule.
    rules: BTreeMap<RuleKey, usize>,
    /// That of the rule of the last problem.
    last: usize,
}

/// What tells rules apart: numbers by their bits, `None` (adaptive) apart from every number.
type RuleKey = (u64, String, Option<u64>, String, String);

impl RuleSummary {
    /// Whether this is the rule of a problem.
    fn is_of(&self, line: &Line<'_>) -> bool {
        self.step_size.to_bits() == line.step_size.to_bits()
            && self.damping.map(f64::to_bits) == line.damping.map(f64::to_bits)
            && self.size_unit == line.unit.name()
            && self.filter == line.filter
            && self.scaling == line.scaling
    }

    fn key(&self) -> RuleKey {
        let (size, damping) = (self.step_size.to_bits(), self.damping.map(f64::to_bits));
        (size, self.size_unit.clone(), damping, self.filter.clone(), self.scaling.clone())
    }

    /// The rule of a problem, of which none is counted yet.
    fn of(line: &Line<'_>) -> Self {
        Self {
            step_size: line.step_size,
            size_unit: line.unit.name().to_owned(),
            damping: line.damping,
            filter: line.filter.to_owned(),
            scaling: line.scaling.to_owned(),
            problems: 0,
            converged: 0,
            converged_share: 0.0,
            median_steps: None,
            steps: BTreeMap::new(),
            losses: BTreeMap::new(),
        }
    }

    /// The same rule before any problem.
    #[cfg(any(feature = "cli", test))]
    fn emptied(&self) -> Self {
        let (steps, losses) = (BTreeMap::new(), BTreeMap::new());
        Self { problems: 0, converged: 0, steps, losses, ..self.clone() }
    }
}

/// So many more of a name, which is copied where it is new only.
fn count_name(counts: &mut BTreeMap<String, u64>, name: &str, more: u64) {
    match counts.get_mut(name) {
        Some(count) => *count += more,
        None => {
            counts.insert(name.to_owned(), more);
        }
    }
}

impl SummaryBuilder {
    pub(crate) fn add(&mut self, line: &Line<'_>) {
        let converged = line.status == Status::Converged.name();
        let position = self.position(line);
        let summary = &mut self.summary;
        summary.problems += 1;
        count_name(&mut summary.status, line.status, 1);
        if let Some(reason) = line.reason {
            count_name(&mut summary.reason, reason, 1);
        }
        summary.short_of_rank += u64::from(converged && line.short);
        let rule = &mut summary.rules[position];
        rule.problems += 1;
        *rule.losses.entry(bin(line.loss)).or_default() += 1;
        if converged {
            rule.converged += 1;
            *rule.steps.entry(line.steps).or_default() += 1;
        }
        if let Some(loss) = line.loss {
            self.see_best(BestProblem { problem: line.problem, loss, converged });
        }
    }

    /// Where the rule of a problem stands: most often that of the problem before is the same.
    fn position(&mut self, line: &Line<'_>) -> usize {
        if !self.summary.rules.get(self.last).is_some_and(|rule| rule.is_of(line)) {
            self.last = self.position_of(RuleSummary::of(line));
        }
        self.last
    }

    /// Where a rule stands, this being it where it is new.
    fn position_of(&mut self, rule: RuleSummary) -> usize {
        let rules = &mut self.summary.rules;
        *self.rules.entry(rule.key()).or_insert_with(|| {
            rules.push(rule);
            rules.len() - 1
        })
    }

    fn see_best(&mut self, other: BestProblem) {
        let best = &mut self.summary.best;
        if best.as_ref().is_none_or(|best| (other.converged, best.loss) > (best.converged, other.loss)) {
            *best = Some(other);
        }
    }

    /// Adds the problems that another one counted, all of which come after those of this one.
    #[cfg(any(feature = "cli", test))]
    pub(crate) fn append(&mut self, other: Self) {
        let Summary { problems, status, reason, short_of_rank, best, rules } = other.summary;
        self.summary.problems += problems;
        self.summary.short_of_rank += short_of_rank;
        status.iter().for_each(|(name, &count)| count_name(&mut self.summary.status, name, count));
        reason.iter().for_each(|(name, &count)| count_name(&mut self.summary.reason, name, count));
        if let Some(best) = best {
            self.see_best(best);
        }
        for rule in rules {
            let position = self.position_of(rule.emptied());
            let into = &mut self.summary.rules[position];
            into.problems += rule.problems;
            into.converged += rule.converged;
            rule.steps.iter().for_each(|(&steps, count)| *into.steps.entry(steps).or_default() += count);
            rule.losses.iter().for_each(|(&bin, count)| *into.losses.entry(bin).or_default() += count);
        }
    }

    pub(crate) fn finish(mut self) -> Summary {
        for rule in &mut self.summary.rules {
            rule.converged_share = rule.converged as f64 / rule.problems as f64;
            rule.median_steps = median(&rule.steps, rule.converged);
        }
        self.summary
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_of_pieces_come_to_that_of_the_whole_wherever_it_is_cut() {
        let line = |k: u64| {
            // Rules in no order, losses that tie, and some that are not there.
            let status = ["converged", "stalled", "non_finite"][(k % 7 / 3) as usize];
            Line {
                problem: k,
                step_size: [0.5, 1.0][(k % 3 / 2) as usize],
                unit: SizeUnit::Absolute,
                damping: (k % 5 > 1).then_some(0.1),
                filter: "tikhonov",
                scaling: "columns",
                status,
                reason: (status == "converged").then_some("gradient"),
                steps: (k * k % 11) as u32,
                loss: (status != "non_finite").then_some((k % 4) as f64),
                short: k.is_multiple_of(6),
            }
        };
        let of = |range: std::ops::Range<u64>| {
            let mut builder = SummaryBuilder::default();
            range.for_each(|k| builder.add(&line(k)));
            builder
        };
        for cut in [0, 1, 2, 5, 17, 40] {
            let mut whole = of(0..cut);
            whole.append(of(cut..40));
            assert_eq!(whole.finish(), of(0..40).finish(), "cut at {cut}");
        }
    }
}
