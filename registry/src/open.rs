//! Opening the registry that the settings describe.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::Access;
use tidegate_failure::Explain;

use crate::api::Api;
use crate::schema1::{SigningKey, SigningKeyError};
use crate::store::Filesystem;

/// Opens the registry below `settings.root`. The directory and what it needs
/// inside are made, unless the registry is read-only.
///
/// # Errors
///
/// If the directory cannot be used, or the key for schema 1: better now than at
/// the first push.
pub fn open(settings: &tidegate_config::Registry) -> Result<Api, OpenError> {
    let root = std::path::absolute(&settings.root)
        .map_err(|source| OpenError::unusable(&settings.root, source))?;
    if root.ends_with("docker/registry/v2") {
        return Err(OpenError::TooDeep { root });
    }
    let schema1 = settings.schema1.as_ref().map(signing_key).transpose()?;
    let store = Filesystem::new(&root);
    if settings.read_only {
        let is_directory = fs_err::metadata(&root)
            .map_err(|source| OpenError::unusable(&root, source))?
            .is_dir();
        if !is_directory {
            return Err(OpenError::unusable(
                &root,
                io::ErrorKind::NotADirectory.into(),
            ));
        }
    } else {
        let made = store
            .prepare()
            .map_err(|source| OpenError::unusable(&root, source))?;
        for directory in made {
            rustix::fs::access(&directory, Access::WRITE_OK | Access::EXEC_OK)
                .map_err(|source| OpenError::unusable(&directory, source.into()))?;
        }
    }
    Ok(Api::with_schema1(Arc::new(store), settings, schema1))
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
    /// The directory is the inside of a registry.
    #[error("`registry.root`: {} is inside a registry, expected the directory that holds docker/registry/v2", root.display())]
    TooDeep {
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
    fn the_inside_of_a_registry_is_not_its_root() {
        let error = error(&settings(Path::new("/srv/docker/registry/v2"), true));
        assert_eq!(error.hint().unwrap(), "set registry.root = \"/srv\"");
    }
}
