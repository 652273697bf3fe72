//! containerd: `certs.d/HOST:PORT/hosts.toml` with the path of the CA, which is
//! read at each pull, provided that `config_path` of its configuration names
//! the directory above.
//!
//! A `hosts.toml` of somebody else gets our CA's path added to its `ca`, and
//! keeps all else.

use std::path::{Path, PathBuf};

use fs_err as fs;
use toml_edit::{Array, DocumentMut, Item, TableLike, value};

use super::authority::Authority;
use super::certs_d::OURS;
use super::error::TrustError;
use super::machine::{Directory, Machine};
use super::plan::{self, Plan};
use super::site::Site;
use super::store::{Store, StoreReport};

/// The first line of a file that is ours as a whole.
const HEADER: &str =
    "# Written by `certs-tool trust install`; `certs-tool trust remove` takes it away.\n";

pub(super) fn install(
    machine: &Machine,
    site: &Site,
    authority: &Authority,
) -> Result<Plan, TrustError> {
    let client = machine.directory(Store::Containerd)?;
    let directory = of_site(&client, site);
    let mut plan = Plan::default();
    plan.write(&directory.path.join(OURS), authority.to_pem())?;
    let ca = directory.known_as.join(OURS).display().to_string();
    let hosts = directory.path.join("hosts.toml");
    let text = match plan::read(&hosts)? {
        None => format!(
            "{HEADER}server = \"https://{site}\"\n\n[host.\"https://{site}\"]\n\
             capabilities = [\"pull\", \"resolve\", \"push\"]\nca = \"{ca}\"\n"
        ),
        Some(text) => {
            let mut document = parse(&hosts, &text)?;
            add(place(&mut document, site), "ca", &ca)
                .map_err(|reason| refused(&hosts, reason, &ca))?;
            document.to_string()
        }
    };
    plan.write(&hosts, text)?;
    if let Some(note) = config_path_missing(&client) {
        plan.notes.push(note);
    }
    Ok(plan)
}

pub(super) fn remove(machine: &Machine, site: &Site) -> Result<Plan, TrustError> {
    let client = machine.directory(Store::Containerd)?;
    let directory = of_site(&client, site);
    let hosts = directory.path.join("hosts.toml");
    let ca = directory.known_as.join(OURS).display().to_string();
    let mut plan = Plan::default();
    match plan::read(&hosts)? {
        Some(text) if text.starts_with(HEADER) => plan.remove(&hosts),
        Some(text) if text.contains(OURS) => {
            let mut document = parse(&hosts, &text)?;
            take(place(&mut document, site), "ca", &ca);
            plan.write(&hosts, document.to_string())?;
        }
        _ => {}
    }
    plan.remove(&directory.path.join(OURS));
    plan.directories.push(directory.path);
    Ok(plan)
}

pub(super) fn inspect(machine: &Machine, site: &Site, report: &mut StoreReport) {
    let Ok(client) = machine.directory(Store::Containerd) else {
        return;
    };
    let directory = of_site(&client, site);
    let hosts = directory.path.join("hosts.toml");
    let text = match fs::read_to_string(&hosts) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // Then a directory in Docker's layout counts.
            if directory.path.is_dir() {
                super::certs_d::inspect(&client, site, report);
            }
            return;
        }
        Err(error) => return report.problem(&hosts, error.to_string(), None),
    };
    let mut document = match text.parse::<DocumentMut>() {
        Ok(document) => document,
        Err(error) => {
            let hint = "containerd fails every pull with it".to_owned();
            return report.problem(&hosts, format!("it is not TOML: {}", error.message()), hint);
        }
    };
    let table = place(&mut document, site);
    if table.get("skip_verify").and_then(Item::as_bool) == Some(true) {
        report.problem(
            &hosts,
            "skip_verify = true: nobody's certificate is checked",
            "take skip_verify away".to_owned(),
        );
    }
    for ca in strings(table.get("ca")) {
        let path = Path::new(&ca);
        if path.is_absolute() {
            report.read_anchors(&machine.at(&ca));
        } else {
            report.read_anchors(&directory.path.join(path));
        }
    }
    if let Some(note) = config_path_missing(&client) {
        let config = client.path.join("config.toml");
        let (what, hint) = note.split_once('\n').unwrap_or((&note, ""));
        report.problem(&config, what, hint.to_owned());
    }
}

/// Adds a path to a list of paths, which may be missing or be one string.
pub(super) fn add(table: &mut dyn TableLike, key: &str, path: &str) -> Result<(), &'static str> {
    let mut all = strings(table.get(key));
    match table.get(key) {
        None => all.clear(),
        Some(item) if item.is_str() || item.as_array().is_some_and(|a| a.len() == all.len()) => {}
        Some(_) => return Err("it names CAs in a form that is unknown here"),
    }
    if all.iter().any(|known| known == path) {
        return Ok(());
    }
    if all.is_empty() {
        table.insert(key, value(Array::from_iter([path])));
        return Ok(());
    }
    match table.get_mut(key).and_then(Item::as_array_mut) {
        Some(array) => array.push(path),
        None => {
            all.push(path.to_owned());
            table.insert(key, value(Array::from_iter(all)));
        }
    }
    Ok(())
}

/// Takes a path out of such a list, and the list itself when it is then empty.
pub(super) fn take(table: &mut dyn TableLike, key: &str, path: &str) {
    let Some(item) = table.get_mut(key) else {
        return;
    };
    if let Some(array) = item.as_array_mut() {
        array.retain(|entry| entry.as_str() != Some(path));
        if array.is_empty() {
            table.remove(key);
        }
    } else if item.as_str() == Some(path) {
        table.remove(key);
    }
}

/// The paths of such a list.
pub(super) fn strings(item: Option<&Item>) -> Vec<String> {
    match item {
        Some(item) if item.is_str() => item.as_str().map(str::to_owned).into_iter().collect(),
        Some(item) => item
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.as_str().map(str::to_owned))
            .collect(),
        None => vec![],
    }
}

/// The directory of a registry. Of the two spellings that containerd knows, the
/// one without a colon counts where it is there already.
fn of_site(client: &Directory, site: &Site) -> Directory {
    let certs = client.join("certs.d");
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
fn place<'a>(document: &'a mut DocumentMut, site: &Site) -> &'a mut dyn TableLike {
    let names = [
        format!("https://{site}"),
        format!("https://{site}/"),
        site.to_string(),
    ];
    let named = document
        .get("host")
        .and_then(Item::as_table_like)
        .and_then(|hosts| {
            names
                .iter()
                .find(|name| hosts.get(name).is_some_and(Item::is_table_like))
        })
        .cloned();
    match named {
        // Two steps down, both seen to be there a moment ago.
        Some(name) if document["host"][&name].is_table_like() => {
            match document["host"][&name].as_table_like_mut() {
                Some(table) => table,
                None => unreachable!("it is a table"),
            }
        }
        _ => document.as_table_mut(),
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

/// What to say if containerd does not look into `certs.d`: one line that says
/// so, and then what to write.
fn config_path_missing(client: &Directory) -> Option<String> {
    let path = client.path.join("config.toml");
    let certs = client.known_as.join("certs.d").display().to_string();
    let text = fs::read_to_string(&path).unwrap_or_default();
    let settings = text.parse::<DocumentMut>().unwrap_or_default();
    let of = |plugin: &str| {
        let registry = settings.get("plugins")?.get(plugin)?.get("registry")?;
        registry.get("config_path")?.as_str().map(str::to_owned)
    };
    // containerd 1.x, and 2.x, where the plugin was split.
    let plugins = ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images"];
    let set = plugins.iter().filter_map(|plugin| of(plugin));
    if set
        .flat_map(|paths| paths.split(':').map(PathBuf::from).collect::<Vec<_>>())
        .any(|path| path == Path::new(&certs))
    {
        return None;
    }
    let is_second = settings.get("version").and_then(Item::as_integer) >= Some(3);
    let plugin = plugins[usize::from(is_second)];
    Some(format!(
        "config_path in {} does not name {certs}: Kubernetes' pulls do not look there, though `ctr --hosts-dir` and nerdctl do\n\
         add [plugins.\"{plugin}\".registry] with config_path = \"{certs}\", and restart containerd",
        client.known_as.join("config.toml").display(),
    ))
}
