//! What is offered in TLS: `http2` and `ssl_protocols`.

use super::read;
use crate::finding::{Adopted, Verdict};
use crate::settings::TlsVersion;

/// Servers, each of which listens at 443 as it says.
fn adopted(http: &str, servers: &[&str]) -> Adopted {
    let servers: Vec<_> = servers
        .iter()
        .map(|server| format!("server {{ {server} return 404; }}"))
        .collect();
    let text = format!(
        "events {{}}\nhttp {{ ssl_certificate c; ssl_certificate_key k; {http}\n{} }}",
        servers.join("\n")
    );
    read(&text).unwrap_or_else(|error| panic!("{error}"))
}

/// Whether the listener offers HTTP/2, and what each server says beside it.
fn http2(http: &str, servers: &[&str]) -> (bool, Vec<Option<bool>>) {
    let settings = adopted(http, servers).settings;
    (
        settings.listeners[0].offer.http2,
        settings.sites.iter().map(|site| site.http2).collect(),
    )
}

fn verdict(adopted: &Adopted, subject: &str) -> Verdict {
    let mut findings = adopted.findings.iter();
    let found = findings.find(|finding| finding.subject.starts_with(subject));
    found.unwrap().verdict.clone()
}

#[test]
fn http2_is_offered_where_nginx_offers_it() {
    const LISTEN: &str = "listen 443 ssl;";
    for (http, servers, listener, sites) in [
        // Who says nothing of it has not turned it off.
        ("", vec![LISTEN, LISTEN], true, vec![None, None]),
        (
            "",
            vec!["listen 443 ssl http2;", LISTEN],
            true,
            vec![None, None],
        ),
        ("", vec!["listen 443 ssl; http2 off;"], false, vec![None]),
        ("http2 off;", vec![LISTEN], false, vec![None]),
        ("http2 on;", vec![LISTEN, LISTEN], true, vec![None, None]),
        (
            "",
            vec!["listen 443 ssl; http2 on;", LISTEN],
            false,
            vec![Some(true), None],
        ),
        (
            "http2 on;",
            vec!["listen 443 ssl; http2 off;", LISTEN],
            false,
            vec![None, Some(true)],
        ),
        (
            "",
            vec!["listen 443 ssl; http2 off;", "listen 443 ssl http2;"],
            true,
            vec![None, None],
        ),
    ] {
        assert_eq!(
            http2(http, &servers),
            (listener, sites),
            "{http} {servers:?}"
        );
    }
    let ports = adopted("", &["listen 443 ssl http2; listen 444 ssl;"]);
    let offers = ports.settings.listeners.iter().map(|at| at.offer.http2);
    assert_eq!(offers.collect::<Vec<_>>(), [true, false]);
}

#[test]
fn what_is_turned_off_is_honoured_unless_a_listen_goes_before() {
    let off = adopted("", &["listen 443 ssl; http2 off;"]);
    assert_eq!(verdict(&off, "http2"), Verdict::Honoured);
    let both = adopted("", &["listen 443 ssl http2; http2 off;"]);
    assert!(
        matches!(verdict(&both, "http2"), Verdict::Replaced(by) if by.contains("goes before")),
        "{:?}",
        verdict(&both, "http2")
    );
}

#[test]
fn the_versions_of_the_default_server_count() {
    const NEW: &str = "listen 443 ssl; ssl_protocols TLSv1.3;";
    const BOTH: &str = "listen 443 ssl; ssl_protocols TLSv1.2 TLSv1.3;";
    let minimum = |adopted: &Adopted| adopted.settings.listeners[0].offer.minimum;
    for (http, servers, expected) in [
        ("", vec!["listen 443 ssl;"], TlsVersion::Tls12),
        ("", vec![NEW], TlsVersion::Tls13),
        (
            "ssl_protocols TLSv1.3;",
            vec!["listen 443 ssl;"],
            TlsVersion::Tls13,
        ),
        ("ssl_protocols TLSv1.3;", vec![BOTH], TlsVersion::Tls12),
        ("", vec![NEW, BOTH], TlsVersion::Tls13),
        ("", vec![BOTH, NEW], TlsVersion::Tls12),
    ] {
        let adopted = adopted(http, &servers);
        assert_eq!(minimum(&adopted), expected, "{http} {servers:?}");
    }
    assert_eq!(
        verdict(&adopted("", &[NEW]), "ssl_protocols"),
        Verdict::Honoured
    );
    for (servers, by) in [
        (vec![BOTH, NEW], "default server"),
        (vec!["listen 443 ssl; ssl_protocols TLSv1.2;"], "both"),
        (
            vec!["listen 443 ssl; ssl_protocols TLSv1 TLSv1.3;"],
            "older",
        ),
    ] {
        let adopted = adopted("", &servers);
        let mut findings = adopted.findings.iter();
        let said =
            |verdict: &Verdict| matches!(verdict, Verdict::Replaced(text) if text.contains(by));
        assert!(
            findings.any(|finding| said(&finding.verdict)),
            "{servers:?}"
        );
    }
}
