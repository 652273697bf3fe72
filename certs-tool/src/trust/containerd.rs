//! containerd: `certs.d/HOST:PORT/hosts.toml` with the path of the CA, which is
//! read at each pull, provided that `config_path` of its configuration names
//! the directory above.
//!
//! A `hosts.toml` of somebody else gets our CA's path added to its `ca`, and
//! keeps all else. A directory without `hosts.toml` is read as Docker's, and
//! stays so if somebody has files in it.

mod config;

use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item, TableLike};

use self::config::Config;
use super::authority::Authority;
use super::certs_d::{self, OURS};
use super::error::TrustError;
use super::machine::{Directory, Machine};
use super::plan::{self, Plan};
use super::site::Site;
use super::store::{Store, StoreReport};
use super::toml_list::{add, strings, take};

/// The first line of a file that is ours.
const HEADER: &str =
    "# Written by `certs-tool trust install`; `certs-tool trust remove` takes it away.\n";

pub(super) fn install(
    machine: &Machine,
    site: &Site,
    authority: &Authority,
) -> Result<Plan, TrustError> {
    let place = Place::find(machine, site)?;
    let hosts = place.hosts();
    let text = plan::read(&hosts)?;
    let mut plan = Plan::default();
    if text.is_none()
        && let Some(file) = certs_d::trusted_by_others(&place.directory.path, authority)
    {
        plan.already = Some(file);
    } else {
        plan.write(&place.ours(), authority.to_pem())?;
        match text {
            Some(text) => {
                let mut document = parse(&hosts, &text)?;
                add(table_of(&mut document, site), "ca", &place.ca())
                    .map_err(|reason| refused(&hosts, reason, &place.ca()))?;
                plan.write(&hosts, document.to_string())?;
            }
            // `hosts.toml` would hide a client's certificate, say.
            None if certs_d::has_certificates(&place.directory.path) => {}
            None => plan.write(&hosts, place.own_hosts(site))?,
        }
    }
    if let Some(broken) = &place.config.broken {
        plan.notes.push(format!(
            "{} is not TOML: containerd does not start with it",
            broken.display()
        ));
    } else if let Some((what, hint)) = place.config.advice(&place.client, &place.certs.known_as) {
        plan.notes.push(format!("{what}\n{hint}"));
    }
    Ok(plan)
}

pub(super) fn remove(machine: &Machine, site: &Site) -> Result<Plan, TrustError> {
    let place = Place::find(machine, site)?;
    let hosts = place.hosts();
    let mut plan = Plan::default();
    match plan::read(&hosts)? {
        Some(text) if text == place.own_hosts(site) => plan.remove(&hosts),
        Some(text) if text.contains(&place.ca()) => {
            // Ours once, to which somebody has added.
            let text = text.strip_prefix(HEADER).unwrap_or(&text);
            let mut document = parse(&hosts, text)?;
            take(table_of(&mut document, site), "ca", &place.ca());
            plan.write(&hosts, document.to_string())?;
        }
        _ => {}
    }
    plan.remove(&place.ours());
    plan.clear(&place.directory.path);
    Ok(plan)
}

pub(super) fn inspect(machine: &Machine, site: &Site, report: &mut StoreReport) {
    let Ok(place) = Place::find(machine, site) else {
        return;
    };
    let all = place.certs.path.join("_default");
    if place.directory.path.is_dir() {
        inspect_directory(machine, &place.directory.path, site, report);
    } else if all.is_dir() {
        inspect_directory(machine, &all, site, report);
    }
    let file = place.client.path.join("config.toml");
    if let Some(broken) = &place.config.broken {
        let hint = "containerd does not start with it".to_owned();
        report.obstacle(broken, "it is not TOML", hint);
    } else if !report.anchors.is_empty()
        && let Some((what, hint)) = place.config.advice(&place.client, &place.certs.known_as)
    {
        report.problem(&file, what, hint);
    }
}

fn inspect_directory(machine: &Machine, directory: &Path, site: &Site, report: &mut StoreReport) {
    let hosts = directory.join("hosts.toml");
    if !hosts.exists() {
        return certs_d::judge_directory(directory, report);
    }
    let Some(text) = report.text(&hosts) else {
        return;
    };
    let mut document = match text.parse::<DocumentMut>() {
        Ok(document) => document,
        Err(error) => {
            let hint = "containerd fails every pull with it".to_owned();
            let what = format!("it is not TOML: {}", error.message());
            return report.obstacle(&hosts, what, hint);
        }
    };
    let table = table_of(&mut document, site);
    if table.get("skip_verify").and_then(Item::as_bool) == Some(true) {
        report.problem(
            &hosts,
            "skip_verify = true: nobody's certificate is checked",
            "take skip_verify away".to_owned(),
        );
    }
    for ca in strings(table.get("ca")) {
        match Path::new(&ca).is_absolute() {
            true => report.read_anchors(&machine.at(&ca)),
            false => report.read_anchors(&directory.join(ca)),
        }
    }
}

/// Where containerd looks for a registry.
struct Place {
    client: Directory,
    config: Config,
    /// The directory of all registries.
    certs: Directory,
    /// The one of this registry.
    directory: Directory,
}

impl Place {
    fn find(machine: &Machine, site: &Site) -> Result<Self, TrustError> {
        let client = machine.directory(Store::Containerd)?;
        let config = Config::read(machine, &client);
        let usual = client.join("certs.d");
        let certs = match config.directories.first() {
            Some(first) if !config.directories.contains(&usual.known_as) => Directory {
                path: machine.at(&first.to_string_lossy()),
                known_as: first.clone(),
            },
            _ => usual,
        };
        Ok(Self {
            directory: of_site(&certs, site),
            client,
            config,
            certs,
        })
    }

    fn hosts(&self) -> PathBuf {
        self.directory.path.join("hosts.toml")
    }

    /// Our file.
    fn ours(&self) -> PathBuf {
        self.directory.path.join(OURS)
    }

    /// What containerd calls it.
    fn ca(&self) -> String {
        self.directory.known_as.join(OURS).display().to_string()
    }

    /// The `hosts.toml` that is ours as a whole.
    fn own_hosts(&self, site: &Site) -> String {
        format!(
            "{HEADER}server = \"https://{site}\"\n\n[host.\"https://{site}\"]\n\
             capabilities = [\"pull\", \"resolve\", \"push\"]\nca = \"{}\"\n",
            self.ca()
        )
    }
}

/// The directory of a registry. Of the two spellings that containerd knows, the
/// one without a colon comes first where it is there.
fn of_site(certs: &Directory, site: &Site) -> Directory {
    if let Some(port) = site.port() {
        let name = site.to_string();
        let host = name.strip_suffix(&format!(":{port}")).unwrap_or(&name);
        let spelled = certs.join(format!("{host}_{port}_"));
        if spelled.path.is_dir() {
            return spelled;
        }
    }
    certs.join(site.to_string())
}

/// The table that speaks of the registry itself: `[host."https://…"]`, or the
/// top of the file, which is that of `server`.
fn table_of<'a>(document: &'a mut DocumentMut, site: &Site) -> &'a mut dyn TableLike {
    let names = [
        format!("https://{site}"),
        format!("https://{site}/"),
        site.to_string(),
    ];
    let hosts = document.get("host").and_then(Item::as_table_like);
    let named = hosts.and_then(|hosts| {
        let is_table = |name: &&String| hosts.get(name).is_some_and(Item::is_table_like);
        names.iter().find(is_table)
    });
    match named {
        Some(name) => document["host"][name]
            .as_table_like_mut()
            .expect("it was seen to be a table a moment ago"),
        None => document.as_table_mut(),
    }
}

fn parse(path: &Path, text: &str) -> Result<DocumentMut, TrustError> {
    text.parse()
        .map_err(|error: toml_edit::TomlError| TrustError::Refused {
            path: path.to_owned(),
            reason: format!("it is not TOML: {}", error.message()),
            hint: Some("mend it, or move it away".to_owned()),
        })
}

fn refused(path: &Path, reason: &str, ca: &str) -> TrustError {
    TrustError::Refused {
        path: path.to_owned(),
        reason: reason.to_owned(),
        hint: Some(format!("add by hand: ca = [\"{ca}\"]")),
    }
}
