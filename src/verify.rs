//! A second opinion: problems of an outcome repeated in f64 on the CPU.

use std::collections::HashMap;
use std::fmt;

use rayon::prelude::*;

use crate::backend::{self, Solved};
use crate::error::Error;
use crate::ngd::Status;
use crate::report::significant;
use crate::starts::Distribution;
use crate::starts::random_start;
use crate::sweep::{Context, Job, Outcome, Problem};

/// How an outcome compares with the same problems run in f64 on the CPU. Its `Display` says it in one line.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Verification {
    /// Problems repeated.
    pub checked: usize,
    /// Of these, problems that can be compared: converged in both runs, with a standard error for a parameter at least.
    pub compared: usize,
    /// Largest |θ − θ₆₄|/standard error over the compared problems and their resolved parameters; NaN where there are
    /// none.
    pub worst_difference: f64,
    /// The three compared problems that differ most, the worst first; those that do not differ are left out.
    pub worst: Vec<Disagreement>,
    /// Share of the compared problems that had stopped too early: the f64 run, started where they stopped, goes on to
    /// move a parameter by more than a tenth of its standard error. NaN where there are none.
    pub stopped_early_share: f64,
    /// Problems whose status differs.
    pub status_differs: usize,
}

/// A problem that ended elsewhere in f64, by the parameter that differs most.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Disagreement {
    /// Index of the problem in the sweep.
    pub problem: u64,
    /// The data set: its group columns as `cell 7`, or `set 0` without group columns.
    pub set: String,
    /// Index of the start among the starts of its data set.
    pub start: usize,
    /// The parameter.
    pub parameter: String,
    /// |θ − θ₆₄| of that parameter, in its standard errors.
    pub difference: f64,
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = if self.checked == 1 { "" } else { "s" };
        write!(
            f,
            "{} problem{s} repeated in f64 on the CPU, {} compared (converged both times); largest differences in \
             standard errors: ",
            self.checked, self.compared
        )?;
        match self.worst.split_first() {
            None => f.write_str(&significant(self.worst_difference, 3))?,
            Some((first, others)) => {
                write!(f, "{first}")?;
                others.iter().try_for_each(|other| write!(f, ", {other}"))?;
            }
        }
        let early = significant(100.0 * self.stopped_early_share, 3);
        let percent = if self.compared > 0 { "%" } else { "" };
        write!(f, "; stopped too early: {early}{percent}; ended with another status: {}", self.status_differs)
    }
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { problem, set, start, parameter, difference } = self;
        write!(f, "{} ({parameter} of {set}, start {start}, problem {problem})", significant(*difference, 3))
    }
}

/// The parameters' movement, in standard errors, that counts as stopped too early.
const EARLY: f64 = 0.1;

/// Problems that are named where they differ.
const NAMED: usize = 3;

/// Repeats `count` problems of the outcome, chosen at random by a fixed seed, in f64 on the CPU.
///
/// # Errors
/// If data in a file can no longer be read.
pub fn verify(job: &Job, outcome: &Outcome, count: usize) -> Result<Verification, Error> {
    let chosen = choose(outcome.len(), count);
    // Each from the data set that it belongs to: of a file no more than those are read.
    let repeated: Vec<(Solved, Solved)> = chosen
        .par_iter()
        .map(|&i| {
            let problem = outcome.problem(i);
            let window = job.window(problem.index()..problem.index() + 1)?;
            let ids = [window.problem(problem.index())];
            let again = backend::cpu::solve(&window, &ids);
            let restarted = backend::cpu::solve_from(&window, &ids, |_| problem.parameters().to_vec());
            Ok(again.into_iter().zip(restarted))
        })
        .collect::<Result<Vec<_>, Error>>()?
        .into_iter()
        .flatten()
        .collect();
    let mut status_differs = 0;
    let mut early = 0;
    let mut differences = Vec::new();
    for (&i, (again, restarted)) in chosen.iter().zip(&repeated) {
        let problem = outcome.problem(i);
        status_differs += usize::from(problem.status() != again.status);
        if problem.status() != Status::Converged || again.status != Status::Converged {
            continue;
        }
        let Some((parameter, difference)) = largest_difference(&problem, &again.theta) else {
            continue;
        };
        let moved = largest_difference(&problem, &restarted.theta);
        early += usize::from(moved.is_some_and(|(_, moved)| moved > EARLY));
        differences.push(Disagreement {
            problem: problem.index(),
            set: name_of_set(&problem, outcome.context()),
            start: problem.start_index(),
            parameter: outcome.context().parameters[parameter].clone(),
            difference,
        });
    }
    let compared = differences.len();
    let worst_difference = differences.iter().map(|d| d.difference).reduce(f64::max).unwrap_or(f64::NAN);
    // A stable sort: of equal differences the problem with the lower index comes first.
    differences.sort_by(|a, b| b.difference.total_cmp(&a.difference));
    differences.retain(|d| d.difference > 0.0);
    differences.truncate(NAMED);
    Ok(Verification {
        checked: chosen.len(),
        compared,
        worst_difference,
        worst: differences,
        stopped_early_share: if compared > 0 { early as f64 / compared as f64 } else { f64::NAN },
        status_differs,
    })
}

/// The parameter whose distance from `theta` is largest in its standard errors, and that distance; `None` where no
/// parameter has a standard error.
fn largest_difference(problem: &Problem<'_>, theta: &[f64]) -> Option<(usize, f64)> {
    let errors = problem.standard_errors();
    (0..theta.len())
        .filter(|&j| errors[j].is_finite() && errors[j] > 0.0)
        .map(|j| (j, (problem.parameters()[j] - theta[j]).abs() / errors[j]))
        .reduce(|worst, next| if next.1 > worst.1 { next } else { worst })
}

fn name_of_set(problem: &Problem<'_>, context: &Context) -> String {
    if context.keys.is_empty() {
        return format!("set {}", problem.set());
    }
    let keys = context.keys.iter().map(|key| format!("{} {}", key.name, key.get(problem.set())));
    keys.collect::<Vec<_>>().join(", ")
}

/// `count` distinct positions below `len`, ascending: a partial Fisher–Yates shuffle on Philox numbers.
pub(crate) fn choose(len: usize, count: usize) -> Vec<usize> {
    // Only what has moved is held: a sweep may have far more problems than are chosen.
    let mut moved: HashMap<usize, usize> = HashMap::new();
    let mut positions = Vec::new();
    for i in 0..count.min(len) {
        let unit = random_start(0, i as u32, Distribution::Uniform, 1.0).abs().min(1.0 - f64::EPSILON);
        let j = (i + (unit * (len - i) as f64) as usize).min(len - 1);
        let at = |k: usize| moved.get(&k).copied().unwrap_or(k);
        let (here, there) = (at(i), at(j));
        positions.push(there);
        moved.insert(j, here);
    }
    positions.sort_unstable();
    positions
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Choice, Engine};
    use crate::{Data, Model, Stop, Sweep};

    /// Ten straight lines with residuals of ±0.1, from two starts each.
    fn lines() -> Sweep {
        let (mut cell, mut x, mut y) = (Vec::new(), Vec::new(), Vec::new());
        for c in 0..10 {
            for i in 0..6 {
                cell.push(f64::from(c));
                x.push(f64::from(i));
                y.push(2.0 * f64::from(i) + f64::from(c) + if i % 2 == 0 { 0.1 } else { -0.1 });
            }
        }
        let data = Data::from_columns([("cell", cell), ("x", x), ("y", y)]).unwrap().group_by(&["cell"]);
        Sweep::new(&Model::parse("a*x + c", &["a", "c"]).unwrap(), &data).start([1.0, 0.0]).start([3.0, 1.0])
    }

    fn run(sweep: &Sweep) -> (Job, Outcome) {
        (sweep.resolve().unwrap(), Engine::open(Choice::Cpu).unwrap().run(sweep).unwrap())
    }

    #[test]
    fn the_problems_that_were_moved_are_named_with_set_start_parameter_and_amount_the_worst_first() {
        let (job, mut outcome) = run(&lines());
        for (problem, parameter, amount) in [(3, 0, 0.25), (8, 1, 4.0), (11, 0, 0.5), (16, 1, 2.0)] {
            let error = outcome.problem(problem).standard_errors()[parameter];
            outcome.parameters[2 * problem + parameter] += amount * error;
        }
        let report = verify(&job, &outcome, 20).unwrap();
        assert_eq!((report.checked, report.compared, report.status_differs), (20, 20, 0));
        let named: Vec<(u64, &str, usize, &str)> =
            report.worst.iter().map(|d| (d.problem, d.set.as_str(), d.start, d.parameter.as_str())).collect();
        assert_eq!(named, [(8, "cell 4", 0, "c"), (16, "cell 8", 0, "c"), (11, "cell 5", 1, "a")]);
        for (found, moved) in report.worst.iter().zip([4.0, 2.0, 0.5]) {
            // Both runs take the same steps in the same arithmetic; a standard error is 1e13 roundings of θ and more.
            assert!((found.difference - moved).abs() < 1e-9, "{found:?}");
        }
        assert_eq!(report.worst_difference, report.worst[0].difference);
        // All four were moved by more than a tenth of a standard error.
        assert_eq!(report.stopped_early_share, 0.2);
        assert_eq!(
            report.to_string(),
            "20 problems repeated in f64 on the CPU, 20 compared (converged both times); largest differences in \
             standard errors: 4 (c of cell 4, start 0, problem 8), 2 (c of cell 8, start 0, problem 16), 0.5 (a of \
             cell 5, start 1, problem 11); stopped too early: 20%; ended with another status: 0"
        );
    }

    #[test]
    fn where_nothing_can_be_compared_there_are_dashes_and_no_numbers() {
        // One step of a tenth of the way each: none converges.
        let (job, outcome) = run(&lines().step_sizes([0.1]).dampings([0.0]).stop(Stop { steps: 1, ..Stop::default() }));
        let report = verify(&job, &outcome, 1).unwrap();
        assert_eq!((report.checked, report.compared, report.worst.len()), (1, 0, 0));
        assert!(report.worst_difference.is_nan() && report.stopped_early_share.is_nan());
        assert_eq!(
            report.to_string(),
            "1 problem repeated in f64 on the CPU, 0 compared (converged both times); largest differences in standard \
             errors: -; stopped too early: -; ended with another status: 0"
        );
    }

    #[test]
    fn a_run_that_agrees_to_the_bit_differs_by_nothing_and_names_nobody() {
        let (job, outcome) = run(&lines());
        let report = verify(&job, &outcome, 5).unwrap();
        assert_eq!((report.compared, report.worst_difference, report.worst.len()), (5, 0.0, 0));
        assert!(report.to_string().contains("standard errors: 0;"), "{report}");
    }

    #[test]
    fn positions_are_distinct_ascending_and_never_more_than_there_are() {
        for (len, count) in [(0, 3), (1, 1), (10, 3), (10, 10), (7, 100), (1 << 40, 50)] {
            let chosen = choose(len, count);
            assert_eq!(chosen.len(), count.min(len));
            assert!(chosen.windows(2).all(|pair| pair[0] < pair[1]));
            assert!(chosen.iter().all(|&position| position < len));
        }
    }
}
