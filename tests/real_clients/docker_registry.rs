//! Debian's docker-registry: on the same directory, and behind the front.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::archive::Archive;
use crate::harness::image::noise;
use crate::harness::{Finished, Lines, finish, up};
use crate::skopeo::{Skopeo, contents, dir_of, skopeo};
use crate::{MIB, missing};

#[test]
fn docker_registry_and_tidegate_serve_the_same_directory() {
    if missing(&["skopeo", "docker-registry"]) {
        return;
    }
    let tidegate = up().start();
    let skopeo = Skopeo::trusting(&tidegate);
    let theirs = DockerRegistry::start(&tidegate.dir.join("registry"));
    let out = tempfile::tempdir().unwrap();
    let assert_same = |image: &str, name: &str| {
        let ours = out.path().join(format!("{name}-ours"));
        let others = out.path().join(format!("{name}-theirs"));
        skopeo.pull(image, &ours).assert_ok();
        theirs.pull(image, &others).assert_ok();
        assert_eq!(contents(&ours), contents(&others));
    };

    let archive = Archive::of(&[noise(9, 5 * MIB), noise(10, 1000)]);
    skopeo
        .push(&archive.source(), "from/tidegate:v1")
        .assert_ok();
    assert_same("from/tidegate:v1", "a");

    let archive = Archive::of(&[noise(11, 5 * MIB), noise(12, 1000)]);
    theirs
        .push(&archive.source(), "from/distribution:v1")
        .assert_ok();
    assert_same("from/distribution:v1", "b");
}

#[test]
fn docker_registry_can_stay_behind_the_front() {
    if missing(&["skopeo", "docker-registry"]) {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let theirs = DockerRegistry::start(root.path());
    let front = up()
        .config("robots = ", "# robots = ")
        .config(
            "[registry]\nroot = \"registry\"",
            &format!("[forward]\nto = \"http://127.0.0.1:{}\"", theirs.port),
        )
        .start();
    let skopeo = Skopeo::trusting(&front);
    let archive = Archive::of(&[noise(13, 70 * MIB), noise(14, 1000)]);
    let out = tempfile::tempdir().unwrap();
    let (through, direct) = (out.path().join("a"), out.path().join("b"));

    skopeo
        .push(&archive.source(), "behind/front:v1")
        .assert_ok();
    skopeo.pull("behind/front:v1", &through).assert_ok();
    theirs.pull("behind/front:v1", &direct).assert_ok();
    assert_eq!(contents(&through), contents(&direct));
}

/// Debian's docker-registry on a free port, without TLS or password.
pub(crate) struct DockerRegistry {
    child: Child,
    port: u16,
    /// Read on, so that it never waits for its reader.
    _log: Lines,
    config: TempDir,
}

impl DockerRegistry {
    pub(crate) fn start(root: &Path) -> Self {
        Self::start_with(root, "")
    }

    /// With more sections in its configuration.
    pub(crate) fn start_with(root: &Path, sections: &str) -> Self {
        let port = {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            free.local_addr().unwrap().port()
        };
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("config.yml");
        let text = format!(
            "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\n  delete:\n    enabled: true\nhttp:\n  addr: 127.0.0.1:{port}\ncompatibility:\n  schema1:\n    enabled: true\n{sections}",
            root.display()
        );
        fs_err::write(&config, text).unwrap();
        let mut child = Command::new("docker-registry")
            .arg("serve")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = Lines::of(child.stderr.take().expect("piped"));
        log.until("listening on");
        Self {
            child,
            port,
            _log: log,
            config: dir,
        }
    }

    fn push(&self, source: &str, image: &str) -> Finished {
        self.copy_in(&[], source, image)
    }

    /// Copies an image in, converted to a format that skopeo names.
    pub(crate) fn push_as(&self, format: &str, source: &str, image: &str) -> Finished {
        self.copy_in(&["--format", format], source, image)
    }

    fn copy_in(&self, how: &[&str], source: &str, image: &str) -> Finished {
        let mut command = skopeo();
        command
            .arg("copy")
            .args(how)
            .args(["--dest-tls-verify=false", source])
            .arg(self.reference(image));
        finish(command, "")
    }

    pub(crate) fn pull(&self, image: &str, to: &Path) -> Finished {
        let mut command = skopeo();
        command
            .args(["copy", "--src-tls-verify=false"])
            .args([self.reference(image), dir_of(to)]);
        finish(command, "")
    }

    /// Runs its own garbage collection, which expects that nobody pushes.
    pub(crate) fn collect_garbage(&self) {
        let mut command = Command::new("docker-registry");
        command
            .arg("garbage-collect")
            .arg(self.config.path().join("config.yml"));
        finish(command, "").assert_ok();
    }

    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn reference(&self, image: &str) -> String {
        format!("docker://127.0.0.1:{}/{image}", self.port)
    }
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
