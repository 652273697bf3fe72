//! Rights as containerd meets them, which asks for what it wants at once, and for a
//! token only when it is told to.

use std::process::Command;

use tempfile::TempDir;

use crate::access::{READER, refused, serving};
use crate::archive::Archive;
use crate::harness::image::noise;
use crate::harness::{Finished, PASSWORD, Tidegate, USER, finish};
use crate::trust::Daemon;
use crate::{missing, skip};

#[test]
fn ctr_pulls_without_a_login_and_pushes_with_one() {
    if missing(&["containerd", "ctr"]) || is_not_root() {
        return;
    }
    let mut tidegate = serving(READER);
    let containerd = Containerd::trusting(&tidegate);
    let (admin, reader) = (format!("{USER}:{PASSWORD}"), format!("reader:{PASSWORD}"));
    let wrong = format!("{USER}:wrong");
    let archive = Archive::of(&[noise(42, 10_000)]);
    let [nginx, other] = ["nginx", "other"].map(|name| format!("{}/{name}:v1", tidegate.host()));
    containerd
        .ctr(&["images", "import", "--no-unpack", &archive.path()])
        .assert_ok();
    let loaded = format!("docker.io/{}", archive.name());
    for image in [&nginx, &other] {
        containerd
            .ctr(&["images", "tag", &loaded, image])
            .assert_ok();
        for user in [None, Some(&*reader), Some(&*wrong)] {
            refused(&containerd.push(image, user));
        }
        containerd.push(image, Some(&admin)).assert_ok();
        containerd.ctr(&["images", "rm", image]).assert_ok();
    }
    containerd.ctr(&["images", "rm", &loaded]).assert_ok();

    tidegate.access_logged("\"PUT /v2/other/manifests/v1 ");
    for (user, asks) in [
        (None, "\"GET /auth/token?"),
        (Some(&*reader), "\"POST /auth/token "),
    ] {
        containerd.pull(&nginx, user).assert_ok();
        // Asked for a token by the challenge, it gets one that does not say enough.
        refused(&containerd.pull(&other, user));
        let asked = tidegate.access_logged(asks);
        assert!(asked.contains("\" 200 "), "{asked}");
    }
    refused(&containerd.pull(&other, Some(&wrong)));
    containerd.pull(&other, Some(&admin)).assert_ok();
    tidegate.access_logged(" - admin [");
}

fn is_not_root() -> bool {
    !rustix::process::geteuid().is_root() && skip("root, as whom containerd runs, not found")
}

/// A containerd that shares nothing with the system's, and trusts one registry.
struct Containerd {
    daemon: Daemon,
    hosts: TempDir,
}

impl Containerd {
    fn trusting(tidegate: &Tidegate) -> Self {
        let hosts = tempfile::tempdir().unwrap();
        let host = tidegate.host();
        let of_host = hosts.path().join(&host);
        fs_err::create_dir(&of_host).unwrap();
        fs_err::write(
            of_host.join("hosts.toml"),
            format!(
                "server = \"https://{host}\"\n[host.\"https://{host}\"]\n\
                 capabilities = [\"pull\", \"resolve\", \"push\"]\nca = {:?}\n",
                tidegate.ca()
            ),
        )
        .unwrap();
        Self {
            daemon: Daemon::of_containerd(),
            hosts,
        }
    }

    fn ctr(&self, args: &[&str]) -> Finished {
        let mut command = Command::new("ctr");
        command.args(["--address", &self.daemon.socket]).args(args);
        finish(command, "")
    }

    fn push(&self, image: &str, user: Option<&str>) -> Finished {
        self.transfer(&["images", "push"], image, user)
    }

    /// With a snapshotter that needs no file system of a certain kind.
    fn pull(&self, image: &str, user: Option<&str>) -> Finished {
        let pulled = self.transfer(&["images", "pull", "--snapshotter=native"], image, user);
        // What is there is not fetched again.
        self.ctr(&["images", "rm", "--sync", image]);
        pulled
    }

    fn transfer(&self, words: &[&str], image: &str, user: Option<&str>) -> Finished {
        let hosts = self.hosts.path().display().to_string();
        let user = user.map(|user| ["--user", user]);
        let user = user.as_ref().map_or(&[][..], |user| &user[..]);
        self.ctr(&[words, &["--hosts-dir", &hosts], user, &[image]].concat())
    }
}
