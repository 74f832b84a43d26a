//! A second opinion: problems of an outcome repeated in f64 on the CPU.

use std::collections::HashMap;

use crate::backend;
use crate::error::Error;
use crate::ngd::Status;
use crate::starts::Distribution;
use crate::starts::random_start;
use crate::sweep::{Job, Outcome, ProblemId};

/// How an outcome compares with the same problems run in f64 on the CPU.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Verification {
    /// Problems repeated.
    pub checked: usize,
    /// Of these, problems that converged in both runs: only they are compared.
    pub compared: usize,
    /// Largest |θ − θ₆₄|/standard error over the compared problems and their resolved parameters.
    pub worst_difference: f64,
    /// The problem and the parameter where it occurs.
    pub worst: Option<(u64, String)>,
    /// Share of the compared problems that had stopped too early: the f64 run, started where they stopped, goes on to
    /// move a parameter by more than a tenth of its standard error.
    pub stopped_early_share: f64,
    /// Problems whose status differs.
    pub status_differs: usize,
}

/// The parameters' movement, in standard errors, that counts as stopped too early.
const EARLY: f64 = 0.1;

/// Repeats `count` problems of the outcome, chosen at random by a fixed seed, in f64 on the CPU.
///
/// # Errors
/// None today; the signature leaves room for backends that can fail.
pub fn verify(job: &Job, outcome: &Outcome, count: usize) -> Result<Verification, Error> {
    let chosen = choose(outcome.len(), count);
    let ids: Vec<ProblemId> = chosen.iter().map(|&i| job.problem(outcome.problem(i).index())).collect();
    let again = backend::cpu::solve(job, &ids);
    let restarted = backend::cpu::solve_from(job, &ids, |k| outcome.problem(chosen[k]).parameters().to_vec());
    let mut report = Verification {
        checked: ids.len(),
        compared: 0,
        worst_difference: 0.0,
        worst: None,
        stopped_early_share: 0.0,
        status_differs: 0,
    };
    let mut early = 0;
    for ((&i, again), restarted) in chosen.iter().zip(&again).zip(&restarted) {
        let problem = outcome.problem(i);
        report.status_differs += usize::from(problem.status() != again.status);
        if problem.status() != Status::Converged || again.status != Status::Converged {
            continue;
        }
        report.compared += 1;
        let errors = problem.standard_errors();
        let mut moved = 0.0f64;
        for (j, &error) in errors.iter().enumerate() {
            if !(error.is_finite() && error > 0.0) {
                continue;
            }
            let theta = problem.parameters()[j];
            let difference = (theta - again.theta[j]).abs() / error;
            if difference > report.worst_difference {
                report.worst_difference = difference;
                report.worst = Some((problem.index(), outcome.context().parameters[j].clone()));
            }
            moved = moved.max((theta - restarted.theta[j]).abs() / error);
        }
        early += usize::from(moved > EARLY);
    }
    if report.compared > 0 {
        report.stopped_early_share = early as f64 / report.compared as f64;
    }
    Ok(report)
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
