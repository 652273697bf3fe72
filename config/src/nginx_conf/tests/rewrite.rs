//! `rewrite` and `break`, and what expressions found.

use super::{places, proxy, read};
use crate::finding::Verdict;
use crate::site::{LocationRule, NewTarget, PathMatch, Return, Rewrite, Then};

fn rewrites(inside: &str) -> Vec<Rewrite> {
    let found = places(
        "",
        &format!("location / {{ {inside} proxy_pass http://h; }}"),
    );
    found[0].rules.rewrites.clone()
}

#[test]
fn a_rewrite_that_redirects_is_an_answer() {
    for (rewrite, when, to) in [
        (
            "^ https://$host$request_uri? permanent",
            None,
            "https://$host$request_uri",
        ),
        (
            "^(.*)$ https://a$1 permanent",
            Some("$uri ~ \"^(.*)$\""),
            "https://a$1$is_args$args",
        ),
        (
            "^/x/(.*)$ /$1? redirect",
            Some("$uri ~ \"^/x/(.*)$\""),
            "/$1",
        ),
    ] {
        let found = rewrites(&format!("rewrite {rewrite};"));
        let [answer] = found.as_slice() else {
            panic!("{rewrite}")
        };
        let shown = answer.when.first().map(ToString::to_string);
        assert_eq!(shown.as_deref(), when, "{rewrite}");
        assert!(
            matches!(&answer.answer, Return::Redirect { to: found, .. } if found.to_string() == to),
            "{rewrite}"
        );
    }
    // Nobody looks for files where everybody is sent away.
    let text =
        "events {} http { server { root /srv; location / { rewrite ^(.*)$ https://a$1; } } }";
    let adopted = read(text).unwrap();
    let is_refused = |verdict: &Verdict| matches!(verdict, Verdict::Refused(_));
    assert!(
        !adopted
            .findings
            .iter()
            .any(|finding| is_refused(&finding.verdict))
    );
}

#[test]
fn a_rewrite_to_a_path_goes_on_with_it() {
    for (rewrite, path, query, keeps_query, then) in [
        ("^/v1/(.*)$ /v2/$1 last", "/v2/$1", None, true, Then::Search),
        (
            "^/v1/(.*)$ /v2/$1? break",
            "/v2/$1",
            None,
            false,
            Then::Stay,
        ),
        (
            "^/v1/(.*)$ /v2/$1?a=$2",
            "/v2/$1",
            Some("a=$2"),
            true,
            Then::GoOn,
        ),
    ] {
        let found = rewrites(&format!("rewrite {rewrite};"));
        let [
            Rewrite {
                when,
                answer: Return::Path(target),
            },
        ] = found.as_slice()
        else {
            panic!("{rewrite}: {found:?}")
        };
        assert_eq!(when[0].to_string(), "$uri ~ \"^/v1/(.*)$\"");
        let NewTarget {
            path: to,
            query: with,
            ..
        } = target;
        assert_eq!(to.to_string(), path);
        assert_eq!(with.as_ref().map(ToString::to_string).as_deref(), query);
        assert_eq!((target.keeps_query, target.then), (keeps_query, then));
    }
    let text = "events {} http { server { location / { rewrite ^/a b; } } }";
    let error = read(text).unwrap_err();
    assert!(error.to_string().contains("no path"), "{error}");
}

#[test]
fn a_break_ends_the_list() {
    let found = rewrites("rewrite ^/a /b; break; return 404;");
    assert!(matches!(
        found.as_slice(),
        [Rewrite { answer: Return::Path(_), .. }, Rewrite { when, answer: Return::Stop }] if when.is_empty()
    ));
    assert!(rewrites("break; return 404;").is_empty());
    let found = rewrites("if ($http_x) { break; } return 404;");
    assert!(matches!(found[0].answer, Return::Stop));
    assert_eq!(found[0].when.len(), 1);
    assert_eq!(found.len(), 2);
}

#[test]
fn what_follows_a_rewrite_in_an_if_is_refused() {
    let text = "events {} http { server { if ($http_x) { rewrite ^/a /b; rewrite ^/b /c; } return 404; } }";
    let adopted = read(text).unwrap();
    let refused = adopted
        .findings
        .iter()
        .filter_map(|finding| match &finding.verdict {
            Verdict::Refused(_) => Some(finding.subject.as_str()),
            _ => None,
        });
    assert_eq!(refused.collect::<Vec<_>>(), ["rewrite ^/b /c"]);
}

#[test]
fn what_groups_found_may_be_asked_for() {
    let found = places(
        "",
        "location ~ ^/x/(?<team>[a-z]+)/(.*)$ {
           add_header X-Team $team; proxy_set_header X-Rest $2;
           proxy_pass http://h/v2/$team/$2$is_args$args;
           proxy_redirect ~*^http://[^/]+(/.*)$ https://$host$1;
         }
         location /a { set $where h; proxy_pass http://$where$request_uri; }
         location /b { proxy_pass http://h$uri; }
         location /c { proxy_pass http://unix:/run/r.sock:/x$1; }",
    );
    assert!(matches!(&found[0].path, PathMatch::Expression(_)));
    assert_eq!(found[0].rules.headers[0].value.to_string(), "$team");
    let targets: Vec<_> = found
        .iter()
        .map(|place| proxy(place).target.as_ref().map(ToString::to_string))
        .collect();
    let expected = [
        Some("/v2/$team/$2$is_args$args"),
        None,
        Some("$uri"),
        Some("/x$1"),
    ];
    assert_eq!(targets, expected.map(|text| text.map(str::to_owned)));
    assert!(matches!(
        &proxy(&found[0]).redirects[0],
        LocationRule::Expression { from, .. } if from.ignores_case()
    ));
    assert_eq!(
        proxy(&found[3]).servers[0].to.to_string(),
        "unix:/run/r.sock"
    );
}

#[test]
fn what_groups_found_is_not_kept() {
    for inside in [
        "set $x $1; add_header X $x;",
        "proxy_pass http://$1;",
        "auth_basic a; auth_basic_user_file $1;",
    ] {
        let text =
            format!("events {{}}\nhttp {{ server {{ location ~ ^/(.*)$ {{ {inside} }} }} }}");
        let adopted = read(&text);
        let is_refused = adopted.is_err()
            || adopted.unwrap().findings.iter().any(|finding| {
                matches!(&finding.verdict, Verdict::Refused(_)) && finding.subject.contains("$1")
            });
        assert!(is_refused, "{inside}");
    }
}
