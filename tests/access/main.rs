//! Who may do what, with the real program over TLS.

mod addresses;
mod explained;
#[path = "../harness/mod.rs"]
mod harness;
mod lists;
mod mounts;
mod reloaded;
mod strangers;
mod teams;

use harness::client::{Answer, Client};
use harness::image::{Image, noise};
use harness::{Tidegate, run, up};
use http::StatusCode;

/// Two teams with repositories of their own, images for all, and an
/// administrator. Carol is in no team.
const TEAMS: &str = r#"
[access.groups]
red = ["alice"]
blue = ["bob"]

[[access.rule]]
users = ["admin"]

[[access.rule]]
groups = ["red"]
repositories = ["red/**"]
actions = ["pull", "push", "catalog"]

[[access.rule]]
groups = ["blue"]
repositories = ["blue/**"]

[[access.rule]]
users = ["*"]
repositories = ["base/**"]
actions = ["pull"]
"#;

/// A registry with these rules and the users alice, bob and carol, apart from
/// the one that all have.
fn with_rules(access: &str) -> Tidegate {
    with_users(up().config("[registry]\n", &format!("{access}\n[registry]\n")))
}

fn with_users(made: harness::Up) -> Tidegate {
    let mut tidegate = made.start();
    let file = tidegate.dir.join("auth/htpasswd");
    let mut users = fs_err::read_to_string(&file).expect("it is there");
    for user in ["alice", "bob", "carol"] {
        let line = run(["htpasswd", "-nbB", "-C", "4", user, user], "");
        assert_eq!(line.code, Some(0), "{}", line.stderr);
        users.push_str(line.stdout.trim());
        users.push('\n');
    }
    fs_err::write(&file, users).expect("it is ours");
    tidegate.logged("read the password file again");
    tidegate
}

/// A client that logs in as one of them.
fn logged_in(tidegate: &Tidegate, user: &str) -> Client {
    tidegate.client().basic(user, user)
}

/// Nobody in particular.
fn stranger(tidegate: &Tidegate) -> Client {
    tidegate.client().anonymous()
}

fn image(seed: u64) -> Image {
    Image::of(vec![noise(seed, 1000)])
}

/// 403 with a detail, and the same for HEAD if it was GET.
#[track_caller]
fn assert_denied(answer: &Answer, detail: &str) {
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.text());
    assert_eq!(answer.error_code(), "DENIED");
    assert_eq!(answer.json()["errors"][0]["detail"], detail);
    // Logging in again would not help.
    assert!(!answer.headers.contains_key("www-authenticate"));
}
