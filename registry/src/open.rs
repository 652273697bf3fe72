//! Opening the registry that the settings describe.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::Access;
use tidegate_config::WebhookName;
use tidegate_failure::Explain;

use crate::api::Api;
use crate::events::{Delivery, Events, Source, Subscriber, Webhook};
use crate::health::{Health, HealthCheck};
use crate::metrics::Metrics;
use crate::observers::Observers;
use crate::schema1::{SigningKey, SigningKeyError};
use crate::store::{Filesystem, Store};

/// Where a registry lies below its root.
const LAYOUT: &str = "docker/registry/v2";

/// Where the queues of webhooks lie below it: not where a registry looks.
const QUEUES: &str = "webhooks";

/// Opens the registry below `settings.root`. The directory and what it needs
/// inside are made, unless the registry is read-only.
///
/// # Errors
///
/// If the directory cannot be used, or the key for schema 1: better now than at
/// the first push.
pub fn open(settings: &tidegate_config::Registry) -> Result<Api, OpenError> {
    Ok(open_with_store(settings)?.0)
}

/// As [`open`], with the store for whoever keeps it in order.
///
/// # Errors
///
/// As for [`open`].
pub fn open_with_store(
    settings: &tidegate_config::Registry,
) -> Result<(Api, Arc<Filesystem>), OpenError> {
    let opened = open_observed(settings, None, Source::new(String::new()))?;
    Ok((opened.api, opened.store))
}

/// A registry, and what has to go on beside it.
pub struct Opened {
    /// The registry.
    pub api: Api,
    /// Where it keeps everything.
    pub store: Arc<Filesystem>,
    /// What is known of the storage: nothing, unless `check` runs.
    pub health: Health,
    /// Looks at the storage, where the settings ask for that.
    pub check: Option<HealthCheck>,
    /// Who is told what happens.
    pub events: Events,
    /// What brings events to the receivers of webhooks.
    pub deliveries: Vec<Delivery>,
}

/// As [`open`], with those who look on: requests are counted, if there are
/// metrics, and are refused while the storage does not work. Events are made in
/// the name of `source`.
///
/// # Errors
///
/// As for [`open`].
pub fn open_observed(
    settings: &tidegate_config::Registry,
    metrics: Option<Metrics>,
    source: Source,
) -> Result<Opened, OpenError> {
    let root = root(settings)?;
    let schema1 = settings.schema1.as_ref().map(signing_key).transpose()?;
    let store = Arc::new(Filesystem::new(&root));
    if settings.read_only {
        check_directory(&root)?;
    } else {
        let made = store
            .prepare()
            .map_err(|source| OpenError::unusable(&root, source))?;
        for directory in made {
            rustix::fs::access(&directory, Access::WRITE_OK | Access::EXEC_OK)
                .map_err(|source| OpenError::unusable(&directory, source.into()))?;
        }
    }
    if let Some(metrics) = &metrics {
        metrics.watch_cache(store.cache_use());
    }
    let webhooks = open_webhooks(
        &settings.webhooks,
        &root,
        metrics.clone().unwrap_or_default(),
    )?;
    let deliveries = webhooks.iter().map(|w| Delivery::of(w)).collect();
    let subscribers = webhooks.into_iter().map(|w| w as Arc<dyn Subscriber>);
    let events = Events::to(subscribers.collect(), source);
    let health = Health::default();
    let observers = Observers {
        metrics,
        events: events.clone(),
        health: health.clone(),
    };
    let check = |check| HealthCheck::new(check, &root, settings.read_only, health.clone());
    let check = settings.health.map(check);
    Ok(Opened {
        api: Api::observed(
            Arc::<Filesystem>::clone(&store),
            settings,
            schema1,
            observers,
        ),
        store,
        health,
        check,
        events,
        deliveries,
    })
}

fn open_webhooks(
    webhooks: &[tidegate_config::Webhook],
    root: &Path,
    metrics: Metrics,
) -> Result<Vec<Arc<Webhook>>, OpenError> {
    let default = root.join(QUEUES);
    let open = |settings: &tidegate_config::Webhook| {
        let endpoint = metrics.endpoint(settings.name.as_str());
        Webhook::open(settings.clone(), &default, endpoint)
            .map(Arc::new)
            .map_err(|source| OpenError::Webhook {
                name: settings.name.clone(),
                source,
            })
    };
    webhooks.iter().map(open).collect()
}

/// Opens the store of a registry that is there already, and makes nothing.
///
/// # Errors
///
/// If there is no registry below `settings.root`: whoever misspells its name
/// should not be told that an empty one is in order.
pub fn open_existing_store(
    settings: &tidegate_config::Registry,
) -> Result<Arc<Filesystem>, OpenError> {
    let root = root(settings)?;
    match fs_err::metadata(root.join(LAYOUT)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(OpenError::Empty { root });
        }
        Err(error) => return Err(OpenError::unusable(&root, error)),
        Ok(_) => check_directory(&root.join(LAYOUT))?,
    }
    Ok(Arc::new(Filesystem::new(&root)))
}

fn root(settings: &tidegate_config::Registry) -> Result<PathBuf, OpenError> {
    let root = std::path::absolute(&settings.root)
        .map_err(|source| OpenError::unusable(&settings.root, source))?;
    if root.ends_with(LAYOUT) {
        return Err(OpenError::TooDeep { root });
    }
    Ok(root)
}

fn check_directory(root: &Path) -> Result<(), OpenError> {
    let metadata = fs_err::metadata(root).map_err(|source| OpenError::unusable(root, source))?;
    if metadata.is_dir() {
        Ok(())
    } else {
        let source = io::ErrorKind::NotADirectory.into();
        Err(OpenError::unusable(root, source))
    }
}

/// Opens the registry that lies in a store of another kind. Of the settings,
/// only those count that say what is allowed.
///
/// # Errors
///
/// If a file that the settings name cannot be used.
pub fn open_store(
    store: Arc<dyn Store>,
    settings: &tidegate_config::Registry,
) -> Result<Api, OpenError> {
    let schema1 = settings.schema1.as_ref().map(signing_key).transpose()?;
    Ok(Api::with_schema1(store, settings, schema1))
}

/// Reads all that [`open`] would read, and makes nothing. Of what is stored,
/// nothing is looked at.
///
/// # Errors
///
/// If a file that the settings name cannot be used.
pub fn check(settings: &tidegate_config::Registry) -> Result<(), OpenError> {
    settings.schema1.as_ref().map(signing_key).transpose()?;
    Ok(())
}

fn signing_key(settings: &tidegate_config::Schema1) -> Result<SigningKey, OpenError> {
    let Some(path) = &settings.signing_key else {
        return SigningKey::generate().map_err(OpenError::NoKey);
    };
    let content = fs_err::read(path).map_err(OpenError::KeyFile)?;
    SigningKey::parse(&content).map_err(|source| OpenError::Key {
        path: path.clone(),
        source,
    })
}

/// Why a registry cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be made, read or written.
    #[error("`registry.root`: cannot use {}: {source}", path.display())]
    Unusable {
        /// The directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The queue of a webhook cannot be used; the cause names the file.
    #[error("`registry.webhook` \"{name}\": its queue cannot be used: {source}")]
    Webhook {
        /// The webhook.
        name: WebhookName,
        /// Why not.
        source: io::Error,
    },
    /// The directory is the inside of a registry.
    #[error("`registry.root`: {} is inside a registry, expected the directory that holds docker/registry/v2", root.display())]
    TooDeep {
        /// The directory.
        root: PathBuf,
    },
    /// There is no registry in the directory.
    #[error("{} holds no registry: there is no {LAYOUT} in it", root.display())]
    Empty {
        /// The directory.
        root: PathBuf,
    },
    /// The key for schema 1 cannot be read; the cause names the file.
    #[error("`registry.schema1_signing_key`: {0}")]
    KeyFile(#[source] io::Error),
    /// What is in the file is no key for schema 1.
    #[error("`registry.schema1_signing_key`: {}: {source}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: SigningKeyError,
    },
    /// There is no file, and no key could be made.
    #[error("`registry.schema1`: {0}")]
    NoKey(#[source] SigningKeyError),
}

impl OpenError {
    fn unusable(path: &Path, source: io::Error) -> Self {
        Self::Unusable {
            path: path.to_owned(),
            source,
        }
    }
}

impl Explain for OpenError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Unusable { path, source } => match source.kind() {
                io::ErrorKind::PermissionDenied => Some(format!(
                    "give {} to the user that the server runs as",
                    path.display()
                )),
                io::ErrorKind::ReadOnlyFilesystem => {
                    Some("set registry.read_only = true to serve what is there".to_owned())
                }
                io::ErrorKind::NotFound => Some(
                    "a read-only registry is not made: name the directory of an existing one"
                        .to_owned(),
                ),
                _ => None,
            },
            Self::TooDeep { root } => {
                let parent = root.ancestors().nth(3)?;
                Some(format!("set registry.root = \"{}\"", parent.display()))
            }
            Self::Empty { .. } => Some(
                "name the configuration that the registry is served with; \
                 nothing is there before the first start"
                    .to_owned(),
            ),
            Self::Webhook { source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    Some("name a directory that can be written to: queue = \"DIR\"".to_owned())
                }
                _ => None,
            },
            Self::KeyFile(source) if source.kind() == io::ErrorKind::PermissionDenied => {
                Some("give the file to the user that the server runs as".to_owned())
            }
            Self::KeyFile(_) | Self::Key { .. } => Some(
                "`openssl ecparam -name prime256v1 -genkey -noout` makes a key; \
                 without the setting, one is made at each start"
                    .to_owned(),
            ),
            Self::NoKey(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(root: &Path, read_only: bool) -> tidegate_config::Registry {
        tidegate_config::Registry {
            read_only,
            ..tidegate_config::Registry::new(root)
        }
    }

    fn error(settings: &tidegate_config::Registry) -> OpenError {
        open(settings).err().expect("it cannot be opened")
    }

    #[test]
    fn makes_what_is_missing() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("new/registry");
        open(&settings(&path, false)).unwrap();
        open(&settings(&path, false)).unwrap();
        assert!(path.join("docker/registry/v2/repositories").is_dir());
    }

    #[test]
    fn a_read_only_registry_is_not_made() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("absent");
        let error = error(&settings(&path, true));
        assert!(
            error.hint().unwrap().contains("name the directory"),
            "{error}"
        );
        assert!(!path.exists());
        open(&settings(root.path(), true)).unwrap();
        assert_eq!(fs_err::read_dir(root.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_in_the_place_of_the_directory_is_named() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("file");
        fs_err::write(&path, b"").unwrap();
        for read_only in [true, false] {
            let error = error(&settings(&path, read_only));
            assert!(
                error.to_string().contains(path.to_str().unwrap()),
                "{error}"
            );
        }
    }

    #[test]
    fn a_key_that_cannot_sign_is_named() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("key.pem");
        let settings = tidegate_config::Registry {
            schema1: Some(tidegate_config::Schema1 {
                signing_key: Some(path.clone()),
            }),
            ..settings(&root.path().join("registry"), false)
        };
        let missing = error(&settings);
        fs_err::write(&path, b"-----BEGIN KEY-----").unwrap();
        let broken = error(&settings);
        for error in [missing, broken] {
            let text = error.to_string();
            assert!(text.contains("`registry.schema1_signing_key`"), "{text}");
            assert!(text.contains(path.to_str().unwrap()), "{text}");
            assert!(error.hint().unwrap().contains("makes a key"));
        }
        assert!(check(&settings).is_err());
        assert!(!settings.root.exists());
    }

    #[test]
    fn an_existing_registry_is_not_made_either() {
        let root = tempfile::tempdir().unwrap();
        let settings = settings(root.path(), false);
        let missing = open_existing_store(&settings).err().unwrap();
        assert!(
            missing.to_string().contains("holds no registry"),
            "{missing}"
        );
        assert_eq!(fs_err::read_dir(root.path()).unwrap().count(), 0);
        open(&settings).unwrap();
        open_existing_store(&settings).unwrap();
    }

    #[test]
    fn the_inside_of_a_registry_is_not_its_root() {
        let error = error(&settings(Path::new("/srv/docker/registry/v2"), true));
        assert_eq!(error.hint().unwrap(), "set registry.root = \"/srv\"");
    }
}
