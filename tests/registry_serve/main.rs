//! `registry serve` in the place of docker-registry: the same files, the same
//! variables, the same answers.

mod beside;
#[path = "../harness/mod.rs"]
mod harness;
mod process;
mod replay;
mod tokens;

use std::path::Path;

use harness::finish;
use process::{Configured, registry};
use reqwest::StatusCode;

/// What Debian installs, but for the directory and the port.
fn debian(root: &Path) -> String {
    format!(
        "version: 0.1\nlog:\n  fields:\n    service: registry\nstorage:\n  cache:\n    \
         blobdescriptor: inmemory\n  filesystem:\n    rootdirectory: {}\n  delete:\n    \
         enabled: true\nhttp:\n  addr: 127.0.0.1:0\n  headers:\n    \
         X-Content-Type-Options: [nosniff]\nhealth:\n  storagedriver:\n    enabled: true\n    \
         interval: 10s\n    threshold: 3\n",
        root.display()
    )
}

#[tokio::test]
async fn the_file_that_debian_installs_is_served_in_plain_http() {
    let mut server = Configured::new(debian).start();
    let answer = server.get("/v2/").await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    let line = server.access_log.until("/v2/");
    assert!(line.starts_with("127.0.0.1 - - ["), "{line}");
    assert!(line.contains("\"GET /v2/ HTTP/1.1\" 200 2 "), "{line}");
    let answer = server.post("/v2/a/blobs/uploads/").await;
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    let begins = format!("{}/v2/a/blobs/uploads/", server.url);
    assert!(location.starts_with(&begins), "{location}");
    assert!(server.dir.path().join("data/docker/registry/v2").is_dir());
    assert!(server.stop().success());
}

#[tokio::test]
async fn variables_overrule_the_file_and_tls_and_passwords_are_its_own() {
    let configured = Configured::new(debian);
    let (cert, key) = (
        configured.dir.path().join("tls.crt"),
        configured.dir.path().join("tls.key"),
    );
    let pair = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    fs_err::write(&cert, pair.cert.pem()).unwrap();
    fs_err::write(&key, pair.signing_key.serialize_pem()).unwrap();
    let htpasswd = configured.dir.path().join("htpasswd");
    let file = htpasswd.to_str().unwrap();
    let made = harness::run(["htpasswd", "-cbB", file, "alice", "correct horse"], "");
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let other = configured.dir.path().join("elsewhere");
    let mut server = configured
        .var("REGISTRY_HTTP_TLS_CERTIFICATE", &cert)
        .var("REGISTRY_HTTP_TLS_KEY", &key)
        .var("REGISTRY_AUTH", "htpasswd")
        .var("REGISTRY_AUTH_HTPASSWD_REALM", "Ours")
        .var("REGISTRY_AUTH_HTPASSWD_PATH", &htpasswd)
        .var("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", &other)
        .var("REGISTRY_PORT", "tcp://10.0.0.1:5000")
        .trusting(&cert)
        .start();
    assert!(server.url.starts_with("https://"), "{}", server.url);
    let answer = server.get("/v2/").await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(answer.headers()["www-authenticate"], "Basic realm=\"Ours\"");
    let version = &answer.headers()["docker-distribution-api-version"];
    assert_eq!(version, "registry/2.0");
    // Those who look whether it lives have no password.
    for (path, status) in [
        ("/", 200),
        ("/v2/_catalog", 401),
        // Not the API, whoever decodes it.
        ("/v2%2f..", 404),
        ("/%2e%2e/v2/", 401),
        ("//v2/", 401),
        ("/foo", 401),
    ] {
        assert_eq!(server.get(path).await.status(), status, "{path}");
    }
    for (password, status) in [("wrong", 401), ("correct horse", 200)] {
        let request = server.client.get(format!("{}/v2/", server.url));
        let request = request.basic_auth("alice", Some(password));
        assert_eq!(request.send().await.unwrap().status(), status, "{password}");
    }
    assert!(other.join("docker/registry/v2").is_dir());
    assert!(!server.dir.path().join("data").exists());
    assert!(server.stop().success());
}

#[tokio::test]
async fn a_missing_password_file_is_made() {
    let configured = Configured::new(debian);
    let path = configured.dir.path().join("auth/htpasswd");
    let mut server = configured
        .var("REGISTRY_AUTH", "{htpasswd: {realm: R}}")
        .var("REGISTRY_AUTH_HTPASSWD_PATH", &path)
        .start();
    let line = server.said("user docker, password ");
    let (_, rest) = line.split_once("password ").unwrap();
    let (password, _) = rest.split_once(' ').unwrap();
    let request = server.client.get(format!("{}/v2/", server.url));
    let request = request.basic_auth("docker", Some(password));
    assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
    assert!(server.stop().success());
}

#[tokio::test]
async fn an_unknown_key_is_a_warning() {
    let mut server = Configured::new(|root| debian(root) + "threshold: 3\n").start();
    let warning = server.said("warning: ");
    assert!(
        warning.ends_with(
            "config.yml:21:1: threshold: unknown key; \
             the nearest is `health.storagedriver.threshold`"
        ),
        "{warning}"
    );
    assert_eq!(server.get("/v2/").await.status(), StatusCode::OK);
    assert!(server.stop().success());
}

#[tokio::test]
async fn what_cannot_be_honoured_stops_it_with_key_and_line() {
    let proxy = |root: &Path| debian(root) + "proxy:\n  remoteurl: https://up.example\n";
    let configured = Configured::new(proxy);
    let stopped = finish(configured.command(&[]), "");
    assert_eq!(stopped.code, Some(1), "{}", stopped.stderr);
    let line = "config.yml:22:3: proxy.remoteurl: images are not pulled through";
    assert!(stopped.stderr.contains(line), "{}", stopped.stderr);
    assert!(stopped.stderr.contains("--lenient"), "{}", stopped.stderr);
    assert_eq!(stopped.stdout, "");
    let mut server = configured.flag("--lenient").start();
    assert_eq!(server.get("/v2/").await.status(), StatusCode::OK);
    assert!(server.stop().success());

    // What would let everybody in is not served in any case.
    let silly = |root: &Path| debian(root) + "auth:\n  silly:\n    realm: r\n";
    let stopped = finish(Configured::new(silly).command(&["--lenient"]), "");
    assert_eq!(stopped.code, Some(1), "{}", stopped.stderr);
    let line = "config.yml:22:3: `auth.silly`: it lets everybody in";
    assert!(stopped.stderr.contains(line), "{}", stopped.stderr);
}

#[test]
fn it_says_which_version_it_is() {
    let mut command = registry();
    command.arg("--version");
    let said = finish(command, "");
    assert_eq!(said.code, Some(0));
    assert!(said.stdout.starts_with("registry "), "{}", said.stdout);
}

#[tokio::test]
async fn weak_hashes_let_in_where_it_is_said() {
    for (flag, status) in [(None, 401), (Some("--allow-weak-hashes"), 200)] {
        let mut configured = Configured::new(debian);
        let htpasswd = configured.dir.path().join("htpasswd");
        let file = htpasswd.to_str().unwrap();
        let made = harness::run(["htpasswd", "-cbB", file, "alice", "strong"], "");
        assert_eq!(made.code, Some(0), "{}", made.stderr);
        let mut text = fs_err::read_to_string(&htpasswd).unwrap();
        // As `htpasswd -d` writes it, and as nginx takes it.
        text.push_str("old:rqVTKtRlPS2tM\nplain:{PLAIN}plain\n");
        fs_err::write(&htpasswd, text).unwrap();
        configured = configured
            .var("REGISTRY_AUTH", "htpasswd")
            .var("REGISTRY_AUTH_HTPASSWD_REALM", "R")
            .var("REGISTRY_AUTH_HTPASSWD_PATH", &htpasswd);
        if let Some(flag) = flag {
            configured = configured.flag(flag);
        }
        let server = configured.start();
        for (user, password) in [("old", "password"), ("plain", "plain")] {
            let request = server.client.get(format!("{}/v2/", server.url));
            let request = request.basic_auth(user, Some(password));
            assert_eq!(
                request.send().await.unwrap().status(),
                status,
                "{user} {flag:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_socket_of_the_file_system_is_listened_to() {
    let mut configured = Configured::new(debian);
    let socket = configured.dir.path().join("registry.sock");
    configured = configured
        .var("REGISTRY_HTTP_NET", "unix")
        .var("REGISTRY_HTTP_ADDR", &socket);
    let mut server = configured.start();
    assert!(server.url.starts_with("http://unix:/"), "{}", server.url);
    let client = reqwest::Client::builder()
        .unix_socket(socket.as_path())
        .tls_certs_only([])
        .build()
        .unwrap();
    let answer = client.get("http://registry.test/v2/").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let posted = client.post("http://registry.test/v2/a/blobs/uploads/");
    let posted = posted
        .header("x-forwarded-proto", "https")
        .send()
        .await
        .unwrap();
    let location = posted.headers()["location"].to_str().unwrap();
    let begins = "https://registry.test/v2/a/blobs/uploads/";
    assert!(location.starts_with(begins), "{location}");
    let line = server.access_log.until("GET /v2/");
    assert!(line.starts_with("unix: - - ["), "{line}");
    assert!(server.stop().success());
    assert!(!socket.exists());
}

#[tokio::test]
async fn a_file_takes_the_registry_out_of_service() {
    let down = tempfile::tempdir().unwrap();
    let file = down.path().join("down");
    let text = |root: &Path| {
        format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: 127.0.0.1:0, \
             debug: {{addr: 127.0.0.1:0}}}}\nhealth: {{file: [{{file: {}, interval: 10ms}}]}}\n",
            root.display(),
            file.display()
        )
    };
    fs_err::write(&file, "").unwrap();
    let server = Configured::new(text).start();
    // The first look comes with the start, and the next ones soon.
    let until = async |status: u16| {
        while server.get("/v2/").await.status() != status {
            tokio::task::yield_now().await;
        }
    };
    until(503).await;
    assert_eq!(server.get("/").await.status(), 200);
    fs_err::remove_file(&file).unwrap();
    until(200).await;
}
