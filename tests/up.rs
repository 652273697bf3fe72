//! `tidegate up`: the first start, the second, and everything that can be
//! wrong with what it is given.

mod harness;

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use harness::client::Client;
use harness::{Finished, PASSWORD, USER, run, up};
use http::StatusCode;

#[tokio::test]
async fn the_first_start_makes_everything_and_serves() {
    let tidegate = up().arg("--host").arg("registry.example").start();

    for (path, mode) in [
        ("certs", 0o700),
        ("certs/root-ca.crt", 0o644),
        ("certs/root-ca.key", 0o600),
        ("certs/site.crt", 0o644),
        ("certs/site.key", 0o600),
        ("auth/htpasswd", 0o600),
        ("tidegate.toml", 0o644),
    ] {
        let found = fs_err::metadata(tidegate.dir.join(path)).unwrap();
        assert_eq!(found.permissions().mode() & 0o777, mode, "{path}");
    }
    assert!(tidegate.dir.join("registry").is_dir());

    assert!(tidegate.banner.contains("SHA-256"), "{}", tidegate.banner);
    assert!(
        tidegate.banner.contains(&format!(
            "docker login -u {USER} registry.example:{}",
            tidegate.address.port()
        )),
        "{}",
        tidegate.banner
    );
    // A password that was given is not shown.
    assert!(!tidegate.banner.contains(PASSWORD), "{}", tidegate.banner);

    for name in ["localhost", "registry.example"] {
        let answer = tidegate.client().named(name).get("/v2/").await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(
            answer.header("docker-distribution-api-version"),
            "registry/2.0"
        );
    }
}

#[tokio::test]
async fn the_second_start_reuses_everything_and_prints_no_password() {
    let mut first = up().start();
    let dir = first.dir.clone();
    let before = tree(&dir);
    assert!(first.stop().success());

    let second = up().in_dir(&dir).start();
    assert_eq!(tree(&dir), before);
    assert!(
        !second.banner.to_lowercase().contains("password"),
        "{}",
        second.banner
    );
    let answer = second.client().get("/v2/").await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn a_password_that_was_made_is_shown_and_works() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = harness::tidegate();
    command
        .args(["up", "--listen", "127.0.0.1:0", "--user", "carol", "--dir"])
        .arg(dir.path());
    let tidegate = harness::Tidegate::launch(command, dir.path());
    let password = tidegate
        .banner
        .lines()
        .find_map(|line| line.split("password").nth(1))
        .and_then(|rest| rest.split_whitespace().find(|word| word.len() == 27))
        .unwrap_or_else(|| panic!("no password in\n{}", tidegate.banner));
    let client = Client::new(tidegate.address, &tidegate.ca()).basic("carol", password);
    assert_eq!(client.get("/v2/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_an_interrupted_start_left_is_completed() {
    for missing in [
        &["tidegate.toml"][..],
        &["auth/htpasswd", "tidegate.toml"],
        &[
            "certs/site.crt",
            "certs/site.key",
            "auth/htpasswd",
            "tidegate.toml",
        ],
    ] {
        let mut first = up().start();
        let dir = first.dir.clone();
        first.stop();
        for path in missing {
            fs_err::remove_file(dir.join(path)).unwrap();
        }
        let second = up().in_dir(&dir).start();
        let answer = second.client().get("/v2/").await;
        assert_eq!(answer.status, StatusCode::OK, "without {missing:?}");
    }
}

#[test]
fn a_busy_port_is_named_and_nothing_is_made() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("data");
    let finished = up_once(&dir, &["--listen", &address]);
    assert_fixable(&finished, &address);
    assert!(finished.stderr.contains("hint:"), "{}", finished.stderr);
    assert!(!dir.exists());
}

#[test]
fn a_host_that_is_neither_name_nor_address_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("data");
    for host in [
        "https://reg.example",
        "reg.example:5043",
        "two words",
        "",
        "999.1.1.1",
    ] {
        let finished = up_once(&dir, &["--listen", "127.0.0.1:0", "--host", host]);
        assert_fixable(&finished, host);
        assert!(!dir.exists(), "{host:?}");
    }
}

#[test]
fn an_address_without_a_port_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("data");
    for listen in ["127.0.0.1", "localhost:5043", "127.0.0.1:99999"] {
        let finished = up_once(&dir, &["--listen", listen]);
        assert_fixable(&finished, listen);
        assert!(!dir.exists(), "{listen:?}");
    }
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    // Nobody can make a directory there, root included.
    let finished = up_once(Path::new("/proc/tidegate"), &["--listen", "127.0.0.1:0"]);
    assert_fixable(&finished, "/proc/tidegate");

    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("file");
    fs_err::write(&file, "not a directory").unwrap();
    let finished = up_once(&file, &["--listen", "127.0.0.1:0"]);
    assert_fixable(&finished, &file.to_string_lossy());
    assert_eq!(fs_err::read_to_string(&file).unwrap(), "not a directory");
}

#[test]
fn a_broken_file_is_named_and_left_alone() {
    for (path, content) in [
        ("certs/root-ca.crt", "not a certificate"),
        ("certs/site.crt", ""),
        ("certs/site.key", "not a key"),
        ("auth/htpasswd", "no colon in this line"),
        ("tidegate.toml", "[[listner]]"),
        ("tidegate.toml", ""),
    ] {
        let mut first = up().start();
        let dir = first.dir.clone();
        first.stop();
        fs_err::write(dir.join(path), content).unwrap();
        let before = tree(&dir);
        let finished = up_once(&dir, &["--listen", "127.0.0.1:0"]);
        assert_fixable(&finished, path);
        assert_eq!(tree(&dir), before, "{path}");
    }
}

#[test]
fn half_a_pair_is_named_and_left_alone() {
    for path in ["certs/site.key", "certs/site.crt"] {
        let mut first = up().start();
        first.stop();
        fs_err::remove_file(first.dir.join(path)).unwrap();
        let before = tree(&first.dir);
        let finished = up_once(&first.dir, &[]);
        assert_fixable(&finished, path);
        assert_eq!(tree(&first.dir), before, "{path}");
    }
}

#[tokio::test]
async fn the_authority_may_be_kept_elsewhere() {
    let mut first = up().start();
    let dir = first.dir.clone();
    first.stop();
    fs_err::remove_file(dir.join("certs/root-ca.key")).unwrap();
    let second = up().in_dir(&dir).start();
    assert_eq!(second.client().get("/v2/").await.status, StatusCode::OK);
}

#[test]
fn an_empty_password_is_refused_before_anything_is_made() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("data");
    let dir_text = dir.to_string_lossy().into_owned();
    let finished = run(
        [
            "up",
            "--dir",
            &dir_text,
            "--listen",
            "127.0.0.1:0",
            "--password-stdin",
        ],
        "\n",
    );
    assert_fixable(&finished, "password");
    assert!(!dir.exists());
}

#[test]
fn a_user_name_with_a_colon_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("data");
    let finished = up_once(&dir, &["--listen", "127.0.0.1:0", "--user", "a:b"]);
    assert_fixable(&finished, "a:b");
    assert!(!dir.exists());
}

fn up_once(dir: &Path, args: &[&str]) -> Finished {
    let dir = dir.to_string_lossy();
    let mut all = vec!["up", "--dir", &dir, "--password-stdin"];
    all.extend(args);
    run(all, PASSWORD)
}

/// One clear error that names what is meant, and exit code 1.
#[track_caller]
fn assert_fixable(finished: &Finished, names: &str) {
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert!(
        finished.stderr.contains(names),
        "{names}: {}",
        finished.stderr
    );
    let errors = finished.stderr.matches("error:").count();
    assert_eq!(errors, 1, "{}", finished.stderr);
    assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
}

/// Every file below `dir` with its bytes.
fn tree(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = vec![];
    let mut directories = vec![dir.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs_err::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                let name = path
                    .strip_prefix(dir)
                    .unwrap()
                    .to_string_lossy()
                    .into_owned();
                files.push((name, fs_err::read(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
}
