//! One of the runs that a sweep is cut into.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// The i-th of n shards, i from 1 to n.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shard {
    pub(super) index: u64,
    pub(super) of: u64,
}

/// More shards than anybody runs, and few enough for their names and limits to be worked out.
const MOST: u64 = 1_000_000;

impl Shard {
    /// Its share of so many problems: contiguous, and of all shards equal but for one problem.
    pub(super) fn range(self, problems: u64) -> Range<u64> {
        // As u128: a million shards of 10¹² problems go beyond 64 bits with room for more.
        let bound = |k: u64| (u128::from(k) * u128::from(problems) / u128::from(self.of)) as u64;
        bound(self.index - 1)..bound(self.index)
    }

    /// The name of a file of this shard: `results-0002-of-0016.parquet` for `results.parquet`.
    pub(super) fn name(self, whole: &str) -> String {
        let (stem, ending) = whole.split_at(whole.find('.').unwrap_or(whole.len()));
        // Wide enough for names to be in the order of the shards.
        let width = self.of.to_string().len().max(4);
        format!("{stem}-{:0width$}-of-{:0width$}{ending}", self.index, self.of)
    }

    /// The shard whose file this is, in the place of a file that is called `whole` in a sweep without shards.
    pub(super) fn of_name(name: &str, whole: &str) -> Option<Self> {
        let (stem, ending) = whole.split_at(whole.find('.').unwrap_or(whole.len()));
        let (index, of) = name.strip_prefix(stem)?.strip_prefix('-')?.strip_suffix(ending)?.split_once("-of-")?;
        let shard: Self = format!("{index}/{of}").parse().ok()?;
        (shard.name(whole) == name).then_some(shard)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("give i/n with i from 1 to n and n up to {MOST}, as in 2/16");
        let (index, of) = text.split_once('/').ok_or_else(wrong)?;
        let number = |text: &str| text.trim().parse::<u64>().map_err(|_| wrong());
        let shard = Self { index: number(index)?, of: number(of)? };
        if (1..=shard.of).contains(&shard.index) && shard.of <= MOST { Ok(shard) } else { Err(wrong()) }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_take_every_problem_once_and_differ_by_no_more_than_one() {
        for (problems, of) in [(10, 3), (3, 10), (0, 2), (1_000_000_000_000, 999_983), (7, 1)] {
            let mut next = 0;
            let mut sizes = Vec::new();
            for index in 1..=of {
                let range = Shard { index, of }.range(problems);
                assert_eq!(range.start, next);
                next = range.end;
                sizes.push(range.end - range.start);
            }
            assert_eq!(next, problems);
            assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1);
        }
    }

    #[test]
    fn names_tell_the_shard_and_sort_as_shards_do() {
        let shard: Shard = "2/16".parse().unwrap();
        assert_eq!(shard.name("results.parquet"), "results-0002-of-0016.parquet");
        assert_eq!(shard.name("parts"), "parts-0002-of-0016");
        for name in ["plan.json", "history.parquet", "parts"] {
            for shard in [shard, Shard { index: 99_999, of: 100_000 }] {
                assert_eq!(Shard::of_name(&shard.name(name), name), Some(shard));
            }
        }
        for other in ["plan.json", "plan-2-of-16.json", "plan-0017-of-0016.json", "plan-old-of-0016.json"] {
            assert_eq!(Shard::of_name(other, "plan.json"), None, "{other}");
        }
        let names: Vec<String> =
            [9, 10, 12_345].map(|index| Shard { index, of: 20_000 }.name("plan.json")).into_iter().collect();
        assert!(names.is_sorted());
    }

    #[test]
    fn what_is_no_shard_is_refused_with_an_example() {
        for text in ["2", "0/3", "4/3", "a/b", "1/0", "-1/3", "1/3/5", "1/99999999"] {
            assert!(text.parse::<Shard>().unwrap_err().contains("2/16"), "{text}");
        }
    }
}
