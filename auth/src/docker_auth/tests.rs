use std::fmt::Write as _;

use serde::Deserialize;
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

/// The rules alone, one a line, for anybody.
fn rules(acl: &str) -> Acl {
    let text = format!("{START}users: {{}}\nacl: {acl}\n");
    let path = Path::new("auth_config.yml");
    Acl::new(&auth_config::parse(path, &text).unwrap().settings.acl)
}

#[derive(Deserialize)]
struct Asked {
    account: String,
    #[serde(rename = "type")]
    kind: String,
    name: String,
    service: String,
    ip: String,
    actions: Vec<String>,
    labels: Labels,
}

impl Asked {
    fn request(&self) -> AuthRequest<'_> {
        AuthRequest {
            account: &self.account,
            kind: &self.kind,
            name: &self.name,
            service: &self.service,
            ip: self.ip.parse().ok(),
            actions: &self.actions,
            labels: &self.labels,
        }
    }
}

#[test]
fn rules_say_what_they_say_with_the_functions_of_go() {
    let mut count = 0;
    let vectors = include_str!("vectors/acl.tsv");
    for line in vectors.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [acl, asked, rule, granted] = fields[..] else {
            panic!("{line:?} has four fields");
        };
        // JSON is YAML; with a rule on each line, the line tells which it is.
        let acl = acl.replace("{\"match\"", "\n  {\"match\"");
        let acl = rules(&acl);
        let asked: Asked = serde_json::from_str(asked).unwrap();
        let request = asked.request();
        let deciding = acl.deciding(&request).map_or("-1".to_owned(), |entry| {
            // The list begins on the line after the users'.
            (entry.line - 8).to_string()
        });
        assert_eq!(deciding, rule, "{line}");
        assert_eq!(acl.authorize(&request).join(","), granted, "{line}");
        count += 1;
    }
    assert!(count >= 300, "{count}");
}

/// Rules that say most of what can be said.
const TEAM: &str = r#"
  - {match: {ip: "127.0.0.0/8"}, actions: ["*"], comment: from here}
  - {match: {account: mallory}, actions: []}
  - {match: {account: admin}, actions: ["*"]}
  - {match: {account: "/^ci-/", name: "cache/*"}, actions: [pull, push]}
  - {match: {type: registry, name: catalog, account: "/.+/"}, actions: ["*"]}
  - {match: {type: registry}, actions: []}
  - {match: {service: other}, actions: []}
  - {match: {name: "${account}/*"}, actions: ["*"]}
  - {match: {account: "/^(.+)@example\\.com$/", name: "mail/${account:1}/*"}, actions: [pull, push]}
  - {match: {name: "${labels:team}-shared/*"}, actions: [pull, push]}
  - {match: {name: "${labels:project}/${labels:tier}"}, actions: [push]}
  - {match: {labels: {role: "/^(lead|owner)$/"}, name: "*/*"}, actions: [pull, delete]}
  - {match: {name: "/^(.+)-(v[0-9])$/", account: "${name:2}*"}, actions: [pull]}
  - {match: {account: "", name: "public/?*"}, actions: [pull]}
  - {match: {account: "/.+/", name: "[a-m]*"}, actions: [pull]}
  - {match: {ip: "2001:db8::/32"}, actions: [pull]}
  - {match: {name: "odd", account: bob}, actions: ["*", pull]}
"#;

#[test]
fn the_first_rule_that_matches_decides() {
    type Case = (
        &'static str,
        &'static str,
        &'static str,
        &'static [(&'static str, &'static [&'static str])],
        &'static str,
    );
    let acl = rules(TEAM);
    const NONE: &[(&str, &[&str])] = &[];
    let cases: [Case; 64] = [
        // Account, scope, address, labels: what is granted.
        ("bob", "repository:nginx:pull", "127.0.0.9", NONE, "pull"),
        (
            "mallory",
            "repository:nginx:push,pull",
            "127.0.0.9",
            NONE,
            "pull,push",
        ),
        (
            "",
            "repository:x:delete",
            "::ffff:127.0.0.1",
            NONE,
            "delete",
        ),
        ("mallory", "repository:alpha:pull", "192.0.2.1", NONE, ""),
        (
            "mallory",
            "repository:mallory/app:pull",
            "192.0.2.1",
            NONE,
            "",
        ),
        (
            "admin",
            "repository:a/b/c/d:pull,push,delete",
            "192.0.2.1",
            NONE,
            "delete,pull,push",
        ),
        ("admin", "registry:catalog:*", "192.0.2.1", NONE, "*"),
        // What is asked for twice is granted twice, by a star alone.
        (
            "admin",
            "repository:a:push,pull,push",
            "192.0.2.1",
            NONE,
            "pull,push,push",
        ),
        ("admin", "repository:a:", "192.0.2.1", NONE, ""),
        ("admin", "repository:a:fly", "192.0.2.1", NONE, "fly"),
        ("Admin", "repository:zoo:pull", "192.0.2.1", NONE, ""),
        ("admin2", "repository:zoo:pull", "192.0.2.1", NONE, ""),
        (
            "ci-7",
            "repository:cache/x:pull,push,delete",
            "192.0.2.1",
            NONE,
            "pull,push",
        ),
        (
            "ci-7",
            "repository:cache/x:push,push",
            "192.0.2.1",
            NONE,
            "push",
        ),
        ("ci-7", "repository:cache/x:*", "192.0.2.1", NONE, ""),
        ("my-ci-7", "repository:cache/x:push", "192.0.2.1", NONE, ""),
        // A star ends at a slash: this is of the letters a to m, but not deeper.
        ("ci-7", "repository:cache/x/y:pull", "192.0.2.1", NONE, ""),
        ("ci-7", "repository:cache/:push", "192.0.2.1", NONE, "push"),
        ("bob", "registry:catalog:*", "192.0.2.1", NONE, "*"),
        ("", "registry:catalog:*", "192.0.2.1", NONE, ""),
        ("bob", "registry:other:*", "192.0.2.1", NONE, ""),
        ("bob", "repository:catalog:pull", "192.0.2.1", NONE, "pull"),
        (
            "bob",
            "repository:bob/app:pull,push",
            "192.0.2.1",
            NONE,
            "pull,push",
        ),
        ("bob", "repository:bob/app/base:push", "192.0.2.1", NONE, ""),
        ("bob", "repository:bobby/app:push", "192.0.2.1", NONE, ""),
        ("bob", "repository:bob:push", "192.0.2.1", NONE, ""),
        // A name that means something in a pattern means itself.
        ("*", "repository:bob/app:push", "192.0.2.1", NONE, ""),
        ("*", "repository:*/app:push", "192.0.2.1", NONE, "push"),
        ("a.b", "repository:axb/app:push", "192.0.2.1", NONE, ""),
        ("a.b", "repository:a.b/app:push", "192.0.2.1", NONE, "push"),
        ("[x]", "repository:x/app:push", "192.0.2.1", NONE, ""),
        // Nobody's own is what has no name before the slash.
        ("", "repository:/app:push", "192.0.2.1", NONE, "push"),
        (
            "eve@example.com",
            "repository:mail/eve/in:push,delete",
            "192.0.2.1",
            NONE,
            "push",
        ),
        (
            "eve@example.com",
            "repository:mail/bob/in:push",
            "192.0.2.1",
            NONE,
            "",
        ),
        (
            "eve@examplexcom",
            "repository:mail/eve/in:push",
            "192.0.2.1",
            NONE,
            "",
        ),
        // What a group holds is put in as it is.
        (
            "*@example.com",
            "repository:mail/bob/in:push",
            "192.0.2.1",
            NONE,
            "push",
        ),
        ("eve", "repository:mail/eve/in:push", "192.0.2.1", NONE, ""),
        (
            "bob",
            "repository:red-shared/x:push",
            "192.0.2.1",
            &[("team", &["blue", "red"])],
            "push",
        ),
        (
            "bob",
            "repository:blue-shared/x:pull",
            "192.0.2.1",
            &[("team", &["blue", "red"])],
            "pull",
        ),
        (
            "bob",
            "repository:tan-shared/x:push",
            "192.0.2.1",
            &[("team", &["blue", "red"])],
            "",
        ),
        (
            "bob",
            "repository:red-shared/x:push",
            "192.0.2.1",
            &[("team", &[])],
            "",
        ),
        (
            "bob",
            "repository:red-shared/x:push",
            "192.0.2.1",
            &[("teams", &["red"])],
            "",
        ),
        // A label is put in as it is, and may be a pattern.
        (
            "bob",
            "repository:red-shared/x:push",
            "192.0.2.1",
            &[("team", &["r*"])],
            "push",
        ),
        (
            "",
            "repository:red-shared/x:push",
            "192.0.2.1",
            &[("team", &["red"])],
            "push",
        ),
        (
            "bob",
            "repository:p2/t1:push",
            "192.0.2.1",
            &[("project", &["p1", "p2"]), ("tier", &["t1", "t2"])],
            "push",
        ),
        (
            "bob",
            "repository:t1/p2:push",
            "192.0.2.1",
            &[("project", &["p1", "p2"]), ("tier", &["t1", "t2"])],
            "",
        ),
        (
            "bob",
            "repository:p1/t1:push",
            "192.0.2.1",
            &[("project", &["p1"])],
            "",
        ),
        (
            "bob",
            "repository:p1/t1:pull",
            "192.0.2.1",
            &[("project", &["p1"]), ("tier", &["t1"])],
            "",
        ),
        (
            "bob",
            "repository:any/x:pull,delete",
            "192.0.2.1",
            &[("role", &["dev", "lead"])],
            "delete,pull",
        ),
        (
            "bob",
            "repository:any/x:delete",
            "192.0.2.1",
            &[("role", &["leader"])],
            "",
        ),
        (
            "bob",
            "repository:any:delete",
            "192.0.2.1",
            &[("role", &["lead"])],
            "",
        ),
        (
            "v2-bot",
            "repository:tool-v2:pull",
            "192.0.2.1",
            NONE,
            "pull",
        ),
        ("v3-bot", "repository:tool-v2:pull", "192.0.2.1", NONE, ""),
        (
            "",
            "repository:public/x:pull,push",
            "192.0.2.1",
            NONE,
            "pull",
        ),
        ("", "repository:public/:pull", "192.0.2.1", NONE, ""),
        ("", "repository:public/x/y:pull", "192.0.2.1", NONE, ""),
        ("bob", "repository:public/x:pull", "192.0.2.1", NONE, ""),
        ("", "repository:alpha:pull", "192.0.2.1", NONE, ""),
        (
            "bob",
            "repository:alpha:pull,push",
            "192.0.2.1",
            NONE,
            "pull",
        ),
        ("bob", "repository:Alpha:pull", "192.0.2.1", NONE, ""),
        ("", "repository:zoo:pull", "2001:db8::77", NONE, "pull"),
        ("", "repository:zoo:pull", "2001:db9::77", NONE, ""),
        ("", "repository:zoo:pull", "unknown", NONE, ""),
        // A star among others is an action of that name.
        (
            "bob",
            "repository:odd:push,*,pull",
            "192.0.2.1",
            NONE,
            "*,pull",
        ),
    ];
    let mut wrong = String::new();
    for (account, scope, ip, labels, expected) in cases {
        let parts: Vec<&str> = scope.split(':').collect();
        let actions: Vec<String> = parts[2].split(',').map(str::to_owned).collect();
        let Authenticated::Granted { labels } = granted(labels) else {
            unreachable!();
        };
        let request = AuthRequest {
            account,
            kind: parts[0],
            name: parts[1],
            service: "registry",
            ip: ip.parse().ok(),
            actions: &actions,
            labels: &labels,
        };
        let answer = acl.authorize(&request).join(",");
        if answer != expected {
            let _ = writeln!(
                wrong,
                "{account} {scope} {ip}: {answer:?}, not {expected:?}"
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn the_service_is_asked_for_too() {
    let acl = rules(TEAM);
    let of = |service: &str| {
        let asked = Asked {
            account: "bob".to_owned(),
            kind: "repository".to_owned(),
            name: "bob/app".to_owned(),
            service: service.to_owned(),
            ip: "192.0.2.1".to_owned(),
            actions: vec!["push".to_owned()],
            labels: Labels::new(),
        };
        acl.authorize(&asked.request())
    };
    assert_eq!(of("registry"), ["push"]);
    assert_eq!(of("other"), [""; 0]);
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
