//! What directives mean, and what blocks inherit.

mod client_auth;
mod offer;
mod rewrite;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::site::{Action, Condition, LocationRule, Names, Place, Return, Template, Test};

/// No file but the main one.
struct NoFiles;

impl NginxFiles for NoFiles {
    fn read(&self, _path: &Path) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn matching(&self, _pattern: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }
}

fn read(text: &str) -> Result<Adopted, Box<Diagnostic>> {
    parse_nginx(Path::new("/etc/nginx/nginx.conf"), text, &NoFiles, None)
}

/// The places of the one server of which this is the inside.
fn places(http: &str, server: &str) -> Vec<Place> {
    let text = format!("events {{}}\nhttp {{ {http}\nserver {{ {server}\n}} }}");
    let adopted = read(&text).unwrap_or_else(|error| panic!("{error}"));
    adopted.settings.sites.into_iter().next().unwrap().places
}

fn proxy(place: &Place) -> &Proxy {
    match &place.action {
        Action::Proxy(proxy) => proxy,
        other => panic!("{other:?}"),
    }
}

#[test]
fn lists_are_inherited_whole_or_not_at_all() {
    let places = places(
        "add_header A 1; add_header B 2 always; proxy_set_header Host $host; deny 10.0.0.0/8; allow all;",
        "location /a { proxy_pass http://h; }
         location /b { proxy_pass http://h; add_header C 3; proxy_set_header X-B b; deny all; }",
    );
    let names = |place: &Place| -> Vec<String> {
        place
            .rules
            .headers
            .iter()
            .map(|header| header.name.as_str().to_owned())
            .collect()
    };
    assert_eq!(names(&places[0]), ["a", "b"]);
    assert_eq!(names(&places[1]), ["c"]);
    let set = |place: &Place| -> Vec<String> {
        proxy(place)
            .headers
            .iter()
            .map(|(name, _)| name.as_str().to_owned())
            .collect()
    };
    assert_eq!(set(&places[0]), ["host"]);
    assert_eq!(set(&places[1]), ["x-b"]);
    assert_eq!(places[0].rules.access.addresses.len(), 2);
    assert_eq!(places[1].rules.access.addresses.len(), 1);
}

#[test]
fn the_size_of_a_body_is_limited_unless_it_is_said() {
    let found = places(
        "",
        "location /a { proxy_pass http://h; } location /b { client_max_body_size 0; proxy_pass http://h; }",
    );
    assert_eq!(found[0].rules.max_body, Some(1 << 20));
    assert_eq!(found[1].rules.max_body, None);
    let found = places(
        "client_max_body_size 2g;",
        "location /a { proxy_pass http://h; }",
    );
    assert_eq!(found[0].rules.max_body, Some(2 << 30));
}

#[test]
fn passwords_are_inherited_and_turned_off() {
    let found = places(
        "auth_basic r; auth_basic_user_file users;",
        "location /a { proxy_pass http://h; } location /b { auth_basic off; proxy_pass http://h; }
         location /c { proxy_pass http://h; limit_except GET { auth_basic w; } auth_basic off; satisfy any; }",
    );
    let auth = found[0].rules.access.auth.as_ref().unwrap();
    assert_eq!(
        (auth.realm.as_str(), auth.htpasswd.as_path()),
        ("r", Path::new("/etc/nginx/users"))
    );
    assert_eq!(found[1].rules.access.auth, None);
    let access = &found[2].rules.access;
    assert!(access.either && access.auth.is_none());
    let methods = access.methods.as_ref().unwrap();
    assert_eq!(methods.except, ["GET"]);
    assert_eq!(methods.access.auth.as_ref().unwrap().realm, "w");
}

#[test]
fn a_password_that_nothing_checks_is_refused() {
    let adopted =
        read("events {} http { server { auth_basic r; location / { proxy_pass http://h; } } }")
            .unwrap();
    let finding = adopted
        .findings
        .iter()
        .find(|finding| finding.subject == "auth_basic r")
        .unwrap();
    assert!(matches!(&finding.verdict, Verdict::Refused(why) if why.contains("lets everybody in")));
    let place = &adopted.settings.sites[0].places[0];
    assert_eq!(place.rules.access.addresses.len(), 0);
    // A file that depends on the request opens nothing.
    let text = "events {} http { server { auth_basic r; auth_basic_user_file $host; location / { proxy_pass http://h; } } }";
    let place = &read(text).unwrap().settings.sites[0].places[0];
    assert!(!place.rules.access.addresses[0].allows);
}

#[test]
fn conditions_are_taken_apart() {
    let found = places(
        "",
        "location /a { proxy_pass http://h;
           if ($scheme = http) { return 301 https://$host$request_uri; }
           if ( $http_x !~* \"^a b$\" ) { return 403 'no'; }
           if ($http_token) { return 204; }
           if (!-f $request_filename) { return 404; } }",
    );
    let rewrites = &found[0].rules.rewrites;
    assert_eq!(rewrites.len(), 3);
    assert_eq!(
        rewrites[0].when,
        [Condition::parse("$scheme = http", Names::default()).unwrap()]
    );
    assert_eq!(
        rewrites[0].answer,
        Return::Redirect {
            status: 301,
            to: Template::parse("https://$host$request_uri", Names::default()).unwrap()
        }
    );
    assert_eq!(
        rewrites[1].when,
        [Condition::parse("$http_x !~* \"^a b$\"", Names::default()).unwrap()]
    );
    assert!(matches!(
        &rewrites[1].answer,
        Return::Status {
            status: 403,
            text: Some(_)
        }
    ));
    assert_eq!(rewrites[2].when[0].test, Test::IsSet);
}

#[test]
fn maps_may_use_one_another() {
    let found = places(
        "map $a $b { default 1$a; } map $host $a { hostnames; *.x.org x; a.x.org y; .long.x.org z; ~^r r; }",
        "location / { add_header B $b; proxy_pass http://h; }",
    );
    let mut used = Vec::new();
    found[0].rules.headers[0].value.translations(&mut used);
    let hosts = &used[0];
    assert_eq!(hosts.name, "a");
    let texts: Vec<_> = hosts.texts.iter().map(|(text, _)| text.as_str()).collect();
    assert_eq!(texts, ["a.x.org", "long.x.org"]);
    let expressions: Vec<_> = hosts
        .expressions
        .iter()
        .map(|(expression, _)| expression.as_str())
        .collect();
    assert_eq!(expressions, [r"\.long\.x\.org$", r"\.x\.org$", "^r"]);
    // One that needs itself is of no use.
    let text = "events {} http { map $a $a { default 1; } server { location / { add_header A $a; proxy_pass http://h; } } }";
    let adopted = read(text).unwrap();
    let refused = adopted
        .findings
        .iter()
        .find(|finding| matches!(finding.verdict, Verdict::Refused(_)));
    assert_eq!(refused.unwrap().subject, "add_header A $a");
}

#[test]
fn an_upstream_has_what_its_servers_say() {
    let found = places(
        "upstream u { server a:1 weight=3 max_fails=0; server b backup fail_timeout=1m; server unix:/s down; }",
        "location / { proxy_pass https://u/x/; proxy_read_timeout 900; }",
    );
    let proxy = proxy(&found[0]);
    let shown: Vec<_> = proxy
        .servers
        .iter()
        .map(|server| {
            (
                server.weight,
                server.max_fails,
                server.is_backup,
                server.is_down,
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            (3, 0, false, false),
            (1, 1, true, false),
            (1, 1, false, true)
        ]
    );
    assert_eq!(proxy.servers[1].fail_timeout, Duration::from_secs(60));
    assert_eq!(
        (proxy.host.as_str(), proxy.path.as_deref()),
        ("u", Some("/x/"))
    );
    assert!(proxy.tls.as_ref().is_some_and(|tls| !tls.verify));
    assert_eq!(
        (proxy.read_timeout.as_secs(), proxy.send_timeout.as_secs()),
        (900, 60)
    );
}

#[test]
fn where_answers_lead_is_inherited_and_turned_off() {
    let rules = |places: &[Place]| -> Vec<Vec<String>> {
        let told = |rule: &LocationRule| match rule {
            LocationRule::Place => "default".to_owned(),
            LocationRule::Prefix { from, to } => format!("{from} {to}"),
            LocationRule::Expression { from, to } => format!("{from:?} {to}"),
        };
        let of = |place| proxy(place).redirects.iter().map(told).collect();
        places.iter().map(of).collect()
    };
    let found = places(
        "",
        "location /a { proxy_pass http://h; }
         location /b { proxy_pass http://h; proxy_redirect off; }
         location /c { proxy_pass http://h; proxy_redirect http://$host/ /; proxy_redirect default; }
         location /d { set $h h; proxy_pass http://$h; }",
    );
    let expected: [&[&str]; 4] = [&["default"], &[], &["http://$host/ /", "default"], &[]];
    assert_eq!(rules(&found), expected);
    let found = places(
        "proxy_redirect http:// https://;",
        "location /a { proxy_pass http://h; }
         location /b { proxy_pass http://h; proxy_redirect default; }
         location /c { proxy_pass http://h; proxy_redirect off; }",
    );
    let expected: [&[&str]; 3] = [&["http:// https://"], &["default"], &[]];
    assert_eq!(rules(&found), expected);

    let text = |said: &str| {
        let place = format!("location / {{ proxy_pass http://h; {said} }}");
        format!("events {{}}\nhttp {{ server {{\n{place}\n}} }}")
    };
    for (said, part) in [
        ("proxy_redirect on;", "not `on` alone"),
        ("proxy_redirect off; proxy_redirect a b;", "stands alone"),
        ("proxy_redirect a b; proxy_redirect off;", "stands alone"),
        ("proxy_redirect a $nothing;", "there is no variable"),
    ] {
        let error = read(&text(said)).unwrap_err().to_string();
        assert!(error.contains(part) && error.contains(":3:"), "{error}");
    }
    let error = read(&text("proxy_redirect ~( /;")).unwrap_err().to_string();
    assert!(error.contains("no regular expression"), "{error}");
}

#[test]
fn what_is_passed_may_be_named_by_a_constant() {
    let found = places(
        "",
        "set $r registry:5000; location / { proxy_pass http://$r$request_uri; }",
    );
    assert_eq!(proxy(&found[0]).host, "registry:5000");
    assert_eq!(proxy(&found[0]).path, None);
    let found = places("", "location / { proxy_pass http://$http_host; }");
    assert_eq!(found[0].action, Action::NotFound);
}

#[test]
fn constants_that_double_are_not_written_out() {
    let mut text = "set $a0 \"\";".to_owned();
    for n in 0..60 {
        text.push_str(&format!("set $a{} $a{n}$a{n};", n + 1));
    }
    let found = places(
        "",
        &format!("{text} location / {{ proxy_pass http://$a60; }}"),
    );
    assert_eq!(found[0].action, Action::NotFound);
}

#[test]
fn a_location_in_another_is_one_beside_it() {
    let found = places(
        "",
        "location ^~ /a { proxy_pass http://h; location /a/b { return 404; } location = /a/c { return 404; } }",
    );
    let shown: Vec<_> = found.iter().map(|place| place.path.to_string()).collect();
    assert_eq!(shown, ["^~ /a", "^~ /a/b", "= /a/c"]);
}

#[test]
fn the_first_server_of_an_address_is_its_default() {
    let text = "events {} http { server { listen 80; server_name a; return 404; }
                server { listen 80 default_server; listen 81; return 404; } server { listen 81; return 404; } }";
    let sites = read(text).unwrap().settings.sites;
    let defaults: Vec<Vec<bool>> = sites
        .iter()
        .map(|site| {
            site.attachments
                .iter()
                .map(|attachment| attachment.is_default)
                .collect()
        })
        .collect();
    assert_eq!(defaults, [vec![false], vec![true, true], vec![false]]);
}

#[test]
fn a_scheme_that_a_proxy_names_needs_a_proxy_that_is_trusted() {
    for (trusted, header, warns) in [
        ("", "$http_x_forwarded_proto", true),
        ("", "$scheme", false),
        ("set_real_ip_from 10.0.0.1;", "https", false),
    ] {
        let text = format!(
            "events {{}} http {{ {trusted} server {{ listen 80; location /v2/ {{
             proxy_set_header X-Forwarded-Proto {header}; proxy_pass http://r; }} }} }}"
        );
        let registry = Some(Registry::new("/srv"));
        let path = Path::new("/etc/nginx/nginx.conf");
        let adopted = parse_nginx(path, &text, &NoFiles, registry).unwrap();
        let found = &adopted.findings;
        let pass = found
            .iter()
            .find(|finding| finding.subject.starts_with("proxy_pass"));
        let Verdict::Replaced(by) = &pass.unwrap().verdict else {
            panic!("{header}")
        };
        assert_eq!(by.contains("X-Forwarded-Proto"), warns, "{header}");
    }
}

#[test]
fn tls_needs_a_certificate_that_can_be_read() {
    for certificate in [
        "ssl_certificate data:x; ssl_certificate_key data:y;",
        "ssl_reject_handshake on;",
    ] {
        let text = format!(
            "events {{}} http {{ server {{ listen 443 ssl; {certificate} return 404; }} }}"
        );
        assert!(
            read(&text)
                .unwrap_err()
                .message()
                .contains("no certificate in it")
        );
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in "(http|server|location|if|map|proxy_pass|listen|return|set|rewrite|[{};$a/0~=() \n\"'\\\\.:*]){0,60}") {
        let _ = read(&text);
        let _ = read(&format!("events {{}} http {{ server {{ location / {{ {text} }} }} }}"));
    }

    #[test]
    fn no_words_of_a_directive_panic(
        name in prop::sample::select(vec!["listen", "location", "if", "rewrite", "return", "proxy_pass", "set", "server_name", "map", "allow", "auth_basic_user_file", "limit_except", "client_max_body_size"]),
        words in prop::collection::vec("[a$0-9/.:*~=()!^\\[\\]-]{1,8}", 0..4),
    ) {
        let line = format!("{name} {}", words.join(" "));
        for inside in [format!("{line};"), format!("{line} {{ return 404; }}")] {
            let _ = read(&format!("events {{}} http {{ {inside} server {{ return 404; }} }}"));
            let _ = read(&format!("events {{}} http {{ server {{ {inside} return 404; }} }}"));
            let _ = read(&format!("events {{}} http {{ server {{ location /a {{ {inside} }} }} }}"));
        }
    }
}

#[test]
fn sockets_are_listened_to_and_allowed() {
    let text =
        "events {} http { server { listen unix:/run/r.sock; listen 80; set_real_ip_from unix:;
         location / { allow unix:; deny all; proxy_pass http://h; } } }";
    let settings = read(text).unwrap().settings;
    let shown = settings.listeners.iter().map(|at| at.address.to_string());
    assert_eq!(
        shown.collect::<Vec<_>>(),
        ["unix:/run/r.sock", "0.0.0.0:80"]
    );
    let modes = settings.listeners.iter().map(|at| at.socket_mode);
    assert_eq!(modes.collect::<Vec<_>>(), [Some(0o666), None]);
    let over_socket = IpNet::from(crate::OVER_SOCKET);
    assert_eq!(settings.edge.trusted_proxies, [over_socket]);
    let rules = &settings.sites[0].places[0].rules.access.addresses;
    assert_eq!(rules[0].network, Some(over_socket));
    let error = read("events {} http { server { listen unix:r.sock; return 404; } }").unwrap_err();
    assert!(error.to_string().contains("absolute"), "{error}");
}
