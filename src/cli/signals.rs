//! Ctrl-C and its kin: once finishes what is under way, twice stops now.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use super::exit::Exit;
use crate::campaign::Interrupts;

/// Listens for requests to stop.
#[derive(Clone, Debug)]
pub(super) struct Signals {
    pub(super) interrupts: Interrupts,
    last: Arc<AtomicI32>,
}

impl Signals {
    /// Starts listening. Where signals do not exist, nothing is ever heard.
    pub(super) fn listen() -> Self {
        let signals = Self { interrupts: Interrupts::default(), last: Arc::new(AtomicI32::new(0)) };
        #[cfg(unix)]
        {
            use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
            let heard = signals.clone();
            if let Ok(mut incoming) = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP]) {
                std::thread::spawn(move || {
                    for signal in incoming.forever() {
                        heard.last.store(signal, Ordering::SeqCst);
                        match heard.interrupts.request() {
                            1 => {
                                super::screen::say("stopping: what is under way is finished first; once more stops now")
                            }
                            _ => super::screen::say("stopping now"),
                        }
                    }
                });
            }
        }
        signals
    }

    /// The exit code that says so, if somebody asked to stop.
    pub(super) fn exit(&self) -> Option<Exit> {
        match self.last.load(Ordering::SeqCst) {
            0 => None,
            15 => Some(Exit::TERMINATED),
            _ => Some(Exit::INTERRUPTED),
        }
    }
}
