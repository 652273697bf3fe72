//! Rights, as docker, podman and skopeo meet them: pulling without a login,
//! pushing with one, and tokens.

use std::process::Command;

use tempfile::TempDir;

use crate::archive::Archive;
use crate::docker::{Docker, no_daemon};
use crate::docker_registry::DockerRegistry;
use crate::harness::image::noise;
use crate::harness::{Finished, PASSWORD, Tidegate, USER, finish, run, up};
use crate::missing;
use crate::skopeo::{dir_of, skopeo};

/// Everybody may pull, and who has logged in may do everything.
const PULL_FREELY: &str = "[access]\nanonymous = \"pull\"\n\n\
                           [[access.rule]]\nusers = [\"*\"]\n\n[registry]";

/// Each team has its own, and what is shared is everybody's to pull who has
/// logged in.
const TEAMS: &str = "[access.groups]\nred = [\"alice\"]\nblue = [\"bob\"]\n\n\
                     [[access.rule]]\nusers = [\"admin\"]\n\n\
                     [[access.rule]]\ngroups = [\"red\"]\nrepositories = [\"red/**\"]\n\n\
                     [[access.rule]]\ngroups = [\"blue\"]\nrepositories = [\"blue/**\"]\n\n\
                     [[access.rule]]\nusers = [\"*\"]\nrepositories = [\"shared/**\"]\nactions = [\"pull\"]\n\n\
                     [registry]";

/// The example of everybody who sets up a token server: the admin may do
/// everything, the reader pulls nginx, and so may anybody.
pub(crate) const READER: &str = "[[access.rule]]\nusers = [\"admin\"]\n\n\
                      [[access.rule]]\nusers = [\"reader\"]\nanonymous = true\n\
                      repositories = [\"nginx\"]\nactions = [\"pull\"]\n\n[registry]";

pub(crate) fn serving(access: &str) -> Tidegate {
    let mut tidegate = up().config("[registry]", access).start();
    let file = tidegate.dir.join("auth/htpasswd");
    for user in ["alice", "bob", "reader"] {
        let file = file.to_str().unwrap();
        run(["htpasswd", "-Bb", file, user, PASSWORD], "").assert_ok();
    }
    tidegate.logged("users=4");
    tidegate
}

#[test]
fn docker_pulls_without_a_login_and_pushes_with_one() {
    if missing(&["docker"]) || no_daemon() {
        return;
    }
    let tidegate = serving(PULL_FREELY);
    let (host, docker) = (tidegate.host(), Docker::new());
    let image = Loaded::new(&docker, &host, "team/free:v1", 31);

    refused(&image.push(&docker));
    let wrong = docker.run(&["login", "-u", USER, "--password-stdin", &host], "wrong");
    refused(&wrong);
    docker
        .run(&["login", "-u", USER, "--password-stdin", &host], PASSWORD)
        .assert_ok();
    image.push(&docker).assert_ok();
    docker.run(&["logout", &host], "").assert_ok();

    image.forget(&docker);
    docker.run(&["pull", &image.name], "").assert_ok();
    refused(&image.push(&docker));
    image.forget(&docker);
}

#[test]
fn docker_keeps_each_team_to_its_own() {
    if missing(&["docker"]) || no_daemon() {
        return;
    }
    let tidegate = serving(TEAMS);
    let host = tidegate.host();
    let [alice, bob] = ["alice", "bob"].map(|user| {
        let docker = Docker::new();
        docker
            .run(&["login", "-u", user, "--password-stdin", &host], PASSWORD)
            .assert_ok();
        docker
    });
    let red = Loaded::new(&alice, &host, "red/app:v1", 32);
    red.push(&alice).assert_ok();
    refused(&red.push(&bob));
    red.forget(&alice);
    refused(&bob.run(&["pull", &red.name], ""));
    alice.run(&["pull", &red.name], "").assert_ok();
    // Pulled by somebody else, it is still not hers to push.
    let shared = format!("{host}/shared/app:v1");
    alice.run(&["tag", &red.name, &shared], "").assert_ok();
    refused(&alice.run(&["push", &shared], ""));
    alice.run(&["rmi", "--force", &shared], "").assert_ok();
    red.forget(&alice);
}

#[test]
fn docker_lets_the_reader_pull_nginx_alone() {
    if missing(&["docker"]) || no_daemon() {
        return;
    }
    let tidegate = serving(READER);
    let host = tidegate.host();
    let [admin, reader, nobody] = [Docker::new(), Docker::new(), Docker::new()];
    for (docker, user) in [(&admin, USER), (&reader, "reader")] {
        docker
            .run(&["login", "-u", user, "--password-stdin", &host], PASSWORD)
            .assert_ok();
    }
    let nginx = Loaded::new(&admin, &host, "nginx:v1", 33);
    let other = Loaded::new(&admin, &host, "other:v1", 34);
    for image in [&nginx, &other] {
        image.push(&admin).assert_ok();
        refused(&image.push(&reader));
        refused(&image.push(&nobody));
        image.forget(&admin);
    }
    for docker in [&reader, &nobody] {
        docker.run(&["pull", &nginx.name], "").assert_ok();
        nginx.forget(docker);
        refused(&docker.run(&["pull", &other.name], ""));
    }
}

#[test]
fn docker_logs_in_with_a_password_for_programs() {
    if missing(&["docker"]) || no_daemon() {
        return;
    }
    let mut tidegate = up().start();
    let (host, docker) = (tidegate.host(), Docker::new());
    let config = tidegate.dir.join("tidegate.toml");
    let config = config.to_str().unwrap();
    let create = ["token", "create", "-c", config, "--user", "ci"];
    let rights = ["--repo", "team/**", "--actions", "pull,push"];
    let made = run([&create[..], &rights].concat(), "");
    made.assert_ok();
    tidegate.logged("file of robots");
    docker
        .run(
            &["login", "-u", "ci", "--password-stdin", &host],
            made.stdout.trim(),
        )
        .assert_ok();
    let own = Loaded::new(&docker, &host, "team/robot:v1", 40);
    own.push(&docker).assert_ok();
    own.forget(&docker);
    docker.run(&["pull", &own.name], "").assert_ok();
    own.forget(&docker);
    let other = Loaded::new(&docker, &host, "other/robot:v1", 41);
    refused(&other.push(&docker));
    other.forget(&docker);
}

#[test]
fn skopeo_and_podman_pull_without_a_login_and_push_with_one() {
    if missing(&["skopeo", "podman"]) {
        return;
    }
    let tidegate = serving(PULL_FREELY);
    for client in [Client::skopeo(&tidegate), Client::podman(&tidegate)] {
        let archive = Archive::of(&[noise(35, 10_000)]);
        let image = format!("{}/free:v1", client.program);
        refused(&client.push(&archive, &image, None));
        refused(&client.push(&archive, &image, Some("admin:wrong")));
        let right = format!("{USER}:{PASSWORD}");
        client.push(&archive, &image, Some(&right)).assert_ok();
        client.pull(&image, None).assert_ok();
        client.pull(&image, Some(&right)).assert_ok();
    }
}

#[test]
fn skopeo_and_podman_keep_to_what_their_user_may_do() {
    if missing(&["skopeo", "podman"]) {
        return;
    }
    let (alice, bob) = (format!("alice:{PASSWORD}"), format!("bob:{PASSWORD}"));
    let tidegate = serving(TEAMS);
    for client in [Client::skopeo(&tidegate), Client::podman(&tidegate)] {
        let archive = Archive::of(&[noise(36, 10_000)]);
        let image = format!("red/{}:v1", client.program);
        client.push(&archive, &image, Some(&alice)).assert_ok();
        client.pull(&image, Some(&alice)).assert_ok();
        refused(&client.push(&archive, &image, Some(&bob)));
        refused(&client.pull(&image, Some(&bob)));
        refused(&client.pull(&image, None));
    }
    let (admin, reader) = (format!("{USER}:{PASSWORD}"), format!("reader:{PASSWORD}"));
    let tidegate = serving(READER);
    for client in [Client::skopeo(&tidegate), Client::podman(&tidegate)] {
        let archive = Archive::of(&[noise(37, 10_000)]);
        for image in ["nginx:v1", "other:v1"] {
            client.push(&archive, image, Some(&admin)).assert_ok();
            refused(&client.push(&archive, image, Some(&reader)));
        }
        for who in [Some(&*reader), None] {
            client.pull("nginx:v1", who).assert_ok();
            refused(&client.pull("other:v1", who));
        }
    }
}

#[test]
fn docker_registry_believes_the_tokens_that_tidegate_gives() {
    if missing(&["docker", "skopeo", "docker-registry"]) || no_daemon() {
        return;
    }
    let tidegate = serving(READER);
    let root = tempfile::tempdir().unwrap();
    let auth = format!(
        "auth:\n  token:\n    realm: https://{}/auth/token\n    service: tidegate\n    \
         issuer: tidegate\n    rootcertbundle: {}\n",
        tidegate.host(),
        tidegate.dir.join("auth/token.crt").display()
    );
    let theirs = DockerRegistry::start_with(root.path(), &auth);
    let host = theirs.host();
    let (admin, reader) = (Docker::new(), Docker::new());
    refused(&admin.run(&["login", "-u", USER, "--password-stdin", &host], "wrong"));
    for (docker, user) in [(&admin, USER), (&reader, "reader")] {
        docker
            .run(&["login", "-u", user, "--password-stdin", &host], PASSWORD)
            .assert_ok();
    }
    let image = Loaded::new(&admin, &host, "nginx:v1", 38);
    refused(&image.push(&reader));
    image.push(&admin).assert_ok();
    image.forget(&admin);
    reader.run(&["pull", &image.name], "").assert_ok();
    image.forget(&reader);

    let client = Client {
        host: theirs.host(),
        tls_verify: false,
        ..Client::skopeo(&tidegate)
    };
    let credentials = format!("{USER}:{PASSWORD}");
    let archive = Archive::of(&[noise(39, 10_000)]);
    client
        .push(&archive, "other:v1", Some(&credentials))
        .assert_ok();
    client.pull("nginx:v1", None).assert_ok();
    refused(&client.pull("other:v1", None));
}

/// An image in the daemon, with the name that it is pushed by.
struct Loaded {
    name: String,
    local: String,
}

impl Loaded {
    fn new(docker: &Docker, host: &str, image: &str, seed: u64) -> Self {
        let archive = Archive::of(&[noise(seed, 10_000)]);
        let loaded = Self {
            name: format!("{host}/{image}"),
            local: archive.name().to_owned(),
        };
        docker
            .run(&["load", "--input", &archive.path()], "")
            .assert_ok();
        docker
            .run(&["tag", &loaded.local, &loaded.name], "")
            .assert_ok();
        loaded
    }

    fn push(&self, docker: &Docker) -> Finished {
        docker.run(&["push", &self.name], "")
    }

    fn forget(&self, docker: &Docker) {
        docker.run(&["rmi", "--force", &self.name, &self.local], "");
    }
}

/// Not done, and for the right reason.
#[track_caller]
pub(crate) fn refused(finished: &Finished) {
    assert_ne!(finished.code, Some(0), "{}", finished.stdout);
    let said = finished.stderr.to_lowercase();
    let words = [
        "unauthorized",
        "denied",
        "authentication required",
        "incorrect username",
        // Of a HEAD, the status alone is known; to containerd always.
        "403 (forbidden)",
        "403 forbidden",
    ];
    assert!(words.iter().any(|word| said.contains(word)), "{said}");
}

/// skopeo or podman, which copy from an archive and into a directory.
struct Client {
    program: &'static str,
    host: String,
    trust: TempDir,
    storage: TempDir,
    tls_verify: bool,
}

impl Client {
    fn new(program: &'static str, tidegate: &Tidegate) -> Self {
        let trust = tempfile::tempdir().unwrap();
        fs_err::copy(tidegate.ca(), trust.path().join("ca.crt")).unwrap();
        Self {
            program,
            host: tidegate.host(),
            trust,
            storage: tempfile::tempdir().unwrap(),
            tls_verify: true,
        }
    }

    fn skopeo(tidegate: &Tidegate) -> Self {
        Self::new("skopeo", tidegate)
    }

    fn podman(tidegate: &Tidegate) -> Self {
        Self::new("podman", tidegate)
    }

    fn push(&self, archive: &Archive, image: &str, credentials: Option<&str>) -> Finished {
        let to = format!("docker://{}/{image}", self.host);
        if self.program == "skopeo" {
            let mut command = skopeo();
            command
                .args(["copy", "--dest-cert-dir"])
                .arg(self.trust.path());
            match credentials {
                Some(credentials) => command.args(["--dest-creds", credentials]),
                None => command.arg("--dest-no-creds"),
            };
            command.arg(format!("--dest-tls-verify={}", self.tls_verify));
            return finish(self.apart(command, &[&archive.source(), &to]), "");
        }
        let loaded = self.podman_command(&["load", "--input", &archive.path()], None);
        finish(loaded, "").assert_ok();
        let push = self.podman_command(&["push"], Some(credentials));
        finish(self.apart(push, &[archive.name(), &to]), "")
    }

    fn pull(&self, image: &str, credentials: Option<&str>) -> Finished {
        let from = format!("docker://{}/{image}", self.host);
        if self.program == "skopeo" {
            let out = tempfile::tempdir().unwrap();
            let mut command = skopeo();
            command
                .args(["copy", "--src-cert-dir"])
                .arg(self.trust.path());
            match credentials {
                Some(credentials) => command.args(["--src-creds", credentials]),
                None => command.arg("--src-no-creds"),
            };
            command.arg(format!("--src-tls-verify={}", self.tls_verify));
            return finish(self.apart(command, &[&from, &dir_of(out.path())]), "");
        }
        let pull = self.podman_command(&["pull"], Some(credentials));
        finish(self.apart(pull, &[&from]), "")
    }

    /// With logins of its own: this machine's are nobody's here.
    fn apart(&self, mut command: Command, args: &[&str]) -> Command {
        let logins = self.storage.path().join("auth.json");
        fs_err::write(&logins, "{}").unwrap();
        command.env("REGISTRY_AUTH_FILE", logins).args(args);
        command
    }

    fn podman_command(&self, args: &[&str], credentials: Option<Option<&str>>) -> Command {
        let mut command = Command::new("podman");
        command
            .arg("--root")
            .arg(self.storage.path().join("root"))
            .arg("--runroot")
            .arg(self.storage.path().join("run"))
            .args(["--storage-driver", "vfs"])
            .args(args);
        if let Some(credentials) = credentials {
            command.arg("--cert-dir").arg(self.trust.path());
            if let Some(credentials) = credentials {
                command.args(["--creds", credentials]);
            }
        }
        command
    }
}
