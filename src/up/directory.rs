//! The directory of a registry: what is in it, and how what is missing is made.
//!
//! ```text
//! DIR/certs/root-ca.{crt,key}   the authority that clients trust
//! DIR/certs/site.{crt,key}      what the registry shows them
//! DIR/auth/htpasswd             who may come in
//! DIR/auth/robots.json          which programs, once there are any
//! DIR/registry/                 images, in docker-registry's layout
//! DIR/tidegate.toml             the configuration, written last
//! ```
//!
//! Every piece is whole or not there, and none is ever overwritten, so that a
//! run that was interrupted at any point is finished by the next one.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use certs_tool::{CaOptions, Certificate, HostName, Origin, PairName, PairPaths, SiteOptions};
use fs_err as fs;
use tempfile::{Builder, NamedTempFile};
use tidegate_auth::htpasswd::{self, Document};
use tidegate_config::{Backend, Edge, Settings};
use tidegate_failure::Failure;

use super::first_user::FirstUser;

/// The configuration that is written, with places for what differs.
const TEMPLATE: &str = include_str!("tidegate.toml");

pub(super) struct Directory {
    root: PathBuf,
    certs: PathBuf,
    site: PairName,
}

/// A piece that was not there before.
pub(super) struct Made {
    pub(super) what: String,
    pub(super) note: String,
}

impl Directory {
    /// Makes nothing yet, and finds out whether something could be made.
    pub(super) fn open(root: &Path) -> Result<Self, Failure> {
        let unusable = |e: &io::Error| {
            Failure::new(format!("{}: cannot keep a registry there", root.display()))
                .caused_by(Some(e))
                .with_hint("name a directory that this user may write with --dir DIR")
        };
        let nearest = root
            .ancestors()
            .map(|a| {
                if a.as_os_str().is_empty() {
                    Path::new(".")
                } else {
                    a
                }
            })
            .find(|ancestor| ancestor.symlink_metadata().is_ok())
            .unwrap_or(Path::new("/"));
        // Permission bits do not tell: file systems are read-only or full, and
        // root may do what others may not.
        NamedTempFile::new_in(nearest).map_err(|e| unusable(&e))?;
        Ok(Self {
            root: root.to_owned(),
            certs: root.join("certs"),
            site: PairName::parse("site").map_err(|e| Failure::of(&e, None))?,
        })
    }

    /// The configuration, if there is one.
    pub(super) fn settings(&self) -> Result<Option<Settings>, Failure> {
        let path = self.configuration();
        if path.try_exists().map_err(|e| Failure::of(&e, None))? {
            Ok(Some(tidegate_config::load(&path)?))
        } else {
            Ok(None)
        }
    }

    /// Whether the certificates of this directory are those that are served: a
    /// configuration that names others needs none here.
    pub(super) fn needs_certificates(&self, settings: Option<&Settings>) -> bool {
        let cert = PairPaths::site(&self.certs, &self.site).cert();
        settings.is_none_or(|s| s.certificates.iter().any(|pair| pair.cert == cert))
    }

    /// Whether a first user has to be made.
    pub(super) fn needs_user(&self, settings: Option<&Settings>) -> bool {
        let users = self.users();
        let is_ours =
            settings.is_none_or(|s| s.auth.as_ref().is_some_and(|auth| auth.htpasswd == users));
        is_ours && !users.exists()
    }

    pub(super) fn make_certificates(&self, names: &[HostName]) -> Result<Vec<Made>, Failure> {
        let mut made = vec![];
        let site = PairPaths::site(&self.certs, &self.site);
        // Only for signing is the CA's key needed: who keeps it elsewhere and
        // has a site certificate can start without it.
        if site.settle()? == certs_tool::PairState::Complete {
            return Ok(made);
        }
        let (ca, origin) = certs_tool::ensure_ca(&self.certs, &CaOptions::default())?;
        if origin == Origin::Made {
            let until = ca.certificate().not_after().date();
            let note = format!("the authority that clients trust, until {until}");
            made.push(self.pair(&PairPaths::ca(&self.certs), note));
        }
        let options = SiteOptions::new(names.to_vec());
        let (certificate, origin) =
            certs_tool::ensure_site(&self.certs, &self.site, &ca, &options)?;
        if origin == Origin::Made {
            let names: Vec<String> = certificate
                .names()
                .iter()
                .map(ToString::to_string)
                .collect();
            let until = certificate.not_after().date();
            made.push(self.pair(&site, format!("for {}, until {until}", names.join(", "))));
        }
        Ok(made)
    }

    pub(super) fn make_storage(&self, settings: Option<&Settings>) -> Result<Vec<Made>, Failure> {
        let storage = self.root.join("registry");
        let is_ours = settings.is_none_or(
            |s| matches!(&s.backend, Backend::Registry(registry) if registry.root == storage),
        );
        if !is_ours || storage.is_dir() {
            return Ok(vec![]);
        }
        fs::create_dir_all(&storage).map_err(|e| Failure::of(&e, None))?;
        Ok(vec![self.made(&storage, "images".to_owned())])
    }

    pub(super) fn add_user(&self, user: &FirstUser) -> Result<Vec<Made>, Failure> {
        let path = self.users();
        let parent = self.root.join("auth");
        fs::create_dir_all(&parent).map_err(|e| Failure::of(&e, None))?;
        let mut users = Document::new();
        users.set(&user.name, &user.hash);
        user.show();
        htpasswd::write(&path, &users)?;
        Ok(vec![self.made(
            &path,
            format!("users; the first is {}", user.name.as_str()),
        )])
    }

    pub(super) fn write_configuration(
        &self,
        addresses: &[SocketAddr],
    ) -> Result<Vec<Made>, Failure> {
        let path = self.configuration();
        if path.exists() {
            return Ok(vec![]);
        }
        self.write_new(&configuration(addresses)).map_err(|e| {
            Failure::new(format!("cannot write {}", path.display())).caused_by(Some(&e))
        })?;
        Ok(vec![self.made(
            &path,
            "the configuration; it is yours to edit".to_owned(),
        )])
    }

    /// Takes away the directories that were made for files which then could not
    /// be written. One that holds anything stays.
    pub(super) fn remove_if_empty(&self) {
        for directory in [&self.certs, &self.root.join("auth"), &self.root] {
            // `remove_dir` refuses what is not empty, which is what is wanted.
            let _ = fs::remove_dir(directory);
        }
    }

    /// What clients have to trust, if it was made here.
    pub(super) fn ca_certificate(&self) -> Result<Option<(PathBuf, Certificate)>, Failure> {
        let path = PairPaths::ca(&self.certs).cert();
        if !path.exists() {
            return Ok(None);
        }
        let certificate = Certificate::read_first(&path)?;
        Ok(Some((path, certificate)))
    }

    pub(super) fn configuration(&self) -> PathBuf {
        self.root.join("tidegate.toml")
    }

    fn users(&self) -> PathBuf {
        self.root.join("auth/htpasswd")
    }

    fn write_new(&self, text: &str) -> io::Result<()> {
        let mut file = Builder::new()
            .prefix(".tidegate-")
            .tempfile_in(&self.root)?;
        file.write_all(text.as_bytes())?;
        file.as_file()
            .set_permissions(std::fs::Permissions::from_mode(0o644))?;
        file.as_file().sync_all()?;
        file.persist_noclobber(self.configuration())?;
        fs::File::open(&self.root)?.sync_all()
    }

    fn pair(&self, paths: &PairPaths, note: String) -> Made {
        let mut made = self.made(&paths.cert(), note);
        made.what.push_str(", .key");
        made
    }

    fn made(&self, path: &Path, note: String) -> Made {
        let shown = path.strip_prefix(&self.root).unwrap_or(path);
        Made {
            what: shown.display().to_string(),
            note,
        }
    }
}

fn configuration(addresses: &[SocketAddr]) -> String {
    let mut listeners = String::new();
    for address in addresses {
        // Writing to a `String` cannot fail.
        let _ = writeln!(listeners, "[[listener]]\naddress = \"{address}\"\n");
    }
    TEMPLATE
        .replace("{listeners}\n", &listeners)
        .replace("{refused_user_agents}", Edge::DEFAULT_REFUSED_USER_AGENTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_that_is_written_says_what_is_the_default() {
        let address = "192.0.2.1:5043".parse().unwrap();
        let written = configuration(&[address]);
        let settings = tidegate_config::parse(Path::new("/d/tidegate.toml"), &written).unwrap();
        assert_eq!(settings.listeners.len(), 1);
        assert_eq!(settings.listeners[0].address.inet(), Some(address));

        // What is commented out must be the default: with each comment taken
        // for a setting, the result is the same.
        let keys = [
            "realm",
            "cache_ttl",
            "max_failures",
            "failure_window",
            "delete",
            "read_only",
            "schema1",
            "collect.every",
            "collect.grace",
            "collect.delete_untagged",
            "collect.uploads_after",
            "scrub.every",
            "scrub.rate",
            "refused_user_agents",
            "trusted_proxies",
            "publish_ca",
            "renew",
            "drain_timeout",
            "level",
            "format",
            "access",
        ];
        let mut found = 0;
        let said: String = written
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(rest)
                    if keys
                        .iter()
                        .any(|key| rest.starts_with(&format!("{key} = "))) =>
                {
                    found += 1;
                    format!("{rest}\n")
                }
                _ => format!("{line}\n"),
            })
            .collect();
        assert_eq!(found, keys.len());
        assert_eq!(
            tidegate_config::parse(Path::new("/d/tidegate.toml"), &said).unwrap(),
            settings
        );
    }
}
