//! Any rules, and any requests, of so few names that they meet.

use std::net::IpAddr;

use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use tidegate_config::access::{AccessRule, AccessRules, Action, Actions, Who};

use super::oracle;
use crate::policy::{Policy, Reason, Request};

const USERS: [&str; 6] = ["a", "b", "ab", "a-1", "a/1", "c"];
const USER_PATTERNS: [&str; 7] = ["*", "**", "a", "b", "a*", "a/*", "*-*"];
const REPOSITORIES: [&str; 8] = ["x", "y", "x/y", "x/y/z", "x/x", "y/x", "xx", "xx/y"];
const PATTERNS: [&str; 12] = [
    "*", "**", "x", "x/y", "x/*", "x/**", "*/y", "**/y", "x/**/z", "x*", "x*/**", "*/*/*",
];
const NETWORKS: [&str; 9] = [
    "10.0.0.0/8",
    "10.0.0.1/32",
    "0.0.0.0/0",
    "::/0",
    "2001:db8::/32",
    "2001:db8::1/128",
    "::ffff:10.0.0.0/104",
    "::ffff:0.0.0.0/96",
    "192.0.2.0/25",
];
const CLIENTS: [&str; 7] = [
    "10.0.0.1",
    "10.0.0.2",
    "::ffff:10.0.0.1",
    "192.0.2.127",
    "192.0.2.128",
    "2001:db8::1",
    "::1",
];

fn actions() -> impl Strategy<Value = Actions> {
    subsequence(Action::ALL.to_vec(), 0..=4).prop_map(|actions| actions.into_iter().collect())
}

fn who() -> impl Strategy<Value = Who> {
    prop_oneof![
        1 => Just(Who::Anonymous),
        3 => select(&USER_PATTERNS[..]).prop_map(|text| Who::Users(text.parse().unwrap())),
        2 => select(&["g", "h"][..]).prop_map(|group| Who::Group(group.to_owned())),
    ]
}

fn rule(allows: impl Strategy<Value = bool>) -> impl Strategy<Value = AccessRule> {
    let some_of = |texts: &'static [&'static str]| {
        let one = select(texts).prop_map(str::to_owned);
        prop_oneof![Just(Vec::new()), vec(one, 1..3)]
    };
    let fields = (vec(who(), 1..3), some_of(&PATTERNS), some_of(&NETWORKS));
    (fields, actions(), allows).prop_map(|((who, repositories, addresses), actions, allows)| {
        let repositories = repositories.iter().map(|text| text.parse().unwrap());
        let addresses = addresses.iter().map(|text| text.parse().unwrap());
        AccessRule {
            line: None,
            who,
            repositories: repositories.collect(),
            actions,
            addresses: addresses.collect(),
            allows,
        }
    })
}

/// From none to more than are gone through each time.
fn rules() -> impl Strategy<Value = AccessRules> {
    let group = || btree_set(select(&USERS[..]).prop_map(str::to_owned), 0..4);
    let anonymous = prop_oneof![Just(Actions::NONE), actions()];
    let rules = vec(rule(any::<bool>()), 0..24);
    (anonymous, group(), group(), rules).prop_map(|(anonymous, g, h, rules)| AccessRules {
        anonymous,
        groups: [("g".to_owned(), g), ("h".to_owned(), h)].into(),
        rules,
    })
}

fn request() -> impl Strategy<Value = Request<'static>> {
    let client = select(&CLIENTS[..]).prop_map(|text| text.parse::<IpAddr>().unwrap());
    let user = option::weighted(0.8, select(&USERS[..]));
    let asked = (user, option::weighted(0.9, client));
    let what = (select(&Action::ALL[..]), select(&REPOSITORIES[..]));
    (asked, what).prop_map(|((user, client), (action, repository))| Request {
        user,
        client,
        repository: Some(repository).filter(|_| action != Action::Catalog),
        action,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// What is remembered and what is not says what the oracle says: no order of
    /// rules, and no earlier question, lets anything through that is refused.
    #[test]
    fn the_first_rule_about_a_request_decides_it(rules in rules(), asked in vec(request(), 1..40)) {
        let policy = Policy::new(rules.clone());
        for request in asked.iter().chain(&asked) {
            let (allowed, rule) = oracle::allows(&rules, request);
            let decision = policy.decide(request);
            prop_assert_eq!(decision.allowed, allowed, "{:?}", request);
            let decided_by = match decision.reason {
                Reason::Rule(index) => Some(index),
                _ => None,
            };
            prop_assert_eq!(decided_by, rule, "{:?}", request);
            prop_assert_eq!(policy.decide_anew(request), decision);
        }
    }

    #[test]
    fn a_refusal_in_front_allows_nothing_more(
        rules in rules(),
        refusal in rule(Just(false)),
        asked in vec(request(), 1..20),
    ) {
        // Without any rules, having logged in is enough.
        prop_assume!(!rules.rules.is_empty());
        let mut stricter = rules.clone();
        stricter.rules.insert(0, refusal);
        let (before, after) = (Policy::new(rules), Policy::new(stricter));
        for request in &asked {
            prop_assert!(before.decide(request).allowed || !after.decide(request).allowed);
        }
    }

    /// It is refused to whom nothing is allowed: neither by a rule, nor to anybody.
    #[test]
    fn rules_that_refuse_allow_nothing(
        rules in rules(),
        asked in vec(request(), 1..20),
    ) {
        let mut rules = rules;
        rules.anonymous = Actions::NONE;
        rules.rules.retain(|rule| !rule.allows);
        prop_assume!(!rules.rules.is_empty());
        let policy = Policy::new(rules);
        for request in &asked {
            prop_assert!(!policy.decide(request).allowed);
        }
    }

    /// Whoever may do something on the whole registry, where all repositories are
    /// alike, may do it in each.
    #[test]
    fn what_is_the_same_everywhere_is(rules in rules(), asked in vec(request(), 1..20)) {
        let mut rules = rules;
        for rule in rules.rules.iter_mut().filter(|rule| !rule.repositories.is_empty()) {
            rule.repositories.push("**".parse().unwrap());
        }
        let policy = Policy::new(rules);
        prop_assert!(policy.is_same_everywhere());
        for request in &asked {
            let everywhere = Request { repository: None, ..*request };
            prop_assert_eq!(policy.decide(&everywhere), policy.decide(request));
        }
    }
}
