//! Whose files are meant: this machine's, or those below another root.

use std::path::{Path, PathBuf};

use super::error::TrustError;
use super::store::Store;

/// A machine whose clients are to trust something.
#[derive(Debug, Clone)]
pub struct Machine {
    root: PathBuf,
    /// `~/.config` of the user, or what stands for it.
    user_config: Option<PathBuf>,
    /// Where programs are looked for.
    programs: Vec<PathBuf>,
    is_root: bool,
}

impl Machine {
    /// The machine that this runs on, and its user.
    #[must_use]
    pub fn this() -> Self {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let user_config = variable("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| Some(Path::new(&variable("HOME")?).join(".config")));
        let programs = variable("PATH")
            .map(|path| std::env::split_paths(&path).collect())
            .unwrap_or_default();
        Self {
            root: PathBuf::from("/"),
            user_config,
            programs,
            is_root: rustix::process::geteuid().is_root(),
        }
    }

    /// A machine whose files lie below `root`: an image, another disk. Nothing
    /// of this one plays a part, and none of its programs are run.
    #[must_use]
    pub fn below(root: &Path) -> Self {
        let programs = [
            "usr/local/sbin",
            "usr/local/bin",
            "usr/sbin",
            "usr/bin",
            "sbin",
            "bin",
        ];
        Self {
            root: root.to_owned(),
            user_config: None,
            programs: programs.map(|directory| root.join(directory)).to_vec(),
            is_root: true,
        }
    }

    /// Whether it is the one that this runs on.
    #[must_use]
    pub fn is_this(&self) -> bool {
        self.root == Path::new("/")
    }

    /// A file by its path on that machine.
    #[must_use]
    pub fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// How the machine itself calls a file that is ours to see below its root.
    pub(super) fn own_path(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.root)
            .map_or_else(|_| path.to_owned(), |rest| Path::new("/").join(rest))
    }

    /// The directory in which a store's client has its configuration.
    ///
    /// # Errors
    /// If it is a user's, and there is none.
    pub(super) fn directory(&self, store: Store) -> Result<Directory, TrustError> {
        let of_user = |name: &str| {
            let config = self.user_config.as_ref().ok_or(TrustError::NoHome)?;
            Ok::<_, TrustError>(config.join(name))
        };
        let path = match store {
            Store::Docker => self.at("etc/docker"),
            Store::DockerRootless => of_user("docker")?,
            Store::Containerd => self.at("etc/containerd"),
            Store::Containers => self.at("etc/containers"),
            Store::ContainersUser => of_user("containers")?,
            Store::Buildkit => self.at("etc/buildkit"),
            Store::BuildkitUser => of_user("buildkit")?,
            Store::K3s => self.at("etc/rancher/k3s"),
            Store::System => self.root.clone(),
        };
        Ok(Directory {
            known_as: self.own_path(&path),
            path,
        })
    }

    /// Whether the client of a store seems to be in use: its program is there,
    /// or its configuration.
    #[must_use]
    pub fn uses(&self, store: Store) -> bool {
        let Ok(directory) = self.directory(store) else {
            return false;
        };
        let configured = directory.path.is_dir();
        match store {
            Store::Docker => configured || self.has(&["dockerd"]),
            // Docker's command keeps its own settings elsewhere, in ~/.docker.
            Store::DockerRootless => configured,
            // Docker brings a containerd of its own, which pulls nothing.
            Store::Containerd => configured || self.has(&["nerdctl", "crictl"]),
            Store::Containers => {
                self.is_root && (configured || self.has(&["podman", "skopeo", "buildah"]))
            }
            Store::ContainersUser => {
                configured || (!self.is_root && self.has(&["podman", "skopeo", "buildah"]))
            }
            Store::Buildkit => self.is_root && (configured || self.has(&["buildkitd"])),
            Store::BuildkitUser => configured,
            Store::K3s => configured || self.has(&["k3s"]),
            Store::System => self.has(&["update-ca-certificates", "update-ca-trust"]),
        }
    }

    /// The stores that trust is installed in unless others are named: those in
    /// use that this user may write.
    #[must_use]
    pub fn stores(&self) -> Vec<Store> {
        Store::ALL
            .into_iter()
            .filter(|store| self.uses(*store) && self.may_write(*store))
            .collect()
    }

    /// Which of a family's stores are meant: a user's own for a user, and the
    /// machine's for root.
    #[must_use]
    pub fn of_family(&self, family: &[Store]) -> Vec<Store> {
        let wanted = |store: &&Store| {
            self.is_root != store.is_users()
                || family.len() == 1
                || (self.is_root && store.is_users() && self.uses(**store))
        };
        family.iter().filter(wanted).copied().collect()
    }

    /// Root writes the machine's stores, and not those of a user; others the
    /// reverse.
    fn may_write(&self, store: Store) -> bool {
        self.is_root || store.is_users()
    }

    fn has(&self, programs: &[&str]) -> bool {
        self.programs
            .iter()
            .any(|directory| programs.iter().any(|name| directory.join(name).is_file()))
    }
}

/// The directory of a client: where it lies for us, and what it is called on its
/// machine.
#[derive(Debug, Clone)]
pub(super) struct Directory {
    pub(super) path: PathBuf,
    pub(super) known_as: PathBuf,
}

impl Directory {
    /// A directory in it.
    pub(super) fn join(&self, name: impl AsRef<Path>) -> Self {
        Self {
            path: self.path.join(&name),
            known_as: self.known_as.join(&name),
        }
    }
}
