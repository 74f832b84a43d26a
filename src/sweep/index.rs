//! The problems of a job by their numbers.

use std::ops::Range;

use crate::error::RequestError;

/// No sweep has more problems than this: at a million problems a second it would run for eleven days.
const MOST_PROBLEMS: u64 = 1_000_000_000_000;

/// Where a problem stands in the product of data sets, starts and rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProblemId {
    pub(crate) index: u64,
    pub(crate) set: usize,
    pub(crate) start: usize,
    pub(crate) rule: usize,
}

/// The problems of each data set.
#[derive(Debug)]
pub(super) enum ProblemIndex {
    Equal {
        sets: usize,
        each: u64,
    },
    /// Index of the first problem of each data set, and the count of all.
    Firsts(Vec<u64>),
}

impl ProblemIndex {
    /// `starts(set)` is how many starts a data set has; `equal` where all have as many.
    pub(super) fn new(
        sets: usize,
        rules: usize,
        equal: Option<usize>,
        starts: impl Fn(usize) -> usize,
    ) -> Result<Self, RequestError> {
        let too_many = RequestError::TooManyProblems { most: MOST_PROBLEMS };
        let of = |starts: usize| (starts as u64).checked_mul(rules as u64);
        if let Some(starts) = equal {
            return match of(starts).map(|each| (each, each.checked_mul(sets as u64))) {
                Some((each, Some(total))) if total <= MOST_PROBLEMS => Ok(Self::Equal { sets, each }),
                _ => Err(too_many),
            };
        }
        let mut total = 0u64;
        let mut firsts = vec![0];
        for set in 0..sets {
            let more = of(starts(set)).and_then(|count| total.checked_add(count));
            total = more
                .filter(|&total| total <= MOST_PROBLEMS)
                .ok_or(RequestError::TooManyProblems { most: MOST_PROBLEMS })?;
            firsts.push(total);
        }
        Ok(Self::Firsts(firsts))
    }

    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Equal { sets, each } => *sets as u64 * each,
            Self::Firsts(firsts) => firsts.last().copied().unwrap_or(0),
        }
    }

    pub(super) fn of(&self, set: usize) -> Range<u64> {
        match self {
            Self::Equal { sets, each } => {
                assert!(set < *sets, "data set {set} of {sets}");
                set as u64 * each..(set as u64 + 1) * each
            }
            Self::Firsts(firsts) => firsts[set]..firsts[set + 1],
        }
    }

    /// The data set of a problem.
    pub(super) fn set_of(&self, index: u64) -> usize {
        match self {
            Self::Equal { each, .. } => (index / each) as usize,
            Self::Firsts(firsts) => firsts.partition_point(|&first| first <= index) - 1,
        }
    }
}
