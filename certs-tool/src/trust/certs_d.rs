//! `certs.d/HOST:PORT/`, as Docker's daemon has it, and podman, skopeo and
//! buildah after it: every `*.crt` is a CA; `X.cert` and `X.key` are a client's
//! certificate and its key. It is read at each connection.

use std::path::{Path, PathBuf};

use fs_err as fs;
use tidegate_failure::Explain as _;

use super::authority::Authority;
use super::error::TrustError;
use super::machine::Directory;
use super::plan::Plan;
use super::site::Site;
use super::store::StoreReport;
use crate::inspect::Certificate;

/// The name of the file that is ours.
pub(super) const OURS: &str = "tidegate-ca.crt";

pub(super) fn install(
    client: &Directory,
    site: &Site,
    authority: &Authority,
) -> Result<Plan, TrustError> {
    let mut plan = Plan::default();
    let directory = of_site(client, site);
    if !is_trusted_by_others(&directory, authority) {
        plan.write(&directory.join(OURS), authority.to_pem())?;
    }
    Ok(plan)
}

pub(super) fn remove(client: &Directory, site: &Site) -> Result<Plan, TrustError> {
    let mut plan = Plan::default();
    let directory = of_site(client, site);
    plan.remove(&directory.join(OURS));
    plan.directories.push(directory);
    Ok(plan)
}

pub(super) fn inspect(client: &Directory, site: &Site, report: &mut StoreReport) {
    let directory = of_site(client, site);
    let files = match files(&directory) {
        Ok(files) => files,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            look_beside(client, site, report);
            return;
        }
        Err(error) => return report.problem(&directory, error.to_string(), None),
    };
    for file in &files {
        judge(file, report);
    }
    if report.anchors.is_empty() {
        look_beside(client, site, report);
    }
}

/// `daemon.json` may turn verification off, and then nothing here matters.
pub(super) fn inspect_daemon_json(client: &Directory, site: &Site, report: &mut StoreReport) {
    let path = client.path.join("daemon.json");
    let Ok(text) = fs::read_to_string(&path) else {
        return;
    };
    let settings: serde_json::Value = match serde_json::from_str(&text) {
        Ok(settings) => settings,
        Err(error) => {
            let hint = "the daemon does not start with it".to_owned();
            return report.problem(&path, format!("it is not JSON: {error}"), hint);
        }
    };
    let insecure = settings["insecure-registries"].as_array();
    let named = |entry: &serde_json::Value| {
        entry.as_str().is_some_and(|entry| {
            let entry = entry
                .trim_start_matches("https://")
                .trim_start_matches("http://");
            entry == site.to_string()
        })
    };
    if insecure.is_some_and(|list| list.iter().any(named)) {
        report.problem(
            &path,
            format!("{site} is among the insecure-registries: nobody's certificate is checked"),
            format!("take {site} out of insecure-registries, and restart the daemon"),
        );
    }
}

/// `registries.conf` may do the same.
pub(super) fn inspect_registries_conf(client: &Directory, site: &Site, report: &mut StoreReport) {
    let path = client.path.join("registries.conf");
    let Ok(text) = fs::read_to_string(&path) else {
        return;
    };
    let Ok(settings) = text.parse::<toml_edit::DocumentMut>() else {
        let hint = "podman and skopeo refuse to work with it".to_owned();
        return report.problem(&path, "it is not TOML", hint);
    };
    let registries = settings
        .get("registry")
        .and_then(|item| item.as_array_of_tables());
    for registry in registries.into_iter().flatten() {
        let text = |key| registry.get(key).and_then(|item| item.as_str());
        let insecure = registry.get("insecure").and_then(|item| item.as_bool());
        let named = [text("location"), text("prefix")].contains(&Some(site.to_string().as_str()));
        if named && insecure == Some(true) {
            report.problem(
                &path,
                format!("{site} is insecure = true: nobody's certificate is checked"),
                format!("take insecure = true away from {site}"),
            );
        }
    }
}

pub(super) fn of_site(client: &Directory, site: &Site) -> PathBuf {
    client.path.join("certs.d").join(site.to_string())
}

/// Whether every certificate is in a file that is not ours: then there is
/// nothing to install, and nothing that removing may take away.
fn is_trusted_by_others(directory: &Path, authority: &Authority) -> bool {
    let known: Vec<Certificate> = files(directory)
        .unwrap_or_default()
        .iter()
        .filter(|file| is(file, "crt") && file.file_name().is_some_and(|name| name != OURS))
        .filter_map(|file| Certificate::read(file).ok())
        .flatten()
        .collect();
    authority.certificates().iter().all(|ca| known.contains(ca))
}

fn judge(file: &Path, report: &mut StoreReport) {
    let exists = |extension| file.with_extension(extension).is_file();
    if is(file, "crt") {
        report.read_anchors(file);
    } else if is(file, "cert") {
        let authority = Certificate::read_first(file).is_ok_and(|cert| cert.is_ca());
        let crt = file.with_extension("crt");
        if authority {
            report.problem(
                file,
                "it is a CA, but *.cert is taken for a client's certificate",
                format!("rename it: mv {} {}", file.display(), crt.display()),
            );
        } else if !exists("key") {
            let key = file.with_extension("key");
            report.problem(
                file,
                format!("its key is missing: {}", key.display()),
                "docker refuses to connect with half a pair: put the key there, or remove it"
                    .to_owned(),
            );
        }
    } else if is(file, "key") && !exists("cert") {
        let cert = file.with_extension("cert");
        let hint = if exists("crt") {
            "a client's certificate ends in .cert, not in .crt: rename it; the key of a CA or a \
             site does not belong here at all"
        } else {
            "docker refuses to connect with half a pair: put the certificate there, or remove it"
        };
        report.problem(
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

/// The same host with another port, or without one: a frequent slip.
fn look_beside(client: &Directory, site: &Site, report: &mut StoreReport) {
    let directory = client.path.join("certs.d");
    let Ok(entries) = fs::read_dir(&directory) else {
        return;
    };
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        let Some(other) = name.to_str().and_then(|name| Site::parse(name).ok()) else {
            continue;
        };
        if other.host() == site.host() && other.port() != site.port() {
            let right = of_site(client, site);
            report.problem(
                &entry.path(),
                format!("it is for {other}, and counts for that alone, not for {site}"),
                format!(
                    "copy it: cp -r {} {}",
                    entry.path().display(),
                    right.display()
                ),
            );
        }
    }
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
