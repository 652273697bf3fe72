//! Several sites at one listener, which ask for different certificates.

use std::sync::Arc;

use tidegate_config::site::{
    AddedHeader, Attachment, Names, PathMatch, Place, Rules, ServerName, Site, Template,
};
use tidegate_config::{ClientAuth, HeaderFieldName, UserFrom, site};
use tidegate_proxy::{Destination, VirtualServers};

use crate::support::authority::{Authority, Made};
use crate::support::backend::{Events, TestBackend};
use crate::support::client::{Answer, get};
use crate::support::{Running, front};

const FACTS: [(&str, &str); 4] = [
    ("x-verify", "$ssl_client_verify"),
    ("x-subject", "$ssl_client_s_dn"),
    ("x-serial", "$ssl_client_serial"),
    ("x-certificate", "$ssl_client_escaped_cert"),
];

fn site(name: &str, client_auth: Option<ClientAuth>) -> Site {
    let header = |(name, value): &(&str, &str)| AddedHeader {
        name: HeaderFieldName::new(name).unwrap(),
        value: Template::parse(value, Names::default()).unwrap(),
        always: true,
    };
    let rules = Rules {
        headers: FACTS.iter().map(header).collect(),
        ..Rules::default()
    };
    let elsewhere = rules.clone();
    Site {
        attachments: vec![Attachment {
            listener: 0,
            is_default: name == "localhost",
        }],
        names: vec![ServerName::parse(name).unwrap()],
        client_auth,
        http2: None,
        rewrites: Vec::new(),
        places: vec![Place {
            path: PathMatch::parse("/").unwrap(),
            rules,
            action: site::Action::Registry,
        }],
        elsewhere,
    }
}

/// `localhost` asks for nothing, `a.test` and `a2.test` for certificates of the
/// first CA, and `b.test` for those of the second.
fn start(a: &Authority, b: &Authority) -> (Running, Events) {
    const NAMES: [&str; 4] = ["localhost", "a.test", "a2.test", "b.test"];
    let mut setup = front();
    setup.site.make("site", &NAMES);
    let asks = |name: &str, authority: &Authority| {
        let path = setup.site.path(name);
        fs_err::write(&path, &authority.pem).unwrap();
        ClientAuth::required_by(path)
    };
    let of_a = asks("a.pem", a);
    let mut of_b = asks("b.pem", b);
    of_b.user = UserFrom::Nowhere;
    let sites = vec![
        site("localhost", None),
        site("a.test", Some(of_a.clone())),
        site("a2.test", Some(of_a.clone())),
        site("b.test", Some(of_b.clone())),
    ];
    setup.settings.client_auth = vec![of_a, of_b];
    let (backend, events) = TestBackend::new();
    let servers = VirtualServers::new(sites, Some(Arc::new(backend))).unwrap();
    (setup.start_to(Destination::Sites(servers)), events)
}

/// A request for `host` on a connection that was made for `name`.
async fn ask(front: &Running, name: &str, host: &str, with: Option<&Made>) -> Answer {
    let mut request = get("/v2/");
    request.headers_mut().insert("host", host.parse().unwrap());
    let client = front.client().showing(with);
    client.h1_for(name, request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_site_asks_for_its_own() {
    let (a, b) = (Authority::new("a"), Authority::new("b"));
    let (front, mut events) = start(&a, &b);
    let (of_a, of_b) = (a.sign("alice"), b.sign("bob"));
    for (name, with, expected) in [
        ("localhost", None, 200),
        ("a.test", None, 400),
        ("a.test", Some(&of_a), 200),
        ("b.test", Some(&of_b), 200),
        ("b.test", None, 400),
        ("b.test", Some(&of_a), 400),
    ] {
        let answer = ask(&front, name, name, with).await;
        assert_eq!(answer.status(), expected, "{name}");
    }
    let mut users = Vec::new();
    while let Ok(seen) = events.seen.try_recv() {
        users.push(seen.user);
    }
    assert_eq!(users, [None, Some("alice".to_owned()), None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_for_one_site_does_not_reach_another_that_asks_otherwise() {
    let (a, b) = (Authority::new("a"), Authority::new("b"));
    let (front, mut events) = start(&a, &b);
    let of_a = a.sign("alice");
    for (name, host, with, expected) in [
        ("localhost", "a.test", None, 421),
        ("localhost", "A.test:443", Some(&of_a), 421),
        ("a.test", "b.test", Some(&of_a), 421),
        // Nor does it take the name of its user there.
        ("a.test", "localhost", Some(&of_a), 421),
        ("a.test", "localhost", None, 200),
        ("a.test", "a2.test", Some(&of_a), 200),
        ("a.test", "a2.test", None, 400),
    ] {
        let answer = ask(&front, name, host, with).await;
        assert_eq!(answer.status(), expected, "{name} {host}");
    }
    let seen = events.seen.recv().await.unwrap();
    assert_eq!(seen.user, None);
    assert_eq!(
        events.seen.recv().await.unwrap().user.as_deref(),
        Some("alice")
    );
    assert!(events.seen.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_say_what_was_shown() {
    let (a, b) = (Authority::new("a"), Authority::new("b"));
    let (front, _events) = start(&a, &b);
    let answer = ask(&front, "a.test", "a.test", Some(&a.sign("Alice, \"Ops\""))).await;
    let header = |name: &str| answer.header(name).unwrap_or_default();
    assert_eq!(header("x-verify"), "SUCCESS");
    assert_eq!(header("x-subject"), "CN=Alice\\, \\\"Ops\\\"");
    assert!(!header("x-serial").is_empty());
    assert!(header("x-certificate").starts_with("-----BEGIN%20CERTIFICATE-----%0AMII"));
    assert!(header("x-certificate").ends_with("-----END%20CERTIFICATE-----%0A"));
    let answer = ask(&front, "localhost", "localhost", None).await;
    assert_eq!(answer.header("x-verify").as_deref(), Some("NONE"));
    assert_eq!(answer.header("x-subject"), None);
    let answer = ask(&front, "b.test", "b.test", None).await;
    assert_eq!(answer.header("x-verify").as_deref(), Some("NONE"));
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_is_offered_by_the_name_that_is_asked_for() {
    let mut setup = front();
    setup.site.make("site", &["localhost", "b.test", "c.test"]);
    setup.settings.listeners[0].offer.http2 = false;
    let mut authority = ClientAuth::required_by(setup.site.path("a.pem"));
    authority.required = false;
    fs_err::write(setup.site.path("a.pem"), &Authority::new("A").pem).unwrap();
    let mut sites = vec![
        site("localhost", None),
        site("b.test", None),
        site("c.test", Some(authority.clone())),
    ];
    sites[1].http2 = Some(true);
    sites[2].http2 = Some(true);
    setup.settings.client_auth = vec![authority];
    let (backend, _events) = TestBackend::new();
    let servers = VirtualServers::new(sites, Some(Arc::new(backend))).unwrap();
    let front = setup.start_to(Destination::Sites(servers));
    for (name, expected) in [
        ("localhost", &b"http/1.1"[..]),
        ("b.test", b"h2"),
        ("c.test", b"h2"),
    ] {
        let both: [&[u8]; 2] = [b"h2", b"http/1.1"];
        let stream = front.client().tls(name, &both).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(expected), "{name}");
    }
}
