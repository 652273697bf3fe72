//! Reading configuration files, whatever their format.

use std::path::{Path, PathBuf};

use tidegate_failure::Explain;

use crate::config_yml::{self, Document, Mistake, Problem};
use crate::diagnostic::Diagnostic;
use crate::finding::Adopted;
use crate::nginx_conf::{DiskFiles, parse_nginx};
use crate::settings::{Backend, Registry, Settings};
use crate::tidegate_toml;

/// Why a configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file could not be read; the source names it.
    #[error("the configuration cannot be read")]
    Read(#[source] std::io::Error),
    /// The file is not UTF-8, which TOML and YAML require.
    #[error("{}: not UTF-8 at byte {offset}", file.display())]
    Encoding {
        /// The file.
        file: PathBuf,
        /// Where the first byte stands that is not part of a character.
        offset: usize,
    },
    /// Something in the file is wrong.
    #[error(transparent)]
    Mistake(#[from] Box<Diagnostic>),
    /// A key of a `config.yml`, or a variable over it, is wrong.
    #[error("{}: {mistake}", file.display())]
    Key {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        mistake: Mistake,
    },
    /// The file describes a front for a registry elsewhere.
    #[error("{}: there is no [registry] in it, but requests are forwarded", file.display())]
    NoRegistry {
        /// The file.
        file: PathBuf,
    },
}

impl LoadError {
    pub(crate) fn of(path: &Path, problem: Problem) -> Self {
        match problem {
            Problem::File(diagnostic) => Self::Mistake(diagnostic),
            Problem::Key(mistake) => Self::Key {
                file: path.to_owned(),
                mistake,
            },
        }
    }
}

impl Explain for LoadError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Read(cause) if cause.kind() == std::io::ErrorKind::NotFound => Some(
                "`tidegate up` makes a registry with its configuration; \
                 `-c FILE` names an existing one"
                    .to_owned(),
            ),
            Self::Read(_) => None,
            Self::Encoding { .. } => Some("save the file as UTF-8".to_owned()),
            Self::Mistake(diagnostic) => diagnostic.hint().map(str::to_owned),
            Self::Key { mistake, .. } => mistake.hint().map(str::to_owned),
            Self::NoRegistry { .. } => {
                Some("name the configuration of the registry that they are forwarded to".to_owned())
            }
        }
    }
}

/// Reads and checks the `tidegate.toml` at `path`. Relative paths in it are
/// taken from the directory that it lies in.
///
/// # Errors
/// The file cannot be read, or something in it is wrong.
pub fn load(path: &Path) -> Result<Settings, LoadError> {
    Ok(tidegate_toml::parse(path, &read(path)?)?)
}

/// Reads what a file says of the registry: a `tidegate.toml`, or distribution's
/// `config.yml`, which is any file of another name than `*.toml`. Variables of
/// the environment that begin with `REGISTRY_` overrule the latter.
///
/// # Errors
/// The file cannot be read, or something in it is wrong.
pub fn load_registry(
    path: &Path,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Registry, LoadError> {
    if path
        .extension()
        .is_some_and(|extension| extension == "toml")
    {
        return match load(path)?.backend {
            Backend::Registry(registry) => Ok(registry),
            Backend::Forward(_) | Backend::Places => Err(LoadError::NoRegistry {
                file: path.to_owned(),
            }),
        };
    }
    let text = read(path)?;
    let document = config_yml(path, &text, environment)?;
    document
        .registry()
        .map_err(|problem| LoadError::of(path, problem))
}

/// Reads the `config.yml` of docker-registry at `path`, of versions 2 and 3.
/// Variables of the environment that begin with `REGISTRY_` overrule it. Relative
/// paths in it are left as they are, for the directory that the process runs in.
///
/// What it refuses to do is a finding: whoever serves decides whether to stop.
///
/// # Errors
/// The file cannot be read, or something in it says nothing that can be meant.
pub fn load_config_yml(
    path: &Path,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Adopted, LoadError> {
    parse_config_yml(path, &read(path)?, environment)
}

/// Reads the main file of nginx at `path`, with all that it includes. With a
/// `registry`, that one answers where requests are passed to a registry.
///
/// What it refuses to do is a finding: whoever serves decides whether to stop.
///
/// # Errors
/// A file cannot be read, or something in one would not be taken by nginx.
pub fn load_nginx(path: &Path, registry: Option<Registry>) -> Result<Adopted, LoadError> {
    Ok(parse_nginx(path, &read(path)?, &DiskFiles, registry)?)
}

/// As [`load_config_yml`], of a file with this `text`.
///
/// # Errors
/// Something in it says nothing that can be meant.
pub fn parse_config_yml(
    path: &Path,
    text: &str,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Adopted, LoadError> {
    let document = config_yml(path, text, environment)?;
    let (settings, findings) = document
        .settings()
        .map_err(|problem| LoadError::of(path, problem))?;
    Ok(Adopted { settings, findings })
}

fn config_yml<'a>(
    path: &'a Path,
    text: &'a str,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Document<'a>, LoadError> {
    let mut document = config_yml::parse(path, text)?;
    document
        .overlay(environment)
        .map_err(|mistake| LoadError::of(path, Problem::Key(mistake)))?;
    Ok(document)
}

/// Reads a file that is text.
pub(crate) fn read(path: &Path) -> Result<String, LoadError> {
    let bytes = fs_err::read(path).map_err(LoadError::Read)?;
    String::from_utf8(bytes).map_err(|e| LoadError::Encoding {
        file: path.to_owned(),
        offset: e.utf8_error().valid_up_to(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_file_tells_its_format() {
        let directory = tempfile::tempdir().unwrap();
        let of = |name: &str, text: &str| {
            let path = directory.path().join(name);
            fs_err::write(&path, text).unwrap();
            load_registry(&path, [])
        };
        let toml = "[[listener]]\naddress = \"127.0.0.1:80\"\nprotocol = \"http\"\n\
                    [auth]\nrequired = false\n";
        let registry = of(
            "t.toml",
            &format!("{toml}[registry]\nroot = \"data\"\ncollect.grace = \"2h\""),
        );
        let registry = registry.unwrap();
        assert_eq!(registry.root, directory.path().join("data"));
        assert_eq!(registry.collect.grace.as_secs(), 7200);

        let error = of(
            "t.toml",
            &format!("{toml}[forward]\nto = \"http://127.0.0.1:5000\""),
        );
        assert!(matches!(error, Err(LoadError::NoRegistry { .. })));

        let yaml = "version: 0.1\nstorage: {filesystem: {rootdirectory: /srv}}\n";
        for name in ["config.yml", "config", "config.yaml"] {
            assert_eq!(of(name, yaml).unwrap().root, Path::new("/srv"));
        }
        let error = of("config.yml", "version: 0.1\nstorage: {s3: {bucket: b}}\n").unwrap_err();
        let shown = error.to_string();
        assert!(
            shown.contains("config.yml:2:16: `storage.s3.bucket`: data"),
            "{shown}"
        );
    }
}
