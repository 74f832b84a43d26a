//! Ctrl-C and the request to end: the first finishes the chunk in flight, the second ends at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::failure::Failure;

/// Whether the user, or the system on its way down, wants the run to end.
pub(super) struct Interruption {
    asked: Arc<AtomicBool>,
}

impl Interruption {
    /// Takes notice of SIGINT and SIGTERM from now on. SIGHUP stays as it is: `nohup` has it ignored.
    pub(super) fn watch() -> Result<Self, Failure> {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag down and raises it, the second finds it raised.
            flag::register_conditional_shutdown(signal, i32::from(Failure::INTERRUPTED), Arc::clone(&asked))
                .and_then(|_| flag::register(signal, Arc::clone(&asked)))
                .map_err(|error| Failure::request(format!("cannot take notice of signal {signal}: {error}")))?;
        }
        Ok(Self { asked })
    }

    pub(super) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    /// Nothing is left to be finished: from now on the first signal ends the program at once.
    pub(super) fn let_go(&self) {
        self.asked.store(true, Ordering::SeqCst);
    }

    /// One that comes from a test.
    #[cfg(test)]
    pub(super) fn of(asked: Arc<AtomicBool>) -> Self {
        Self { asked }
    }
}
