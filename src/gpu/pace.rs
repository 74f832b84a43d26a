//! How much work a dispatch may hold: a time budget, and the rate at which each kernel has been seen to work here.
//!
//! A dispatch that runs for seconds is ended by a watchdog, and with it the device is lost. So long operations are cut
//! into dispatches that take about the budget each. Nothing waits for a measurement: what an operation is cut into is
//! decided when it is recorded, by rates that earlier ones have left. A kernel never measured is believed to be slow.
//!
//! Cutting changes no bit of any result, so rates may differ from run to run.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What one dispatch may take, unless told otherwise: a tenth of the two seconds after which systems reset a GPU.
pub(super) const DEFAULT_BUDGET: Duration = Duration::from_millis(200);

/// Multiply-adds a second of a kernel that was never measured: two cores of a software device reach so many.
const AT_FIRST: f64 = (1u64 << 29) as f64 / 0.2;

/// The share of the budget from which on a dispatch is worth measuring.
const WORTH_MEASURING: f64 = 1.0 / 16.0;

/// The budget, and multiply-adds a second of every kernel measured so far.
#[derive(Debug)]
pub(crate) struct Pace(Mutex<State>);

#[derive(Debug)]
struct State {
    budget: Duration,
    rates: HashMap<String, f64>,
}

/// How far a measured time is to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    /// The device's own, around one dispatch.
    Device,
    /// The host's, from a submit until the host learnt that it was done: too long where other work lies in between or
    /// nobody asked, and too short where a driver tells before it is true, as Mesa's OpenGL was seen to do.
    Host,
}

impl Default for Pace {
    fn default() -> Self {
        Self(Mutex::new(State { budget: DEFAULT_BUDGET, rates: HashMap::new() }))
    }
}

impl Pace {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn budget(&self) -> Duration {
        self.state().budget
    }

    pub(super) fn set_budget(&self, budget: Duration) {
        self.state().budget = budget;
    }

    /// Multiply-adds of this kernel that one dispatch may hold, at least one.
    pub(crate) fn work(&self, kernel: &str) -> u64 {
        let state = self.state();
        ((state.rate(kernel) * state.budget.as_secs_f64()) as u64).max(1)
    }

    /// Whether a dispatch of so many multiply-adds takes long enough to tell anything.
    pub(super) fn is_worth_measuring(&self, kernel: &str, work: u64) -> bool {
        let state = self.state();
        work as f64 >= WORTH_MEASURING * state.rate(kernel) * state.budget.as_secs_f64()
    }

    /// Learns that `work` multiply-adds of a kernel took so long. A rate grows at most by two, so that one odd
    /// measurement does no harm, and by the host's clock not beyond the rate that is believed of a kernel never measured. It
    /// falls at once to what the device's own clock says, and by at most two where the host may have looked late.
    pub(super) fn learn(&self, kernel: &str, work: u64, time: Duration, clock: Clock) {
        let measured = work as f64 / time.as_secs_f64();
        if !measured.is_finite() || measured <= 0.0 {
            return;
        }
        let mut state = self.state();
        let old = state.rate(kernel);
        let (least, most) = match clock {
            Clock::Device => (0.0, 2.0 * old),
            Clock::Host => (old / 2.0, old.max(AT_FIRST.min(2.0 * old))),
        };
        let new = measured.clamp(least, most);
        state.rates.insert(kernel.to_owned(), new);
    }
}

impl State {
    fn rate(&self, kernel: &str) -> f64 {
        self.rates.get(kernel).copied().unwrap_or(AT_FIRST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_kernel_never_measured_is_held_to_the_first_rate() {
        let pace = Pace::default();
        assert_eq!(pace.work("product"), 1 << 29);
        pace.set_budget(Duration::from_millis(1));
        assert_eq!(pace.work("product"), (1 << 29) / 200);
        pace.set_budget(Duration::ZERO);
        assert_eq!(pace.work("product"), 1, "and something is always done");
    }

    #[test]
    fn a_dispatch_beyond_the_budget_makes_the_next_ones_of_its_kernel_smaller() {
        let pace = Pace::default();
        let work = pace.work("sweep");
        // Ten times the budget by the device's clock: a tenth of the work from now on.
        pace.learn("sweep", work, Duration::from_secs(2), Clock::Device);
        assert!(pace.work("sweep").abs_diff(work / 10) <= 1);
        assert_eq!(pace.work("product"), work, "other kernels have their own rates");
        // The host may have looked late: half of it.
        pace.learn("product", work, Duration::from_secs(2), Clock::Host);
        assert!(pace.work("product").abs_diff(work / 2) <= 1);
    }

    #[test]
    fn a_rate_at_most_doubles_and_nonsense_is_not_believed() {
        let pace = Pace::default();
        let work = pace.work("sweep");
        pace.learn("sweep", 100 * work, SECOND, Clock::Device);
        assert!(pace.work("sweep").abs_diff(2 * work) <= 1);
        for (work, time) in [(1, Duration::ZERO), (0, SECOND), (0, Duration::ZERO)] {
            pace.learn("sweep", work, time, Clock::Device);
        }
        assert!(pace.work("sweep").abs_diff(2 * work) <= 1);
    }

    #[test]
    fn the_hosts_clock_makes_a_rate_grow_back_and_no_further() {
        let pace = Pace::default();
        let work = pace.work("sweep");
        let soon = Duration::from_micros(1);
        pace.learn("sweep", work, soon, Clock::Host);
        assert_eq!(pace.work("sweep"), work);
        pace.learn("sweep", work, SECOND, Clock::Device);
        pace.learn("sweep", work, soon, Clock::Host);
        assert!(pace.work("sweep").abs_diff(2 * work / 5) <= 1, "from a fifth to two");
        (0..3).for_each(|_| pace.learn("sweep", work, soon, Clock::Host));
        assert_eq!(pace.work("sweep"), work);
    }

    #[test]
    fn short_dispatches_are_not_measured() {
        let pace = Pace::default();
        let work = pace.work("sweep");
        assert!(pace.is_worth_measuring("sweep", work) && pace.is_worth_measuring("sweep", work / 16));
        assert!(!pace.is_worth_measuring("sweep", work / 17));
    }
}
