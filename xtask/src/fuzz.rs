//! `cargo xtask fuzz`: the fuzz targets in `fuzz/`, each for some seconds.
//!
//! `fuzz/seeds` holds what each target starts from, and `fuzz/dictionaries`
//! the words of its grammar. What a run finds to be new is kept in
//! `fuzz/corpus` for the next one, and an input that breaks something in
//! `fuzz/artifacts`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;
use crate::install::{Manager, Packages, Presence, Program};
use crate::workspace::Workspace;
use crate::{install, native, process, say};

/// Every target, by the name of what it parses.
const TARGETS: [&str; 24] = [
    "auth_config",
    "basic_auth",
    "certificate",
    "certificate_request",
    "config_yml",
    "content_range",
    "host_name",
    "htpasswd",
    "htpasswd_edit",
    "manifest",
    "names",
    "nginx_conf",
    "pem",
    "query",
    "range",
    "revocation_list",
    "route",
    "schema1",
    "scope",
    "site",
    "subject",
    "tidegate_toml",
    "token",
    "trust_merge",
];

/// What is installed where there is no cargo-fuzz.
const VERSION: &str = "0.13.2";

/// An input that takes longer than this, in seconds, is a finding.
const SLOW_SECONDS: u32 = 10;

/// The arguments of `fuzz`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How long each target runs, in seconds.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// The targets to run; all of them if none is named.
    #[arg(value_name = "TARGET", value_parser = TARGETS)]
    targets: Vec<String>,
}

/// Runs the targets one after the other; the first finding ends it.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<(), Error> {
    native::ensure_build_tools()?;
    install::ensure(&[CXX_COMPILER])?;
    ensure_nightly()?;
    let cargo_fuzz = ready(workspace)?;
    for target in chosen(&args.targets) {
        say::title(&format!("fuzz {target}, {} s", args.seconds));
        fuzz(workspace, &cargo_fuzz, target, args.seconds)?;
    }
    Ok(())
}

/// libFuzzer, which `libfuzzer-sys` compiles, is written in C++.
const CXX_COMPILER: Program = Program {
    name: "a C++ compiler",
    presence: Presence::Check(|| process::find("c++").is_some()),
    packages: Packages::Each(|manager| match manager {
        Manager::Apt | Manager::Apk => &["g++"],
        Manager::Dnf | Manager::Yum | Manager::Zypper => &["gcc-c++"],
        Manager::Pacman => &["gcc"],
    }),
};

fn chosen(named: &[String]) -> Vec<&str> {
    if named.is_empty() {
        return TARGETS.to_vec();
    }
    named.iter().map(String::as_str).collect()
}

/// The flags that instrument the code are not in stable Rust.
fn ensure_nightly() -> Result<(), Error> {
    if process::find("rustup").is_none() {
        return Err(Error::Missing {
            programs: vec!["rustup, to run Rust's nightly toolchain"],
            install: None,
        });
    }
    if process::succeeds(nightly("rustc".as_ref()).arg("--version")) {
        return Ok(());
    }
    Err(Error::Missing {
        programs: vec!["Rust's nightly toolchain"],
        install: Some("rustup toolchain install nightly --profile minimal".to_owned()),
    })
}

/// `program`, which finds the tools of the nightly toolchain.
fn nightly(program: &Path) -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", "nightly"]).arg(program);
    command
}

/// The binary of cargo-fuzz, installed for this checkout if there is none.
fn ready(workspace: &Workspace) -> Result<PathBuf, Error> {
    let root = workspace.target_directory()?.join("tools");
    let own = root.join("bin/cargo-fuzz");
    let candidates = [process::find(&own), process::find("cargo-fuzz")];
    if let Some(found) = candidates.into_iter().flatten().next() {
        return Ok(found);
    }
    say::note(&format!(
        "installing cargo-fuzz {VERSION} for this checkout"
    ));
    process::run(
        workspace
            .cargo()
            .args(["install", "--locked", "cargo-fuzz"])
            .args(["--version", VERSION, "--debug"])
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .arg("--root")
            .arg(&root)
            .arg("--target-dir")
            .arg(root.join("build")),
    )?;
    Ok(own)
}

fn fuzz(workspace: &Workspace, cargo_fuzz: &Path, target: &str, seconds: u32) -> Result<(), Error> {
    let room = workspace.root().join("fuzz");
    // libFuzzer writes to the first directory and only reads the second.
    let corpus = room.join("corpus").join(target);
    fs_err::create_dir_all(&corpus)?;
    let mut command = nightly(cargo_fuzz);
    command
        .current_dir(workspace.root())
        .args(["fuzz", "run", target])
        .arg(corpus)
        .arg(room.join("seeds").join(target))
        .arg("--")
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-timeout={SLOW_SECONDS}"))
        .args(["-verbosity=0", "-print_final_stats=1"]);
    let dictionary = room.join(format!("dictionaries/{target}.dict"));
    if dictionary.is_file() {
        command.arg(format!("-dict={}", dictionary.display()));
    }
    process::run(&mut command)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::{TARGETS, chosen};
    use crate::workspace::Workspace;

    fn names_in(directory: &Path) -> BTreeSet<String> {
        fs_err::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn every_target_is_run_and_has_seeds() {
        let room = Workspace::locate().root().join("fuzz");
        let targets: BTreeSet<String> = TARGETS.map(str::to_owned).into();
        assert_eq!(names_in(&room.join("fuzz_targets")), targets);
        assert_eq!(names_in(&room.join("seeds")), targets);
        assert!(names_in(&room.join("dictionaries")).is_subset(&targets));
    }

    #[test]
    fn all_targets_are_run_unless_some_are_named() {
        assert_eq!(chosen(&[]), TARGETS);
        assert_eq!(chosen(&["route".to_owned()]), ["route"]);
    }
}
