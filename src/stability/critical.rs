//! The step size from which on perturbations grow, found by bracketing with the engine's own steps.

use crate::error::Error;

use super::dynamics::{Stepper, along};
use super::options::FilterRule;
use super::point::Point;
use super::theory::Theory;

/// Ends of a bracket are no further apart than this, as a ratio.
const WIDTH: f64 = 1.02;
/// Doublings, or halvings, after which a search without an end is given up.
const MOST_DOUBLINGS: i32 = 40;
/// The first step size tried: its doubles and halves meet no critical step of the theorem exactly.
const FIRST: f64 = 0.9;
/// A perturbation grows if some part of it is so many times what it was, at rest before; with momentum β, (1+β)/(1−β)
/// times as many: so far the heavy ball swings at its critical step before it comes to rest or does not.
const GROWN: f64 = 1.5;
/// Perturbations are shorter than those of the multipliers: near the critical step some grow by tens before they count as
/// grown, and curvature, which would stop them, has to wait.
const SHARE: f64 = 0.25;
/// Steps of the first look: far beyond the critical step a perturbation soon leaves the neighbourhood of the minimiser.
const FEW: u32 = 4;

/// What is known of one point's critical step.
#[derive(Clone, Copy, Debug)]
struct Search {
    /// The largest size seen at which perturbations do not grow, and the least at which they do.
    stays: Option<f64>,
    grows: Option<f64>,
    next: Option<f64>,
}

impl Search {
    fn begin() -> Self {
        Self { stays: None, grows: None, next: Some(FIRST) }
    }

    fn learn(&mut self, grew: bool) {
        let Some(size) = self.next else { return };
        if grew {
            self.grows = Some(size);
        } else {
            self.stays = Some(size);
        }
        let far = 2f64.powi(MOST_DOUBLINGS);
        self.next = match (self.stays, self.grows) {
            (Some(low), Some(high)) => (high / low > WIDTH).then(|| (low * high).sqrt()),
            (Some(low), None) => (low < far).then_some(2.0 * low),
            (None, Some(high)) => (high > 1.0 / far).then_some(0.5 * high),
            (None, None) => None,
        };
    }

    fn bracket(&self) -> Option<[f64; 2]> {
        Some([self.stays?, self.grows?])
    }
}

/// Brackets of the critical step of one filter, point by point (by ascending data set); `None` where perturbations grow,
/// or do not, at every step size tried.
pub(crate) fn brackets(
    stepper: &Stepper<'_>,
    rule: &FilterRule,
    subjects: &[(&Point, &Theory)],
) -> Result<Vec<Option<[f64; 2]>>, Error> {
    let mut starts = Vec::new();
    for (point, theory) in subjects {
        // All directions at once: whichever is the first to grow.
        let all: Vec<f64> = (0..point.theta.len()).map(|j| theory.right.iter().map(|z| z[j]).sum()).collect();
        let length = SHARE / (theory.right.len().max(1) as f64).sqrt();
        starts.extend(stepper.pair(point, &all, length));
    }
    let grown = GROWN * (1.0 + rule.momentum) / (1.0 - rule.momentum);
    let mut searches: Vec<Search> = subjects.iter().map(|_| Search::begin()).collect();
    for (search, (_, theory)) in searches.iter_mut().zip(subjects) {
        if theory.rates.is_empty() {
            search.next = None;
        }
    }
    loop {
        let mut open: Vec<(usize, f64)> =
            searches.iter().enumerate().filter_map(|(s, search)| Some((s, search.next?))).collect();
        if open.is_empty() {
            return Ok(searches.iter().map(Search::bracket).collect());
        }
        for steps in [FEW, stepper.options.steps] {
            let rules = open.iter().map(|&(_, size)| rule.rule(size, stepper.options)).collect();
            let pairs: Vec<(usize, usize)> =
                open.iter().enumerate().flat_map(|(rule, &(s, _))| [(2 * s, rule), (2 * s + 1, rule)]).collect();
            let after = stepper.advance(&starts, rules, &pairs, steps)?;
            let grew = |k: usize, s: usize| match (&after[2 * k], &after[2 * k + 1]) {
                (Some(plus), Some(minus)) => {
                    let (point, theory) = subjects[s];
                    let part = |l: &Vec<f64>| {
                        let before = along(l, point, &starts[2 * s].1, &starts[2 * s + 1].1);
                        (along(l, point, plus, minus) / before).abs()
                    };
                    // NaN counts as grown.
                    !theory.left.iter().all(|l| part(l) <= grown)
                }
                _ => true,
            };
            let last = steps == stepper.options.steps;
            let mut undecided = Vec::new();
            for (k, &(s, size)) in open.iter().enumerate() {
                match grew(k, s) {
                    false if !last => undecided.push((s, size)),
                    grew => searches[s].learn(grew),
                }
            }
            if last || undecided.is_empty() {
                break;
            }
            open = undecided;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bracket that a search finds where perturbations grow from `edge` on, and how many sizes it tries.
    fn found(edge: f64) -> (Option<[f64; 2]>, usize) {
        let mut search = Search::begin();
        let mut tried = 0;
        while let Some(size) = search.next {
            assert!(size != edge, "tried exactly at the edge");
            search.learn(size > edge);
            tried += 1;
        }
        (search.bracket(), tried)
    }

    #[test]
    fn a_bracket_holds_the_edge_wherever_it_lies_and_never_touches_it() {
        for edge in [1e-6, 0.37, 1.115, 2.0, 3.0, 2.02, 1e7] {
            let (bracket, tried) = found(edge);
            let [low, high] = bracket.unwrap();
            assert!(low < edge && edge < high && high / low <= WIDTH, "{edge}: {low} to {high}");
            assert!(tried < 40, "{tried} sizes tried");
        }
        assert_eq!(found(f64::INFINITY).0, None);
        assert_eq!(found(0.0).0, None);
    }
}
