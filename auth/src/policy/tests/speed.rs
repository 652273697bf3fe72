//! How long a decision takes. Nothing is asserted of it: run it, optimized, with
//! `--ignored --nocapture`.

use std::hint::black_box;
use std::time::Instant;

use super::{rule, rules};
use crate::policy::{Policy, Request};
use tidegate_config::access::{AccessRules, Action};

const TIMES: u32 = 1_000_000;

fn many(line: impl Fn(usize) -> String) -> AccessRules {
    AccessRules {
        rules: (0..200).map(|n| rule(&line(n))).collect(),
        ..rules("")
    }
}

#[test]
#[ignore = "measures"]
#[expect(clippy::print_stderr, reason = "what was measured is what it is for")]
fn with_two_hundred_rules() {
    for (about, rules) in [
        ("no rules", rules("")),
        (
            "a team each",
            many(|n| format!("allow team-{n} in team-{n}/**")),
        ),
        (
            "all users, prefixes",
            many(|n| format!("allow * in team-{n}/**")),
        ),
        (
            "all users, globs",
            many(|n| format!("allow * in team-{n}/*/x")),
        ),
        (
            "all users, addresses",
            many(|n| format!("allow * in team-{n}/** from 10.0.0.0/8")),
        ),
        (
            "patterns of users",
            many(|n| format!("allow t*-{n} in team-{n}/*")),
        ),
    ] {
        let policy = Policy::new(rules);
        let names: Vec<String> = (0..100).map(|n| format!("team-199/app-{n}")).collect();
        let requests: Vec<Request<'_>> = names.iter().map(|name| asked(name)).collect();
        let time = |decide: &dyn Fn(&Request<'_>) -> bool, times: u32| {
            let begun = Instant::now();
            for request in requests.iter().cycle().take(times as usize) {
                black_box(decide(black_box(request)));
            }
            begun.elapsed() / times
        };
        let anew = time(&|request| policy.decide_anew(request).allowed, TIMES / 100);
        let again = time(&|request| policy.decide(request).allowed, TIMES);
        eprintln!("{about}: {anew:?} at first, {again:?} again");
    }
}

fn asked(repository: &str) -> Request<'_> {
    Request {
        user: Some("team-199"),
        client: Some([10, 0, 0, 7].into()),
        repository: Some(repository),
        action: Action::Pull,
    }
}
