//! The audit log: what is in it, what is not, and that it holds nobody up.

mod gates;
mod gone;
#[path = "../harness/mod.rs"]
mod harness;

use std::path::{Path, PathBuf};
use std::process::Command;

use harness::client::Client;
use harness::image::{Image, noise, push_blob, sha256};
use harness::{PASSWORD, PATIENCE, Tidegate, USER, run, up};
use http::StatusCode;
use rustix::process::Signal;
use serde_json::{Value, json};

/// A registry with an audit log.
fn audited(keys: &str) -> Tidegate {
    up().config("# audit = \"audit.log\"", keys).start()
}

fn stranger(tidegate: &Tidegate) -> Client {
    Client::new(tidegate.address, &tidegate.ca())
}

fn events_in(path: &Path) -> Vec<Value> {
    let text = fs_err::read_to_string(path).unwrap_or_default();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let lines = whole.lines();
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    lines.map(parse).collect()
}

/// Waits until a file has an event like this.
async fn written(path: &Path, is_meant: impl Fn(&Value) -> bool) -> Vec<Value> {
    let found = async {
        loop {
            let events = events_in(path);
            if events.iter().any(&is_meant) {
                return events;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, found)
        .await
        .unwrap_or_else(|_| panic!("{}: {:#?}", path.display(), events_in(path)))
}

/// Ends the registry, so that everything is written.
fn all_events(tidegate: &mut Tidegate) -> Vec<Value> {
    assert!(tidegate.stop().success());
    events_in(&tidegate.dir.join("audit.log"))
}

/// What tells events apart, one text for each.
fn told(events: &[Value]) -> Vec<String> {
    let keys = [
        "action",
        "object",
        "repository",
        "reference",
        "user",
        "auth",
        "status",
        "outcome",
    ];
    let told = |event: &Value| {
        let fields = keys.iter().filter(|key| !event[**key].is_null());
        let fields = fields.map(|key| event[*key].to_string().replace('"', ""));
        fields.collect::<Vec<_>>().join(" ")
    };
    events.iter().map(told).collect()
}

#[tokio::test]
async fn every_deed_is_written_once() {
    let mut tidegate = audited("audit = \"audit.log\"");
    let client = tidegate.client().header("user-agent", "docker/27 \"x\" \\");
    let image = Image::of(vec![noise(1, 1000)]);
    assert_eq!(
        stranger(&tidegate).get("/v2/").await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(client.get("/v2/").await.status, StatusCode::OK);
    image.push(&client, "team/app", "v1").await;
    image.assert_pulls(&client, "team/app", "v1").await;
    let layer = sha256(&noise(1, 1000));
    let mount = format!("/v2/b/blobs/uploads/?mount={layer}&from=team/app");
    assert_eq!(client.post(&mount).await.status, StatusCode::CREATED);
    // What looks whether something is there leaves no trace.
    client.head("/v2/team/app/manifests/v1").await;
    client.head(&format!("/v2/team/app/blobs/{layer}")).await;
    client.get("/v2/team/app/tags/list").await;
    client.get("/v2/_catalog").await;
    client.get("/v2/team/app/manifests/v2").await;
    let deleted = client.delete("/v2/team/app/manifests/v1").await;
    assert_eq!(deleted.status, StatusCode::ACCEPTED);
    client.delete(&format!("/v2/b/blobs/{layer}")).await;

    let events = all_events(&mut tidegate);
    let told = told(&events);
    let blobs: Vec<_> = told
        .iter()
        .filter(|line| line.starts_with("push blob team/app"))
        .collect();
    assert_eq!(blobs.len(), 2, "{told:#?}");
    let others: Vec<_> = told
        .iter()
        .filter(|line| !line.starts_with("push blob"))
        .collect();
    assert_eq!(
        others,
        [
            "login admin password 200 allowed",
            "push manifest team/app v1 admin password 201 allowed",
            "pull manifest team/app v1 admin password 200 allowed",
            &format!("mount blob b {layer} admin password 201 allowed"),
            "catalog admin password 200 allowed",
            "pull manifest team/app v2 admin password 404 failed",
            "delete manifest team/app v1 admin password 202 allowed",
            &format!("delete blob b {layer} admin password 202 allowed"),
        ],
        "{told:#?}"
    );
    let pull = events
        .iter()
        .find(|event| event["action"] == "pull")
        .unwrap();
    let put = events
        .iter()
        .find(|event| event["action"] == "push" && event["object"] == "manifest");
    assert_eq!(pull["digest"], put.unwrap()["digest"]);
    assert!(pull["digest"].as_str().unwrap().starts_with("sha256:"));
    assert!(pull["bytes"].as_u64().unwrap() > 100);
    assert_eq!(pull["client"], "127.0.0.1");
    assert!(
        pull["user_agent"]
            .as_str()
            .unwrap()
            .starts_with("docker/27")
    );
    let mount = events
        .iter()
        .find(|event| event["action"] == "mount")
        .unwrap();
    assert_eq!(mount["from"], "team/app");
}

#[tokio::test]
async fn whatever_is_refused_is_written_and_nothing_secret() {
    let mut tidegate = audited("audit = \"audit.log\"");
    let config = tidegate.dir.join("tidegate.toml");
    let config = config.to_string_lossy().into_owned();
    let made = run(
        [
            "token",
            "create",
            "-c",
            &config,
            "--user",
            "ci",
            "--repo",
            "team/**",
            "--actions",
            "pull",
            "--json",
        ],
        "",
    );
    tidegate.logged("file of robots");
    let robot: Value = serde_json::from_str(&made.stdout).unwrap();
    let (secret, id) = (
        robot["password"].as_str().unwrap(),
        robot["id"].as_str().unwrap(),
    );

    let ci = stranger(&tidegate).basic("ci", secret);
    assert_eq!(
        ci.get("/v2/other/manifests/v1").await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        ci.head("/v2/other/manifests/v1").await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        ci.post("/v2/team/a/blobs/uploads/").await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        ci.get("/v2/team/a/manifests/v1").await.status,
        StatusCode::NOT_FOUND
    );
    let wrong = stranger(&tidegate).basic("ci", &format!("{secret}x"));
    assert_eq!(wrong.get("/v2/").await.status, StatusCode::UNAUTHORIZED);
    // A name that is in no file may be a password.
    for (user, password) in [
        (USER, "hunter2"),
        ("correct horse", ""),
        ("hunter2", PASSWORD),
    ] {
        let client = stranger(&tidegate).basic(user, password);
        let answer = client.get("/v2/team/a/manifests/v1").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    let garbage = stranger(&tidegate).header("authorization", "Bearer hunter2");
    assert_eq!(
        garbage.get("/v2/nothing/there").await.status,
        StatusCode::UNAUTHORIZED
    );
    let mut throttled = 0;
    while throttled == 0 {
        let client = stranger(&tidegate).basic("nobody", "hunter2");
        let status = client.get("/v2/").await.status;
        throttled += usize::from(status == StatusCode::TOO_MANY_REQUESTS);
    }

    let events = all_events(&mut tidegate);
    let told = told(&events);
    let expected = [
        "pull manifest other v1 ci robot 403 denied",
        "pull manifest other v1 ci robot 403 denied",
        "push upload team/a ci robot 403 denied",
        "pull manifest team/a v1 ci robot 404 failed",
        "login robot 401 unauthorized",
        "pull manifest team/a v1 admin password 401 unauthorized",
        "pull manifest team/a v1 password 401 unauthorized",
        "pull manifest team/a v1 password 401 unauthorized",
        "login token 401 unauthorized",
    ];
    assert_eq!(told[..expected.len()], expected, "{told:#?}");
    assert_eq!(told.last().unwrap(), "login password 429 throttled");
    assert_eq!(events[0]["robot"], id);
    let text = fs_err::read_to_string(tidegate.dir.join("audit.log")).unwrap();
    for secret in [
        "hunter2",
        "correct horse",
        PASSWORD,
        &secret[13..],
        "nobody",
    ] {
        assert!(!text.contains(secret), "{secret}\n{text}");
    }
}

#[tokio::test]
async fn blobs_are_written_where_that_is_asked_for() {
    let mut tidegate = audited("audit = \"audit.log\"\naudit_blobs = true");
    let client = tidegate.client();
    let digest = push_blob(&client, "a", noise(1, 1234)).await;
    client.get(&format!("/v2/a/blobs/{digest}")).await;
    client.head(&format!("/v2/a/blobs/{digest}")).await;
    let events = all_events(&mut tidegate);
    assert_eq!(
        told(&events),
        [
            format!("push blob a {digest} admin password 201 allowed"),
            format!("pull blob a {digest} admin password 200 allowed"),
        ]
    );
    assert_eq!(events[0]["bytes"], 1234);
    assert_eq!(events[1]["bytes"], 1234);
}

#[tokio::test]
async fn tokens_are_written_when_they_are_given() {
    let open =
        "[access]\nanonymous = \"pull\"\n\n[[access.rule]]\nusers = [\"admin\"]\n\n[registry]";
    let mut tidegate = up()
        .config("# audit = \"audit.log\"", "audit = \"audit.log\"")
        .config("[registry]\n", &format!("{open}\n"))
        .start();
    let ask = "/auth/token?service=tidegate&scope=repository:team/app:pull,push";
    let admin = tidegate.client().get(ask).await;
    let token = admin.json()["token"].as_str().unwrap().to_owned();
    stranger(&tidegate).get(ask).await;
    stranger(&tidegate).basic(USER, "hunter2").get(ask).await;
    let bearer = stranger(&tidegate).bearer(&token);
    // What a token lets its bearer ask is no login.
    assert_eq!(bearer.get("/v2/").await.status, StatusCode::OK);
    assert_eq!(
        bearer.get("/v2/team/app/manifests/v1").await.status,
        StatusCode::NOT_FOUND
    );
    stranger(&tidegate).get("/v2/team/app/manifests/v1").await;
    let events = all_events(&mut tidegate);
    assert_eq!(
        told(&events),
        [
            "token repository:team/app:pull,push admin password 200 allowed",
            "token repository:team/app:pull anonymous 200 allowed",
            "token repository:team/app:pull,push admin password 401 unauthorized",
            "pull manifest team/app v1 admin token 404 failed",
            "pull manifest team/app v1 anonymous 404 failed",
        ]
    );
    let text = fs_err::read_to_string(tidegate.dir.join("audit.log")).unwrap();
    assert!(!text.contains(&token[..40]), "{text}");
}

#[tokio::test]
async fn the_file_may_be_moved_away() {
    let tidegate = audited("audit = \"audit.log\"");
    let (path, old) = (
        tidegate.dir.join("audit.log"),
        tidegate.dir.join("audit.log.1"),
    );
    let is_of = |name: &'static str| move |event: &Value| event["repository"] == name;
    let client = tidegate.client();
    client.get("/v2/one/manifests/v1").await;
    written(&path, is_of("one")).await;
    fs_err::rename(&path, &old).unwrap();
    client.get("/v2/two/manifests/v1").await;
    assert_eq!(written(&path, is_of("two")).await.len(), 1);
    assert_eq!(events_in(&old).len(), 1);
    // And on SIGHUP.
    let older = tidegate.dir.join("audit.log.2");
    fs_err::rename(&path, &older).unwrap();
    tidegate.signal(Signal::HUP);
    client.get("/v2/three/manifests/v1").await;
    assert_eq!(written(&path, is_of("three")).await.len(), 1);
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&fs_err::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_disk_without_room_holds_nobody_up() {
    let disk = tempfile::tempdir().unwrap();
    let (link, room) = (disk.path().join("link"), disk.path().join("room"));
    std::os::unix::fs::symlink("/dev/full", &link).unwrap();
    let key = format!("audit = \"{}\"", link.display());
    let mut tidegate = audited(&key);
    let client = tidegate.client();
    client.get("/v2/one/manifests/v1").await;
    let line = tidegate.logged("the audit log cannot be written");
    assert!(line.contains("ERROR"), "{line}");
    Image::of(vec![noise(1, 1000)])
        .push(&client, "two", "v1")
        .await;
    fs_err::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(&room, &link).unwrap();
    tidegate.logged("the audit log is written again");
    let events = written(&room, |event| {
        event["object"] == "manifest" && event["repository"] == "two"
    })
    .await;
    assert_eq!(events[0]["repository"], "one");
}

#[tokio::test]
async fn a_full_file_system_is_gone_on_with_once_there_is_room() {
    let Some(disk) = Tmpfs::mount() else { return };
    let key = format!("audit = \"{}\"", disk.0.join("audit.log").display());
    let mut tidegate = audited(&key);
    let client = tidegate.client();
    let filler = disk.0.join("filler");
    // As much as fits.
    let _ = fs_err::write(&filler, vec![0; 1 << 20]);
    let mut asked = 0;
    while asked < 100 {
        client.get(&format!("/v2/r{asked}/manifests/v1")).await;
        asked += 1;
    }
    tidegate.logged("the audit log cannot be written");
    fs_err::remove_file(&filler).unwrap();
    tidegate.logged("the audit log is written again");
    let path = disk.0.join("audit.log");
    let events = written(&path, |event| event["repository"] == "r99").await;
    let expected: Vec<_> = (0..asked)
        .map(|number| json!(format!("r{number}")))
        .collect();
    let found: Vec<_> = events
        .iter()
        .map(|event| event["repository"].clone())
        .collect();
    assert_eq!(found, expected);
}

/// A small file system of its own; needs root.
struct Tmpfs(PathBuf);

impl Tmpfs {
    #[expect(clippy::print_stderr, reason = "tests say what they leave out")]
    fn mount() -> Option<Self> {
        let place = tempfile::tempdir().unwrap().keep();
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=64k", "none"])
            .arg(&place);
        if mount.output().is_ok_and(|output| output.status.success()) {
            return Some(Self(place));
        }
        eprintln!("skipped: file systems cannot be mounted here");
        let _ = fs_err::remove_dir(place);
        None
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
        let _ = fs_err::remove_dir(&self.0);
    }
}

#[test]
fn a_file_that_cannot_be_opened_is_said_at_the_start() {
    let mut registry = audited("audit = \"audit.log\"");
    registry.stop();
    let config = registry.dir.join("tidegate.toml");
    let text = fs_err::read_to_string(&config).unwrap();
    fs_err::write(
        &config,
        text.replace("\"audit.log\"", "\"no/such/audit.log\""),
    )
    .unwrap();
    let failed = run(["serve", "-c", &config.to_string_lossy()], "");
    assert_eq!(failed.code, Some(1), "{}", failed.stderr);
    assert!(
        failed.stderr.contains("audit log cannot be opened"),
        "{}",
        failed.stderr
    );
    assert!(
        failed.stderr.contains("no/such/audit.log"),
        "{}",
        failed.stderr
    );
}
