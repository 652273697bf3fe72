//! Passwords for programs: made, used, and taken back while a registry runs.

mod harness;

use std::path::Path;

use harness::client::Client;
use harness::image::{Image, noise};
use harness::{Finished, Tidegate, USER, run, up};
use http::StatusCode;
use serde_json::Value;

/// Runs `tidegate token` for a registry.
fn token(dir: &Path, command: &str, arguments: &[&str]) -> Finished {
    let config = dir.join("tidegate.toml");
    let config = config.to_string_lossy();
    let begin = ["token", command, "-c", &config];
    run(begin.iter().chain(arguments), "")
}

/// Makes a robot, and waits until the server knows it: password and id.
fn create(tidegate: &mut Tidegate, arguments: &[&str]) -> (String, String) {
    let made = token(&tidegate.dir, "create", &[arguments, &["--json"]].concat());
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    tidegate.logged("file of robots");
    let shown: Value = serde_json::from_str(&made.stdout).expect("JSON");
    let text = |key: &str| shown[key].as_str().expect("a text").to_owned();
    (text("password"), text("id"))
}

fn image() -> Image {
    Image::of(vec![noise(1, 1000), noise(2, 1000)])
}

fn stranger(tidegate: &Tidegate) -> Client {
    Client::new(tidegate.address, &tidegate.ca())
}

#[tokio::test]
async fn a_robot_may_do_what_it_was_made_for_and_nothing_else() {
    let mut tidegate = up().start();
    let team = [
        "--user",
        "ci",
        "--repo",
        "team/**",
        "--actions",
        "pull,push",
    ];
    let (password, id) = create(&mut tidegate, &team);
    let robot = stranger(&tidegate).basic("ci", &password);
    assert_eq!(robot.get("/v2/").await.status, StatusCode::OK);
    assert!(tidegate.access_logged("/v2/").contains(" ci "));
    image().push(&robot, "team/app", "v1").await;
    image().assert_pulls(&robot, "team/app", "v1").await;
    image().push(&tidegate.client(), "other/app", "v1").await;

    for path in [
        "/v2/other/app/manifests/v1",
        "/v2/_catalog",
        "/v2/teams/tags/list",
    ] {
        let answer = robot.get(path).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        assert_eq!(answer.error_code(), "DENIED", "{path}");
    }
    let push = robot.post("/v2/other/app/blobs/uploads/").await;
    assert_eq!(push.status, StatusCode::FORBIDDEN);
    let delete = robot.delete("/v2/team/app/manifests/v1").await;
    assert_eq!(delete.status, StatusCode::FORBIDDEN);
    // What it may not pull it may not take over either.
    let blob = harness::image::sha256(&noise(1, 1000));
    for query in [
        format!("mount={blob}&from=other/app"),
        format!("mount={blob}"),
    ] {
        let path = format!("/v2/team/new/blobs/uploads/?{query}");
        assert_eq!(
            robot.post(&path).await.status,
            StatusCode::ACCEPTED,
            "{query}"
        );
    }

    // With another's name, or a little wrong, it is nobody's.
    for (user, password) in [
        (USER, password.clone()),
        ("ci", format!("{password}a")),
        ("ci", password.to_uppercase()),
        ("ci", format!("tgr_{id}_")),
    ] {
        let answer = stranger(&tidegate).basic(user, &password).get("/v2/").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{user}");
        assert_eq!(answer.error_code(), "UNAUTHORIZED");
    }
    // Users do not notice.
    image()
        .assert_pulls(&tidegate.client(), "team/app", "v1")
        .await;
}

#[tokio::test]
async fn a_list_is_of_what_a_robot_may_pull() {
    let mut tidegate = up().start();
    for repository in ["other/app", "team/a", "team/b"] {
        image().push(&tidegate.client(), repository, "v1").await;
    }
    let listing = [
        "--user",
        "ci",
        "--repo",
        "team/**",
        "--actions",
        "pull,catalog",
    ];
    let (password, _) = create(&mut tidegate, &listing);
    let robot = stranger(&tidegate).basic("ci", &password);
    let listed = robot.get("/v2/_catalog").await.json();
    assert_eq!(
        listed["repositories"],
        serde_json::json!(["team/a", "team/b"])
    );
    let (password, _) = create(
        &mut tidegate,
        &["--user", "ci", "--repo", "**", "--actions", "*"],
    );
    let robot = stranger(&tidegate).basic("ci", &password);
    let listed = robot.get("/v2/_catalog").await.json();
    assert_eq!(listed["repositories"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_robot_is_taken_back_while_the_registry_runs() {
    let mut tidegate = up().start();
    let team = ["--user", "ci", "--repo", "team/*", "--actions", "pull"];
    let (password, id) = create(&mut tidegate, &team);
    let (kept, _) = create(&mut tidegate, &team);
    let robot = stranger(&tidegate).basic("ci", &password);
    let other = stranger(&tidegate).basic("ci", &kept);
    assert_eq!(robot.get("/v2/").await.status, StatusCode::OK);

    let revoked = token(&tidegate.dir, "revoke", &[&id]);
    assert_eq!(revoked.code, Some(0), "{}", revoked.stderr);
    tidegate.logged("file of robots");
    assert_eq!(robot.get("/v2/").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(other.get("/v2/").await.status, StatusCode::OK);
    let again = token(&tidegate.dir, "revoke", &[&id]);
    assert_eq!(again.code, Some(1));
    assert!(again.stderr.contains("has no robot"), "{}", again.stderr);

    // A file that cannot be read keeps those that were there, and says so.
    let file = tidegate.dir.join("auth/robots.json");
    let good = fs_err::read(&file).unwrap();
    fs_err::write(&file, "{\"version\": 1").unwrap();
    let line = tidegate.logged("ERROR");
    assert!(line.contains("file of robots"), "{line}");
    assert_eq!(other.get("/v2/").await.status, StatusCode::OK);
    let refused = token(&tidegate.dir, "create", &team);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("it ends in the middle"),
        "{}",
        refused.stderr
    );

    // One that is over is as good as none.
    let over = String::from_utf8(good).unwrap();
    let over = over.replace("\"expires\": null", "\"expires\": \"2026-01-01T00:00:00Z\"");
    fs_err::write(&file, over).unwrap();
    tidegate.logged("read the file of robots");
    assert_eq!(other.get("/v2/").await.status, StatusCode::UNAUTHORIZED);
    let listed = token(&tidegate.dir, "list", &[]);
    assert!(listed.stdout.contains("expired"), "{}", listed.stdout);
}

#[tokio::test]
async fn guessing_robots_does_not_keep_the_right_one_out() {
    let mut tidegate = up().start();
    let team = ["--user", "ci", "--repo", "team/*", "--actions", "pull"];
    let (password, id) = create(&mut tidegate, &team);
    let guesser = stranger(&tidegate).basic("ci", &format!("tgr_{id}_{}", "a".repeat(38)));
    let mut statuses = vec![];
    for _ in 0..11 {
        statuses.push(guesser.get("/v2/").await.status.as_u16());
    }
    assert_eq!(statuses, [[401; 10].as_slice(), &[429]].concat());
    let robot = stranger(&tidegate).basic("ci", &password);
    assert_eq!(robot.get("/v2/").await.status, StatusCode::OK);
}

#[test]
fn the_command_shows_a_password_once_and_never_again() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("tidegate.toml");
    let shown = config.to_string_lossy().into_owned();
    let text = "[[listener]]\naddress = \"127.0.0.1:0\"\nprotocol = \"http\"\n\
                [auth]\nhtpasswd = \"htpasswd\"\n[registry]\nroot = \"registry\"\n";
    let run = |arguments: &[&str]| {
        let begin = ["token", arguments[0], "-c", &shown];
        run(begin.iter().chain(&arguments[1..]), "")
    };
    let create = [
        "create",
        "--user",
        "ci",
        "--repo",
        "team/**",
        "--repo",
        "~v[0-9]+",
        "--actions",
        "pull,push",
    ];
    fs_err::write(&config, text).unwrap();
    let unsaid = run(&create);
    assert_eq!(unsaid.code, Some(1));
    assert!(
        unsaid.stderr.contains("hint: add `robots = "),
        "{}",
        unsaid.stderr
    );

    let named = text.replace("\"htpasswd\"", "\"htpasswd\"\nrobots = \"robots.json\"");
    fs_err::write(&config, named).unwrap();
    assert!(run(&["list"]).stdout.is_empty());
    let made = run(&[&create[..], &["--days", "90", "--description", "nightly"]].concat());
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let password = made.stdout.trim_end();
    assert_eq!(password.len(), 51, "{password}");
    assert!(!made.stderr.contains(password), "{}", made.stderr);
    let id = &password[4..12];
    assert!(made.stderr.contains(id), "{}", made.stderr);

    for arguments in [&["list"][..], &["list", "--json"]] {
        let listed = run(arguments);
        assert_eq!(listed.code, Some(0), "{}", listed.stderr);
        for part in [id, "ci", "team/**", "~v[0-9]+", "pull", "nightly"] {
            assert!(listed.stdout.contains(part), "{part}\n{}", listed.stdout);
        }
        let hash = harness::image::sha256(password.as_bytes());
        for secret in [&password[13..], &hash["sha256:".len()..]] {
            assert!(!listed.stdout.contains(secret), "{}", listed.stdout);
        }
    }
    let stored = fs_err::read_to_string(dir.path().join("robots.json")).unwrap();
    assert!(!stored.contains(&password[13..]), "{stored}");

    for (arguments, code, said) in [
        (
            &[
                "create",
                "--user",
                "c:i",
                "--repo",
                "a",
                "--actions",
                "pull",
            ][..],
            2,
            "contains `:`",
        ),
        (
            &[
                "create",
                "--user",
                "ci",
                "--repo",
                "team/",
                "--actions",
                "pull",
            ],
            2,
            "--repo",
        ),
        (
            &["create", "--user", "ci", "--repo", "a", "--actions", "read"],
            2,
            "`read`",
        ),
        (
            &["create", "--user", "ci", "--repo", "a", "--actions", ""],
            2,
            "--actions",
        ),
        (
            &["create", "--user", "ci", "--actions", "pull"],
            2,
            "--repo",
        ),
        (
            &[
                "create",
                "--user",
                "ci",
                "--repo",
                "a",
                "--actions",
                "pull",
                "--days",
                "0",
            ],
            2,
            "--days",
        ),
        (&["revoke", "nonsense"], 2, "an id has 8"),
        (&["revoke", "aaaaaaaa"], 1, "has no robot"),
    ] {
        let refused = run(arguments);
        assert_eq!(refused.code, Some(code), "{arguments:?} {}", refused.stderr);
        assert!(refused.stderr.contains(said), "{}", refused.stderr);
    }
    let push_only = run(&["create", "--user", "ci", "--repo", "a", "--actions", "push"]);
    assert!(
        push_only.stderr.contains("needs pull as well"),
        "{}",
        push_only.stderr
    );
}

#[test]
fn two_who_make_robots_at_the_same_time_both_get_one() {
    let tidegate = up().start();
    let arguments = ["--user", "ci", "--repo", "a", "--actions", "pull"];
    let dir = &tidegate.dir;
    std::thread::scope(|scope| {
        let make = || token(dir, "create", &arguments);
        let both: Vec<_> = (0..4).map(|_| scope.spawn(make)).collect();
        for one in both {
            let made = one.join().unwrap();
            assert_eq!(made.code, Some(0), "{}", made.stderr);
        }
    });
    let listed = token(&tidegate.dir, "list", &["--json"]);
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn a_robot_gets_tokens_for_what_it_may_do() {
    let open = "[access]\nanonymous = \"pull\"\n\n[registry]";
    let mut tidegate = up().config("[registry]", open).start();
    let team = [
        "--user",
        USER,
        "--repo",
        "team/**",
        "--actions",
        "push,pull",
    ];
    let (password, id) = create(&mut tidegate, &team);
    let robot = stranger(&tidegate).basic(USER, &password);
    let ask = "/auth/token?service=tidegate&offline_token=true&account=admin\
               &scope=repository:team/app:pull,push,delete&scope=repository:other:push";
    let answer = robot.get(ask).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let given = answer.json();
    // The user of the same name would get one, and is somebody else.
    assert_eq!(given.get("refresh_token"), None);
    let bearer = stranger(&tidegate).bearer(given["token"].as_str().unwrap());
    image().push(&bearer, "team/app", "v1").await;
    let delete = bearer.delete("/v2/team/app/manifests/v1").await;
    assert_eq!(delete.status, StatusCode::FORBIDDEN);
    let other = bearer.post("/v2/other/blobs/uploads/").await;
    assert_eq!(other.status, StatusCode::FORBIDDEN);

    assert_eq!(token(&tidegate.dir, "revoke", &[&id]).code, Some(0));
    tidegate.logged("file of robots");
    // Neither the password nor what was given for it counts any more.
    assert_eq!(robot.get(ask).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(bearer.get("/v2/").await.status, StatusCode::UNAUTHORIZED);
}
