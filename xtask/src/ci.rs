//! `cargo xtask ci`: what every change must pass, in one go.

use std::time::{Duration, Instant};

use crate::error::Error;
use crate::workspace::Workspace;
use crate::{clients, count, deny, native, process, say, test};

/// A step: its name, and what it does.
type Step = (&'static str, fn(&Workspace) -> Result<(), Error>);

/// From the quickest answer to the slowest.
const STEPS: [Step; 9] = [
    ("build tools", |_| native::ensure_build_tools()),
    ("format", |workspace| {
        process::run(workspace.cargo().args(["fmt", "--all", "--check"]))
    }),
    // cargo-deny reads the crates of every platform, not only of this one.
    ("fetch", |workspace| {
        process::run(workspace.cargo().args(["fetch", "--locked"]))
    }),
    ("clippy", |workspace| {
        process::run(
            workspace
                .cargo()
                .args(["clippy", "--locked", "--workspace", "--all-targets"])
                .args(["--", "-D", "warnings"]),
        )
    }),
    ("test", |workspace| {
        test::run(workspace, &test::Args::default())
    }),
    ("doc", |workspace| {
        process::run(
            workspace
                .cargo()
                .args(["doc", "--locked", "--workspace", "--no-deps"])
                .env("RUSTDOCFLAGS", "-D warnings"),
        )
    }),
    ("deny", deny::check),
    ("count", |workspace| {
        count::run(workspace, &count::Args::default())
    }),
    ("clients", clients::run),
];

/// Runs the steps in order; the first failure ends it.
pub(crate) fn run(workspace: &Workspace) -> Result<(), Error> {
    let start = Instant::now();
    let mut times = Vec::new();
    for (name, step) in STEPS {
        say::title(name);
        let step_start = Instant::now();
        step(workspace).map_err(|source| match source {
            Error::Interrupted => Error::Interrupted,
            source => Error::Step {
                step: name,
                source: Box::new(source),
            },
        })?;
        let time = step_start.elapsed();
        say::note(&format!("{name}: ok in {}", clock(time)));
        times.push(format!("{name} {}", clock(time)));
    }
    say::title(&format!(
        "ci: ok in {} ({})",
        clock(start.elapsed()),
        times.join(", ")
    ));
    Ok(())
}

/// A duration as minutes and seconds.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::clock;

    #[test]
    fn times_are_minutes_and_seconds() {
        assert_eq!(clock(Duration::from_millis(999)), "0:00");
        assert_eq!(clock(Duration::from_secs(61)), "1:01");
        assert_eq!(clock(Duration::from_secs(3600)), "60:00");
    }
}
