//! What a sweep is run with, and how it is cut into parts.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::shard::Shard;
use super::spec::{Keep, OutputRequest};
use crate::engine::PlanInfo;
use crate::sweep::Job;

/// Most problems that are run and held in memory at once, whatever the device: the same run always has the same parts.
const PIECE: u64 = 65_536;
/// About as many bytes of results as one piece may take in memory.
const PIECE_BYTES: u64 = 1 << 28;

/// The content of `plan.json`: what a run is done with, which `--resume` obeys or refuses.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Plan {
    #[serde(flatten)]
    info: PlanInfo,
    /// Problems a piece; a part is one piece, or as many as it takes to keep a data set whole.
    part_size: u64,
    #[serde(flatten)]
    pub(super) output: OutputRequest,
    /// Of a run of a shard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) shard: Option<ShardPlan>,
    #[serde(skip)]
    parts: Vec<Part>,
}

/// What a shard's plan says beside, so that shards are put together without the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ShardPlan {
    /// From 1 to `of`.
    pub(super) index: u64,
    pub(super) of: u64,
    /// Its first problem.
    pub(super) from: u64,
    /// The first problem after it.
    pub(super) to: u64,
    /// Problems that it keeps.
    pub(super) rows: u64,
    /// Where the parts of the whole sweep begin, as far as that is in this shard.
    pub(super) parts: Vec<u64>,
    /// The residuals that the loss of step sizes and dampings averages, where it does.
    pub(super) averaged: Option<usize>,
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
    /// The plan of a job, or of one shard of it; `part` is the problems a part that were asked for.
    pub(super) fn new(
        info: PlanInfo,
        job: &Job,
        output: OutputRequest,
        part: Option<u64>,
        shard: Option<Shard>,
    ) -> Self {
        let parameters = job.model().parameters().len();
        let history = job.history().bytes(job.stop(), parameters);
        let part_size = piece_size(part, parameters, job.model().as_network().is_none(), history);
        let parts = match output.keep {
            Keep::All => equal_parts(job.len(), part_size),
            Keep::Best => whole_sets(job, part_size),
        };
        let Some(shard) = shard else { return Self { info, part_size, output, shard: None, parts } };
        let range = match output.keep {
            Keep::All => shard.range(job.len()),
            Keep::Best => whole_sets_of(job, shard),
        };
        let begin = parts.iter().map(|part| part.problems.start).filter(|start| range.contains(start)).collect();
        let parts = of_shard(&parts, &range, job, output.keep);
        let shard = ShardPlan {
            index: shard.index,
            of: shard.of,
            from: range.start,
            to: range.end,
            rows: parts.iter().map(|part| part.rows).sum(),
            parts: begin,
            averaged: job.averaged(),
        };
        Self { info, part_size, output, shard: Some(shard), parts }
    }

    /// The same plan for the whole sweep, without its parts.
    pub(super) fn of_whole(&self) -> Self {
        Self { shard: None, parts: Vec::new(), ..self.clone() }
    }

    /// Problems that are run by this plan.
    pub(super) fn problems(&self) -> u64 {
        self.parts.iter().map(Part::len).sum()
    }

    /// Problems of the whole sweep.
    pub(super) fn all_problems(&self) -> u64 {
        self.info.problems
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
fn piece_size(asked: Option<u64>, parameters: usize, has_covariance: bool, history: u64) -> u64 {
    let p = parameters as u64;
    let triangle = if has_covariance { p * (p + 1) / 2 } else { 0 };
    let each = 8 * (4 * p + triangle) + 128 + history;
    asked.unwrap_or(PIECE).min(1 << (PIECE_BYTES / each).max(1).ilog2())
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

/// The problems of a shard where data sets stay whole: its bounds are at the first data set that begins at or after its even
/// share.
fn whole_sets_of(job: &Job, shard: Shard) -> Range<u64> {
    let even = shard.range(job.len());
    let bound = |problem: u64| match problem.checked_sub(1) {
        None => 0,
        Some(before) => job.problems_of(job.problem(before).set).end,
    };
    bound(even.start)..bound(even.end)
}

/// The parts of the whole sweep as far as they are in this range; of a shard without problems one without any, so that it has
/// files as the others have.
fn of_shard(parts: &[Part], range: &Range<u64>, job: &Job, keep: Keep) -> Vec<Part> {
    let clip = |part: &Part| part.problems.start.max(range.start)..part.problems.end.min(range.end);
    let rows = |problems: &Range<u64>| match keep {
        Keep::All => problems.end - problems.start,
        Keep::Best => {
            let sets = job.problem(problems.start).set..=job.problem(problems.end - 1).set;
            sets.count() as u64 * job.rules().len() as u64
        }
    };
    let clipped = parts.iter().map(clip).filter(|problems| !problems.is_empty());
    let mut parts: Vec<Part> = clipped.map(|problems| Part { rows: rows(&problems), problems }).collect();
    if parts.is_empty() {
        parts.push(Part { problems: range.start..range.start, rows: 0 });
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
        assert!((16..=64).contains(&piece_size(None, 1000, true, 0)));
        assert_eq!(piece_size(None, 3, true, 0), PIECE);
        assert_eq!((piece_size(Some(100), 3, true, 0), piece_size(Some(1 << 40), 3, true, 0)), (100, 1 << 19));
        // 24 kB of a network.
        assert!(piece_size(None, 1000, false, 0) >= 4096);
        // 10 MB of a history.
        assert!((16..=64).contains(&piece_size(None, 3, true, 10_000_000)));
    }

    #[test]
    fn shards_cover_the_parts_of_the_whole_once_whatever_is_kept() {
        let info = serde_json::json!({
            "version": "0.1.0", "device": "d", "driver": "d", "backend": "CPU", "precision": "f64",
            "mapping": "m", "replaced_functions": [], "problems": 42, "digest": "abc",
        });
        let info: PlanInfo = serde_json::from_value(info).unwrap();
        let job = job(3, 7);
        for (keep, part, of) in [(Keep::All, 10, 4), (Keep::All, 1000, 50), (Keep::Best, 12, 3), (Keep::Best, 12, 50)] {
            let output = OutputRequest { keep, ..OutputRequest::default() };
            let plan = |shard| Plan::new(info.clone(), &job, output.clone(), Some(part), shard);
            let whole = plan(None);
            let (mut next, mut rows, mut begin) = (0, 0, Vec::new());
            for index in 1..=of {
                let plan = plan(Some(Shard { index, of }));
                let shard = plan.shard.clone().unwrap();
                assert_eq!((shard.from, shard.to - shard.from), (next, plan.problems()));
                let first = plan.parts().first().unwrap().problems.start;
                assert_eq!(first, shard.from);
                for pair in plan.parts().windows(2) {
                    assert_eq!(pair[0].problems.end, pair[1].problems.start);
                }
                if keep == Keep::Best {
                    // A data set has 6 problems, of which 2 are kept.
                    assert_eq!((shard.from % 6, shard.rows), (0, plan.problems() / 3));
                } else {
                    assert!(plan.problems().abs_diff(42 / of) <= 1);
                }
                next = shard.to;
                rows += shard.rows;
                begin.extend(shard.parts);
            }
            assert_eq!((next, rows), (42, whole.parts().iter().map(|part| part.rows).sum()));
            assert_eq!(begin, whole.parts().iter().map(|part| part.problems.start).collect::<Vec<u64>>());
        }
    }
}
