//! What each kind of rule decides, row by row.

use super::{padded, request, rules, shown};
use crate::policy::Policy;

/// What it is about, rules, and what is asked of them with what is answered: by
/// which rule, counted from 1, or why else.
type Case = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

const TABLE: &[Case] = &[
    (
        "without rules, whoever has logged in may do everything",
        "",
        &[
            ("alice pull app", "yes: logged in"),
            ("alice push team/app", "yes: logged in"),
            ("alice delete team/app", "yes: logged in"),
            ("alice catalog", "yes: logged in"),
            ("alice pull app from ?", "yes: logged in"),
            ("- pull app", "no: stranger"),
            ("- catalog", "no: stranger"),
        ],
    ),
    (
        "what anybody may do is for those who have logged in as well",
        "anonymous = pull",
        &[
            ("- pull app", "yes: anybody"),
            ("- pull app from ?", "yes: anybody"),
            ("- push app", "no: stranger"),
            ("- delete app", "no: stranger"),
            ("- catalog", "no: stranger"),
            ("alice pull app", "yes: anybody"),
            ("alice push app", "yes: logged in"),
            ("alice catalog", "yes: logged in"),
        ],
    ),
    (
        "with rules, what none is about is refused, unless anybody may do it",
        "anonymous = pull,catalog
         allow alice in team/** to push",
        &[
            ("alice push team/app", "yes: 1"),
            ("alice push app", "no: no rule"),
            ("alice pull app", "yes: anybody"),
            ("alice delete team/app", "no: no rule"),
            ("bob push team/app", "no: no rule"),
            ("bob catalog", "yes: anybody"),
            ("- push team/app", "no: no rule"),
            ("- catalog", "yes: anybody"),
        ],
    ),
    (
        "a rule overrules what anybody may do",
        "anonymous = pull
         deny * - in secret/** to pull",
        &[
            ("- pull secret/app", "no: 1"),
            ("alice pull secret/app", "no: 1"),
            ("- pull app", "yes: anybody"),
            ("alice push secret/app", "no: no rule"),
        ],
    ),
    (
        "users are named or matched, and case counts",
        "allow alice to pull
         allow ci-* to push
         allow robot/** to delete
         allow user? to catalog",
        &[
            ("alice pull app", "yes: 1"),
            ("Alice pull app", "no: no rule"),
            ("alic pull app", "no: no rule"),
            ("alicee pull app", "no: no rule"),
            ("ci-nightly push app", "yes: 2"),
            ("ci push app", "no: no rule"),
            ("ci-a/b push app", "no: no rule"),
            ("robot/a/b delete app", "yes: 3"),
            ("robot delete app", "no: no rule"),
            ("user1 catalog", "yes: 4"),
            ("user12 catalog", "no: no rule"),
            ("- pull app", "no: no rule"),
        ],
    ),
    (
        "a star is all who have logged in, whatever they are called",
        "allow * to pull
         allow - to catalog",
        &[
            ("alice pull app", "yes: 1"),
            ("CN=alice/O=team pull app", "yes: 1"),
            ("- pull app", "no: no rule"),
            ("- catalog", "yes: 2"),
            ("alice catalog", "no: no rule"),
        ],
    ),
    (
        "a group is its users and nobody else",
        "group team = alice bob
         group empty = nobody
         allow @team in team/**
         allow @empty carol in carol/**",
        &[
            ("alice push team/app", "yes: 1"),
            ("bob delete team/app", "yes: 1"),
            ("carol push team/app", "no: no rule"),
            ("team push team/app", "no: no rule"),
            ("@team push team/app", "no: no rule"),
            ("- push team/app", "no: no rule"),
            ("carol push carol/app", "yes: 2"),
            ("alice push carol/app", "no: no rule"),
        ],
    ),
    (
        "one star ends at a slash and two do not",
        "allow alice in team/*
         allow bob in team/**
         allow carol in *
         allow dave in **
         allow erin in **/cache a/**/z",
        &[
            ("alice pull team/app", "yes: 1"),
            ("alice pull team/app/base", "no: no rule"),
            ("alice pull team", "no: no rule"),
            ("bob pull team/app", "yes: 2"),
            ("bob pull team/app/base", "yes: 2"),
            ("bob pull team", "no: no rule"),
            ("bob pull teamwork/app", "no: no rule"),
            ("carol pull app", "yes: 3"),
            ("carol pull team/app", "no: no rule"),
            ("dave pull team/app/base", "yes: 4"),
            ("erin pull cache", "yes: 5"),
            ("erin pull x/y/cache", "yes: 5"),
            ("erin pull a/z", "yes: 5"),
            ("erin pull a/b/c/z", "yes: 5"),
            ("erin pull cache/x", "no: no rule"),
        ],
    ),
    (
        "an expression means whole names",
        "allow alice in ~team/[a-c]+
         allow bob in ~a|b",
        &[
            ("alice pull team/abc", "yes: 1"),
            ("alice pull team/abcd", "no: no rule"),
            ("alice pull my/team/abc", "no: no rule"),
            ("bob pull b", "yes: 2"),
            ("bob pull ab", "no: no rule"),
        ],
    ),
    (
        "addresses are of a family, and a mapped one is of IPv4",
        "allow alice from 10.0.0.0/8
         allow bob from 2001:db8::/32
         allow carol from ::ffff:10.0.0.0/104 ::ffff:192.0.2.7/128
         allow dave from ::/0
         allow erin from 192.0.2.1/32 2001:db8::1/128",
        &[
            ("alice pull app from 10.1.2.3", "yes: 1"),
            ("alice pull app from ::ffff:10.1.2.3", "yes: 1"),
            ("alice pull app from 11.0.0.1", "no: no rule"),
            ("alice pull app from 2001:db8::1", "no: no rule"),
            ("bob pull app from 2001:db8:ffff::1", "yes: 2"),
            ("bob pull app from 2001:db9::1", "no: no rule"),
            ("carol pull app from 10.9.9.9", "yes: 3"),
            ("carol pull app from ::ffff:10.9.9.9", "yes: 3"),
            ("carol pull app from 192.0.2.7", "yes: 3"),
            ("carol pull app from 192.0.2.8", "no: no rule"),
            ("dave pull app from 2001:db8::1", "yes: 4"),
            ("dave pull app from 10.0.0.1", "no: no rule"),
            ("erin pull app from 192.0.2.1", "yes: 5"),
            ("erin pull app from 2001:db8::1", "yes: 5"),
            ("erin pull app from 192.0.2.2", "no: no rule"),
        ],
    ),
    (
        "nothing is allowed by not knowing an address",
        "deny alice from 10.0.0.0/8
         allow alice
         allow bob from 0.0.0.0/0 ::/0",
        &[
            ("alice pull app from ?", "no: 1"),
            ("alice pull app from 10.0.0.1", "no: 1"),
            ("alice pull app from 11.0.0.1", "yes: 2"),
            ("bob pull app from ?", "no: no rule"),
            ("bob pull app from 11.0.0.1", "yes: 3"),
        ],
    ),
    (
        "the first rule counts, whether it allows or refuses",
        "deny bob in team/secret
         allow bob in team/**
         deny bob in team/app
         deny * to delete
         allow *",
        &[
            ("bob pull team/secret", "no: 1"),
            ("bob pull team/app", "yes: 2"),
            ("bob delete team/app", "yes: 2"),
            ("bob delete app", "no: 4"),
            ("bob pull app", "yes: 5"),
            ("alice delete team/app", "no: 4"),
            ("alice pull team/secret", "yes: 5"),
            ("- pull app", "no: no rule"),
        ],
    ),
    (
        "a rule names several of everything",
        "group ops = alice
         allow @ops ci-? - in a b/** ~c+ to pull,delete from 10.0.0.0/8 ::1/128",
        &[
            ("alice pull a from 10.0.0.1", "yes: 1"),
            ("ci-1 delete b/x from ::1", "yes: 1"),
            ("- pull ccc from 10.0.0.1", "yes: 1"),
            ("alice push a from 10.0.0.1", "no: no rule"),
            ("alice pull d from 10.0.0.1", "no: no rule"),
            ("alice pull a from ::2", "no: no rule"),
            ("bob pull a from 10.0.0.1", "no: no rule"),
        ],
    ),
    (
        "whoever may list sees what they may pull, so that a rule about some \
         repositories allows listing and does not refuse it",
        "deny alice bob in secret/**
         allow alice in team/**
         deny carol
         deny erin in **
         allow erin
         allow * to pull",
        &[
            ("erin catalog", "no: 4"),
            ("erin pull app", "no: 4"),
            ("alice catalog", "yes: 2"),
            ("bob catalog", "no: no rule"),
            ("carol catalog", "no: 3"),
            ("dave catalog", "no: no rule"),
        ],
    ),
];

#[test]
fn every_row_is_decided_as_it_says() {
    let mut rows = 0;
    for (about, lines, asked) in TABLE {
        let policy = Policy::new(rules(lines));
        // Enough rules for answers to be remembered.
        let long = (!policy.rules().rules.is_empty()).then(|| Policy::new(padded(rules(lines))));
        for (line, answer) in *asked {
            let request = request(line);
            assert_eq!(shown(policy.decide(&request)), *answer, "{about}: {line}");
            for policy in long.iter().chain(&long) {
                assert_eq!(shown(policy.decide(&request)), *answer, "{about}: {line}");
            }
            rows += 1;
        }
    }
    assert!(rows >= 60, "{rows} rows");
}
