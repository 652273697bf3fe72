//! The system's own store: a directory into which CAs are put, and a program
//! that makes of it the bundle which everybody reads.

use std::path::{Path, PathBuf};

use fs_err as fs;

use super::authority::Authority;
use super::error::TrustError;
use super::machine::Machine;
use super::plan::Plan;
use super::site::Site;
use super::store::{Anchor, StoreReport};
use crate::inspect::Certificate;

/// How a family of systems does it.
struct Kind {
    /// Where a CA is put.
    directory: &'static str,
    /// What takes it up from there.
    command: &'static [&'static str],
    /// What is read then.
    bundle: &'static str,
}

/// Debian and Alpine, Red Hat, SUSE, Arch.
const KINDS: [Kind; 4] = [
    Kind {
        directory: "usr/local/share/ca-certificates",
        command: &["update-ca-certificates"],
        bundle: "etc/ssl/certs/ca-certificates.crt",
    },
    Kind {
        directory: "etc/pki/ca-trust/source/anchors",
        command: &["update-ca-trust", "extract"],
        bundle: "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    },
    Kind {
        directory: "etc/pki/trust/anchors",
        command: &["update-ca-certificates"],
        bundle: "var/lib/ca-certificates/ca-bundle.pem",
    },
    Kind {
        directory: "etc/ca-certificates/trust-source/anchors",
        command: &["update-ca-trust"],
        bundle: "etc/ca-certificates/extracted/tls-ca-bundle.pem",
    },
];

pub(super) fn install(
    machine: &Machine,
    site: &Site,
    authority: &Authority,
) -> Result<Plan, TrustError> {
    let kind = kind(machine).ok_or_else(|| unknown(machine))?;
    let mut plan = Plan::default();
    plan.write(&file(machine, kind, site), authority.to_pem())?;
    // An earlier run may not have come to the second step.
    if !plan.is_empty() || !bundled(machine, kind, authority) {
        take_up(machine, kind, &mut plan);
    }
    Ok(plan)
}

pub(super) fn remove(machine: &Machine, site: &Site) -> Result<Plan, TrustError> {
    let mut plan = Plan::default();
    if let Some(kind) = kind(machine) {
        plan.remove(&file(machine, kind, site));
        if !plan.is_empty() {
            take_up(machine, kind, &mut plan);
        }
    }
    Ok(plan)
}

pub(super) fn inspect(machine: &Machine, report: &mut StoreReport) {
    let Some(kind) = kind(machine) else { return };
    let bundle = machine.at(kind.bundle);
    // The public CAs of a bundle are not ours to judge.
    let mut bundled: Vec<Anchor> = Certificate::read_readable(&bundle)
        .into_iter()
        .map(|certificate| Anchor {
            path: bundle.clone(),
            certificate,
        })
        .collect();
    for file in files(&machine.at(kind.directory)) {
        let added = Certificate::read_readable(&file);
        let mut missing = false;
        for certificate in added {
            match bundled.iter_mut().find(|a| a.certificate == certificate) {
                // Named by the file in which somebody put it there.
                Some(anchor) => anchor.path.clone_from(&file),
                None => missing = true,
            }
        }
        if missing {
            report.problem(
                &file,
                format!("it is not in {} yet", bundle.display()),
                format!("run {}", kind.command.join(" ")),
            );
        }
    }
    report.anchors = bundled;
}

/// Whether a file is the one that [`install`] writes for a registry.
pub(super) fn is_ours(path: &Path, site: &Site) -> bool {
    path.file_name()
        .is_some_and(|name| *name == *file_name(site))
}

fn kind(machine: &Machine) -> Option<&'static Kind> {
    let there = |path: &str| machine.at(path).is_dir();
    KINDS.iter().find(|kind| there(kind.directory)).or_else(|| {
        // Debian's directory may have been left out of an image.
        there("etc/ssl/certs")
            .then_some(&KINDS[0])
            .filter(|_| there("usr/share/ca-certificates"))
    })
}

fn file(machine: &Machine, kind: &Kind, site: &Site) -> PathBuf {
    machine.at(kind.directory).join(file_name(site))
}

fn file_name(site: &Site) -> String {
    format!("tidegate-{}.crt", site.file_name())
}

/// The programs of another root are not run: it may be of another processor.
fn take_up(machine: &Machine, kind: &Kind, plan: &mut Plan) {
    if machine.is_this() {
        let mut command: Vec<String> = kind.command.iter().map(ToString::to_string).collect();
        // A user who has become root may have a PATH without it.
        if let Some(program) = machine.program(kind.command[0]) {
            command[0] = program.display().to_string();
        }
        plan.command = Some(command);
    } else {
        plan.notes
            .push(format!("run {} in it", kind.command.join(" ")));
    }
}

fn bundled(machine: &Machine, kind: &Kind, authority: &Authority) -> bool {
    let bundle = Certificate::read_readable(&machine.at(kind.bundle));
    authority
        .certificates()
        .iter()
        .all(|ca| bundle.contains(ca))
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let mut files: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "crt"));
    files.sort();
    files
}

fn unknown(machine: &Machine) -> TrustError {
    TrustError::NoSystemStore {
        root: machine.at(""),
    }
}
