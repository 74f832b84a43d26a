//! What a sweep is run with, and how it is cut into parts.

use std::ops::Range;

use serde::Serialize;

use super::spec::{Keep, OutputRequest};
use crate::engine::PlanInfo;
use crate::sweep::Job;

/// Most problems that are run and held in memory at once, whatever the device: the same run always has the same parts.
const PIECE: u64 = 65_536;
/// About as many bytes of results as one piece may take in memory.
const PIECE_BYTES: u64 = 1 << 28;

/// The content of `plan.json`: what a run is done with, which `--resume` obeys or refuses.
#[derive(Serialize)]
pub(super) struct Plan {
    #[serde(flatten)]
    info: PlanInfo,
    /// Problems a piece; a part is one piece, or as many as it takes to keep a data set whole.
    part_size: u64,
    #[serde(flatten)]
    pub(super) output: OutputRequest,
    #[serde(skip)]
    parts: Vec<Part>,
}

/// Problems whose results are written together.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    pub(super) problems: Range<u64>,
    /// How many of them are kept.
    pub(super) rows: u64,
}

impl Part {
    pub(super) fn len(&self) -> u64 {
        self.problems.end - self.problems.start
    }

    /// The problems in pieces of at most `size`.
    pub(super) fn pieces(&self, size: u64) -> impl Iterator<Item = Range<u64>> {
        let Range { start, end } = self.problems;
        (start..end).step_by(usize::try_from(size).unwrap_or(usize::MAX)).map(move |first| first..end.min(first + size))
    }
}

impl Plan {
    pub(super) fn new(info: PlanInfo, job: &Job, output: OutputRequest) -> Self {
        let parameters = job.model().parameters().len();
        let history = job.history().bytes(job.stop(), parameters);
        let part_size = piece_size(parameters, job.model().as_network().is_none(), history);
        let parts = match output.keep {
            Keep::All => equal_parts(job.len(), part_size),
            Keep::Best => whole_sets(job, part_size),
        };
        Self { info, part_size, output, parts }
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    pub(super) fn part_size(&self) -> u64 {
        self.part_size
    }
}

/// With many parameters a problem's covariance, where it has one, is large and a piece holds fewer, and so with bytes of
/// its history: the largest power of two that fits.
fn piece_size(parameters: usize, has_covariance: bool, history: u64) -> u64 {
    let p = parameters as u64;
    let triangle = if has_covariance { p * (p + 1) / 2 } else { 0 };
    let each = 8 * (4 * p + triangle) + 128 + history;
    PIECE.min(1 << (PIECE_BYTES / each).max(1).ilog2())
}

fn equal_parts(problems: u64, size: u64) -> Vec<Part> {
    let whole = Part { problems: 0..problems, rows: problems };
    whole.pieces(size).map(|problems| Part { rows: problems.end - problems.start, problems }).collect()
}

/// Parts of whole data sets, of which the best start of each step rule is kept: a data set that were cut would leave
/// a best start in each part.
fn whole_sets(job: &Job, size: u64) -> Vec<Part> {
    let rules = job.rules().len() as u64;
    let mut parts: Vec<Part> = Vec::new();
    for set in 0..job.sets() {
        let problems = job.problems_of(set);
        match parts.last_mut() {
            Some(part) if problems.end - part.problems.start <= size => {
                part.problems.end = problems.end;
                part.rows += rules;
            }
            _ => parts.push(Part { problems, rows: rules }),
        }
    }
    parts
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::data::Data;
    use crate::model::Model;
    use crate::starts::Distribution;
    use crate::sweep::{Draw, RandomStarts, Sweep};

    /// `sets` data sets of one point, with `starts` starts and two step rules each.
    pub(in super::super) fn job(starts: u64, sets: usize) -> Job {
        let model = Model::parse("a*x", &["a"]).unwrap();
        let set: Vec<f64> = (0..sets).map(|set| set as f64).collect();
        let ones = vec![1.0; sets];
        let data = Data::from_columns([("set", set), ("x", ones.clone()), ("y", ones)]).unwrap().group_by(&["set"]);
        let random =
            RandomStarts { draw: Draw::Scaled { distribution: Distribution::Normal, scale: 1.0 }, seeds: 0..starts };
        Sweep::new(&model, &data).random_starts(random).step_sizes([0.5, 1.0]).resolve().unwrap()
    }

    #[test]
    fn equal_parts_cover_every_problem_once() {
        for problems in [1, 65_535, 65_536, 65_537, 1_000_000] {
            let mut next = 0;
            for part in equal_parts(problems, PIECE) {
                assert!(part.problems.start == next && part.len() == part.rows && (1..=PIECE).contains(&part.len()));
                next = part.problems.end;
            }
            assert_eq!(next, problems);
        }
    }

    #[test]
    fn where_the_best_are_kept_no_data_set_is_cut_and_every_problem_is_in_one_part() {
        for (starts, sets, size, count) in [(3, 7, 12, 4), (3, 7, 6, 7), (50, 3, 12, 3), (1, 5, 64, 1)] {
            let parts = whole_sets(&job(starts, sets), size);
            let mut next = 0;
            for part in &parts {
                assert!(part.problems.start == next && !part.problems.is_empty());
                assert_eq!(part.len() % (2 * starts), 0);
                assert_eq!(part.rows, part.len() / starts);
                let pieces: Vec<u64> = part.pieces(size).map(|piece| piece.end - piece.start).collect();
                assert!(pieces.iter().all(|&piece| piece <= size) && pieces.iter().sum::<u64>() == part.len());
                next = part.problems.end;
            }
            assert_eq!((next, parts.len()), (2 * starts * sets as u64, count));
        }
    }

    #[test]
    fn a_piece_of_a_wide_problem_stays_within_memory() {
        // A covariance of 1000 parameters takes 4 MB.
        assert!((16..=64).contains(&piece_size(1000, true, 0)));
        assert_eq!(piece_size(3, true, 0), PIECE);
        // 24 kB of a network.
        assert!(piece_size(1000, false, 0) >= 4096);
        // 10 MB of a history.
        assert!((16..=64).contains(&piece_size(3, true, 10_000_000)));
    }
}
