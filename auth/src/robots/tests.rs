use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use tidegate_config::Auth;
use time::macros::datetime;

use super::*;
use crate::hash::{Cost, hash_password};
use crate::htpasswd::UserName;

const NOW: OffsetDateTime = datetime!(2026-06-01 12:00 UTC);

struct Fixture {
    robots: Robots,
    path: PathBuf,
    password: String,
    robot: Robot,
    directory: tempfile::TempDir,
}

impl Fixture {
    /// A file with one robot of the user `ci`.
    fn new(expires: Option<OffsetDateTime>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("robots.json");
        let (robot, password) = create(&path, new(expires)).unwrap();
        Self {
            robots: Robots::open(&path).unwrap(),
            password: password.to_string(),
            robot,
            path,
            directory,
        }
    }

    fn find(&self, user: &str, password: &str) -> Option<Result<RobotId, Option<RobotId>>> {
        let found = self.robots.find(user, password, NOW)?;
        Some(found.map(|robot| robot.id()).map_err(|wrong| wrong.claimed))
    }

    /// A verifier with the user `alice` and three failures a minute.
    fn verifier(&self) -> Verifier {
        let path = self.directory.path().join("htpasswd");
        let hash = hash_password("sesame", Cost::MIN).unwrap();
        fs_err::write(&path, format!("alice:{}\n", hash.as_str())).unwrap();
        Verifier::open(&Auth {
            htpasswd: path,
            allow_weak_hashes: false,
            realm: "Registry".to_owned(),
            cache_ttl: Duration::from_secs(60),
            max_failures: 3,
            failure_window: Duration::from_secs(60),
        })
        .unwrap()
    }
}

fn new(expires: Option<OffsetDateTime>) -> NewRobot {
    NewRobot {
        user: UserName::parse("ci").unwrap(),
        limits: Limits {
            repositories: vec!["team/**".parse().unwrap()],
            actions: "pull".parse().unwrap(),
        },
        expires,
        description: String::new(),
    }
}

fn attempt<'a>(last: u8, user: &'a str, password: &'a str) -> Attempt<'a> {
    let client = IpAddr::from([192, 0, 2, last]);
    Attempt {
        user,
        password,
        client,
    }
}

#[test]
fn the_password_is_right_for_its_user_alone() {
    let fixture = Fixture::new(None);
    let id = fixture.robot.id();
    assert_eq!(fixture.find("ci", &fixture.password), Some(Ok(id)));
    for user in ["", "CI", "alice", "ci "] {
        let found = fixture.find(user, &fixture.password);
        assert_eq!(found, Some(Err(Some(id))), "{user}");
    }
    // Those of others are asked elsewhere.
    assert_eq!(fixture.find("ci", "sesame"), None);
    // Another robot's secret does not make this one's password.
    let (other, secret) = create(&fixture.path, new(None)).unwrap();
    fixture.robots.reload().unwrap();
    assert_eq!(fixture.find("ci", &secret), Some(Ok(other.id())));
    let mixed = secret.replace(other.id().as_str(), id.as_str());
    assert_eq!(fixture.find("ci", &mixed), Some(Err(None)));
}

#[test]
fn it_is_wrong_from_the_moment_it_expires() {
    for (expires, is_right) in [
        (NOW + Duration::from_secs(1), true),
        (NOW, false),
        (NOW - Duration::from_secs(1), false),
    ] {
        let fixture = Fixture::new(Some(expires));
        let found = fixture.find("ci", &fixture.password);
        assert_eq!(found.unwrap().is_ok(), is_right, "{expires}");
        let subject = fixture.robot.subject();
        let found = fixture.robots.of_subject(&subject, NOW);
        assert_eq!(found.is_some(), is_right);
    }
}

#[test]
fn tokens_name_a_robot_as_no_user_is_named() {
    let fixture = Fixture::new(None);
    let subject = fixture.robot.subject();
    assert!(UserName::parse(&subject).is_err());
    let id = fixture.robot.id();
    assert!(fixture.robots.of_subject(&subject, NOW).is_some());
    for other in [
        "ci",
        "",
        ":",
        "ci:",
        "ci:aaaaaaaa",
        &format!("alice:{id}"),
        &format!(":{id}"),
    ] {
        assert!(fixture.robots.of_subject(other, NOW).is_none(), "{other}");
    }
}

#[test]
fn the_file_is_read_again_when_it_changes() {
    let fixture = Fixture::new(None);
    assert!(fixture.robots.reload_if_changed().is_none());
    revoke(&fixture.path, &[fixture.robot.id()]).unwrap();
    assert_eq!(fixture.robots.reload_if_changed().unwrap().unwrap(), 0);
    let wrong = Some(Err(Some(fixture.robot.id())));
    assert_eq!(fixture.find("ci", &fixture.password), wrong);

    let (_, password) = create(&fixture.path, new(None)).unwrap();
    assert_eq!(fixture.robots.reload_if_changed().unwrap().unwrap(), 1);
    assert!(fixture.find("ci", &password).unwrap().is_ok());
    // What is broken changes nothing, and is told once.
    fs_err::write(&fixture.path, "{").unwrap();
    assert!(fixture.robots.reload_if_changed().unwrap().is_err());
    assert!(fixture.robots.reload_if_changed().is_none());
    assert!(fixture.find("ci", &password).unwrap().is_ok());
    // Who takes the file away takes all of them back, as after a restart.
    fs_err::remove_file(&fixture.path).unwrap();
    assert_eq!(fixture.robots.reload_if_changed().unwrap().unwrap(), 0);
    assert!(fixture.find("ci", &password).unwrap().is_err());
}

#[test]
fn no_file_is_no_robots_and_a_broken_one_is_an_error() {
    assert!(Robots::open("/nowhere/robots.json").is_ok());
    let fixture = Fixture::new(None);
    fs_err::write(&fixture.path, "hunter2").unwrap();
    let error = Robots::open(&fixture.path).unwrap_err();
    assert!(error.to_string().contains("it is no JSON"), "{error}");
    assert!(matches!(
        Robots::open(Path::new("/")).unwrap_err(),
        RobotsError::Read { .. }
    ));
}

#[tokio::test]
async fn wrong_ones_are_throttled_and_cost_no_hash() {
    let fixture = Fixture::new(None);
    let verifier = fixture.verifier();
    let wrong = format!("{}x", fixture.password);
    for _ in 0..3 {
        let login = fixture.robots.log_in(attempt(1, "ci", &wrong), &verifier);
        assert!(matches!(login.await, Some(RobotLogin::Refused(None))));
    }
    let login = fixture.robots.log_in(attempt(1, "ci", &wrong), &verifier);
    assert!(matches!(login.await, Some(RobotLogin::Throttled { .. })));
    // They count for the address, so that passwords wait as well …
    let alice = attempt(1, "alice", "sesame");
    assert!(matches!(
        verifier.verify(alice).await,
        Outcome::Throttled { .. }
    ));
    assert_eq!(verifier.hashed(), 0);
    // … and for no other address, whatever the name.
    let elsewhere = fixture.robots.log_in(attempt(2, "ci", &wrong), &verifier);
    assert!(matches!(elsewhere.await, Some(RobotLogin::Refused(None))));
    // The right one comes in from everywhere.
    for last in [1, 2] {
        let right = fixture
            .robots
            .log_in(attempt(last, "ci", &fixture.password), &verifier);
        assert!(matches!(right.await, Some(RobotLogin::Accepted(_))));
    }
    let other = fixture
        .robots
        .log_in(attempt(1, "alice", "sesame"), &verifier);
    assert!(other.await.is_none());
}

#[tokio::test]
async fn a_robot_has_nothing_forgiven_that_was_tried_with_its_users_name() {
    let fixture = Fixture::new(None);
    let verifier = fixture.verifier();
    for guess in ["a", "b", "c"] {
        let outcome = verifier.verify(attempt(1, "ci", guess)).await;
        assert_eq!(outcome, Outcome::Refused);
        let right = fixture
            .robots
            .log_in(attempt(1, "ci", &fixture.password), &verifier);
        assert!(matches!(right.await, Some(RobotLogin::Accepted(_))));
    }
    assert!(matches!(
        verifier.verify(attempt(1, "ci", "d")).await,
        Outcome::Throttled { .. }
    ));
}

#[test]
fn nothing_secret_is_shown() {
    let fixture = Fixture::new(None);
    let shown = format!("{:?} {:?}", fixture.robots, fixture.robot);
    assert!(!shown.contains(&fixture.password[13..]), "{shown}");
    assert!(!shown.contains(&fixture.robot.password.to_hex()), "{shown}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_mutation_of_a_password_comes_in(
        at in 0usize..52,
        cut in 0usize..4,
        put in "[a-z2-9_]{0,4}|\\PC{0,2}",
    ) {
        let fixture = Fixture::new(None);
        let mut mutated = fixture.password.clone();
        let at = at.min(mutated.len());
        mutated.replace_range(at..(at + cut).min(fixture.password.len()), &put);
        let accepted = matches!(fixture.find("ci", &mutated), Some(Ok(_)));
        prop_assert_eq!(accepted, mutated == fixture.password);
    }
}
