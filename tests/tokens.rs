//! Tokens: asked for, given out, believed and refused, as Docker's protocol has
//! it.

mod harness;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use harness::client::{Answer, Client, full};
use harness::image::{Image, noise};
use harness::{Tidegate, USER, run, up};
use http::{Method, StatusCode};
use serde_json::{Value, json};

/// Everybody may pull, and admin may do everything.
const OPEN: &str = "[access]\nanonymous = \"pull\"\n\n\
                    [[access.rule]]\nusers = [\"admin\"]\n\n\
                    [[access.rule]]\nusers = [\"*\"]\nrepositories = [\"shared/**\"]\nactions = [\"push\"]\n\n\
                    [registry]";

fn open_to_all() -> Tidegate {
    let mut tidegate = up().config("[registry]", OPEN).start();
    let file = tidegate.dir.join("auth/htpasswd");
    let file = file.to_str().unwrap();
    let made = run(["htpasswd", "-Bb", file, "bob", "bob's password"], "");
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    tidegate.logged("read the password file again");
    tidegate
}

fn stranger(tidegate: &Tidegate) -> Client {
    Client::new(tidegate.address, &tidegate.ca())
}

async fn token_for(client: &Client, scopes: &str) -> String {
    let answer = client
        .get(&format!("/auth/token?service=tidegate{scopes}"))
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let token = &answer.json()["token"];
    token.as_str().expect("a token").to_owned()
}

fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).expect("three parts");
    let json = BASE64_URL_SAFE_NO_PAD.decode(part).expect("base64url");
    serde_json::from_slice(&json).expect("JSON")
}

fn challenge(answer: &Answer) -> String {
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.text());
    assert_eq!(answer.error_code(), "UNAUTHORIZED");
    answer.header("www-authenticate").to_owned()
}

#[tokio::test]
async fn a_stranger_gets_a_token_to_pull_and_none_to_push() {
    let tidegate = open_to_all();
    let image = Image::of(vec![noise(1, 1000)]);
    image.push(&tidegate.client(), "team/app", "v1").await;

    let stranger = stranger(&tidegate);
    let realm = format!(
        "Bearer realm=\"https://{}/auth/token\",service=\"tidegate\"",
        tidegate.address
    );
    assert_eq!(challenge(&stranger.get("/v2/").await), realm);

    // Whoever does not ask first may pull at once.
    image.assert_pulls(&stranger, "team/app", "v1").await;

    let token = token_for(&stranger, "&scope=repository:team/app:pull,push").await;
    assert_eq!(claims(&token)["sub"], "");
    assert_eq!(
        claims(&token)["access"],
        json!([{"type": "repository", "name": "team/app", "actions": ["pull"]}])
    );
    let bearer = stranger.clone().bearer(&token);
    assert_eq!(bearer.get("/v2/").await.status, StatusCode::OK);
    image.assert_pulls(&bearer, "team/app", "v1").await;
    let refused = bearer.post("/v2/team/app/blobs/uploads/").await;
    assert_eq!(
        challenge(&refused),
        format!("{realm},scope=\"repository:team/app:pull,push\"")
    );
    // It counts for what it was asked for.
    let refused = bearer.get("/v2/other/manifests/v1").await;
    assert_eq!(
        challenge(&refused),
        format!("{realm},scope=\"repository:other:pull\",error=\"insufficient_scope\"")
    );
}

#[tokio::test]
async fn a_password_gets_a_token_for_what_its_user_may_do() {
    let tidegate = open_to_all();
    let admin = tidegate.client();
    let token = token_for(
        &admin,
        "&account=admin&scope=repository:team/app:pull,push,delete&scope=registry:catalog:*",
    )
    .await;
    let said = claims(&token);
    assert_eq!(said["iss"], "tidegate");
    assert_eq!(said["aud"], "tidegate");
    assert_eq!(said["sub"], USER);
    assert_eq!(
        said["access"],
        json!([
            {"type": "repository", "name": "team/app", "actions": ["pull", "push", "delete"]},
            {"type": "registry", "name": "catalog", "actions": ["*"]},
        ])
    );
    let bearer = stranger(&tidegate).bearer(&token);
    let image = Image::of(vec![noise(2, 1000)]);
    image.push(&bearer, "team/app", "v1").await;
    let catalog = bearer.get("/v2/_catalog").await;
    assert_eq!(catalog.json()["repositories"], json!(["team/app"]));
    assert_eq!(
        bearer.delete("/v2/team/app/manifests/v1").await.status,
        StatusCode::ACCEPTED
    );
    assert!(tidegate_logs_user(tidegate, USER));

    let tidegate = open_to_all();
    let bob = stranger(&tidegate).basic("bob", "bob's password");
    let token = token_for(
        &bob,
        "&scope=repository:team/app:pull,push&scope=repository:shared/x:*",
    )
    .await;
    assert_eq!(
        claims(&token)["access"],
        json!([
            {"type": "repository", "name": "team/app", "actions": ["pull"]},
            {"type": "repository", "name": "shared/x", "actions": ["pull", "push"]},
        ])
    );
    let bearer = stranger(&tidegate).bearer(&token);
    let refused = bearer.post("/v2/team/app/blobs/uploads/").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(refused.error_code(), "DENIED");
    let detail = refused.json()["errors"][0]["detail"].clone();
    assert_eq!(detail, "`bob` may not push in team/app");
    let begun = bearer.post("/v2/shared/x/blobs/uploads/").await;
    assert_eq!(begun.status, StatusCode::ACCEPTED);
}

/// Whether the access log names the user behind a token.
fn tidegate_logs_user(mut tidegate: Tidegate, user: &str) -> bool {
    let line = tidegate.access_logged("DELETE");
    line.contains(&format!(" {user} "))
}

#[tokio::test]
async fn the_other_form_gets_the_same_and_a_token_for_later() {
    let tidegate = open_to_all();
    let client = stranger(&tidegate).header("content-type", "application/x-www-form-urlencoded");
    let post = async |form: String| client.send(Method::POST, "/auth/token", full(form)).await;
    let answer = post(
        "grant_type=password&username=bob&password=bob%27s+password&service=tidegate\
         &client_id=docker&access_type=offline&scope=repository:shared/x:pull,push"
            .to_owned(),
    )
    .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let given = answer.json();
    assert_eq!(given["scope"], "repository:shared/x:pull,push");
    assert_eq!(given["expires_in"], 300);
    assert_eq!(given["access_token"], given["token"]);
    let refresh = given["refresh_token"]
        .as_str()
        .expect("asked for")
        .to_owned();

    let later = |token: &str| {
        format!(
            "grant_type=refresh_token&refresh_token={token}&service=tidegate&scope=repository:a:pull"
        )
    };
    let answer = post(later(&refresh)).await;
    assert_eq!(
        claims(answer.json()["access_token"].as_str().unwrap())["sub"],
        "bob"
    );
    let wrong = post(later(&format!("{refresh}x"))).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert_eq!(wrong.json()["details"], "incorrect username or password");

    // With the password goes what it got.
    let file = tidegate.dir.join("auth/htpasswd");
    let changed = run(
        ["htpasswd", "-Bb", file.to_str().unwrap(), "bob", "another"],
        "",
    );
    assert_eq!(changed.code, Some(0));
    let mut tidegate = tidegate;
    tidegate.logged("read the password file again");
    let answer = post(later(&refresh)).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_does_not_count_is_refused() {
    let mut tidegate = open_to_all();
    let someone = stranger(&tidegate);
    let wrong = someone
        .clone()
        .basic("bob", "wrong")
        .get("/auth/token?service=a")
        .await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert_eq!(wrong.header("www-authenticate"), "Basic realm=\"tidegate\"");
    let another = someone.clone().basic("bob", "bob's password");
    let mistaken = another.get("/auth/token?service=a&account=alice").await;
    assert_eq!(mistaken.status, StatusCode::BAD_REQUEST);
    let many = "&scope=repository:a:pull".repeat(300);
    let too_many = someone.get(&format!("/auth/token?service=a{many}")).await;
    assert_eq!(
        too_many.status,
        StatusCode::BAD_REQUEST,
        "{}",
        too_many.text()
    );
    let method = someone.delete("/auth/token").await;
    assert_eq!(method.status, StatusCode::METHOD_NOT_ALLOWED);
    let long = someone
        .send(Method::POST, "/auth/token", full(vec![b'a'; 100_000]))
        .await;
    assert_eq!(long.status, StatusCode::PAYLOAD_TOO_LARGE);

    let good = token_for(&another, "&scope=repository:shared/x:pull,push").await;
    let other_service = someone.clone().basic("bob", "bob's password");
    let for_another = other_service.get("/auth/token?service=another").await;
    let for_another = for_another.json()["token"].as_str().unwrap().to_owned();
    let (head, signature) = good.rsplit_once('.').unwrap();
    let (header, body) = head.split_once('.').unwrap();
    let unsigned = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
    let more = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(body).unwrap()).unwrap();
    let more = BASE64_URL_SAFE_NO_PAD.encode(more.replace("shared/x", "team/app"));
    for token in [
        "abc",
        &for_another,
        &format!("{unsigned}.{body}."),
        &format!("{unsigned}.{body}.{signature}"),
        &format!("{header}.{more}.{signature}"),
        &format!("{head}.{}", signature.chars().rev().collect::<String>()),
    ] {
        let refused = someone
            .clone()
            .bearer(token)
            .get("/v2/shared/x/tags/list")
            .await;
        let asked = challenge(&refused);
        assert!(
            asked.ends_with(",error=\"invalid_token\""),
            "{token}: {asked}"
        );
        assert!(
            asked.contains(",scope=\"repository:shared/x:pull\""),
            "{asked}"
        );
    }
    tidegate.logged("a token does not count");

    // Whoever is gone takes their tokens with them.
    let bearer = someone.clone().bearer(&good);
    assert_eq!(bearer.get("/v2/").await.status, StatusCode::OK);
    let file = tidegate.dir.join("auth/htpasswd");
    run(["htpasswd", "-D", file.to_str().unwrap(), "bob"], "");
    tidegate.logged("read the password file again");
    assert!(challenge(&bearer.get("/v2/").await).ends_with("error=\"invalid_token\""));
}

#[tokio::test]
async fn the_key_stays_and_is_published() {
    let tidegate = open_to_all();
    let key = tidegate.dir.join("auth/token.key");
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&fs_err::metadata(&key).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let someone = stranger(&tidegate);
    let keys = someone.get("/.well-known/tidegate/jwks.json").await.json();
    assert_eq!(keys["keys"][0]["kty"], "EC");
    assert_eq!(keys["keys"][0]["use"], "sig");
    assert_eq!(keys["keys"][0].get("d"), None, "the private half");
    let token = token_for(&someone, "").await;
    let header = token.split('.').next().unwrap();
    let header: Value =
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    assert_eq!(header["kid"], keys["keys"][0]["kid"]);
    assert_eq!(header["alg"], "ES256");
    assert_eq!(header["x5c"].as_array().map(Vec::len), Some(1));

    let mut tidegate = tidegate;
    let (dir, address) = (tidegate.dir.clone(), tidegate.address);
    tidegate.stop();
    let again = up().in_dir(&dir).listen(&address.to_string()).start();
    let bearer = stranger(&again).bearer(&token);
    assert_eq!(bearer.get("/v2/").await.status, StatusCode::OK);
}
