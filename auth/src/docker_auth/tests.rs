mod rules;

use tidegate_failure::Explain as _;

use super::*;
use crate::hash::{Cost, hash_password};

/// What stands before users and rules in each file here; five lines.
const START: &str = "server:\n  addr: \":5001\"\ntoken: {issuer: Acme, expiration: 900,\n  \
                     certificate: c.pem, key: c.key}\n\n";

/// A file that can be changed, and what is made of it.
struct Fixture {
    auth: DockerAuth,
    path: PathBuf,
    _directory: tempfile::TempDir,
}

impl Fixture {
    /// Of the file's last lines.
    fn new(users_and_acl: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("auth_config.yml");
        fs_err::write(&path, format!("{START}{users_and_acl}")).unwrap();
        Self {
            auth: DockerAuth::open(&path, Refusals::Stop).unwrap(),
            path,
            _directory: directory,
        }
    }

    fn write(&self, users_and_acl: &str) {
        fs_err::write(&self.path, format!("{START}{users_and_acl}")).unwrap();
    }

    async fn from(&self, last: u8, user: &str, password: &str) -> Authenticated {
        let client = [192, 0, 2, last].into();
        let attempt = Attempt {
            user,
            password,
            client,
        };
        self.auth.authenticate(attempt).await
    }
}

fn hash(password: &str) -> String {
    hash_password(password, Cost::MIN)
        .unwrap()
        .as_str()
        .to_owned()
}

fn granted(labels: &[(&str, &[&str])]) -> Authenticated {
    let texts = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    let labels = labels
        .iter()
        .map(|(name, values)| ((*name).to_owned(), texts(values)));
    Authenticated::Granted {
        labels: labels.collect(),
    }
}

#[tokio::test]
async fn users_come_in_by_their_passwords_and_bring_their_labels() {
    let fixture = Fixture::new(&format!(
        "users:\n  alice: {{password: \"{}\", labels: {{team: [red, blue]}}}}\n  \
         guest: {{}}\n  broken: {{password: \"\"}}\n  nobody:\n  \"\": {{labels: {{kind: [anonymous]}}}}\nacl: []\n",
        hash("sesame")
    ));
    let alice = granted(&[("team", &["red", "blue"])]);
    for _ in 0..2 {
        assert_eq!(fixture.from(1, "alice", "sesame").await, alice);
    }
    assert_eq!(fixture.auth.passwords.hashed(), 1);
    assert_eq!(
        fixture.from(1, "alice", "Sesame").await,
        Authenticated::Refused
    );
    assert_eq!(fixture.from(1, "alice", "").await, Authenticated::Refused);
    // Without a password any lets in, but an empty one lets nobody in.
    assert_eq!(fixture.from(1, "guest", "whatever").await, granted(&[]));
    assert_eq!(fixture.from(1, "guest", "").await, granted(&[]));
    for password in ["", "x"] {
        assert_eq!(
            fixture.from(1, "broken", password).await,
            Authenticated::Refused
        );
        assert_eq!(
            fixture.from(1, "nobody", password).await,
            Authenticated::NoMatch
        );
    }
    assert_eq!(
        fixture.from(1, "", "").await,
        granted(&[("kind", &["anonymous"])])
    );
    assert_eq!(
        fixture.from(2, "Alice", "sesame").await,
        Authenticated::NoMatch
    );

    let Authenticated::Granted { labels } = alice else {
        unreachable!();
    };
    assert_eq!(fixture.auth.labels("alice"), Some(labels));
    assert_eq!(fixture.auth.labels("nobody"), None);
    assert!(fixture.auth.stored("alice").unwrap().starts_with("$2"));
    assert!(fixture.auth.stored("guest").is_none() && fixture.auth.stored("broken").is_none());
    assert!(!format!("{:?}", fixture.auth).contains("$2"));
}

#[tokio::test]
async fn clients_that_ask_first_are_no_guessers_and_guessers_have_to_wait() {
    let fixture = Fixture::new("users: {}\nacl: []\n");
    for _ in 0..100 {
        assert_eq!(fixture.from(1, "", "").await, Authenticated::NoMatch);
    }
    assert_eq!(fixture.auth.passwords.hashed(), 0);
    for number in 0..MOST_FAILURES {
        let answer = fixture.from(1, "root", &number.to_string()).await;
        assert_eq!(answer, Authenticated::NoMatch);
    }
    // Though there is nobody, each took the work of a hash.
    assert_eq!(fixture.auth.passwords.hashed(), u64::from(MOST_FAILURES));
    let answer = fixture.from(1, "root", "more").await;
    assert!(
        matches!(answer, Authenticated::Throttled { .. }),
        "{answer:?}"
    );
    assert_eq!(
        fixture.from(2, "root", "other").await,
        Authenticated::NoMatch
    );
}

#[tokio::test]
async fn a_change_counts_and_a_broken_file_does_not() {
    let users = |name: &str, password: &str| {
        let hash = hash(password);
        format!("users:\n  {name}: {{password: \"{hash}\"}}\n")
    };
    let acl = "acl:\n  - {match: {name: app}, actions: [pull]}\n";
    let fixture = Fixture::new(&format!("{}{acl}", users("alice", "one")));
    let asked = vec!["pull".to_owned(), "push".to_owned()];
    let labels = Labels::new();
    let request = AuthRequest {
        account: "alice",
        kind: "repository",
        name: "app",
        service: "",
        ip: None,
        actions: &asked,
        labels: &labels,
    };
    assert!(fixture.auth.reload_if_changed().is_none());
    assert_eq!(fixture.auth.authorize(&request), ["pull"]);
    assert_eq!(fixture.auth.deciding_line(&request), Some(9));
    assert_eq!(fixture.from(1, "alice", "one").await, granted(&[]));

    // Broken in each way: as YAML, by its sense, by what is not honoured.
    for broken in [
        "users: [".to_owned(),
        format!(
            "{}acl:\n  - {{match: {{nme: app}}, actions: [\"*\"]}}\n",
            users("bob", "two")
        ),
        format!("{}{acl}ldap_auth: {{addr: x}}\n", users("bob", "two")),
    ] {
        fixture.write(&broken);
        let error = fixture.auth.reload_if_changed().unwrap().unwrap_err();
        let shown = format!("{error} {:?}", error.hint());
        assert!(shown.contains("auth_config.yml:"), "{shown}");
        assert!(!shown.contains("$2"), "{shown}");
        assert!(
            fixture.auth.reload_if_changed().is_none(),
            "it is tried once"
        );
        assert_eq!(fixture.auth.authorize(&request), ["pull"]);
        assert_eq!(fixture.from(1, "alice", "one").await, granted(&[]));
        assert_eq!(fixture.from(9, "bob", "two").await, Authenticated::NoMatch);
    }

    fixture.write(&format!(
        "{}acl: [{{match: {{}}, actions: [\"*\"]}}]\n",
        users("bob", "two")
    ));
    let reloaded = fixture.auth.reload_if_changed().unwrap().unwrap();
    assert_eq!(reloaded, Reloaded { users: 1, rules: 1 });
    assert_eq!(fixture.auth.authorize(&request), ["pull", "push"]);
    assert_eq!(fixture.from(2, "bob", "two").await, granted(&[]));
    assert_eq!(
        fixture.from(2, "alice", "one").await,
        Authenticated::NoMatch
    );

    fs_err::remove_file(&fixture.path).unwrap();
    let error = fixture.auth.reload_if_changed().unwrap().unwrap_err();
    assert!(error.hint().unwrap().contains("auth_config.yml"), "{error}");
    assert_eq!(fixture.from(2, "bob", "two").await, granted(&[]));
}

#[test]
fn what_cannot_be_honoured_stops_unless_it_is_passed_over() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("auth_config.yml");
    let text =
        format!("{START}users: {{}}\nacl: []\nldap_auth:\n  addr: x\next_authz: {{command: y}}\n");
    fs_err::write(&path, text).unwrap();
    let error = DockerAuth::open(&path, Refusals::Stop)
        .unwrap_err()
        .to_string();
    let lines: Vec<_> = error.lines().collect();
    assert_eq!(lines.len(), 2, "{error}");
    assert!(
        lines[0].contains(":8:1: ldap_auth: nobody is looked up in LDAP"),
        "{error}"
    );
    assert!(
        lines[1].contains(":10:1: ext_authz: no program is asked"),
        "{error}"
    );
    let auth = DockerAuth::open(&path, Refusals::Pass).unwrap();
    let refused = auth.findings().into_iter();
    let refused =
        refused.filter(|finding| matches!(finding.verdict, tidegate_config::Verdict::Refused(_)));
    assert_eq!(refused.count(), 2);
    assert_eq!(auth.config().token.issuer, "Acme");
}

#[test]
fn every_hash_that_the_file_may_hold_can_be_checked() {
    use tidegate_config::auth_config::BcryptHash;
    assert_eq!(BcryptHash::MOST_COST, Cost::MAX.value());
    for hash in [hash("a"), StoredHash::usual_decoy().as_str().to_owned()] {
        let read: BcryptHash = hash.parse().unwrap();
        StoredHash::parse(read.as_str()).unwrap();
    }
}
