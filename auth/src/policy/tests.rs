//! Rules and requests in a notation of one line each, for what is asked of them.

mod oracle;
mod properties;
mod speed;
mod table;

use std::net::IpAddr;

use tidegate_config::access::{AccessRule, AccessRules, Action, Who};

use super::{Decision, Policy, Reason, Request};

/// Reads rules. A line is `anonymous = ACTIONS`, `group NAME = USER …`, or
/// `allow|deny WHO … [in REPOSITORY …] [to ACTIONS] [from NETWORK …]`, in which
/// `@NAME` is a group and `-` those who have not logged in.
fn rules(lines: &str) -> AccessRules {
    let mut rules = AccessRules::default();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(actions) = line.strip_prefix("anonymous = ") {
            rules.anonymous = actions.parse().unwrap();
        } else if let Some(group) = line.strip_prefix("group ") {
            let (name, users) = group.split_once(" = ").unwrap();
            let users = users.split(' ').map(str::to_owned).collect();
            rules.groups.insert(name.to_owned(), users);
        } else {
            rules.rules.push(rule(line));
        }
    }
    rules
}

fn rule(line: &str) -> AccessRule {
    let mut words = line.split(' ');
    let allows = match words.next() {
        Some("allow") => true,
        Some("deny") => false,
        _ => panic!("{line}"),
    };
    let mut rule = AccessRule {
        line: None,
        who: Vec::new(),
        repositories: Vec::new(),
        actions: tidegate_config::access::Actions::ALL,
        addresses: Vec::new(),
        allows,
    };
    let mut about = "who";
    for word in words {
        match (about, word) {
            (_, "in" | "to" | "from") => about = word,
            ("who", "-") => rule.who.push(Who::Anonymous),
            ("who", word) => rule.who.push(match word.strip_prefix('@') {
                Some(group) => Who::Group(group.to_owned()),
                None => Who::Users(word.parse().unwrap()),
            }),
            ("in", word) => rule.repositories.push(word.parse().unwrap()),
            ("to", word) => rule.actions = word.parse().unwrap(),
            (_, word) => rule.addresses.push(word.parse().unwrap()),
        }
    }
    assert!(!rule.who.is_empty(), "{line}");
    rule
}

/// Reads what is asked: `USER ACTION [REPOSITORY] [from ADDRESS]`, in which `-` is
/// somebody who has not logged in, and `?` an address that nobody knows.
fn request(line: &str) -> Request<'_> {
    let (what, client) = match line.split_once(" from ") {
        Some((what, "?")) => (what, None),
        Some((what, client)) => (what, Some(client.parse().unwrap())),
        None => (line, Some(IpAddr::from([192, 0, 2, 1]))),
    };
    let mut words = what.split(' ');
    let request = Request {
        user: words.next().filter(|user| *user != "-"),
        client,
        action: words.next().unwrap().parse().unwrap(),
        repository: words.next(),
    };
    assert_eq!(
        request.repository.is_none(),
        request.action == Action::Catalog
    );
    request
}

/// A decision as the table has it. Rules are counted from 1.
fn shown(decision: Decision) -> String {
    let by = match decision.reason {
        Reason::Rule(index) => (index + 1).to_string(),
        Reason::Anybody => "anybody".to_owned(),
        Reason::NoRule => "no rule".to_owned(),
        Reason::LoggedIn => "logged in".to_owned(),
        Reason::NotLoggedIn => "stranger".to_owned(),
    };
    format!("{}: {by}", if decision.allowed { "yes" } else { "no" })
}

/// More rules than are gone through each time, none of which is about anything.
fn padded(mut rules: AccessRules) -> AccessRules {
    let padding = || rule("deny nobody-* in nothing/x*");
    rules.rules.extend(std::iter::repeat_with(padding).take(20));
    rules
}

#[test]
fn an_answer_is_remembered_as_long_as_its_policy() {
    let policy = Policy::new(padded(rules("allow alice in team/** from 10.0.0.0/8")));
    for _ in 0..3 {
        for (asked, answer) in [
            ("alice pull team/app from 10.0.0.1", "yes: 1"),
            ("alice pull team/app from 11.0.0.1", "no: no rule"),
            ("alice pull team/app from ?", "no: no rule"),
            ("bob pull team/app from 10.0.0.1", "no: no rule"),
            ("- pull team/app from 10.0.0.1", "no: no rule"),
            ("alice pull other from 10.0.0.1", "no: no rule"),
            ("alice push team/app from ::ffff:10.0.0.1", "yes: 1"),
            ("alice catalog from 10.0.0.1", "yes: 1"),
        ] {
            assert_eq!(shown(policy.decide(&request(asked))), answer, "{asked}");
        }
    }
    let shared = super::SharedPolicy::new(policy);
    let asked = request("alice pull team/app from 10.0.0.1");
    assert!(shared.current().decide(&asked).allowed);
    shared.replace(Policy::new(padded(rules("deny alice in team/**"))));
    assert!(!shared.current().decide(&asked).allowed);
}

#[test]
fn what_is_asked_of_a_whole_policy() {
    let of = |lines| Policy::new(rules(lines));
    assert!(of("").is_same_everywhere() && !of("").lets_strangers_in());
    assert!(of("anonymous = pull").lets_strangers_in());
    assert!(of("allow - in base/** to pull").lets_strangers_in());
    assert!(!of("deny - in base/** to pull\nallow *").lets_strangers_in());
    assert!(of("allow * in **\ndeny bob").is_same_everywhere());
    assert!(!of("allow *\ndeny bob in secret").is_same_everywhere());
    assert!(!of("allow * in *").is_same_everywhere());
    assert!(!of("allow * in ~.*").is_same_everywhere());
}
