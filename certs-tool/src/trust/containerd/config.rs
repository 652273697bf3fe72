//! `config_path` of containerd's `config.toml`: the directories in which the
//! pulls of Kubernetes look for `hosts.toml`. `ctr` and nerdctl do not ask for
//! it.

use std::path::{Path, PathBuf};

use fs_err as fs;
use toml_edit::{DocumentMut, Item};

use super::super::machine::{Directory, Machine};
use super::super::toml_list::strings;

/// The plugin of containerd 1.x, and that of 2.x, where it was split.
const FIRST: &str = "io.containerd.grpc.v1.cri";
const SECOND: &str = "io.containerd.cri.v1.images";

/// What `config.toml`, and what it imports, says of it.
#[derive(Debug, Default)]
pub(super) struct Config {
    /// The directories, by the names they have on their machine.
    pub(super) directories: Vec<PathBuf>,
    /// A file that is no TOML.
    pub(super) broken: Option<PathBuf>,
    /// Whether Kubernetes' part is turned off, as Docker's packages do.
    disabled: bool,
    /// Whether registries are set in the older way, which excludes the newer.
    older: bool,
    version: Option<i64>,
}

impl Config {
    pub(super) fn read(machine: &Machine, client: &Directory) -> Self {
        let mut config = Self::default();
        let main = client.path.join("config.toml");
        let Some(settings) = config.parse(&main) else {
            return config;
        };
        config.version = settings.get("version").and_then(Item::as_integer);
        config.take(&settings);
        for pattern in strings(settings.get("imports")) {
            let path = match Path::new(&pattern).is_absolute() {
                true => machine.at(&pattern),
                false => client.path.join(&pattern),
            };
            for file in matching(&path) {
                if let Some(settings) = config.parse(&file) {
                    config.take(&settings);
                }
            }
        }
        config
    }

    /// What to write so that pulls look into `certs`, and why; `None` if they
    /// do, or nobody asks for them.
    pub(super) fn advice(&self, client: &Directory, certs: &Path) -> Option<(String, String)> {
        if self.disabled || self.directories.iter().any(|path| path == certs) {
            return None;
        }
        let file = client.known_as.join("config.toml");
        let what = match self.version {
            Some(3..) => format!(
                "config_path is not set: Kubernetes' pulls look into {} only where that is this containerd's default (see `containerd config dump`)",
                certs.display()
            ),
            _ => format!(
                "config_path is not set: Kubernetes' pulls do not look into {}, though nerdctl and `ctr --hosts-dir` do",
                certs.display()
            ),
        };
        let (version, plugin) = match self.version {
            Some(3..) => ("", format!("\"{SECOND}\"")),
            Some(2) => ("", format!("\"{FIRST}\"")),
            // A file that says nothing is of the first version.
            _ if client.path.join("config.toml").exists() => ("", "cri".to_owned()),
            _ => ("    version = 2\n", format!("\"{FIRST}\"")),
        };
        let instead = if self.older {
            " in place of its registry.mirrors and registry.configs, which exclude it,"
        } else {
            ""
        };
        let hint = format!(
            "add to {}{instead} and restart containerd:\n{version}    [plugins.{plugin}.registry]\n      config_path = \"{}\"",
            file.display(),
            certs.display()
        );
        Some((what, hint))
    }

    fn parse(&mut self, path: &Path) -> Option<DocumentMut> {
        let text = fs::read_to_string(path).ok()?;
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.broken = Some(path.to_owned());
        }
        parsed
    }

    /// What comes later wins, as in containerd.
    fn take(&mut self, settings: &DocumentMut) {
        let disabled = strings(settings.get("disabled_plugins"));
        self.disabled |= [FIRST, SECOND, "cri"]
            .iter()
            .any(|plugin| disabled.iter().any(|name| name == plugin));
        for plugin in [FIRST, SECOND, "cri"] {
            let Some(registry) = settings
                .get("plugins")
                .and_then(|plugins| plugins.get(plugin)?.get("registry"))
            else {
                continue;
            };
            self.older |= ["mirrors", "configs"]
                .iter()
                .any(|key| registry.get(key).is_some_and(|item| !is_empty(item)));
            let paths = registry.get("config_path").and_then(Item::as_str);
            if let Some(paths) = paths.filter(|paths| !paths.is_empty()) {
                self.directories = std::env::split_paths(paths).collect();
            }
        }
    }
}

fn is_empty(item: &Item) -> bool {
    item.as_table_like()
        .is_none_or(toml_edit::TableLike::is_empty)
}

/// The files of a pattern with one `*` in its last part, in their order.
fn matching(pattern: &Path) -> Vec<PathBuf> {
    let name = pattern.file_name().and_then(|name| name.to_str());
    let Some((start, end)) = name.and_then(|name| name.split_once('*')) else {
        return vec![pattern.to_owned()];
    };
    let entries = pattern
        .parent()
        .and_then(|directory| fs::read_dir(directory).ok());
    let mut found: Vec<PathBuf> = entries
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.and_then(|name| name.strip_prefix(start)?.strip_suffix(end))
                .is_some()
        })
        .collect();
    found.sort();
    found
}
