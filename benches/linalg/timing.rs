//! How much work is timed, and how: the part that criterion leaves to us.

use std::time::{Duration, Instant};

use natgrad::linalg::LinalgError;

use super::contender::Contender;
use super::matrices::Matrices;

/// The time that one run is to take: with less, a batch of large matrices does not fill a device.
const RUN: Duration = Duration::from_millis(250);
/// A run this long tells well enough how many matrices take `RUN`.
const TELLING: Duration = Duration::from_millis(20);
/// The longest run that is worth waiting for.
const PATIENCE: Duration = Duration::from_secs(3);
/// How many times larger the next batch is, where one does not tell enough.
const GROWTH: usize = 8;
/// The smallest batch, for whoever takes long: enough for several cores.
const LEAST: usize = 16;

/// What criterion was asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Measure.
    Bench,
    /// Run everything once, as `cargo test --benches` does.
    Test,
    /// Name the benchmarks.
    List,
}

/// The command line, as far as it concerns what is prepared before criterion has its say.
pub(crate) struct Arguments {
    pub(crate) mode: Mode,
    filter: Option<String>,
}

/// Criterion's options without a value; a word after any other option is that option's.
const FLAGS: [&str; 16] = [
    "--bench",
    "--discard-baseline",
    "--exact",
    "--ignored",
    "--include-ignored",
    "--list",
    "--nocapture",
    "--noplot",
    "--quick",
    "--quiet",
    "--show-output",
    "--test",
    "--verbose",
    "-n",
    "-q",
    "-v",
];

impl Arguments {
    pub(crate) fn from_env() -> Self {
        let words: Vec<String> = std::env::args().skip(1).collect();
        let has = |flag: &str| words.iter().any(|word| word == flag);
        let mode = match () {
            () if has("--list") => Mode::List,
            () if has("--bench") && !has("--test") => Mode::Bench,
            () => Mode::Test,
        };
        let free = |at: usize| at == 0 || !words[at - 1].starts_with('-') || FLAGS.contains(&words[at - 1].as_str());
        let filter = (0..words.len()).find(|&at| !words[at].starts_with('-') && free(at)).map(|at| words[at].clone());
        Self { mode, filter }
    }

    /// Whether a benchmark of this name may be meant. Criterion's filter is a regular expression: one that is more than
    /// letters, digits and separators may mean anything.
    pub(crate) fn wants(&self, name: &str) -> bool {
        let plain = |filter: &str| filter.chars().all(|c| c.is_ascii_alphanumeric() || "/_-".contains(c));
        self.filter.as_ref().is_none_or(|filter| !plain(filter) || name.contains(filter.as_str()))
    }
}

/// Prepares the work on the first so many matrices; `None` where it is not for this shape.
pub(crate) type Maker<'a> =
    Box<dyn for<'m> Fn(&'m Matrices, usize) -> Result<Option<Box<dyn Contender + 'm>>, LinalgError> + 'a>;

/// How many matrices a run takes, and the work itself.
pub(crate) type Prepared<'m> = (usize, Box<dyn Contender + 'm>);

/// Work on as many matrices as take about `RUN`, and their number; or one line that says why there is
/// none. `None` where it is not for this shape.
pub(crate) fn prepared<'m>(
    make: &Maker<'_>,
    matrices: &'m Matrices,
    mode: Mode,
) -> Result<Option<Prepared<'m>>, String> {
    let most = matrices.batch();
    let made = |count: usize| make(matrices, count).map_err(|error| error.to_string());
    let mut count = LEAST.min(most);
    let Some(mut work) = made(count)? else { return Ok(None) };
    if mode != Mode::Bench {
        return Ok(Some((count, work)));
    }
    let mut before = None;
    loop {
        // The driver may compile at the first run.
        timed(work.as_mut())?;
        let time = timed(work.as_mut())?;
        if time > PATIENCE {
            return Err(format!("{count} matrices take {:.1} s", time.as_secs_f64()));
        }
        let fitting = (count as f64 * RUN.as_secs_f64() / time.as_secs_f64()) as usize;
        // To record what a few matrices take a GPU may need as long as to do a thousand: a time tells what more of them take
        // once it has grown with their number.
        let grows = before.is_some_and(|(fewer, less): (usize, Duration)| {
            2.0 * time.as_secs_f64() / less.as_secs_f64() >= count as f64 / fewer as f64
        });
        let enough = count == most || GROWTH as u32 * time > PATIENCE || (time >= TELLING && grows);
        let wanted = if enough { fitting } else { GROWTH * count }.clamp(LEAST.min(most), most);
        before = Some((count, time));
        // Whole tiles, where there are many.
        let wanted = if wanted < 64 { wanted } else { wanted / 64 * 64 };
        if wanted == count {
            return Ok(Some((count, work)));
        }
        drop(work);
        count = wanted;
        work = made(count)?.ok_or("it takes some batches and not others")?;
        if enough {
            return Ok(Some((count, work)));
        }
    }
}

fn timed(work: &mut dyn Contender) -> Result<Duration, String> {
    let start = Instant::now();
    work.run().map_err(|error| error.to_string())?;
    Ok(start.elapsed())
}

/// Matrices whose time criterion is told: batches differ from run to run, as many matrices as fit the time.
pub(crate) const UNIT: u64 = 1000;

/// Runs the work, on `count` matrices, so many times; how long `UNIT` matrices took as often, with the seconds of each
/// run noted.
pub(crate) fn repeated(work: &mut dyn Contender, count: usize, times: u64, seconds: &mut Vec<f64>) -> Duration {
    let mut all = Duration::ZERO;
    for _ in 0..times {
        let time = timed(work).unwrap_or_else(|error| panic!("{error}"));
        seconds.push(time.as_secs_f64());
        all += time;
    }
    all.mul_f64(UNIT as f64 / count as f64)
}
