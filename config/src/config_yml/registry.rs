//! What a `config.yml` says of the registry's storage.

use std::time::Duration;

use super::Document;
use super::value::{Mistake, Node};
use crate::settings::{Collect, Registry};

/// Keys of `storage` that are no storage driver.
const NO_DRIVERS: [&str; 5] = ["cache", "delete", "maintenance", "redirect", "tag"];

/// Where distribution keeps its data unless it is told otherwise.
const DEFAULT_ROOT: &str = "/var/lib/registry";

/// Distribution's `storage.maintenance.uploadpurging.age`.
const DEFAULT_UPLOAD_AGE: Duration = Duration::from_secs(168 * 60 * 60);

impl Document {
    /// The section of the settings that is the registry's.
    ///
    /// # Errors
    /// What of it cannot be honoured.
    pub(crate) fn registry(&self) -> Result<Registry, Mistake> {
        let root = self.node();
        let version = root.child("version");
        if version.text()?.as_deref() != Some("0.1") {
            return Err(version
                .mistake("expected 0.1, the version of the format")
                .with_hint("a configuration of distribution begins with `version: 0.1`"));
        }
        let storage = root.child("storage");
        let filesystem = driver(&storage)?;
        let maintenance = storage.child("maintenance");
        let root = filesystem.child("rootdirectory").text()?;
        Ok(Registry {
            delete: storage.child("delete").child("enabled").truth()? == Some(true),
            read_only: maintenance.child("readonly").child("enabled").truth()? == Some(true),
            collect: Collect {
                uploads_after: upload_age(&maintenance.child("uploadpurging"))?,
                ..Collect::default()
            },
            ..Registry::new(root.unwrap_or_else(|| DEFAULT_ROOT.to_owned()))
        })
    }
}

/// The storage driver, which has to be the file system.
fn driver<'a>(storage: &Node<'a>) -> Result<Node<'a>, Mistake> {
    // A driver without parameters may be named by a text alone.
    if storage
        .text()
        .is_ok_and(|name| name.as_deref() == Some("filesystem"))
    {
        return Ok(storage.child("filesystem"));
    }
    let mut drivers = storage.keys().filter(|key| !NO_DRIVERS.contains(key));
    match (drivers.next(), drivers.next()) {
        (Some("filesystem"), None) => Ok(storage.child("filesystem")),
        (Some(first), Some(second)) => Err(storage.mistake(format!(
            "there are two storage drivers, {first} and {second}"
        ))),
        (Some(other), None) => Err(storage
            .child(other)
            .mistake("this storage driver is not supported")
            .with_hint("data is kept on a file system: storage.filesystem.rootdirectory")),
        (None, _) => Err(storage.mistake("no storage driver").with_hint(
            "add\n    storage:\n      filesystem:\n        rootdirectory: /var/lib/registry",
        )),
    }
}

/// How long uploads may rest. Purging is on unless it is turned off.
fn upload_age(purging: &Node<'_>) -> Result<Option<Duration>, Mistake> {
    let is_off = purging.child("enabled").truth()? == Some(false)
        || purging.child("dryrun").truth()? == Some(true);
    let age = purging.child("age").duration()?;
    Ok((!is_off).then(|| age.unwrap_or(DEFAULT_UPLOAD_AGE)))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config_yml::parse;

    fn of(text: &str, variables: &[(&str, &str)]) -> Result<Registry, Mistake> {
        let mut document = parse(Path::new("config.yml"), text).unwrap();
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        document.overlay(variables)?;
        document.registry()
    }

    #[test]
    fn a_usual_file_is_read() {
        let registry = of(
            "version: 0.1\n\
             log: {fields: {service: registry}}\n\
             storage:\n  cache: {blobdescriptor: inmemory}\n  filesystem: {rootdirectory: /srv/data, maxthreads: 100}\n  \
             delete: {enabled: yes}\n  maintenance: {uploadpurging: {age: 1h30m, interval: 24h}, readonly: {enabled: true}}\n\
             http: {addr: ':5000'}\nunknown: [1, 2]\n",
            &[],
        )
        .unwrap();
        let expected = Registry {
            read_only: true,
            collect: Collect {
                uploads_after: Some(Duration::from_secs(5400)),
                ..Collect::default()
            },
            ..Registry::new("/srv/data")
        };
        assert_eq!(registry, expected);
    }

    #[test]
    fn what_is_not_said_is_distributions_default() {
        let expected = Registry {
            delete: false,
            collect: Collect {
                uploads_after: Some(Duration::from_secs(168 * 3600)),
                ..Collect::default()
            },
            ..Registry::new("/var/lib/registry")
        };
        for storage in ["filesystem", "{filesystem: }", "{filesystem: {}, delete: }"] {
            let text = format!("version: '0.1'\nstorage: {storage}\n");
            assert_eq!(of(&text, &[]).unwrap(), expected, "{storage}");
        }
        for purging in ["{enabled: false}", "{dryrun: true, age: 1h}"] {
            let text = format!(
                "version: 0.1\nstorage: {{filesystem: , maintenance: {{uploadpurging: {purging}}}}}\n"
            );
            assert_eq!(of(&text, &[]).unwrap().collect.uploads_after, None);
        }
    }

    #[test]
    fn what_cannot_be_honoured_is_named() {
        for (text, said) in [
            (
                "version: 0.2",
                "`version`: expected 0.1, the version of the format",
            ),
            (
                "storage: {filesystem: }",
                "`version`: expected 0.1, the version of the format",
            ),
            ("version: 0.1", "`storage`: no storage driver"),
            (
                "version: 0.1\nstorage: {delete: {enabled: true}}",
                "`storage`: no storage driver",
            ),
            (
                "version: 0.1\nstorage: {s3: {}}",
                "`storage.s3`: this storage driver is not supported",
            ),
            (
                "version: 0.1\nstorage: inmemory",
                "`storage`: no storage driver",
            ),
            (
                "version: 0.1\nstorage: {filesystem: , inmemory: }",
                "`storage`: there are two storage drivers, filesystem and inmemory",
            ),
            (
                "version: 0.1\nstorage: {filesystem: {rootdirectory: [a]}}",
                "`storage.filesystem.rootdirectory`: expected text, got a list",
            ),
            (
                "version: 0.1\nstorage: {filesystem: , delete: {enabled: maybe}}",
                "`storage.delete.enabled`: expected true or false, got a text",
            ),
            (
                "version: 0.1\nstorage: {filesystem: , maintenance: {uploadpurging: {age: 3 fortnights}}}",
                "`storage.maintenance.uploadpurging.age`: `3 fortnights` is no duration",
            ),
        ] {
            assert_eq!(of(text, &[]).unwrap_err().to_string(), said, "{text}");
        }
    }

    #[test]
    fn a_mistake_in_the_environment_names_the_variable() {
        let text = "version: 0.1\nstorage: {filesystem: }\n";
        let error = of(text, &[("REGISTRY_STORAGE_DELETE_ENABLED", "perhaps")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`storage.delete.enabled`, as REGISTRY_STORAGE_DELETE_ENABLED has it: \
             expected true or false, got a text"
        );
    }
}
