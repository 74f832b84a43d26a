use std::fmt::Write;
use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::engine::Progress;
use crate::report::count;

/// A bar on standard error with problems done, the rate and the time left; nothing where it is not a terminal.
pub(super) struct Bar {
    bar: ProgressBar,
}

impl Bar {
    pub(super) fn new(total: u64) -> Self {
        let target =
            if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        let template = "{wide_bar} {human_pos} of {human_len} problems, {rate} a second, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.with_key("rate", |state: &ProgressState, text: &mut dyn Write| {
                // A rate that cannot be written is one that nobody misses.
                let _ = write!(text, "{}", count(state.per_sec() as u64));
            }));
        }
        bar.enable_steady_tick(Duration::from_millis(250));
        Self { bar }
    }

    /// Problems that were done before, which do not count towards the rate.
    pub(super) fn skip(&self, problems: u64) {
        self.bar.inc(problems);
        self.bar.reset_eta();
    }

    /// So many problems more are done.
    pub(super) fn advance(&self, problems: u64) {
        self.bar.inc(problems);
    }

    /// So many problems are done.
    pub(super) fn report(&self, progress: Progress) -> ControlFlow<()> {
        self.bar.set_position(progress.done);
        ControlFlow::Continue(())
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Bar {
    /// An error must not leave half a bar in its line.
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
