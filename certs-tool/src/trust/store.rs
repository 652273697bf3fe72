//! The places in which clients keep what they trust.

use std::fmt;
use std::path::{Path, PathBuf};

use tidegate_failure::Explain;

use super::error::TrustError;
use super::plan;
use super::site::Site;
use crate::inspect::Certificate;

/// A place in which a client looks for the CAs of registries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Store {
    /// Docker's daemon: `/etc/docker/certs.d`.
    Docker,
    /// Docker's daemon of a user: `~/.config/docker/certs.d`.
    DockerRootless,
    /// containerd: `/etc/containerd/certs.d/…/hosts.toml`.
    Containerd,
    /// podman, skopeo and buildah, for everybody: `/etc/containers/certs.d`.
    Containers,
    /// podman, skopeo and buildah, for a user: `~/.config/containers/certs.d`.
    ContainersUser,
    /// BuildKit: `/etc/buildkit/buildkitd.toml`.
    Buildkit,
    /// BuildKit of a user: `~/.config/buildkit/buildkitd.toml`.
    BuildkitUser,
    /// k3s: `/etc/rancher/k3s/registries.yaml`.
    K3s,
    /// The system's own store, which curl, Go and most others read.
    System,
}

/// A text that names no kind of store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{got}` is no kind of client; known are {}", Store::FAMILIES.join(", "))]
pub struct UnknownStore {
    got: String,
}

impl Explain for UnknownStore {}

/// What a store holds for a registry. Every client here trusts, besides, what
/// the system's store trusts.
#[derive(Debug, Clone)]
pub struct StoreReport {
    /// The store.
    pub store: Store,
    /// Whether its client seems to be in use on this machine.
    pub in_use: bool,
    /// What it trusts.
    pub anchors: Vec<Anchor>,
    /// What is wrong there.
    pub problems: Vec<Problem>,
}

/// A certificate that a store trusts.
#[derive(Debug, Clone)]
pub struct Anchor {
    /// The file that it is in.
    pub path: PathBuf,
    /// The certificate.
    pub certificate: Certificate,
}

/// Something in a store that keeps it from working, or from protecting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file or directory.
    pub path: PathBuf,
    /// What is wrong with it.
    pub what: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Whether the client cannot connect at all because of it.
    pub blocks: bool,
}

impl Store {
    /// Every store, in the order in which they are told.
    pub const ALL: [Self; 9] = [
        Self::Docker,
        Self::DockerRootless,
        Self::Containerd,
        Self::Containers,
        Self::ContainersUser,
        Self::Buildkit,
        Self::BuildkitUser,
        Self::K3s,
        Self::System,
    ];

    /// The names on the command line: what belongs to a user and what belongs
    /// to the machine have one name.
    pub const FAMILIES: [&'static str; 6] = [
        "docker",
        "containerd",
        "podman",
        "buildkit",
        "k3s",
        "system",
    ];

    /// The name on the command line.
    #[must_use]
    pub fn family(self) -> &'static str {
        match self {
            Self::Docker | Self::DockerRootless => "docker",
            Self::Containerd => "containerd",
            Self::Containers | Self::ContainersUser => "podman",
            Self::Buildkit | Self::BuildkitUser => "buildkit",
            Self::K3s => "k3s",
            Self::System => "system",
        }
    }

    /// Whether it belongs to one user.
    #[must_use]
    pub fn is_users(self) -> bool {
        matches!(
            self,
            Self::DockerRootless | Self::ContainersUser | Self::BuildkitUser
        )
    }

    /// The stores of a family, the machine's before the user's.
    ///
    /// # Errors
    /// If there is no such family.
    pub fn of_family(name: &str) -> Result<Vec<Self>, UnknownStore> {
        let name = match name {
            // Three programs, one place.
            "skopeo" | "buildah" | "containers" => "podman",
            "buildx" | "buildkitd" => "buildkit",
            other => other,
        };
        let found: Vec<_> = Self::ALL
            .into_iter()
            .filter(|store| store.family() == name)
            .collect();
        if found.is_empty() {
            let got = name.to_owned();
            return Err(UnknownStore { got });
        }
        Ok(found)
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Docker => "docker",
            Self::DockerRootless => "docker (rootless)",
            Self::Containerd => "containerd",
            Self::Containers => "podman, skopeo, buildah",
            Self::ContainersUser => "podman, skopeo, buildah (user)",
            Self::Buildkit => "buildkit",
            Self::BuildkitUser => "buildkit (user)",
            Self::K3s => "k3s",
            Self::System => "system",
        })
    }
}

impl StoreReport {
    pub(super) fn new(store: Store, in_use: bool) -> Self {
        Self {
            store,
            in_use,
            anchors: vec![],
            problems: vec![],
        }
    }

    /// Whether it trusts this certificate.
    #[must_use]
    pub fn trusts(&self, certificate: &Certificate) -> bool {
        self.anchors
            .iter()
            .any(|anchor| anchor.certificate == *certificate)
    }

    /// Whether an anchor was put there for this registry, rather than for
    /// everything that the system speaks to.
    pub(crate) fn is_for(&self, anchor: &Anchor, site: &Site) -> bool {
        self.store != Store::System || super::system::is_ours(&anchor.path, site)
    }

    pub(super) fn problem(
        &mut self,
        path: &Path,
        what: impl Into<String>,
        hint: impl Into<Option<String>>,
    ) {
        self.problems.push(Problem {
            path: path.to_owned(),
            what: what.into(),
            hint: hint.into(),
            blocks: false,
        });
    }

    /// A problem that keeps the client from connecting at all.
    pub(super) fn obstacle(
        &mut self,
        path: &Path,
        what: impl Into<String>,
        hint: impl Into<Option<String>>,
    ) {
        self.problem(path, what, hint);
        if let Some(problem) = self.problems.last_mut() {
            problem.blocks = true;
        }
    }

    /// The text of a file that may be missing. What keeps it from being read is
    /// noted.
    pub(super) fn text(&mut self, path: &Path) -> Option<String> {
        match plan::read(path) {
            Ok(text) => text,
            // The file is named beside it.
            Err(TrustError::Refused { reason, hint, .. }) => {
                self.obstacle(path, reason, hint);
                None
            }
            Err(error) => {
                let hint = error.hint();
                self.problem(path, format!("it cannot be looked at: {error}"), hint);
                None
            }
        }
    }

    /// Takes what a file of CAs holds, or says why it holds none.
    pub(super) fn read_anchors(&mut self, path: &Path) {
        match Certificate::read(path) {
            Ok(certificates) => {
                for certificate in certificates {
                    self.judge(path, &certificate);
                    self.anchors.push(Anchor {
                        path: path.to_owned(),
                        certificate,
                    });
                }
            }
            Err(error) => {
                // It begins with the file's name, which stands there already.
                let shown = error.to_string();
                let start = format!("`{}`: ", path.display());
                let what = shown.strip_prefix(&start).unwrap_or(&shown).to_owned();
                self.problem(path, what, error.hint());
            }
        }
    }

    fn judge(&mut self, path: &Path, certificate: &Certificate) {
        let now = time::OffsetDateTime::now_utc();
        if !certificate.is_valid_at(now) {
            let (from, to) = (
                certificate.not_before().date(),
                certificate.not_after().date(),
            );
            self.problem(
                path,
                format!("it is valid from {from} to {to} only"),
                "install the CA that is in use now".to_owned(),
            );
        } else if !certificate.is_ca() {
            self.problem(
                path,
                "it is not a CA's certificate: it is good for itself alone, until it is renewed",
                "install the certificate of the CA that signed it".to_owned(),
            );
        }
    }
}
