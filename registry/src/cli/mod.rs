//! The commands of `registry` and `tidegate registry` that keep one in order.
//!
//! Each command is a file: its arguments, and a function that calls the library
//! and says what was done. What was done goes to standard output, messages to
//! standard error. They work beside a server that serves the same directory.

mod common;
mod garbage_collect;
mod scrub;

use clap::Subcommand;
use tidegate_failure::Failure;

/// What there is to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Remove what nobody uses, while the registry is served
    GarbageCollect(garbage_collect::Arguments),
    /// Read everything again, and find what the disk has lost or changed
    Scrub(scrub::Arguments),
}

/// Does it.
///
/// # Errors
/// What the user is to read, with the exit code.
pub fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::GarbageCollect(arguments) => garbage_collect::run(&arguments),
        Command::Scrub(arguments) => scrub::run(&arguments),
    }
}
