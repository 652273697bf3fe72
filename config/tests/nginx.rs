//! Files of nginx in the shapes that people have: each is read, or refused at
//! the right line.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use tidegate_config::site::{Action, PathMatch, Return};
use tidegate_config::{
    AccessLog, Adopted, Backend, LoadError, Protocol, Registry, Verdict, load_nginx, parse, write,
};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/nginx")
        .join(name)
}

fn read(name: &str) -> Adopted {
    load_nginx(&path(name), None).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The listeners, and each place with what answers there.
fn outline(adopted: &Adopted) -> String {
    let mut outline = String::new();
    let settings = &adopted.settings;
    for listener in &settings.listeners {
        let tls = if listener.protocol == Protocol::Https {
            "s"
        } else {
            ""
        };
        write!(outline, "http{tls}://{} ", listener.address).unwrap();
    }
    for site in &settings.sites {
        let names: Vec<_> = site.names.iter().map(ToString::to_string).collect();
        write!(
            outline,
            "|{}{}",
            if names.is_empty() { "" } else { " " },
            names.join(",")
        )
        .unwrap();
        for rewrite in &site.rewrites {
            let what = match &rewrite.answer {
                Return::Status { status, .. } | Return::Redirect { status, .. } => {
                    status.to_string()
                }
                Return::Path(target) => format!("→ {}", target.path),
                Return::Stop => "stop".to_owned(),
            };
            let always = if rewrite.when.is_empty() { "" } else { "?" };
            write!(outline, " {what}{always}").unwrap();
        }
        for place in &site.places {
            let action = match &place.action {
                Action::Registry => "registry".to_owned(),
                Action::Proxy(proxy) => {
                    format!("{}{}", proxy.host, proxy.path.as_deref().unwrap_or(""))
                }
                Action::NotFound => "none".to_owned(),
            };
            write!(outline, " [{} → {action}]", place.path).unwrap();
        }
        outline.push(' ');
    }
    outline.trim_end().to_owned()
}

fn refused(adopted: &Adopted) -> Vec<String> {
    let refused = adopted
        .findings
        .iter()
        .filter(|finding| matches!(finding.verdict, Verdict::Refused(_)));
    refused
        .map(|finding| {
            let line = finding
                .location
                .as_ref()
                .map_or(0, |location| location.line);
            format!("{line} {}", finding.subject)
        })
        .collect()
}

#[test]
fn what_people_have_is_read() {
    let files: &[(&str, &str, &[&str])] = &[
        (
            "recipe.conf",
            "https://0.0.0.0:443 | myregistrydomain.com [/v2/ → docker-registry] [= /v2 → none]",
            &[],
        ),
        (
            "port-5043.conf",
            "https://0.0.0.0:5043 | [/ → localhost:5000] [/_ping → localhost:5000]",
            &[],
        ),
        (
            "intermediate-443.conf",
            "https://0.0.0.0:443 | registry.example.org [/ → 127.0.0.1:5000/]",
            &[],
        ),
        (
            "redirect-80.conf",
            "http://0.0.0.0:80 https://0.0.0.0:443 | _ 301 | old.example.org 301? \
             | registry.example.org [/v2/ → 127.0.0.1:5000] [/ → none] [= /v2 → none]",
            &[],
        ),
        (
            "ipv6.conf",
            "http://0.0.0.0:80 http://[::]:80 https://0.0.0.0:443 https://[::]:443 \
             | r6.example.org [/v2/ → [::1]:5000] [= /v2 → none]",
            &[],
        ),
        (
            "wildcard.conf",
            "https://0.0.0.0:443 | example.org,*.example.org,registry.* [/ → 127.0.0.1:5001] \
             | ~^r(?<number>\\d+)\\.lan$ [~* ^/V2/ → 127.0.0.1:5002] [= /healthz → none] [^~ /v1/ → none]",
            &[],
        ),
        (
            "unix.conf",
            "http://127.0.0.1:8080 | [/v2/ → registry] [/debug/ → localhost/] [= /v2 → none] [= /debug → none]",
            &[],
        ),
        (
            "anonymous-pull.conf",
            "http://0.0.0.0:8080 | [/v2/ → 127.0.0.1:5000] [= /v2 → none]",
            &[],
        ),
        ("balanced.conf", "http://0.0.0.0:8080 | [/ → registry]", &[]),
        (
            "behind-balancer.conf",
            "http://0.0.0.0:8080 | 308? [/v2/ → 127.0.0.1:5000] [= /v2 → none]",
            &[],
        ),
        (
            "debian/nginx.conf",
            "https://0.0.0.0:443 https://[::]:443 \
             | registry.example.org [/v2/ → 127.0.0.1:5000] [~ /\\.ht → none] [= /v2 → none]",
            &[],
        ),
        (
            "debian-default.conf",
            "http://0.0.0.0:80 http://0.0.0.0:8080 | _ [/ → none] | [/ → 127.0.0.1:5000]",
            &["9 try_files $uri $uri/ =404"],
        ),
        (
            "generated.conf",
            "http://0.0.0.0:80 | _ 503 | registry.example.org [/ → registry.example.org]",
            &[],
        ),
        (
            "many-locations.conf",
            "https://0.0.0.0:8443 | hub.example.org [/ → portal/] [/assets/ → portal/static/] \
             [/api/ → core/api/] [/service/ → core/service/] [/v1/ → none] [/v2/ → core] \
             [= /robots.txt → none] [= /assets → none] [= /api → none] [= /service → none] [= /v2 → none]",
            &[],
        ),
        (
            "streaming.conf",
            "http://0.0.0.0:8080 | [/v2/ → 127.0.0.1:5000] [= /v2 → none]",
            &[],
        ),
        (
            "static-site.conf",
            "http://0.0.0.0:8080 | [/v2/ → 127.0.0.1:5000] [/downloads/ → none] [/status → none] [= /v2 → none]",
            &["5 root html", "9 alias files/"],
        ),
        (
            "upstream-tls.conf",
            "http://0.0.0.0:8080 | [/mirror/v2/ → 127.0.0.1/v2/] [/v2/ → 127.0.0.1:5443] \
             [= /mirror/v2 → none] [= /v2 → none]",
            &[],
        ),
        (
            "rewrites.conf",
            "http://unix:/run/registry.sock https://0.0.0.0:8443 https://0.0.0.0:9443 \
             | ~^(?<team>[a-z]+)\\.registry\\.example$ → /v2/$1? [/v2/ → 127.0.0.1:5000] \
             [~ ^/blobs/([^/]+)/(.*)$ → 127.0.0.1:5000] [/ → none] [= /v2 → none]",
            &[],
        ),
        (
            "client-certificates.conf",
            "https://0.0.0.0:8443 | [/v2/ → 127.0.0.1:5000] [= /v2 → none]",
            &["11 limit_req zone=one burst=20", "17 stream"],
        ),
    ];
    for (name, expected, not_honoured) in files {
        let adopted = read(name);
        assert_eq!(outline(&adopted), *expected, "{name}");
        assert_eq!(refused(&adopted), *not_honoured, "{name}");
    }
}

#[test]
fn what_is_read_can_be_written_down() {
    for entry in fs_err::read_dir(path("")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if Path::new(&name).extension() != Some("conf".as_ref()) {
            continue;
        }
        let settings = read(&name).settings;
        let text = write(&settings, "");
        let again = parse(Path::new("/srv/tidegate.toml"), &text)
            .unwrap_or_else(|error| panic!("{name}: {error}\n{text}"));
        assert_eq!(again, settings, "{name}: {text}");
    }
}

#[test]
fn a_mistake_is_shown_at_its_line() {
    for (name, line, message) in [
        (
            "semicolon.conf",
            4,
            "`listen` is not ended: a `;` is missing",
        ),
        (
            "brace.conf",
            2,
            "the block of `http` is not closed: a `}` is missing",
        ),
        ("extra-brace.conf", 7, "this `}` closes nothing"),
        ("unknown.conf", 4, "`proxy_pas` is no directive of nginx"),
        ("place.conf", 3, "`proxy_pass` does not stand here"),
        (
            "size.conf",
            3,
            "`10x` is no size: write it as `0`, `512k`, `100m` or `2g`",
        ),
        (
            "time.conf",
            4,
            "`15min` is no time: write it as `60s`, `15m` or `1h`",
        ),
        ("words.conf", 4, "`add_header` takes 2 to 3 words, not 1"),
        ("variable.conf", 4, "there is no variable `$nonsense`"),
        ("expression.conf", 4, "`^/v2/(` is no regular expression"),
        (
            "no-certificate.conf",
            3,
            "this server speaks TLS, but there is no `ssl_certificate` for it",
        ),
        (
            "include.conf",
            3,
            "missing.conf` cannot be read: entity not found",
        ),
        (
            "two-defaults.conf",
            5,
            "another server is the default of 0.0.0.0:8080 already",
        ),
        ("quote.conf", 4, "the quote `\"` is not closed"),
        ("two-locations.conf", 5, "there are two locations `/v2/`"),
    ] {
        let error = load_nginx(&path("broken").join(name), None).unwrap_err();
        let LoadError::Mistake(mistake) = error else {
            panic!("{name}: {error}");
        };
        assert_eq!(mistake.location().line, line, "{mistake}");
        assert!(mistake.message().contains(message), "{mistake}");
        assert!(mistake.to_string().contains('^'), "{mistake}");
    }
    let error = load_nginx(&path("broken/unknown.conf"), None).unwrap_err();
    let LoadError::Mistake(mistake) = error else {
        panic!("{error}");
    };
    assert_eq!(mistake.hint(), Some("did you mean `proxy_pass`?"));
}

#[test]
fn every_directive_has_a_finding() {
    let adopted = read("recipe.conf");
    let verdict = |subject: &str| {
        let found = adopted
            .findings
            .iter()
            .find(|finding| finding.subject.starts_with(subject));
        found.unwrap_or_else(|| panic!("{subject}")).verdict.clone()
    };
    for honoured in [
        "events",
        "http",
        "server 127",
        "map",
        "listen",
        "location",
        "if",
        "return",
        "auth_basic ",
        "add_header",
        "proxy_pass",
        "proxy_read_timeout",
    ] {
        assert_eq!(verdict(honoured), Verdict::Honoured, "{honoured}");
    }
    assert!(matches!(verdict("ssl_ciphers"), Verdict::Replaced(_)));
    assert!(matches!(verdict("ssl_protocols"), Verdict::Replaced(_)));
    assert!(matches!(
        verdict("worker_connections"),
        Verdict::Harmless(_)
    ));
    assert_eq!(adopted.findings.len(), 29);
    // The name of the file stands with the line.
    let debian = read("debian/nginx.conf");
    let size = debian
        .findings
        .iter()
        .find(|finding| finding.subject.starts_with("client_max"))
        .unwrap();
    assert!(
        size.location
            .as_ref()
            .unwrap()
            .file
            .ends_with("conf.d/size.conf")
    );
}

#[test]
fn a_registry_takes_the_place_of_another() {
    let replaced = |name: &str| load_nginx(&path(name), Some(Registry::new("/srv/registry")));
    let adopted = replaced("many-locations.conf").unwrap();
    assert!(matches!(adopted.settings.backend, Backend::Registry(_)));
    let site = &adopted.settings.sites[0];
    let action = |text: &str| {
        let is_it = |path: &PathMatch| path.to_string() == text;
        &site
            .places
            .iter()
            .find(|place| is_it(&place.path))
            .unwrap()
            .action
    };
    assert_eq!(action("/v2/"), &Action::Registry);
    assert!(matches!(action("/"), Action::Proxy(_)));

    let adopted = replaced("port-5043.conf").unwrap();
    let places = &adopted.settings.sites[0].places;
    assert!(places.iter().all(|place| place.action == Action::Registry));
    let pass = adopted
        .findings
        .iter()
        .find(|finding| finding.subject.starts_with("proxy_pass"))
        .unwrap();
    assert!(
        matches!(&pass.verdict, Verdict::Replaced(by) if by.contains("registry in this process"))
    );

    let error = replaced("redirect-80.conf").map(|adopted| adopted.settings.sites.len());
    assert_eq!(error.unwrap(), 3);
}

#[test]
fn whoever_cannot_be_checked_is_kept_out() {
    let adopted = read("client-ocsp.conf");
    let rule = adopted.settings.sites[0].places[0].rules.access.addresses[0];
    assert_eq!((rule.network, rule.allows), (None, false));
}

#[test]
fn the_log_is_off_where_nothing_is_logged() {
    assert_eq!(
        read("intermediate-443.conf").settings.log.access,
        AccessLog::Off
    );
    assert_eq!(
        read("generated.conf").settings.log.access,
        AccessLog::Combined
    );
}
