//! `tidegate check`, asked what somebody may do.

use serde_json::{Value, json};

use super::harness::Finished;
use super::*;

/// Asks a file that has these rules.
struct Asking {
    _directory: tempfile::TempDir,
    file: String,
}

fn asking(access: &str) -> Asking {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("t.toml");
    let text = format!(
        "[[listener]]\naddress = \"127.0.0.1:0\"\nprotocol = \"http\"\n\
         [auth]\nhtpasswd = \"users\"\n[registry]\nroot = \"registry\"\n{access}"
    );
    fs_err::write(&file, text).expect("it is ours");
    Asking {
        file: file.to_string_lossy().into_owned(),
        _directory: directory,
    }
}

impl Asking {
    fn run(&self, arguments: &[&str]) -> Finished {
        let named = ["check", "-c", &self.file];
        run(named.iter().chain(arguments), "")
    }

    /// What is said, without where the file is.
    fn said(&self, arguments: &[&str]) -> String {
        let finished = self.run(arguments);
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        finished.stdout.replace(&self.file, "t.toml")
    }
}

#[test]
fn it_says_which_rule_decides() {
    let asking = asking(TEAMS);
    assert_eq!(
        asking.said(&["--as", "alice", "--repo", "red/app"]),
        "alice in red/app:\n\
         \x20 pull     allowed  t.toml:16: group red may pull, push, catalog in red/**\n\
         \x20 push     allowed  t.toml:16: group red may pull, push, catalog in red/**\n\
         \x20 delete   refused  no rule is about it\n\
         \x20 catalog  allowed  t.toml:16: group red may pull, push, catalog in red/**\n"
    );
    assert_eq!(
        asking.said(&["--as", "carol", "--repo", "base/os", "--action", "pull"]),
        "carol in base/os:\n\
         \x20 pull     allowed  t.toml:25: who has logged in may pull in base/**\n"
    );
    assert_eq!(
        asking.said(&["--as", "admin"]),
        "admin:\n  catalog  allowed  t.toml:13: admin may do everything\n"
    );
    for stranger in ["anonymous", ""] {
        assert_eq!(
            asking.said(&["--as", stranger, "--repo", "base/os", "--action=pull"]),
            "who has not logged in in base/os:\n\
             \x20 pull     refused  no rule is about it\n"
        );
    }
}

#[test]
fn it_says_what_holds_without_a_rule() {
    let pull = ["--repo", "app", "--action", "pull"];
    let said = |access: &str, user: &str| {
        let said = asking(access).said(&[&["--as", user], &pull[..]].concat());
        let line = said.lines().nth(1).expect("an answer").trim().to_owned();
        line.trim_start_matches("pull").trim().to_owned()
    };
    let open = "[access]\nanonymous = \"pull\"\n";
    assert_eq!(
        said(open, "alice"),
        "allowed  access.anonymous: anybody may"
    );
    assert_eq!(said(open, ""), "allowed  access.anonymous: anybody may");
    assert_eq!(
        said("[access]\n", "alice"),
        "allowed  no rules: who has logged in may do everything"
    );
    assert_eq!(
        said("[access]\n", ""),
        "refused  no rules: who has not logged in may do nothing"
    );
    assert_eq!(
        said("", "alice"),
        "allowed  no [access]: whoever is let in may do everything"
    );
    assert_eq!(
        said("", ""),
        "refused  no [access]: who has not logged in may do nothing"
    );
}

#[test]
fn addresses_are_told() {
    let rules = "[[access.rule]]\nusers = [\"*\"]\naddresses = [\"10.0.0.0/8\"]\n";
    let asking = asking(rules);
    let asked = ["--as", "bob", "--repo", "app", "--action", "push"];
    let inside = [&asked[..], &["--from", "10.1.2.3"]].concat();
    assert_eq!(
        asking.said(&inside),
        "bob in app from 10.1.2.3:\n\
         \x20 push     allowed  t.toml:8: who has logged in may do everything from 10.0.0.0/8\n"
    );
    let unknown = asking.run(&asked);
    assert!(
        unknown.stdout.contains("refused  no rule"),
        "{}",
        unknown.stdout
    );
    assert!(unknown.stderr.contains("--from"), "{}", unknown.stderr);
}

#[test]
fn programs_are_told_in_json() {
    let asking = asking(TEAMS);
    let said = asking.said(&[
        "--as", "bob", "--repo", "base/os", "--from", "::1", "--json",
    ]);
    let said: Value = serde_json::from_str(&said).expect("JSON");
    let rule = json!({"number": 4, "file": "t.toml", "line": 25,
                      "says": "who has logged in may pull in base/**"});
    assert_eq!(
        said,
        json!({
            "user": "bob",
            "repository": "base/os",
            "from": "::1",
            "decisions": [
                {"action": "pull", "allowed": true, "reason": "rule", "rule": rule},
                {"action": "push", "allowed": false, "reason": "no-rule"},
                {"action": "delete", "allowed": false, "reason": "no-rule"},
                {"action": "catalog", "allowed": true, "reason": "rule", "rule": {
                    "number": 3, "file": "t.toml", "line": 21,
                    "says": "group blue may do everything in blue/**",
                }},
            ],
        })
    );
}

#[test]
fn robots_say_what_they_were_made_for() {
    let asking = asking(TEAMS);
    let text = fs_err::read_to_string(&asking.file).expect("it is ours");
    let text = text.replace("[auth]\n", "[auth]\nrobots = \"robots.json\"\n");
    fs_err::write(&asking.file, text).expect("it is ours");
    let make = |more: &[&str]| {
        let made = [
            "token",
            "create",
            "-c",
            &asking.file,
            "--user",
            "bob",
            "--json",
        ];
        let made = run(made.iter().chain(more), "");
        assert_eq!(made.code, Some(0), "{}", made.stderr);
        let made: Value = serde_json::from_str(&made.stdout).expect("JSON");
        made["id"].as_str().expect("an id").to_owned()
    };
    let id = make(&["--repo", "red/**", "--actions", "pull,catalog"]);
    let said = asking.said(&["--as", "bob", "--repo", "red/app"]);
    assert_eq!(
        said.split_once("with").expect("the robot").1,
        format!(
            " the password of robot {id}, made for pull,catalog in red/**:\n\
             \x20 pull     allowed  it was made for that\n\
             \x20 push     refused  it was not made for that\n\
             \x20 delete   refused  it was not made for that\n\
             \x20 catalog  allowed  it was made for that\n"
        )
    );
    // The rules are for the user of that name, and not for the robot.
    assert!(
        said.starts_with("bob in red/app:\n  pull     refused  no rule"),
        "{said}"
    );
    assert!(
        !asking
            .said(&["--as", "alice", "--repo", "red/app"])
            .contains("robot")
    );

    // One that is over may do nothing.
    let robots = std::path::Path::new(&asking.file).with_file_name("robots.json");
    let over = make(&["--repo", "**", "--actions", "*", "--days", "1"]);
    let text = fs_err::read_to_string(&robots).expect("robots");
    let mut document: Value = serde_json::from_str(&text).expect("JSON");
    for robot in document["robots"].as_array_mut().expect("robots") {
        if robot["id"] == *over {
            robot["created"] = json!("2001-01-01T00:00:00Z");
            robot["expires"] = json!("2001-01-02T00:00:00Z");
        }
    }
    fs_err::write(&robots, document.to_string()).expect("it is ours");
    let said = asking.said(&[
        "--as",
        "bob",
        "--repo",
        "red/app",
        "--action=pull",
        "--json",
    ]);
    let said: Value = serde_json::from_str(&said).expect("JSON");
    let pull = |allowed: bool| json!([{"action": "pull", "allowed": allowed}]);
    assert_eq!(
        said["robots"],
        json!([
            {"robot": id, "says": "pull,catalog in red/**", "expires": null,
             "expired": false, "decisions": pull(true)},
            {"robot": over, "says": "* in **",
             "expires": "2001-01-02T00:00:00Z", "expired": true, "decisions": pull(false)},
        ])
    );
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let asking = asking(TEAMS);
    for (arguments, said) in [
        (
            &["--as", "bob", "--repo", "app:v1"][..],
            "`app:v1` is no repository",
        ),
        (&["--as", "bob", "--action", "pull"], "add --repo NAME"),
        (
            &["--as", "bob", "--repo", "a", "--action", "read"],
            "`read` is no action",
        ),
        (&["--repo", "app"], "--as"),
        (&["--as", "bob", "--repo", "app", "--from", "home"], "home"),
    ] {
        let finished = asking.run(arguments);
        assert_eq!(finished.code, Some(2), "{arguments:?}: {}", finished.stderr);
        assert!(
            finished.stderr.contains(said),
            "{arguments:?}: {}",
            finished.stderr
        );
    }
}

#[test]
fn the_rules_are_listed() {
    let tidegate = with_rules(&format!("[access]\nanonymous = \"pull\"\n{TEAMS}"));
    let file = tidegate.dir.join("tidegate.toml");
    let checked = run(["check", "-c", &file.to_string_lossy()], "");
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    for part in [
        "access       line ",
        ": admin may do everything\n",
        ": group red may pull, push, catalog in red/**\n",
        "else anybody may pull\n",
        "else nothing is allowed\n",
    ] {
        assert!(checked.stdout.contains(part), "{part}: {}", checked.stdout);
    }
}
