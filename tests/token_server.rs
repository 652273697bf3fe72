//! docker_auth's `auth_config.yml`, served: for registries elsewhere, and for the
//! one in the same process.

mod harness;

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use harness::client::{Answer, Client};
use harness::image::{Image, noise};
use harness::{Tidegate, run, tidegate, up};
use http::StatusCode;
use serde_json::{Value, json};

/// The example of everybody who sets up docker_auth: the admin may do everything,
/// the reader and anybody else pull nginx.
fn auth_config(dir: &Path, server: &str) -> PathBuf {
    let made = run(["certs", "self-signed", "signer", "--dir", &text(dir)], "");
    assert!(
        made.code == Some(0) || dir.join("signer.key").exists(),
        "{}",
        made.stderr
    );
    let path = dir.join("auth_config.yml");
    let hash = |password: &str| {
        let made = run(["htpasswd", "-nbBC", "4", "user", password], "");
        made.stdout.trim().trim_start_matches("user:").to_owned()
    };
    let config = format!(
        "server:\n{server}token:\n  issuer: Acme auth server\n  expiration: 900\n  \
         certificate: {dir}/signer.crt\n  key: {dir}/signer.key\n\
         users:\n  admin:\n    password: {admin:?}\n  reader:\n    password: {reader:?}\n  \"\": {{}}\n\
         acl:\n  - match: {{account: admin}}\n    actions: [\"*\"]\n  \
         - match: {{name: nginx}}\n    actions: [pull]\n",
        dir = dir.display(),
        admin = hash("admin's"),
        reader = hash("reader's"),
    );
    fs_err::write(&path, config).unwrap();
    path
}

fn text(path: &Path) -> String {
    path.to_str().expect("text").to_owned()
}

async fn access(client: &Client, path: &str) -> Value {
    let answer = client.get(path).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    claims(&answer)
}

fn claims(answer: &Answer) -> Value {
    let token = answer.json()["token"].as_str().expect("a token").to_owned();
    let part = token.split('.').nth(1).expect("three parts").to_owned();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[tokio::test]
async fn alone_it_gives_docker_auths_answers() {
    let dir = tempfile::tempdir().unwrap();
    let made = run(["certs", "ca", "--dir", &text(dir.path())], "");
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let made = run(
        ["certs", "site", "127.0.0.1", "--dir", &text(dir.path())],
        "",
    );
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let server = format!(
        "  addr: \"127.0.0.1:0\"\n  certificate: {0}/127.0.0.1.crt\n  key: {0}/127.0.0.1.key\n",
        dir.path().display()
    );
    let path = auth_config(dir.path(), &server);
    let mut command = tidegate();
    let audit = dir.path().join("audit.log");
    command.args(["token-server", "--auth-config", &text(&path)]);
    command.arg("--audit").arg(&audit);
    let mut server = Tidegate::launch(command, dir.path());
    let stranger = Client::new(server.address, &dir.path().join("root-ca.crt"));
    let admin = stranger.clone().basic("admin", "admin's");
    let reader = stranger.clone().basic("reader", "reader's");

    let asked = "/auth?service=reg&scope=repository:nginx:pull,push&scope=repository:other:pull";
    let granted = |nginx: Value, other: Value| {
        json!([
            {"type": "repository", "name": "nginx", "actions": nginx},
            {"type": "repository", "name": "other", "actions": other},
        ])
    };
    let said = access(&admin, asked).await;
    assert_eq!(said["iss"], "Acme auth server");
    assert_eq!(said["aud"], "reg");
    assert_eq!(said["sub"], "admin");
    assert_eq!(
        said["exp"].as_u64().unwrap() - said["iat"].as_u64().unwrap(),
        900
    );
    assert_eq!(
        said["access"],
        granted(json!(["pull", "push"]), json!(["pull"]))
    );
    for client in [&reader, &stranger] {
        let said = access(client, asked).await;
        assert_eq!(said["access"], granted(json!(["pull"]), json!([])));
    }
    let wrong = stranger.clone().basic("reader", "wrong").get(asked).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        wrong.header("www-authenticate"),
        "Basic realm=\"Acme auth server\""
    );
    assert_eq!(
        reader.get("/auth/token?service=reg").await.status,
        StatusCode::OK
    );
    assert_eq!(reader.get("/elsewhere").await.status, StatusCode::NOT_FOUND);

    // A change counts at once, and a broken file does not.
    let config = fs_err::read_to_string(&path).unwrap();
    fs_err::write(&path, config.replace("[pull]", "[pull")).unwrap();
    server.logged("the users and rules that were there before stay");
    assert_eq!(
        access(&reader, asked).await["access"],
        granted(json!(["pull"]), json!([]))
    );
    fs_err::write(&path, config.replace("[pull]", "[push]")).unwrap();
    server.logged("read the users and rules of docker_auth again");
    assert_eq!(
        access(&reader, asked).await["access"],
        granted(json!(["push"]), json!([]))
    );

    assert!(server.stop().success());
    let lines = fs_err::read_to_string(&audit).unwrap();
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let told = lines.iter().map(|line| {
        assert_eq!(line["action"], "token");
        ["reference", "user", "outcome"].map(|key| line[key].as_str().unwrap_or("-"))
    });
    assert_eq!(
        told.take(4).collect::<Vec<_>>(),
        [
            [
                "repository:nginx:pull,push repository:other:pull",
                "admin",
                "allowed"
            ],
            ["repository:nginx:pull", "reader", "allowed"],
            ["repository:nginx:pull", "-", "allowed"],
            [
                "repository:nginx:pull,push repository:other:pull",
                "reader",
                "unauthorized"
            ],
        ]
    );
}

#[test]
fn what_cannot_be_honoured_is_not_taken_up_while_serving() {
    for lenient in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let path = auth_config(dir.path(), "  addr: \":5001\"\n");
        let users = format!("auth_config = {:?}", text(&path));
        let mut made = up()
            .config("htpasswd = \"auth/htpasswd\"", &users)
            .config("robots = ", "# robots = ")
            .start();
        made.stop();
        let mut command = tidegate();
        let file = made.dir.join("tidegate.toml");
        command.args(["serve", "-c"]).arg(&file);
        command.args(lenient.then_some("--lenient"));
        let mut server = Tidegate::launch(command, &made.dir);
        let config = fs_err::read_to_string(&path).unwrap();
        let more = "ldap_auth: {addr: \"ldap.example.com:636\"}\n";
        fs_err::write(&path, config + more).unwrap();
        if lenient {
            server.logged("read the users and rules of docker_auth again");
            let line = server.logged("ldap_auth");
            assert!(line.contains("WARN"), "{line}");
        } else {
            let line = server.logged("the users and rules that were there before stay");
            assert!(line.contains("ldap_auth"), "{line}");
            // And not at the start, under any of its names.
            for words in [&["serve", "-c"][..], &["registry", "serve"]] {
                let file = file.to_str();
                let refused = run(words.iter().copied().chain(file), "");
                assert_eq!(refused.code, Some(1), "{words:?}: {}", refused.stderr);
                assert!(refused.stderr.contains("ldap_auth"), "{}", refused.stderr);
            }
        }
    }
}

#[tokio::test]
async fn the_registry_beside_it_believes_its_tokens() {
    let dir = tempfile::tempdir().unwrap();
    let path = auth_config(dir.path(), "  addr: \":5001\"\n");
    let tidegate = up()
        .config(
            "htpasswd = \"auth/htpasswd\"",
            &format!("auth_config = {:?}", text(&path)),
        )
        .config("robots = ", "# robots = ")
        .start();
    let stranger = Client::new(tidegate.address, &tidegate.ca());
    let asked = stranger.get("/v2/").await;
    assert_eq!(asked.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        asked.header("www-authenticate"),
        format!(
            "Bearer realm=\"https://{}/auth/token\",service=\"tidegate\"",
            tidegate.address
        )
    );
    // Passwords are for the token server alone, as with docker_auth.
    let admin = stranger.clone().basic("admin", "admin's");
    assert_eq!(admin.get("/v2/").await.status, StatusCode::UNAUTHORIZED);

    let with_token = async |client: &Client| {
        let scopes = "scope=repository:nginx:pull,push&scope=repository:other:pull,push";
        let answer = client
            .get(&format!("/auth/token?service=tidegate&{scopes}"))
            .await;
        let token = answer.json()["token"].as_str().unwrap().to_owned();
        stranger.clone().bearer(&token)
    };
    let admin = with_token(&admin).await;
    let image = Image::of(vec![noise(1, 1000)]);
    image.push(&admin, "nginx", "v1").await;
    image.push(&admin, "other", "v1").await;
    for client in [
        stranger.clone(),
        stranger.clone().basic("reader", "reader's"),
    ] {
        let client = with_token(&client).await;
        image.assert_pulls(&client, "nginx", "v1").await;
        for refused in [
            client.get("/v2/other/manifests/v1").await,
            client.post("/v2/nginx/blobs/uploads/").await,
        ] {
            assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
            let challenge = refused.header("www-authenticate");
            assert!(
                challenge.ends_with("error=\"insufficient_scope\""),
                "{challenge}"
            );
        }
    }
}

#[test]
fn what_cannot_be_honoured_is_said_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = auth_config(dir.path(), "  addr: \":5001\"\n");
    let mut config = fs_err::read_to_string(&path).unwrap();
    config.push_str("ldap_auth:\n  addr: ldap.example.com:636\n");
    fs_err::write(&path, &config).unwrap();
    let line = config
        .lines()
        .position(|line| line.starts_with("ldap"))
        .unwrap()
        + 1;
    let refused = run(["token-server", "--auth-config", &text(&path)], "");
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(
        refused
            .stderr
            .contains(&format!("auth_config.yml:{line}:1: ldap_auth")),
        "{}",
        refused.stderr
    );
}
