//! What the rules let people do.

use std::fmt::Write as _;

use serde::Deserialize;

use super::*;

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
    let vectors = include_str!("../vectors/acl.tsv");
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
