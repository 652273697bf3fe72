//! The program `registry`.

use std::process::ExitCode;

fn main() -> ExitCode {
    tidegate::registry()
}
