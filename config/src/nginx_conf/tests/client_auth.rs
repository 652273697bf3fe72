//! `ssl_verify_client`: who is asked for a certificate, and of whom.

use super::read;
use crate::client_auth::{ClientAuth, UserFrom, VerifyClient};
use crate::finding::{Adopted, Verdict};

const PAIR: &str = "ssl_certificate c; ssl_certificate_key k;";

fn adopted(http: &str, server: &str) -> Adopted {
    let text = format!(
        "events {{}}\nhttp {{ {PAIR} {http}\nserver {{ listen 443 ssl; {server}\n\
         location / {{ proxy_pass http://h; }} }} }}"
    );
    read(&text).unwrap_or_else(|error| panic!("{error}"))
}

fn asked(http: &str, server: &str) -> Option<ClientAuth> {
    adopted(http, server).settings.sites[0].client_auth.clone()
}

fn mistake(server: &str) -> String {
    let text = format!("events {{}}\nhttp {{ {PAIR} server {{ listen 443 ssl; {server} }} }}");
    read(&text).unwrap_err().to_string()
}

#[test]
fn certificates_are_asked_for_as_nginx_asks() {
    let on = "ssl_client_certificate ca.pem; ssl_verify_client on;";
    let expected = ClientAuth {
        depth: Some(1),
        user: UserFrom::Nowhere,
        ..ClientAuth::required_by("/etc/nginx/ca.pem")
    };
    assert_eq!(asked("", on), Some(expected.clone()));
    assert_eq!(asked(on, ""), Some(expected.clone()));
    // Each of them is inherited by itself.
    assert_eq!(
        asked(
            "ssl_client_certificate other.pem; ssl_verify_depth 3; ssl_verify_client off;",
            &format!("ssl_crl /crl.pem; ssl_trusted_certificate more.pem; {on}")
        ),
        Some(ClientAuth {
            crl: Some("/crl.pem".into()),
            trusted: vec!["/etc/nginx/more.pem".into()],
            depth: Some(3),
            ..expected
        })
    );
    let optional = asked(on, "ssl_verify_client optional;").unwrap();
    assert_eq!(
        (optional.required, optional.verify),
        (false, VerifyClient::Full)
    );
    let any = asked("", "ssl_verify_client optional_no_ca;").unwrap();
    assert_eq!((any.required, any.verify), (false, VerifyClient::AnyIssuer));
    assert!(any.ca.is_empty());
    assert_eq!(asked(on, "ssl_verify_client off;"), None);
    assert_eq!(asked("", "ssl_client_certificate ca.pem;"), None);
}

#[test]
fn nothing_is_asked_where_no_tls_is_spoken() {
    let text = "events {}\nhttp { server { listen 80; ssl_client_certificate c; \
                ssl_verify_client on; location / { proxy_pass http://h; } } }";
    assert_eq!(read(text).unwrap().settings.sites[0].client_auth, None);
}

#[test]
fn what_is_asked_is_honoured_and_what_is_not_is_harmless() {
    let verdict = |adopted: &Adopted, subject: &str| {
        let mut findings = adopted.findings.iter();
        let found = findings.find(|finding| finding.subject.starts_with(subject));
        found.unwrap().verdict.clone()
    };
    let lines = "ssl_client_certificate ca; ssl_crl crl; ssl_verify_depth 2;";
    let on = adopted(lines, "ssl_verify_client on;");
    let off = adopted(lines, "ssl_verify_client off;");
    for subject in ["ssl_client_certificate", "ssl_crl", "ssl_verify_depth"] {
        assert_eq!(verdict(&on, subject), Verdict::Honoured, "{subject}");
        assert!(
            matches!(verdict(&off, subject), Verdict::Harmless(_)),
            "{subject}"
        );
    }
    assert_eq!(verdict(&on, "ssl_verify_client"), Verdict::Honoured);
    assert!(matches!(
        verdict(&off, "ssl_verify_client"),
        Verdict::Harmless(_)
    ));
}

#[test]
fn nobody_comes_in_where_the_question_cannot_be_told() {
    for lines in [
        "ssl_client_certificate ca; ssl_verify_client on; ssl_ocsp on;",
        "ssl_client_certificate ca; ssl_verify_client on; ssl_ocsp leaf;",
        "ssl_client_certificate $host; ssl_verify_client on;",
        "ssl_client_certificate ca; ssl_verify_client on; ssl_crl $host;",
    ] {
        let adopted = adopted(lines, "");
        let refused = |verdict: &Verdict| matches!(verdict, Verdict::Refused(_));
        assert!(
            adopted.findings.iter().any(|f| refused(&f.verdict)),
            "{lines}"
        );
        let rule = adopted.settings.sites[0].places[0].rules.access.addresses[0];
        assert_eq!((rule.network, rule.allows), (None, false), "{lines}");
    }
}

#[test]
fn mistakes_are_nginxs() {
    let none = mistake("ssl_verify_client on;");
    assert!(none.contains("no `ssl_client_certificate`"), "{none}");
    let other = mistake("ssl_client_certificate ca; ssl_verify_client yes;");
    assert!(other.contains("`yes` is nothing that"), "{other}");
    let depth = mistake("ssl_client_certificate ca; ssl_verify_client on; ssl_verify_depth x;");
    assert!(depth.contains("`x` is no number"), "{depth}");
}
