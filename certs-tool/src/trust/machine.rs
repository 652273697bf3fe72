//! Whose files are meant: this machine's, or those below another root.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::error::TrustError;
use super::store::Store;

/// Where programs of the system lie. A user's PATH often lacks the half of it.
const PROGRAMS: [&str; 6] = [
    "usr/local/sbin",
    "usr/local/bin",
    "usr/sbin",
    "usr/bin",
    "sbin",
    "bin",
];

/// A machine whose clients are to trust something.
#[derive(Debug, Clone)]
pub struct Machine {
    root: PathBuf,
    user: Option<User>,
    /// Where programs are looked for.
    programs: Vec<PathBuf>,
    is_root: bool,
}

/// Where a user's files are.
#[derive(Debug, Clone)]
struct User {
    home: PathBuf,
    /// `~/.config`, or what stands for it (XDG base directories).
    config: PathBuf,
    /// Where the sockets of a user's daemons are.
    runtime: Option<PathBuf>,
}

impl Machine {
    /// The machine that this runs on, and its user.
    #[must_use]
    pub fn this() -> Self {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let absolute = |name| {
            variable(name)
                .map(PathBuf::from)
                .filter(|p| p.is_absolute())
        };
        let id = rustix::process::geteuid();
        // `sudo` may leave HOME as it was. What root wrote there would be in
        // the way of its owner, or lead where the owner wants it to.
        let is_own = |home: &PathBuf| home.metadata().is_ok_and(|home| home.uid() == id.as_raw());
        let user = absolute("HOME").filter(is_own).map(|home| User {
            config: absolute("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config")),
            runtime: absolute("XDG_RUNTIME_DIR"),
            home,
        });
        let mut programs: Vec<PathBuf> = variable("PATH")
            .map(|path| std::env::split_paths(&path).collect())
            .unwrap_or_default();
        programs.extend(PROGRAMS.map(|directory| Path::new("/").join(directory)));
        Self {
            root: PathBuf::from("/"),
            user,
            programs,
            is_root: id.is_root(),
        }
    }

    /// A machine whose files lie below `root`: an image, another disk. Nothing
    /// of this one plays a part, and none of its programs are run.
    #[must_use]
    pub fn below(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            user: None,
            programs: PROGRAMS.map(|directory| root.join(directory)).to_vec(),
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
        let user = || self.user.as_ref().ok_or(TrustError::NoHome);
        let path = match store {
            Store::Docker => self.at("etc/docker"),
            Store::DockerRootless => user()?.config.join("docker"),
            Store::Containerd => self.at("etc/containerd"),
            Store::Containers => self.at("etc/containers"),
            // Its library takes no notice of XDG_CONFIG_HOME.
            Store::ContainersUser => user()?.home.join(".config/containers"),
            Store::Buildkit => self.at("etc/buildkit"),
            Store::BuildkitUser => user()?.config.join("buildkit"),
            Store::K3s => self.at("etc/rancher/k3s"),
            Store::System => self.root.clone(),
        };
        Ok(Directory {
            known_as: self.own_path(&path),
            path,
        })
    }

    /// The directories, each with a `certs.d`, in which a client looks one after
    /// the other; podman, skopeo and buildah look into Docker's at last.
    pub(super) fn layers(&self, store: Store) -> Vec<PathBuf> {
        let all: &[Store] = match store {
            Store::Containers => &[Store::Containers, Store::Docker],
            Store::ContainersUser => &[Store::ContainersUser, Store::Containers, Store::Docker],
            ref other => std::slice::from_ref(other),
        };
        let directories = all.iter().filter_map(|store| self.directory(*store).ok());
        directories.map(|directory| directory.path).collect()
    }

    /// Whether the client of a store seems to be in use: its program is there,
    /// or its configuration.
    #[must_use]
    pub fn uses(&self, store: Store) -> bool {
        let Ok(directory) = self.directory(store) else {
            return false;
        };
        let configured = directory.path.is_dir();
        let containers = ["podman", "skopeo", "buildah"];
        match store {
            Store::Docker => configured || self.has(&["dockerd"]),
            // Docker's command keeps its own settings elsewhere, in ~/.docker.
            Store::DockerRootless => configured || self.has_rootless_docker(),
            // Docker brings a containerd of its own, which pulls nothing.
            Store::Containerd => configured || self.has(&["nerdctl", "crictl"]),
            // What everybody reads, a user reads after what is their own.
            Store::Containers => self.is_root && (configured || self.has(&containers)),
            Store::ContainersUser => configured || (!self.is_root && self.has(&containers)),
            Store::Buildkit => configured || self.has(&["buildkitd"]),
            Store::BuildkitUser => configured,
            Store::K3s => configured || self.has(&["k3s"]),
            Store::System => self.has(&["update-ca-certificates", "update-ca-trust"]),
        }
    }

    /// The stores that trust is installed in unless others are named: those in
    /// use that this user may write.
    #[must_use]
    pub fn stores(&self) -> Vec<Store> {
        let mine = |store: &Store| self.uses(*store) && self.may_write(*store);
        Store::ALL.into_iter().filter(mine).collect()
    }

    /// The stores in use that only root may write, and this user is not.
    #[must_use]
    pub fn closed_stores(&self) -> Vec<Store> {
        let closed = |store: &Store| self.uses(*store) && !self.may_write(*store);
        Store::ALL.into_iter().filter(closed).collect()
    }

    /// Which of a family's stores are meant. For root, the machine's, and root's
    /// own where it is in use. For a user, their own; but where their daemon is
    /// the machine's, that one's, though they may not write it.
    #[must_use]
    pub fn of_family(&self, family: &[Store]) -> Vec<Store> {
        let users = family.iter().copied().find(|store| store.is_users());
        let machines = family.iter().copied().find(|store| !store.is_users());
        let in_use = users.filter(|store| self.uses(*store));
        match (self.is_root, in_use) {
            (true, own) => machines.into_iter().chain(own).collect(),
            (false, Some(own)) => vec![own],
            // These three need no daemon, and always read what is the user's.
            (false, None) if users == Some(Store::ContainersUser) => users.into_iter().collect(),
            (false, None) => machines.into_iter().collect(),
        }
    }

    /// A program, where it is found.
    pub(super) fn program(&self, name: &str) -> Option<PathBuf> {
        let paths = self.programs.iter().map(|directory| directory.join(name));
        { paths }.find(|path| path.is_file())
    }

    /// Root writes all, and others what is theirs.
    fn may_write(&self, store: Store) -> bool {
        self.is_root || store.is_users()
    }

    fn has(&self, programs: &[&str]) -> bool {
        programs.iter().any(|name| self.program(name).is_some())
    }

    fn has_rootless_docker(&self) -> bool {
        self.user.as_ref().is_some_and(|user| {
            let socket = user.runtime.as_ref().map(|d| d.join("docker.sock"));
            socket.is_some_and(|socket| socket.exists())
                || user.config.join("systemd/user/docker.service").exists()
        })
    }

    #[cfg(test)]
    pub(super) fn with_user(mut self, home: &Path, is_root: bool) -> Self {
        self.user = Some(User {
            home: home.to_owned(),
            config: home.join("xdg"),
            runtime: Some(home.join("run")),
        });
        self.is_root = is_root;
        self
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
