//! Tokens that somebody else gives out: asked for, believed and refused as
//! docker-registry does it, on the same file.

use std::path::Path;
use std::process::Command;

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, WWW_AUTHENTICATE};

use crate::process::{Configured, Server};

/// Made with Go's crypto and docker/libtrust; they count until 2096.
const VECTORS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/auth/src/token/verifier/vectors"
);

/// A token by its form and algorithm, for pull and push of `team/app`.
fn token(form: &str, algorithm: &str) -> String {
    let tokens = fs_err::read_to_string(Path::new(VECTORS).join("tokens.tsv")).unwrap();
    let of = |line: &str| {
        let mut parts = line.split('\t');
        let is_it = parts.next() == Some(form) && parts.next() == Some(algorithm);
        is_it.then(|| parts.nth(1).unwrap().to_owned())
    };
    tokens.lines().find_map(of).unwrap()
}

/// A registry that believes the certificates of the vectors, but for the last:
/// docker-registry does not start with an Ed25519 key.
fn configured() -> Configured {
    Configured::new(|root| {
        let bundle = fs_err::read_to_string(Path::new(VECTORS).join("bundle.pem")).unwrap();
        let mut certificates: Vec<_> = bundle
            .split_inclusive("-----END CERTIFICATE-----")
            .collect();
        // A line break, and the last one.
        certificates.truncate(certificates.len() - 2);
        let file = root.with_file_name("bundle.pem");
        fs_err::write(&file, certificates.concat()).unwrap();
        format!(
            "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\n  delete:\n    \
             enabled: true\nhttp:\n  addr: 127.0.0.1:0\nauth:\n  token:\n    \
             realm: https://auth.example/token\n    service: vector service\n    \
             issuer: vector issuer\n    rootcertbundle: {}\n",
            root.display(),
            file.display()
        )
    })
}

/// Status, challenge with its scopes in order, code and detail of the answer.
async fn ask(server: &Server, method: &str, path: &str, authorization: &str) -> [String; 4] {
    let method: Method = method.parse().unwrap();
    let mut request = server
        .client
        .request(method, format!("{}{path}", server.url));
    if !authorization.is_empty() {
        request = request.header(AUTHORIZATION, authorization);
    }
    let answer = request.send().await.unwrap();
    let challenge = answer.headers().get(WWW_AUTHENTICATE);
    let challenge = challenge.map_or("", |value| value.to_str().unwrap());
    let status = answer.status();
    let challenge = ordered(challenge);
    let body: serde_json::Value =
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default();
    let error = &body["errors"][0];
    let detail = match status.as_u16() {
        401 => error["detail"].to_string(),
        _ => String::new(),
    };
    [
        status.to_string(),
        challenge,
        error["code"].to_string(),
        detail,
    ]
}

/// docker-registry writes scopes and actions in any order.
fn ordered(challenge: &str) -> String {
    let Some((before, rest)) = challenge.split_once("scope=\"") else {
        return challenge.to_owned();
    };
    let (scopes, after) = rest.split_once('"').unwrap();
    let mut scopes: Vec<String> = scopes
        .split(' ')
        .map(|scope| {
            let (resource, actions) = scope.rsplit_once(':').unwrap();
            let mut actions: Vec<_> = actions.split(',').collect();
            actions.sort_unstable();
            format!("{resource}:{}", actions.join(","))
        })
        .collect();
    scopes.sort_unstable();
    format!("{before}scope=\"{}\"{after}", scopes.join(" "))
}

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Requests of all kinds, with the path of one.
fn requests() -> Vec<(&'static str, String)> {
    let mut requests = vec![
        ("GET", "/v2/".to_owned()),
        ("GET", "/v2/_catalog".to_owned()),
    ];
    for name in ["team/app", "team/other", "team"] {
        for (method, rest) in [
            ("GET", "tags/list"),
            ("GET", "manifests/v1"),
            ("HEAD", "manifests/v1"),
            ("PUT", "manifests/v1"),
            ("GET", "blobs/DIGEST"),
            ("HEAD", "blobs/DIGEST"),
            ("DELETE", "manifests/DIGEST"),
            ("DELETE", "blobs/DIGEST"),
            ("POST", "blobs/uploads/"),
        ] {
            let path = format!("/v2/{name}/{rest}").replace("DIGEST", DIGEST);
            requests.push((method, path));
        }
    }
    requests
}

fn authorizations() -> Vec<String> {
    let good = token("kid", "ES256");
    let mut all = vec![
        String::new(),
        format!("Bearer {good}"),
        format!("bearer {good}"),
        "Bearer".to_owned(),
        "Bearer x".to_owned(),
        "Bearer a.b.c".to_owned(),
        "Basic YWRtaW46YWRtaW4=".to_owned(),
        good.clone(),
        format!("Bearer {}", &good[..good.len() - 4]),
        format!("Bearer {}.", good.rsplit_once('.').unwrap().0),
    ];
    for form in ["kid", "jwk", "x5c", "chain"] {
        for algorithm in ["RS256", "ES256", "ES384", "ES512"] {
            all.push(format!("Bearer {}", token(form, algorithm)));
        }
    }
    for algorithm in ["RS384", "RS512"] {
        all.push(format!("Bearer {}", token("kid", algorithm)));
    }
    // By a key that is not in the bundle, and by a name that is not its own.
    all.push(format!("Bearer {}", token("x5c", "EdDSA")));
    all.push(format!("Bearer {}", token("set", "ES256")));
    all
}

#[tokio::test]
async fn tokens_count_where_they_do_with_docker_registry() {
    if Command::new("docker-registry")
        .arg("--version")
        .output()
        .is_err()
    {
        assert!(
            std::env::var_os("TIDEGATE_REQUIRE_CLIENTS").is_none(),
            "docker-registry is not installed, and TIDEGATE_REQUIRE_CLIENTS is set"
        );
        return;
    }
    let ours = configured().start();
    let configured = configured();
    let mut command = Command::new("docker-registry");
    command
        .arg("serve")
        .arg(configured.dir.path().join("config.yml"));
    let theirs = Server::start(command, configured.dir, None);

    let mut different = Vec::new();
    for authorization in authorizations() {
        for (method, path) in requests() {
            let mine = ask(&ours, method, &path, &authorization).await;
            let other = ask(&theirs, method, &path, &authorization).await;
            if mine != other {
                different.push(format!(
                    "{method} {path} {authorization:.30}…\n  ours   {mine:?}\n  theirs {other:?}"
                ));
            }
        }
    }
    assert!(different.is_empty(), "\n{}", different.join("\n"));

    // Whoever may push but not pull from there uploads, as when it is not there.
    let mount = format!("/v2/team/app/blobs/uploads/?mount={DIGEST}&from=other");
    let good = format!("Bearer {}", token("kid", "ES256"));
    let [mine, ..] = ask(&ours, "POST", &mount, &good).await;
    let [other, ..] = ask(&theirs, "POST", &mount, &good).await;
    assert_eq!((&*mine, &*other), ("202 Accepted", "401 Unauthorized"));
}

#[tokio::test]
async fn tokens_that_version_3_knows_count_too() {
    let server = Configured::new(|root| {
        format!(
            "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  \
             addr: 127.0.0.1:0\nauth:\n  token:\n    autoredirect: true\n    \
             realm: https://auth.example/token\n    service: vector service\n    \
             issuer: vector issuer\n    jwks: {VECTORS}/jwks.json\n    \
             signingalgorithms: [ES256, PS256, EdDSA]\n",
            root.display()
        )
    });
    let server = server.start();
    let bearer = |form, algorithm| format!("Bearer {}", token(form, algorithm));
    for (form, algorithm, status) in [
        ("set", "ES256", "200 OK"),
        ("set", "PS256", "200 OK"),
        ("set", "EdDSA", "200 OK"),
        ("jwk", "EdDSA", "200 OK"),
        ("set", "RS256", "401 Unauthorized"),
        ("chain", "ES256", "401 Unauthorized"),
    ] {
        let answer = ask(&server, "GET", "/v2/", &bearer(form, algorithm)).await;
        assert_eq!(answer[0], status, "{form} {algorithm}");
    }
    let [_, challenge, ..] = ask(&server, "GET", "/v2/a/tags/list", "").await;
    assert_eq!(
        challenge,
        format!(
            "Bearer realm=\"{}/auth/token\",service=\"vector service\",scope=\"repository:a:pull\"",
            server.url
        )
    );
}
