//! What the figures were measured with.

use std::path::Path;
use std::process::Command;

use crate::bench::args::Args;
use crate::bench::book;
use crate::bench::proc::{self, Machine};
use crate::error::Error;
use crate::process;
use crate::workspace::Workspace;

/// Processor, memory and kernel, on one line.
pub(crate) fn describe() -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let kernel = rustix::system::uname();
    let read = |file: &str| fs_err::read_to_string(file).unwrap_or_default();
    format!(
        "{}, {cores} cores shared with the clients, {} of memory, {} {}",
        value(&read("/proc/cpuinfo"), "model name").unwrap_or("unknown processor"),
        value(&read("/proc/meminfo"), "MemTotal").map_or_else(|| "unknown size".to_owned(), gib),
        kernel.sysname().to_string_lossy(),
        kernel.release().to_string_lossy(),
    )
}

/// Tells afterwards how much of the machine others had.
#[derive(Debug)]
pub(crate) struct Onlooker {
    machine: Machine,
    own: f64,
}

impl Onlooker {
    /// Begins to watch.
    pub(crate) fn begin() -> Result<Self, Error> {
        Ok(Self {
            machine: proc::machine()?,
            own: own_seconds()?,
        })
    }

    /// The share of CPU time since then that neither this process nor any that
    /// it started has used, between 0 and 1. The kernel's own work, as writing
    /// to the disk, is in it.
    pub(crate) fn share_of_others(&self) -> Result<f64, Error> {
        let now = proc::machine()?;
        let busy = now.busy - self.machine.busy;
        let total = busy + now.idle - self.machine.idle;
        Ok(share(busy - (own_seconds()? - self.own), total))
    }
}

fn own_seconds() -> Result<f64, Error> {
    proc::cpu_seconds(&[std::process::id()])
}

fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 {
        (part / whole).clamp(0.0, 1.0)
    } else {
        0.0
    }
}

/// The versions of everything that took part.
pub(crate) fn versions(
    workspace: &Workspace,
    args: &Args,
    registry3: Option<&Path>,
) -> Result<Vec<String>, Error> {
    let mut versions = vec![match &args.binary {
        Some(binary) => process::output(Command::new(binary).arg("--version"))?
            .trim()
            .to_owned(),
        None => format!(
            "Tidegate {}, {}",
            env!("CARGO_PKG_VERSION"),
            commit(workspace.root())
        ),
    }];
    let mut ask = |mut command: Command, name: &str, option: &str| {
        // nginx tells its version on standard error.
        let (out, err) = process::outputs(command.arg(option))?;
        let text = if out.is_empty() { err } else { out };
        versions.push(version(&text).unwrap_or(name).to_owned());
        Ok::<(), Error>(())
    };
    for (program, option) in [
        ("nginx", "-v"),
        ("docker-registry", "--version"),
        ("curl", "--version"),
        ("h2load", "--version"),
        ("openssl", "version"),
    ] {
        ask(process::command(program), program, option)?;
    }
    // Not installed before a case needs it.
    if process::find("docker").is_some() {
        ask(process::command("docker"), "docker", "--version")?;
    }
    if let Some(program) = registry3 {
        ask(Command::new(program), "docker-registry 3", "--version")?;
    }
    Ok(versions)
}

/// The commit that is checked out below `root`, and whether a file differs from
/// it other than those that a benchmark writes.
fn commit(root: &Path) -> String {
    let git = |options: &[&str]| {
        let mut git = Command::new("git");
        process::output(git.current_dir(root).args(options))
    };
    let mut changes = vec!["status", "--porcelain", "--untracked-files=no", "--", ":/"];
    let written = book::WRITTEN.map(|file| format!(":(top,exclude){file}"));
    changes.extend(written.iter().map(String::as_str));
    match (git(&["describe", "--always"]), git(&changes)) {
        (Ok(hash), Ok(changes)) if changes.is_empty() => format!("commit {}", hash.trim()),
        (Ok(hash), Ok(_)) => format!("commit {}-dirty", hash.trim()),
        _ => "not from a Git checkout".to_owned(),
    }
}

/// The first line, without the program's place and the list of libraries that
/// some tell with it.
fn version(text: &str) -> Option<&str> {
    let line = text.lines().next()?;
    let line = match line.split_once(' ') {
        Some((place, rest)) if place.starts_with('/') => rest,
        _ => line,
    };
    let short = line.split(" (").next().unwrap_or(line).trim();
    (!short.is_empty()).then_some(short)
}

/// The first value of `key` in the kernel's `key : value` lines.
fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.trim() == key)
        .map(|(_, value)| value.trim())
}

/// `16384 kB` as gibibytes.
fn gib(size: &str) -> String {
    size.trim_end_matches("kB")
        .trim()
        .parse::<f64>()
        .map_or_else(
            |_| size.to_owned(),
            |kib| format!("{:.0} GiB", kib / f64::from(1 << 20)),
        )
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::{Onlooker, commit, gib, share, value, version};
    use crate::process;

    fn git(root: &Path, options: &[&str]) {
        let mut git = Command::new("git");
        git.current_dir(root)
            .args(["-c", "user.name=a", "-c", "user.email=a@example.com"])
            .args(["-c", "commit.gpgsign=false"]);
        process::output(git.args(options)).unwrap();
    }

    #[test]
    fn a_checkout_is_dirty_by_what_is_measured_not_by_the_figures() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        assert_eq!(commit(root), "not from a Git checkout");
        git(root, &["init", "--quiet"]);
        fs_err::create_dir(root.join("docs")).unwrap();
        for file in ["docs/benchmarks.json", "docs/BENCHMARKS.md", "main.rs"] {
            fs_err::write(root.join(file), "old").unwrap();
        }
        git(root, &["add", "."]);
        git(root, &["commit", "--quiet", "--message", "all"]);
        let clean = commit(root);
        assert!(
            clean.starts_with("commit ") && !clean.contains("dirty"),
            "{clean}"
        );
        for file in ["docs/benchmarks.json", "docs/BENCHMARKS.md", "untracked"] {
            fs_err::write(root.join(file), "new").unwrap();
        }
        assert_eq!(commit(root), clean);
        fs_err::write(root.join("main.rs"), "new").unwrap();
        assert_eq!(commit(root), format!("{clean}-dirty"));
    }

    #[test]
    fn a_share_is_a_share_even_where_clocks_disagree() {
        assert_eq!(share(1.0, 4.0), 0.25);
        assert_eq!(share(-0.01, 4.0), 0.0);
        assert_eq!(share(0.01, 0.0), 0.0);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn others_never_have_more_than_all() {
        let share = Onlooker::begin().unwrap().share_of_others().unwrap();
        assert!((0.0..=1.0).contains(&share), "{share}");
    }

    #[test]
    fn versions_are_told_without_their_libraries() {
        let curl = "curl 7.88.1 (x86_64-pc-linux-gnu) libcurl/7.88.1 OpenSSL/3.0\nRelease-Date: x";
        assert_eq!(version(curl), Some("curl 7.88.1"));
        assert_eq!(
            version("nginx version: nginx/1.22.1\n"),
            Some("nginx version: nginx/1.22.1")
        );
        let registry = "/usr/bin/docker-registry github.com/docker/distribution 2.8.2+ds1\n";
        assert_eq!(
            version(registry),
            Some("github.com/docker/distribution 2.8.2+ds1")
        );
        assert_eq!(version(""), None);
    }

    #[test]
    fn values_are_found_by_their_key() {
        let text =
            "processor\t: 0\nmodel\t\t: 7\nmodel name\t: A CPU @ 2 GHz: fast\nmodel name\t: B\n";
        assert_eq!(value(text, "model name"), Some("A CPU @ 2 GHz: fast"));
        assert_eq!(value(text, "flags"), None);
    }

    #[test]
    fn sizes_are_rounded() {
        assert_eq!(gib("24643256 kB"), "24 GiB");
        assert_eq!(gib("much"), "much");
    }
}
