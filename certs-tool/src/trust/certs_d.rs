//! `certs.d/HOST:PORT/`, as Docker's daemon has it, and podman, skopeo and
//! buildah after it: every `*.crt` is a CA; `X.cert` and `X.key` are a client's
//! certificate and its key. It is read at each connection.

use std::path::{Path, PathBuf};

use fs_err as fs;
use tidegate_failure::Explain as _;

use super::authority::Authority;
use super::error::TrustError;
use super::machine::Machine;
use super::plan::Plan;
use super::site::Site;
use super::store::{Store, StoreReport};
use crate::inspect::Certificate;

/// The name of the file that is ours.
pub(super) const OURS: &str = "tidegate-ca.crt";

pub(super) fn install(
    machine: &Machine,
    store: Store,
    site: &Site,
    authority: &Authority,
) -> Result<Plan, TrustError> {
    let mut plan = Plan::default();
    let directory = of_site(&machine.directory(store)?.path, site);
    if let Some(file) = trusted_by_others(&directory, authority) {
        plan.already = Some(file);
        return Ok(plan);
    }
    plan.write(&directory.join(OURS), authority.to_pem())?;
    if !directory.is_dir() {
        note_what_is_hidden(machine, store, site, &mut plan);
    }
    Ok(plan)
}

pub(super) fn remove(machine: &Machine, store: Store, site: &Site) -> Result<Plan, TrustError> {
    let mut plan = Plan::default();
    let directory = of_site(&machine.directory(store)?.path, site);
    plan.remove(&directory.join(OURS));
    plan.clear(&directory);
    Ok(plan)
}

/// Looks into the directory that counts: of those in which a client looks, the
/// first that is there.
pub(super) fn inspect(machine: &Machine, store: Store, site: &Site, report: &mut StoreReport) {
    let layers = machine.layers(store);
    let mut there = layers
        .iter()
        .map(|client| of_site(client, site))
        .filter(|directory| directory.exists());
    if let Some(directory) = there.next() {
        judge_directory(&directory, report);
        for hidden in there.filter(|hidden| is_missed(&directory, hidden)) {
            let (hidden_name, name) = (hidden.display(), directory.display());
            report.problem(
                &hidden,
                format!("it is not looked at, because {name} is there"),
                format!("copy there what is missing: cp {hidden_name}/* {name}"),
            );
        }
    }
    if report.anchors.is_empty() {
        for client in &layers {
            look_beside(client, site, report);
        }
    }
}

/// Looks at the files of one directory.
pub(super) fn judge_directory(directory: &Path, report: &mut StoreReport) {
    match files(directory) {
        Ok(files) => files.iter().for_each(|file| judge(file, report)),
        Err(error) => report.problem(
            directory,
            format!("it cannot be looked into: {}", error.kind()),
            (error.kind() == std::io::ErrorKind::PermissionDenied)
                .then(|| "run it with sudo".to_owned()),
        ),
    }
}

/// Whether a directory has a client's certificate or CAs that are not ours.
pub(super) fn has_certificates(directory: &Path) -> bool {
    let files = files(directory).unwrap_or_default();
    files
        .iter()
        .any(|file| !is_ours(file) && ["crt", "cert", "key"].iter().any(|kind| is(file, kind)))
}

pub(super) fn of_site(client: &Path, site: &Site) -> PathBuf {
    client.join("certs.d").join(site.to_string())
}

/// The file of somebody else that has every certificate: then there is nothing
/// to install, and nothing that removing may take away.
pub(super) fn trusted_by_others(directory: &Path, authority: &Authority) -> Option<PathBuf> {
    let files = files(directory).unwrap_or_default();
    files.into_iter().find(|file| {
        let known = Certificate::read(file).unwrap_or_default();
        is(file, "crt")
            && !is_ours(file)
            && authority.certificates().iter().all(|ca| known.contains(ca))
    })
}

/// podman, skopeo and buildah read one directory alone. One that is made now
/// comes before another that they have read until now.
fn note_what_is_hidden(machine: &Machine, store: Store, site: &Site, plan: &mut Plan) {
    let layers = machine.layers(store);
    let hidden = layers
        .iter()
        .skip(1)
        .map(|client| of_site(client, site))
        .find(|directory| directory.exists());
    if let Some(hidden) = hidden.filter(|directory| has_certificates(directory)) {
        let first = of_site(&layers[0], site);
        plan.notes.push(format!(
            "{store}: {} is no longer looked at, because {} comes before it; a client's certificate has to be copied there",
            hidden.display(),
            first.display()
        ));
    }
}

/// Whether the files of one directory are missed in another.
fn is_missed(counts: &Path, hidden: &Path) -> bool {
    files(hidden).unwrap_or_default().iter().any(|file| {
        let same = file.file_name().map(|name| counts.join(name));
        !is_ours(file) && same.is_none_or(|same| fs::read(same).ok() != fs::read(file).ok())
    })
}

fn judge(file: &Path, report: &mut StoreReport) {
    let exists = |extension| file.with_extension(extension).is_file();
    if is(file, "crt") {
        report.read_anchors(file);
    } else if is(file, "cert") {
        judge_cert(file, report);
    } else if is(file, "key") && !exists("cert") {
        let cert = file.with_extension("cert");
        let hint = if exists("crt") {
            "a client's certificate ends in .cert, not in .crt: rename it; the key of a CA or a site does not belong here at all"
        } else {
            "put the certificate there, or remove the key: clients refuse to connect with half a pair"
        };
        report.obstacle(
            file,
            format!("its certificate is missing: {}", cert.display()),
            hint.to_owned(),
        );
    } else if is(file, "pem") || is(file, "cer") || is(file, "der") {
        report.problem(
            file,
            "it is not read: CAs end in .crt",
            match Certificate::read_first(file) {
                Ok(_) => format!("rename it to {}", file.with_extension("crt").display()),
                Err(error) => error.hint().unwrap_or_else(|| error.to_string()),
            },
        );
    }
}

/// A client's certificate, or a CA that somebody named like one.
fn judge_cert(file: &Path, report: &mut StoreReport) {
    let key = file.with_extension("key");
    let is_ca = Certificate::read_first(file).is_ok_and(|cert| cert.is_ca());
    let (what, hint) = if is_ca {
        let crt = file.with_extension("crt");
        (
            "it is a CA, but *.cert is taken for a client's certificate".to_owned(),
            format!("rename it: mv {} {}", file.display(), crt.display()),
        )
    } else if key.is_file() {
        return;
    } else {
        (
            format!("its key is missing: {}", key.display()),
            "put the key there, or remove it: clients refuse to connect with half a pair"
                .to_owned(),
        )
    };
    if key.is_file() {
        report.problem(file, what, hint);
    } else {
        report.obstacle(file, what, hint);
    }
}

/// The same host with another port, or without one: a frequent slip.
fn look_beside(client: &Path, site: &Site, report: &mut StoreReport) {
    let Ok(entries) = fs::read_dir(client.join("certs.d")) else {
        return;
    };
    let mut others: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    others.sort();
    for path in others {
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(other) = name.and_then(|name| Site::parse(name).ok()) else {
            continue;
        };
        let is_beside = other.host() == site.host() && other.port() != site.port();
        let has_cas = |path: &Path| {
            files(path)
                .unwrap_or_default()
                .iter()
                .any(|file| is(file, "crt"))
        };
        if is_beside && has_cas(&path) {
            let right = of_site(client, site);
            report.problem(
                &path,
                format!("it is for {other}, and counts for that alone, not for {site}"),
                format!(
                    "copy it: mkdir -p {1} && cp {0}/*.crt {1}",
                    path.display(),
                    right.display()
                ),
            );
        }
    }
}

fn is_ours(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name == OURS)
}

fn is(file: &Path, extension: &str) -> bool {
    file.extension().is_some_and(|found| found == extension)
}

fn files(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files: Vec<_> = fs::read_dir(directory)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    files.sort();
    Ok(files)
}
