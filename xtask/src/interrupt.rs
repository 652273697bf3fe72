//! Ctrl-C and SIGTERM: stop what runs, then return through the ordinary path.
//!
//! Every child is started in a process group of its own (see `process` and
//! `service`), so that a signal reaches it through here alone, and servers are
//! stopped in order, by the guards that own them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::error::Error;

static RECEIVED: AtomicBool = AtomicBool::new(false);
static FOREGROUND: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

/// Starts to listen for signals. Call it once.
pub(crate) fn watch() -> Result<(), Error> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    thread::spawn(move || {
        for _ in signals.forever() {
            let again = RECEIVED.swap(true, Ordering::SeqCst);
            let signal = if again { Signal::KILL } else { Signal::TERM };
            for group in foreground().iter() {
                // It may have just ended by itself.
                let _ = kill_process_group(*group, signal);
            }
        }
    });
    Ok(())
}

/// Fails once a signal has arrived.
pub(crate) fn check() -> Result<(), Error> {
    if RECEIVED.load(Ordering::SeqCst) {
        return Err(Error::Interrupted);
    }
    Ok(())
}

/// A process group that a signal ends, for as long as this lives.
pub(crate) struct Foreground(Pid);

impl Foreground {
    /// Enters the group led by `leader`; ends it at once if a signal came
    /// between its start and now.
    pub(crate) fn enter(leader: Pid) -> Self {
        foreground().push(leader);
        if check().is_err() {
            // It may have just ended by itself.
            let _ = kill_process_group(leader, Signal::TERM);
        }
        Self(leader)
    }
}

impl Drop for Foreground {
    fn drop(&mut self) {
        foreground().retain(|pid| *pid != self.0);
    }
}

fn foreground() -> std::sync::MutexGuard<'static, Vec<Pid>> {
    // A vector of numbers is sound whatever happened to its last writer.
    FOREGROUND
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
