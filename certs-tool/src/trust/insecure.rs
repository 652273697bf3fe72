//! Settings that turn verification off. Then it does not matter whom a client
//! trusts, and anybody in between reads passwords and changes images.

use std::path::{Path, PathBuf};

use fs_err as fs;
use serde_json::Value;
use toml_edit::{DocumentMut, Item};

use super::site::Site;
use super::store::StoreReport;

/// `insecure-registries` of Docker's `daemon.json`: names with a port, and
/// networks (`10.0.0.0/8`).
pub(super) fn inspect_daemon_json(path: &Path, site: &Site, report: &mut StoreReport) {
    let Some(text) = report.text(path) else {
        return;
    };
    let settings: Value = match serde_json::from_str(&text) {
        Ok(settings) => settings,
        Err(error) => {
            let hint = "the daemon does not start with it".to_owned();
            return report.obstacle(path, format!("it is not JSON: {error}"), hint);
        }
    };
    let entries = settings["insecure-registries"].as_array();
    let covers = |entry: &&str| {
        let name = entry
            .trim_start_matches("https://")
            .trim_start_matches("http://");
        let network = name.parse::<ipnet::IpNet>();
        let address = site.host().as_ip();
        name == site.to_string()
            || matches!((network, address), (Ok(net), Some(ip)) if net.contains(&ip))
    };
    let found = entries
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .find(covers);
    if let Some(entry) = found {
        report.problem(
            path,
            format!("insecure-registries has {entry}: nobody's certificate is checked"),
            format!("take {entry} out of insecure-registries, and restart the daemon"),
        );
    }
}

/// `insecure = true` of `registries.conf`, in either of its two versions, and
/// of what lies in `registries.conf.d` beside it. Of the directories, given in
/// their order, the first that has a `registries.conf` counts; what is in
/// `registries.conf.d` counts in all of them.
pub(super) fn inspect_registries_conf(
    directories: &[PathBuf],
    site: &Site,
    report: &mut StoreReport,
) {
    let mut files = vec![];
    let main = directories.iter().map(|d| d.join("registries.conf"));
    files.extend({ main }.find(|path| path.is_file()));
    for directory in directories {
        let entries = fs::read_dir(directory.join("registries.conf.d"));
        let entries = entries.into_iter().flatten().filter_map(Result::ok);
        let mut more: Vec<_> = entries.map(|entry| entry.path()).collect();
        more.retain(|path| path.extension().is_some_and(|e| e == "conf"));
        more.sort();
        files.extend(more);
    }
    for path in files {
        let Some(text) = report.text(&path) else {
            continue;
        };
        let Ok(settings) = text.parse::<DocumentMut>() else {
            let hint = "podman and skopeo refuse to work with it".to_owned();
            report.obstacle(&path, "it is not TOML", hint);
            continue;
        };
        if let Some(name) = insecure_entry(&settings, site) {
            report.problem(
                &path,
                format!("{name} is insecure: nobody's certificate is checked"),
                format!("take that away from {name}"),
            );
        }
    }
}

fn insecure_entry(settings: &DocumentMut, site: &Site) -> Option<String> {
    let second = settings.get("registry").and_then(Item::as_array_of_tables);
    for registry in second.into_iter().flatten() {
        let text = |key| registry.get(key).and_then(Item::as_str);
        let insecure = registry.get("insecure").and_then(Item::as_bool) == Some(true);
        // The prefix is what images are compared with; it defaults to the
        // location.
        match text("prefix").or(text("location")) {
            Some(name) if insecure && concerns(name, site) => return Some(name.to_owned()),
            _ => {}
        }
    }
    let first = settings.get("registries")?.get("insecure")?;
    let mut names = first.get("registries")?.as_array()?.iter();
    let name = names.find_map(|name| name.as_str().filter(|name| concerns(name, site)))?;
    Some(name.to_owned())
}

/// Whether a prefix (`HOST[:PORT][/PATH]`, `*.DOMAIN`) covers images of a
/// registry, if perhaps not all.
fn concerns(prefix: &str, site: &Site) -> bool {
    let name = prefix.split('/').next().unwrap_or(prefix);
    match name.strip_prefix('*') {
        Some(domain) => domain.starts_with('.') && site.host().to_string().ends_with(domain),
        None => name == site.to_string(),
    }
}
