//! Places of sites with passwords and addresses of their own: nobody behind them
//! hears of what they refuse.

use super::harness::tidegate;
use super::*;

/// A registry behind a place that asks for passwords, one that only some addresses
/// come into, and one that is open.
const SITE: &str = r#"
[[listener]]
address = "127.0.0.1:0"

[[certificate]]
cert = "certs/site.crt"
key = "certs/site.key"

[log]
audit = "audit.log"

[registry]
root = "registry"

[[site]]
listen = ["127.0.0.1:0"]
client_auth = { ca = "certs/root-ca.crt", required = false }

[[site.place]]
path = "/v2/"
registry = true
rules.auth = { htpasswd = "auth/htpasswd", realm = "Registry" }

[[site.place]]
path = "/v2/closed/"
registry = true
rules.addresses = ["deny all"]
rules.auth = { htpasswd = "auth/htpasswd", realm = "Registry" }

[[site.place]]
path = "/v2/open/"
registry = true
"#;

/// Serves that in the directory of a registry that was made by `up`.
fn behind_gates() -> (Tidegate, Tidegate) {
    let mut made = up().start();
    made.stop();
    let certs = made.dir.join("certs");
    let client = ["certs", "client", "carol", "--dir"];
    let client = run(client.into_iter().chain(certs.to_str()), "");
    assert_eq!(client.code, Some(0), "{}", client.stderr);
    let file = made.dir.join("sites.toml");
    fs_err::write(&file, SITE).unwrap();
    let mut command = tidegate();
    command.args(["serve", "-c"]).arg(&file);
    let served = Tidegate::launch(command, &made.dir);
    (served, made)
}

#[tokio::test]
async fn what_a_place_refuses_is_written_as_what_it_was() {
    let (mut served, _made) = behind_gates();
    let stranger = stranger(&served);
    let status = async |client: &Client, path: &str| client.get(path).await.status.as_u16();
    let app = "/v2/team/app/manifests/v1";
    // Whoever shows nothing is asked for a password, and that is all.
    assert_eq!(status(&stranger, app).await, 401);
    assert_eq!(status(&served.client(), app).await, 404);
    let wrong = stranger.clone().basic(USER, "hunter2");
    assert_eq!(status(&wrong, app).await, 401);
    let refused = wrong.post("/v2/team/app/blobs/uploads/").await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    let unknown = stranger.clone().basic("hunter2", PASSWORD);
    assert_eq!(status(&unknown, "/v2/_catalog").await, 401);
    let token = stranger.clone().bearer("hunter2");
    assert_eq!(status(&token, "/v2/nothing").await, 401);
    let closed = "/v2/closed/app/manifests/v1";
    assert_eq!(status(&served.client(), closed).await, 403);
    assert_eq!(status(&stranger, closed).await, 403);

    let events = all_events(&mut served);
    assert_eq!(
        told(&events),
        [
            "pull manifest team/app v1 admin password 404 failed",
            "pull manifest team/app v1 admin password 401 unauthorized",
            "push upload team/app admin password 401 unauthorized",
            "catalog password 401 unauthorized",
            "login password 401 unauthorized",
            "pull manifest closed/app v1 anonymous 403 denied",
            "pull manifest closed/app v1 anonymous 403 denied",
        ]
    );
    for event in &events {
        assert_eq!(event["client"], "127.0.0.1");
    }
    let text = fs_err::read_to_string(served.dir.join("audit.log")).unwrap();
    assert!(!text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn a_certificate_and_a_password_are_told_apart() {
    let (mut served, made) = behind_gates();
    let certs = made.dir.join("certs");
    let carol = || stranger(&served).showing(&certs.join("carol.crt"), &certs.join("carol.key"));
    let in_place_of = |client: Client| async move {
        let answer = client.get("/v2/open/app/manifests/v1").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    };
    in_place_of(carol()).await;
    // Nobody looks at it there.
    in_place_of(carol().basic("somebody", "hunter2")).await;
    let asked = carol().basic(USER, PASSWORD).get("/v2/").await;
    assert_eq!(asked.status, StatusCode::OK);
    served.access_logged(" - carol [");
    served.access_logged(" - carol [");
    served.access_logged(" - admin [");
    let events = all_events(&mut served);
    assert_eq!(
        told(&events),
        [
            "pull manifest open/app v1 carol certificate 404 failed",
            "pull manifest open/app v1 carol certificate 404 failed",
            "login admin password 200 allowed",
        ]
    );
}
